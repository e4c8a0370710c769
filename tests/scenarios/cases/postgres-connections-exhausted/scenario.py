"""One application holds nearly every connection, idle."""

from __future__ import annotations

from tests.scenarios.lab.lab import Lab


async def break_(lab: Lab) -> None:
    for _ in range(28):
        await lab.database.client("shop-cron")
    assert await lab.database.value("SELECT count(*) FROM pg_stat_activity WHERE application_name = 'shop-cron'") == 28


async def heal(lab: Lab) -> None:
    await lab.database.release()
