"""The lines of a live table as pieces of text and style names. Pure functions."""

from __future__ import annotations

from collections.abc import Sequence

from rich.cells import cell_len

from debugtui.widgets.cells import fit, safe
from debugtui.widgets.table_layout import MARK_WIDTH, Piece, Place
from debugtui.widgets.table_rows import Column, Row, cell_of

CURSOR_MARK = "▸"


def _pad(pieces: list[Piece], width: int, style: str) -> list[Piece]:
    """Fill the rest of the line; cut what is too much (a table narrower than its mark)."""
    used = sum(piece.width for piece in pieces)
    if used < width:
        pieces.append(Piece(" " * (width - used), style, width - used))
    return pieces if used <= width else [Piece(" " * width, style, width)]


def row_line(row: Row, columns: Sequence[Column], places: Sequence[Place], width: int, style: str, *, fold: str) -> list[Piece]:
    """Return one row. `style` is the cursor's, or empty; `fold` is the sign before a heading."""
    mark = CURSOR_MARK if style else " "
    if row.heading:
        cell = cell_of(row, 0, columns[0])
        text = safe(cell.text)
        room = max(0, width - MARK_WIDTH)
        return _pad(
            [
                Piece(mark, style, MARK_WIDTH),
                Piece(fit(f"{fold} {text}" if fold else text, room), style or cell.tone or "heading", room),
            ],
            width,
            style,
        )
    pieces = [Piece(mark, style, MARK_WIDTH)]
    x = MARK_WIDTH
    for place in places:
        if place.x > x:
            pieces.append(Piece(" " * (place.x - x), style, place.x - x))
        column = columns[place.column]
        cell = cell_of(row, place.column, column)
        text = safe(cell.text)
        if place.column == 0 and row.indent:
            text = safe(row.indent) + text
        pieces.append(Piece(fit(text, place.width, right=column.align == "right"), style or cell.tone, place.width))
        x = place.x + place.width
    return _pad(pieces, width, style)


def header_line(columns: Sequence[Column], places: Sequence[Place], width: int, sort: int | None, reverse: bool) -> list[Piece]:
    """Return the titles, with a mark on the column that the rows are sorted by."""
    pieces = [Piece(" ", "header", MARK_WIDTH)]
    x = MARK_WIDTH
    for place in places:
        if place.x > x:
            pieces.append(Piece(" " * (place.x - x), "header", place.x - x))
        column = columns[place.column]
        right = column.align == "right"
        title = safe(column.title)
        if place.column == sort:
            arrow = "▼" if reverse else "▲"
            title = fit(title, min(cell_len(title), place.width - 1)) + arrow
        pieces.append(Piece(fit(title, place.width, right=right), "header", place.width))
        x = place.x + place.width
    return _pad(pieces, width, "header")


def wrap(text: str, width: int) -> list[str]:
    """Break plain text into lines of at most `width` cells, at spaces where there are some."""
    lines: list[str] = []
    now = ""
    for word in text.split():
        joined = f"{now} {word}" if now else word
        if cell_len(joined) <= width:
            now = joined
            continue
        if now:
            lines.append(now)
        now = word
        while cell_len(now) > width > 0:
            head = fit(now, width + 1)[:-1].rstrip() or now[:1]  # the ellipsis is not wanted here
            lines.append(head)
            now = now[len(head) :]
    return [*lines, now] if now else lines


def empty_line(text: str, y: int, width: int, height: int) -> list[Piece]:
    """Return line `y` of a text centred in an empty table."""
    lines = wrap(safe(text), max(1, width - 2))[:height]
    at = y - (height - len(lines)) // 2
    shown = lines[at] if 0 <= at < len(lines) else ""
    left = max(0, (width - cell_len(shown)) // 2)
    return [Piece(fit(" " * left + shown, width), "dim", width)]
