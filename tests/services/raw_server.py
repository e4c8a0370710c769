"""Servers that misbehave on purpose, on a free port of loopback."""

from __future__ import annotations

import asyncio
import contextlib
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable

from tests.services.ssh_server import HOST

#: What a server does with one connection after it read the head of a request, which it is given.
Act = Callable[[bytes, asyncio.StreamWriter], Awaitable[None]]


@contextlib.asynccontextmanager
async def raw_server(act: Act, *, port: int = 0, context: ssl.SSLContext | None = None) -> AsyncIterator[int]:
    """Run a server that reads a request and does `act`; yield its port. What it is doing at the end is cancelled."""
    busy: set[asyncio.Task[None]] = set()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        busy.add(task)
        try:
            await act(await reader.readuntil(b"\r\n\r\n"), writer)
            await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError, asyncio.CancelledError):
            pass  # a trial of the port sends nothing; a client may leave early
        finally:
            busy.discard(task)
            writer.close()

    server = await asyncio.start_server(serve, HOST, port, ssl=context)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()
        for task in list(busy):
            task.cancel()
        await asyncio.gather(*busy, return_exceptions=True)
        await server.wait_closed()


def says(data: bytes) -> Act:
    """Return an act that sends something and hangs up."""

    async def act(head: bytes, writer: asyncio.StreamWriter) -> None:
        writer.write(data)

    return act


def answer(body: bytes, status: str = "200 OK", *headers: str) -> bytes:
    """Return a whole HTTP answer."""
    lines = [f"HTTP/1.1 {status}", f"Content-Length: {len(body)}", *headers, "", ""]
    return "\r\n".join(lines).encode() + body
