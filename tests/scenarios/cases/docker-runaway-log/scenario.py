"""A container has written its log until the disk of the Docker engine was full."""

from __future__ import annotations

from tests.scenarios.lab.containers import WORKER
from tests.scenarios.lab.lab import Lab
from tests.scenarios.lab.programs import until

CHATTER = "yes 'debug: looking for work, found none, looking again at once' | head -c 130000000; exec sleep 1000"


async def break_(lab: Lab) -> None:
    lab.containers.put(WORKER, wait=False, command=["sh", "-c", CHATTER])
    until(
        lambda: lab.containers.disk.used_percent > 95, 40, lambda: f"the disk to fill: {lab.containers.disk.used_percent:.0f} %"
    )
    assert lab.containers.log_path(WORKER).stat().st_size > 50_000_000


async def heal(lab: Lab) -> None:
    lab.containers.put(WORKER)
