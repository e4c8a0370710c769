"""Which logs there are, from the configuration and the newest readings; and which of them concern a target."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Iterator
from typing import TYPE_CHECKING, cast

from debugtui.config.ask import Asker
from debugtui.config.hosts import HostConfig, WebConfig
from debugtui.config.models import Config
from debugtui.config.nginx_names import nginx_files
from debugtui.fleet.fleet import Fleet
from debugtui.fleet.monitoring import way_of
from debugtui.hosts.link import Link
from debugtui.model.docker import Container, DockerReading
from debugtui.model.nginx import NginxReading
from debugtui.model.postgres import PostgresReading
from debugtui.model.source import FleetView, Freshness, HostView, Kind, SourceStatus
from debugtui.model.target import GROQ, MONITORING, NO_HOSTS, Target
from debugtui.sources.logs.clock import HostClock, HostClocks
from debugtui.sources.logs.files import RemoteFiles
from debugtui.sources.logs.origin import LogOrigin

if TYPE_CHECKING:
    from debugtui.sources.docker.source import DockerSource
    from debugtui.sources.postgres.source import PostgresSource

#: Origins that are opened by themselves at most; more are a choice of the operator's.
MOST = 24

#: Kinds whose alerts and rows are about the web, or about what stands behind it.
_WEB = (Kind.WEB, Kind.CHROME, Kind.TLS)


class LogCatalogue:
    """Every log that can be read. Owns what reads files of the hosts: `close` ends it."""

    def __init__(self, config: Config, fleet: Fleet, asker: Asker) -> None:
        """Look at a fleet.

        Args:
            config: the configuration.
            fleet: its links, sources and readings.
            asker: who asks for a secret.
        """
        self._config, self._fleet, self._asker = config, fleet, asker
        self._hosts = {host.name: host for host in config.hosts}
        self._files: dict[str, RemoteFiles] = {}
        self.clocks = HostClocks()

    async def close(self) -> None:
        """End what reads files. Safe to call twice."""
        files, self._files = self._files, {}
        await asyncio.gather(*(one.close() for one in files.values()))

    def skews(self, hosts: Iterable[str]) -> dict[str, HostClock]:
        """Return the clocks of hosts that are off, as far as they were asked."""
        known = {host: self.clocks.of(host) for host in hosts}
        return {host: clock for host, clock in known.items() if clock is not None and clock.off}

    # --- all of them

    def everything(self, view: FleetView) -> list[LogOrigin]:
        """Return every log, host by host."""
        return [one for host in view.hosts for one in self.of_host(view, host.name)] + self._lokis(MONITORING)

    def of_host(self, view: FleetView, host: str) -> list[LogOrigin]:
        """Return the logs of one host."""
        found = _host(view, host)
        if found is None or host in NO_HOSTS:
            return []
        return [
            *self._journal(found),
            *(one for status in found.of_kind(Kind.NGINX) for one in self._nginx(status)),
            *(one for status in _servers(found) for one in self._postgres(status)),
            *(one for container in _containers(found) for one in self._docker(host, container.name)),
            *self._lokis(host),
        ]

    def _docker(self, host: str, name: str) -> Iterator[LogOrigin]:
        from debugtui.sources.logs.docker import DockerOrigin

        source = self._fleet.source(host, Kind.DOCKER)
        if source is not None and hasattr(source, "logs"):
            yield DockerOrigin(cast("DockerSource", source), Target(host, Kind.DOCKER, name))

    def _journal(self, host: HostView, unit: str = "") -> Iterator[LogOrigin]:
        from debugtui.sources.logs.journal import JournalOrigin

        config = self._hosts.get(host.name)
        wanted = config.journal if config is not None else False
        off = any(status.freshness is Freshness.OFF for status in host.of_kind(Kind.JOURNAL))
        if wanted is not False and not off:
            directory = wanted if isinstance(wanted, str) else ""
            target = Target(host.name, Kind.JOURNAL, unit)
            link = self._fleet.link(host.name)
            yield JournalOrigin(link, target, directory=directory, unit=unit, named=wanted is not None or bool(unit))

    def _nginx(self, status: SourceStatus) -> Iterator[LogOrigin]:
        from debugtui.sources.logs.nginx import NginxOrigin

        if isinstance(status.reading, NginxReading):
            logs = status.reading.logs
            for log in logs:
                kind = "access" if log.access else "error"
                alike = sum(one.access == log.access for one in logs) > 1
                name = f"{status.name} {log.path.rpartition('/')[2] if alike else kind}"
                target = Target(status.host, Kind.NGINX, status.name)
                yield NginxOrigin(self._reader(status.host), target, log, self._clock(status.host), name)

    def _postgres(self, status: SourceStatus) -> Iterator[LogOrigin]:
        from debugtui.sources.logs.postgres import PostgresOrigin

        host = self._hosts.get(status.host)
        databases = host.postgres if host is not None else ()
        source = self._fleet.source(status.host, Kind.POSTGRES, status.name)
        connect = cast("PostgresSource", source).connect_anew if hasattr(source, "connect_anew") else None
        path = next((one.log or "" for one in databases if one.name == status.name), "")
        target = Target(status.host, Kind.POSTGRES, status.name)
        yield PostgresOrigin(self._reader(status.host), target, connect, self._clock(status.host), path=path)

    def _lokis(self, place: str, query: str = "") -> list[LogOrigin]:
        from debugtui.sources.logs.loki import LokiOrigin

        found: list[LogOrigin] = []
        for server in self._config.loki:
            if (server.via or MONITORING) == place:
                way = way_of("loki", server, self._link(server.via), self._asker)
                found.append(
                    LokiOrigin(way.api, Target(place, Kind.LOKI, server.name), query=query, title=f"loki {server.name}")
                )
        return found

    def _link(self, host: str | None) -> Link | None:
        return self._fleet.link(host) if host is not None else None

    def _reader(self, host: str) -> RemoteFiles:
        if host not in self._files:
            self._files[host] = RemoteFiles(self._fleet.link(host))
        return self._files[host]

    def _clock(self, host: str) -> Callable[[], Awaitable[HostClock]]:
        return lambda: self.clocks.ask(self._fleet.link(host))

    async def ask_clocks(self, hosts: Iterable[str]) -> None:
        """Ask hosts for their clocks; what does not answer stays unknown."""
        links = [self._fleet.link(host) for host in hosts if host not in NO_HOSTS]
        await asyncio.gather(*(self.clocks.ask(link) for link in links), return_exceptions=True)

    # --- those of a target

    def named(self, view: FleetView, target: Target, query: str = "") -> list[LogOrigin]:
        """Return the logs that a target itself names: a container, a unit, an nginx, a database, a Loki, a whole host.

        Args:
            view: the newest readings.
            target: `HOST/docker/NAME`, `HOST/journal`, `HOST/journal/UNIT`, `HOST/system/UNIT`, `HOST/nginx/NAME`,
                `HOST/postgres/NAME`, `HOST/loki/NAME`; without a name: all of the kind; `HOST/system`: all of the host.
            query: for a Loki.
        """
        if target.kind == Kind.LOKI:
            return [one for one in self._lokis(target.host, query) if one.target.name == target.name or not target.name]
        host = _host(view, target.host)
        if host is None or target.host in NO_HOSTS:
            return []
        first = target.name.partition("/")[0]
        if target.kind == Kind.DOCKER:
            names = [target.name] if target.name else [one.name for one in _containers(host)]
            return [one for name in names for one in self._docker(host.name, name)]
        if target.kind in (Kind.JOURNAL, Kind.SYSTEM) and (target.name or target.kind == Kind.JOURNAL):
            return list(self._journal(host, target.name))
        if target.kind == Kind.NGINX:
            return [one for status in _named(host, Kind.NGINX, target.name) for one in self._nginx(status)]
        if target.kind == Kind.POSTGRES:
            return [one for status in _named(host, Kind.POSTGRES, first) for one in self._postgres(status)]
        return self.of_host(view, target.host) if target.kind == Kind.SYSTEM else []

    def about(self, view: FleetView, target: Target) -> list[LogOrigin]:
        """Return the logs that concern a target: its own, of what stands before it and behind it; else all of its host."""
        found = [one for near in self._near(view, target) for one in self.named(view, near)]
        if not found and target.host not in NO_HOSTS:
            found = self.of_host(view, target.host)
        seen: dict[tuple[Target, str], LogOrigin] = {}
        for one in found:
            seen.setdefault((one.target, one.title), one)
        return list(seen.values())

    def _near(self, view: FleetView, target: Target) -> Iterator[Target]:
        if target.host == GROQ:
            yield from self._of_groq(target.name)
            return
        host = _host(view, target.host)
        if host is None:
            return
        if target.kind == Kind.DOCKER and target.name:
            yield target
            yield from _before(host, target.name)
            yield from _databases(host, target.name)
        elif target.kind in _WEB:
            yield from self._of_web(host, target.name)
        elif target.kind == Kind.NGINX:
            yield target
            yield from (Target(host.name, Kind.DOCKER, name) for name in _behind(host, target.name))
        elif target.kind in (Kind.POSTGRES, Kind.JOURNAL, Kind.LOKI) or (target.kind == Kind.SYSTEM and target.name):
            yield target
            if target.kind == Kind.SYSTEM:
                yield Target(host.name, Kind.JOURNAL)
        elif target.kind == Kind.LIBVIRT:
            yield Target(host.name, Kind.JOURNAL)

    def _of_web(self, host: HostView, name: str) -> Iterator[Target]:
        config = self._hosts.get(host.name)
        web = next((one for one in config.web if one.name == name), None) if config is not None else None
        if config is None or web is None:
            return
        server = _server_of(config, web)
        if server:
            yield Target(host.name, Kind.NGINX, server)
        containers = web.containers or (_behind(host, server) if server else ())
        yield from (Target(host.name, Kind.DOCKER, one) for one in containers)

    def _of_groq(self, name: str) -> Iterator[Target]:
        for use in self._config.groq:
            if use.name == name:
                if use.logs is not None:
                    yield Target.parse(use.logs.container)
                if use.app is not None and use.app.container is not None:
                    yield Target.parse(use.app.container)
                if use.app is not None and use.app.host is not None:
                    yield Target(use.app.host, Kind.JOURNAL, use.app.unit or "")


def _servers(host: HostView) -> Iterator[SourceStatus]:
    """Yield one database of each PostgreSQL server: those that were started at the same moment are one, with one log."""
    seen = set()
    for status in host.of_kind(Kind.POSTGRES):
        reading = status.reading
        started = reading.started_at if isinstance(reading, PostgresReading) else None
        if started is None or started not in seen:
            seen.add(started)
            yield status


def _host(view: FleetView, name: str) -> HostView | None:
    return next((host for host in view.hosts if host.name == name), None)


def _containers(host: HostView) -> tuple[Container, ...]:
    return tuple(
        container
        for status in host.of_kind(Kind.DOCKER)
        if isinstance(status.reading, DockerReading)
        for container in status.reading.containers
    )


def _named(host: HostView, kind: Kind, name: str) -> Iterator[SourceStatus]:
    return (status for status in host.of_kind(kind) if name in ("", status.name))


def _server_of(config: HostConfig, web: WebConfig) -> str:
    return next((name for name, path in nginx_files(config).items() if path == web.nginx), "")


def _behind(host: HostView, server: str) -> tuple[str, ...]:
    """Return the containers that an nginx passes requests to."""
    found: dict[str, None] = {}
    for status in _named(host, Kind.NGINX, server):
        if isinstance(status.reading, NginxReading):
            for upstream in status.reading.upstreams:
                found.update((one.container, None) for one in upstream.servers if one.container)
            for one in status.reading.servers:
                found.update((name, None) for location in one.locations for name in location.containers)
    return tuple(found)


def _before(host: HostView, container: str) -> Iterator[Target]:
    """Yield each nginx that passes requests to a container."""
    for status in host.of_kind(Kind.NGINX):
        if container in _behind(host, status.name):
            yield Target(host.name, Kind.NGINX, status.name)


def _databases(host: HostView, name: str) -> Iterator[Target]:
    """Yield the databases that a container works with: whose sessions have its name, or that of its service or project."""
    container = next((one for one in _containers(host) if one.name == name), None)
    words = {word for word in (name, container.service, container.project) if word} if container is not None else {name}
    for status in host.of_kind(Kind.POSTGRES):
        if isinstance(status.reading, PostgresReading):
            names = {session.application for session in status.reading.sessions} | {status.name}
            if any(word in one for word in words for one in names):
                yield Target(host.name, Kind.POSTGRES, status.name)
