"""The first rules: each looks at one reading and yields what it finds. Pure; no memory, no clock of its own.

A finding that must last before it counts carries `for_s`; `book.AlertBook` keeps the time. Thresholds that the readings
themselves date (how long a session waits) are judged here. All thresholds are data: `config/alert_rules.toml`, and what the
operator changes of it.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from functools import partial

from debugtui.alerts import postgres
from debugtui.alerts.finding import Finding
from debugtui.alerts.settings import DEFAULT, Rules
from debugtui.model.alerts import Severity
from debugtui.model.docker import Container, DockerReading
from debugtui.model.libvirt import LibvirtReading, Vm
from debugtui.model.postgres import PostgresReading
from debugtui.model.source import Freshness, HostView, LinkState, SourceStatus
from debugtui.model.system import Filesystem, SystemReading
from debugtui.model.target import Target

__all__ = ["UNREADABLE", "Finding", "of_host", "of_source"]

#: Rules that say that something could not be read. `check` answers "unknown" for them, not "critical".
UNREADABLE = frozenset({"link_lost", "source_lost"})


def of_host(host: HostView, rules: Rules = DEFAULT) -> Iterator[Finding]:
    """Yield what is wrong with a host's link; while it is down nothing else is judged there."""
    lost = _link(host)
    if lost is not None:
        yield from rules.settled((lost,))


def _link(host: HostView) -> Finding | None:
    if not host.link.down:
        return None
    word = "refused" if host.link.state is LinkState.REFUSED else "lost"
    why = f": {host.link.problem.says}" if host.link.problem else ""
    return Finding(
        Severity.CRITICAL, "link_lost", Target(host.name, "system"), f"connection {word}{why}", since=host.link.since
    )


def of_source(status: SourceStatus, now: datetime, rules: Rules = DEFAULT) -> Iterator[Finding]:
    """Yield what the rules find in one source. Only a database's findings depend on `now`."""
    yield from rules.settled(_of_source(status, now, rules))


def _of_source(status: SourceStatus, now: datetime, rules: Rules) -> Iterator[Finding]:
    if status.freshness is Freshness.OFF:
        return
    if status.problem is not None:
        name = "" if status.name == status.kind else status.name
        yield Finding(
            Severity.HIGH, "source_lost", Target(status.host, status.kind, name), f"cannot be read: {status.problem.says}"
        )
    reading = status.reading
    if status.freshness is Freshness.LOST:
        return
    if isinstance(reading, SystemReading):
        yield from _system(status.host, reading, rules)
    elif isinstance(reading, LibvirtReading):
        for vm in reading.vms:
            yield from _vm(Target(status.host, "libvirt", vm.name), vm)
    elif isinstance(reading, DockerReading):
        for container in reading.containers:
            yield from _container(Target(status.host, "docker", container.name), container, rules)
    elif isinstance(reading, PostgresReading):
        yield from postgres.findings(Target(status.host, "postgres", status.name), reading, now, rules)


def _system(host: str, reading: SystemReading, rules: Rules) -> Iterator[Finding]:
    target = Target(host, "system")
    yield from rules.counted("cpu", target, reading.cpu_percent, lambda value, _: f"CPU {value:.0f} %")
    yield from rules.counted("memory", target, reading.memory_percent, lambda value, _: f"memory {value:.0f} % used")
    for filesystem in reading.filesystems:
        yield from _filesystem(host, filesystem, rules)
    for unit in reading.failed_units or ():
        yield Finding(Severity.MEDIUM, "unit_failed", Target(host, "system", unit), f"unit {unit} failed")


def _filesystem(host: str, filesystem: Filesystem, rules: Rules) -> Iterator[Finding]:
    if filesystem.read_only:
        return
    target = Target(host, "system", filesystem.mount)

    def says(value: float, _: float, what: str) -> str:
        return f"{filesystem.mount} {value:.0f} % of {what} used"

    yield from rules.counted("disk", target, filesystem.used_percent, partial(says, what="space"))
    yield from rules.counted("inodes", target, filesystem.inodes_percent, partial(says, what="inodes"))


def _vm(target: Target, vm: Vm) -> Iterator[Finding]:
    if vm.paused_for_io_error:
        errors = ", ".join(f"{disk.device}: {disk.error}" for disk in vm.disks if disk.error)
        yield Finding(Severity.CRITICAL, "vm_io_error", target, "paused by an I/O error" + (f" ({errors})" if errors else ""))
    elif vm.state == "paused":
        yield Finding(Severity.HIGH, "vm_paused", target, f"paused ({vm.reason})")
    elif vm.state == "crashed":
        yield Finding(Severity.CRITICAL, "vm_crashed", target, f"crashed ({vm.reason})")
    elif vm.state == "shut off" and vm.autostart:
        yield Finding(Severity.MEDIUM, "vm_off", target, f"shut off ({vm.reason}), though it is set to start by itself")


def _container(target: Target, container: Container, rules: Rules) -> Iterator[Finding]:
    if container.looping:
        yield Finding(
            Severity.CRITICAL,
            "crash_loop",
            target,
            "crash loop: "
            + ("" if container.exit_code is None else f"exit code {container.exit_code}, ")
            + f"{container.restarts} restarts"
            + (", out of memory" if container.oom_killed else ""),
            float(container.restarts),
        )
    elif container.health == "unhealthy":
        yield Finding(Severity.HIGH, "unhealthy", target, "health check fails")
    elif container.state == "dead":
        yield Finding(Severity.HIGH, "container_dead", target, "dead")
    elif container.state == "exited" and container.oom_killed:
        yield Finding(Severity.HIGH, "oom_killed", target, "ended: out of memory", since=container.finished_at)
    elif container.state == "exited" and container.exit_code and container.restart_policy not in ("", "no"):
        # A policy that should have kept it running did not: someone stopped it, or the engine gave up.
        yield Finding(Severity.MEDIUM, "container_exited", target, f"ended with exit code {container.exit_code}")
    limit, used = container.memory_limit_bytes, container.memory_bytes
    if limit:
        percent = 100 * used / limit if used is not None else None
        yield from rules.counted("container_memory", target, percent, lambda value, _: f"memory {value:.0f} % of its limit")
