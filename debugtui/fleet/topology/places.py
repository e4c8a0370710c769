"""Who is behind an address: from `host:port`, as seen from a host or a container, to what is watched there."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property, lru_cache
from ipaddress import ip_address
from typing import NamedTuple

from debugtui.fleet.topology.facts import Facts, HostFacts
from debugtui.fleet.topology.listeners import HINT, Listener, listeners_of
from debugtui.model.docker import Container
from debugtui.model.source import Kind
from debugtui.model.target import Target

#: What a container calls the host that it runs on.
_HOST_NAMES = frozenset({"host.docker.internal", "host.containers.internal", "gateway.docker.internal"})
_LOOPBACK = re.compile(r"localhost(?:\.localdomain)?|127(?:\.\d{1,3}){3}|::1|ip6-localhost")
_ADDRESS = re.compile(r"[\d.]+|[0-9a-fA-F:.]*:[0-9a-fA-F:.]*")


class Place(NamedTuple):
    """What is behind an address. `says` goes on the sentence that begins with the address: `is published by api`."""

    target: Target
    says: str
    certain: bool = True


@dataclass(frozen=True, slots=True)
class Found:
    """The answer. `local` is the host whose port it is, where it is one's; None: outside, or not known."""

    places: tuple[Place, ...] = ()
    local: str | None = None
    inside: bool = False


@lru_cache(maxsize=4_096)
def is_loopback(address: str) -> bool:
    """Whether an address leads nowhere but back."""
    return address in ("", "*", "0.0.0.0", "::") or _LOOPBACK.fullmatch(address.lower()) is not None  # noqa: S104 - compared


@lru_cache(maxsize=4_096)
def is_address(text: str) -> bool:
    """Whether a text is an address, and no name."""
    if not _ADDRESS.fullmatch(text):
        return False
    try:
        ip_address(text)
    except ValueError:
        return False
    return True


