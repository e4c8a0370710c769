"""The figures of the monitoring servers that the short history keeps."""

from __future__ import annotations

from debugtui.model.alertmanager import AlertmanagerReading
from debugtui.model.grafana import GrafanaReading
from debugtui.model.loki import LokiReading
from debugtui.model.prometheus import PrometheusReading
from debugtui.model.source import Kind, Reading

METRICS: dict[Kind, tuple[str, ...]] = {
    Kind.PROMETHEUS: ("up", "down", "firing", "series"),
    Kind.ALERTMANAGER: ("active", "suppressed"),
    Kind.LOKI: ("errors",),
    Kind.GRAFANA: ("failing",),
}


def figures(reading: Reading | None) -> list[float | None] | None:
    """Return a reading's figures in the order of `METRICS`; None: it is no monitoring server's."""
    if isinstance(reading, PrometheusReading):
        known = reading.targets is not None
        firing = None if reading.alerts is None else sum(alert.state == "firing" for alert in reading.alerts)
        return [
            reading.by_health.get("up", 0) if known else None,
            reading.by_health.get("down", 0) if known else None,
            firing,
            reading.head_series,
        ]
    if isinstance(reading, AlertmanagerReading):
        alerts = reading.alerts
        if alerts is None:
            return [None, None]
        suppressed = sum(alert.state == "suppressed" for alert in alerts)
        return [len(alerts) - suppressed, suppressed]
    if isinstance(reading, LokiReading):
        return [None if reading.errors is None else sum(one.count for one in reading.errors)]
    if isinstance(reading, GrafanaReading):
        return [None if reading.datasources is None else sum(one.ok is False for one in reading.datasources)]
    return None
