"""The worker of the lab's shop: looks for work in the database every second, and ends where it cannot."""

from __future__ import annotations

import asyncio
import os
import sys

import asyncpg


async def main() -> None:
    try:
        connection = await asyncpg.connect(
            os.environ["DATABASE_URL"],
            timeout=3,
            server_settings={"application_name": os.environ.get("APP_NAME", "shop-worker")},
        )
        print("waiting for work", flush=True)
        while True:
            await connection.fetchval("SELECT count(*) FROM jobs WHERE NOT done")
            await asyncio.sleep(1)
    except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError, TimeoutError) as error:
        print(f"FATAL: no database: {type(error).__name__}: {error}", file=sys.stderr, flush=True)
        sys.exit(1)


if __name__ == "__main__":
    asyncio.run(main())
