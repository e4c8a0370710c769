"""Reads one nginx through the host's link: files, processes, sockets, stub_status and the ends of its logs."""

from __future__ import annotations

import asyncio
import posixpath
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import NamedTuple
from urllib.parse import urlsplit

from debugtui.hosts.link import Link, LinkError
from debugtui.model.clock import Clock, SystemClock
from debugtui.model.nginx import AccessFigures, ErrorGroup, Listen, Location, NginxReading, Server, StubStatus, Upstream
from debugtui.model.source import Gap, Kind, LinkState, Problem
from debugtui.model.text import clean, line
from debugtui.sources.base import READ_LIMIT_S, SourceError
from debugtui.sources.nginx import logs, processes, status
from debugtui.sources.nginx.describe import Described, address_of, describe
from debugtui.sources.nginx.fetch import Files, fetch, tree_of

#: Seconds between two reads; seconds for one try to connect to an upstream, and most of them.
PERIOD_S, TRY_S, TRIES = 5.0, 2.0, 20
_PLACES = "/usr/sbin:/usr/local/sbin:/usr/local/nginx/sbin:/sbin"


class NginxSource:
    """One nginx. Its files are read in full reads, everything else each time."""

    kind = Kind.NGINX
    has_rates = True
    period_s = PERIOD_S
    limit_s = 2 * READ_LIMIT_S

    def __init__(
        self,
        link: Link,
        name: str,
        config: str,
        *,
        docker_ports: Callable[[], Mapping[int, str]] | None = None,
        clock: Clock | None = None,
    ) -> None:
        """Prepare.

        Args:
            link: the host's link.
            name: of this nginx on the host.
            config: its main configuration file.
            docker_ports: tells which container publishes a port of the host.
            clock: time.
        """
        self.name = name
        self._link, self._config = link, config
        self._docker_ports = docker_ports or dict
        self._clock = clock or SystemClock()
        self._files: Files | None = None
        self._described: Described | None = None
        self._problems: tuple[str, ...] = ()
        self._tested: tuple[bool | None, str] = (None, "")
        self._version = ""
        self._answers: dict[str, bool] = {}
        self._counters: status.Counters | None = None
        self._gaps: dict[str, Gap] = {}

    async def close(self) -> None:
        """Nothing stays open between reads."""

    async def read(self, *, full: bool) -> NginxReading:
        """Read now. See `Source.read`."""
        at = self._clock.now()
        if full or self._described is None:
            await self._read_files()
        described = self._described
        if described is None:
            raise SourceError(Problem(f"{self._config} was not read"))
        look = await self._look(described)
        if full:
            await self._test(look)
            await self._try_upstreams(described)
        stub = await self._stub(described, look)
        figures = await asyncio.to_thread(self._figures, described, look)
        says = next((one for one in (self._tested[1], *self._problems) if one), "")
        ok = False if self._problems else self._tested[0]
        return NginxReading(
            taken_at=at,
            config=self._config,
            version=self._version,
            config_ok=ok,
            config_says=says if ok is False else "",
            master_pid=look.master,
            workers=len(look.workers),
            started_at=look.started_at,
            config_changed_at=self._files.changed_at if self._files else None,
            servers=tuple(self._server(server, look) for server in described.servers),
            upstreams=tuple(self._upstream(one) for one in described.upstreams),
            status=stub,
            errors=figures.errors,
            access=figures.access,
            logs=described.logs,
            gaps=tuple(self._gaps.values()),
        )

    # --- the files

    async def _read_files(self) -> None:
        files = await fetch(self._link, self._config)
        before = self._files
        self._files = files
        if before is not None and before.by_path == files.by_path and before.problems == files.problems:
            return
        tree = await asyncio.to_thread(tree_of, files)
        self._problems = tuple(line(one, 200) for one in (*tree.problems, *files.problems))
        self._described = await asyncio.to_thread(describe, tree, posixpath.dirname(self._config))

    async def _test(self, look: processes.Look) -> None:
        """Have nginx itself test the files. It opens logs and keys for that, so only who may read them is told the truth."""
        words = look.command.split(" ")
        prefix = ["-p", words[words.index("-p") + 1]] if "-p" in words[:-1] else []
        script = f'PATH=$PATH:{_PLACES}; exec nginx "$@"'
        version = await self._link.run(["sh", "-c", script, "debugtui", "-v"], timeout=10.0, limit=10_000)
        self._version = (
            line(version.stderr.decode("utf-8", "replace").rpartition("/")[2].strip(), 30) if not version.status else ""
        )
        done = await self._link.run(["sh", "-c", script, "debugtui", *prefix, "-t", "-q", "-c", self._config], timeout=15.0)
        said = clean(done.stderr).strip().splitlines()
        first = next((line(row, 300) for row in said if "[emerg]" in row), line(said[-1], 300) if said else "")
        self._gaps.pop("nginx -t", None)
        if done.status == 0:
            self._tested = (True, "")
        elif done.status == 127 or "Permission denied" in first:
            self._tested = (None, "")
            why = Problem("nginx is not installed there") if done.status == 127 else Problem(first, "root can test it")
            self._gaps["nginx -t"] = Gap("nginx -t", why)
        else:
            self._tested = (False, first.partition("[emerg] ")[2] or first)

    # --- the processes

    async def _look(self, described: Described) -> processes.Look:
        paths = list(dict.fromkeys([*described.error_logs[:3], *(path for path, _ in described.access_logs[:3])]))
        try:
            look = await processes.look(self._link, described.pid, paths)
        except ValueError as error:
            raise SourceError(Problem(f"nginx on {self._link.host}: {error}")) from error
        for path in paths:
            self._gaps.pop(path, None)
            if path not in look.logs:
                self._gaps[path] = Gap(f"log {path}", Problem(f"{path} is not readable", "let the login read it (group adm)"))
        return look

    def _server(self, server: Server, look: processes.Look) -> Server:
        return replace(
            server,
            listens=tuple(self._listen(one, look) for one in server.listens),
            locations=tuple(self._location(one) for one in server.locations),
        )

    @staticmethod
    def _listen(listen: Listen, look: processes.Look) -> Listen:
        if look.sockets is None or not listen.port:
            return listen
        host = listen.address.rpartition(":")[0].strip("[]") or "*"
        mine = {pid for pid in (look.master, *look.workers) if pid is not None}
        for socket in look.sockets:
            same = host in ("*", "0.0.0.0", "::") or socket.address in ("*", "0.0.0.0", "::", host)  # noqa: S104 - compared
            if socket.port != listen.port or not same:
                continue
            if not socket.owners:
                return listen
            pids = {pid for _, pid in socket.owners}
            name, pid = socket.owners[0]
            return replace(listen, ours=bool(pids & mine), owner="" if pids & mine else f"{name} ({pid})")
        return replace(listen, ours=False)

    def _location(self, location: Location) -> Location:
        found = address_of(location.to) if "://" in location.to else None
        names = {up.name: up for up in (self._described.upstreams if self._described else ())}
        if found is not None and found[0] in names:
            ports = [address_of(server.address) for server in names[found[0]].servers]
        else:
            ports = [found]
        containers = [self._docker_ports().get(address[1], "") for address in ports if address is not None]
        return replace(location, containers=tuple(dict.fromkeys(name for name in containers if name)))

    def _upstream(self, upstream: Upstream) -> Upstream:
        servers = []
        for server in upstream.servers:
            address = address_of(server.address)
            container = self._docker_ports().get(address[1], "") if address is not None else ""
            servers.append(replace(server, container=container, answers=self._answers.get(server.address)))
        return replace(upstream, servers=tuple(servers))

    async def _try_upstreams(self, described: Described) -> None:
        addresses = [server.address for upstream in described.upstreams for server in upstream.servers if not server.down]
        wanted = {text: address for text in addresses[:TRIES] if (address := address_of(text)) is not None}
        found = await asyncio.gather(*(self._accepts(*address) for address in wanted.values()))
        self._answers = {text: answer for text, answer in zip(wanted, found, strict=True) if answer is not None}

    async def _accepts(self, host: str, port: int) -> bool | None:
        try:
            async with asyncio.timeout(TRY_S):
                await self._link.reach_tcp(host, port)
        except (LinkError, TimeoutError):
            return False if self._link.status.state is LinkState.UP else None
        return True

    async def _stub(self, described: Described, look: processes.Look) -> StubStatus | None:
        if look.master is None:
            return None
        for url in described.status_urls[:2]:
            try:
                page = await status.ask(self._link, url)
            except (OSError, LinkError, TimeoutError) as error:
                self._gaps["stub_status"] = Gap("stub_status", Problem(f"{url}: {line(str(error), 150) or 'no answer'}"))
                continue
            found = status.parse(page, self._counters, self._clock.monotonic())
            if found is not None:
                self._gaps.pop("stub_status", None)
                self._counters = found[1]
                return found[0]
        return None

    # --- the logs

    def _figures(self, described: Described, look: processes.Look) -> _Figures:
        zone = logs.zone_of(look.zone)
        errors = "\n".join(look.logs.get(path, "") for path in described.error_logs)
        hits = [hit for path, log_format in described.access_logs for hit in logs.hits(look.logs.get(path, ""), log_format)]
        readable = any(path in look.logs for path, _ in described.access_logs)
        hits.sort(key=lambda hit: hit.at or look.now)
        access = logs.access_figures(hits, look.now) if readable else None
        return _Figures(logs.error_groups(errors, zone, look.now), access)

    async def lines_at(self, url: str, at: datetime, near_s: float) -> str:
        """Return what the logs say of a request at a moment, its line of the access log and of the error log; empty: nothing.

        Args:
            url: of the request; its path is looked for.
            at: when (UTC, by our clock; the host's own may differ by less than `near_s`).
            near_s: seconds around it.

        Raises:
            LinkError: the link is not up.
        """
        if self._described is None:
            await self._read_files()
        described = self._described
        if described is None:
            return ""
        look = await self._look(described)
        path = urlsplit(url).path or "/"
        return await asyncio.to_thread(self._lines, described, look, path, at, timedelta(seconds=near_s))

    @staticmethod
    def _lines(described: Described, look: processes.Look, path: str, at: datetime, near: timedelta) -> str:
        found: list[str] = []
        for log, log_format in described.access_logs:
            rows: Sequence[logs.Hit] = [
                hit
                for hit in logs.hits(look.logs.get(log, ""), log_format)
                if hit.path == path and hit.at is not None and -near <= hit.at - at <= near + timedelta(seconds=30)
            ]
            if rows:
                found.append(line(clean(rows[-1].text), 300))
                break
        zone = logs.zone_of(look.zone)
        for log in described.error_logs:
            for when, level, words in logs.error_lines(look.logs.get(log, ""), zone):
                if f" {path}" in words and -near <= when - at <= near + timedelta(seconds=30):
                    found.append(f"[{level}] {words}")
                    return "  ".join(found)
        return "  ".join(found)

    async def error_logs(self) -> tuple[str, ...]:
        """Return where its error logs lie on the host, the main one first.

        Raises:
            SourceError, LinkError: the configuration could not be read.
        """
        if self._described is None:
            await self._read_files()
        logs_there = self._described.error_logs if self._described is not None else ()
        return tuple(path for path in logs_there if path.startswith("/"))

    def containers_of(self, url: str) -> tuple[str, ...]:
        """Return the containers that a URL's location passes requests to: of the longest prefix that fits."""
        path = urlsplit(url).path or "/"
        best: tuple[str, tuple[str, ...]] = ("", ())
        for server in self._described.servers if self._described else ():
            for location in server.locations:
                prefix = location.path.rpartition(" ")[2]
                if path.startswith(prefix) and len(prefix) >= len(best[0]):
                    best = (prefix, self._location(location).containers)
        return best[1]


class _Figures(NamedTuple):
    """What the logs say."""

    errors: tuple[ErrorGroup, ...]
    access: AccessFigures | None
