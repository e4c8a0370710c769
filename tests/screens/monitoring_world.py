"""Monitoring servers that stand still, for the pictures, each with faults of its own; one of them cannot be read."""

from __future__ import annotations

import math
from datetime import timedelta

from debugtui.fleet.fleet import Fleet, HostParts
from debugtui.model.alertmanager import AlertmanagerReading, Integration, Silence
from debugtui.model.grafana import Dashboard, Datasource, GrafanaReading
from debugtui.model.loki import ErrorLines, LokiReading
from debugtui.model.monitoring import Firing, QueryResult, QuerySeries
from debugtui.model.prometheus import AlertmanagerLink, Notifications, PrometheusReading, Rule, ScrapeTarget
from debugtui.model.source import Gap, Kind, Problem
from debugtui.model.target import MONITORING
from debugtui.sources.base import SourceError
from debugtui.sources.prometheus import QueryRefusedError
from tests.unit.fakes import START, FakeClock, FakeLink, FakeSource, system_reading


def ago(seconds: float):
    return START - timedelta(seconds=seconds)


def target(job: str, instance: str, health: str = "up", error: str = "") -> ScrapeTarget:
    return ScrapeTarget(job, instance, health, ago(6), 0.012, error, f"http://{instance}/metrics", 15.0)


REFUSED = 'Get "http://10.0.0.13:9100/metrics": dial tcp 10.0.0.13:9100: connect: connection refused'
DISK = {"alertname": "DiskAlmostFull", "instance": "10.0.0.11:9100", "severity": "critical", "mountpoint": "/var"}
DOWN = {"alertname": "TargetDown", "instance": "10.0.0.13:9100", "job": "node", "severity": "warning"}


def prometheus() -> PrometheusReading:
    return PrometheusReading(
        taken_at=ago(3),
        url="http://127.0.0.1:9090",
        version="2.42.0",
        started_at=ago(864_000),
        config_ok=False,
        config_at=ago(90_000),
        retention="15d",
        head_series=412_300,
        ahead_s=0.02,
        newest_age_s=4.0,
        targets=(
            target("node", "10.0.0.13:9100", "down", REFUSED),
            target("blackbox", "https://coach.example.org/", "unknown"),
            target("node", "10.0.0.11:9100"),
            target("node", "10.0.0.12:9100"),
            target("postgres", "10.0.0.11:9187"),
            target("[@click=app.quit]not a link[/]", "10.0.0.12:9113"),
        ),
        by_health={"down": 1, "unknown": 1, "up": 4},
        rules=(
            Rule("coach", "ApiErrors", "alerting", "err", "found duplicate series", ago(9), 0.002, "inactive"),
            Rule("hosts", "TargetDown", "alerting", "ok", "", ago(9), 0.001, "firing", "up == 0", 15.0),
            Rule("hosts", "DiskAlmostFull", "alerting", "ok", "", ago(9), 0.004, "firing", "node_filesystem_avail_bytes < 1e9"),
            Rule("hosts", "Load", "alerting", "ok", "", ago(9), 0.001, "pending", "node_load1 > 8", 15.0),
            Rule("hosts", "job:up:sum", "recording", "ok", "", ago(9), 0.0004, "", "sum by (job) (up)", 15.0),
        ),
        alerts=(
            Firing("DiskAlmostFull", DISK, "firing", "critical", ago(4_000), 8e8, "/var has 0.8 GB left"),
            Firing("TargetDown", DOWN, "firing", "warning", ago(700), 0.0, "10.0.0.13:9100 is down"),
            Firing("Load", {"alertname": "Load", "instance": "10.0.0.12:9100"}, "pending", "", ago(40), 9.1, "load 9.1"),
        ),
        alertmanagers=(AlertmanagerLink("http://127.0.0.1:9093/api/v2/alerts", active=True, errors=2),),
        notifications=Notifications(0, 10_000, 1_204, 3, 0),
        missed={"/etc/prometheus/slow.yml;slow": 4},
    )


