"""The first rules: each looks at one reading and yields what it finds. Pure; no memory, no clock of its own.

A finding that must last before it counts carries `for_s`; `book.AlertBook` keeps the time. Thresholds that the readings
themselves date (how long a session waits) are judged here.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import NamedTuple

from debugtui.model.alerts import Severity
from debugtui.model.docker import Container, DockerReading
from debugtui.model.libvirt import LibvirtReading, Vm
from debugtui.model.postgres import LockNode, PostgresReading, Session
from debugtui.model.source import Freshness, HostView, LinkState, SourceStatus
from debugtui.model.system import Filesystem, SystemReading
from debugtui.model.target import Target

CPU_PERCENT, CPU_FOR_S = 70.0, 300.0
MEMORY_PERCENT, MEMORY_FOR_S = 85.0, 60.0
CONNECTIONS_PERCENT = 80.0
DISK_HIGH_PERCENT, DISK_CRITICAL_PERCENT = 90.0, 97.0
LOCK_WAIT_HIGH_S, LOCK_WAIT_CRITICAL_S = 10.0, 60.0
IDLE_IN_TRANSACTION_S = 300.0
LONG_QUERY_S = 300.0
PREPARED_S = 600.0
#: Share of the 2^31 transaction ids used: vacuum to prevent wraparound starts at 10 % by default; at 50 % it does not keep up.
WRAPAROUND_PERCENT = 50.0
REPLICA_LAG_S = 60.0

#: Rules that say that something could not be read. `check` answers "unknown" for them, not "critical".
UNREADABLE = frozenset({"link_lost", "source_lost"})


class Finding(NamedTuple):
    """What a rule found. `since`: when it began, where the reading tells; `for_s`: how long it must last before it counts."""

    severity: Severity
    rule: str
    target: Target
    message: str
    value: float | None = None
    threshold: float | None = None
    since: datetime | None = None
    for_s: float = 0.0


def of_host(host: HostView) -> Iterator[Finding]:
    """Yield what is wrong with a host's link; while it is down nothing else is judged there."""
    lost = _link(host)
    if lost is not None:
        yield lost


def _link(host: HostView) -> Finding | None:
    if not host.link.down:
        return None
    word = "refused" if host.link.state is LinkState.REFUSED else "lost"
    why = f": {host.link.problem.says}" if host.link.problem else ""
    return Finding(
        Severity.CRITICAL, "link_lost", Target(host.name, "system"), f"connection {word}{why}", since=host.link.since
    )


def of_source(status: SourceStatus, now: datetime) -> Iterator[Finding]:
    """Yield what the rules find in one source. Only a database's findings depend on `now`."""
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
        yield from _system(status.host, reading)
    elif isinstance(reading, LibvirtReading):
        for vm in reading.vms:
            yield from _vm(Target(status.host, "libvirt", vm.name), vm)
    elif isinstance(reading, DockerReading):
        for container in reading.containers:
            yield from _container(Target(status.host, "docker", container.name), container)
    elif isinstance(reading, PostgresReading):
        yield from _postgres(Target(status.host, "postgres", status.name), reading, now)


def _system(host: str, reading: SystemReading) -> Iterator[Finding]:
    target = Target(host, "system")
    cpu = reading.cpu_percent
    if cpu is not None and cpu > CPU_PERCENT:
        yield Finding(Severity.HIGH, "cpu", target, f"CPU {cpu:.0f} %", cpu, CPU_PERCENT, for_s=CPU_FOR_S)
    memory = reading.memory_percent
    if memory > MEMORY_PERCENT:
        yield Finding(
            Severity.HIGH, "memory", target, f"memory {memory:.0f} % used", memory, MEMORY_PERCENT, for_s=MEMORY_FOR_S
        )
    for filesystem in reading.filesystems:
        yield from _filesystem(host, filesystem)
    for unit in reading.failed_units or ():
        yield Finding(Severity.MEDIUM, "unit_failed", Target(host, "system", unit), f"unit {unit} failed")


def _filesystem(host: str, filesystem: Filesystem) -> Iterator[Finding]:
    if filesystem.read_only:
        return
    shares = (("disk", "space", filesystem.used_percent), ("inodes", "inodes", filesystem.inodes_percent))
    for rule, word, percent in shares:
        if percent is None or percent <= DISK_HIGH_PERCENT:
            continue
        critical = percent > DISK_CRITICAL_PERCENT
        yield Finding(
            Severity.CRITICAL if critical else Severity.HIGH,
            rule,
            Target(host, "system", filesystem.mount),
            f"{filesystem.mount} {percent:.0f} % of {word} used",
            percent,
            DISK_CRITICAL_PERCENT if critical else DISK_HIGH_PERCENT,
        )


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


