"""What the tests of the links share."""

from __future__ import annotations

import asyncio
import gc
import os
import threading
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from debugtui.config.ask import HostKeyQuestion, SecretQuestion
from debugtui.hosts.backoff import Backoff
from debugtui.hosts.link import LinkError
from debugtui.hosts.ssh import SshLink
from debugtui.model.source import LinkState
from tests.services.ssh_server import SshServer


class Answers:
    """An asker that answers from a list, and remembers what it was asked."""

    def __init__(self, *secrets: str | None, trust: bool = False) -> None:
        self.secrets = list(secrets)
        self.trust = trust
        self.asked: list[SecretQuestion] = []
        self.keys: list[HostKeyQuestion] = []
        self.hold: asyncio.Event | None = None

    async def secret(self, question: SecretQuestion) -> str | None:
        self.asked.append(question)
        return self.secrets.pop(0) if self.secrets else None

    async def trust_host_key(self, question: HostKeyQuestion) -> bool:
        self.keys.append(question)
        if self.hold is not None:
            await self.hold.wait()
        return self.trust


def quick() -> Backoff:
    """A backoff without jitter."""
    return Backoff(lambda: 0.0)


def make_link(server: SshServer, asker: Any = None, **changes: Any) -> SshLink:
    """A link to a test's sshd that reads nothing of this machine's own ssh configuration."""
    options: dict[str, Any] = {
        "identity": server.key,
        "known_hosts": server.known_hosts,
        "ssh_config": (),
        "backoff": quick(),
    }
    address = changes.pop("address", server.address)
    return SshLink("kvm-01", address, asker or Answers(), **{**options, **changes})


@asynccontextmanager
async def started(link: SshLink, state: LinkState = LinkState.UP) -> AsyncIterator[SshLink]:
    """Start a link, expect it to settle in `state`, close it afterwards."""
    await link.start()
    try:
        status = await link.wait_settled(15)
        assert status.state is state, status
        yield link
    finally:
        await link.close()


async def becomes(link: SshLink, state: LinkState, timeout: float) -> None:
    """Wait until a link is in a state."""
    changed = asyncio.Event()
    link.on_change(changed.set)
    async with asyncio.timeout(timeout):
        while link.status.state is not state:
            changed.clear()
            await changed.wait()


async def until(true: Callable[[], object], timeout: float, what: str) -> None:
    """Wait until something is true."""
    loop = asyncio.get_running_loop()
    end = loop.time() + timeout
    while not true():
        assert loop.time() < end, f"not within {timeout} s: {what}"
        await asyncio.sleep(0.02)


async def failure(awaitable: Any) -> LinkError:
    """Return the LinkError that `awaitable` ends with."""
    try:
        result = await awaitable
    except LinkError as error:
        return error
    raise AssertionError(f"no error, but {result!r}")


def open_files() -> int:
    return len(os.listdir("/proc/self/fd"))


@asynccontextmanager
async def nothing_left() -> AsyncIterator[None]:
    """Expect as many files, tasks, threads and private folders soon after the block as before it."""
    # Threads of the pool stay for reuse by design: fill it first, so that only other threads count.
    loop = asyncio.get_running_loop()
    await asyncio.gather(*(loop.run_in_executor(None, time.sleep, 0.02) for _ in range(64)))
    before = await _settled(None)
    yield
    after = await _settled(before)
    assert after == before, f"{after} is left, {before} was there before"


async def _settled(wanted: dict[str, Any] | None) -> dict[str, Any]:
    for _ in range(40):
        gc.collect()
        now = {
            "files": open_files(),
            "tasks": len(asyncio.all_tasks()),
            "threads": threading.active_count(),
            "folders": private_folders(),
        }
        if now == wanted:
            break
        await asyncio.sleep(0.05)
    return now


def private_folders() -> int:
    return sum(
        1
        for place in ("/tmp", os.environ.get("XDG_RUNTIME_DIR") or "/nowhere")
        for _ in Path(place).glob(f"dbgtui-{os.getpid()}-*")
    )


@asynccontextmanager
async def echo_server(path: Path) -> AsyncIterator[None]:
    """A UNIX server that sends back what it gets."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while data := await reader.read(65536):
                writer.write(data)
                await writer.drain()
        except ConnectionError:
            pass
        finally:
            writer.close()

    server = await asyncio.start_unix_server(serve, path)
    try:
        yield
    finally:
        server.close()
        await server.wait_closed()


async def echoes(path: str, data: bytes = b"ping") -> bytes:
    """Send `data` to a UNIX socket; return as much as came back."""
    reader, writer = await asyncio.open_unix_connection(path)
    try:
        writer.write(data)
        writer.write_eof()
        async with asyncio.timeout(5):
            return await reader.read()
    finally:
        writer.close()
        await writer.wait_closed()
