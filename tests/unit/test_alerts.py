"""The first rules: what raises an alert, how bad it is, since when."""

from __future__ import annotations

import dataclasses
from datetime import timedelta

import pytest

from debugtui.alerts.book import AlertBook
from debugtui.model.alerts import Alert, Severity
from debugtui.model.docker import Container, DockerReading
from debugtui.model.libvirt import LibvirtReading, Vm
from debugtui.model.postgres import Index, LockNode, PostgresReading, Session
from debugtui.model.source import (
    FleetView,
    Freshness,
    HostView,
    Kind,
    LinkState,
    LinkStatus,
    Problem,
    Reading,
    SourceStatus,
)
from tests.unit.fakes import START, filesystem, system_reading


def view_of(
    reading: Reading | None, *, kind: Kind = Kind.SYSTEM, name: str = "", seconds: float = 0, **status: object
) -> FleetView:
    values: dict = {"freshness": Freshness.LIVE, **status}
    source = SourceStatus(host="kvm-01", name=name or kind.value, kind=kind, reading=reading, **values)
    host = HostView("kvm-01", "local", LinkStatus(LinkState.UP), (source,))
    return FleetView(START + timedelta(seconds=seconds), (host,))


def alerts_of(view: FleetView) -> dict[str, Alert]:
    return {alert.rule: alert for alert in AlertBook().update(view)}


def vm(**changes: object) -> Vm:
    values: dict = {
        "name": "web-01",
        "uuid": "u",
        "id": 1,
        "state": "running",
        "reason": "booted",
        "vcpus": 2,
        "vcpus_max": 2,
        "cpu_percent": 10.0,
        "memory_bytes": 1 << 30,
        "memory_max_bytes": 1 << 30,
        "memory_used_bytes": None,
        "rss_bytes": None,
    }
    return Vm(**{**values, **changes})


def libvirt(*vms: Vm) -> LibvirtReading:
    return LibvirtReading(START, "qemu:///system", "kvm-01", "9.0.0", "QEMU 7.2", True, 8, 64 << 30, None, vms)


def container(**changes: object) -> Container:
    values: dict = {
        "id": "c1",
        "name": "api",
        "image": "coach/api:1",
        "image_id": "i",
        "command": "api",
        "project": "coach",
        "service": "api",
        "state": "running",
        "status": "Up 2 hours",
        "health": "healthy",
        "exit_code": 0,
        "oom_killed": False,
        "restarts": 0,
        "restart_policy": "always",
        "looping": False,
        "created_at": START,
        "started_at": START,
        "finished_at": None,
    }
    return Container(**{**values, **changes})


def docker(*containers: Container) -> DockerReading:
    return DockerReading(START, "20.10.24", "1.41", "Debian", "6.1", "overlay2", "v2", "/var/lib/docker", containers)


def postgres(**changes: object) -> PostgresReading:
    values: dict = {
        "taken_at": START,
        "database": "coach",
        "server_version": "15.18",
        "version_num": 150018,
        "role": "monitor",
        "in_recovery": False,
        "started_at": START,
        "connections": 10,
        "max_connections": 100,
        "reserved_connections": 3,
    }
    return PostgresReading(**{**values, **changes})


def node(pid: int, depth: int, waits: float | None = None, **changes: object) -> LockNode:
    values: dict = {
        "pid": pid,
        "depth": depth,
        "parent": None,
        "application": "api",
        "user": "coach",
        "state": "active",
        "query": "UPDATE",
        "lock_mode": "",
        "lock_on": "",
        "held": "",
        "waits_s": waits,
        "age_s": 100.0,
        "waiters": 0 if depth else 2,
    }
    return LockNode(**{**values, **changes})


