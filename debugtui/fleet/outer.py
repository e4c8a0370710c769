"""The sources of the outer layers: web addresses, the nginx before them, their certificates, the browser, the Groq API.

What they need of each other is passed as functions that look at the newest readings: nginx learns from Docker which container
publishes a port, the browser's failed requests are looked up in the logs of nginx and of the containers.
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from debugtui.config.ask import Asker
from debugtui.config.hosts import HostConfig, WebConfig
from debugtui.config.models import Config, GroqConfig
from debugtui.config.nginx_names import nginx_files
from debugtui.config.paths import state_dir
from debugtui.config.secrets import SecretRef, resolve
from debugtui.fleet.monitoring import way_of
from debugtui.hosts.link import Link, LinkError
from debugtui.model.target import Target
from debugtui.sources.base import Source, SourceError
from debugtui.sources.prometheus import instant_query

if TYPE_CHECKING:
    from debugtui.model.chrome import PageRequest, Story
    from debugtui.sources.docker.source import DockerSource
    from debugtui.sources.nginx.source import NginxSource

_log = logging.getLogger(__name__)

#: Seconds around a failed request in which its log lines are looked for; most lines of a container that are searched.
NEAR_S, LINES = 3.0, 500


def web_sources(host: HostConfig, link: Link, docker: DockerSource | None, state: Path | None) -> Iterator[Source]:
    """Yield the sources of a host's web addresses."""
    pictures = state / "screenshots" if state is not None else None
    servers: dict[str, NginxSource] = {}
    for name, path in nginx_files(host).items():
        from debugtui.sources.nginx.source import NginxSource

        servers[path] = NginxSource(link, name, path, docker_ports=_ports(docker))
        yield servers[path]
    for web in host.web:
        from debugtui.sources.web.source import WebSource

        yield WebSource(link, web)
        if web.url.startswith("https://"):
            from debugtui.sources.tls.source import TlsSource

            yield TlsSource(link, web)
        if web.chrome:
            from debugtui.sources.chrome.source import ChromeSource

            nginx = servers.get(web.nginx or "")
            told = nginx is not None or (docker is not None and bool(web.containers))
            yield ChromeSource(link, web, pictures=pictures, story=Stories(web, nginx, docker).of if told else None)


def _ports(docker: DockerSource | None) -> Callable[[], Mapping[int, str]]:
    def ports() -> Mapping[int, str]:
        return docker.published_ports() if docker is not None else {}

    return ports


class Stories:
    """Looks up what the logs say of a failed request."""

    def __init__(self, web: WebConfig, nginx: NginxSource | None, docker: DockerSource | None) -> None:
        self._web, self._nginx, self._docker = web, nginx, docker

    async def of(self, request: PageRequest) -> Story:
        """Return a failed request beside the lines of nginx and of its containers."""
        from debugtui.sources.chrome.story import compare

        nginx, container = "", ""
        containers: tuple[str, ...] = self._web.containers
        at = request.at
        if at is not None:
            try:
                if self._nginx is not None:
                    nginx = await self._nginx.lines_at(request.url, at, NEAR_S)
                    containers = containers or self._nginx.containers_of(request.url)
                container = await self._container(request.url, at, containers)
            except (LinkError, SourceError, TimeoutError) as error:
                _log.info("no log line of %s: %s", request.url, error)
        return compare(request, nginx, container)

    async def _container(self, url: str, at: datetime, names: Sequence[str]) -> str:
        if self._docker is None:
            return ""
        from urllib.parse import urlsplit

        path = urlsplit(url).path
        for name in names:
            async for batch in self._docker.logs(name, tail=LINES, since=at - timedelta(seconds=NEAR_S), follow=False):
                for row in batch:
                    if path in row.text:
                        return row.text
        return ""


def groq_sources(
    config: Config, links: Mapping[str, Link], dockers: Mapping[str, DockerSource], asker: Asker, state: Path | None
) -> Iterator[Source]:
    """Yield a source for each use of the Groq API."""
    for use in config.groq:
        from debugtui.sources.groq.source import GroqSource

        yield GroqSource(
            use,
            key_of(use, asker),
            via=links[use.via] if use.via else None,
            state=(state or state_dir()) / "groq" / f"{use.name}.json",
            log_lines=_log_lines(use, dockers),
            metrics=_metrics(config, use, links, asker),
        )


def key_of(use: GroqConfig, asker: Asker) -> Callable[[], Awaitable[str]]:
    """Return what gives the API key of a use, asking for it where nothing says where it is.

    A key that the operator gave, or that a keyring or a command gave, is kept for the run; the environment is read each time.
    """
    ref = use.api_key or SecretRef(ask=True)
    kept: list[str] = []

    async def key() -> str:
        if kept and ref.env is None:
            return kept[0]
        name, purpose = f"API key of groq/{use.name}", f"to probe {use.base_url}"
        found = await resolve(ref, name=name, purpose=purpose, asker=asker)
        if found:
            kept[:] = [found]
        return found or ""

    return key


def _log_lines(use: GroqConfig, dockers: Mapping[str, DockerSource]) -> Callable[[], Awaitable[Sequence[str]]] | None:
    if use.logs is None:
        return None
    target = Target.parse(use.logs.container)
    docker = dockers.get(target.host)
    if docker is None:
        return None

    async def lines() -> Sequence[str]:
        since = datetime.now().astimezone() - timedelta(minutes=5)
        found: list[str] = []
        async for batch in docker.logs(target.name, tail=2_000, since=since, follow=False):
            found += (row.text for row in batch)
        return found

    return lines


def _metrics(
    config: Config, use: GroqConfig, links: Mapping[str, Link], asker: Asker
) -> Callable[[str], Awaitable[object]] | None:
    server = next((one for one in config.prometheus if one.name == use.prometheus), None)
    if server is None:
        return None
    link = links[server.via] if server.via else None
    login = way_of("prometheus", server, link, asker).login

    async def metrics(query: str) -> object:
        return await instant_query(server.url, query, link, headers=login.headers, ca=server.ca)

    return metrics
