"""PostgreSQL is down: the API and the worker crash again and again, nginx answers 502."""

from __future__ import annotations

from tests.scenarios.lab.containers import API, WORKER
from tests.scenarios.lab.lab import Lab


async def break_(lab: Lab) -> None:
    lab.database.stop("immediate")
    lab.containers.wait_for(API, "ge .RestartCount 3", 30)
    assert not lab.database.running
    assert lab.site.status("/api/orders") == 502


async def heal(lab: Lab) -> None:
    if not lab.database.running:
        lab.database.start()
    lab.containers.put(API)
    lab.containers.put(WORKER)
