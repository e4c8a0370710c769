"""Answers the script by which the system source reads a host, from the figures of the demo, in the form of the script."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence

from debugtui.demo import cast
from debugtui.demo.host_figures import KERNEL, HostFigures
from debugtui.demo.shell import Answer
from debugtui.sources.system.script import SCRIPT


class SystemScript:
    """One host's answers."""

    def __init__(self, figures: HostFigures, clock: Callable[[], float] = time.time) -> None:
        self._figures, self._clock = figures, clock

    def answer(self, script: str, arguments: Sequence[str]) -> Answer | None:
        """Answer the script; None where it is another one."""
        if script != SCRIPT:
            return None
        text = "\n".join(self._lines(self._clock(), full="full" in arguments))
        return Answer(f"{text}\n".encode())

    def _lines(self, now: float, *, full: bool) -> Iterator[str]:
        figures = self._figures
        yield "==facts"
        yield f"hostname {figures.host.name}"
        yield f"kernel {KERNEL}"
        yield f"uptime {figures.uptime(now).strip()}"
        yield f"loadavg {figures.loadavg(now).strip()}"
        yield "==cpu"
        yield from (row for row in figures.stat(now).splitlines() if row.startswith("cpu"))
        yield "==proc"
        for text in (figures.meminfo(now), figures.diskstats(now), figures.net_dev(now)):
            yield from text.splitlines()
        mounts = list(figures.mounts(now))
        yield from (f"mount {each.device} {each.mount} {each.fstype} rw,relatime" for each in mounts)
        yield "==df"
        yield "Filesystem 1024-blocks Used Available Capacity Mounted on"
        for each in mounts:
            yield _df(each.device, each.size // 1024, each.used // 1024, each.available // 1024, each.mount)
        yield "==inodes"
        yield "Filesystem Inodes IUsed IFree IUse% Mounted on"
        for each in mounts:
            yield _df(each.device, each.inodes, each.inodes_used, each.inodes - each.inodes_used, each.mount)
        if full:
            yield "==units"
            if figures.host.name == cast.DISK_HOST and figures.disk_is_full(now):
                yield "logrotate.service loaded failed failed Rotate log files"
        yield "==end"


def _df(device: str, size: int, used: int, available: int, mount: str) -> str:
    return f"{device} {size} {used} {available} {100 * used // max(1, used + available)}% {mount}"
