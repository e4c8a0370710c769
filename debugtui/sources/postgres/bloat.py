"""How much of a table is air: an estimate from the planner's statistics."""

from __future__ import annotations

import math

# src/include/storage/bufpage.h and src/include/access/htup_details.h of PostgreSQL: bytes of a page header, of a line pointer
# and of a tuple header; everything in a page starts at a multiple of 8 on 64-bit machines.
_PAGE_HEADER = 24
_LINE_POINTER = 4
_TUPLE_HEADER = 23
_ALIGN = 8

#: Below this many pages a table is too small for the estimate to mean anything.
FEWEST_PAGES = 10


def bloat_bytes(
    *,
    pages: int,
    tuples: float,
    width: float | None,
    columns: int,
    nulls: bool,
    fillfactor: int | None,
    block_size: int = 8_192,
) -> int | None:
    """Return about how many bytes of a heap hold neither a live row nor room that its fillfactor asks for.

    The heap's size at the last ANALYZE, less the pages that its live rows would fill if they were written anew: each row takes
    a line pointer, an aligned header (with a bitmap where columns may be null), and its columns' average widths (pg_stats:
    `avg_width`, weighted by `null_frac`), aligned. Padding between columns is not known and counts as bloat, so a tenth or two
    of a table with many narrow columns means nothing.

    Args:
        pages: `relpages`.
        tuples: `reltuples`; below 0 (0 with pages before version 14): never analysed.
        width: sum over the columns of `avg_width * (1 - null_frac)`; None where the statistics are missing or hidden.
        columns: how many there are.
        nulls: some are null.
        fillfactor: percent; None for the default of 100.
        block_size: bytes of a page.
    """
    if width is None or tuples < 0 or (tuples == 0 and pages):
        return None
    if pages < FEWEST_PAGES:
        return 0
    header = _aligned(_TUPLE_HEADER + (math.ceil(columns / 8) if nulls else 0))
    row = _LINE_POINTER + header + _aligned(width)
    usable = (block_size - _PAGE_HEADER) * (fillfactor or 100) / 100
    needed = math.ceil(tuples / max(1, math.floor(usable / row))) if row <= usable else math.ceil(tuples)
    return max(0, pages - needed) * block_size


def _aligned(size: float) -> int:
    return math.ceil(size / _ALIGN) * _ALIGN
