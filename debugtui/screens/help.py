"""Help: what the keys do on the screen below, made from the action table."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import VerticalScroll
from textual.content import Content
from textual.screen import ModalScreen
from textual.widgets import Static

from debugtui.model.actions import in_scope
from debugtui.screens.keys import keys_of, shown_key

TITLES = {
    "app": "Everywhere",
    "main": "On this screen",
    "detail": "On this screen",
    "alerts": "On an alert",
    "runbook": "In a runbook",
    "monitoring": "On the monitoring screen",
    "table": "In a table",
    "log": "In a log",
    "filter": "While filtering",
    "ask": "When asked",
}


def help_text(scopes: Sequence[str], keymap: Mapping[str, str], about: str) -> Content:
    """Return the help of a screen: what it is, then a section for each scope that applies."""
    parts: list[Content | str | tuple[str, str]] = []
    if about:
        parts.append(f"{about}\n\n")
    for scope in scopes:
        actions = in_scope(scope)
        if not actions:
            continue
        parts.append((f"{TITLES.get(scope, scope)}\n", "bold $text-primary"))
        for action in actions:
            keys = ", ".join(shown_key(key) for key in keys_of(action.id, keymap).split(","))
            parts.append((f"  {keys:<14}", "$text-accent"))
            parts.append(f"{action.help}\n")
        parts.append("\n")
    return Content.assemble(*parts)


class HelpScreen(ModalScreen[None]):
    """The keys of the screen below; any of escape, q, ? closes it."""

    DEFAULT_CSS = """
    HelpScreen {
        align: center middle;
        & > VerticalScroll {
            width: 90; max-width: 96%; height: auto; max-height: 90%; padding: 1 2; border: round $border; background: $surface;
        }
    }
    """
    BINDINGS: ClassVar[list[BindingType]] = [Binding("escape,q,question_mark,f1", "close", "Close", id="help.close")]

    def __init__(self, scopes: Sequence[str], keymap: Mapping[str, str], about: str) -> None:
        super().__init__()
        self._content = help_text(scopes, keymap, about)

    def compose(self) -> ComposeResult:
        """The text, which scrolls."""
        with VerticalScroll():
            yield Static(self._content)

    def action_close(self) -> None:
        """Close."""
        self.dismiss(None)
