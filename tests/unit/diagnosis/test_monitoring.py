"""Root causes in the monitoring itself."""

from __future__ import annotations

import pytest

from debugtui.diagnosis.anomaly import Anomaly, Aspect, Role
from debugtui.diagnosis.explain import explain
from debugtui.diagnosis.found import anomalies_of
from debugtui.diagnosis.reach import Reach
from debugtui.model.alerts import Severity
from debugtui.model.loki import LokiReading
from debugtui.model.source import FleetView, Gap, Kind, Problem
from debugtui.model.topology import Edge, Layer, Topology
from tests.unit.diagnosis.build import NOW, box, causes, decided, docker, edges, host, postgres, source, t, view, web

SERVERS = (Kind.PROMETHEUS, Kind.LOKI, Kind.ALERTMANAGER, Kind.GRAFANA)
WATCHES = Edge(
    t("n1/prometheus/prom"), t("n1/docker/pg-exporter"), "it scrapes 127.0.0.1:9187, which is published by pg-exporter"
)
AND_ANOTHER = Edge(t("n1/prometheus/prom"), t("n1/docker/node-exporter"), "it scrapes 127.0.0.1:9100, which is published by it")


def target_down(instance: str = "127.0.0.1:9187") -> Anomaly:
    about = t(f"n1/prometheus/prom/databases/{instance}")
    return Anomaly(
        "prometheus_target_down", about, Layer.MONITORING, Aspect.DOWN, Role.CAUSE, Severity.HIGH,
        f"databases {instance} is down: connection refused", t("n1/prometheus/prom"), "targets", NOW, None, 65,
        (("instances", instance),),
    )  # fmt: skip


def roots(world: FleetView, *more: Anomaly, topology: Topology) -> list[str]:
    found = (*anomalies_of(world), *more)
    return [f"{root.cause.layer.value} {root.cause.target}" for root in explain(found, Reach(topology))]


@pytest.mark.parametrize("kind", SERVERS)
@pytest.mark.parametrize("place", ["n1", "monitoring"])
def test_a_monitoring_server_that_is_gone_is_the_monitorings_fault(kind: Kind, place: str) -> None:
    lost = source(kind, None, "ops", f"{kind.value} ops cannot be reached: connection refused")
    world = view(host("n1", web(), docker(box("api"))), *([host(place, lost)] if place != "n1" else []))
    if place == "n1":
        world = view(host("n1", web(), docker(box("api")), lost))
    assert causes(decided(world)) == [("monitoring", f"{place}/{kind.value}/ops")]


@pytest.mark.parametrize(
    "words", ["grafana ops answers 401 to /api/health: invalid token", "loki ops answers 403 to /ready: no"]
)
def test_a_monitoring_server_that_refuses_our_login_is_asked_about(words: str) -> None:
    kind = Kind.GRAFANA if "grafana" in words else Kind.LOKI
    found = decided(view(host("n1", web()), host("monitoring", source(kind, None, "ops", words))))
    assert found.findings == ()
    assert f"monitoring/{kind.value}/ops" in found.undecided[0].reading


def test_a_monitoring_server_whose_container_is_down_is_that_containers_fault_and_still_the_monitorings() -> None:
    lost = source(Kind.PROMETHEUS, None, "prom", "prometheus prom cannot be reached: connection refused")
    gone = box("prometheus-1", "exited", exit_code=1)
    world = view(host("n1", docker(gone, box("api")), lost))
    assert causes(decided(world, edges(("n1/prometheus/prom", "n1/docker/prometheus-1")))) == [
        ("monitoring", "n1/docker/prometheus-1")
    ]


def test_a_target_that_is_down_while_the_thing_itself_is_well_is_the_monitorings_fault() -> None:
    world = view(host("n1", postgres(), docker(box("pg-exporter"), box("api"))))
    assert roots(world, target_down(), topology=Topology(NOW, (), (WATCHES,))) == [
        "monitoring n1/prometheus/prom/databases/127.0.0.1:9187"
    ]


def test_a_target_that_is_down_with_the_thing_behind_it_is_that_things_fault() -> None:
    loop = box("pg-exporter", "restarting", looping=True, exit_code=1)
    world = view(host("n1", docker(loop, box("api"))))
    assert roots(world, target_down(), topology=Topology(NOW, (), (WATCHES, AND_ANOTHER))) == ["docker n1/docker/pg-exporter"]


def test_a_target_whose_exporter_was_stopped_is_the_exporters_fault() -> None:
    world = view(host("n1", docker(box("pg-exporter", "exited", exit_code=0), box("api"))))
    assert roots(world, target_down(), topology=Topology(NOW, (), (WATCHES,))) == ["docker n1/docker/pg-exporter"]


def test_another_thing_that_the_same_server_watches_explains_nothing() -> None:
    loop = box("node-exporter", "restarting", looping=True, exit_code=1)
    world = view(host("n1", docker(loop, box("pg-exporter"))))
    assert roots(world, target_down(), topology=Topology(NOW, (), (WATCHES, AND_ANOTHER))) == [
        "docker n1/docker/node-exporter", "monitoring n1/prometheus/prom/databases/127.0.0.1:9187",
    ]  # fmt: skip


def test_a_loki_that_is_ready_and_answers_no_question_is_at_fault() -> None:
    def loki(*gaps: Gap, ready: bool = True) -> FleetView:
        return view(host("n1", source(Kind.LOKI, LokiReading(NOW, "http://127.0.0.1:3100", ready, gaps=gaps), "ops")))

    broken = Gap("labels", Problem("loki ops answers 500 to /loki/api/v1/labels: too many unhealthy instances in the ring"))
    assert causes(decided(loki(broken))) == [("monitoring", "n1/loki/ops")]
    assert causes(decided(loki(Gap("errors", Problem("no label says who logs"))))) == []
    assert causes(decided(loki(Gap("version", broken.problem)))) == []
    assert len(decided(loki(broken, ready=False)).findings) == 1
