"""The API was made anew with the name of a database that does not exist: it crashes at every start."""

from __future__ import annotations

from tests.scenarios.lab.containers import API
from tests.scenarios.lab.lab import Lab


async def break_(lab: Lab) -> None:
    env = lab.containers.boxes[API].env
    env = {**env, "DATABASE_URL": env["DATABASE_URL"].replace("/orders", "/ordres")}
    lab.containers.put(API, wait=False, env=env)
    lab.containers.wait_for(API, "ge .RestartCount 3")
    assert "does not exist" in lab.containers.story(API)
    assert lab.site.status("/api/orders") == 502


async def heal(lab: Lab) -> None:
    lab.containers.put(API)
