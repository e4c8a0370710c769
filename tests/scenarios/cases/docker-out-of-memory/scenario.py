"""The worker's memory limit is smaller than what it needs to start: the kernel kills it again and again."""

from __future__ import annotations

from tests.scenarios.lab.containers import WORKER
from tests.scenarios.lab.lab import Lab


async def break_(lab: Lab) -> None:
    options = [*lab.containers.boxes[WORKER].options, "--memory", "8m"]
    lab.containers.put(WORKER, wait=False, options=options)
    lab.containers.wait_for(WORKER, "ge .RestartCount 2")
    lab.containers.wait_for(WORKER, "eq .State.ExitCode 137")


async def heal(lab: Lab) -> None:
    lab.containers.put(WORKER)
