"""Read access to one host, for drafts, guards and checks. It looks with the same credentials as the sources, never with more.

Every method has a time limit. Close it: it owns its connections and threads.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeVar

from debugtui.config.ask import Asker
from debugtui.config.models import Config, HostConfig, PostgresConfig
from debugtui.config.secrets import resolve
from debugtui.fleet.build import DOCKER_DEFAULT, LIBVIRT_DEFAULT
from debugtui.hosts.link import CommandResult, Link
from debugtui.model.clock import Clock, SystemClock
from debugtui.model.source import FleetView, HostView, Problem
from debugtui.sources.base import SourceError

if TYPE_CHECKING:
    import asyncpg

    from debugtui.remediation.libvirt_calls import LibvirtCalls
    from debugtui.sources.docker.client import EngineClient
    from debugtui.sources.postgres.session import Session

T = TypeVar("T")

#: Seconds for one call to libvirt, and for one command that only looks.
CALL_LIMIT, COMMAND_LIMIT = 8.0, 10.0


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What plans and executions need of the world around one host.

    Attributes:
        config: the whole configuration.
        host: the host's part of it.
        link: the host's link, up or not; shared with the sources, never closed here.
        asker: who asks the operator for a secret.
        view: gives readings of the host that are not older than a few seconds.
        clock: time.
        dwell: every waiting time of a verification is multiplied by this; 1 but in tests.
        secrets: monitoring passwords that were given in this run, by host and database.
        libvirt: opens libvirt in the demo's way; None: the real one.
        link_of: the link of another host, by name; KeyError where none is connected.
    """

    config: Config
    host: HostConfig
    link: Link
    asker: Asker
    view: Callable[[], Awaitable[FleetView]]
    clock: Clock = field(default_factory=SystemClock)
    dwell: float = 1.0
    secrets: dict[tuple[str, str], str] = field(default_factory=dict)
    libvirt: Callable[[bool], LibvirtCalls] | None = None
    link_of: Callable[[str], Link] | None = None


