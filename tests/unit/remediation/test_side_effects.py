"""What else got worse, and is not what the plan meant to change."""

from __future__ import annotations

from dataclasses import replace

import pytest

from debugtui.alerts.settings import Rules
from debugtui.model.alert_rules import Override
from debugtui.model.docker import Container, DockerReading
from debugtui.model.libvirt import LibvirtReading, Vm
from debugtui.model.postgres import PostgresReading
from debugtui.model.source import FleetView, Freshness, HostView, Kind, LinkState, LinkStatus, Problem, SourceStatus
from debugtui.model.target import Target
from debugtui.remediation.side_effects import compare
from tests.unit.fakes import START, filesystem, system_reading


def container(name: str, **changes: object) -> Container:
    values: dict[str, object] = dict.fromkeys(
        ("id", "image", "image_id", "command", "project", "service", "status", "restart_policy"), "x"
    )
    values |= {"name": name, "state": "running", "health": "healthy", "exit_code": None, "oom_killed": False, "restarts": 0}
    values |= {"looping": False, "created_at": None, "started_at": None, "finished_at": None}
    return Container(**{**values, **changes})  # type: ignore[arg-type]


def docker(*containers: Container) -> SourceStatus:
    reading = DockerReading(START, "27", "1.43", "linux", "6.1", "overlay2", "2", "/var/lib/docker", containers)
    return SourceStatus("kvm-01", "docker", Kind.DOCKER, Freshness.LIVE, reading=reading)


def libvirt(**states: str) -> SourceStatus:
    vms = tuple(Vm(name, name, 1, state, "booted", 1, 1, 0.0, 1, 1, None, None) for name, state in states.items())
    reading = LibvirtReading(START, "qemu:///system", "kvm-01", "9", "QEMU", True, 8, 1, 1, vms)
    return SourceStatus("kvm-01", "libvirt", Kind.LIBVIRT, Freshness.LIVE, reading=reading)


def postgres() -> SourceStatus:
    reading = PostgresReading(START, "coach", "15", 150018, "monitor", False, None, 3, 100, 3)
    return SourceStatus("kvm-01", "coach", Kind.POSTGRES, Freshness.LIVE, reading=reading)


def system(percent: float) -> SourceStatus:
    reading = system_reading(filesystems=(filesystem(percent, "/srv"),))
    return SourceStatus("kvm-01", "system", Kind.SYSTEM, Freshness.LIVE, reading=reading)


def view(*sources: SourceStatus, host: str = "kvm-01") -> FleetView:
    return FleetView(START, (HostView(host, "local", LinkStatus(LinkState.UP), sources),))


def effects(before: SourceStatus, after: SourceStatus, *expected: str) -> list[tuple[str, bool]]:
    found = compare(view(before), view(after), "kvm-01", [Target.parse(text) for text in expected])
    return [(effect.says, effect.critical) for effect in found]


def test_nothing_got_worse() -> None:
    assert effects(docker(container("api")), docker(container("api"))) == []


def test_a_container_that_stopped() -> None:
    after = docker(container("api", state="exited"))
    assert effects(docker(container("api")), after) == [("kvm-01/docker/api was running before, and is not running now", True)]


def test_a_container_that_loops_or_is_gone_does_not_run() -> None:
    assert len(effects(docker(container("api")), docker(container("api", looping=True)))) == 1
    assert len(effects(docker(container("api")), docker())) == 1


def test_a_container_that_became_unhealthy() -> None:
    after = docker(container("api", health="unhealthy"))
    assert effects(docker(container("api")), after) == [("kvm-01/docker/api was healthy before, and is unhealthy now", True)]
    assert effects(after, after) == []


@pytest.mark.parametrize("expected", ["kvm-01/docker/api", "kvm-01/docker"])
def test_what_is_meant_to_change_is_no_side_effect(expected: str) -> None:
    assert effects(docker(container("api")), docker(), expected) == []


def test_a_vm_that_stopped() -> None:
    assert effects(libvirt(web="running", db="running"), libvirt(web="running", db="paused")) == [
        ("kvm-01/libvirt/db was running before, and is not running now", True)
    ]


@pytest.mark.parametrize("freshness", [Freshness.LOST, Freshness.STALE])
def test_a_database_that_can_no_longer_be_read(freshness: Freshness) -> None:
    lost = replace(postgres(), freshness=freshness, problem=Problem("connection refused"))
    assert effects(postgres(), lost) == [
        ("kvm-01/postgres/coach could be read before, and cannot now: connection refused", True)
    ]
    assert effects(postgres(), lost, "kvm-01/postgres/coach/4711") == []


def test_a_source_that_is_gone_is_said_once_and_not_for_each_container() -> None:
    lost = replace(docker(), freshness=Freshness.LOST, problem=None)
    assert effects(docker(container("api"), container("worker")), lost) == [
        ("kvm-01/docker could be read before, and cannot now: no answer", True)
    ]


def test_a_new_alert() -> None:
    found = effects(system(50.0), system(98.0))
    assert len(found) == 1
    assert found[0][0].startswith("new alert, critical:")
    assert found[0][1]
    assert effects(system(98.0), system(98.0)) == []
    assert effects(system(50.0), system(92.0))[0][1] is False


def test_a_host_that_the_view_does_not_hold_cannot_be_compared() -> None:
    assert compare(view(docker()), view(docker(), host="other"), "kvm-01", []) == ()


def test_what_the_operator_does_not_call_an_alert_is_no_side_effect() -> None:
    before, after, rules = view(system(40.0)), view(system(99.0)), Rules({"disk": (Override(enabled=False),)})
    assert [effect.critical for effect in compare(before, after, "kvm-01", [])] == [True]
    assert compare(before, after, "kvm-01", [], rules) == ()
