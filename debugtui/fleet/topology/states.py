"""The state of each thing, from its readings alone; rules may know more, and their severities may be given as well."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from debugtui.model.alerts import Severity
from debugtui.model.chrome import ChromeReading
from debugtui.model.docker import Container
from debugtui.model.groq import GroqFault, GroqReading
from debugtui.model.libvirt import StoragePool, Vm
from debugtui.model.nginx import NginxReading, Upstream
from debugtui.model.postgres import PostgresReading
from debugtui.model.source import Freshness, HostView, LinkState, SourceStatus
from debugtui.model.system import Filesystem, SystemReading
from debugtui.model.target import Target
from debugtui.model.tls import TlsReading
from debugtui.model.topology import NodeState
from debugtui.model.web import WebReading

Says = tuple[NodeState, str]

OK, DEGRADED, DOWN, UNKNOWN = NodeState.OK, NodeState.DEGRADED, NodeState.DOWN, NodeState.UNKNOWN

#: From the worst to the best.
_ORDER = (DOWN, DEGRADED, UNKNOWN, OK)

#: Per cent of a filesystem from which it is in the way, and from which nothing can be written soon.
FULL_PERCENT, OVERFULL_PERCENT = 90.0, 97.0
CPU_PERCENT, MEMORY_PERCENT, CONNECTIONS_PERCENT = 95.0, 95.0, 90.0
#: Seconds that a session may wait for a lock; days that a certificate should last.
LOCK_WAIT_S, DAYS = 60.0, 14.0
#: Share of answers with 5xx from which an nginx serves badly, of at least so many requests.
MANY_5XX, LEAST_REQUESTS = 0.05, 20

_POLICY = ("always", "unless-stopped", "on-failure")
_SEVERITY = {Severity.CRITICAL: DOWN, Severity.HIGH: DEGRADED, Severity.MEDIUM: DEGRADED}


def worst(found: list[Says]) -> Says:
    """Return the worst of several; unknown where there is none."""
    return min(found, key=lambda one: _ORDER.index(one[0])) if found else (UNKNOWN, "")


def with_freshness(status: SourceStatus, state: Says) -> Says:
    """Return a state as far as its reading can be trusted: what is lost is unknown, what is stale is not known to be well."""
    problem = status.problem.says if status.problem is not None else ""
    if status.freshness is Freshness.OFF:
        return UNKNOWN, "switched off"
    if status.reading is None or status.freshness is Freshness.LOST:
        return UNKNOWN, f"cannot be read: {problem}" if problem else "not read yet"
    if status.freshness is Freshness.STALE and state[0] is OK:
        return UNKNOWN, f"not read lately: {problem}" if problem else "not read lately"
    return state


def raised(state: Says, target: Target, severities: Mapping[Target, Severity]) -> Says:
    """Return a state, worsened by what the rules found about the very same thing; what is unknown stays so."""
    found = severities.get(target)
    worse = _SEVERITY.get(found, OK) if found is not None else OK
    if state[0] is UNKNOWN or _ORDER.index(worse) >= _ORDER.index(state[0]):
        return state
    return worse, state[1]


def of_host(host: HostView, status: SourceStatus | None) -> Says:
    """Return the state of a host: its link first, then its own figures."""
    if host.link.down or host.link.state is not LinkState.UP:
        word = "refused" if host.link.state is LinkState.REFUSED else "lost" if host.link.down else "not there yet"
        why = f": {host.link.problem.says}" if host.link.problem is not None else ""
        return UNKNOWN, f"the connection is {word}{why}"
    if status is None:
        return UNKNOWN, "its own figures are not read"
    reading = status.reading
    state = _of_system(reading) if isinstance(reading, SystemReading) else (OK, "")
    return with_freshness(status, state)


def _of_system(reading: SystemReading) -> Says:
    if (reading.cpu_percent or 0.0) > CPU_PERCENT:
        return DEGRADED, f"CPU {reading.cpu_percent:.0f} %"
    if reading.memory_percent > MEMORY_PERCENT:
        return DEGRADED, f"memory {reading.memory_percent:.0f} % used"
    return OK, ""


def of_filesystem(one: Filesystem) -> Says:
    """Return the state of a filesystem."""
    if one.read_only:
        return OK, "read only"
    percent = max(one.used_percent, one.inodes_percent or 0.0)
    says = f"{one.used_percent:.0f} % used" + (f", inodes {one.inodes_percent:.0f} %" if (one.inodes_percent or 0) > 80 else "")
    return (DOWN if percent > OVERFULL_PERCENT else DEGRADED if percent > FULL_PERCENT else OK), says


def of_vm(vm: Vm) -> Says:
    """Return the state of a VM."""
    says = f"{vm.state} ({vm.reason})" if vm.reason else vm.state
    if vm.state in ("running", "idle", "in shutdown"):
        failed = [disk for disk in vm.disks if disk.error]
        return (DEGRADED, f"{says}, disk {failed[0].device}: {failed[0].error}") if failed else (OK, says)
    return (UNKNOWN if vm.state in ("", "no state") else DOWN), says


def of_pool(pool: StoragePool) -> Says:
    """Return the state of a storage pool."""
    if not pool.active:
        return DOWN, pool.state or "not active"
    percent = 100 * (1 - pool.available_bytes / pool.capacity_bytes) if pool.capacity_bytes else 0.0
    return (DOWN if percent > OVERFULL_PERCENT else DEGRADED if percent > FULL_PERCENT else OK), f"{percent:.0f} % used"


def of_container(container: Container, wanted: bool) -> Says:
    """Return the state of a container; `wanted`: something is served by it, so that it should run."""
    if container.looping or container.state == "restarting":
        return DOWN, f"crash loop, exit code {container.exit_code}"
    if container.state == "running":
        if container.health == "unhealthy":
            return DEGRADED, "health check fails"
        limit, used = container.memory_limit_bytes, container.memory_bytes
        if limit and used is not None and 100 * used / limit > MEMORY_PERCENT:
            return DEGRADED, f"memory {100 * used / limit:.0f} % of its limit"
        return OK, container.status or "running"
    says = f"{container.state}, exit code {container.exit_code}" if container.state == "exited" else container.state
    finished = container.state == "exited" and not container.exit_code and not container.restart_policy.startswith(_POLICY)
    if finished and not wanted:
        return OK, "finished, exit code 0"
    return (DOWN if container.state in ("exited", "dead", "paused", "created") else UNKNOWN), says


def of_postgres(reading: PostgresReading, now: datetime) -> Says:
    """Return the state of a database."""
    usable = reading.max_connections - reading.reserved_connections
    if usable > 0 and 100 * reading.connections / usable > CONNECTIONS_PERCENT:
        return DEGRADED, f"{reading.connections} of {usable} connections used"
    waits = max((node.waits_s or 0.0 for node in reading.locks), default=0.0)
    if waits > LOCK_WAIT_S:
        return DEGRADED, f"a session waits {waits:.0f} s for a lock"
    return OK, f"{reading.connections}/{usable} sessions"


def of_web(readings: list[object]) -> Says:
    """Return the state of a web address: of its probe, its certificate and what a browser saw of it."""
    found: list[Says] = []
    for reading in readings:
        if isinstance(reading, WebReading):
            found.append(_of_probe(reading))
        elif isinstance(reading, TlsReading):
            found.append(of_tls(reading))
        elif isinstance(reading, ChromeReading) and (reading.fault or reading.errors):
            found.append((DEGRADED, reading.fault or f"{len(reading.errors)} errors in the browser's console"))
    return worst(found)


def _of_probe(reading: WebReading) -> Says:
    if reading.fault is not None:
        return DOWN, reading.fault_says or reading.fault.value
    wrong = next((match for match in reading.matches if not match.ok), None)
    if wrong is not None:
        says = f"{wrong.what}: {wrong.found}, expected {wrong.wanted}"
        return (DOWN if (reading.status or 0) >= 500 else DEGRADED), says
    return OK, f"{reading.status} {reading.reason}".strip()


def of_tls(reading: TlsReading) -> Says:
    """Return the state of what an address serves as its certificate."""
    if reading.fault:
        return DOWN, reading.fault
    if reading.served is not None and reading.served.days_left < 0:
        return DOWN, "the certificate has ended"
    if reading.trusted is False or reading.name_matches is False:
        return DOWN, reading.distrust or "the certificate is for another name"
    if reading.served is not None and reading.served.days_left < DAYS:
        return DEGRADED, f"the certificate ends in {reading.served.days_left:.0f} days"
    return OK, ""


def of_nginx(reading: NginxReading) -> Says:
    """Return the state of an nginx."""
    if reading.master_pid is None:
        return DOWN, "no master runs with this configuration"
    if reading.config_ok is False:
        return DEGRADED, f"the configuration on the disk is broken: {reading.config_says}"
    access = reading.access
    if access is not None and access.requests >= LEAST_REQUESTS and access.share_5xx > MANY_5XX:
        return DEGRADED, f"{100 * access.share_5xx:.0f} % of the requests are answered with 5xx"
    return OK, f"master {reading.master_pid}, {reading.workers} workers"


def of_upstream(upstream: Upstream) -> Says:
    """Return the state of an upstream: whether its servers accept connections."""
    tried = [one for one in upstream.servers if not one.down and one.answers is not None]
    dead = [one.address for one in tried if not one.answers]
    if not tried:
        return UNKNOWN, "it was not tried whether its servers accept connections"
    if dead:
        return (DOWN if len(dead) == len(tried) else DEGRADED), f"{', '.join(dead[:3])} accepts no connections"
    return OK, f"{len(tried)} of {len(upstream.servers)} servers accept connections"


def of_groq(reading: GroqReading) -> Says:
    """Return the state of a use of the Groq API."""
    if reading.newest is None:
        return UNKNOWN, reading.paused_why or "no probe was sent yet"
    if reading.newest.fault is None:
        return OK, reading.model
    slow = (GroqFault.RATE_LIMITED, GroqFault.SLOW_FIRST_TOKEN, GroqFault.CAPACITY)
    return (DEGRADED if reading.newest.fault in slow else DOWN), reading.newest.says or reading.newest.fault.value


def of_other(reading: object) -> Says:
    """Return the state of any other server, from the fields by which their readings say how they are."""
    if any(getattr(reading, name, None) is False for name in ("ready", "healthy")):
        return DOWN, "it answers that it is not ready"
    if getattr(reading, "config_ok", None) is False:
        return DEGRADED, "it could not take its configuration"
    if getattr(reading, "database", "") == "failing":
        return DEGRADED, "it cannot use its database"
    if getattr(reading, "loading", False):
        return DEGRADED, "it loads its data and answers nothing else"
    if getattr(reading, "missing", ()):
        return DOWN, "there is no backup"
    return OK, "answers"
