"""Identifiers that sort by time and never repeat."""

from __future__ import annotations

import secrets
from datetime import UTC, datetime

# Crockford's base 32: no I, L, O, U, so that a number read aloud is written down right.
_DIGITS = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"


def new_id(prefix: str, at: datetime) -> str:
    """Return `prefix_` and 26 characters: 48 bits of milliseconds, 80 random bits (the ULID layout)."""
    number = int(at.timestamp() * 1000) << 80 | secrets.randbits(80)
    text = "".join(_DIGITS[number >> shift & 31] for shift in range(125, -1, -5))
    return f"{prefix}_{text}"


def made_at(number: str) -> datetime | None:
    """Return when an identifier was made (UTC), by the clock that made it; None where it does not say."""
    text = number.rpartition("_")[2]
    if len(text) != 26 or any(digit not in _DIGITS for digit in text):
        return None
    milliseconds = sum(_DIGITS.index(digit) << 5 * place for place, digit in enumerate(reversed(text))) >> 80
    try:
        return datetime.fromtimestamp(milliseconds / 1000, UTC)
    except (OverflowError, ValueError, OSError):
        return None
