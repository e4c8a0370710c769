"""Values out of JSON that came from outside: of another shape than documented they are None or empty, never an error."""

from __future__ import annotations

import math
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlsplit

from debugtui.config.redaction import redact
from debugtui.model.text import line

#: Longest name, longest sentence, most labels.
NAME, SENTENCE, LABELS = 200, 500, 64


def table(value: object) -> dict[str, Any]:
    """Return an object, or an empty one."""
    return value if isinstance(value, dict) else {}


def rows(value: object) -> Iterator[dict[str, Any]]:
    """Yield the objects of an array."""
    if isinstance(value, list):
        yield from (one for one in value if isinstance(one, dict))


def name(value: object) -> str:
    """Return a short text on one line."""
    return line(value, NAME) if isinstance(value, str) else ""


def sentence(value: object) -> str:
    """Return what a server or a person wrote, on one line and without secrets."""
    return redact(line(value, SENTENCE)) if isinstance(value, str) else ""


def address(value: object) -> str:
    """Return a URL without user, password and query."""
    if not isinstance(value, str):
        return ""
    try:
        parts = urlsplit(value)
    except ValueError:
        return ""
    return line(f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path}" if parts.scheme else parts.path, NAME)


def labels(value: object) -> dict[str, str]:
    """Return labels, by name."""
    found = sorted((key, text) for key, text in table(value).items() if isinstance(text, str))
    return {line(key, NAME): sentence(text) for key, text in found[:LABELS]}


def number(value: object) -> float | None:
    """Return a finite number, given as one or as text."""
    if isinstance(value, bool) or not isinstance(value, (int, float, str)):
        return None
    try:
        found = float(value)
    except (ValueError, OverflowError):
        return None
    return found if math.isfinite(found) else None


def whole(value: object) -> int | None:
    """Return a whole number."""
    found = number(value)
    return None if found is None else round(found)


def flag(value: object) -> bool | None:
    """Return true, false, or None where it is neither."""
    return value if isinstance(value, bool) else None


def moment(value: object) -> datetime | None:
    """Return a time in UTC; None: it is none, or Go's year 1, which means never."""
    if not isinstance(value, str):
        return None
    try:
        at = datetime.fromisoformat(value)
        at = at.replace(tzinfo=UTC) if at.tzinfo is None else at.astimezone(UTC)
    except (ValueError, OverflowError):
        return None
    return at if at.year > 1 else None


def since_epoch(value: float | None) -> datetime | None:
    """Return a time given as seconds since the epoch."""
    try:
        return None if not value or value < 0 else datetime.fromtimestamp(value, UTC)
    except (ValueError, OverflowError, OSError):
        return None
