"""Log lines as a viewer takes them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import NamedTuple

from debugtui.model.source import Problem
from debugtui.model.target import Target


class Level(StrEnum):
    """Severity of one log line, judged from its text; `unknown` where it does not tell."""

    ERROR = "error"
    WARNING = "warning"
    INFO = "info"
    DEBUG = "debug"
    UNKNOWN = "unknown"


class LogLine(NamedTuple):
    """One line, cleaned (model.text.line) and redacted. `stream` is `stdout`, `stderr` or empty; `at` is UTC.

    `level` is what its origin says of it (the severity of PostgreSQL, the priority of syslog); None: its text has to tell.
    """

    text: str
    at: datetime | None = None
    stream: str = ""
    level: Level | None = None


class OriginState(StrEnum):
    """reading: what is there already. live: follows. ended: nothing more comes. failed: see its problem; it is tried again."""

    READING = "reading"
    LIVE = "live"
    ENDED = "ended"
    FAILED = "failed"


@dataclass(slots=True)
class OriginStatus:
    """One origin as a viewer shows it; changes while it is read.

    Attributes:
        target, kind, title: which.
        state: see `OriginState`.
        problem: why it failed, or what of it cannot be seen.
        lines: how many came.
        late: how many of them came too late to be put in their place.
        first: the time of the first that came.
        newest: the time of the newest one.
    """

    target: Target
    kind: str
    title: str
    state: OriginState = OriginState.READING
    problem: Problem | None = None
    lines: int = 0
    late: int = 0
    first: datetime | None = None
    newest: datetime | None = None


@dataclass(frozen=True, slots=True)
class Merged:
    """Lines of several origins in the order of their times, in columns.

    Attributes:
        lines: the lines.
        origins: for each, which origin it is of: its place in the list of origins.
        late: places in `lines` of those that came behind a later one that was given out already.
        notes: places of those that are no line of a log but say what became of an origin.
    """

    lines: Sequence[LogLine] = ()
    origins: bytes = b""
    late: frozenset[int] = field(default_factory=frozenset)
    notes: frozenset[int] = field(default_factory=frozenset)
