"""The book of alerts: dates what holds, raises it once it has lasted, ends it once it is gone, remembers what was said of it.

A rule has one alert for each target. It opens when its findings have lasted for its duration, without a gap that proves
nothing; it stays while the figure is between threshold and end; it ends when a fresh reading no longer shows it. What cannot be
read is neither begun nor ended: it is unknown since then. Durations are measured with the clock that never jumps.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

from debugtui.alerts.boot import boot_id
from debugtui.alerts.entry import Entry
from debugtui.alerts.finding import Finding
from debugtui.alerts.look import Judge, Look, Trust
from debugtui.alerts.rules import UNREADABLE
from debugtui.alerts.settings import DEFAULT, Rules
from debugtui.model.alert_memory import Changes, Ended, Key, Marks, Memory, Moment, Origin
from debugtui.model.alerts import Acknowledgement, Alert, Silence
from debugtui.model.clock import Clock
from debugtui.model.source import FleetView

#: How long an ended alert is told of, and how many of them.
RECENT, MOST_RECENT = timedelta(days=1), 500


class AlertBook:
    """Turns what holds now into alerts with a beginning and an end. One book serves one run."""

    def __init__(self, rules: Rules = DEFAULT, clock: Clock | None = None, *, boot: Callable[[], str] = boot_id) -> None:
        """Begin with nothing remembered.

        Args:
            rules: the rules as they count here.
            clock: time; None: the views' own times, which may jump.
            boot: names this run of the machine, within which the clock's monotonic times can be compared.
        """
        self.rules = rules
        self._judge = Judge(rules.watching)
        self._clock = clock
        self._boot = boot() if clock is not None else ""
        self._entries: dict[Key, Entry] = {}
        self._acknowledged: dict[Key, Acknowledgement] = {}
        self._silences: tuple[Silence, ...] = ()
        self._recent: list[Ended] = []
        self._gone: set[Key] = set()
        self._ended: list[Ended] = []
        self._voided: set[Key] = set()
        self.urgent = False

    # Judging

    def update(self, view: FleetView) -> tuple[Alert, ...]:
        """Judge a view; return the alerts that hold, worst first, then oldest first. Silenced ones are among them."""
        now = self._moment(view)
        look = self._judge.look(view)
        for finding, origin in look.found.values():
            self._take(finding, origin, look, now)
        for key in [key for key in self._entries if key not in look.found]:
            self._miss(self._entries[key], look, now)
        self._recent = [one for one in self._recent if now.wall - one.ended_at < RECENT][-MOST_RECENT:]
        return self.alerts(now)

    def _moment(self, view: FleetView) -> Moment:
        if self._clock is None:
            return Moment(view.taken_at, view.taken_at.timestamp(), self._boot)
        return Moment(self._clock.now(), self._clock.monotonic(), self._boot)

    def _take(self, finding: Finding, origin: Origin, look: Look, now: Moment) -> None:
        key = (finding.rule, finding.target)
        entry = self._entries.get(key)
        if not finding.raised and (finding.holds is None or entry is None):
            self._lose(entry)
            return
        fresh = look.trust_of(origin, "") is Trust.READ
        if finding.for_s and not fresh and (entry is None or entry.opened_at is None):
            return  # an old reading proves no beginning, and nothing about how long it lasts
        if not finding.raised and entry is not None and entry.opened_at is None:
            self._forget(entry, now)  # between end and threshold: what had not lasted yet begins anew
            return
        if entry is None:
            entry = self._entries[key] = Entry.begin(finding, origin, now)
            self._gone.discard(key)
        else:
            entry.proceed(finding, origin, now, fresh=fresh)
        if entry.opened_at is None and entry.lasted(finding.for_s):
            entry.opened_at = now.wall
            self.urgent = True
        said = self._acknowledged.get(key)
        if said is not None and entry.severity.rank < said.severity.rank:
            # It got worse than it was when somebody said that they have seen it.
            del self._acknowledged[key]
            self._voided.add(key)
            self.urgent = True

    def _miss(self, entry: Entry, look: Look, now: Moment) -> None:
        trust = look.trust_of(entry.origin, entry.rule)
        if trust is Trust.ABSENT:
            entry.absent = True
        elif trust is Trust.UNREAD:
            if entry.rule in UNREADABLE and entry.origin[0] in look.down and entry.origin[1]:
                self._forget(entry, now)  # the link's own alert says it for every source behind it
            else:
                self._lose(entry)
        elif trust is Trust.OFF or (trust is Trust.READ and entry.miss(now, self._clear_s(entry))):
            self._forget(entry, now)
        else:
            entry.absent, entry.unknown_since = False, None

    def _clear_s(self, entry: Entry) -> float:
        return self.rules.of(entry.rule, entry.target).clear_s

    def _lose(self, entry: Entry | None) -> None:
        if entry is not None:
            entry.absent = False
            entry.unknown_since = entry.unknown_since or entry.seen.wall

    def _forget(self, entry: Entry, now: Moment) -> None:
        del self._entries[entry.key]
        self._gone.add(entry.key)
        over = entry.ended(now)
        if over is not None:
            self._recent.append(over)
            self._ended.append(over)
            self._acknowledged.pop(entry.key, None)
            self.urgent = True

    # Telling

    def alerts(self, now: Moment) -> tuple[Alert, ...]:
        """Return the alerts that hold, with what operators said of them."""
        silences = [silence for silence in self._silences if silence.active(now.wall)]
        found = [self._alert(entry, silences) for entry in self._entries.values() if entry.told]
        return tuple(sorted(found, key=lambda alert: (alert.severity.rank, alert.since, str(alert.target), alert.rule)))

    def _alert(self, entry: Entry, silences: list[Silence]) -> Alert:
        covering = [silence for silence in silences if silence.covers(entry.rule, entry.target)]
        return Alert(
            entry.severity,
            entry.rule,
            entry.target,
            entry.since,
            entry.value,
            entry.threshold,
            entry.message,
            self._acknowledged.get(entry.key),
            max(covering, key=lambda silence: silence.until, default=None),
            entry.unknown_since,
        )

    @property
    def silences(self) -> tuple[Silence, ...]:
        """The silences that were set, those that have ended by themselves too."""
        return self._silences

    @property
    def recent(self) -> tuple[Ended, ...]:
        """The alerts that ended within the last day, newest first."""
        return tuple(reversed(self._recent))

    def trail(self, key: Key) -> tuple[tuple[float, float], ...]:
        """Return the last values of what holds: (UNIX time, value), oldest first."""
        entry = self._entries.get(key)
        return tuple(entry.trail) if entry is not None else ()

    # Remembering

    def restore(self, memory: Memory) -> None:
        """Take in what an earlier run remembered. What this run has seen already counts more."""
        for held in memory.held:
            self._entries.setdefault(held.key, Entry.thawed(held))
        known = {(one.rule, one.target, one.opened_at) for one in self._recent}
        old = [one for one in memory.ended if (one.rule, one.target, one.opened_at) not in known]
        self._recent = sorted([*old, *self._recent], key=lambda one: one.ended_at)
        self.mark(memory.marks)

    def mark(self, marks: Marks) -> None:
        """Take in what operators said, here or in another process."""
        over = {(one.rule, one.target): one.ended_at for one in self._ended}
        self._acknowledged = {
            key: said
            for key, said in marks.acknowledged.items()
            if key not in self._voided and not (key in over and said.at <= over[key])
        }
        self._silences = marks.silences

    def changes(self) -> Changes:
        """Return what has to be written down, and count it as written."""
        found = Changes(
            tuple(entry.frozen() for entry in self._entries.values() if entry.unwritten),
            tuple(self._gone),
            tuple(self._ended),
            tuple(self._voided),
        )
        for entry in self._entries.values():
            entry.unwritten = False
        self._gone, self._ended, self._voided, self.urgent = set(), [], set(), False
        return found

    def unwritten(self, changes: Changes) -> None:
        """Take changes back that could not be written: they are among the next ones."""
        for held in changes.held:
            if held.key in self._entries:
                self._entries[held.key].unwritten = True
        self._gone |= {key for key in changes.gone if key not in self._entries}
        self._ended = [*changes.ended, *self._ended]
        self._voided |= set(changes.voided)
        self.urgent = True
