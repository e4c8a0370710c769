"""How often a time was how long: the bars of a latency histogram, as rows of a table."""

from __future__ import annotations

from collections.abc import Iterable

from debugtui.themes.tones import Tone
from debugtui.widgets.format import latency
from debugtui.widgets.table_rows import Cell, Column, Row

#: Upper ends of the bars, in milliseconds: 1, 2 and 5 times powers of ten, as people read them.
ENDS = (10, 20, 50, 100, 200, 500, 1_000, 2_000, 5_000, 10_000, 20_000, 60_000)
_WIDTH = 40

COLUMNS = (
    Column("upto", "up to", width=8, align="right", sortable=False),
    Column("count", "calls", width=6, align="right", sortable=False),
    Column("share", "share", width=6, align="right", sortable=False),
    Column("bar", "", min_width=10, sortable=False),
)


def counted(values: Iterable[float]) -> list[tuple[float, int]]:
    """Return (upper end in ms, how many) from the first to the last bar that holds something; the last end is open."""
    counts = [0] * (len(ENDS) + 1)
    for value in values:
        counts[next((at for at, end in enumerate(ENDS) if value <= end), len(ENDS))] += 1
    held = [at for at, number in enumerate(counts) if number]
    if not held:
        return []
    ends = [*(float(end) for end in ENDS), float("inf")]
    return [(ends[at], counts[at]) for at in range(held[0], held[-1] + 1)]


def histogram_rows(values: Iterable[float], slow_ms: float) -> list[Row]:
    """Return a row for each bar; bars beyond `slow_ms` are pointed out."""
    bars = counted(values)
    total, most = sum(number for _, number in bars), max((number for _, number in bars), default=1)
    rows = []
    for end, number in bars:
        tone: Tone = "warn" if end > slow_ms else "accent"
        label = "more" if end == float("inf") else latency(end)
        bar = "█" * round(_WIDTH * number / most) or ("▏" if number else "")
        share = f"{100 * number / total:.0f} %"
        rows.append(Row(f"{end}", (Cell(label), Cell(str(number)), Cell(share, "dim"), Cell(bar, tone))))
    return rows