def session(**changes: object) -> Session:
    values: dict = {
        "pid": 4711,
        "database": "coach",
        "user": "coach",
        "application": "api",
        "client": "",
        "backend_type": "client backend",
        "state": "active",
        "wait_event_type": "",
        "wait_event": "",
        "backend_start": START,
        "xact_start": START,
        "query_start": START,
        "state_change": START,
        "query": "SELECT 1",
    }
    return Session(**{**values, **changes})


def of_vm(found: Vm) -> FleetView:
    return view_of(libvirt(found), kind=Kind.LIBVIRT)


def of_container(found: Container) -> FleetView:
    return view_of(docker(found), kind=Kind.DOCKER)


def of_postgres(reading: PostgresReading, *, seconds: float = 0) -> FleetView:
    return view_of(reading, kind=Kind.POSTGRES, name="coach", seconds=seconds)


def test_a_calm_host_raises_nothing() -> None:
    calm = [
        view_of(system_reading(filesystems=(filesystem(60),))),
        view_of(libvirt(vm(), vm(name="off", state="shut off", reason="shutdown")), kind=Kind.LIBVIRT),
        view_of(docker(container(), container(state="exited", exit_code=0)), kind=Kind.DOCKER),
        of_postgres(postgres(sessions=(session(),))),
        view_of(None, freshness=Freshness.OFF),
    ]
    assert [alerts_of(view) for view in calm] == [{}] * len(calm)


@pytest.mark.parametrize(
    ("view", "rule", "severity", "target"),
    [
        (view_of(system_reading(filesystems=(filesystem(91, "/var"),))), "disk", Severity.HIGH, "kvm-01/system//var"),
        (view_of(system_reading(filesystems=(filesystem(99),))), "disk", Severity.CRITICAL, "kvm-01/system//"),
        (
            view_of(system_reading(failed_units=("nginx.service",))),
            "unit_failed",
            Severity.MEDIUM,
            "kvm-01/system/nginx.service",
        ),
        (of_vm(vm(state="paused", reason="I/O error")), "vm_io_error", Severity.CRITICAL, "kvm-01/libvirt/web-01"),
        (of_vm(vm(state="paused", reason="user")), "vm_paused", Severity.HIGH, "kvm-01/libvirt/web-01"),
        (of_vm(vm(state="crashed")), "vm_crashed", Severity.CRITICAL, "kvm-01/libvirt/web-01"),
        (of_vm(vm(state="shut off", autostart=True)), "vm_off", Severity.MEDIUM, "kvm-01/libvirt/web-01"),
        (of_container(container(looping=True, exit_code=3)), "crash_loop", Severity.CRITICAL, "kvm-01/docker/api"),
        (of_container(container(health="unhealthy")), "unhealthy", Severity.HIGH, "kvm-01/docker/api"),
        (of_container(container(state="dead")), "container_dead", Severity.HIGH, "kvm-01/docker/api"),
        (of_container(container(state="exited", oom_killed=True)), "oom_killed", Severity.HIGH, "kvm-01/docker/api"),
        (of_container(container(state="exited", exit_code=1)), "container_exited", Severity.MEDIUM, "kvm-01/docker/api"),
        (
            of_container(container(state="exited", exit_code=4, restart_policy="on-failure:2")),
            "container_exited",
            Severity.MEDIUM,
            "kvm-01/docker/api",
        ),
        (
            of_container(container(memory_bytes=95, memory_limit_bytes=100)),
            "container_memory",
            Severity.HIGH,
            "kvm-01/docker/api",
        ),
        (of_postgres(postgres(locks=(node(1, 0), node(2, 1, 20.0)))), "lock_chain", Severity.HIGH, "kvm-01/postgres/coach/1"),
        (
            of_postgres(postgres(locks=(node(1, 0), node(2, 1, 20.0), node(3, 2, 70.0)))),
            "lock_chain",
            Severity.CRITICAL,
            "kvm-01/postgres/coach/1",
        ),
        (of_postgres(postgres(connections=90)), "connections", Severity.HIGH, "kvm-01/postgres/coach"),
        (of_postgres(postgres(wraparound_percent=60.0)), "wraparound", Severity.CRITICAL, "kvm-01/postgres/coach"),
        (
            of_postgres(postgres(sessions=(session(state="idle in transaction"),)), seconds=301),
            "idle_in_transaction",
            Severity.MEDIUM,
            "kvm-01/postgres/coach/4711",
        ),
        (
            of_postgres(postgres(sessions=(session(),)), seconds=301),
            "long_query",
            Severity.MEDIUM,
            "kvm-01/postgres/coach/4711",
        ),
    ],
)
def test_each_rule_finds_its_fault(view: FleetView, rule: str, severity: Severity, target: str) -> None:
    alert = alerts_of(view)[rule]
    assert alert.severity is severity
    assert str(alert.target) == target
    assert alert.message