def alertmanager() -> AlertmanagerReading:
    return AlertmanagerReading(
        taken_at=ago(2),
        url="http://127.0.0.1:9093",
        version="0.25.0",
        started_at=ago(400_000),
        cluster="disabled",
        receivers=("ops", "nobody"),
        alerts=(
            Firing(
                "DiskAlmostFull", {**DISK, "site": "lab"}, "active", "critical", ago(3_960), None, "/var has 0.8 GB left",
                fingerprint="ab12", receivers=("ops",),
            ),
            Firing(
                "TargetDown", {**DOWN, "site": "lab"}, "suppressed", "warning", ago(660), None, "10.0.0.13:9100 is down",
                fingerprint="cd34", silenced_by=("5a4c1e2b-77aa",), receivers=("ops",),
            ),
        ),
        silences=(
            Silence(
                "5a4c1e2b-77aa", "active", ('instance="10.0.0.13:9100"',), "ops", "kvm-03 gets a new power supply", ago(900),
                ago(-5_400),
            ),
            Silence("77cc0d1e-0001", "active", ('alertname=~"Batch.*"', 'job!="db"'), "night", "batch", ago(3_000), ago(-300)),
        ),
        config_hash="1a2b3c4d5e6f",
        config_ok=True,
        config_at=ago(400_000),
        integrations=(Integration("email", 40, 0, 2, 0), Integration("webhook", 220, 12, 10, 6)),
    )  # fmt: skip


def loki() -> LokiReading:
    return LokiReading(
        taken_at=ago(5),
        url="http://127.0.0.1:3100",
        ready=True,
        version="2.9.10",
        labels=("app", "filename", "level"),
        by="app",
        errors=(ErrorLines("coach-api", 212), ErrorLines("coach-worker", 14), ErrorLines("nginx", 1)),
        errors_at=ago(20),
    )


def grafana() -> GrafanaReading:
    return GrafanaReading(
        taken_at=ago(4),
        url="http://127.0.0.1:3000",
        version="10.4.2",
        database="ok",
        datasources=(
            Datasource("p1", "Prometheus", "prometheus", "http://prometheus:9090", True, "Successfully queried", ago(30), True),
            Datasource("d1", "Coach database", "postgres", "db:5432", False, "pq: password authentication failed", ago(30)),
            Datasource("o1", "Old figures", "graphite", "http://old:80/", None, "it has no check", ago(30)),
        ),
        dashboards=(Dashboard("b1", "Hosts", "Infra", "/d/b1/hosts"), Dashboard("b2", "Coach", "", "/d/b2/coach")),
        gaps=(Gap("alerts", Problem("You'll need additional permissions: alert.instances:read")),),
    )


class FakePrometheus(FakeSource):
    """Answers queries, too; `broken(` is refused, `slow` never answers."""

    def __init__(self, name: str, answer: PrometheusReading | Exception) -> None:
        super().__init__(Kind.PROMETHEUS, name, answer)
        self.asked: list[str] = []

    async def query(self, expr: str) -> QueryResult:
        self.asked.append(expr)
        if "broken(" in expr:
            raise QueryRefusedError(Problem("1:8: parse error: unclosed left parenthesis"))
        at = START.timestamp()
        values = (("10.0.0.11:9100", 1.0), ("10.0.0.12:9100", 0.5), ("10.0.0.13:9100", math.nan))
        return QueryResult(
            "vector",
            tuple(QuerySeries({"__name__": "load", "instance": one, "job": "node"}, (at,), (value,)) for one, value in values),
        )

    async def query_range(self, expr: str, start: float, end: float, step: float) -> QueryResult:
        times = tuple(start + (end - start) * part / 120 for part in range(121))
        series = []
        for at, one in enumerate(("10.0.0.11:9100", "10.0.0.12:9100")):
            values = tuple(2 + at + math.sin(part / 9) for part in range(121))
            series.append(QuerySeries({"__name__": "load", "instance": one, "job": "node"}, times, values))
        return QueryResult("matrix", tuple(series))


def monitoring_world() -> tuple[Fleet, FakeClock]:
    """Return a fleet of one host with servers behind it, and of servers beside it; one of these cannot be read."""
    clock = FakeClock()
    lost = SourceError(
        Problem("prometheus does not answer /api/v1/query within 10 s", "is it running at http://10.0.0.9:9090?")
    )
    parts = [
        HostParts(
            FakeLink("kvm-01"),
            [
                (FakeSource(Kind.SYSTEM, answer=system_reading()), True),
                (FakePrometheus("prom", prometheus()), True),
                (FakeSource(Kind.ALERTMANAGER, "am", alertmanager()), True),
            ],
        ),
        HostParts(
            FakeLink(MONITORING),
            [
                (FakePrometheus("far", lost), True),
                (FakeSource(Kind.LOKI, "logs", loki()), True),
                (FakeSource(Kind.GRAFANA, "boards", grafana()), True),
            ],
        ),
    ]
    return Fleet(parts, refresh=2.0, clock=clock), clock
