"""Who listens on which port of a host: services with a reading of their own, containers, and what only says that it does."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

from debugtui.fleet.topology.facts import Facts, HostFacts, netloc, target_of
from debugtui.model.docker import Container
from debugtui.model.nginx import NginxReading
from debugtui.model.source import Kind
from debugtui.model.target import MONITORING, Target

#: Tells which watched host has an address that is seen from a host; None: none of them, or not known.
Owner = Callable[[str, str], str | None]

#: How strong the reason is: a service that is read there; a container whose port it is; a container that only says so.
SERVICE, CONTAINER, HINT = 0, 1, 2

_PUBLISHED = re.compile(r"(?:(?P<address>\[[^\]]*\]|[^:]*):)?(?P<outer>\d{1,5})->(?P<inner>\d{1,5})/tcp")
_LOCAL = r"(?:0\.0\.0\.0|127\.0\.0\.1|\*|\[::\]|localhost)"
_COMMAND_PORT = re.compile(
    rf"(?:^|[\s=]){_LOCAL}?:(?P<bound>\d{{2,5}})(?!\S*:)"
    r"|(?:^|\s)(?:-p|-P|--port|--http-port|--listen)[ =](?P<option>\d{2,5})(?=\s|$)"
)
_EVERYWHERE = frozenset({"", "*", "0.0.0.0", "::"})  # noqa: S104 - compared, not bound


@dataclass(frozen=True, slots=True)
class Listener:
    """One who listens.

    `host` is empty where the address is no watched host's: `address` tells then where it is. Else `address` is what it is bound
    to; empty: every one, or not known.
    """

    host: str
    port: int
    target: Target
    rank: int
    says: str
    address: str = ""
    certain: bool = True
    running: bool = True

    def fits(self, address: str) -> bool:
        """Whether a connection to an address arrives here."""
        bound = self.address.strip("[]")
        if bound in _EVERYWHERE or address in _EVERYWHERE:
            return True
        loops = bound.startswith("127.") or bound in ("::1", "localhost")
        return bound == address or (loops and (address.startswith("127.") or address in ("::1", "localhost")))


def listeners_of(facts: Facts, owner: Owner) -> Iterator[Listener]:
    """Yield everyone who listens."""
    for host in facts.hosts.values():
        yield from _nginx(host)
        yield from _databases(host, owner)
        yield from _containers(host)
    yield from _servers(facts, owner)


def _nginx(host: HostFacts) -> Iterator[Listener]:
    for status in host.statuses(Kind.NGINX):
        if not isinstance(status.reading, NginxReading):
            continue
        target = target_of(status)
        seen: set[tuple[str, int]] = set()
        for server in status.reading.servers:
            for listen in server.listens:
                bound = "" if listen.address.isdigit() else listen.address.rpartition(":")[0].strip("[]")
                if listen.port and listen.ours is not False and (bound, listen.port) not in seen:
                    seen.add((bound, listen.port))
                    says = f"is where {target} listens ({listen.address})"
                    yield Listener(host.name, listen.port, target, SERVICE, says, bound)


def _databases(host: HostFacts, owner: Owner) -> Iterator[Listener]:
    from debugtui.sources.postgres.dsn import DsnError, parse_dsn

    for database in host.config.postgres if host.config is not None else ():
        target = Target(host.name, Kind.POSTGRES.value, database.name)
        try:
            address = parse_dsn(database.dsn)
        except DsnError:
            continue
        if address.socket_dir:
            says = f"is the port of {target}, which is read through its UNIX socket"
            yield Listener(host.name, address.port, target, SERVICE, says)
        else:
            yield _read_at(host.name, target, (address.host, address.port), owner)


def _servers(facts: Facts, owner: Owner) -> Iterator[Listener]:
    for host in facts.hosts.values():
        for kind in (Kind.REDIS, Kind.RABBITMQ) if host.config is not None else ():
            for table in getattr(host.config, kind.value):
                target, at = Target(host.name, kind.value, table.name), netloc(table.url)
                if at is None:
                    continue
                found = _read_at(host.name, target, at, owner)
                yield found
                if kind is Kind.RABBITMQ:
                    yield replace(found, port=5672, says=f"is the AMQP port beside the management of {target}", certain=False)
    for kind in (Kind.PROMETHEUS, Kind.LOKI, Kind.ALERTMANAGER, Kind.GRAFANA):
        for table in getattr(facts.config, kind.value):
            at, seen_from = netloc(table.url), table.via or this_machine(facts)
            if at is not None:
                yield _read_at(seen_from or "", Target(table.via or MONITORING, kind.value, table.name), at, owner)


def _read_at(seen_from: str, target: Target, at: tuple[str, int], owner: Owner) -> Listener:
    """Return a server that is read at an address: at whichever watched host that is."""
    where = owner(seen_from, at[0])
    says = f"is where {target} is read"
    if where is not None:
        return Listener(where, at[1], target, SERVICE, says)
    return Listener("", at[1], target, SERVICE, says, at[0].lower())


def this_machine(facts: Facts) -> str | None:
    """Return the host that is this machine, where one is."""
    return next((host.name for host in facts.hosts.values() if host.config and host.config.address == "local"), None)


def _containers(host: HostFacts) -> Iterator[Listener]:
    by_id = {container.id: container for container in host.containers}
    known: set[tuple[Target, int]] = set()
    for one in sorted(_sockets(host, by_id), key=lambda one: (not one.certain, one.port, one.target)):
        if (one.target, one.port) not in known:
            known.add((one.target, one.port))
            yield one
    for container in host.containers:
        target, running = host.container_target(container), container.state in ("running", "paused", "restarting")
        for port in sorted({*container.ports, *container.published}):
            match = _PUBLISHED.fullmatch(port)
            if match:
                says = f"is published by {container.name}" + ("" if port in container.ports else ", which does not run")
                yield Listener(host.name, int(match["outer"]), target, CONTAINER, says, match["address"] or "", running=running)
        if container.in_host_network:
            for number, says, certain in _said(container):
                if (target, number) not in known and not _held(host, number, container):
                    known.add((target, number))
                    yield Listener(host.name, number, target, HINT, says, certain=certain, running=running)


def _held(host: HostFacts, port: int, container: Container) -> bool:
    """Whether somebody else is known to hold a port: whoever only says that it listens there does not."""
    return any(one.port == port and one.open and not one.peer_port and one.container != container.id for one in host.sockets)


def _sockets(host: HostFacts, by_id: dict[str, Container]) -> Iterator[Listener]:
    for socket in host.sockets:
        if socket.vm and not socket.peer_port:
            says = f"is held by the process of the VM {socket.vm}"
            yield Listener(host.name, socket.port, Target(host.name, "libvirt", socket.vm), CONTAINER, says, socket.address)
        container = by_id.get(socket.container)
        if container is None or socket.peer_port:
            continue
        says = f"is held by {socket.program or 'a process'} ({socket.pid}) of {container.name}"
        if not socket.open:
            says = f"was held by {socket.program or 'a process'} of {container.name} before"
        target = host.container_target(container)
        yield Listener(host.name, socket.port, target, CONTAINER if socket.open else HINT, says, socket.address, certain=True)


def _said(container: Container) -> Iterator[tuple[int, str, bool]]:
    """Yield the ports that a container in the host's network says it listens on: its image, then its command."""
    for port in container.listens:
        yield port, f"is what {container.name} says it listens on, in the host's network", False
    for match in _COMMAND_PORT.finditer(container.command):
        port = int(match["bound"] or match["option"])
        if 80 <= port < 65_536:
            yield port, f"stands in the command of {container.name}, in the host's network", False
