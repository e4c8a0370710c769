"""The API of the lab's shop: reads and writes its database, and ends where it cannot."""

from __future__ import annotations

import asyncio
import os
import sys

import asyncpg
from aiohttp import web

#: Seconds that a request waits for the database.
PATIENCE = 20.0


def log(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


async def orders(request: web.Request) -> web.Response:
    pool = request.app["pool"]
    await asyncio.sleep(float(os.environ.get("THINKS_S", "0")))
    try:
        async with asyncio.timeout(PATIENCE), pool.acquire() as connection:
            row = await connection.fetchrow("UPDATE orders SET viewed_at = now() WHERE id = 1 RETURNING id, title")
    except (OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
        log(f"ERROR GET /api/orders: {type(error).__name__}: {error or 'the database did not answer in time'}")
        return web.json_response({"error": "database"}, status=503)
    return web.json_response({"orders": [dict(row)]})


async def healthz(_request: web.Request) -> web.Response:
    return web.Response(text="ok\n")


async def metrics(_request: web.Request) -> web.Response:
    return web.Response(text="# TYPE shop_up gauge\nshop_up 1\n")


async def watch(pool: asyncpg.Pool) -> None:
    """End the program when the database is lost: the container's restart policy starts it again."""
    while True:
        await asyncio.sleep(0.5)
        try:
            async with asyncio.timeout(PATIENCE), pool.acquire() as connection:
                await connection.fetchval("SELECT 1")
        except TimeoutError:
            continue
        except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
            log(f"FATAL: lost the database: {type(error).__name__}: {error}")
            os._exit(1)


async def main() -> None:
    name = os.environ.get("APP_NAME", "shop-api")
    try:
        pool = await asyncpg.create_pool(
            os.environ["DATABASE_URL"], min_size=1, max_size=6, timeout=3, server_settings={"application_name": name}
        )
    except (OSError, asyncpg.PostgresError, TimeoutError) as error:
        log(f"FATAL: cannot connect to the database: {type(error).__name__}: {error}")
        sys.exit(1)
    app = web.Application()
    app["pool"] = pool
    app.router.add_get("/api/orders", orders)
    app.router.add_get("/healthz", healthz)
    app.router.add_get("/metrics", metrics)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", int(os.environ["PORT"])).start()
    log(f"listening on 127.0.0.1:{os.environ['PORT']}")
    await watch(pool)


if __name__ == "__main__":
    asyncio.run(main())
