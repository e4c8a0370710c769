"""The only way out of the browser: a SOCKS5 proxy (RFC 1928) on loopback that leads to the watched site and nowhere else.

The browser hands it names unresolved, so a name means what it means on the far side, and what the browser itself would like to
ask for (updates, sign-in) ends here. Only processes of the same user are served, where the system tells whose they are.
"""

from __future__ import annotations

import asyncio
import contextlib
import ipaddress
import os
import socket
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TypeAlias

from debugtui.hosts.link import LinkError
from debugtui.model.source import Problem

_Streams: TypeAlias = tuple[asyncio.StreamReader, asyncio.StreamWriter]
Dial: TypeAlias = Callable[[str, int], Awaitable[_Streams]]

#: Seconds for a greeting, and for reaching an address.
_GREETING_S, DIAL_S = 5.0, 12.0

#: Most connections at once; a browser opens six to a host, and 32 to a proxy.
_MOST = 128

_CONNECT, _IPV4, _NAME, _IPV6 = 1, 1, 3, 4
_OK, _NOT_ALLOWED, _REFUSED, _UNSUPPORTED = 0, 2, 5, 7


class Gateway:
    """A proxy for one browser.

    Attributes:
        port: on 127.0.0.1, while it runs.
        failures: why an address could not be reached, by host and port; `forget` empties it.
        answered: addresses from which something came; `forget` empties it.
    """

    def __init__(self, dial: Dial, allowed: Callable[[str], bool]) -> None:
        self._dial = dial
        self._allowed = allowed
        self._server: asyncio.Server | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self.port = 0
        self.failures: dict[tuple[str, int], LinkError] = {}
        self.answered: set[tuple[str, int]] = set()

    async def start(self) -> None:
        """Listen on a free port of loopback."""
        self._server = await asyncio.start_server(self._accept, "127.0.0.1", 0)
        self.port = int(self._server.sockets[0].getsockname()[1])

    async def close(self) -> None:
        """End the listener and every connection. Safe to call twice."""
        server, self._server = self._server, None
        if server is not None:
            server.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        if server is not None:
            await server.wait_closed()

    def forget(self) -> None:
        """Forget which addresses were reached, and why others were not."""
        self.failures.clear()
        self.answered.clear()

    def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if len(self._tasks) >= _MOST:
            writer.transport.abort()
            return
        task = asyncio.ensure_future(self._serve(reader, writer))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            with contextlib.suppress(OSError, EOFError, TimeoutError, ValueError):
                if not await asyncio.to_thread(_is_ours, writer.get_extra_info("peername")[1]):
                    return
                async with asyncio.timeout(_GREETING_S):
                    host, port = await _greet(reader, writer)
                far = await self._reach(host, port, writer)
                if far is not None:
                    await _join((reader, writer), far, lambda: self.answered.add((host, port)))
        finally:
            writer.transport.abort()

    async def _reach(self, host: str, port: int, writer: asyncio.StreamWriter) -> _Streams | None:
        if not self._allowed(host):
            writer.write(_answer(_NOT_ALLOWED))
            await writer.drain()
            return None
        try:
            async with asyncio.timeout(DIAL_S):
                far = await self._dial(host, port)
        except LinkError as error:
            failure = error
        except TimeoutError:
            failure = LinkError(Problem(f"{host}:{port}: no answer within {DIAL_S:.0f} s"))
        except OSError as error:
            failure = LinkError(Problem(f"{host}:{port}: {error.strerror or error}"))
        else:
            self.failures.pop((host, port), None)
            writer.write(_answer(_OK))
            return far
        self.failures[host, port] = failure
        writer.write(_answer(_REFUSED))
        await writer.drain()
        return None


async def _greet(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> tuple[str, int]:
    version, methods = await reader.readexactly(2)
    await reader.readexactly(methods)
    if version != 5:
        raise ValueError("not SOCKS5")
    writer.write(b"\x05\x00")
    _, command, _, kind = await reader.readexactly(4)
    if kind == _NAME:
        (length,) = await reader.readexactly(1)
        host = (await reader.readexactly(length)).decode("ascii")
    elif kind in (_IPV4, _IPV6):
        host = str(ipaddress.ip_address(await reader.readexactly(4 if kind == _IPV4 else 16)))
    else:
        command = 0
    port = int.from_bytes(await reader.readexactly(2), "big")
    if command != _CONNECT:
        writer.write(_answer(_UNSUPPORTED))
        await writer.drain()
        raise ValueError("not a connection")
    return host.lower(), port


def _answer(code: int) -> bytes:
    return bytes((5, code, 0, _IPV4)) + bytes(6)


async def _join(near: _Streams, far: _Streams, answered: Callable[[], None]) -> None:
    try:
        async with asyncio.TaskGroup() as group:
            group.create_task(_pump(near[0], far[1], lambda: None))
            group.create_task(_pump(far[0], near[1], answered))
    finally:
        far[1].transport.abort()


async def _pump(source: asyncio.StreamReader, sink: asyncio.StreamWriter, came: Callable[[], None]) -> None:
    """Pass on what comes, then the end of it; an end that breaks ends the other direction too, through the sink."""
    with contextlib.suppress(OSError):
        while data := await source.read(65_536):
            came()
            sink.write(data)
            await sink.drain()
        if sink.can_write_eof():
            sink.write_eof()
        return
    sink.transport.abort()


def _is_ours(port: int) -> bool:
    """Return whether the peer at a port of 127.0.0.1 is a process of this user. Where the system does not tell: True."""
    if sys.platform != "linux":
        return True
    try:
        table = Path("/proc/net/tcp").read_text()
    except OSError:
        return True
    loopback = int.from_bytes(socket.inet_aton("127.0.0.1"), sys.byteorder)  # as the table writes it
    wanted = f"{loopback:08X}:{port:04X}"
    for entry in table.splitlines()[1:]:
        fields = entry.split()
        if fields[1] == wanted:
            return int(fields[7]) == os.geteuid()
    return False
