"""A long query keeps an ALTER TABLE waiting, and everyone who wants the table waits behind that."""

from __future__ import annotations

from tests.scenarios.lab.lab import Lab


async def break_(lab: Lab) -> dict[str, object]:
    pid = await lab.database.working("shop-report", "SELECT count(*), pg_sleep(300) FROM jobs a CROSS JOIN jobs b")
    await lab.database.waiting("shop-migration", "ALTER TABLE jobs ADD COLUMN priority int")
    await lab.database.waiting("shop-import", "INSERT INTO jobs (kind) VALUES ('import')")
    await lab.database.waited_long(idle=False)
    return {"pid": pid}


async def heal(lab: Lab) -> None:
    await lab.database.release()
    await lab.database.execute("ALTER TABLE jobs DROP COLUMN IF EXISTS priority")
