"""The Docker engine was killed: the containers serve on, and nobody can manage them."""

from __future__ import annotations

from tests.scenarios.lab.containers import API, THUMBS
from tests.scenarios.lab.lab import Lab


async def break_(lab: Lab) -> None:
    lab.containers.kill_engine()
    assert lab.site.status("/api/orders") == 200


async def heal(lab: Lab) -> None:
    lab.containers.start()
    # The engine does not look after the health of containers that it finds running.
    for name in (API, THUMBS):
        lab.containers.put(name)
