"""Who uses the databases, as their sessions tell, and what databases and other servers rest on."""

from __future__ import annotations

import re
from collections import defaultdict

from debugtui.fleet.topology.draft import Draft
from debugtui.fleet.topology.facts import Facts, HostFacts, target_of
from debugtui.fleet.topology.places import Places, is_loopback
from debugtui.fleet.topology.things import add_filesystem
from debugtui.model.docker import Container
from debugtui.model.postgres import PostgresReading, Session
from debugtui.model.source import Kind
from debugtui.model.target import NO_HOSTS, Target

_NUMBER = re.compile(r"[-_]\d+$")


def add_databases(draft: Draft, facts: Facts, places: Places) -> None:
    """Add the clients of every database, its replicas, its backups, its host."""
    for host in facts.hosts.values():
        for target, reading in host.databases():
            draft.edge(target, host.target, f"it is read on {host.name}")
            if reading is not None:
                _clients(draft, facts, places, host, target, reading)
                _replicas(draft, facts, places, target, reading)
                below = add_filesystem(draft, host, reading.data_directory or "") if _is_here(places, target, host) else None
                if below is not None:
                    draft.edge(target, below, f"its data lies in {reading.data_directory}")
        for status in host.statuses(Kind.BACKUP):
            for database, _ in host.databases():
                if database.name in (status.name, status.name.partition("/")[0]):
                    draft.edge(target_of(status), database, f"it is a backup of {database.name}")


def _clients(draft: Draft, facts: Facts, places: Places, host: HostFacts, target: Target, reading: PostgresReading) -> None:
    by_address: dict[str, set[str]] = defaultdict(set)
    for session in reading.sessions:
        if session.backend_type in ("", "client backend") and session.client and _in_this(session, reading):
            by_address[_address(session.client)].add(session.application)
    for address, applications in sorted(by_address.items()):
        if address == "local" or is_loopback(address):
            _by_application(draft, host, target, applications, address)
            continue
        inner = places.container_at(host.name, address)
        if inner is not None:
            draft.edge(inner, target, f"sessions of {target.name} come from {address}, the address of {inner.name}")
            continue
        other = places.host_at(address, host.name)
        guest = places.guest_at(address)
        if other is not None:
            _by_application(draft, facts.hosts[other], target, applications, address)
        elif guest is not None:
            draft.edge(guest, target, f"sessions of {target.name} come from {address}, the address of the VM {guest.name}")


def _is_here(places: Places, target: Target, host: HostFacts) -> bool:
    """Whether the server runs on the host itself, and in no container: only then its paths are the host's."""
    listeners = places.of_service(target)
    return any(one.host == host.name for one in listeners) and not any(True for one in listeners for _ in places.behind(one))


def _in_this(session: Session, reading: PostgresReading) -> bool:
    return not session.database or session.database == reading.database


def _address(client: str) -> str:
    """Return the address of a client without its port."""
    head, colon, port = client.rpartition(":")
    return head.strip("[]") if colon and port.isdigit() and (":" not in head or client.startswith("[")) else _bare(client)


def _bare(client: str) -> str:
    # An IPv6 address with a port after it, as the source writes it: without brackets.
    parts = client.split(":")
    return ":".join(parts[:-1]) if len(parts) > 2 and not client.endswith("]") else client


def _by_application(draft: Draft, host: HostFacts, target: Target, applications: set[str], address: str) -> None:
    """Add the containers of a host that have the name that sessions give themselves: a guess, since names are free."""
    for container in host.containers:
        alike = sorted(application for application in applications if _alike(application, container))
        if alike:
            why = f"sessions of {target.name} from {address} call themselves {alike[0]}, as {container.name} is called"
            draft.edge(host.container_target(container), target, why, certain=False)


def _alike(application: str, container: Container) -> bool:
    said = application.lower().replace("_", "-")
    if len(said) < 2:
        return False
    names = {container.name.lower(), _NUMBER.sub("", container.name.lower()), container.service.lower()}
    if container.project:
        names.add(f"{container.project}-{container.service}".lower())
    return said in {name.replace("_", "-") for name in names if name}


def _replicas(draft: Draft, facts: Facts, places: Places, primary: Target, reading: PostgresReading) -> None:
    for replica in reading.replicas or ():
        address = _address(replica.client)
        here = address == "local" or is_loopback(address)
        where = primary.host if here else places.host_at(address, primary.host)
        for target, other in facts.hosts[where].databases() if where is not None else ():
            if other is not None and other.in_recovery and other.database == reading.database:
                why = f"{primary} streams to {replica.application} at {replica.client}"
                draft.edge(target, primary, why)


def add_servers(draft: Draft, facts: Facts, places: Places) -> None:
    """Add what everything that listens rests on: the container whose port it is, and its host."""
    for listener in places.services():
        for place in places.behind(listener):
            draft.edge(listener.target, place.target, place.says, certain=place.certain)
    for target in list(draft.nodes):
        host = facts.hosts.get(target.host)
        if host is None or target.host in NO_HOSTS:
            continue
        if target.kind in _ON_HOST and "/" not in target.name:
            draft.edge(target, host.target, f"it is read on {host.name}")
        elif target.kind == Kind.LIBVIRT and not target.name:
            draft.edge(target, host.target, f"it runs on {host.name}")
    for listener in places.services():
        if listener.target.host in NO_HOSTS and listener.host in facts.hosts:
            draft.edge(listener.target, facts.hosts[listener.host].target, f"it listens on {listener.host}")


_ON_HOST = frozenset(
    kind.value
    for kind in (
        Kind.NGINX,
        Kind.REDIS,
        Kind.RABBITMQ,
        Kind.PROMETHEUS,
        Kind.LOKI,
        Kind.ALERTMANAGER,
        Kind.GRAFANA,
        Kind.BACKUP,
    )
)
