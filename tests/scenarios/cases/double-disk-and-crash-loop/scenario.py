"""A file system is full; and, for another reason, the worker crashes again and again."""

from __future__ import annotations

from tests.scenarios.lab.containers import WORKER
from tests.scenarios.lab.lab import Lab


async def break_(lab: Lab) -> None:
    lab.uploads.fill()
    assert lab.uploads.used_percent > 98
    lab.containers.put(WORKER, wait=False, command=["sh", "-c", "echo 'KeyError: QUEUE_NAME' >&2; exit 1"])
    lab.containers.wait_for(WORKER, "ge .RestartCount 3")


async def heal(lab: Lab) -> None:
    lab.uploads.free()
    lab.containers.put(WORKER)
