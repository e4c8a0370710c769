"""The Docker engine was killed: the containers serve on, and nobody can manage them."""

from __future__ import annotations

from tests.scenarios.lab.lab import Lab


async def break_(lab: Lab) -> None:
    lab.containers.kill_engine()
    assert lab.site.status("/api/orders") == 200


async def heal(lab: Lab) -> None:
    lab.containers.start()
