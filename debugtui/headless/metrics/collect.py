"""From a view and its alerts to samples, and from samples to what prometheus_client writes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING, Any

from debugtui import __version__
from debugtui.headless.metrics import of_hosts, of_monitoring, of_services, of_state
from debugtui.headless.metrics.samples import Samples, gauge, seconds
from debugtui.model.alertmanager import AlertmanagerReading
from debugtui.model.alerts import Alert, Severity
from debugtui.model.backup import BackupReading
from debugtui.model.chrome import ChromeReading
from debugtui.model.docker import DockerReading
from debugtui.model.grafana import GrafanaReading
from debugtui.model.groq import GroqReading
from debugtui.model.journal import JournalReading
from debugtui.model.libvirt import LibvirtReading
from debugtui.model.loki import LokiReading
from debugtui.model.nginx import NginxReading
from debugtui.model.postgres import PostgresReading
from debugtui.model.prometheus import PrometheusReading
from debugtui.model.rabbitmq import RabbitmqReading
from debugtui.model.redis import RedisReading
from debugtui.model.source import FleetView, Freshness, LinkState, SourceStatus
from debugtui.model.system import SystemReading
from debugtui.model.target import NO_HOSTS
from debugtui.model.tls import TlsReading
from debugtui.model.web import WebReading

if TYPE_CHECKING:
    from prometheus_client.core import Metric as Family
    from prometheus_client.registry import CollectorRegistry

_SOURCE = ("host", "kind", "source")
BUILD = gauge("build_info", "Always 1; the label names the version.", "version")
LINK = gauge("link_up", "Whether the connection to a host stands.", "host")
UP = gauge("source_up", "Whether a source was read lately; none for one that is off.", *_SOURCE, own=3)
AGE = gauge("source_age_seconds", "Age of the newest reading of a source.", *_SOURCE, own=3)
TOOK = gauge("source_read_seconds", "How long the last reading of a source took.", *_SOURCE, own=3)
GAPS = gauge("source_gaps", "Parts of a source that could not be read.", *_SOURCE, own=3)
ALERTS = gauge("alerts", "Alerts that are raised, by severity.", "severity", own=0)
BY_RULE = gauge("alerts_by_rule", "Alerts that are raised, by rule and severity.", "rule", "severity", own=0)
DROPPED = gauge("dropped_series", "Series that are left out because one source would have too many.")


def collect(view: FleetView, alerts: Iterable[Alert]) -> Samples:
    """Return everything that a view and its alerts tell, as samples."""
    samples = Samples()
    samples.add(BUILD, 1, __version__)
    for host in view.hosts:
        if host.name not in NO_HOSTS:
            samples.add(LINK, host.link.state is LinkState.UP, host.name)
        for status in host.sources:
            if status.freshness is not Freshness.OFF:
                _source(samples, status, view)
    alerts = tuple(alerts)
    severities = Counter(alert.severity for alert in alerts)
    for severity in Severity:
        samples.add(ALERTS, severities[severity], severity.value)
    for (rule, severity), count in Counter((alert.rule, alert.severity) for alert in alerts).items():
        samples.add(BY_RULE, count, rule, severity.value)
    samples.add(DROPPED, samples.dropped)
    return samples


def _source(samples: Samples, status: SourceStatus, view: FleetView) -> None:
    one = (status.host, status.kind.value, status.name)
    samples.add(UP, status.freshness is Freshness.LIVE, *one)
    samples.add(TOOK, seconds(status.took_ms), *one)
    reading = status.reading
    if reading is None:
        return
    samples.add(AGE, max(0.0, (view.taken_at - reading.taken_at).total_seconds()), *one)
    samples.add(GAPS, len(reading.gaps), *one)
    # What is lost is not told as if it were so now: its series end, as those of a target that is down do.
    if status.freshness is not Freshness.LOST:
        _reading(samples, status)


def _reading(samples: Samples, status: SourceStatus) -> None:
    add = _ADDERS.get(type(status.reading))
    if add is not None:
        add(samples, status.host, status.name, status.reading)


#: What adds the samples of each kind of reading: of a host, and of the source's name there.
_ADDERS: dict[type, Callable[[Samples, str, str, Any], None]] = {
    SystemReading: of_hosts.of_system,
    LibvirtReading: of_hosts.of_libvirt,
    DockerReading: of_hosts.of_docker,
    PostgresReading: of_services.of_postgres,
    WebReading: of_services.of_web,
    TlsReading: of_services.of_tls,
    NginxReading: of_services.of_nginx,
    ChromeReading: of_services.of_chrome,
    GroqReading: of_services.of_groq,
    RedisReading: of_state.of_redis,
    RabbitmqReading: of_state.of_rabbitmq,
    JournalReading: of_state.of_journal,
    BackupReading: of_state.of_backup,
    PrometheusReading: of_monitoring.of_prometheus,
    AlertmanagerReading: of_monitoring.of_alertmanager,
    LokiReading: of_monitoring.of_loki,
    GrafanaReading: of_monitoring.of_grafana,
}


def families(samples: Samples) -> Iterator[Family]:
    """Yield the samples in the library's own form."""
    from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily

    for metric, series in sorted(samples.values.items(), key=lambda item: item[0].name):
        kind = CounterMetricFamily if metric.kind == "counter" else GaugeMetricFamily
        family = kind(metric.name, metric.help, labels=metric.labels)
        for labels, value in series.items():
            family.add_metric(labels, value)
        yield family


class Exposition:
    """A collector of prometheus_client that gives out the newest samples; another thread may put new ones in at any time."""

    def __init__(self) -> None:
        self.samples = Samples()

    def collect(self) -> Iterator[Family]:
        """Yield the newest samples."""
        yield from families(self.samples)

    def describe(self) -> Iterator[Family]:
        """Yield nothing: what there will be is not known beforehand."""
        return iter(())


def registry_of(exposition: Exposition) -> CollectorRegistry:
    """Return a registry that holds nothing else."""
    from prometheus_client.registry import CollectorRegistry

    registry = CollectorRegistry(auto_describe=False)
    registry.register(exposition)
    return registry
