"""Numbers for people, in as few cells as they need. None and what is not a number show as `-`: unknown is not zero.

Each function says the most cells it returns, so that a column can be made to fit.
"""

from __future__ import annotations

import math
from datetime import datetime

UNKNOWN = "-"

_BINARY = "BKMGTPE"
_DECIMAL = ("", "k", "M", "G", "T", "P")


def _known(value: float | None) -> bool:
    return value is not None and math.isfinite(value)


def _scaled(value: float, base: int, units: tuple[str, ...] | str, one: str) -> str:
    """Scale to at most four digits and a unit. The unit is chosen after rounding: 1023.6 K is 1.0 M."""
    last = len(units) - 1
    for index in range(last + 1):
        unit = one if index == 0 else units[index]
        if index and round(value, 1) < 10:
            return f"{value:.1f}{unit}"
        if round(value) < base or index == last:
            return f"{min(round(value), 9999)}{unit}"
        value /= base
    return UNKNOWN


def size(value: float | None) -> str:
    """Bytes, binary units: `512B`, `1.2G`, `118M` (at most 6 cells)."""
    if value is None or not _known(value):
        return UNKNOWN
    return "-" + size(-value) if value < 0 else _scaled(value, 1024, _BINARY, "B")


def rate(value: float | None) -> str:
    """Bytes a second: `2.1M/s` (at most 8 cells)."""
    return UNKNOWN if not _known(value) else f"{size(value)}/s"


def count(value: float | None) -> str:
    """Count: `950`, `12k`, `1.2M`, decimal units (at most 6 cells)."""
    if value is None or not _known(value):
        return UNKNOWN
    return "-" + count(-value) if value < 0 else _scaled(value, 1000, _DECIMAL, "")


def percent(value: float | None) -> str:
    """Per cent, 0 to 100 and above: `12 %`, `<1 %` for a little, `9999 %` at most (6 cells)."""
    if value is None or not math.isfinite(value):
        return UNKNOWN
    if 0 < value < 0.5:
        return "<1 %"
    return f"{max(-999, min(round(value), 9999))} %"


def share(value: float | None) -> str:
    """Share, 0 to 1, as per cent (at most 6 cells)."""
    return percent(None if value is None else value * 100)


def age(seconds: float | None) -> str:
    """Length of time: `02:14` below an hour, `1h 04m` below 10 hours, `14h`, `3d`, `412d`, `12y` (at most 6 cells).

    A negative one (clocks that disagree) shows as `00:00` up to five seconds, as `-` beyond: it is not known.
    """
    if seconds is None or not math.isfinite(seconds) or seconds < -5:
        return UNKNOWN
    whole = max(0, int(seconds))
    minutes, rest = divmod(whole, 60)
    hours, minutes_left = divmod(minutes, 60)
    if hours == 0:
        return f"{minutes:02}:{rest:02}"
    if hours < 10:
        return f"{hours}h {minutes_left:02}m"
    days = hours // 24
    if days == 0:
        return f"{hours}h"
    return f"{days}d" if days < 1000 else f"{min(days // 365, 99999)}y"


def short_age(seconds: float | None) -> str:
    """Age in one unit, for a title: `1 s`, `12 m`, `3 h`, `2 d` (at most 7 cells up to 99,999 days)."""
    if seconds is None or not math.isfinite(seconds) or seconds < -5:
        return UNKNOWN
    whole = max(0, int(seconds))
    for unit, length in (("d", 86_400), ("h", 3_600), ("m", 60)):
        if whole >= length:
            return f"{whole // length} {unit}"
    return f"{whole} s"


def latency(milliseconds: float | None) -> str:
    """Time something took: `0.4 ms`, `182 ms`, `2.1 s`, `95 s`, then like `age` (at most 6 cells)."""
    if milliseconds is None or not math.isfinite(milliseconds) or milliseconds < 0:
        return UNKNOWN
    milliseconds = abs(milliseconds)  # there is a zero below zero
    if round(milliseconds, 1) < 10:
        return f"{milliseconds:.1f} ms"
    if round(milliseconds) < 1_000:
        return f"{round(milliseconds)} ms"
    seconds = milliseconds / 1_000
    if round(seconds, 1) < 10:
        return f"{seconds:.1f} s"
    return f"{round(seconds)} s" if round(seconds) < 600 else age(seconds)


def clock(at: datetime | None) -> str:
    """Time of day as `14:03:22`, in the zone that `at` carries (8 cells)."""
    return UNKNOWN if at is None else at.strftime("%H:%M:%S")
