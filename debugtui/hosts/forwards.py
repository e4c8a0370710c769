"""Local ends of services of a host, forwarded over one connection, each tried before it is given out."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Any, TypeAlias

import asyncssh

from debugtui.hosts import sockets
from debugtui.hosts.commands import Commands
from debugtui.hosts.link import Endpoint, LinkError
from debugtui.hosts.private import PrivateFolder
from debugtui.hosts.problems import words
from debugtui.model.source import Problem
from debugtui.model.text import line

#: Seconds that a trial of a service may take.
PROBE_LIMIT = 10.0

#: A trial that succeeded counts for this many seconds. Longer, and a service that has stopped since would be reported as a
#: broken connection; sources ask only when they open a client connection, so trials stay rare.
PROBE_GOOD_FOR = 5.0

_Stream: TypeAlias = tuple[asyncssh.SSHReader[bytes], asyncssh.SSHWriter[bytes]]


@dataclass(slots=True)
class _Forward:
    endpoint: Endpoint
    listener: asyncssh.SSHListener
    tried_at: float


class Forwards:
    """The forwards of one connection, shared by path or address, closed with it."""

    def __init__(self, connection: asyncssh.SSHClientConnection, commands: Commands, host: str, folder: PrivateFolder) -> None:
        self._connection = connection
        self._commands = commands
        self._host = host
        self._folder = folder
        self._made: dict[str, _Forward] = {}
        self._locks: defaultdict[str, asyncio.Lock] = defaultdict(asyncio.Lock)
        self._opening: set[asyncio.Future[_Stream]] = set()

    async def unix(self, path: str) -> Endpoint:
        """Return a local socket that leads to `path` on the host, which keeps its last name; see `Link.reach_unix`."""
        if not path.startswith("/") or "\0" in path:
            raise LinkError(Problem(f"{line(path, 200)!r} is not an absolute path of a socket", "correct the configuration"))

        async def explain(error: BaseException) -> LinkError:
            return await self._explain_unix(path, error)

        return await self._reach(
            path,
            PurePosixPath(path).name,
            lambda: self._connection.open_unix_connection(path, encoding=None),
            lambda local: self._connection.forward_local_path(local, path),
            explain,
        )

    async def tcp(self, host: str, port: int) -> Endpoint:
        """Return a local socket that leads to an address as seen from the host; see `Link.reach_tcp`.

        The local end is a UNIX socket, which other users of this machine cannot open. It is called `.s.PGSQL.PORT`, so that
        libpq-style clients, which take a folder and a port, can use it too.
        """

        async def explain(error: BaseException) -> LinkError:
            return self._explain_tcp(host, port, error)

        return await self._reach(
            f"{host}:{port}",
            f".s.PGSQL.{port}",
            lambda: self._connection.open_connection(host, port, encoding=None),
            lambda local: self._connection.forward_local_path_to_port(local, host, port),
            explain,
        )

    async def _reach(
        self,
        key: str,
        name: str,
        dial: Callable[[], Awaitable[Any]],
        listen: Callable[[str], Awaitable[asyncssh.SSHListener]],
        explain: Callable[[BaseException], Awaitable[LinkError]],
    ) -> Endpoint:
        now = asyncio.get_running_loop().time
        async with self._locks[key]:
            made = self._made.get(key)
            if made is not None and now() - made.tried_at < PROBE_GOOD_FOR:
                return made.endpoint
            try:
                await self._try(dial)
            except (asyncssh.Error, OSError) as error:
                if self._connection.is_closed():
                    raise LinkError(Problem(f"the connection to {line(self._host, 100)} was lost: {words(error)}")) from error
                raise await explain(error) from error
            if made is None:
                local = str(self._folder.place(name))
                made = self._made[key] = _Forward(Endpoint(path=local), await listen(local), now())
            made.tried_at = now()
            return made.endpoint

    async def _try(self, dial: Callable[[], Awaitable[Any]]) -> None:
        """Open one channel to the service and close it. Whoever gives up waiting leaves none open."""
        opening: asyncio.Future[_Stream] = asyncio.ensure_future(dial())
        try:
            async with asyncio.timeout(PROBE_LIMIT):
                _, writer = await asyncio.shield(opening)
        except (asyncio.CancelledError, TimeoutError):
            self._opening.add(opening)
            opening.add_done_callback(self._abandon)
            raise
        writer.channel.abort()

    def _abandon(self, opening: asyncio.Future[_Stream]) -> None:
        self._opening.discard(opening)
        if not opening.cancelled() and opening.exception() is None:
            opening.result()[1].channel.abort()

    async def _explain_unix(self, path: str, error: BaseException) -> LinkError:
        if isinstance(error, TimeoutError):
            return LinkError(
                Problem(
                    f"{line(path, 200)} on {line(self._host, 100)}: no answer within {PROBE_LIMIT:.0f} s",
                    "is the host overloaded?",
                )
            )
        said = words(error)
        try:
            result = await self._commands.run(
                ["sh", "-c", sockets.SCRIPT, "sh", path], timeout=PROBE_LIMIT, stdin=b"", limit=10_000
            )
        except LinkError as failure:
            said = f"{said}; and why cannot be asked: {failure.problem.says}"
            return sockets.problem(self._host, path, sockets.Finding(sockets.Verdict.UNKNOWN), said)
        return sockets.problem(self._host, path, sockets.parse(result.stdout, path), said)

    def _explain_tcp(self, host: str, port: int, error: BaseException) -> LinkError:
        where, name = line(f"{host}:{port}", 200), line(self._host, 100)
        if isinstance(error, TimeoutError):
            return LinkError(Problem(f"{where} as seen from {name}: no answer within {PROBE_LIMIT:.0f} s", "a firewall?"))
        if isinstance(error, asyncssh.ChannelOpenError) and error.code == asyncssh.OPEN_ADMINISTRATIVELY_PROHIBITED:
            return LinkError(
                Problem(
                    f"sshd on {name} does not allow forwarding to {where}: {words(error)}",
                    "set AllowTcpForwarding yes (and PermitOpen) in its sshd_config, no restrict in authorized_keys",
                )
            )
        return LinkError(
            Problem(
                f"{where} cannot be reached from {name}: {words(error)}",
                "is the service running, and listening on that address?",
            )
        )

    async def close(self) -> None:
        """Close the local ends. The connection is closed already, so what went through them has ended."""
        for made in self._made.values():
            made.listener.close()
        for made in self._made.values():
            try:
                async with asyncio.timeout(1.0):
                    await made.listener.wait_closed()
            except TimeoutError:
                continue  # from 3.12 on a server waits for its last client, who may be slow to notice; it serves nobody new
        self._made.clear()
        await asyncio.gather(*self._opening, return_exceptions=True)
