"""An operator restarted the worker and made the pictures' container anew; both serve again."""

from __future__ import annotations

from tests.scenarios.lab.containers import THUMBS, WORKER
from tests.scenarios.lab.lab import Lab


async def break_(lab: Lab) -> None:
    lab.containers.docker("restart", "-t", "1", WORKER)
    lab.containers.put(THUMBS)
    lab.containers.wait_serving()


async def heal(lab: Lab) -> None:
    lab.containers.put(WORKER)
