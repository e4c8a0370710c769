"""An execution under way, and how it ended. Leaving the screen does not stop it."""

from __future__ import annotations

from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical, VerticalScroll
from textual.content import Content
from textual.screen import ModalScreen
from textual.widgets import Button, Static

from debugtui.model.execution import Decision, Progress, State
from debugtui.screens.repair import words
from debugtui.screens.repair.box import CSS
from debugtui.screens.repair.running import Running
from debugtui.widgets.cells import safe

_ENDED = frozenset(words.OUTCOME)


class ExecutionScreen(ModalScreen[None]):
    """Steps, checks with their samples, rollback, side effects, and one line that says how it stands."""

    DEFAULT_CSS = f"""
    ExecutionScreen {{ {CSS}
        & > Vertical {{ width: 116; height: 90%; }}
        & #sentence {{ height: auto; max-height: 6; }}
        & #outcome {{ height: auto; max-height: 4; background: $panel; padding: 0 1; }}
        & VerticalScroll {{ height: 1fr; padding: 0 1; }}
        & #record {{ color: $text-muted; height: auto; max-height: 2; }}
    }}
    """
    AUTO_FOCUS = "VerticalScroll"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,q", "leave", "Back", id="ask.no"),
        Binding("ctrl+c", "stop", "Stop after this step", id="ask.stop"),
    ]

    def __init__(self, running: Running) -> None:
        super().__init__()
        self._watched = running

    def compose(self) -> ComposeResult:
        """The plan's sentence, the state, and the story."""
        plan = self._watched.progress.plan
        box = Vertical()
        box.border_title = Content(f"{safe(plan.remediation)}  {safe(str(plan.target))}")
        with box:
            yield Static(words.sentence(plan), id="sentence")
            yield Static(Content(""), id="outcome")
            with VerticalScroll():
                yield Static(Content(""), id="story")
            yield Static(Content(""), id="record")
            yield Static(Content(""), id="keys", classes="keys")

    def on_mount(self) -> None:
        """Follow it."""
        self._watched.follow(self.show)
        self.show(self._watched.progress)

    def on_unmount(self) -> None:
        """Follow it no more."""
        self._watched.unfollow(self.show)

    def show(self, progress: Progress) -> None:
        """Show how it stands."""
        self.query_one("#outcome", Static).update(words.outcome(progress))
        self.query_one("#story", Static).update(words.execution(progress))
        ended = progress.state in _ENDED
        record = f"record: {progress.record}" if progress.record else ""
        if progress.state is State.UNKNOWN:
            record = f"after looking at the target, close it: E lists executions.  {record}"
        self.query_one("#record", Static).update(Content(safe(record)))
        keys = "esc back" if ended else "esc back (it goes on; e comes back here)   ctrl+c stop after this step"
        self.query_one("#keys", Static).update(Content(keys))

    def action_leave(self) -> None:
        """Back to what was below."""
        self.dismiss(None)

    def action_stop(self) -> None:
        """Send nothing more after the current step."""
        self._watched.stop()
        self.query_one("#keys", Static).update(Content("stopping after this step"))


class DecisionScreen(ModalScreen[Decision]):
    """The verification is inconclusive: the operator decides. Leaving it open, as unknown, has the focus."""

    DEFAULT_CSS = f"""
    DecisionScreen {{ {CSS}
        & > Vertical {{ width: 84; }}
        & Button {{ width: 1fr; margin-top: 1; background: $panel; color: $foreground; }}
        & Button:focus {{ background: $block-cursor-background; color: $block-cursor-foreground; text-style: bold; }}
    }}
    """
    AUTO_FOCUS = "#leave"
    BINDINGS: ClassVar[list[BindingType]] = [Binding("escape", "leave", "Leave it open", id="ask.no")]

    def __init__(self, progress: Progress) -> None:
        super().__init__()
        self._progress = progress

    def compose(self) -> ComposeResult:
        """What could not be seen, and three ways on."""
        box = Vertical()
        box.border_title = Content("Whether it holds cannot be seen")
        with box:
            yield Static(words.outcome(self._progress))
            yield Button(Content("Leave it open: unknown, a person looks"), id=Decision.LEAVE.value, compact=True)
            yield Button(Content("Watch on"), id=Decision.WATCH_ON.value, compact=True)
            yield Button(Content("Roll back"), id=Decision.ROLL_BACK.value, compact=True)

    def on_button_pressed(self, event: Button.Pressed) -> None:
        """Hand the decision over."""
        event.stop()
        self.dismiss(Decision(event.button.id or Decision.LEAVE))

    def action_leave(self) -> None:
        """Leave it open."""
        self.dismiss(Decision.LEAVE)
