"""A door in front of an SSH server, which can fail: stop answering, or throw everybody out."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Awaitable, Callable
from enum import StrEnum

_CHUNK = 65_536


class Door(StrEnum):
    """open: bytes pass. frozen: connections stand, nothing passes, as with a hung host. shut: every connection is reset."""

    OPEN = "open"
    FROZEN = "frozen"
    SHUT = "shut"


class Gate:
    """Listens on loopback and passes each connection to `serve`, as one end of a socket pair."""

    def __init__(self, serve: Callable[[socket.socket], Awaitable[None]]) -> None:
        self._serve = serve
        self._door = Door.OPEN
        self._passing = asyncio.Event()
        self._passing.set()
        self._server: asyncio.Server | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self.port = 0

    async def start(self) -> None:
        """Listen on a free port of 127.0.0.1."""
        self._server = await asyncio.start_server(self._accept, "127.0.0.1", 0)
        self.port = self._server.sockets[0].getsockname()[1]

    async def stop(self) -> None:
        """End the listener and every connection."""
        if self._server is not None:
            self._server.close()
        await self._throw_out()

    @property
    def door(self) -> Door:
        """How the door stands now."""
        return self._door

    async def turn(self, door: Door) -> None:
        """Open, freeze or shut it."""
        if door is self._door:
            return
        self._door = door
        if door is Door.FROZEN:
            self._passing.clear()
        else:
            self._passing.set()
        if door is Door.SHUT:
            await self._throw_out()

    async def _throw_out(self) -> None:
        tasks = [task for task in self._tasks if task is not asyncio.current_task()]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        if self._door is Door.SHUT or task is None:
            writer.transport.abort()
            return
        self._tasks.add(task)
        try:
            await self._connect(reader, writer)
        except asyncio.CancelledError:
            # Thrown out. asyncio's own callback would report a cancelled handler as an error, so it ends like any other.
            return
        finally:
            self._tasks.discard(task)
            writer.transport.abort()

    async def _connect(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        ours, theirs = socket.socketpair()
        inner_reader, inner_writer = await asyncio.open_connection(sock=ours)
        pumps = [
            asyncio.create_task(self._serve_end(theirs)),
            asyncio.create_task(self._pump(reader, inner_writer)),
            asyncio.create_task(self._pump(inner_reader, writer)),
        ]
        try:
            # The two pumps: either end of the connection closing ends both. The server's own end follows.
            await asyncio.wait(pumps[1:], return_when=asyncio.FIRST_COMPLETED)
        finally:
            inner_writer.transport.abort()
            for pump in pumps:
                pump.cancel()
            await asyncio.gather(*pumps, return_exceptions=True)

    async def _serve_end(self, end: socket.socket) -> None:
        await self._serve(end)

    async def _pump(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while data := await reader.read(_CHUNK):
                await self._passing.wait()
                writer.write(data)
                await writer.drain()
        except ConnectionError:
            return