def test_the_lock_chain_counts_only_the_waiters_below_its_own_root() -> None:
    locks = (node(1, 0), node(2, 1, 5.0), node(9, 0), node(10, 1, 500.0))
    found = AlertBook().update(of_postgres(postgres(locks=locks)))
    assert [str(alert.target) for alert in found] == ["kvm-01/postgres/coach/9"]


def test_an_invalid_index_is_named() -> None:
    index = Index("public", "activities", "activities_idx", 1, 0, False, False, False, False, "")
    alert = alerts_of(of_postgres(postgres(indexes=(index,))))["index_invalid"]
    assert "public.activities_idx" in alert.message


def test_cpu_must_last_before_it_is_an_alert() -> None:
    book = AlertBook()
    busy = system_reading(cpu_percent=95.0)
    assert book.update(view_of(busy)) == ()
    assert book.update(view_of(busy, seconds=299)) == ()
    (alert,) = book.update(view_of(busy, seconds=300))
    assert alert.rule == "cpu"
    assert alert.since == START
    assert book.update(view_of(system_reading(), seconds=301)) == ()
    assert book.update(view_of(busy, seconds=302)) == ()


def test_a_lost_link_is_one_alert_not_one_for_each_source() -> None:
    view = view_of(system_reading(), problem=Problem("not up"), freshness=Freshness.LOST)
    host = dataclasses.replace(view.hosts[0], link=LinkStatus(LinkState.LOST, Problem("kvm-01 does not answer"), START))
    (alert,) = AlertBook().update(dataclasses.replace(view, hosts=(host,)))
    assert alert.rule == "link_lost"
    assert alert.message == "connection lost: kvm-01 does not answer"


def test_a_lost_link_stays_lost_while_it_is_tried_again() -> None:
    view = view_of(system_reading(), problem=Problem("not up"), freshness=Freshness.LOST)
    again = dataclasses.replace(view.hosts[0], link=LinkStatus(LinkState.CONNECTING, Problem("kvm-01 does not answer"), START))
    first = dataclasses.replace(view.hosts[0], link=LinkStatus(LinkState.CONNECTING))
    assert set(alerts_of(dataclasses.replace(view, hosts=(again,)))) == {"link_lost"}
    assert "link_lost" not in alerts_of(dataclasses.replace(view, hosts=(first,)))


def test_what_cannot_be_read_is_an_alert_and_its_old_reading_is_not_judged() -> None:
    stopped = view_of(
        docker(container(looping=True)), kind=Kind.DOCKER, freshness=Freshness.LOST, problem=Problem("engine stopped")
    )
    assert set(alerts_of(stopped)) == {"source_lost"}


def test_worst_first_then_oldest() -> None:
    book = AlertBook()
    disk = system_reading(filesystems=(filesystem(92),))
    book.update(view_of(disk))
    both = dataclasses.replace(disk, filesystems=(filesystem(92), filesystem(93, "/srv"), filesystem(99, "/var")))
    found = book.update(view_of(both, seconds=10))
    assert [str(alert.target) for alert in found] == ["kvm-01/system//var", "kvm-01/system//", "kvm-01/system//srv"]
