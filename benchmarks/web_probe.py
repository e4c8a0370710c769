"""What the way through a host adds to a web probe: the same page asked directly and through a real sshd on loopback.

python -m benchmarks.web_probe [ROUNDS]
"""

from __future__ import annotations

import asyncio
import shutil
import statistics
import sys

from aiohttp import web

from debugtui.config.hosts import WebConfig
from debugtui.hosts.link import Link
from debugtui.hosts.local import LocalLink
from debugtui.sources.web.source import WebSource
from tests.lab.link_tools import make_link, started
from tests.services.ssh_server import new_server

ROUNDS = 200


async def hello(_request: web.Request) -> web.Response:
    return web.Response(text="Coach")


async def probe(link: Link, url: str, rounds: int) -> list[float]:
    """Return the total time of each probe, in milliseconds."""
    source = WebSource(link, WebConfig(name="front", url=url))
    times = []
    for _ in range(rounds):
        reading = await source.read(full=False)
        assert reading.sound, reading.fault_says
        times.append(reading.timing.total_ms or 0.0)
    return times


def say(name: str, times: list[float]) -> None:
    ordered = sorted(times)
    print(f"{name:<28}  median {statistics.median(times):.1f} ms, p95 {ordered[int(0.95 * len(ordered))]:.1f} ms")


async def run(rounds: int) -> None:
    app = web.Application()
    app.router.add_get("/", hello)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    url = f"http://127.0.0.1:{runner.addresses[0][1]}/"
    server = new_server()
    try:
        direct = LocalLink("here")
        async with started(make_link(server)) as link:
            await probe(link, url, 5)
            near, far = await probe(direct, url, rounds), await probe(link, url, rounds)
    finally:
        server.stop()
        shutil.rmtree(server.folder)
        await runner.cleanup()
    say("a web probe, directly", near)
    say("a web probe, through sshd", far)
    print(f"{'the way through the host':<28}  {statistics.median(far) - statistics.median(near):.1f} ms more")


def main() -> None:
    """Print the figures."""
    asyncio.run(run(int(sys.argv[1]) if len(sys.argv) > 1 else ROUNDS))


if __name__ == "__main__":
    main()
