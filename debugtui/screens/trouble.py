"""What is wrong with the configuration: every issue at once, with file and line."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import VerticalScroll
from textual.content import Content
from textual.screen import Screen
from textual.widgets import Static

from debugtui.widgets.bar import Bar
from debugtui.widgets.cells import safe


class TroubleScreen(Screen[None]):
    """Nothing is connected until the configuration can be read."""

    DEFAULT_CSS = """
    TroubleScreen {
        & VerticalScroll { padding: 1 2; height: 1fr; }
        & .title { text-style: bold; color: $text-error; margin-bottom: 1; }
        & .issue { margin-bottom: 1; }
    }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("r", "app.reload", "Read again", id="trouble.reload"),
        Binding("q,escape", "app.leave", "Quit", id="trouble.quit"),
    ]
    HELP = "The configuration has errors. Mend the file and press r."

    def __init__(self, title: str, issues: Sequence[str]) -> None:
        super().__init__()
        self._title = title
        self._issues = tuple(issues)

    def compose(self) -> ComposeResult:
        """Each issue on lines of its own."""
        yield Bar(id="header")
        with VerticalScroll():
            yield Static(Content(safe(self._title)), classes="title")
            for issue in self._issues:
                yield Static(Content(safe(issue)), classes="issue")
        yield Bar([("r read the file again", ""), ("q quit", "")], id="keys")
