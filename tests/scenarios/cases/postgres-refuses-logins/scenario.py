"""The role of the shop may not log in any more: its API and its worker end as soon as they start."""

from __future__ import annotations

from tests.scenarios.lab.containers import API, WORKER
from tests.scenarios.lab.database import OWNER
from tests.scenarios.lab.lab import Lab


async def break_(lab: Lab) -> None:
    await lab.database.execute(
        f"ALTER ROLE {OWNER} NOLOGIN",
        f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = '{OWNER}'",
    )
    for name in (API, WORKER):
        lab.containers.wait_for(name, "ge .RestartCount 3")
    assert lab.site.status("/api/orders") == 502


async def heal(lab: Lab) -> None:
    await lab.database.execute(f"ALTER ROLE {OWNER} LOGIN")
    for name in (API, WORKER):
        lab.containers.put(name)
