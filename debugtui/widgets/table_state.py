"""What a live table shows and where its cursor stands, without any painting."""

from __future__ import annotations

from collections.abc import Sequence

from debugtui.model.matching import Matcher
from debugtui.widgets.table_rows import Column, Row, arrange


class TableState:
    """Rows as given, rows as shown, and a cursor that stays on its row by key.

    Attributes:
        columns: all columns.
        collapsible: headings take the cursor and fold.
        given: the rows as given.
        shown: after filter, sort and folding, headings included.
        cursor: index of the cursor's row in `shown`.
        key: key of the cursor's row; None while no row takes it.
        sort: index of the column sorted by; None shows rows as given.
        reverse: whether in reverse.
        matcher: the filter.
        collapsed: keys of the folded headings.
    """

    def __init__(self, columns: Sequence[Column], *, collapsible: bool) -> None:
        """Make an empty state."""
        self.columns = tuple(columns)
        self.collapsible = collapsible
        self.given: Sequence[Row] = ()
        self.shown: list[Row] = []
        self.cursor = 0
        self.key: str | None = None
        self.sort: int | None = None
        self.reverse = False
        self.matcher = Matcher("")
        self.collapsed: frozenset[str] = frozenset()

    def rearrange(self) -> None:
        """Work out anew what is shown; the cursor stays on its row, or goes to the neighbour."""
        before = self.shown
        self.shown = arrange(
            self.given,
            self.columns,
            sort=self.sort,
            reverse=self.reverse,
            matcher=self.matcher,
            collapsed=self.collapsed,
        )
        self._settle(before)

    def takes_cursor(self, row: Row) -> bool:
        """Tell whether the cursor may stand on a row."""
        return self.collapsible or not row.heading

    def _settle(self, before: Sequence[Row]) -> None:
        """Same key, else the nearest former neighbour that is left (the next one first), else the first row."""
        rows = self.shown
        if self.key is not None and self.cursor < len(rows) and rows[self.cursor].key == self.key:
            return
        where = {row.key: index for index, row in enumerate(rows) if self.takes_cursor(row)}
        index = None
        if self.key is not None:
            after = (row.key for row in before[self.cursor :])
            above = (row.key for row in reversed(before[: self.cursor]))
            index = next((where[key] for keys in (after, above) for key in keys if key in where), None)
        if index is None:
            index = next(iter(where.values()), None)
        self.cursor = index or 0
        self.key = None if index is None else rows[index].key

    def place(self, index: int, step: int = 1) -> None:
        """Put the cursor on the row at `index`, or on the next one in direction `step`, or else back, that takes it."""
        rows = self.shown
        index = max(0, min(index, len(rows) - 1))
        for direction in (step, -step):
            at = index
            while 0 <= at < len(rows) and not self.takes_cursor(rows[at]):
                at += direction
            if 0 <= at < len(rows):
                self.cursor, self.key = at, rows[at].key
                return

    def index_of(self, key: str) -> int | None:
        """Return where the row with this key stands; None where it is not shown."""
        return next((index for index, row in enumerate(self.shown) if row.key == key), None)

    def column_index(self, column_id: str) -> int:
        """Return which column has this id.

        Raises:
            KeyError: there is none.
        """
        for index, column in enumerate(self.columns):
            if column.id == column_id:
                return index
        raise KeyError(column_id)

    def next_sorting(self, visible: Sequence[int]) -> tuple[int | None, bool]:
        """Return the order after the present one: each visible sortable column up, then down, then as given."""
        orders: list[tuple[int | None, bool]] = [(None, False)]
        for index in visible:
            if self.columns[index].sortable:
                orders += [(index, False), (index, True)]
        now = (self.sort, self.reverse)
        return orders[(orders.index(now) + 1) % len(orders)] if now in orders else orders[0]

    def fold(self) -> bool:
        """Fold or unfold the heading under the cursor; False where there is none."""
        row = self.shown[self.cursor] if self.key is not None else None
        if row is None or not row.heading or not self.collapsible:
            return False
        self.collapsed ^= {row.key}
        return True
