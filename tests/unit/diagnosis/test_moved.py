"""A container that was made anew with another port: what looks for it finds nobody, and it is the cause."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from debugtui.model.docker import Container
from debugtui.model.prometheus import PrometheusReading, ScrapeTarget
from debugtui.model.source import FleetView, Kind, SourceStatus
from debugtui.model.system import HostNetwork, Socket
from tests.unit.diagnosis.build import (
    NOW,
    WebFault,
    ago,
    answers,
    box,
    causes,
    decided,
    docker,
    edges,
    event,
    host,
    nginx,
    source,
    system,
    upstream,
    view,
    web,
)

NEW, OLD = ago(30), ago(50_000)


def listens(*pairs: tuple[Container, int]) -> SourceStatus:
    sockets = tuple(Socket("127.0.0.1", port, program="api", pid=7, container=container.id) for container, port in pairs)
    return system(network=HostNetwork(sockets=sockets))


def api(**changes: Any) -> Container:
    return box("shop-api-1", project="shop", service="api", **{"created_at": NEW, **changes})


def world(
    *containers: tuple[Container, int], dead: int = 8001, changed: float = 10_000, more: tuple[SourceStatus, ...] = ()
) -> FleetView:
    up = upstream("api", **{f"port_{dead}": False})
    return view(
        host(
            "n1",
            listens(*containers),
            docker(*(container for container, _ in containers)),
            nginx(upstreams=(up,), config_changed_at=ago(changed)),
            web("front", status=502),
            *more,
        )
    )


def prometheus(port: int, health: str) -> SourceStatus:
    target = ScrapeTarget(job="api", instance=f"127.0.0.1:{port}", health=health, url=f"http://127.0.0.1:{port}/metrics")
    return source(
        Kind.PROMETHEUS,
        PrometheusReading(taken_at=NOW, url="http://127.0.0.1:9090", targets=(target,), newest_age_s=1.0),
        "prom",
    )


def test_a_container_made_after_the_configuration_that_listens_elsewhere_is_the_cause() -> None:
    found = decided(world((api(), 8099)))
    assert causes(found) == [("docker", "n1/docker/shop-api-1")]
    assert "8099" in found.findings[0].title
    assert "127.0.0.1:8001" in found.findings[0].title
    assert answers(found)[0][:2] == ("docker.recreate", "n1/docker/shop-api-1")


def test_what_watches_the_same_address_is_no_second_cause() -> None:
    found = decided(world((api(), 8099), more=(prometheus(8001, "down"),)))
    assert causes(found) == [("docker", "n1/docker/shop-api-1")]


def test_a_configuration_that_was_changed_after_the_container_was_made_is_at_fault_itself() -> None:
    assert causes(decided(world((api(), 8099), changed=10))) == [("web", "n1/nginx/main")]
    assert causes(decided(world((api(created_at=OLD), 8099)))) == [("web", "n1/nginx/main")]


def test_a_container_that_is_looked_for_where_it_is_has_not_moved() -> None:
    assert causes(decided(world((api(), 8099), more=(prometheus(8099, "up"),)))) == [("web", "n1/nginx/main")]


def test_of_several_the_one_that_the_route_is_known_to_rest_on_or_that_has_the_upstreams_name_is_meant() -> None:
    other = box("shop-jobs-1", project="shop", service="jobs", created_at=NEW)
    assert causes(decided(world((api(), 8099), (other, 8098)))) == [("docker", "n1/docker/shop-api-1")]
    nameless = replace(api(), service="")
    assert causes(decided(world((nameless, 8099), (other, 8098)))) == [("docker", "n1/docker/shop-api-1")]
    strange = replace(nameless, name="cart-1")
    assert causes(decided(world((strange, 8099), (other, 8098)))) == [("web", "n1/nginx/main")]
    known = edges(("n1/nginx/main", "n1/docker/shop-jobs-1"))
    assert causes(decided(world((nameless, 8099), (other, 8098)), known)) == [("docker", "n1/docker/shop-jobs-1")]


def test_of_several_without_any_hint_the_last_one_is_meant_and_that_is_less_sure() -> None:
    later, older = box("cart-1", created_at=ago(5)), box("jobs-1", created_at=ago(300))
    found = decided(world((later, 8099), (older, 8098)))
    assert causes(found) == [("docker", "n1/docker/cart-1")]
    assert found.findings[0].confidence < decided(world((api(), 8099))).findings[0].confidence


def test_where_a_container_was_taken_away_lately_it_is_the_one_that_is_missed() -> None:
    events = tuple(event(action, "ledger-gw", age) for action, age in (("kill", 21), ("die", 20), ("destroy", 20)))
    fine = box("mail-1", created_at=ago(60))
    sources = world((fine, 8099)).hosts[0].sources
    docked = tuple(docker(fine, events=events) if one.kind is Kind.DOCKER else one for one in sources)
    found = decided(view(host("n1", *docked)))
    assert causes(found) == [("docker", "n1/docker/ledger-gw")]
    other = edges(("n1/nginx/main", "n1/docker/mail-1"))  # what stands behind another upstream of the same nginx
    assert causes(decided(view(host("n1", *docked)), other)) == [("docker", "n1/docker/ledger-gw")]


def test_where_a_container_is_in_trouble_no_other_one_is_guessed_to_have_moved() -> None:
    loop = box("shop-api-1", "restarting", project="shop", service="api", looping=True, exit_code=1, restart_policy="always")
    exporter = box("shop-exporter-1", project="shop", service="exporter", created_at=NEW)
    found = decided(world((loop, 8001), (exporter, 9100)), edges(("n1/nginx/main", "n1/docker/shop-api-1")))
    assert causes(found) == [("docker", "n1/docker/shop-api-1")]
    assert "crashes" in found.findings[0].title


def test_a_busy_processor_refuses_no_connection_but_makes_answers_late() -> None:
    busy = {"cpu_percent": 100.0, "load1": 9.0, "load5": 9.0, "cpus": 2}
    up = upstream("api", port_8001=False)
    refused = view(host("n1", system(**busy), nginx(upstreams=(up,)), web("front", status=502)))
    assert causes(decided(refused)) == [("web", "n1/nginx/main")]
    late = view(host("n1", system(**busy), nginx(), web("front", fault=WebFault.TIMEOUT)))
    assert causes(decided(late)) == [("host", "n1/system")]
