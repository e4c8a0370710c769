"""The rules of the outer layers, by the kind of their readings."""

from __future__ import annotations

from collections.abc import Iterator

from debugtui.alerts import chrome, groq, monitoring, nginx, tls, web
from debugtui.alerts.rules import Finding
from debugtui.model.alertmanager import AlertmanagerReading
from debugtui.model.chrome import ChromeReading
from debugtui.model.grafana import GrafanaReading
from debugtui.model.groq import GroqReading
from debugtui.model.loki import LokiReading
from debugtui.model.nginx import NginxReading
from debugtui.model.prometheus import PrometheusReading
from debugtui.model.source import Freshness, Reading, SourceStatus
from debugtui.model.target import Target
from debugtui.model.tls import TlsReading
from debugtui.model.web import WebReading


def of_outer(status: SourceStatus) -> Iterator[Finding]:
    """Yield what the rules find in the reading of an outer layer; what is lost is not judged."""
    if status.freshness in (Freshness.LOST, Freshness.OFF):
        return
    target, reading = Target(status.host, status.kind.value, status.name), status.reading
    if isinstance(reading, WebReading):
        yield from web.findings(target, reading)
    elif isinstance(reading, TlsReading):
        yield from tls.findings(target, reading)
    elif isinstance(reading, NginxReading):
        yield from nginx.findings(target, reading)
    elif isinstance(reading, ChromeReading):
        yield from chrome.findings(target, reading)
    elif isinstance(reading, GroqReading):
        yield from groq.findings(target, reading)
    yield from _of_monitoring(target, reading)


def _of_monitoring(target: Target, reading: Reading | None) -> Iterator[Finding]:
    if isinstance(reading, PrometheusReading):
        yield from monitoring.of_prometheus(target, reading)
    elif isinstance(reading, AlertmanagerReading):
        yield from monitoring.of_alertmanager(target, reading)
    elif isinstance(reading, LokiReading):
        yield from monitoring.of_loki(target, reading)
    elif isinstance(reading, GrafanaReading):
        yield from monitoring.of_grafana(target, reading)
