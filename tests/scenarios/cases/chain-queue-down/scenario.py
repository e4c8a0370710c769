"""Redis is down: the worker, which cannot do without it, crashes again and again."""

from __future__ import annotations

from tests.scenarios.lab.containers import WORKER
from tests.scenarios.lab.lab import Lab


async def break_(lab: Lab) -> None:
    lab.queue.stop()
    lab.containers.wait_for(WORKER, "ge .RestartCount 3", 30)
    assert "no queue" in lab.containers.story(WORKER)


async def heal(lab: Lab) -> None:
    lab.queue.start()
    lab.containers.put(WORKER)
