"""What one poll of a host costs us: real Docker with 50 containers, real PostgreSQL with 100 sessions, libvirt's test driver.

The servers are those of the tests; the link is the local one, so that only reading and parsing is measured.
"""

from __future__ import annotations

import asyncio
import statistics
import tempfile
import time
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from pathlib import Path

from debugtui.hosts.local import LocalLink
from debugtui.sources.base import Source
from debugtui.sources.docker.source import DockerSource
from debugtui.sources.libvirt.source import LibvirtSource
from debugtui.sources.postgres.source import PostgresSource
from debugtui.sources.system.source import SystemSource
from tests.services import docker_engine
from tests.services.postgres_server import running_server

CONTAINERS, VMS, SESSIONS = 50, 20, 100
ROUNDS = 10

NODE = """<node><cpu><nodes>1</nodes><sockets>1</sockets><cores>8</cores><threads>1</threads><active>8</active><mhz>2000</mhz>
<model>x86_64</model></cpu><memory>64000000</memory>{domains}</node>"""
DOMAIN = """<domain type='test'><name>vm-{number:02d}</name><memory>1048576</memory><vcpu>2</vcpu><os><type>hvm</type></os>
<devices><disk type='file'><source file='/x{number}'/><target dev='vda'/></disk></devices></domain>"""


async def _nothing() -> None:
    return None


async def measure(name: str, source: Source) -> float:
    """Print one row; return the median processor milliseconds of one read."""
    await source.read(full=True)
    await source.read(full=False)
    cpu, wall = [], []
    for _ in range(ROUNDS):
        await asyncio.sleep(0.3)
        began_cpu, began = time.process_time(), time.perf_counter()
        await source.read(full=False)
        cpu.append(1000 * (time.process_time() - began_cpu))
        wall.append(1000 * (time.perf_counter() - began))
    median = statistics.median(cpu)
    print(f"one poll, {name:<34} {median:6.1f} ms CPU of ours  {statistics.median(wall):6.1f} ms until it is there")
    return median


async def everything(socket: str, dsn: str, connect: Callable[[], Awaitable[object]], node: Path) -> None:
    """Measure each source and print the sum."""
    link = LocalLink("here")
    await link.start()
    await link.wait_settled(5)
    sources: list[tuple[str, Source]] = [
        ("system", SystemSource(link)),
        (f"libvirt, {VMS} VMs", LibvirtSource(link, f"test://{node}")),
        (f"Docker, {CONTAINERS} containers", DockerSource(link, socket)),
        (f"PostgreSQL, {SESSIONS} sessions", PostgresSource(link, "coach", dsn, _nothing)),
    ]
    async with AsyncExitStack() as stack:
        for _ in range(SESSIONS):
            connection = await connect()
            stack.push_async_callback(connection.close)  # type: ignore[attr-defined] # asyncpg's connection
        total = 0.0
        for name, source in sources:
            total += await measure(name, source)
            await source.close()
    print(f"one poll, the whole host             {total:6.1f} ms CPU of ours")
    await link.close()


def main() -> None:
    """Start the servers, measure, end them."""
    with tempfile.TemporaryDirectory() as folder, running_server() as server:
        node = Path(folder) / "node.xml"
        domains = "".join(DOMAIN.format(number=number) for number in range(VMS))
        node.write_text(NODE.format(domains=domains), encoding="utf-8")
        with docker_engine._engine() as engine:
            for number in range(CONTAINERS):
                engine.run(f"bench-{number:02d}", "sleep", "3600")
            asyncio.run(everything(engine.url, server.dsn(), server.connect, node))


if __name__ == "__main__":
    main()
