"""Counters of the database as rates."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from debugtui.sources.postgres.activity import Row


@dataclass(frozen=True, slots=True)
class Rates:
    """Per second since the last poll; None where two comparable polls are still missing."""

    commits_s: float | None = None
    rollbacks_s: float | None = None
    cache_hit_percent: float | None = None


class Counters:
    """Remembers the last poll's counters (pg_stat_database)."""

    def __init__(self) -> None:
        self._last: Row | None = None
        self._hit_percent: float | None = None

    def update(self, row: Row) -> Rates:
        """Return the rates since the last row, which is replaced.

        After a restart or a reset of the statistics there are none. The hit ratio is that of the blocks asked for since the
        last poll; where none were, the one before; at first, the one since the statistics began.
        """
        last, self._last = self._last, row
        if row["xact_commit"] is None:
            return Rates()
        if last is None or not _comparable(last, row):
            self._hit_percent = _percent(row["blks_hit"], row["blks_read"])
            return Rates(cache_hit_percent=self._hit_percent)
        seconds = _seconds(last["now"], row["now"])
        hits, reads = row["blks_hit"] - last["blks_hit"], row["blks_read"] - last["blks_read"]
        if hits + reads > 0:
            self._hit_percent = _percent(hits, reads)
        if seconds <= 0:
            return Rates(cache_hit_percent=self._hit_percent)
        return Rates(
            (row["xact_commit"] - last["xact_commit"]) / seconds,
            (row["xact_rollback"] - last["xact_rollback"]) / seconds,
            self._hit_percent,
        )


def _comparable(last: Row, row: Row) -> bool:
    names = ("xact_commit", "xact_rollback", "blks_hit", "blks_read")
    same = last["started_at"] == row["started_at"] and last["stats_reset"] == row["stats_reset"]
    return same and all(last[name] is not None and row[name] >= last[name] for name in names)


def _percent(hits: int, reads: int) -> float | None:
    return 100.0 * hits / (hits + reads) if hits + reads else None


def _seconds(start: datetime, end: datetime) -> float:
    return (end - start).total_seconds()