class Eyes:
    """Looks at one host; several tasks may use it at a time."""

    def __init__(self, surroundings: Surroundings) -> None:
        self.around = surroundings
        self._sessions: dict[str, Session] = {}
        self._locks: dict[str, asyncio.Lock] = {}
        self._docker: EngineClient | None = None
        self._libvirt: LibvirtCalls | None = None
        self._opening = asyncio.Lock()

    @property
    def config(self) -> Config:
        """The whole configuration."""
        return self.around.config

    @property
    def host(self) -> HostConfig:
        """The host's configuration."""
        return self.around.host

    @property
    def link(self) -> Link:
        """The host's link."""
        return self.around.link

    def link_to(self, host: str) -> Link:
        """Return the link of a host, which may be another one.

        Raises:
            SourceError: it is not connected here.
        """
        if host == self.host.name:
            return self.link
        try:
            if self.around.link_of is not None:
                return self.around.link_of(host)
        except KeyError:
            raise SourceError(Problem(f"no link to {host}")) from None
        raise SourceError(Problem(f"no link to {host}"))

    @property
    def clock(self) -> Clock:
        """Time."""
        return self.around.clock

    async def close(self) -> None:
        """Release every connection and thread. Safe to call twice."""
        sessions, self._sessions = list(self._sessions.values()), {}
        docker, self._docker = self._docker, None
        libvirt, self._libvirt = self._libvirt, None
        for session in sessions:
            await session.close()
        if docker is not None:
            await docker.close()
        if libvirt is not None:
            await libvirt.close()

    async def view(self) -> FleetView:
        """Return readings of this host (at least) that are not older than a few seconds."""
        return await self.around.view()

    async def host_view(self) -> HostView:
        """Return this host's part of `view`.

        Raises:
            SourceError: the view does not hold it.
        """
        for host in (await self.view()).hosts:
            if host.name == self.host.name:
                return host
        raise SourceError(Problem(f"{self.host.name} is not watched"))

    # --- the host itself

    async def run(self, argv: Sequence[str], *, timeout: float = COMMAND_LIMIT, limit: int = 4_000_000) -> CommandResult:
        """Run a command that only looks; see `Link.run`."""
        return await self.link.run(argv, timeout=timeout, limit=limit)

    # --- PostgreSQL

    def database(self, name: str) -> PostgresConfig:
        """Return the configuration of one database.

        Raises:
            KeyError: there is none of that name.
        """
        for database in self.host.postgres:
            if database.name == name:
                return database
        raise KeyError(name)

    async def fetch(
        self, database: str, sql: str, *args: object, timeout: float | None = None, fresh: bool = False
    ) -> Sequence[asyncpg.Record]:
        """Ask a database, read only, with the monitoring role. The search path is `pg_catalog` alone.

        Args:
            database: its configured name.
            sql: one statement, ASCII, with `$1` parameters.
            args: its parameters.
            timeout: seconds; 6 unless told, and 5 on the server.
            fresh: on a connection that is opened for it and closed afterwards, as a new session of the application would be.

        Raises:
            asyncpg.PostgresError: what the server says of the statement.
            SourceError, LinkError: the server cannot be asked.
            TimeoutError: no answer in time.
        """
        if fresh:
            session = await self._connect(database)
            try:
                return await session.fetch(sql, *args, timeout=timeout)
            finally:
                await session.close()
        async with self._locks.setdefault(database, asyncio.Lock()):
            held = self._sessions.get(database)
            if held is None or held.closed:
                held = self._sessions[database] = await self._connect(database)
            session = held
            try:
                return await session.fetch(sql, *args, timeout=timeout)
            except BaseException as error:
                if not _is_statement_error(error):
                    self._sessions.pop(database, None)
                    session.drop()
                raise

    async def _connect(self, name: str) -> Session:
        from debugtui.sources.postgres.source import PostgresSource

        database = self.database(name)
        source = PostgresSource(self.link, name, database.dsn, lambda: self._password(database))
        return await source.connect_anew()

    async def _password(self, database: PostgresConfig) -> str | None:
        key = (self.host.name, database.name)
        known = self.around.secrets.get(key)
        if known is None and database.password is not None:
            known = await resolve(
                database.password,
                name=f"password of {self.host.name}/postgres/{database.name}",
                purpose=f"to look at the database {database.name} on {self.host.name}",
                asker=self.around.asker,
            )
            if known is not None:
                self.around.secrets[key] = known
        return known

    # --- Docker

    @property
    def docker_socket(self) -> str:
        """The engine's socket on the host.

        Raises:
            SourceError: Docker is switched off for this host.
        """
        if self.host.docker is False:
            raise SourceError(Problem(f"Docker is switched off for {self.host.name}", "docker = false in the configuration"))
        return (self.host.docker or DOCKER_DEFAULT).removeprefix("unix://")

    async def docker(self) -> EngineClient:
        """Return a client of the engine, for GET requests; it is closed with this object."""
        from debugtui.sources.docker.client import EngineClient

        async with self._opening:
            if self._docker is None:
                self._docker = await EngineClient.open(self.link, self.docker_socket)
            return self._docker

    # --- libvirt

    @property
    def libvirt_uri(self) -> str:
        """The URI as seen from the host.

        Raises:
            SourceError: libvirt is switched off for this host.
        """
        if self.host.libvirt is False:
            raise SourceError(Problem(f"libvirt is switched off for {self.host.name}", "libvirt = false in the configuration"))
        return self.host.libvirt or LIBVIRT_DEFAULT

    async def libvirt(self, function: Callable[[Any], T], limit: float = CALL_LIMIT) -> T:
        """Return what `function`, given a read-only `virConnect`, returns in libvirt's own thread: plain data only.

        No libvirt object may leave it, neither in the result nor in a closure (see `sources.libvirt.worker`).

        Raises:
            CallError: libvirt refused; `code` is its number.
            SourceError: no answer in time, or no libvirt there.
            LinkError: the link is not up.
        """
        async with self._opening:
            if self._libvirt is None:
                self._libvirt = self._open_libvirt()
        return await self._libvirt.call(function, limit)

    def _open_libvirt(self) -> LibvirtCalls:
        from debugtui.remediation.libvirt_calls import LinkCalls

        if self.around.libvirt is not None:
            return self.around.libvirt(False)
        return LinkCalls(self.link, self.libvirt_uri, write=False)


def _is_statement_error(error: BaseException) -> bool:
    """Whether the connection outlives it."""
    import asyncpg

    return isinstance(error, asyncpg.PostgresError) and not isinstance(
        error, (asyncpg.PostgresConnectionError, asyncpg.OperatorInterventionError)
    )
