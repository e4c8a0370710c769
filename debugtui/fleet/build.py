"""From a configuration to the parts of a fleet: a link and its sources for each host.

The client libraries are heavy; each is imported here, and only where the configuration needs it.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, cast

from debugtui.config.ask import Asker
from debugtui.config.models import Config, HostConfig, PostgresConfig
from debugtui.config.secrets import resolve
from debugtui.fleet.fleet import Fleet, HostParts
from debugtui.fleet.monitoring import with_monitoring
from debugtui.hosts.link import Link
from debugtui.hosts.open import open_link
from debugtui.model.source import Kind
from debugtui.model.target import GROQ
from debugtui.sources.base import Source

if TYPE_CHECKING:
    from debugtui.sources.docker.source import DockerSource

LIBVIRT_DEFAULT = "qemu:///system"
DOCKER_DEFAULT = "unix:///var/run/docker.sock"

#: Makes the libvirt source of a host; the demo gives its own.
LibvirtFactory = Callable[[Link, str], Source]


def build_fleet(
    config: Config, asker: Asker, *, libvirt_factory: LibvirtFactory | None = None, state: Path | None = None
) -> Fleet:
    """Return a fleet of every configured host and every use of the Groq API; nothing is connected yet.

    Args:
        config: the configuration.
        asker: who asks the operator.
        libvirt_factory: makes the libvirt source of a host; the demo gives its own.
        state: directory of screenshots and of what probes have spent; the user's own where None.
    """
    parts = [host_parts(host, asker, libvirt_factory, state) for host in config.hosts]
    if config.groq:
        from debugtui.fleet.outer import groq_sources

        links = {part.link.host: part.link for part in parts}
        dockers = {part.link.host: docker for part in parts if (docker := docker_of(part.sources)) is not None}
        sources = [(source, True) for source in groq_sources(config, links, dockers, asker, state)]
        # A place of its own: it needs no connection but those that its sources make.
        parts.append(HostParts(open_link(HostConfig(name=GROQ, address="local"), asker), sources))
    return Fleet(with_monitoring(parts, config, asker), refresh=config.ui.refresh)


def docker_of(sources: Iterable[tuple[Source, bool]]) -> DockerSource | None:
    """Return the Docker source among a host's sources."""
    return next((cast("DockerSource", source) for source, _ in sources if source.kind is Kind.DOCKER), None)


def host_parts(
    host: HostConfig, asker: Asker, libvirt_factory: LibvirtFactory | None = None, state: Path | None = None
) -> HostParts:
    """Return the link and the sources of one host."""
    link = open_link(host, asker)
    sources = list(_sources(host, link, asker, libvirt_factory))
    if host.web:
        from debugtui.fleet.outer import web_sources

        sources += [(source, True) for source in web_sources(host, link, docker_of(sources), state)]
    return HostParts(link, tuple(sources))


def _sources(
    host: HostConfig, link: Link, asker: Asker, libvirt_factory: LibvirtFactory | None
) -> Iterator[tuple[Source, bool]]:
    if host.system:
        from debugtui.sources.system.source import SystemSource

        yield SystemSource(link), True
    if host.libvirt is not False:
        yield (libvirt_factory or _libvirt)(link, host.libvirt or LIBVIRT_DEFAULT), host.libvirt is not None
    if host.docker is not False:
        from debugtui.sources.docker.source import DockerSource

        yield DockerSource(link, host.docker or DOCKER_DEFAULT), host.docker is not None
    for database in host.postgres:
        from debugtui.sources.postgres.source import PostgresSource

        yield PostgresSource(link, database.name, database.dsn, _password(host, database, asker)), True


def _libvirt(link: Link, uri: str) -> Source:
    from debugtui.sources.libvirt.source import LibvirtSource

    return LibvirtSource(link, uri)


def _password(host: HostConfig, database: PostgresConfig, asker: Asker) -> Callable[[], Awaitable[str | None]]:
    async def password() -> str | None:
        if database.password is None:
            return None
        return await resolve(
            database.password,
            name=f"password of {host.name}/postgres/{database.name}",
            purpose=f"to watch the database {database.name} on {host.name}",
            asker=asker,
        )

    return password
