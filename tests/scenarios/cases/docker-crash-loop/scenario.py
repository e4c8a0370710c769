"""The worker was made anew with a command that does not exist in its image, and crashes again and again."""

from __future__ import annotations

from tests.scenarios.lab.containers import WORKER
from tests.scenarios.lab.lab import Lab


async def break_(lab: Lab) -> None:
    lab.containers.put(WORKER, wait=False, command=["sh", "-c", "exec /opt/shop/worker --queue jobs"])
    lab.containers.wait_for(WORKER, "ge .RestartCount 3")
    assert lab.containers.inspect(WORKER)["State"]["ExitCode"] == 127


async def heal(lab: Lab) -> None:
    lab.containers.put(WORKER)
