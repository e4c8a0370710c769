"""The nodes: everything that serves, with its state."""

from __future__ import annotations

import posixpath
from collections.abc import Mapping

from debugtui.fleet.topology import states
from debugtui.fleet.topology.draft import Draft
from debugtui.fleet.topology.facts import Facts, HostFacts, target_of
from debugtui.model.alerts import Severity
from debugtui.model.docker import DockerReading
from debugtui.model.groq import GroqReading
from debugtui.model.libvirt import LibvirtReading
from debugtui.model.nginx import NginxReading
from debugtui.model.postgres import PostgresReading
from debugtui.model.source import Freshness, Kind, SourceStatus
from debugtui.model.system import Filesystem
from debugtui.model.target import Target

#: Kinds of servers that are nodes by themselves, whatever their readings hold.
SERVERS = (
    Kind.REDIS, Kind.RABBITMQ, Kind.PROMETHEUS, Kind.LOKI, Kind.ALERTMANAGER, Kind.GRAFANA, Kind.BACKUP
)  # fmt: skip


def add_things(draft: Draft, facts: Facts) -> None:
    """Add every host and everything on it, then what belongs to no host."""
    for host in facts.hosts.values():
        draft.add(host.target, host.name, *states.of_host(host.view, next(host.statuses(Kind.SYSTEM), None)))
        _libvirt(draft, host)
        _docker(draft, host)
        _databases(draft, host, facts)
        _webs(draft, host)
        _nginx(draft, host)
        for status in host.statuses(*SERVERS):
            _server(draft, status)
    for status in facts.beside:
        _server(draft, status)


def _libvirt(draft: Draft, host: HostFacts) -> None:
    for status in host.statuses(Kind.LIBVIRT):
        if status.freshness is Freshness.OFF:
            continue
        target = Target(host.name, Kind.LIBVIRT.value)
        draft.add(target, f"libvirt of {host.name}", *states.with_freshness(status, (states.OK, "answers")))
        reading = status.reading
        if not isinstance(reading, LibvirtReading):
            continue
        for vm in reading.vms:
            draft.add(Target(host.name, Kind.LIBVIRT.value, vm.name), vm.name, *states.with_freshness(status, states.of_vm(vm)))
        for pool in reading.pools:
            state = states.with_freshness(status, states.of_pool(pool))
            draft.add(pool_target(host.name, pool.name), f"pool {pool.name}", *state)


def pool_target(host: str, name: str) -> Target:
    """Return the target of a storage pool: beside the VMs, which may have the same name."""
    return Target(host, Kind.LIBVIRT.value, f"pool/{name}")


def _docker(draft: Draft, host: HostFacts) -> None:
    for status in host.statuses(Kind.DOCKER):
        if status.freshness is Freshness.OFF:
            continue
        engine = Target(host.name, Kind.DOCKER.value)
        draft.add(engine, f"Docker engine of {host.name}", *states.with_freshness(status, (states.OK, "answers")))
        if isinstance(status.reading, DockerReading):
            for container in host.containers:
                wanted = bool(container.published or container.ports or container.listens)
                state = states.with_freshness(status, states.of_container(container, wanted))
                draft.add(host.container_target(container), container.name, *state)


def _databases(draft: Draft, host: HostFacts, facts: Facts) -> None:
    for status in host.statuses(Kind.POSTGRES):
        reading = status.reading
        state = states.of_postgres(reading, reading.taken_at) if isinstance(reading, PostgresReading) else (states.OK, "")
        draft.add(target_of(status), status.name, *states.with_freshness(status, state))


def _webs(draft: Draft, host: HostFacts) -> None:
    """Add each web address once: its certificate and what a browser sees of it are sides of the same thing."""
    by_name: dict[str, list[SourceStatus]] = {}
    for status in host.statuses(Kind.WEB, Kind.TLS, Kind.CHROME):
        by_name.setdefault(status.name, []).append(status)
    for name, statuses in by_name.items():
        probes = [status for status in statuses if status.kind is Kind.WEB]
        sides = [states.with_freshness(status, states.of_web([status.reading])) for status in statuses]
        known = [
            state for state, status in zip(sides, statuses, strict=True) if status.kind is Kind.WEB or state[0] != "unknown"
        ]
        url = getattr(probes[0].reading, "url", "") if probes else ""
        state, says = states.worst(known)
        draft.add(Target(host.name, Kind.WEB.value, name), url or name, state, says)


def _nginx(draft: Draft, host: HostFacts) -> None:
    for status in host.statuses(Kind.NGINX):
        target, reading = target_of(status), status.reading
        state = states.of_nginx(reading) if isinstance(reading, NginxReading) else (states.OK, "")
        draft.add(target, f"nginx {status.name}", *states.with_freshness(status, state))
        for upstream in reading.upstreams if isinstance(reading, NginxReading) else ():
            found = states.with_freshness(status, states.of_upstream(upstream))
            draft.add(upstream_target(target, upstream.name), f"upstream {upstream.name}", *found)


def upstream_target(nginx: Target, name: str) -> Target:
    """Return the target of an upstream, as the rules name it."""
    return Target(nginx.host, nginx.kind, f"{nginx.name}/{name}")


def _server(draft: Draft, status: SourceStatus) -> None:
    if status.kind is Kind.JOURNAL or status.freshness is Freshness.OFF:
        return
    reading = status.reading
    state = states.of_groq(reading) if isinstance(reading, GroqReading) else states.of_other(reading)
    title = status.name if status.kind in (Kind.GROQ, Kind.BACKUP) else f"{status.kind.value} {status.name}"
    draft.add(target_of(status), title, *states.with_freshness(status, state))


def filesystem_of(host: HostFacts, path: str) -> Filesystem | None:
    """Return the filesystem of a host that a path lies on, by the longest mount above it."""
    clean = posixpath.normpath(path)
    best: Filesystem | None = None
    for one in host.system.filesystems if host.system is not None else ():
        above = one.mount == "/" or clean == one.mount or clean.startswith(f"{one.mount}/")
        if above and path.startswith("/") and (best is None or len(one.mount) > len(best.mount)):
            best = one
    return best


def add_filesystem(draft: Draft, host: HostFacts, path: str) -> Target | None:
    """Add the filesystem that a path lies on, with the host below it; None where it is not known."""
    found = filesystem_of(host, path)
    if found is None:
        return None
    target = Target(host.name, Kind.SYSTEM.value, found.mount)
    status = next(host.statuses(Kind.SYSTEM), None)
    if status is not None and target not in draft.nodes:
        draft.add(target, f"filesystem {found.mount}", *states.with_freshness(status, states.of_filesystem(found)))
        draft.edge(target, host.target, f"{found.device} is mounted at {found.mount} of {host.name}")
    return target


def add_full_filesystems(draft: Draft, facts: Facts) -> None:
    """Add the filesystems that nothing known rests on, where they are full: that explains something."""
    for host in facts.hosts.values():
        for one in host.system.filesystems if host.system is not None else ():
            if states.of_filesystem(one)[0] is not states.OK:
                add_filesystem(draft, host, one.mount)


def apply_severities(draft: Draft, severities: Mapping[Target, Severity]) -> None:
    """Worsen the states by what rules found about the very same things."""
    for target, node in list(draft.nodes.items()):
        state, says = states.raised((node.state, node.says), target, severities)
        if state is not node.state:
            draft.become(target, state, says)
