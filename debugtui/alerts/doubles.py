"""The same alert told by several monitoring servers is one."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping

from debugtui.alerts.rules import Finding
from debugtui.model.alertmanager import AlertmanagerReading
from debugtui.model.grafana import GrafanaReading
from debugtui.model.monitoring import Firing, alert_targets
from debugtui.model.prometheus import PrometheusReading
from debugtui.model.source import FleetView, Freshness, Kind, SourceStatus
from debugtui.model.target import Target

#: The rules whose findings are other servers' own alerts.
FOREIGN = frozenset({"prometheus_alert", "alertmanager_alert", "grafana_alert"})

#: Whose word counts, first to last: an Alertmanager knows what is silenced. Of several of one kind the first counts.
ORDER = (Kind.ALERTMANAGER, Kind.GRAFANA, Kind.PROMETHEUS)

#: Labels in which the replicas of one Prometheus differ, and nothing else.
REPLICA = frozenset({"replica", "prometheus_replica", "__replica__"})

_Pairs = frozenset[tuple[str, str]]


class Doubles:
    """Drops what another server tells already. It remembers what it found out for as long as no reading changes."""

    def __init__(self) -> None:
        self._version: tuple[object, ...] | None = None
        self._doubled: frozenset[Target] = frozenset()

    def without(self, findings: Iterable[Finding], view: FleetView) -> Iterator[Finding]:
        """Yield findings without those alerts that another server tells already."""
        tellers = _tellers(view)
        version = tuple((one.host, one.kind, one.name, one.sequence, one.freshness) for one in tellers)
        if version != self._version:
            self._version, self._doubled = version, doubled(tellers)
        yield from (one for one in findings if one.rule not in FOREIGN or one.target not in self._doubled)


def _tellers(view: FleetView) -> list[SourceStatus]:
    found = [one for host in view.hosts if not host.link.down for one in host.sources if one.kind in ORDER]
    readable = [one for one in found if one.freshness in (Freshness.LIVE, Freshness.STALE)]
    return sorted(readable, key=lambda one: ORDER.index(one.kind))


def doubled(statuses: Iterable[SourceStatus]) -> frozenset[Target]:
    """Return the targets of those alerts that an earlier one of these sources tells, too."""
    told: dict[str, Known] = defaultdict(Known)
    found: set[Target] = set()
    for status in statuses:
        reading = status.reading
        if not isinstance(reading, (AlertmanagerReading, GrafanaReading, PrometheusReading)):
            continue
        alerts = reading.alerts or ()
        fresh: list[Firing] = []
        for alert, about in zip(alerts, alert_targets(Target(status.host, status.kind, status.name), alerts), strict=True):
            if not alert.fires:
                continue
            if told[alert.name].holds(alert.labels):
                found.add(about)
            else:
                fresh.append(alert)
        for alert in fresh:
            told[alert.name].add(alert.labels)
    return frozenset(found)


class Known:
    """The labels of the alerts of one name.

    Two servers speak of the same alert where the labels of one are among the other's: a Prometheus adds its external labels
    when it sends an alert, and may drop others. Alerts of one name mostly have the same names of labels, so that each is
    looked up and not compared with every other.
    """

    def __init__(self) -> None:
        self._by_names: dict[frozenset[str], set[_Pairs]] = defaultdict(set)
        self._parts: dict[tuple[frozenset[str], frozenset[str]], set[_Pairs]] = {}

    def add(self, labels: Mapping[str, str]) -> None:
        """Add an alert's labels."""
        own = _own(labels)
        self._by_names[frozenset(own)].add(frozenset(own.items()))
        self._parts.clear()

    def holds(self, labels: Mapping[str, str]) -> bool:
        """Tell whether an alert with these labels is among them."""
        own = _own(labels)
        names = frozenset(own)
        for known in self._by_names:
            if known <= names and _part(own, known) in self._by_names[known]:
                return True
            if names < known and frozenset(own.items()) in self._projected(known, names):
                return True
        return False

    def _projected(self, known: frozenset[str], names: frozenset[str]) -> set[_Pairs]:
        key = (known, names)
        if key not in self._parts:
            self._parts[key] = {_part(dict(pairs), names) for pairs in self._by_names[known]}
        return self._parts[key]


def _own(labels: Mapping[str, str]) -> dict[str, str]:
    return {name: value for name, value in labels.items() if name not in REPLICA}


def _part(labels: Mapping[str, str], names: frozenset[str]) -> _Pairs:
    return frozenset((name, labels[name]) for name in names)
