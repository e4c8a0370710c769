"""The last hour of a journal, as far as it was read: kept between reads, so that each one asks only for what is new."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from debugtui.config.redaction import redact
from debugtui.model.journal import KernelEvent, OomKill, UnitChange, UnitErrors, UnitEvent
from debugtui.model.text import line
from debugtui.sources.journal import script
from debugtui.sources.journal.entries import Entry
from debugtui.sources.journal.kernel import faults, kills

#: Seconds of "now", seconds of "before" it, and least of those that have to be known for a mean.
WINDOW_S, BEFORE_S, LEAST_BEFORE_S = 300.0, 3_600.0, 600.0
#: Most error lines, and most events of one kind, that are kept.
ERRORS, EVENTS = 20_000, 200
#: Most units that a reading tells of.
UNITS = 100

_CHANGES = {
    script.STARTED: UnitChange.STARTED,
    script.STOPPED: UnitChange.STOPPED,
    script.START_FAILED: UnitChange.FAILED,
    script.FAILED: UnitChange.FAILED,
    script.EXITED: UnitChange.EXITED,
    script.RESTARTING: UnitChange.RESTARTING,
    script.OUT_OF_MEMORY: UnitChange.OUT_OF_MEMORY,
    script.RELOADED: UnitChange.RELOADED,
}
#: Units that come and go with sessions and commands: no change of the system.
_PASSING = (".scope", ".slice", ".device", ".target")
_PASSING_START = ("session-", "user@", "user-runtime-dir@", "run-")


@dataclass(frozen=True, slots=True)
class _Error:
    at: datetime
    unit: str
    says: str


@dataclass(slots=True)
class Past:
    """What is known. `known_from`: every line since then was seen; None: nothing was read yet."""

    known_from: datetime | None = None
    errors: deque[_Error] = field(default_factory=lambda: deque(maxlen=ERRORS))
    kernel: deque[Entry] = field(default_factory=lambda: deque(maxlen=4 * EVENTS))
    changes: deque[UnitEvent] = field(default_factory=lambda: deque(maxlen=EVENTS))
    _seen: dict[str, datetime] = field(default_factory=dict)

    def add(self, found: Iterable[Entry]) -> None:
        """Take what was read, in any order; what was taken before is not taken twice."""
        new = [entry for entry in found if entry.cursor not in self._seen]
        for entry in sorted(new, key=lambda entry: entry.at):
            if entry.cursor in self._seen:
                continue
            self._seen[entry.cursor] = entry.at
            if entry.kernel:
                self.kernel.append(entry)
            if entry.priority is not None and entry.priority <= 3:
                self.errors.append(_Error(entry.at, entry.unit, entry.message))
            event = _event(entry)
            if event is not None:
                self.changes.append(event)

    def forget(self, now: datetime) -> None:
        """Forget what is older than the hour."""
        edge = now - timedelta(seconds=WINDOW_S + BEFORE_S)
        for rows in (self.errors, self.kernel, self.changes):
            while rows and rows[0].at < edge:
                rows.popleft()
        self._seen = {cursor: at for cursor, at in self._seen.items() if at >= edge}
        if self.known_from is not None:
            self.known_from = max(self.known_from, edge)

    def counted(self, now: datetime, oldest: datetime | None) -> tuple[int, float | None, tuple[UnitErrors, ...]]:
        """Return the error lines of the last five minutes, the mean of five minutes before, and both by unit."""
        edge = now - timedelta(seconds=WINDOW_S)
        recent = [error for error in self.errors if error.at >= edge]
        span = self._span(edge, oldest)
        earlier = Counter(error.unit for error in self.errors if error.at < edge)
        windows = span / WINDOW_S if span is not None else None
        newest = {error.unit: error for error in recent}
        counts = Counter(error.unit for error in recent).most_common(UNITS)
        units = tuple(
            UnitErrors(
                unit=unit,
                count=count,
                before=None if windows is None else earlier[unit] / windows,
                newest=redact(line(newest[unit].says, 300)),
                newest_at=newest[unit].at,
            )
            for unit, count in counts
        )
        return len(recent), None if windows is None else sum(earlier.values()) / windows, units

    def _span(self, edge: datetime, oldest: datetime | None) -> float | None:
        """Return how many seconds before the last five minutes are known; None: too few to say anything."""
        if self.known_from is None:
            return None
        begin = max(self.known_from, oldest) if oldest is not None else self.known_from
        span = (edge - begin).total_seconds()
        return span if span >= LEAST_BEFORE_S else None

    def kills(self, names: Mapping[str, str]) -> tuple[OomKill, ...]:
        """Return what the kernel killed, the newest first."""
        return tuple(sorted(kills(self.kernel, names), key=lambda kill: kill.at, reverse=True)[:EVENTS])

    def faults(self) -> tuple[KernelEvent, ...]:
        """Return what else the kernel complained about, the newest first."""
        return tuple(sorted(faults(self.kernel), key=lambda event: event.at, reverse=True)[:EVENTS])

    def events(self) -> tuple[UnitEvent, ...]:
        """Return what happened to units, the newest first."""
        return tuple(reversed(self.changes))


def _event(entry: Entry) -> UnitEvent | None:
    change = _CHANGES.get(entry.message_id)
    unit = entry.about
    if change is None or not entry.init or not unit:
        return None
    if unit.endswith(_PASSING) or unit.startswith(_PASSING_START):
        return None
    return UnitEvent(entry.at, unit, change, redact(line(entry.message, 300)))
