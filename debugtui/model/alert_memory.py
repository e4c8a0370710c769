"""What is remembered of alerts from one run to the next."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple

from debugtui.model.alerts import Acknowledgement, Severity, Silence
from debugtui.model.target import Target

#: A rule and what it is about: there is one alert of each.
Key = tuple[str, Target]

#: Which reading speaks of it: host, kind and name of a source; kind and name are empty for the host's link.
Origin = tuple[str, str, str]


class Moment(NamedTuple):
    """A point in time by both clocks. `mono` of two moments can be compared where `boot` is the same."""

    wall: datetime
    mono: float
    boot: str


def elapsed(earlier: Moment, later: Moment) -> float:
    """Return the seconds between two moments, never below 0.

    Within one boot the clock that never jumps is asked: a wall clock that is set says nothing about how long something lasts.
    """
    if earlier.boot == later.boot and later.mono >= earlier.mono:
        return later.mono - earlier.mono
    return max(0.0, (later.wall - earlier.wall).total_seconds())


@dataclass(frozen=True, slots=True)
class Held:
    """A finding that holds: an alert, or one that has not lasted long enough yet.

    Attributes:
        rule, target: its key.
        origin: which reading speaks of it.
        severity: now.
        worst: that it ever had.
        message, value, threshold: of the newest finding.
        since: when it began (UTC).
        held_s: how long it is proven to have lasted, in seconds.
        seen: when it was last seen to hold.
        opened_at: when it became an alert (UTC); None: not yet.
        gone_s: how long it is proven to be gone; None: it is not.
        gone_at: when it was last seen to be gone; None: it is not.
        trail: its last values, (UNIX time, value), oldest first.
    """

    rule: str
    target: Target
    origin: Origin
    severity: Severity
    worst: Severity
    message: str
    value: float | None
    threshold: float | None
    since: datetime
    held_s: float
    seen: Moment
    opened_at: datetime | None = None
    gone_s: float | None = None
    gone_at: Moment | None = None
    trail: tuple[tuple[float, float], ...] = ()

    @property
    def key(self) -> Key:
        """What it is the one of."""
        return (self.rule, self.target)


@dataclass(frozen=True, slots=True)
class Ended:
    """An alert that is over. `trail` as in `Held`."""

    rule: str
    target: Target
    worst: Severity
    message: str
    since: datetime
    opened_at: datetime
    ended_at: datetime
    trail: tuple[tuple[float, float], ...] = ()


@dataclass(frozen=True, slots=True)
class Marks:
    """What operators said of alerts."""

    acknowledged: Mapping[Key, Acknowledgement]
    silences: tuple[Silence, ...] = ()


@dataclass(frozen=True, slots=True)
class Memory:
    """Everything that is remembered. `said`: what was lost of it, one line each."""

    held: tuple[Held, ...] = ()
    ended: tuple[Ended, ...] = ()
    marks: Marks = Marks({})
    said: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Changes:
    """What one run has to write down.

    Attributes:
        held: everything that holds.
        gone: what this run has seen to hold no more.
        ended: the alerts among those, since it wrote the last time.
        voided: alerts that got worse than they were when they were acknowledged.
    """

    held: tuple[Held, ...] = ()
    gone: tuple[Key, ...] = ()
    ended: tuple[Ended, ...] = ()
    voided: tuple[Key, ...] = ()
