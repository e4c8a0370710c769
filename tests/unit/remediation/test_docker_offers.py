"""What a row of the container pane offers, in which order, and why the rest does not apply."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from debugtui.model.docker import Container, DockerReading, Image
from debugtui.model.source import FleetView, Freshness, HostView, Kind, LinkState, LinkStatus, SourceStatus
from debugtui.model.target import Target
from debugtui.remediation import registry
from debugtui.remediation.base import Offer

AT = datetime(2026, 3, 14, 9, 0, tzinfo=UTC)
UP = Container(
    id="a" * 64, name="api", image="shop/api:1", image_id="sha256:aa", command="run", project="", service="", state="running",
    status="Up", health="healthy", exit_code=None, oom_killed=False, restarts=0, restart_policy="always", looping=False,
    created_at=AT, started_at=AT, finished_at=None,
)  # fmt: skip
TARGET = Target("kvm-01", "docker", "api")


def view(*containers: Container, images: tuple[Image, ...] = ()) -> FleetView:
    reading = DockerReading(AT, "24.0", "1.43", "Debian", "6.1", "overlay2", "2", "/var/lib/docker", containers, images)
    status = SourceStatus("kvm-01", "docker", Kind.DOCKER, Freshness.LIVE, reading=reading)
    return FleetView(AT, (HostView("kvm-01", "local", LinkStatus(LinkState.UP), (status,)),))


def offers(shown: FleetView, target: Target = TARGET) -> list[Offer]:
    found = [entry.offer(shown, target) for entry in registry.everything("docker")]
    return sorted((offer for offer in found if offer is not None), key=lambda offer: (not offer.applies, offer.rank))


def names(found: list[Offer]) -> list[str]:
    return [offer.remediation.partition(".")[2] for offer in found if offer.applies]


@pytest.mark.parametrize(
    ("changes", "first"),
    [
        ({"looping": True, "state": "restarting"}, ["recreate", "restart_policy", "restart"]),
        ({"health": "unhealthy"}, ["restart", "recreate"]),
        ({"state": "paused"}, ["unpause"]),
        ({"state": "exited", "exit_code": 7}, ["start", "recreate"]),
        ({"oom_killed": True, "state": "exited", "exit_code": 137}, ["update_limits", "start", "recreate"]),
        ({"oom_killed": True, "memory_limit_bytes": 64 << 20}, ["update_limits"]),
        ({"oom_killed": True, "looping": True}, ["update_limits", "restart_policy", "recreate"]),
        ({"memory_limit_bytes": 100, "memory_bytes": 95}, ["update_limits"]),
    ],
)
def test_the_usual_way_out_comes_first(changes: dict[str, object], first: list[str]) -> None:
    found = offers(view(replace(UP, **changes)))  # type: ignore[arg-type]
    assert names(found)[: len(first)] == first


def test_an_oom_kill_suggests_twice_the_limit_and_a_loop_the_end_of_it() -> None:
    found = {
        offer.remediation: offer
        for offer in offers(view(replace(UP, oom_killed=True, memory_limit_bytes=64 << 20, looping=True)))
    }
    assert found["docker.update_limits"].params == (("memory", "128m"),)
    assert found["docker.restart_policy"].params == (("policy", "no"),)


def test_what_does_not_apply_says_why() -> None:
    found = {offer.remediation: offer for offer in offers(view(UP))}
    assert not found["docker.start"].applies
    assert "running" in found["docker.start"].why
    assert not found["docker.update_limits"].applies
    assert not found["docker.compose_up"].applies
    looping = {offer.remediation: offer for offer in offers(view(replace(UP, looping=True)))}
    assert "restart_policy" in looping["docker.stop"].why
    assert all(offer.why for offer in found.values())


def test_compose_offers_its_service_and_the_engine_its_images() -> None:
    found = {offer.remediation: offer for offer in offers(view(replace(UP, project="shop", service="web")))}
    assert found["docker.compose_up"].params == (("service", "web"),)
    dangling = Image("sha256:bb", (), 5_000_000, AT, 0)
    engine = Target("kvm-01", "docker")
    shown = view(UP, images=(dangling, Image("sha256:cc", ("x:1",), 1, AT, 0)))
    assert [(offer.remediation, offer.applies) for offer in offers(shown, engine)] == [("docker.prune_images", True)]
    assert [offer.applies for offer in offers(view(UP), engine)] == [False]


@pytest.mark.parametrize(
    "target", [Target("kvm-01", "docker", "nobody"), Target("kvm-02", "docker", "api"), Target("kvm-01", "libvirt", "api")]
)
def test_nothing_is_offered_for_what_is_not_shown(target: Target) -> None:
    assert offers(view(UP), target) == []


def test_every_entry_describes_itself() -> None:
    for entry in registry.everything("docker"):
        spec = entry.spec
        assert spec.target.startswith("HOST/docker")
        assert 2 <= len(spec.title.split()) <= 5
        assert spec.summary.endswith(".")
        assert spec.undo_says
        assert len(spec.guards) == len(set(spec.guards))
