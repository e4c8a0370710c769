"""Moments as an operator writes them: `14:03`, `-5m`, `2026-03-14T14:03`."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

SAYS = "write 14:03, 14:03:22, -5m, -1h30m, or 2026-03-14T14:03"

_SPAN = re.compile(r"-?\s*((?:\d{1,6}\s*[smhd]\s*)+)(?:ago)?", re.ASCII | re.IGNORECASE)
_PART = re.compile(r"(\d{1,6})\s*([smhd])", re.ASCII | re.IGNORECASE)
_CLOCK = re.compile(r"(\d{1,2}):(\d\d)(?::(\d\d)(?:[.,](\d{1,6}))?)?", re.ASCII)
_UNITS = {"s": 1, "m": 60, "h": 3_600, "d": 86_400}


def parse_moment(text: str, now: datetime) -> datetime:
    """Return the moment that is meant, in UTC.

    Args:
        text: `now`; a span before now (`-5m`, `10m`, `1h30m`); a time of the clock, the last one that has been (`14:03`);
            a date and a time after ISO 8601. Without a zone they are local.
        now: the time, with its zone.

    Raises:
        ValueError: it is none; the message says what can be written.
    """
    text = text.strip()
    if text.lower() == "now":
        return now.astimezone(UTC)
    try:
        if match := _SPAN.fullmatch(text):
            seconds = sum(int(number) * _UNITS[unit.lower()] for number, unit in _PART.findall(match[1]))
            return now.astimezone(UTC) - timedelta(seconds=seconds)
        if match := _CLOCK.fullmatch(text):
            hour, minute, second, part = match.groups()
            local = now.astimezone().replace(
                hour=int(hour), minute=int(minute), second=int(second or 0), microsecond=int((part or "0").ljust(6, "0"))
            )
            return (local if local <= now else local - timedelta(days=1)).astimezone(UTC)
        return datetime.fromisoformat(text).astimezone(UTC)
    except (ValueError, OverflowError):
        raise ValueError(f"{text!r} is no time: {SAYS}") from None
