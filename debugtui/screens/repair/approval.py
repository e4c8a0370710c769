"""The approval of exactly one plan. "No" has the focus, Escape always means no, and opening it sends nothing."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical, VerticalScroll
from textual.content import Content
from textual.events import Key, Resize
from textual.screen import ModalScreen
from textual.timer import Timer
from textual.widgets import Button, ContentSwitcher, Input, Static

from debugtui.model.clock import Clock, SystemClock
from debugtui.model.execution import Approval
from debugtui.model.plan import Plan, RiskClass
from debugtui.screens.faults import TellsFaults
from debugtui.screens.repair import words
from debugtui.screens.repair.box import CSS
from debugtui.widgets.bar import Bar, Word
from debugtui.widgets.cells import safe
from debugtui.widgets.diff_view import WIDE, pairs, side_by_side, unified
from debugtui.widgets.once import once

TABS = ("Diff", "Steps", "Rollback", "Guards", "Checks", "Risk")
#: Seconds during which nothing can be approved: nobody has read anything yet.
FIRST_LOOK = 1.5
#: Seconds that a break-glass confirmation is held.
HOLD = 60.0

#: Makes the approval, or raises ValueError with the reason why not.
Approve = Callable[..., Approval]


class ApprovalScreen(TellsFaults, ModalScreen["Approval | str | None"]):
    """Shows a plan whole, and takes a yes by what its class asks for.

    Dismissed with the approval, with `again` where the plan has to be made anew, or with None.
    """

    DEFAULT_CSS = f"""
    ApprovalScreen {{ {CSS}
        & > Vertical {{ width: 150; height: 96%; }}
        & #sentence {{ height: auto; max-height: 8; margin-top: 0; }}
        & #about {{ color: $text-muted; height: 1; }}
        & ContentSwitcher {{ height: 1fr; margin-top: 0; }}
        & VerticalScroll {{ height: 1fr; padding: 0 1; }}
        & #form {{ height: auto; }}
        & .field {{ height: 1; }}
        & .field Static {{ width: 24; color: $text-primary; }}
        & .field Input {{ width: 1fr; background: $panel; }}
        & .buttons {{ height: 1; }}
        & Button {{ min-width: 12; margin-right: 2; background: $panel; color: $foreground; }}
        & Button:focus {{ background: $block-cursor-background; color: $block-cursor-foreground; text-style: bold; }}
        & Button.-disabled {{ color: $text-muted; }}
        & #says {{ height: 1; width: 1fr; color: $text-warning; }}
    }}
    """
    AUTO_FOCUS = "#no"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "refuse", "No", id="ask.no"),
        Binding("right_square_bracket", "step(1)", show=False),
        Binding("left_square_bracket", "step(-1)", show=False),
        Binding("v", "view", show=False),
        Binding("up", "scroll(-1)", show=False),
        Binding("down", "scroll(1)", show=False),
        Binding("pageup", "scroll(-15)", show=False),
        Binding("pagedown", "scroll(15)", show=False),
        Binding("r", "again", show=False),
        *(Binding(str(number), f"tab({number})", show=False) for number in range(1, len(TABS) + 1)),
    ]

    def __init__(
        self,
        plan: Plan,
        approve: Approve,
        *,
        undo_says: str = "",
        clock: Clock | None = None,
    ) -> None:
        """Make the approval of a plan.

        Args:
            plan: what is to be approved.
            approve: makes the approval from what was typed; raises ValueError with the reason why not.
            undo_says: what the remediation says of its rollback.
            clock: tells when the plan has expired.
        """
        super().__init__()
        self._plan, self._approve, self._undo_says = plan, approve, undo_says
        self._clock = clock or SystemClock()
        self._first_look, self._hold_s = FIRST_LOOK, HOLD
        self._tab = 0
        self._side = True
        self._pairs: list[tuple[str, str, list[Any]]] = []
        self._opened = time.monotonic()
        self._held_since: float | None = None
        self._holding: Timer | None = None

    @property
    def approvable(self) -> bool:
        """Whether any control that approves exists at all."""
        return self._plan.risk.cls < RiskClass.STOP and not self._plan.refusals and not self._expired

    @property
    def _expired(self) -> bool:
        return self._clock.now() >= self._plan.expires_at

    def compose(self) -> ComposeResult:
        """The sentence, the tabs, what an approval takes, and No."""
        plan = self._plan
        box = Vertical()
        box.border_title = Content(f"{safe(plan.remediation)}  {safe(str(plan.target))}")
        with box:
            yield Static(words.sentence(plan), id="sentence")
            yield Bar(id="tabs")
            with ContentSwitcher(initial="tab-0", id="switcher"):
                for number in range(len(TABS)):
                    with VerticalScroll(id=f"tab-{number}", can_focus=False):
                        yield Static(Content(""), id=f"text-{number}")
            with Horizontal(classes="buttons"):
                yield Button(Content("No, change nothing"), id="no", compact=True)
                yield Static(Content(self._why_not()), id="says")
            if self.approvable:
                with Vertical(id="form"):
                    yield from self._compose_fields()
                with Horizontal(classes="buttons"):
                    yield Button(Content("Approve"), id="yes", disabled=True, compact=True)
                    if plan.risk.cls is RiskClass.SEVERE:
                        yield Button(Content(f"Alone: hold {self._hold_s:.0f} s"), id="glass", disabled=True, compact=True)
            yield Static(
                Content(f"esc no   tab next field   1-6 [ ] tabs   ↑↓ scroll   v side by side   {plan.digest[:19]}"), id="about"
            )

    def _compose_fields(self) -> ComposeResult:
        cls = self._plan.risk.cls
        fields = []
        if cls >= RiskClass.CAREFUL:
            fields.append((f"type {self._plan.short_name}", "name"))
        if cls >= RiskClass.SEVERE:
            fields += [("reason", "reason"), ("second approval (file)", "second")]
        for label, name in fields:
            with Horizontal(classes="field"):
                yield Static(Content(safe(label)))
                yield Input(id=name, compact=True)

    def _why_not(self) -> str:
        plan = self._plan
        if plan.risk.cls >= RiskClass.STOP:
            return "class 4: nothing here executes it. See Risk for what would lower it."
        if plan.refusals:
            guard = plan.refusals[0]
            return safe(f"refused by {guard.name}: {guard.why}")
        return "this plan has expired: r plans it again" if self._expired else ""

    def on_mount(self) -> None:
        """Fill the tabs; those who refuse show why first."""
        plan = self._plan
        self._fill(0, Content("comparing…"))
        self._fill(1, words.steps(plan))
        self._fill(2, words.rollback(plan, self._undo_says))
        self._fill(3, words.guards(plan.guards))
        self._fill(4, words.checks(plan))
        self._fill(5, words.risk(plan))
        self.run_worker(self._compare, name="diff", thread=True, exit_on_error=False)
        first = "Risk" if plan.risk.cls >= RiskClass.STOP else "Guards" if plan.refusals else "Diff"
        self._show(TABS.index(first))
        if self.approvable:
            once(self, max(0.01, self._first_look), self._looked)
        self.set_interval(1.0, self._tick)

    def _fill(self, number: int, text: Content) -> None:
        self.query_one(f"#text-{number}", Static).update(text)

    def _compare(self) -> None:
        found = [(part.title, part.language, pairs(part.before, part.after)) for part in self._plan.diff]
        self.app.call_from_thread(self._compared, found)

    def _compared(self, found: list[tuple[str, str, list[Any]]]) -> None:
        self._pairs = found
        self._paint_diff()

    def _paint_diff(self) -> None:
        width = self.query_one("#switcher").size.width - 4
        wide = self._side and width >= WIDE
        parts: list[Content] = []
        for title, language, found in self._pairs:
            parts.append(Content.styled(safe(title), "bold $text-primary"))
            parts.append(side_by_side(found, width) if wide else unified(found, language))
            parts.append(Content(""))
        text = words.lines(parts[:-1]) if parts else Content("Nothing that can be shown as text differs.")
        self._fill(0, text)

    def on_resize(self, _event: Resize) -> None:
        """Compare again for the new width."""
        if self._pairs:
            self.call_after_refresh(self._paint_diff)

    def _tick(self) -> None:
        if self._expired and self.query("#yes"):
            self.query("#yes, #glass").remove()
            self._say("this plan has expired: r plans it again")

    def _looked(self) -> None:
        for button in self.query("#yes, #glass").results(Button):
            button.disabled = False

    # Tabs

    def _show(self, number: int) -> None:
        self._tab = number
        self.query_one(ContentSwitcher).current = f"tab-{number}"
        shown: list[Word] = []
        for at, title in enumerate(TABS):
            mark = self._mark(title)
            text = f"{at + 1} {title}{mark}"
            shown.append((f"[{text}]", "accent") if at == number else (text, "warn" if mark else "dim"))
        self.query_one("#tabs", Bar).show(shown)

    def _mark(self, title: str) -> str:
        if title == "Guards" and self._plan.refusals:
            return f" ✖{len(self._plan.refusals)}"
        if title == "Rollback" and not self._plan.rollback:
            return " none"
        return ""

    def action_tab(self, number: int) -> None:
        """Show a tab by its number."""
        self._show(number - 1)

    def action_step(self, step: int) -> None:
        """Show the next or the previous tab."""
        self._show((self._tab + step) % len(TABS))

    def action_scroll(self, lines: int) -> None:
        """Move in the tab."""
        self.query_one(f"#tab-{self._tab}", VerticalScroll).scroll_relative(y=lines, animate=False)

    def action_view(self) -> None:
        """Show the diff side by side, or below each other."""
        self._side = not self._side
        self._paint_diff()

    # Answers

    def action_refuse(self) -> None:
        """No."""
        self.dismiss(None)

    def action_again(self) -> None:
        """Make the plan again."""
        self.dismiss("again")

    def on_input_submitted(self, event: Input.Submitted) -> None:
        """Enter in a field goes to the next one; in the last one it is the yes that the class takes."""
        event.stop()
        fields = list(self.query(Input))
        at = fields.index(event.input)
        if at + 1 < len(fields):
            fields[at + 1].focus()
        else:
            self._yes()

    def on_button_pressed(self, event: Button.Pressed) -> None:
        """No, yes, or the beginning of a held yes."""
        event.stop()
        if event.button.id == "no":
            self.dismiss(None)
        elif event.button.id == "yes":
            self._yes()
        elif event.button.id == "glass":
            self._hold()

    def _typed(self, name: str) -> str:
        found = self.query(f"#{name}").results(Input)
        return next((field.value for field in found), "")

    def _yes(self, *, break_glass: bool = False) -> None:
        if not self.approvable or time.monotonic() - self._opened < self._first_look:
            self._say("read it first")
            return
        second = self._typed("second").strip()
        try:
            approval = self._approve(
                self._plan,
                confirmed=self._typed("name").strip(),
                reason=self._typed("reason"),
                second=Path(second).expanduser() if second else None,
                break_glass=break_glass,
            )
        except ValueError as error:
            self._say(str(error))
            return
        self.dismiss(approval)

    def _say(self, text: str) -> None:
        self.query_one("#says", Static).update(Content(safe(text)))

    # Break-glass

    def _hold(self) -> None:
        if self._held_since is None:
            self._held_since = time.monotonic()
            self._holding = self.set_interval(0.25, self._held)
            self._held()

    def _held(self) -> None:
        if self._held_since is None:
            return
        left = self._hold_s - (time.monotonic() - self._held_since)
        if left > 0:
            self._say(f"approving alone in {left:.0f} s, recorded as break-glass; any key stops it")
            return
        self._let_go("")
        self._yes(break_glass=True)

    def _let_go(self, says: str) -> None:
        self._held_since = None
        if self._holding is not None:
            self._holding.stop()
            self._holding = None
        self._say(says)

    def on_key(self, event: Key) -> None:
        """Any key stops a held yes."""
        if self._held_since is not None:
            event.stop()
            event.prevent_default()
            self._let_go("not held to the end: nothing was approved")