def _container(target: Target, container: Container) -> Iterator[Finding]:
    if container.looping:
        yield Finding(
            Severity.CRITICAL,
            "crash_loop",
            target,
            f"crash loop: exit code {container.exit_code}, {container.restarts} restarts"
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
    if limit and used is not None and 100 * used / limit > DISK_HIGH_PERCENT:
        percent = 100 * used / limit
        yield Finding(
            Severity.HIGH, "container_memory", target, f"memory {percent:.0f} % of its limit", percent, DISK_HIGH_PERCENT
        )


def _postgres(target: Target, reading: PostgresReading, now: datetime) -> Iterator[Finding]:
    for node in reading.locks:
        if node.depth == 0:
            yield from _lock_chain(target, reading, node)
    usable = reading.max_connections - reading.reserved_connections
    percent = 100 * reading.connections / usable if usable > 0 else 100.0
    if percent > CONNECTIONS_PERCENT:
        yield Finding(
            Severity.HIGH,
            "connections",
            target,
            f"{reading.connections} of {usable} connections used",
            percent,
            CONNECTIONS_PERCENT,
        )
    for session in reading.sessions:
        yield from _session(target, session, now)
    for prepared in reading.prepared:
        age = (now - prepared.prepared_at).total_seconds()
        if age > PREPARED_S:
            message = f"prepared transaction {prepared.gid} is {age / 60:.0f} min old"
            about = Target(target.host, target.kind, f"{target.name}/{prepared.gid}")
            yield Finding(Severity.HIGH, "prepared_transaction", about, message, age, PREPARED_S, since=prepared.prepared_at)
    yield from _durability(target, reading)


def _lock_chain(target: Target, reading: PostgresReading, root: LockNode) -> Iterator[Finding]:
    waits = [node.waits_s or 0.0 for node in _below(reading.locks, root)]
    longest = max(waits, default=0.0)
    if longest <= LOCK_WAIT_HIGH_S:
        return
    critical = longest > LOCK_WAIT_CRITICAL_S
    holder = f"prepared transaction {root.gid}" if root.gid else f"session {root.pid} ({root.state})"
    yield Finding(
        Severity.CRITICAL if critical else Severity.HIGH,
        "lock_chain",
        Target(target.host, target.kind, f"{target.name}/{root.gid or root.pid}"),
        f"{holder} blocks {root.waiters} for {longest:.0f} s",
        longest,
        LOCK_WAIT_CRITICAL_S if critical else LOCK_WAIT_HIGH_S,
    )


def _below(nodes: tuple[LockNode, ...], root: LockNode) -> Iterator[LockNode]:
    start = nodes.index(root) + 1
    for node in nodes[start:]:
        if node.depth <= root.depth:
            return
        yield node


def _session(target: Target, session: Session, now: datetime) -> Iterator[Finding]:
    if session.backend_type not in ("", "client backend"):
        return
    about = Target(target.host, target.kind, f"{target.name}/{session.pid}")
    if session.state.startswith("idle in transaction") and session.state_change:
        age = (now - session.state_change).total_seconds()
        if age > IDLE_IN_TRANSACTION_S:
            message = f"session {session.pid} is idle in transaction for {age / 60:.0f} min"
            yield Finding(
                Severity.MEDIUM, "idle_in_transaction", about, message, age, IDLE_IN_TRANSACTION_S, session.state_change
            )
    elif session.state == "active" and session.query_start and not session.blocked_by:
        age = (now - session.query_start).total_seconds()
        if age > LONG_QUERY_S:
            message = f"session {session.pid} runs one query for {age / 60:.0f} min"
            yield Finding(Severity.MEDIUM, "long_query", about, message, age, LONG_QUERY_S, session.query_start)


def _durability(target: Target, reading: PostgresReading) -> Iterator[Finding]:
    age = reading.wraparound_percent
    if age is not None and age > WRAPAROUND_PERCENT:
        message = f"transaction ids {age:.0f} % used up: vacuum does not keep up"
        yield Finding(Severity.CRITICAL, "wraparound", target, message, age, WRAPAROUND_PERCENT)
    archiver = reading.archiver
    if (
        archiver
        and archiver.last_failed_at
        and (archiver.last_archived_at is None or archiver.last_failed_at > archiver.last_archived_at)
    ):
        yield Finding(
            Severity.HIGH,
            "archiver",
            target,
            f"WAL archiving fails at {archiver.last_failed_wal}",
            since=archiver.last_failed_at,
        )
    for slot in reading.slots or ():
        if slot.wal_status == "lost":
            about = Target(target.host, target.kind, f"{target.name}/{slot.name}")
            yield Finding(Severity.HIGH, "slot_lost", about, f"replication slot {slot.name} lost its WAL")
    for replica in reading.replicas or ():
        if (replica.replay_lag_s or 0.0) > REPLICA_LAG_S:
            message = f"standby {replica.application} lags by {replica.replay_lag_s:.0f} s"
            about = Target(target.host, target.kind, f"{target.name}/{replica.application}")
            yield Finding(Severity.MEDIUM, "replica_lag", about, message, replica.replay_lag_s, REPLICA_LAG_S)
    invalid = [f"{index.schema}.{index.name}" for index in reading.indexes or () if not index.valid]
    if invalid:
        yield Finding(Severity.MEDIUM, "index_invalid", target, f"invalid index: {', '.join(invalid[:5])}", float(len(invalid)))
    waiting = [setting.name for setting in reading.settings or () if setting.pending_restart]
    if waiting:
        yield Finding(Severity.LOW, "pending_restart", target, f"waits for a restart: {', '.join(waiting[:5])}")
