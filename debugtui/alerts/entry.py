"""One finding that holds, while the book of alerts follows it."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from datetime import datetime

from debugtui.alerts.finding import Finding
from debugtui.model.alert_memory import Ended, Held, Key, Moment, Origin, elapsed
from debugtui.model.alerts import Severity
from debugtui.model.target import Target

#: Values kept of one finding, and the least seconds between two of them.
TRAIL, TRAIL_GAP = 120, 15.0
#: Two looks that lie further apart than this, in seconds, or than twice the duration of the rule, prove nothing about the time
#: between them.
GAP = 600.0
#: Floating point adds up a little less than it should.
_ALMOST = 1e-6


@dataclass(slots=True)
class Entry:
    """What is known of one rule and target; see `Held`.

    Attributes:
        unknown_since: since when it cannot be seen whether it still holds; None: it was seen in the newest look.
        absent: nobody looked this time; the alert is remembered, and not told.
        sampled: when the newest value of the trail was taken.
        unwritten: something changed since it was written down.
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
    seen: Moment
    held_s: float = 0.0
    opened_at: datetime | None = None
    gone_s: float | None = None
    gone_at: Moment | None = None
    trail: deque[tuple[float, float]] = field(default_factory=lambda: deque(maxlen=TRAIL))
    unknown_since: datetime | None = None
    absent: bool = False
    sampled: Moment | None = None
    unwritten: bool = True

    @property
    def key(self) -> Key:
        """What it is the one of."""
        return (self.rule, self.target)

    @property
    def told(self) -> bool:
        """Whether it is an alert that is told."""
        return self.opened_at is not None and not self.absent

    @classmethod
    def begin(cls, finding: Finding, origin: Origin, now: Moment) -> Entry:
        """Return a finding that is seen for the first time."""
        entry = cls(
            finding.rule,
            finding.target,
            origin,
            finding.severity,
            finding.severity,
            finding.message,
            finding.value,
            finding.threshold,
            finding.since or now.wall,
            now,
        )
        entry._sample(finding, now)
        return entry

    def proceed(self, finding: Finding, origin: Origin, now: Moment, *, fresh: bool) -> None:
        """Take a new finding of the same rule and target in.

        Args:
            finding: raised, or one that lets an open alert stay.
            origin: which reading says so.
            now: this moment.
            fresh: whether that reading is; only a fresh one proves that it lasts.
        """
        if self.opened_at is None and fresh:
            self._last(elapsed(self.seen, now), finding, now)
        if fresh:
            self.seen = now
        self.unwritten = True
        self.origin = origin
        self.absent, self.unknown_since, self.gone_s, self.gone_at = False, None, None, None
        self._grade(finding)
        self.message, self.value = finding.message, finding.value
        self.since = finding.since or self.since
        self._sample(finding, now)

    def _last(self, seconds: float, finding: Finding, now: Moment) -> None:
        if seconds <= max(GAP, 2 * finding.for_s):
            self.held_s += seconds
        else:
            self.held_s, self.since = 0.0, finding.since or now.wall

    def _grade(self, finding: Finding) -> None:
        """Rise at once; fall only when the end of the worse severity is passed."""
        kept = None
        if finding.holds is not None and self.opened_at is not None:
            kept = max(self.severity, finding.holds, key=lambda severity: severity.rank)
        if kept is None or finding.severity.rank <= kept.rank:
            self.severity, self.threshold = finding.severity, finding.threshold
        else:
            self.severity = kept
        if self.severity.rank < self.worst.rank:
            self.worst = self.severity

    def _sample(self, finding: Finding, now: Moment) -> None:
        if finding.value is None or (self.sampled is not None and elapsed(self.sampled, now) < TRAIL_GAP):
            return
        self.sampled = now
        self.trail.append((now.wall.timestamp(), finding.value))

    def lasted(self, for_s: float) -> bool:
        """Tell whether it has lasted long enough to be an alert."""
        return self.held_s + _ALMOST >= for_s

    def miss(self, now: Moment, clear_s: float) -> bool:
        """Take in that a fresh reading does not show it; return whether it is over."""
        self.unknown_since, self.absent = None, False
        if self.opened_at is None or clear_s <= 0:
            return True
        self.gone_s = 0.0 if self.gone_s is None or self.gone_at is None else self.gone_s + elapsed(self.gone_at, now)
        self.gone_at, self.unwritten = now, True
        return self.gone_s + _ALMOST >= clear_s

    def ended(self, now: Moment) -> Ended | None:
        """Return it as an alert that is over; None where it never was one."""
        if self.opened_at is None:
            return None
        return Ended(self.rule, self.target, self.worst, self.message, self.since, self.opened_at, now.wall, tuple(self.trail))

    def frozen(self) -> Held:
        """Return it as it is remembered."""
        return Held(
            self.rule,
            self.target,
            self.origin,
            self.severity,
            self.worst,
            self.message,
            self.value,
            self.threshold,
            self.since,
            self.held_s,
            self.seen,
            self.opened_at,
            self.gone_s,
            self.gone_at,
            tuple(self.trail),
        )

    @classmethod
    def thawed(cls, held: Held) -> Entry:
        """Return what is remembered, as not seen yet in this run."""
        return cls(
            held.rule,
            held.target,
            held.origin,
            held.severity,
            held.worst,
            held.message,
            held.value,
            held.threshold,
            held.since,
            held.seen,
            held.held_s,
            held.opened_at,
            held.gone_s,
            held.gone_at,
            deque(held.trail, maxlen=TRAIL),
            unknown_since=held.seen.wall,
            absent=True,
            unwritten=False,
        )
