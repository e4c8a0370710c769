"""Asks which time to go to."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.content import Content
from textual.screen import ModalScreen
from textual.widgets import Input, Static

from debugtui.model.moments import SAYS, parse_moment
from debugtui.widgets.cells import safe


class TimeScreen(ModalScreen["datetime | None"]):
    """One line to type a time into. Dismissed with it (UTC), or with None."""

    DEFAULT_CSS = """
    TimeScreen {
        align: center middle;
        & > Vertical {
            width: 72; max-width: 96%; height: auto; padding: 1 2; border: round $border; background: $surface;
            border-title-color: $text-primary;
        }
        & Input { background: $panel; color: $foreground; }
        & .muted { color: $text-muted; }
        & .-bad { color: $text-error; text-style: bold; }
    }
    """
    AUTO_FOCUS = "Input"
    BINDINGS: ClassVar[list[BindingType]] = [Binding("escape", "leave", "Back", id="ask.no")]

    def __init__(self, now: Callable[[], datetime]) -> None:
        """Ask; `now` tells the time that spans count back from."""
        super().__init__()
        self._now = now

    def compose(self) -> ComposeResult:
        """The input, and what can be written."""
        box = Vertical()
        box.border_title = Content("Go to a time")
        with box:
            yield Input(placeholder="14:03", compact=True)
            yield Static(Content(SAYS), id="says", classes="muted")

    def on_input_submitted(self, event: Input.Submitted) -> None:
        """Hand the time over, or say why it is none."""
        event.stop()
        try:
            self.dismiss(parse_moment(event.value, self._now()))
        except ValueError as error:
            says = self.query_one("#says", Static)
            says.set_class(True, "-bad")
            says.update(Content(safe(str(error))))

    def action_leave(self) -> None:
        """Back."""
        self.dismiss(None)
