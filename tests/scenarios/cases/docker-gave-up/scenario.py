"""The worker failed, and the engine gave up after the retries of its restart policy."""

from __future__ import annotations

from tests.scenarios.lab.containers import WORKER
from tests.scenarios.lab.lab import Lab


async def break_(lab: Lab) -> None:
    lab.containers.put(WORKER, wait=False, command=["sh", "-c", "echo cannot read the queue; exit 4"], restart="on-failure:2")
    lab.containers.wait_for(WORKER, 'eq .State.Status "exited"')
    assert lab.containers.inspect(WORKER)["State"]["ExitCode"] == 4


async def heal(lab: Lab) -> None:
    lab.containers.put(WORKER)
