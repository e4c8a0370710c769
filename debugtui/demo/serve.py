"""The demo's own process: `python -m debugtui.demo.serve FOLDER SCENARIO`.

It writes what happens to standard output, a JSON object per line, and ends when its standard input closes: whatever kills the
screen, nothing of the lab outlives it. At the end it removes FOLDER.
"""

from __future__ import annotations

import asyncio
import json
import logging
import os
import shutil
import signal
import sys
from collections.abc import Mapping
from pathlib import Path


def main() -> int:
    """Serve until told to stop; return the exit code."""
    folder, scenario = Path(sys.argv[1]), sys.argv[2]
    logging.basicConfig(stream=sys.stderr, level=logging.WARNING)
    try:
        return asyncio.run(_serve(folder, scenario))
    finally:
        shutil.rmtree(folder, ignore_errors=True)


async def _serve(folder: Path, scenario: str) -> int:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGHUP, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    loop.add_reader(0, _watch_input, stop)
    from debugtui.demo.lab import DemoLab

    lab = DemoLab(folder, scenario, lambda text: _emit({"progress": text}, stop))
    ending = asyncio.create_task(stop.wait())
    starting = asyncio.create_task(lab.start())
    try:
        await asyncio.wait({starting, ending}, return_when=asyncio.FIRST_COMPLETED)
        if starting.done():
            await starting
            _emit({"ready": {"ports": lab.ports, "started": lab.timeline.started}}, stop)
            await ending
    except OSError as error:
        _emit({"failed": str(error)}, stop)
        return 1
    finally:
        starting.cancel()
        ending.cancel()
        await asyncio.gather(starting, ending, return_exceptions=True)
        await lab.stop()
    return 0


def _watch_input(stop: asyncio.Event) -> None:
    if not os.read(0, 4_096):
        asyncio.get_running_loop().remove_reader(0)
        stop.set()


def _emit(message: Mapping[str, object], stop: asyncio.Event) -> None:
    try:
        sys.stdout.write(json.dumps(message) + "\n")
        sys.stdout.flush()
    except OSError:
        stop.set()  # nobody listens any more


if __name__ == "__main__":
    sys.exit(main())
