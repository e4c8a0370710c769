"""What the headers of Groq's answers say: rate limits, and how long to wait.

`x-ratelimit-*-requests` counts a day, `x-ratelimit-*-tokens` a minute; resets are Go durations (Groq's manual, "Rate Limits").
"""

from __future__ import annotations

import email.utils
import math
import re
from collections.abc import Mapping
from datetime import UTC, datetime

from debugtui.model.groq import Limit

_PART = re.compile(r"(\d{1,12}(?:\.\d{0,12})?|\.\d{1,12})(h|ms|us|µs|μs|ns|m|s|d)", re.ASCII)
_UNITS = {"d": 86_400.0, "h": 3600.0, "m": 60.0, "s": 1.0, "ms": 1e-3, "us": 1e-6, "µs": 1e-6, "μs": 1e-6, "ns": 1e-9}
#: No wait is believed that is longer than a day, in seconds: the limits start anew by then.
LONGEST_WAIT = 86_400.0
#: Longest text that is looked at, in characters.
_LONGEST = 64


def parse_go_duration(text: str) -> float | None:
    """Return the seconds of a Go duration (`2m59.56s`, `7.66s`, `0ms`) or of a plain number; None: it is neither."""
    text = text.strip()
    if not text or len(text) > _LONGEST:
        return None
    if re.fullmatch(r"\d{1,12}(?:\.\d{0,12})?", text, re.ASCII):
        return float(text)
    parts = _PART.findall(text)
    if not parts or "".join(number + unit for number, unit in parts) != text:
        return None
    return math.fsum(float(number) * _UNITS[unit] for number, unit in parts)


def retry_after(headers: Mapping[str, str], now: datetime) -> float | None:
    """Return how many seconds to wait, from `retry-after-ms` or `retry-after` (seconds or an HTTP date); None: not said."""
    found = _number(headers.get("retry-after-ms", ""))
    if found is not None:
        return min(found / 1000, LONGEST_WAIT)
    said = headers.get("retry-after", "")
    found = parse_go_duration(said)
    if found is None and said and len(said) <= _LONGEST:
        try:
            until = email.utils.parsedate_to_datetime(said)
        except ValueError:
            return None
        found = max(0.0, ((until if until.tzinfo else until.replace(tzinfo=UTC)) - now).total_seconds())
    return None if found is None else min(found, LONGEST_WAIT)


def limits(headers: Mapping[str, str]) -> tuple[Limit, ...]:
    """Return the rate limits that the headers tell; what cannot be read is left out."""
    found = []
    for name in ("requests", "tokens"):
        limit = _number(headers.get(f"x-ratelimit-limit-{name}", ""))
        remaining = _number(headers.get(f"x-ratelimit-remaining-{name}", ""))
        if limit is None or remaining is None:
            continue
        reset = parse_go_duration(headers.get(f"x-ratelimit-reset-{name}", ""))
        found.append(Limit(name, int(limit), int(remaining), reset))
    return tuple(found)


def _number(text: str) -> float | None:
    """Return a number of zero or more; None: it is none."""
    text = text.strip()
    return float(text) if re.fullmatch(r"\d{1,15}(?:\.\d{1,15})?", text, re.ASCII) else None
