"""Careful access to the engine's JSON: whatever a field holds, the result has the type that was asked for."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, TypeAlias

from debugtui.model.text import line

Object: TypeAlias = Mapping[str, Any]

#: Longest name, image, label or status kept, in characters.
NAME_LIMIT = 300

_NOTHING: Object = {}


def obj(value: Any) -> Object:
    """Return a JSON object; an empty one for anything else."""
    return value if isinstance(value, dict) else _NOTHING


def items(value: Any) -> list[Any]:
    """Return a JSON list; an empty one for anything else (the engine says null where there is nothing)."""
    return value if isinstance(value, list) else []


def text(value: Any, limit: int = NAME_LIMIT) -> str:
    """Return a string, safe to show on one line; empty for anything else."""
    return line(value, limit) if isinstance(value, str) else ""


def number(value: Any) -> int | None:
    """Return a whole number; None for anything else."""
    if isinstance(value, bool):
        return None
    if isinstance(value, int):
        return value
    return int(value) if isinstance(value, float) and abs(value) < 2**63 else None


def moment(value: Any) -> datetime | None:
    """Return a time of the engine in UTC; None for "never" (year 1) and for what is none."""
    if not isinstance(value, str) or value.startswith("0001-"):
        return None
    try:
        found = datetime.fromisoformat(value)
        return found.astimezone(UTC) if found.tzinfo else found.replace(tzinfo=UTC)
    except (ValueError, OverflowError):
        return None


def moment_of_seconds(value: Any) -> datetime | None:
    """Return a time given as seconds since the epoch, in UTC; None for what is none."""
    seconds = number(value)
    if not seconds:
        return None
    try:
        return datetime.fromtimestamp(seconds, UTC)
    except (ValueError, OverflowError, OSError):
        return None
