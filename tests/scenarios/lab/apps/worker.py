"""The worker of the lab's shop: takes work from its queue, looks for more in the database, and ends where it cannot."""

from __future__ import annotations

import asyncio
import os
import sys

import asyncpg
from redis.asyncio import Redis
from redis.exceptions import RedisError


async def main() -> None:
    queue = Redis.from_url(os.environ["REDIS_URL"])
    try:
        connection = await asyncpg.connect(
            os.environ["DATABASE_URL"],
            timeout=3,
            server_settings={"application_name": os.environ.get("APP_NAME", "shop-worker")},
        )
        print("waiting for work", flush=True)
        while True:
            while await queue.lpop(os.environ.get("QUEUE", "shop:jobs")) is not None:
                pass
            await connection.fetchval("SELECT count(*) FROM jobs WHERE NOT done")
            await asyncio.sleep(1)
    except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError, TimeoutError) as error:
        print(f"FATAL: no database: {type(error).__name__}: {error}", file=sys.stderr, flush=True)
        sys.exit(1)
    except RedisError as error:
        print(f"FATAL: no queue: {type(error).__name__}: {error}", file=sys.stderr, flush=True)
        sys.exit(1)


if __name__ == "__main__":
    asyncio.run(main())
