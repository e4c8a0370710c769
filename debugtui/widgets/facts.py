"""`Facts`: names and values in aligned columns; repaints only when a value changed."""

from __future__ import annotations

from collections.abc import Sequence

from debugtui.themes.tones import Tone
from debugtui.widgets.line_table import LineTable
from debugtui.widgets.table_lines import wrap
from debugtui.widgets.table_rows import Cell, Column, Row

#: Cells of a name.
NAME = 18

#: A fact: its name, its value as text, the value's tone.
Fact = tuple[str, str, Tone]


class Facts(LineTable, can_focus=False):
    """A small table of names and values, without header and cursor, as high as it has facts."""

    DEFAULT_CSS = """
    Facts { height: auto; max-height: 20; }
    """

    def __init__(self, *, id: str | None = None, classes: str | None = None) -> None:  # noqa: A002 (Textual's own name)
        """Make an empty list of facts."""
        columns = (Column("name", "", width=NAME), Column("value", "", min_width=20))
        super().__init__(columns, show_header=False, collapsible=False, id=id, classes=classes)

    @property
    def _room(self) -> int:
        """Cells of a value; before the first layout those of a wide screen."""
        return (self.size.width or 200) - NAME - 4

    def show(self, facts: Sequence[Fact]) -> None:
        """Show these facts; a value longer than a line goes on below it."""
        rows = []
        for name, value, tone in facts:
            for number, part in enumerate(wrap(value, max(20, self._room)) or [""]):
                rows.append(Row(f"{name}/{number}", (Cell("" if number else name, "dim"), Cell(part, tone))))
        self.set_rows(rows)
        height = max(1, len(rows))
        if self.styles.height is None or self.styles.height.value != height:
            self.styles.height = height
