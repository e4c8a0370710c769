"""Rows of a live table: what they hold, in which order they stand, which of them are shown. No painting here.

Rows come in sections (a heading and what follows it) and, within a section, in blocks (a row and the indented rows under
it, a tree). Sorting moves blocks within their section; a filter keeps a block when any of its rows matches, because a
waiter without its blocker says nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple

from debugtui.model.matching import Matcher
from debugtui.themes.tones import Tone


class Cell(NamedTuple):
    """One formatted cell: plain text (never markup) and its tone."""

    text: str
    tone: Tone = ""


@dataclass(frozen=True, slots=True)
class Column:
    """One column.

    Attributes:
        id: the field's own name; used by `sort_by`.
        title: heading text.
        width: cells; 0 is flexible (shares what is left, at least `min_width`).
        align: `right` for numbers.
        priority: higher drops out first when the table is narrow; of equals the last one does.
        min_width: of a flexible column.
        weight: how much of what is left a flexible column gets, against the others.
        sortable: False where an order makes no sense.
        format: makes text of a raw value, only when the cell is visible; None where cells are text already.
        value: makes the sort value of a raw value, only when the table is sorted by this column.
    """

    id: str
    title: str
    width: int = 0
    align: Literal["left", "right"] = "left"
    priority: int = 0
    min_width: int = 4
    weight: int = 1
    sortable: bool = True
    format: Callable[[Any], str | Cell] | None = None
    value: Callable[[Any], Any] | None = None


@dataclass(frozen=True, slots=True)
class Row:
    """One row.

    Attributes:
        key: unique in the table; cursor and messages speak of it.
        cells: one per column: `str`, `Cell`, or a raw value for the column's `format`. None shows as `-`.
        sort: one sort value per column; missing ones are taken from the cell.
        heading: a line that names a section; its first cell spans the table.
        indent: prefix of the first cell (`├ `); a row with one belongs to the block of the last row without.
        tone: of every cell that has none of its own.
    """

    key: str
    cells: tuple[Any, ...]
    sort: tuple[Any, ...] = ()
    heading: bool = False
    indent: str = ""
    tone: Tone = ""


def cell_of(row: Row, index: int, column: Column) -> Cell:
    """Return the formatted cell of `row` in `column`, which stands at `index`."""
    value = row.cells[index] if index < len(row.cells) else ""
    if column.format is not None and not isinstance(value, Cell):
        value = column.format(value)
    if isinstance(value, Cell):
        return value if value.tone else Cell(value.text, row.tone)
    return Cell("-", "dim") if value is None else Cell(str(value), row.tone)


def _sort_value(row: Row, index: int, column: Column) -> Any:
    value = row.sort[index] if index < len(row.sort) else row.cells[index] if index < len(row.cells) else None
    if column.value is not None and index >= len(row.sort) and not isinstance(value, Cell):
        value = column.value(value)
    return value.text if isinstance(value, Cell) else value


def _has_order(value: Any) -> bool:
    """Tell whether a value can be sorted: None and NaN say that it is not known."""
    return value is not None and bool(value == value)


def _rank(value: Any) -> tuple[int, Any]:
    """Make values of different types comparable: numbers, then text without regard to case, then the rest as text."""
    if isinstance(value, (int, float)):
        return (0, value)
    if isinstance(value, str):
        return (1, value.casefold())
    return (2, str(value))


Block = list[Row]


def sections(rows: Iterable[Row]) -> list[tuple[Row | None, list[Block]]]:
    """Split rows into sections (heading or None, blocks)."""
    result: list[tuple[Row | None, list[Block]]] = []
    blocks: list[Block] = []
    for row in rows:
        if row.heading:
            blocks = []
            result.append((row, blocks))
            continue
        if not result:
            result.append((None, blocks))
        if row.indent and blocks:
            blocks[-1].append(row)
        else:
            blocks.append([row])
    return result


def sort_blocks(blocks: list[Block], index: int, column: Column, *, reverse: bool) -> list[Block]:
    """Sort by (value of the first row, key); rows without a value come last in both directions."""
    ordered = sorted(blocks, key=lambda block: block[0].key)
    valued = [(_sort_value(block[0], index, column), block) for block in ordered]
    known = [(_rank(value), block) for value, block in valued if _has_order(value)]
    known.sort(key=lambda pair: pair[0], reverse=reverse)
    return [block for _, block in known] + [block for value, block in valued if not _has_order(value)]


def arrange(
    rows: Sequence[Row],
    columns: Sequence[Column],
    *,
    sort: int | None,
    reverse: bool,
    matcher: Matcher,
    collapsed: frozenset[str],
) -> list[Row]:
    """Return the rows to show, in order."""
    structured = any(row.heading or row.indent for row in rows)
    if not structured and sort is None and not matcher:
        return list(rows)

    def text_of(row: Row) -> str:
        return " ".join(cell_of(row, index, column).text for index, column in enumerate(columns))

    shown: list[Row] = []
    for heading, blocks in sections(rows):
        kept = [block for block in blocks if any(matcher.matches(text_of(row)) for row in block)] if matcher else blocks
        if sort is not None:
            kept = sort_blocks(kept, sort, columns[sort], reverse=reverse)
        if heading is not None:
            if matcher and not kept:
                continue
            shown.append(heading)
            if heading.key in collapsed:
                continue
        for block in kept:
            shown.extend(block)
    return shown
