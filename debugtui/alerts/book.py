"""The book of alerts: remembers since when a finding holds, and raises it once it has held long enough."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta

from debugtui.alerts.doubles import Doubles
from debugtui.alerts.outer import of_outer
from debugtui.alerts.rules import Finding, of_host, of_source
from debugtui.model.alerts import Alert
from debugtui.model.source import FleetView, Freshness, Kind, SourceStatus
from debugtui.model.target import Target


class AlertBook:
    """Turns what holds now into alerts with a beginning. One book serves one run."""

    def __init__(self) -> None:
        self._doubles = Doubles()
        self._since: dict[tuple[str, Target], datetime] = {}
        self._judged: dict[tuple[str, Kind, str], tuple[tuple[int, Freshness, bool], list[Finding]]] = {}

    def update(self, view: FleetView) -> tuple[Alert, ...]:
        """Judge a view; return the alerts that hold, worst first, then oldest first."""
        held: dict[tuple[str, Target], datetime] = {}
        alerts: list[Alert] = []
        for finding in self._doubles.without(self._findings(view), view):
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

    def _findings(self, view: FleetView) -> Iterator[Finding]:
        for host in view.hosts:
            yield from of_host(host)
            if not host.link.down:
                for status in host.sources:
                    yield from self._of_source(status, view.taken_at)

    def _of_source(self, status: SourceStatus, now: datetime) -> list[Finding]:
        """Judge a source; one that did not change since is not judged again, unless its findings grow with time."""
        key = (status.host, status.kind, status.name)
        version = (status.sequence, status.freshness, status.problem is None)
        judged = self._judged.get(key)
        if judged is not None and judged[0] == version and status.sequence and status.kind is not Kind.POSTGRES:
            return judged[1]
        found = [*of_source(status, now), *of_outer(status)]
        self._judged[key] = (version, found)
        return found


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
