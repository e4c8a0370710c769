"""The topology of a view with what the rules found on it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING

from debugtui.alerts.rules import UNREADABLE
from debugtui.fleet.topology.build import build_topology
from debugtui.fleet.topology.catalogue import build_catalogue
from debugtui.model.alerts import Alert, Severity
from debugtui.model.catalogue import Catalogue
from debugtui.model.source import FleetView
from debugtui.model.target import Target
from debugtui.model.topology import Topology

if TYPE_CHECKING:
    from debugtui.config.models import Config


def placed(view: FleetView, config: Config, alerts: Iterable[Alert]) -> tuple[Topology, Catalogue]:
    """Return the topology of a view, its states worsened by what the rules found, and the catalogue of its services."""
    found = build_topology(view, config, severities_of(alerts))
    return found, build_catalogue(view, config, found)


def severities_of(alerts: Iterable[Alert]) -> Mapping[Target, Severity]:
    """Return the worst severity of each thing that alerts are about; that something cannot be read is no state of it."""
    worst: dict[Target, Severity] = {}
    for alert in alerts:
        known = worst.get(alert.target)
        if alert.rule not in UNREADABLE and (known is None or alert.severity.rank < known.rank):
            worst[alert.target] = alert.severity
    return worst
