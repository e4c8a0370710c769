"""What may stand between a client and PostgreSQL: a forward, a pooler, something that is no PostgreSQL at all."""

from __future__ import annotations

import asyncio
import contextlib
import struct
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from pathlib import Path

from debugtui.hosts.link import CommandResult, Endpoint, LinkError
from debugtui.model.source import LinkState, LinkStatus, Problem

Handler = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


class PathLink:
    """A link to this machine: every endpoint is the thing itself, or what `through` names instead."""

    host = "here"
    address = "local"
    traffic = (0, 0)

    def __init__(self, through: str = "") -> None:
        self.status = LinkStatus(LinkState.UP)
        self.through = through

    def break_(self) -> None:
        self.status = LinkStatus(LinkState.LOST, Problem("the link is down"))

    def mend(self) -> None:
        self.status = LinkStatus(LinkState.UP)

    def _check(self) -> None:
        if self.status.problem is not None:
            raise LinkError(self.status.problem)

    async def reach_unix(self, path: str) -> Endpoint:
        self._check()
        return Endpoint(path=self.through or path)

    async def reach_tcp(self, host: str, port: int) -> Endpoint:
        self._check()
        return Endpoint(path=self.through) if self.through else Endpoint(host=host, port=port)

    async def run(self, argv: Sequence[str], *, timeout: float, stdin: bytes = b"", limit: int = 4_000_000) -> CommandResult:
        raise LinkError(Problem("no commands here"))

    def on_change(self, callback: Callable[[], None]) -> None:
        return

    async def start(self) -> None:
        return

    async def close(self) -> None:
        return

    async def wait_settled(self, timeout: float) -> LinkStatus:
        return self.status

    def retry_now(self) -> None:
        return


@contextlib.asynccontextmanager
async def listening(handler: Handler) -> AsyncIterator[str]:
    """Serve a UNIX socket with a name that says nothing of PostgreSQL; yield its path."""
    tasks: set[asyncio.Task[None]] = set()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        tasks.add(task)
        try:
            with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError, FileNotFoundError):
                await handler(reader, writer)
        finally:
            await _close(writer)
            tasks.discard(task)

    with tempfile.TemporaryDirectory(prefix="dtr-", dir="/tmp") as directory:
        path = str(Path(directory) / "f1")
        server = await asyncio.start_unix_server(serve, path)
        try:
            yield path
        finally:
            server.close()
            if tasks:  # the clients are gone: most end by themselves
                await asyncio.wait(tasks, timeout=1)
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            await server.wait_closed()


async def _close(writer: asyncio.StreamWriter) -> None:
    """Cut a connection, and wait until it is gone."""
    writer.transport.abort()
    with contextlib.suppress(ConnectionError):
        await writer.wait_closed()


async def _copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while data := await reader.read(65_536):
        writer.write(data)
        await writer.drain()


def forward(target: Path | tuple[str, int], *, rewrite: Callable[[bytes], bytes | None] | None = None) -> Handler:
    """Carry bytes to a server, as an ssh forward does: where there is none the connection is simply closed.

    `rewrite` sees each startup packet first; None refuses it, as PgBouncer refuses a parameter that it cannot track.
    """

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        first = b""
        if rewrite is not None:
            size = await reader.readexactly(4)
            packet = await reader.readexactly(struct.unpack("!i", size)[0] - 4)
            changed = rewrite(packet)
            if changed is None:
                writer.write(error_response("08P01", "unsupported startup parameter: default_transaction_read_only"))
                await writer.drain()
                return
            first = struct.pack("!i", len(changed) + 4) + changed
        if isinstance(target, Path):
            up_reader, up_writer = await asyncio.open_unix_connection(str(target))
        else:
            up_reader, up_writer = await asyncio.open_connection(*target)
        up_writer.write(first)
        copies = [asyncio.ensure_future(_copy(reader, up_writer)), asyncio.ensure_future(_copy(up_reader, writer))]
        try:
            await asyncio.wait(copies, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for copy in copies:
                copy.cancel()
            await asyncio.gather(*copies, return_exceptions=True)
            await _close(up_writer)

    return handle


#: What PgBouncer knows of a startup packet without being told more.
_TRACKED = {"user", "database", "client_encoding", "application_name", "datestyle", "timezone", "standard_conforming_strings"}


def _parameters(packet: bytes) -> dict[str, str]:
    words = packet[4:].rstrip(b"\0").split(b"\0")
    return {name.decode(): value.decode() for name, value in zip(words[::2], words[1::2], strict=True)}


def refuse_parameters(packet: bytes) -> bytes | None:
    """As PgBouncer does by default."""
    if packet[:4] != b"\0\x03\0\0":  # a request to cancel
        return packet
    return packet if {name.lower() for name in _parameters(packet)} <= _TRACKED else None


def swallow_parameters(packet: bytes) -> bytes | None:
    """As PgBouncer does with `ignore_startup_parameters`."""
    if packet[:4] != b"\0\x03\0\0":
        return packet
    kept = {name: value for name, value in _parameters(packet).items() if name.lower() in _TRACKED}
    return packet[:4] + b"".join(name.encode() + b"\0" + value.encode() + b"\0" for name, value in kept.items()) + b"\0"


def error_response(sqlstate: str, message: str) -> bytes:
    """One fatal error of the server."""
    body = b"".join(kind + text.encode() + b"\0" for kind, text in ((b"S", "FATAL"), (b"C", sqlstate), (b"M", message))) + b"\0"
    return b"E" + struct.pack("!i", len(body) + 4) + body


def answering(data: bytes) -> Handler:
    """Read a little, answer that, and close."""

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(1_024)
        writer.write(data)
        await writer.drain()

    return handle


async def silent(reader: asyncio.StreamReader, _writer: asyncio.StreamWriter) -> None:
    """Take everything and say nothing."""
    while await reader.read(1_024):
        pass


def old_server(version: str) -> bytes:
    """The greeting of a server that lets everybody in."""

    def message(kind: bytes, body: bytes) -> bytes:
        return kind + struct.pack("!i", len(body) + 4) + body

    parameters = {"server_version": version, "server_encoding": "UTF8", "client_encoding": "UTF8"}
    status = b"".join(message(b"S", f"{name}\0{value}\0".encode()) for name, value in parameters.items())
    return message(b"R", struct.pack("!i", 0)) + status + message(b"K", struct.pack("!ii", 1, 2)) + message(b"Z", b"I")
