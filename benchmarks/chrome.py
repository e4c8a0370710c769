"""What a front-end check costs: cold, warm, in memory; and that nothing stays: 50 checks, ten of them killed half-way.

python -m benchmarks.chrome [RUNS [KILLED]]
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import random
import statistics
import sys
import tempfile
import time

from debugtui.config.hosts import WebConfig
from debugtui.hosts.local import LocalLink
from debugtui.sources.chrome import folder, processes
from debugtui.sources.chrome.source import ChromeSource
from tests.lab.chrome_pages import site, standing_in
from tests.services.ssh_server import free_port

COLD_S, WARM_S = 8.0, 3.0
WARM_ROUNDS = 5


def source(url: str) -> ChromeSource:
    return ChromeSource(LocalLink("here"), WebConfig(name="front", url=url))


async def times(url: str) -> None:
    """Print how long the first and the later checks take, and what the browser holds meanwhile."""
    made = source(url)
    try:
        began = time.perf_counter()
        await made.read(full=True)
        cold = time.perf_counter() - began
        warm = []
        for _ in range(WARM_ROUNDS):
            began = time.perf_counter()
            await made.read(full=True)
            warm.append(time.perf_counter() - began)
        everyone = processes.all_of_ours()
        tree = processes.below(folder.server_pid(made._browser.folder), everyone)
        print(f"front-end check, cold                {cold:6.2f} s   (at most {COLD_S:.0f} s)")
        print(f"front-end check, warm                {statistics.median(warm):6.2f} s   (at most {WARM_S:.0f} s)")
        print(f"browser with its server              {processes.private_bytes(tree) / 1e6:6.0f} MB in {len(tree)} processes")
        began = time.perf_counter()
    finally:
        await made.close()
    print(f"ending the browser                   {time.perf_counter() - began:6.2f} s")


READER = """
import asyncio, sys
from benchmarks.chrome import source
asyncio.run(source(sys.argv[1]).read(full=True))
"""


async def once(url: str, how: str) -> None:
    """Make one check: whole, cancelled half-way, or in a process of its own that is killed half-way."""
    if how == "killed":
        program = await asyncio.create_subprocess_exec(sys.executable, "-c", READER, url)
        await asyncio.sleep(random.uniform(0.8, 3.5))
        with contextlib.suppress(ProcessLookupError):
            program.kill()
        await program.wait()
        return
    made = source(url)
    try:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(None if how == "whole" else random.uniform(0.1, 3.5)):
                await made.read(full=True)
    finally:
        await made.close()


async def orphans(url: str, runs: int, killed: int) -> None:
    """Print how many processes and folders are left after all runs, and the longest that a killed one took to vanish."""
    ways = ["killed"] * (killed // 2) + ["cancelled"] * (killed - killed // 2) + ["whole"] * (runs - killed)
    random.shuffle(ways)
    longest = 0.0
    for way in ways:
        await once(url, way)
        began = time.perf_counter()
        while left() and time.perf_counter() - began < 10:
            await asyncio.sleep(0.02)
        longest = max(longest, time.perf_counter() - began)
    count = len(left())
    await asyncio.to_thread(folder.sweep, folder.parent())
    folders = len(list(folder.parent().glob("dbgtui-chrome-*")))
    what = f"left of {runs} checks, {killed} ended early"
    print(f"{what:<36} {count} processes, {folders} folders; the slowest end took {longest:.2f} s")


def left() -> list[str]:
    """Return the processes of browsers and servers that are still there."""
    return standing_in(folder.parent())


async def measure(runs: int, killed: int) -> None:
    """Serve a page and measure."""
    async with site(free_port()) as served:
        await times(served.url)
        await orphans(served.url, runs, killed)


def main(runs: int = 50, killed: int = 10) -> None:
    """Measure in private folders."""
    with tempfile.TemporaryDirectory(prefix="dt", dir="/tmp") as private:
        os.environ.update(XDG_RUNTIME_DIR=private, XDG_STATE_HOME=f"{private}/state")
        asyncio.run(measure(runs, killed))


if __name__ == "__main__":
    main(*(int(word) for word in sys.argv[1:3]))
