"""`Facts`: names and values in aligned columns; repaints only when a value changed."""

from __future__ import annotations

from collections.abc import Sequence

from debugtui.themes.tones import Tone
from debugtui.widgets.line_table import LineTable
from debugtui.widgets.table_rows import Cell, Column, Row

#: A fact: its name, its value as text, the value's tone.
Fact = tuple[str, str, Tone]


class Facts(LineTable, can_focus=False):
    """A small table of names and values, without header and cursor, as high as it has facts."""

    DEFAULT_CSS = """
    Facts { height: auto; max-height: 20; }
    """

    def __init__(self, *, id: str | None = None, classes: str | None = None) -> None:  # noqa: A002 (Textual's own name)
        """Make an empty list of facts."""
        columns = (Column("name", "", width=18), Column("value", "", min_width=20))
        super().__init__(columns, show_header=False, collapsible=False, id=id, classes=classes)

    def show(self, facts: Sequence[Fact]) -> None:
        """Show these facts."""
        self.set_rows([Row(name, (Cell(name, "dim"), Cell(value, tone))) for name, value, tone in facts])
        height = max(1, len(facts))
        if self.styles.height is None or self.styles.height.value != height:
            self.styles.height = height
