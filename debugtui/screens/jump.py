"""Jump mode: a letter over each pane or table; the letter goes there."""

from __future__ import annotations

from collections.abc import Sequence

from textual import events
from textual.app import ComposeResult
from textual.content import Content
from textual.geometry import Offset
from textual.screen import ModalScreen
from textual.widget import Widget
from textual.widgets import Static

LETTERS = "asdfghjklqwertyuiopzxcvbnm"


class JumpScreen(ModalScreen[Widget | None]):
    """Letters over the widgets that can have the focus. Any other key goes back."""

    DEFAULT_CSS = """
    JumpScreen {
        background: $background 40%;
        & > .letter {
            position: absolute; width: 5; height: 1; text-align: center; text-style: bold;
            color: $block-cursor-foreground; background: $block-cursor-background;
        }
        &:ansi > .letter { text-style: bold reverse; }
    }
    """
    AUTO_FOCUS = ""

    def __init__(self, widgets: Sequence[Widget]) -> None:
        super().__init__()
        self._widgets = dict(zip(LETTERS, widgets, strict=False))

    def compose(self) -> ComposeResult:
        """One label for each widget, at its upper left corner."""
        for letter, widget in self._widgets.items():
            label = Static(Content(letter), classes="letter")
            region = widget.region
            label.styles.offset = Offset(region.x + max(0, min(2, region.width - 5)), region.y)
            yield label

    def on_key(self, event: events.Key) -> None:
        """Go to the widget of this letter, or back."""
        event.stop()
        event.prevent_default()
        self.dismiss(self._widgets.get(event.character or ""))