class Places:
    """Everything that can be reached, by host and port."""

    def __init__(self, facts: Facts) -> None:
        """Look at all readings once."""
        self._facts = facts
        self._listeners: dict[tuple[str, int], list[Listener]] = defaultdict(list)
        for one in listeners_of(facts, self._owner):
            self._listeners[one.host, one.port].append(one)

    # Who listens

    def listeners(self, host: str, port: int, address: str = "") -> list[Listener]:
        """Return who listens on a port of a host, as far as an address fits, the strongest first."""
        found = [one for one in self._listeners.get((host, port), ()) if one.fits(address)]
        return sorted(found, key=lambda one: (one.rank, one.target))

    def at_port(self, host: str, port: int, address: str = "") -> tuple[Place, ...]:
        """Return what is behind a port of a host: what is known for the strongest reason."""
        found = self.listeners(host, port, address)
        best = [one for one in found if one.rank == found[0].rank] if found else []
        if best and best[0].rank == HINT:
            best = [one for one in best if one.running] or best
        several = len({one.target for one in best}) > 1 and best[0].rank == HINT if best else False
        return tuple(Place(one.target, one.says, one.certain and not several) for one in best)

    def behind(self, listener: Listener) -> Iterator[Place]:
        """Yield what a service runs in: the container whose port it listens on, or whose address it has; the VM, too."""
        if not listener.host:
            inner = self.container_at(listener.target.host, listener.address) or self.guest_at(listener.address)
            if inner is not None:
                yield Place(inner, f"{listener.address} is the address of {inner.name}")
            return
        others = [one for one in self.listeners(listener.host, listener.port, listener.address) if one.rank > listener.rank]
        best = [one for one in others if one.rank == others[0].rank] if others else []
        for one in best:
            yield Place(one.target, f"port {one.port} {one.says}", one.certain and listener.certain and len(best) == 1)

    def services(self) -> Iterator[Listener]:
        """Yield what listens and is a service with a reading of its own."""
        for many in self._listeners.values():
            yield from (one for one in many if one.rank == 0)

    @cached_property
    def _of_service(self) -> dict[Target, tuple[Listener, ...]]:
        found: dict[Target, list[Listener]] = defaultdict(list)
        for one in self.services():
            found[one.target].append(one)
        return {target: tuple(many) for target, many in found.items()}

    @cached_property
    def _in_containers(self) -> dict[Target, tuple[Target, ...]]:
        found: dict[Target, set[Target]] = defaultdict(set)
        for one in self.services():
            for place in self.behind(one):
                found[place.target].add(one.target)
        return {target: tuple(sorted(services)) for target, services in found.items()}

    def read_in(self, container: Target) -> tuple[Target, ...]:
        """Return the services that are read in a container, or in a VM."""
        return self._in_containers.get(container, ())

    def of_service(self, target: Target) -> tuple[Listener, ...]:
        """Return where a service listens."""
        return self._of_service.get(target, ())

    # Addresses

    @cached_property
    def _owners(self) -> dict[str, frozenset[str]]:
        """Names of the hosts that have an address or a name."""
        found: dict[str, set[str]] = defaultdict(set)
        for host in self._facts.hosts.values():
            for name in names_of(host):
                found[name].add(host.name)
        return {name: frozenset(hosts) for name, hosts in found.items()}

    @cached_property
    def _guests(self) -> dict[str, Target]:
        """VMs by their addresses, which their hosts have talked with."""
        found: dict[str, set[Target]] = defaultdict(set)
        for host in self._facts.hosts.values():
            machines = {card.mac.lower(): vm.name for vm in host.vms for card in vm.interfaces if card.mac}
            for address, mac in host.network.neighbours:
                if mac.lower() in machines:
                    found[address].add(Target(host.name, Kind.LIBVIRT.value, machines[mac.lower()]))
        return {address: min(targets) for address, targets in found.items() if len(targets) == 1}

    @cached_property
    def _inner(self) -> dict[tuple[str, str], tuple[HostFacts, Container]]:
        """Containers by host and address."""
        return {
            (host.name, address): (host, container)
            for host in self._facts.hosts.values()
            for container in reversed(host.containers)
            for address in container.addresses
        }

    @cached_property
    def _named(self) -> dict[tuple[str, str], list[Container]]:
        """Containers by host and network."""
        found: dict[tuple[str, str], list[Container]] = defaultdict(list)
        for host in self._facts.hosts.values():
            for container in host.containers:
                for network in container.networks:
                    found[host.name, network].append(container)
        return found

    def container_at(self, host: str, address: str) -> Target | None:
        """Return the container of a host that has an address."""
        found = self._inner.get((host, address))
        return found[0].container_target(found[1]) if found is not None else None

    def guest_at(self, address: str) -> Target | None:
        """Return the VM that has an address."""
        return self._guests.get(address)

    def host_at(self, address: str, seen_from: str = "") -> str | None:
        """Return the one host that has an address or a name; of several the one that it is seen from."""
        hosts = self._owners.get(address.lower(), frozenset())
        if seen_from in hosts:
            return seen_from
        return min(hosts) if len(hosts) == 1 else None

    def _owner(self, seen_from: str, address: str) -> str | None:
        """Return the host whose address it is, as seen from a host (empty: from this machine)."""
        if is_loopback(address) or address.lower() in _HOST_NAMES:
            return seen_from or None
        return self.host_at(address, seen_from)

    # The whole way

    def resolve(self, host: str, address: str, port: int, container: Container | None = None) -> Found:
        """Return what is behind an address.

        Args:
            host: from where it is seen; empty: from this machine.
            address: a name or an address.
            port: of TCP.
            container: the container that it is seen from; None: the host itself.
        """
        own_network = container is not None and not container.in_host_network
        if own_network and is_loopback(address):
            return Found(inside=True)
        if own_network and container is not None:
            named = tuple(self._by_name(host, address, container))
            if named:
                return Found(named)
        if (inner := self.container_at(host, address)) is not None:
            return Found((Place(inner, f"is the address of {inner.name}"),))
        owner = self._owner(host, address)
        if owner is not None:
            seen = address if is_address(address) else ""
            return Found(self.at_port(owner, port, seen), local=owner)
        outside = [one for one in self._listeners.get(("", port), ()) if one.address == address.lower()]
        if outside:
            return Found(tuple(Place(one.target, one.says, one.certain) for one in sorted(outside, key=lambda one: one.target)))
        guest = self.guest_at(address)
        return Found((Place(guest, f"is the address of the VM {guest.name}"),)) if guest is not None else Found()

    def alike(self, host: str, name: str) -> tuple[Place, ...]:
        """Return the one container of a host that is called as an address is which nothing here resolves: a guess."""
        found = self._called.get((host, name.lower()), frozenset())
        return tuple(Place(one, f"is called as {one.name} is", False) for one in found) if len(found) == 1 else ()

    @cached_property
    def _called(self) -> dict[tuple[str, str], frozenset[Target]]:
        """Containers by host and by any of their names."""
        found: dict[tuple[str, str], set[Target]] = defaultdict(set)
        for host in self._facts.hosts.values():
            for container in host.containers:
                for name in (container.name, container.service, *container.aliases):
                    found[host.name, name.lower()].add(host.container_target(container))
        return {key: frozenset(targets) for key, targets in found.items()}

    def inside(self, service: Target) -> Container | None:
        """Return the container that a service listens in, where it is one."""
        for listener in self.of_service(service):
            for place in self.behind(listener):
                facts = self._facts.hosts.get(place.target.host)
                for container in facts.containers if facts is not None and place.certain else ():
                    if container.name == place.target.name:
                        return container
        return None

    def _by_name(self, host: str, name: str, container: Container) -> Iterator[Place]:
        """Yield the containers that a container reaches by a name, in a network of both."""
        wanted, found = name.lower(), {}
        for network in container.networks:
            for other in self._named.get((host, network), ()):
                own = {other.name.lower(), other.id[:12], *(alias.lower() for alias in other.aliases)}
                service = other.service.lower() == wanted and (other.project == container.project)
                if other.id != container.id and (wanted in own or service):
                    found[other.name] = f"is {other.name} in the network {network}"
        for other_name in sorted(found):
            yield Place(Target(host, Kind.DOCKER.value, other_name), found[other_name])


def names_of(host: HostFacts) -> Iterable[str]:
    """Yield the addresses and names by which a host is reached, in lower case."""
    yield host.name.lower()
    yield from (address.lower() for address in host.network.addresses)
    if host.system is not None and host.system.hostname and host.system.hostname != "localhost":
        yield host.system.hostname.lower()
    text = host.config.address if host.config is not None else host.view.address
    if text.startswith("ssh://"):
        text = text.removeprefix("ssh://").partition("/")[0].rpartition("@")[2]
        text = text[1:].partition("]")[0] if text.startswith("[") else text.partition(":")[0]
    if text and text != "local" and not is_loopback(text):
        yield text.lower()
