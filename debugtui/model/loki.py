"""What is read of a Loki: how it is, and which of those who log write errors. Its lines are read elsewhere."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from debugtui.model.source import Gap


@dataclass(frozen=True, slots=True)
class ErrorLines:
    """Lines that speak of an error, of one of those who log, in the last five minutes."""

    name: str
    count: int


@dataclass(frozen=True, slots=True)
class LokiReading:
    """One Loki.

    Attributes:
        taken_at: when it was read (UTC).
        url: where its API is.
        ready: whether it takes and answers; None: it does not tell (a gateway before it).
        says: what it says where it is not ready (`Ingester not ready: waiting for 15s after being ready`).
        version: its own.
        labels: names of labels of the last hour; None: not read.
        by: the label that `errors` are counted by; empty: there is none that says who logs.
        errors: most first, at most 50; None: not read.
        errors_at: when they were counted (UTC): at most once a minute.
        gaps: what could not be read.
    """

    taken_at: datetime
    url: str
    ready: bool | None = None
    says: str = ""
    version: str = ""
    labels: tuple[str, ...] | None = None
    by: str = ""
    errors: tuple[ErrorLines, ...] | None = None
    errors_at: datetime | None = None
    gaps: tuple[Gap, ...] = ()
