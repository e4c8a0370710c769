"""The Groq pane: one line for each use of the API, how its newest probe went, how slow, how much is left."""

from __future__ import annotations

from debugtui.model.groq import GroqFault, GroqReading, Limit
from debugtui.model.source import SourceStatus
from debugtui.screens.rows.common import source_key
from debugtui.themes.tones import Tone
from debugtui.widgets.format import latency, percent
from debugtui.widgets.table_rows import Cell, Column, Row

#: What stands in the state column; `!` marks what cuts users off.
_WORDS: dict[GroqFault, str] = {
    GroqFault.AUTHENTICATION: "key 401!",
    GroqFault.PERMISSION: "no 403!",
    GroqFault.NO_MODEL: "no model!",
    GroqFault.BAD_REQUEST: "bad req",
    GroqFault.TOO_LARGE: "413 big",
    GroqFault.RATE_LIMITED: "429 limit",
    GroqFault.CAPACITY: "498 full",
    GroqFault.CANCELLED: "499",
    GroqFault.SERVER: "5xx!",
    GroqFault.NOT_THE_API: "no API!",
    GroqFault.TIMEOUT: "timeout!",
    GroqFault.DNS: "dns!",
    GroqFault.REFUSED: "refused!",
    GroqFault.RESET: "reset!",
    GroqFault.TLS: "tls!",
    GroqFault.CONNECTION: "no link!",
    GroqFault.SLOW_FIRST_TOKEN: "slow",
    GroqFault.STALLED: "stalled!",
    GroqFault.CUT: "cut!",
    GroqFault.STREAM_ERROR: "error!",
    GroqFault.MALFORMED: "garbled!",
    GroqFault.INCOMPLETE: "partial!",
}

COLUMNS = (
    Column("name", "name", min_width=6),
    Column("state", "state", width=9),
    Column("p95", "p95", width=6, align="right", priority=1),
    Column("ttft", "ttft", width=6, align="right", priority=3),
    Column("left", "left", width=5, align="right", priority=2),
    Column("failed", "fail", width=4, align="right", priority=4),
    Column("tokens", "tok/s", width=6, align="right", priority=5),
    Column("queue", "queue", width=6, align="right", priority=6),
)


def groq_state(reading: GroqReading) -> Cell:
    """Return how a use of the API stands, in one word."""
    newest = reading.newest
    if newest is not None and newest.fault is not None:
        tone: Tone = "warn" if newest.fault in (GroqFault.SLOW_FIRST_TOKEN, GroqFault.BAD_REQUEST) else "bad"
        return Cell(_WORDS[newest.fault], tone)
    if reading.model and reading.model_listed is False:
        return Cell(_WORDS[GroqFault.NO_MODEL], "bad")
    if reading.paused_until is not None:
        return Cell("paused", "warn")
    return Cell("-", "dim") if newest is None else Cell("ok", "ok")


def scarcest(limits: tuple[Limit, ...]) -> Limit | None:
    """Return the limit of which the least is left."""
    return min(limits, key=lambda limit: limit.left_percent, default=None)


def groq_rows(status: SourceStatus) -> list[Row]:
    """Return the row of one use of the API; its key is its target."""
    reading = status.reading
    if not isinstance(reading, GroqReading):
        return []
    failed, least = sum(reading.by_class.values()), scarcest(reading.limits)
    left = None if least is None else least.left_percent
    cells = (
        Cell(status.name),
        groq_state(reading),
        Cell(latency(reading.latency.p95 if reading.latency else None)),
        Cell(latency(reading.ttft.p95 if reading.ttft else None)),
        Cell("-" if left is None else percent(left), "bad" if left is not None and left < 10 else ""),
        Cell(str(failed) if failed else "", "warn"),
        Cell(f"{reading.tokens_s.p50:.0f}" if reading.tokens_s else "-"),
        Cell(latency(reading.queue.p95 if reading.queue else None)),
    )
    sort = (status.name, cells[1].text, reading.latency.p95 if reading.latency else None, None, left, failed)
    return [Row(source_key(status), cells, sort=sort)]
