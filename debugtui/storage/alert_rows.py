"""How what is remembered of alerts stands in rows: texts, and times that sort as texts."""

from __future__ import annotations

import json
import math
import sqlite3
from collections.abc import Callable, Iterable, Iterator
from datetime import UTC, datetime
from typing import Any, TypeVar

from debugtui.model.alert_memory import Ended, Held, Key, Moment
from debugtui.model.alerts import Acknowledgement, Severity, Silence
from debugtui.model.target import GROQ, Target
from debugtui.model.text import line

Row = TypeVar("Row")


def key_text(key: Key) -> tuple[str, str]:
    """Return a key as it is stored; what no text file could hold is made visible."""
    return (line(key[0], 200), line(str(key[1]), 2_000))


def _target(text: str) -> Target:
    return Target(GROQ, GROQ) if text == GROQ else Target.parse(text)


def time_text(at: datetime) -> str:
    """Return a time in the one form of all, so that texts stand in the order of their times."""
    return at.astimezone(UTC).isoformat(timespec="microseconds")


def _at(text: str) -> datetime:
    return datetime.fromisoformat(text).astimezone(UTC)


def moment_text(moment: Moment) -> str:
    """Return a moment as it is stored."""
    return json.dumps([time_text(moment.wall), moment.mono, moment.boot])


def _moment_of(text: str) -> Moment:
    wall, mono, boot = json.loads(text)
    return Moment(_at(wall), float(mono), str(boot))


def _trail(text: str) -> tuple[tuple[float, float], ...]:
    found = tuple((float(at), float(value)) for at, value in json.loads(text))
    return tuple(pair for pair in found if all(map(math.isfinite, pair)))


def sound(rows: Iterable[sqlite3.Row], make: Callable[[sqlite3.Row], Row], bad: list[str]) -> Iterator[Row]:
    """Yield what rows mean; those that mean nothing are counted in `bad`."""
    for row in rows:
        try:
            yield make(row)
        except (ValueError, TypeError, KeyError, IndexError) as error:
            bad.append(type(error).__name__)


def held_row(row: Any) -> Held:
    """Read what holds."""
    origin = json.loads(row["origin"])
    return Held(
        row["rule"],
        _target(row["target"]),
        (str(origin[0]), str(origin[1]), str(origin[2])),
        Severity(row["severity"]),
        Severity(row["worst"]),
        row["message"],
        row["value"],
        row["threshold"],
        _at(row["since"]),
        row["held_s"],
        _moment_of(row["seen"]),
        _at(row["opened_at"]) if row["opened_at"] else None,
        row["gone_s"],
        _moment_of(row["gone"]) if row["gone"] else None,
        _trail(row["trail"]),
    )


def ended_row(row: Any) -> Ended:
    """Read an alert that is over."""
    return Ended(
        row["rule"],
        _target(row["target"]),
        Severity(row["worst"]),
        row["message"],
        _at(row["since"]),
        _at(row["opened_at"]),
        _at(row["ended_at"]),
        _trail(row["trail"]),
    )


def acknowledgement_row(row: Any) -> tuple[Key, Acknowledgement]:
    """Read an acknowledgement, and the alert that it is about."""
    said = Acknowledgement(row["who"], _at(row["at"]), row["note"], Severity(row["severity"]))
    return (row["rule"], _target(row["target"])), said


def silence_row(row: Any) -> Silence:
    """Read a silence."""
    return Silence(
        row["id"],
        row["rule"],
        row["target"],
        row["who"],
        _at(row["at"]),
        _at(row["until"]),
        row["reason"],
        _at(row["ended_at"]) if row["ended_at"] else None,
        row["ended_by"],
    )
