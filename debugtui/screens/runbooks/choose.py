"""Which runbook: those that fit what the cursor stood on first."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.content import Content
from textual.screen import ModalScreen
from textual.widgets import OptionList, Static
from textual.widgets.option_list import Option

from debugtui.screens.repair.box import CSS
from debugtui.widgets.cells import safe

if TYPE_CHECKING:
    from debugtui.diagnosis.runbooks.load import Found


class ChooseRunbookScreen(ModalScreen["Found | None"]):
    """The list. Dismissed with the one that was chosen."""

    DEFAULT_CSS = f"""
    ChooseRunbookScreen {{ {CSS}
        & > Vertical {{ width: 100; }}
        & OptionList {{ height: auto; max-height: 24; background: $surface; }}
    }}
    """
    AUTO_FOCUS = "OptionList"
    BINDINGS: ClassVar[list[BindingType]] = [Binding("escape,q", "leave", "Back", id="ask.no")]

    def __init__(self, about: str, fitting: Sequence[Found], others: Sequence[Found], language: str) -> None:
        """Make the list.

        Args:
            about: what they are for, for people.
            fitting: those that fit, the best first.
            others: all others.
            language: of the titles.
        """
        super().__init__()
        self._about, self._fitting, self._others, self._language = about, tuple(fitting), tuple(others), language

    def compose(self) -> ComposeResult:
        """Those that fit, a line, the others."""
        box = Vertical()
        box.border_title = Content(f"Runbooks for {safe(self._about)}")
        with box:
            options: list[Option | None] = [self._option(one, fits=True) for one in self._fitting]
            if self._fitting and self._others:
                options.append(None)
            options += (self._option(one, fits=False) for one in self._others)
            if options:
                yield OptionList(*options, compact=True)
            else:
                yield Static(Content("There is no runbook."))
            yield Static(Content("enter open   esc back"), classes="keys")

    def _option(self, found: Found, *, fits: bool) -> Option:
        book = found.runbook
        own = "  own" if found.own else ""
        title = Content.assemble(
            (safe(book.title.in_language(self._language)), "bold" if fits else ""),
            (f"  {safe(book.name)}, {len(book.steps)} steps{own}", "$text-muted"),
            "\n  ",
            (safe(book.summary), "" if fits else "$text-muted"),
        )
        return Option(title, id=book.name)

    def on_option_list_option_selected(self, event: OptionList.OptionSelected) -> None:
        """Open it."""
        event.stop()
        self.dismiss(next(one for one in (*self._fitting, *self._others) if one.runbook.name == event.option.id))

    def action_leave(self) -> None:
        """Open none."""
        self.dismiss(None)
