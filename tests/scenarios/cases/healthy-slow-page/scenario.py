"""The API thinks for half a second before each answer, as it does in every sale: within its budget."""

from __future__ import annotations

from tests.scenarios.lab.containers import API
from tests.scenarios.lab.lab import Lab


async def break_(lab: Lab) -> None:
    lab.containers.put(API, env={**lab.containers.boxes[API].env, "THINKS_S": "0.5"})
    assert lab.site.status("/api/orders") == 200


async def heal(lab: Lab) -> None:
    lab.containers.put(API)
