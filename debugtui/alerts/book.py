"""The book of alerts: remembers since when a finding holds, and raises it once it has held long enough."""

from __future__ import annotations

from datetime import datetime, timedelta

from debugtui.alerts.rules import Finding, findings
from debugtui.model.alerts import Alert
from debugtui.model.source import FleetView
from debugtui.model.target import Target


class AlertBook:
    """Turns what holds now into alerts with a beginning. One book serves one run."""

    def __init__(self) -> None:
        self._since: dict[tuple[str, Target], datetime] = {}

    def update(self, view: FleetView) -> tuple[Alert, ...]:
        """Judge a view; return the alerts that hold, worst first, then oldest first."""
        held: dict[tuple[str, Target], datetime] = {}
        alerts: list[Alert] = []
        for finding in findings(view):
            key = (finding.rule, finding.target)
            if key in held:
                continue
            first_seen = self._since.get(key, view.taken_at)
            held[key] = first_seen
            alert = _raise(finding, first_seen, view.taken_at)
            if alert is not None:
                alerts.append(alert)
        self._since = held
        return tuple(sorted(alerts, key=lambda alert: (alert.severity.rank, alert.since, str(alert.target), alert.rule)))


def _raise(finding: Finding, first_seen: datetime, now: datetime) -> Alert | None:
    if now - first_seen < timedelta(seconds=finding.for_s):
        return None
    return Alert(
        severity=finding.severity,
        rule=finding.rule,
        target=finding.target,
        since=finding.since or first_seen,
        value=finding.value,
        threshold=finding.threshold,
        message=finding.message,
    )
