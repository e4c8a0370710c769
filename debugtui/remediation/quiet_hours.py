"""Peak hours of the configuration."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, time


def within_peak(hours: Iterable[str], now: datetime) -> str:
    """Return the span of `HH:MM-HH:MM` (local time, may pass midnight) that `now` lies in; empty: in none."""
    moment = now.time().replace(tzinfo=None)
    for span in hours:
        begins, _, ends = span.partition("-")
        first, last = time.fromisoformat(begins.strip()), time.fromisoformat(ends.strip())
        inside = first <= moment < last if first <= last else moment >= first or moment < last
        if inside:
            return span
    return ""
