"""What the monitoring servers say of themselves, as metrics."""

from __future__ import annotations

from collections import Counter

from debugtui.headless.metrics.samples import Samples, gauge
from debugtui.model.alertmanager import AlertmanagerReading
from debugtui.model.grafana import GrafanaReading
from debugtui.model.loki import LokiReading
from debugtui.model.prometheus import PrometheusReading

_ONE = ("host", "server")
TARGETS = gauge("prometheus_targets", "Targets of a Prometheus, by their health.", *_ONE, "health", own=2)
CONFIG = gauge("prometheus_config_ok", "Whether its last reload went well.", *_ONE, own=2)
SERIES = gauge("prometheus_head_series", "Series that it holds in memory.", *_ONE, own=2)
NEWEST = gauge("prometheus_newest_sample_age_seconds", "Age of its newest sample, by its own clock.", *_ONE, own=2)
RULES = gauge("prometheus_rules", "Rules of a Prometheus, by their health.", *_ONE, "health", own=2)
FIRING = gauge("prometheus_alerts", "Alerts of a Prometheus, by their state.", *_ONE, "state", own=2)

HELD = gauge("alertmanager_alerts", "Alerts that an Alertmanager holds, by their state.", *_ONE, "state", own=2)
TAKEN = gauge("alertmanager_config_ok", "Whether its last reload went well.", *_ONE, own=2)
SILENCES = gauge("alertmanager_silences", "Silences of an Alertmanager.", *_ONE, own=2)

READY = gauge("loki_ready", "Whether a Loki is ready.", *_ONE, own=2)
ERRORS = gauge("loki_error_lines", "Error lines of five minutes in a Loki.", *_ONE, own=2)

DATABASE = gauge("grafana_database_ok", "Whether the database of a Grafana is well.", *_ONE, own=2)
SOURCES = gauge("grafana_datasources", "Datasources of a Grafana, by whether they answer.", *_ONE, "state", own=2)


def of_prometheus(samples: Samples, host: str, name: str, reading: PrometheusReading) -> None:
    """Add what a Prometheus says of itself."""
    for health, count in reading.by_health.items():
        samples.add(TARGETS, count, host, name, health)
    samples.add(CONFIG, reading.config_ok, host, name)
    samples.add(SERIES, reading.head_series, host, name)
    samples.add(NEWEST, reading.newest_age_s, host, name)
    if reading.rules is not None:
        for health, count in Counter(rule.health for rule in reading.rules).items():
            samples.add(RULES, count, host, name, health)
    if reading.alerts is not None:
        for state, count in Counter(alert.state for alert in reading.alerts).items():
            samples.add(FIRING, count, host, name, state)


def of_alertmanager(samples: Samples, host: str, name: str, reading: AlertmanagerReading) -> None:
    """Add what an Alertmanager holds."""
    samples.add(TAKEN, reading.config_ok, host, name)
    if reading.silences is not None:
        samples.add(SILENCES, len(reading.silences), host, name)
    if reading.alerts is not None:
        for state, count in Counter(alert.state for alert in reading.alerts).items():
            samples.add(HELD, count, host, name, state)


def of_loki(samples: Samples, host: str, name: str, reading: LokiReading) -> None:
    """Add whether a Loki is ready, and the error lines in it."""
    samples.add(READY, reading.ready, host, name)
    if reading.errors is not None:
        samples.add(ERRORS, sum(one.count for one in reading.errors), host, name)


def of_grafana(samples: Samples, host: str, name: str, reading: GrafanaReading) -> None:
    """Add whether a Grafana and its datasources are well."""
    samples.add(DATABASE, reading.database == "ok" if reading.database else None, host, name)
    if reading.datasources is not None:
        states = {True: "ok", False: "failing", None: "unknown"}
        for state, count in Counter(states[one.ok] for one in reading.datasources).items():
            samples.add(SOURCES, count, host, name, state)
