"""The readings of a view and the configuration of its hosts, laid out by host and kind for those who infer from them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property, lru_cache
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from debugtui.model.docker import Container, DockerReading
from debugtui.model.libvirt import LibvirtReading, Vm
from debugtui.model.postgres import PostgresReading
from debugtui.model.source import FleetView, HostView, Kind, SourceStatus
from debugtui.model.system import HostNetwork, Socket, SystemReading
from debugtui.model.target import NO_HOSTS, Target

if TYPE_CHECKING:
    from debugtui.config.models import Config, HostConfig


@dataclass
class HostFacts:
    """One host: its configuration (None where it has none, as in tests), its view, and its newest readings."""

    name: str
    view: HostView
    config: HostConfig | None = None
    system: SystemReading | None = None
    docker: DockerReading | None = None
    libvirt: LibvirtReading | None = None
    _targets: dict[str, Target] = field(default_factory=dict)

    @cached_property
    def target(self) -> Target:
        """The host itself."""
        return Target(self.name, "system")

    @cached_property
    def engine(self) -> Target:
        """Its Docker engine."""
        return Target(self.name, "docker")

    @property
    def network(self) -> HostNetwork:
        """How it is reached; empty where that was not read."""
        return (self.system.network if self.system is not None else None) or HostNetwork()

    @property
    def sockets(self) -> tuple[Socket, ...]:
        """Its sockets; none where they were not read."""
        return self.network.sockets or ()

    @cached_property
    def containers(self) -> tuple[Container, ...]:
        """Its containers, by name."""
        return tuple(sorted(self.docker.containers, key=lambda one: (one.name, one.id))) if self.docker is not None else ()

    @cached_property
    def vms(self) -> tuple[Vm, ...]:
        """Its VMs, by name."""
        return tuple(sorted(self.libvirt.vms, key=lambda one: (one.name, one.uuid))) if self.libvirt is not None else ()

    def container_target(self, container: Container) -> Target:
        """Return the target of one of its containers."""
        target = self._targets.get(container.name)
        if target is None:
            target = self._targets[container.name] = Target(self.name, "docker", container.name)
        return target

    def statuses(self, *kinds: Kind) -> Iterator[SourceStatus]:
        """Yield its sources of some kinds, by name."""
        yield from sorted(
            (status for status in self.view.sources if status.kind in kinds), key=lambda status: (status.kind, status.name)
        )

    def databases(self) -> Iterator[tuple[Target, PostgresReading | None]]:
        """Yield its databases with their readings."""
        for status in self.statuses(Kind.POSTGRES):
            reading = status.reading
            yield target_of(status), reading if isinstance(reading, PostgresReading) else None


@dataclass
class Facts:
    """Everything, by host. `beside` are the sources that belong to no host."""

    config: Config
    hosts: dict[str, HostFacts] = field(default_factory=dict)
    beside: tuple[SourceStatus, ...] = ()

    @cached_property
    def database_names(self) -> dict[Target, str]:
        """What each watched database is called on its server."""
        return {
            target: reading.database if reading is not None else _configured_name(host, target)
            for host in self.hosts.values()
            for target, reading in host.databases()
        }


def _configured_name(host: HostFacts, target: Target) -> str:
    from debugtui.sources.postgres.dsn import DsnError, parse_dsn

    for table in host.config.postgres if host.config is not None else ():
        if table.name == target.name:
            try:
                return parse_dsn(table.dsn).database
            except DsnError:
                return ""
    return ""


def facts_of(view: FleetView, config: Config) -> Facts:
    """Lay out a view."""
    facts = Facts(config)
    tables = {host.name: host for host in config.hosts}
    beside: list[SourceStatus] = []
    for host in sorted(view.hosts, key=lambda one: one.name):
        if host.name in NO_HOSTS:
            beside += host.sources
            continue
        found = facts.hosts[host.name] = HostFacts(host.name, host, tables.get(host.name))
        for status in host.sources:
            if isinstance(status.reading, SystemReading):
                found.system = status.reading
            elif isinstance(status.reading, DockerReading):
                found.docker = status.reading
            elif isinstance(status.reading, LibvirtReading):
                found.libvirt = status.reading
    facts.beside = tuple(sorted(beside, key=lambda status: (status.host, status.kind, status.name)))
    return facts


def target_of(status: SourceStatus) -> Target:
    """Return the target of a source; one that is named like its kind is the only one of it."""
    name = "" if status.name == status.kind.value and status.host not in NO_HOSTS else status.name
    return Target(status.host, status.kind.value, name)


@lru_cache(maxsize=4_096)
def netloc(url: str) -> tuple[str, int] | None:
    """Return (host, port) of a URL; None where it has none."""
    try:
        parts = urlsplit(url)
        port = parts.port or {"https": 443, "rediss": 6379, "redis": 6379, "amqp": 5672, "amqps": 5671}.get(parts.scheme, 80)
        return (parts.hostname, port) if parts.hostname else None
    except ValueError:
        return None
