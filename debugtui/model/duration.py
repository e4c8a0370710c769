"""Lengths of time as people write them: `500ms`, `30s`, `15m`, `1h30m`, `2d`."""

from __future__ import annotations

import math
import re

#: Longest text that is looked at, in characters.
LIMIT = 64
_UNITS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
_WHOLE = re.compile(r"(?:\d+(?:\.\d+)?(?:ms|s|m|h|d))+", re.ASCII)
_PART = re.compile(r"(\d+(?:\.\d+)?)(ms|s|m|h|d)", re.ASCII)


def seconds_of(text: str) -> float:
    """Return the length of time that a text names, in seconds.

    Raises:
        ValueError: it names none.
    """
    packed = text.replace(" ", "") if len(text) <= LIMIT else ""
    if not _WHOLE.fullmatch(packed):
        raise ValueError("not a length of time")
    return math.fsum(float(count) * _UNITS[unit] for count, unit in _PART.findall(packed))


def duration_text(seconds: float) -> str:
    """Return a length of time in as few units as it needs: `90s` is `1m30s`."""
    if seconds and seconds < 1:
        return f"{seconds * 1000:g}ms"
    rest, parts = seconds, []
    for unit in ("d", "h", "m"):
        whole, rest = divmod(rest, _UNITS[unit])
        if whole:
            parts.append(f"{whole:.0f}{unit}")
    if rest or not parts:
        parts.append(f"{rest:g}s")
    return "".join(parts)
