"""The worker crashes at every start; its queue grows, and nobody takes from it."""

from __future__ import annotations

from tests.scenarios.lab.containers import WORKER
from tests.scenarios.lab.lab import Lab


async def break_(lab: Lab) -> None:
    lab.containers.put(WORKER, wait=False, command=["sh", "-c", "echo 'KeyError: QUEUE_NAME' >&2; exit 1"])
    lab.queue.push(1500)
    lab.containers.wait_for(WORKER, "ge .RestartCount 3")
    assert lab.queue.length() == 1500


async def heal(lab: Lab) -> None:
    lab.queue.empty()
    lab.containers.put(WORKER)
