"""Alerts: what a rule found, about which target, how bad."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from debugtui.model.jsonable import jsonable
from debugtui.model.patterns import fits
from debugtui.model.target import Target


class Severity(StrEnum):
    """critical: service down or data at risk. high: degraded. medium: trend, cost. low: optimisation, reminder."""

    CRITICAL = "critical"
    HIGH = "high"
    MEDIUM = "medium"
    LOW = "low"

    @property
    def rank(self) -> int:
        """0 for the worst, 3 for the mildest."""
        return list(Severity).index(self)


@dataclass(frozen=True, slots=True)
class Acknowledgement:
    """That somebody has seen an alert, and works on it.

    Attributes:
        who: the operator.
        at: when (UTC).
        note: what they said.
        severity: how bad it was then; an alert that gets worse than this speaks up again.
    """

    who: str
    at: datetime
    note: str
    severity: Severity


@dataclass(frozen=True, slots=True)
class Silence:
    """That alerts are not to speak for a while.

    Attributes:
        id: `sil_...`.
        rule, target: patterns of what is meant; `*` stands for any number of characters.
        who: the operator.
        at: when it began (UTC).
        until: when it ends by itself (UTC); there is none without an end.
        reason: why.
        ended_at, ended_by: when and by whom it was ended before; None while it was not.
    """

    id: str
    rule: str
    target: str
    who: str
    at: datetime
    until: datetime
    reason: str
    ended_at: datetime | None = None
    ended_by: str = ""

    def active(self, now: datetime) -> bool:
        """Tell whether it still holds."""
        return self.ended_at is None and now < self.until

    def covers(self, rule: str, target: Target) -> bool:
        """Tell whether an alert is meant."""
        return fits(self.rule, rule) and fits(self.target, str(target))


@dataclass(frozen=True, slots=True)
class Alert:
    """One raised alert. `value` and `threshold` share a unit that `message` names; None where the rule counts nothing.

    Attributes:
        acknowledged: who has seen it; None: nobody, or it got worse since.
        silence: what keeps it quiet; None: nothing.
        unknown_since: since when it cannot be seen whether it still holds (UTC); None: it was seen in the newest reading.
    """

    severity: Severity
    rule: str
    target: Target
    since: datetime
    value: float | None
    threshold: float | None
    message: str
    acknowledged: Acknowledgement | None = None
    silence: Silence | None = None
    unknown_since: datetime | None = None


def alert_json(alert: Alert) -> dict[str, object]:
    """Return an alert for a JSON document: the keys that are always there, then those that say something here."""
    found: dict[str, object] = {
        "severity": alert.severity.value,
        "rule": alert.rule,
        "target": str(alert.target),
        "since": jsonable(alert.since),
        "value": alert.value,
        "threshold": alert.threshold,
        "message": alert.message,
    }
    if alert.acknowledged is not None:
        found["acknowledged"] = jsonable(alert.acknowledged)
    if alert.silence is not None:
        found["silenced_until"] = jsonable(alert.silence.until)
    if alert.unknown_since is not None:
        found["unknown_since"] = jsonable(alert.unknown_since)
    return found
