"""What the headers of an answer say: how much is left, and how long to wait. Pure."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping

from debugtui.model.groq import Limit

#: Longest time that a header is believed, in seconds: the limits of a day are the longest there are.
LONGEST_S = 86_400.0
_GO = re.compile(r"(?:\d+(?:\.\d+)?(?:ms|h|m|s|us|µs|ns))+", re.ASCII)
_PART = re.compile(r"(\d+(?:\.\d+)?)(ms|h|m|s|us|µs|ns)", re.ASCII)
_UNITS = {"h": 3600.0, "m": 60.0, "s": 1.0, "ms": 1e-3, "us": 1e-6, "µs": 1e-6, "ns": 1e-9}


def seconds(text: str) -> float | None:
    """Return a Go duration (`2m59.56s`, `0ms`) or a number of seconds; None where it is neither."""
    text = text.strip()
    if _GO.fullmatch(text):
        return min(LONGEST_S, math.fsum(float(number) * _UNITS[unit] for number, unit in _PART.findall(text)))
    try:
        value = float(text)
    except ValueError:
        return None
    return min(LONGEST_S, value) if math.isfinite(value) and value >= 0 else None


def limits(headers: Mapping[str, str]) -> tuple[Limit, ...]:
    """Return the rate limits that an answer tells: requests a day, tokens a minute."""
    found = []
    for name in ("requests", "tokens"):
        limit, left = headers.get(f"x-ratelimit-limit-{name}", ""), headers.get(f"x-ratelimit-remaining-{name}", "")
        if limit.isascii() and limit.isdigit() and left.lstrip("-").isdigit():
            found.append(Limit(name, int(limit), max(0, int(left)), seconds(headers.get(f"x-ratelimit-reset-{name}", ""))))
    return tuple(found)


def retry_after(headers: Mapping[str, str]) -> float | None:
    """Return how long the API asks to wait, in seconds; None where it does not."""
    milliseconds = headers.get("retry-after-ms", "")
    if milliseconds and (found := seconds(milliseconds)) is not None:
        return found / 1000
    text = headers.get("retry-after", "")
    return seconds(text) if text else None
