"""Chooses which logs are shown."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar, NamedTuple

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.content import Content
from textual.screen import ModalScreen
from textual.widgets import Static

from debugtui.model.logs import OriginState, OriginStatus
from debugtui.model.target import Target
from debugtui.themes.tones import Tone
from debugtui.widgets.line_table import LineTable
from debugtui.widgets.table_rows import Cell, Column, Row

#: Which log: what it belongs to, and what it is called.
Name = tuple[Target, str]

SIGNS: dict[OriginState, tuple[str, Tone]] = {
    OriginState.READING: ("◌", "dim"),
    OriginState.LIVE: ("●", "ok"),
    OriginState.ENDED: ("■", "dim"),
    OriginState.FAILED: ("✖", "bad"),
}

_COLUMNS = (
    Column("shown", "", width=3),
    Column("title", "log", min_width=16),
    Column("host", "host", width=12, priority=2),
    Column("kind", "kind", width=9, priority=3),
    Column("lines", "lines", width=10, align="right", priority=1),
    Column("state", "state", min_width=10, priority=1),
)


class Choice(NamedTuple):
    """One log that can be shown. `status` is None where it is not read."""

    target: Target
    title: str
    kind: str
    status: OriginStatus | None = None

    @property
    def name(self) -> Name:
        """What it is known by."""
        return (self.target, self.title)


class ChooseScreen(ModalScreen["frozenset[Name] | None"]):
    """A list with marks. Dismissed with the names of those that are marked, or with None."""

    DEFAULT_CSS = """
    ChooseScreen {
        align: center middle;
        & > Vertical {
            width: 110; max-width: 96%; height: auto; max-height: 90%; padding: 0 1; background: $surface;
            border: round $border;
            border-title-color: $text-primary;
        }
        & LineTable { height: 20; max-height: 70vh; }
        & .muted { color: $text-muted; }
    }
    """
    AUTO_FOCUS = "LineTable"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,q", "leave", "Back", id="ask.no"),
        Binding("space", "mark", "Mark", priority=True, show=False),
        Binding("a", "all", "All", show=False),
    ]

    def __init__(self, choices: Sequence[Choice], marked: frozenset[Name]) -> None:
        """List some logs.

        Args:
            choices: which.
            marked: those that are shown now.
        """
        super().__init__()
        self._choices = tuple(choices)
        self._marked = set(marked)

    def compose(self) -> ComposeResult:
        """The list, and its keys."""
        box = Vertical()
        box.border_title = Content("Logs to show")
        with box:
            yield LineTable(_COLUMNS, empty_text="no log is known here")
            yield Static(Content("space mark   a all or none   enter show them   esc back"), classes="muted")

    def on_mount(self) -> None:
        """Show the marks."""
        self._paint()

    def _paint(self) -> None:
        self.query_one(LineTable).set_rows([self._row(place, one) for place, one in enumerate(self._choices)])

    def _row(self, place: int, one: Choice) -> Row:
        marked = one.name in self._marked
        status = one.status
        sign, tone = SIGNS[status.state] if status is not None else ("", "dim")
        words = "not read" if status is None else str(status.problem) if status.problem is not None else status.state.value
        cells = (
            Cell("[x]" if marked else "[ ]", "accent" if marked else "dim"),
            Cell(one.title, "" if marked else "dim"),
            Cell(one.target.host, "dim"),
            Cell(one.kind, "dim"),
            Cell(f"{status.lines:,}" if status is not None else "-", "dim"),
            Cell(f"{sign} {words}".strip(), tone),
        )
        return Row(str(place), cells)

    def action_mark(self) -> None:
        """Mark the log under the cursor, or take its mark away."""
        key = self.query_one(LineTable).cursor_key
        if key is not None:
            self._marked ^= {self._choices[int(key)].name}
            self._paint()
            self.query_one(LineTable).action_cursor_down()

    def action_all(self) -> None:
        """Mark all, or none where all are marked."""
        everyone = {one.name for one in self._choices}
        self._marked = set() if everyone <= self._marked else everyone
        self._paint()

    def on_line_table_selected(self, event: LineTable.Selected) -> None:
        """Show those that are marked; the one under the cursor where none is."""
        event.stop()
        marked = self._marked & {one.name for one in self._choices}
        self.dismiss(frozenset(marked or {self._choices[int(event.key)].name}))

    def action_leave(self) -> None:
        """Back."""
        self.dismiss(None)
