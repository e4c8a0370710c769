"""What the tests of the outer layers share: a link to this machine, a raw server that does what a test says."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable

from debugtui.hosts.link import Link
from debugtui.hosts.local import LocalLink
from tests.services.ssh_server import HOST


@contextlib.asynccontextmanager
async def local() -> AsyncIterator[Link]:
    link = LocalLink("kvm-01")
    await link.start()
    try:
        yield link
    finally:
        await link.close()


Handler = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


@contextlib.asynccontextmanager
async def answering(handler: Handler) -> AsyncIterator[str]:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await handler(reader, writer)
        except ConnectionError:
            return
        finally:
            writer.close()

    server = await asyncio.start_server(serve, HOST, 0)
    try:
        yield f"http://{HOST}:{server.sockets[0].getsockname()[1]}/"
    finally:
        server.close()


async def hang(reader: asyncio.StreamReader, _writer: asyncio.StreamWriter) -> None:
    await reader.read()
