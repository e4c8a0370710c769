"""Identifiers that sort by time and never repeat."""

from __future__ import annotations

import secrets
from datetime import datetime

# Crockford's base 32: no I, L, O, U, so that a number read aloud is written down right.
_DIGITS = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"


def new_id(prefix: str, at: datetime) -> str:
    """Return `prefix_` and 26 characters: 48 bits of milliseconds, 80 random bits (the ULID layout)."""
    number = int(at.timestamp() * 1000) << 80 | secrets.randbits(80)
    text = "".join(_DIGITS[number >> shift & 31] for shift in range(125, -1, -5))
    return f"{prefix}_{text}"
