"""`LineTable`: a live table that formats what is visible and paints the cells that changed.

A row is data (`Row`); giving 10,000 of them costs a sort. Compare `facts` of the benchmarks: one changed cell is a few
milliseconds and a few dozen bytes on the wire, where a table that repaints itself sends tens of kilobytes.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from rich.segment import Segment
from rich.style import Style
from textual.geometry import Region
from textual.message import Message
from textual.strip import Strip

from debugtui.model.matching import Matcher
from debugtui.themes.tones import TONES
from debugtui.widgets.cells import fit
from debugtui.widgets.scrolling import set_lines
from debugtui.widgets.table_keys import TableKeys
from debugtui.widgets.table_layout import Piece, Place, changed_spans, place_columns
from debugtui.widgets.table_lines import empty_line, header_line, row_line
from debugtui.widgets.table_rows import Cell, Column, Row
from debugtui.widgets.table_state import TableState

__all__ = ["Cell", "Column", "LineTable", "Row"]

#: What a painted line depends on besides its row: (under the cursor, focused, layout version, folded).
_Look = tuple[bool, bool, int, bool]


class LineTable(TableKeys, can_focus=True):
    """A live table. Give it columns once and rows as often as you like.

    The cursor stays on its row (by key) wherever that row moves, and goes to the neighbour when the row vanishes.

    Attributes:
        empty_text: shown centred, wrapped, while there are no rows ("not configured", "nothing waits for a lock").
        frozen: while True new rows are kept aside; the newest are shown when it turns False.
    """

    ALLOW_SELECT = False
    HELP = "A live table: arrows or j/k move, enter opens, / filters, s sorts."

    COMPONENT_CLASSES: ClassVar[set[str]] = {
        f"line-table--{name}" for name in ("text", "dim", "ok", "warn", "bad", "accent", "heading", "header", "cursor", "rest")
    }

    DEFAULT_CSS = """
    LineTable {
        height: 1fr;
        background: transparent;
        color: $foreground;
        overflow-x: hidden;
        overflow-y: auto;
        scrollbar-size-vertical: 1;
        & > .line-table--text { color: $foreground; }
        & > .line-table--dim { color: $text-muted; }
        & > .line-table--ok { color: $text-success; }
        & > .line-table--warn { color: $text-warning; }
        & > .line-table--bad { color: $text-error; text-style: bold; }
        & > .line-table--accent { color: $text-accent; }
        & > .line-table--heading { color: $text-primary; text-style: bold; }
        & > .line-table--header { color: $text-muted; text-style: underline; }
        & > .line-table--cursor {
            color: $block-cursor-foreground; background: $block-cursor-background; text-style: $block-cursor-text-style;
        }
        & > .line-table--rest {
            color: $block-cursor-blurred-foreground; background: $block-cursor-blurred-background;
            text-style: $block-cursor-blurred-text-style;
        }
        &:ansi > .line-table--dim { text-style: dim; }
        &:ansi > .line-table--warn { text-style: bold; }
        &:ansi > .line-table--bad { text-style: bold reverse; }
        &:ansi > .line-table--accent { text-style: underline; }
    }
    """

    class Selected(Message):
        """Enter or a double click on a row."""

        def __init__(self, table: LineTable, key: str) -> None:
            super().__init__()
            self.table = table
            self.key = key

        @property
        def control(self) -> LineTable:
            """The table."""
            return self.table

    class Highlighted(Message):
        """The cursor stands on another row; `key` is None when there is none."""

        def __init__(self, table: LineTable, key: str | None) -> None:
            super().__init__()
            self.table = table
            self.key = key

        @property
        def control(self) -> LineTable:
            """The table."""
            return self.table

    def __init__(
        self,
        columns: Sequence[Column],
        *,
        show_header: bool = True,
        collapsible: bool = True,
        keep_cursor: bool = False,
        empty_text: str = "",
        id: str | None = None,  # noqa: A002 (Textual's own name)
        classes: str | None = None,
    ) -> None:
        """Make a table.

        Args:
            columns: from left to right.
            show_header: False where every line counts.
            collapsible: headings take the cursor, and fold with space or enter.
            keep_cursor: show the cursor's row while another widget has the focus (a list beside its details).
            empty_text: shown while there are no rows.
            id: of the widget.
            classes: of the widget.
        """
        super().__init__(id=id, classes=classes)
        self._state = TableState(columns, collapsible=collapsible)
        self._header = 1 if show_header else 0
        self._keep_cursor = keep_cursor
        self._empty_text = empty_text
        self._waiting: Sequence[Row] | None = None
        self._frozen = False
        self._places: tuple[Place, ...] = ()
        self._layout_version = 0
        self._painted: dict[int, tuple[Row | None, _Look, list[Piece], Strip]] = {}
        self._styles_by_name: dict[str, Style] = {}

    # What it shows

    @property
    def columns(self) -> tuple[Column, ...]:
        """The columns, the hidden ones too."""
        return self._state.columns

    @property
    def cursor_key(self) -> str | None:
        """Key of the row under the cursor; None while there are no rows."""
        return self._state.key

    @property
    def cursor_row(self) -> Row | None:
        """The row under the cursor."""
        return self._state.shown[self._state.cursor] if self._state.key is not None else None

    @property
    def shown_rows(self) -> Sequence[Row]:
        """The rows after filter and sort, headings included."""
        return self._state.shown

    @property
    def counts(self) -> tuple[int, int]:
        """How many rows are shown, and how many there are, headings apart."""
        return sum(not row.heading for row in self._state.shown), sum(not row.heading for row in self._state.given)

    @property
    def filter_text(self) -> str:
        """The filter in force, as typed."""
        return self._state.matcher.text

    @property
    def filter_error(self) -> str:
        """Why the filter is not valid; empty while it is."""
        return self._state.matcher.error

    @property
    def sorting(self) -> tuple[str | None, bool]:
        """Column the rows are sorted by (None: as given), and whether in reverse."""
        state = self._state
        return (None if state.sort is None else state.columns[state.sort].id), state.reverse

    @property
    def hidden_columns(self) -> tuple[str, ...]:
        """Ids of the columns that do not fit."""
        placed = {place.column for place in self._places}
        return tuple(column.id for index, column in enumerate(self._state.columns) if index not in placed)

    @property
    def empty_text(self) -> str:
        """Shown while there are no rows."""
        return self._empty_text

    @empty_text.setter
    def empty_text(self, text: str) -> None:
        if text != self._empty_text:
            self._empty_text = text
            if not self._state.shown:
                self._painted.clear()
                self.refresh()

    @property
    def frozen(self) -> bool:
        """While True new rows are kept aside."""
        return self._frozen

    @frozen.setter
    def frozen(self, frozen: bool) -> None:
        self._frozen = frozen
        if not frozen and self._waiting is not None:
            rows, self._waiting = self._waiting, None
            self.set_rows(rows)

    # What it is given

    def set_rows(self, rows: Sequence[Row]) -> None:
        """Show these rows instead of the former ones. The sequence is kept, not copied: do not change it afterwards."""
        if self._frozen:
            self._waiting = rows
            return
        if rows is self._state.given:
            return
        self._state.given = rows
        self._rearrange()

    def sort_by(self, column_id: str | None, reverse: bool = False) -> None:
        """Sort by a column; None shows the rows in the order they are given.

        Raises:
            KeyError: there is no such column.
        """
        self._state.sort = None if column_id is None else self._state.column_index(column_id)
        self._state.reverse = reverse
        self._rearrange()

    def cycle_sort(self) -> None:
        """Go on to the next order: each visible sortable column up, then down, then as given."""
        self.action_cycle_sort()

    def filter(self, text: str) -> None:
        """Show the rows that match: plain text, `!text` (without it), `/regex/`. See `filter_error`."""
        if text != self._state.matcher.text:
            self._state.matcher = Matcher(text)
            self._rearrange()

    def move_to(self, key: str) -> bool:
        """Put the cursor on the row with this key; False when it is not shown."""
        index = self._state.index_of(key)
        if index is not None:
            self._place_cursor(index)
        return index is not None

    def _rearrange(self) -> None:
        state, key, had_rows = self._state, self._state.key, bool(self._state.shown)
        in_view = self._cursor_in_view()
        state.rearrange()
        if had_rows != bool(state.shown):
            self._painted.clear()
        set_lines(self, len(state.shown) + self._header)
        self._moved(key, follow=in_view)

    def _highlighted(self, key: str | None) -> None:
        self.post_message(self.Highlighted(self, key))

    def _selected(self, key: str) -> None:
        self.post_message(self.Selected(self, key))

    # Painting

    def on_resize(self) -> None:
        """Place the columns anew; the cursor stays in sight."""
        self._lay_out()
        if self.has_focus:
            self._scroll_to_cursor()

    @property
    def _width(self) -> int:
        return max(0, self.size.width - self.scrollbar_size_vertical)

    def _lay_out(self) -> None:
        places = place_columns(self._state.columns, self._width)
        if places != self._places:
            self._places = places
            self._layout_version += 1

    def notify_style_update(self) -> None:
        """Forget the styles: theme, focus or classes changed."""
        super().notify_style_update()
        self._styles_by_name.clear()
        self._painted.clear()

    def _style(self, name: str) -> Style:
        style = self._styles_by_name.get(name)
        if style is None:
            known = name in TONES or name in {"header", "cursor", "rest"}
            style = self.get_component_rich_style(f"line-table--{(name if known else '') or 'text'}")
            self._styles_by_name[name] = style
        return style

    def _row_at(self, y: int) -> Row | None:
        index = y - self._header + self.scroll_offset.y
        return self._state.shown[index] if y >= self._header and index < len(self._state.shown) else None

    def _line(self, y: int) -> tuple[Row | None, _Look, list[Piece], Strip]:
        """Compose one visible line, or return it as painted when nothing in it changed."""
        row = self._row_at(y)
        under = row is not None and row.key == self._state.key and (self.has_focus or self._keep_cursor)
        folded = row is not None and row.key in self._state.collapsed
        state = (under, self.has_focus, self._layout_version, folded)
        painted = self._painted.get(y)
        same = painted is not None and state == painted[1] and (row is painted[0] or row == painted[0])
        if painted is not None and same and y >= self._header:
            return painted
        width = self._width
        if row is not None:
            style = ("cursor" if self.has_focus else "rest") if under else ""
            pieces = row_line(
                row,
                self._state.columns,
                self._places,
                width,
                style,
                fold=("▸" if folded else "▾") if self._state.collapsible else "",
            )
        elif y < self._header:
            pieces = header_line(self._state.columns, self._places, width, self._state.sort, self._state.reverse)
        elif not self._state.shown:
            pieces = empty_line(self._empty_text, y - self._header, width, self._page)
        else:
            pieces = [Piece(fit("", width), "", width)]
        if painted is not None and pieces == painted[2]:
            line = (row, state, pieces, painted[3])
        else:
            line = (row, state, pieces, Strip([Segment(text, self._style(style)) for text, style, _ in pieces], width))
        self._painted[y] = line
        return line

    def _paint_changes(self) -> None:
        """Mark the spans that differ from what is painted as dirty."""
        if not self.is_attached or not self.size:
            return
        self._lay_out()
        regions: list[Region] = []
        for y in range(self.size.height):
            before = self._painted.get(y)
            after = self._line(y)
            if before is None:
                regions.append(Region(0, y, self._width, 1))
            elif before[2] is not after[2]:
                regions += [Region(x, y, end - x, 1) for x, end in changed_spans(before[2], after[2])]
        if regions:
            self.refresh(*regions)

    def render_line(self, y: int) -> Strip:
        """Return one visible line."""
        self._lay_out()
        return self._line(y)[3]
