"""The server was set to read-only: whoever reads is served, and the API's page is not."""

from __future__ import annotations

from tests.scenarios.lab.lab import Lab

READ_ONLY = "default_transaction_read_only"


async def break_(lab: Lab) -> None:
    await lab.database.execute(f"ALTER SYSTEM SET {READ_ONLY} = on", "SELECT pg_reload_conf()")
    await lab.database.until(f"SELECT current_setting('{READ_ONLY}')::bool")
    assert lab.site.status("/api/orders") == 503


async def heal(lab: Lab) -> None:
    await lab.database.execute(f"SET {READ_ONLY} = off", f"ALTER SYSTEM RESET {READ_ONLY}", "SELECT pg_reload_conf()")
    await lab.database.until(f"SELECT NOT current_setting('{READ_ONLY}')::bool")
