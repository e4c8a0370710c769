"""What is asked before something is said of an alert. Escape always means no, and no single key says anything."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import ClassVar, NamedTuple

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.content import Content
from textual.screen import ModalScreen
from textual.widgets import Button, Input, Label, Static

from debugtui.model.alerts import Alert, Silence
from debugtui.model.duration import seconds_of
from debugtui.screens.repair.box import CSS
from debugtui.widgets.cells import safe

#: How long a silence lasts where nothing else is typed.
USUAL = "2h"


class AcknowledgeScreen(ModalScreen[str | None]):
    """Asks for a note; dismissed with it, or with None."""

    DEFAULT_CSS = (
        f"AcknowledgeScreen {{ {CSS} & > Vertical {{ width: 100; }} & Input {{ background: $panel; margin-top: 1; }} }}"
    )
    AUTO_FOCUS = "Input"
    BINDINGS: ClassVar[list[BindingType]] = [Binding("escape", "refuse", "No", id="ask.no")]

    def __init__(self, alert: Alert, means: str) -> None:
        """Ask about an alert; `means`: what its rule says of itself."""
        super().__init__()
        self._alert, self._means = alert, means

    def compose(self) -> ComposeResult:
        """The alert, what it means, who has seen it already, and a field for the note."""
        box = Vertical()
        box.border_title = Content("Acknowledge")
        with box:
            yield Static(about(self._alert))
            yield Static(Content(safe(self._means)), classes="muted")
            seen = self._alert.acknowledged
            if seen is not None:
                yield Static(
                    Content(safe(f"✓ acknowledged by {seen.who} at {seen.at:%H:%M} UTC: {seen.note}")), classes="muted"
                )
            yield Input(placeholder="what you found, or do; when it gets worse it speaks up again", id="note", compact=True)
            yield Static(Content(""), id="says", classes="error")
            yield Static(Content("enter acknowledge   esc no"), classes="keys")

    def on_input_submitted(self, event: Input.Submitted) -> None:
        """Hand the note over; without one nothing is acknowledged."""
        event.stop()
        if event.value.strip():
            self.dismiss(event.value.strip())
        else:
            self.query_one("#says", Static).update(Content("a note is needed"))

    def action_refuse(self) -> None:
        """Acknowledge nothing."""
        self.dismiss(None)


class Wish(NamedTuple):
    """A silence that is wished for."""

    rule: str
    target: str
    seconds: float
    reason: str


class SilenceScreen(ModalScreen[Wish | None]):
    """Asks what is to be quiet, for how long, and why; dismissed with that, or with None."""

    DEFAULT_CSS = f"""
    SilenceScreen {{ {CSS}
        & > Vertical {{ width: 100; }}
        & Input {{ background: $panel; }}
        & Label {{ color: $text-primary; }}
    }}
    """
    AUTO_FOCUS = "#reason"
    BINDINGS: ClassVar[list[BindingType]] = [Binding("escape", "refuse", "No", id="ask.no")]

    FIELDS = (
        ("rule", "rule: a name, or a pattern with *"),
        ("target", "target: HOST/KIND/NAME, or a pattern with *"),
        ("for", "for how long: 30m, 2h, 1d"),
        ("reason", "why"),
    )

    def __init__(self, alert: Alert, covered: Callable[[str, str], int], longest: float) -> None:
        """Ask about an alert.

        Args:
            alert: the one under the cursor.
            covered: how many of the alerts that hold now patterns of rule and target cover.
            longest: seconds that a silence lasts at most.
        """
        super().__init__()
        self._alert, self._covered, self._longest = alert, covered, longest

    def compose(self) -> ComposeResult:
        """A field for each part; all but the reason are filled in."""
        known = {"rule": self._alert.rule, "target": str(self._alert.target), "for": USUAL, "reason": ""}
        box = Vertical()
        box.border_title = Content("Silence")
        with box:
            yield Static(about(self._alert))
            for name, question in self.FIELDS:
                yield Label(Content(question))
                yield Input(safe(known[name]), id=name, compact=True)
            yield Static(Content(""), id="covers", classes="muted")
            yield Static(Content(""), id="says", classes="error")
            yield Static(Content("enter silence   tab next field   esc no"), classes="keys")

    def on_mount(self) -> None:
        """Say what would be quiet."""
        self._count()

    def on_input_changed(self, event: Input.Changed) -> None:
        """Say what would be quiet now."""
        event.stop()
        self._count()

    def _value(self, name: str) -> str:
        return self.query_one(f"#{name}", Input).value.strip()

    def _count(self) -> None:
        number = self._covered(self._value("rule"), self._value("target"))
        words = f"covers {number} alert{'' if number == 1 else 's'} now; silenced ones are still counted"
        self.query_one("#covers", Static).update(Content(words))

    def on_input_submitted(self, event: Input.Submitted) -> None:
        """Hand the wish over, or say what is missing."""
        event.stop()
        missing = next((name for name, _ in self.FIELDS if not self._value(name)), None)
        try:
            seconds = seconds_of(self._value("for"))
        except ValueError:
            seconds = 0.0
        if missing is None and not 0 < seconds <= self._longest:
            missing = "for"
        if missing is None:
            self.dismiss(Wish(self._value("rule"), self._value("target"), seconds, self._value("reason")))
            return
        words = {"for": f"a duration such as 30m or 2h, at most {self._longest / 86_400:g} days"}
        self.query_one("#says", Static).update(Content(f"{missing}: {words.get(missing, 'is needed')}"))
        self.query_one(f"#{missing}", Input).focus()

    def action_refuse(self) -> None:
        """Silence nothing."""
        self.dismiss(None)


class EndSilenceScreen(ModalScreen[bool]):
    """Asks whether a silence is to end now; the answer under the focus is no."""

    DEFAULT_CSS = f"""
    EndSilenceScreen {{ {CSS}
        & > Vertical {{ width: 100; }}
        & Button {{ width: 1fr; margin-top: 1; background: $panel; color: $foreground; }}
        & Button:focus {{ background: $block-cursor-background; color: $block-cursor-foreground; text-style: bold; }}
    }}
    """
    AUTO_FOCUS = "#keep"
    BINDINGS: ClassVar[list[BindingType]] = [Binding("escape,q", "refuse", "No", id="ask.no")]

    def __init__(self, silence: Silence, now: datetime) -> None:
        """Ask about a silence."""
        super().__init__()
        self._silence, self._now = silence, now

    def compose(self) -> ComposeResult:
        """The silence, and two answers."""
        one = self._silence
        box = Vertical()
        box.border_title = Content("End a silence")
        with box:
            yield Static(Content(safe(f"{one.rule} on {one.target}")))
            yield Static(Content(safe(f"by {one.who} until {one.until:%Y-%m-%d %H:%M} UTC: {one.reason}")), classes="muted")
            yield Button(Content("Keep it"), id="keep", compact=True)
            yield Button(Content("End it now"), id="end", compact=True)
            yield Static(Content("tab other answer   enter press   esc keep it"), classes="keys")

    def on_button_pressed(self, event: Button.Pressed) -> None:
        """Hand the answer over."""
        event.stop()
        self.dismiss(event.button.id == "end")

    def action_refuse(self) -> None:
        """Keep it."""
        self.dismiss(False)


def about(alert: Alert) -> Content:
    """Return an alert on two lines: how bad and what, then rule and target."""
    style = "$text-error" if alert.severity == "critical" else "$text-warning"
    return Content.assemble(
        (f"{alert.severity.value}  ", style),
        safe(alert.message),
        (f"\n{safe(alert.rule)}  {safe(str(alert.target))}", "$text-muted"),
    )
