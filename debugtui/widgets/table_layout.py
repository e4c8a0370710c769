"""Where the columns of a live table stand, and which spans of a line changed. Pure functions."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from debugtui.widgets.table_rows import Column

GAP = 1
MARK_WIDTH = 1  # the cursor's mark, for terminals and eyes without colour


class Place(NamedTuple):
    """One visible column: its index among all columns, its first cell on the line, its width."""

    column: int
    x: int
    width: int


class Piece(NamedTuple):
    """A run of cells on a line: exactly `width` cells of text in the style called `style`."""

    text: str
    style: str
    width: int


def place_columns(columns: Sequence[Column], width: int) -> tuple[Place, ...]:
    """Choose the columns that fit into `width` cells and place them from left to right."""
    room = width - MARK_WIDTH
    kept = list(range(len(columns)))

    def need() -> int:
        return sum(columns[i].width or columns[i].min_width for i in kept) + GAP * (len(kept) - 1)

    while len(kept) > 1 and need() > room:
        kept.remove(max(kept, key=lambda i: (columns[i].priority, i)))
    left = max(0, room - need()) if kept else 0
    weights = sum(columns[i].weight for i in kept if not columns[i].width)
    places: list[Place] = []
    x = MARK_WIDTH
    for i in kept:
        column = columns[i]
        cells = column.width
        if not cells:
            share = left * column.weight // weights if weights else 0
            left, weights = left - share, weights - column.weight
            cells = column.min_width + share
        cells = max(1, min(cells, room - (x - MARK_WIDTH))) if room > 0 else 0
        places.append(Place(i, x, cells))
        x += cells + GAP
    return tuple(places)


def _changed_inside(old: Piece, new: Piece) -> tuple[int, int]:
    """Return the span (start, end) of `new` that differs from `old`; the whole piece unless both are plain ASCII."""
    if old.style != new.style or not (old.text.isascii() and new.text.isascii()):
        return 0, new.width
    start, end = 0, new.width
    while start < end and old.text[start] == new.text[start]:
        start += 1
    while end > start and old.text[end - 1] == new.text[end - 1]:
        end -= 1
    return start, end


def changed_spans(old: Sequence[Piece], new: Sequence[Piece]) -> list[tuple[int, int]]:
    """Return the spans (x, end) in which two lines differ; None needed where they are equal.

    Lines with differently placed pieces differ as a whole.
    """
    total = sum(piece.width for piece in new)
    if [piece.width for piece in old] != [piece.width for piece in new]:
        return [(0, max(total, sum(piece.width for piece in old)))]
    spans: list[tuple[int, int]] = []
    x = 0
    for before, after in zip(old, new, strict=True):
        if before != after:
            start, end = _changed_inside(before, after)
            spans.append((x + start, x + end))
        x += after.width
    return spans
