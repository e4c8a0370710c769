"""CREATE INDEX CONCURRENTLY failed and left an invalid index behind."""

from __future__ import annotations

import contextlib

import asyncpg

from tests.scenarios.lab.lab import Lab


async def break_(lab: Lab) -> None:
    with contextlib.suppress(asyncpg.UniqueViolationError):
        await lab.database.execute("CREATE UNIQUE INDEX CONCURRENTLY orders_email_key ON orders (email)", user="shop")
    assert await lab.database.value("SELECT count(*) FROM pg_index WHERE NOT indisvalid") == 1


async def heal(lab: Lab) -> None:
    await lab.database.execute("DROP INDEX IF EXISTS orders_email_key")
