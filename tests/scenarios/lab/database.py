"""The shop's PostgreSQL, and the clients that do it harm."""

from __future__ import annotations

import asyncio
import contextlib
from pathlib import Path
from typing import Any

import asyncpg

from tests.scenarios.lab.programs import LabError, lasting_port
from tests.services.postgres_server import MONITOR, SUPERUSER, PostgresServer, wait_until_blocked

DATABASE, OWNER, API, WORKER = "orders", "shop", "shop-api", "shop-worker"

#: Seconds of waiting that make an alert, and a fault for the diagnosis: behind an idle session, and behind one that works.
ALERT_S, IDLE_S, WORKS_S = 10.5, 4.0, 8.0

_ROLES = (
    f"CREATE ROLE {MONITOR} LOGIN",
    f"GRANT pg_monitor TO {MONITOR}",
    f"CREATE ROLE {OWNER} LOGIN",
    f"CREATE DATABASE {DATABASE} OWNER {OWNER}",
)
_TABLES = (
    "CREATE TABLE orders (id int PRIMARY KEY, title text, email text, viewed_at timestamptz)",
    "INSERT INTO orders SELECT n, 'order ' || n, 'c' || n % 40 || '@example.org' FROM generate_series(1, 200) n",
    "CREATE TABLE jobs (id serial PRIMARY KEY, kind text, done boolean DEFAULT true)",
)


class Database(PostgresServer):
    """One server with the database of the shop; it archives its WAL, as long as nobody forbids it."""

    def __init__(self, root: Path) -> None:
        self.forbidden = root / "archive-is-full"
        super().__init__(
            root,
            port=lasting_port(),
            settings={
                "max_connections": "40",
                "wal_level": "logical",
                "archive_mode": "on",
                "archive_command": f"test ! -e {self.forbidden}",
                "max_slot_wal_keep_size": "16MB",
                "min_wal_size": "32MB",
                "max_wal_size": "32MB",
                "deadlock_timeout": "30s",
                "shared_buffers": "16MB",
            },
        )
        self.clients: list[asyncpg.Connection] = []
        self.tasks: list[asyncio.Task[Any]] = []
        #: Whether alerts have to show, too.
        self.alerts = False

    # -- life

    async def prepare(self) -> None:
        """Make the roles and the database of the shop."""
        await self._execute(_ROLES, database="postgres")
        await self._execute(_TABLES, user=OWNER)

    async def _execute(self, statements: tuple[str, ...], user: str = SUPERUSER, database: str = DATABASE) -> None:
        connection = await self.connect(user=user, database=database)
        try:
            for statement in statements:
                await connection.execute(statement)
        finally:
            await connection.close()

    async def execute(self, *statements: str, user: str = SUPERUSER) -> None:
        """Run statements in the shop's database."""
        await self._execute(statements, user)

    async def value(self, query: str, *arguments: Any) -> Any:
        connection = await self.connect(database=DATABASE)
        try:
            return await connection.fetchval(query, *arguments)
        finally:
            await connection.close()

    async def connect(self, user: str = SUPERUSER, database: str = DATABASE, **options: Any) -> asyncpg.Connection:
        """Open a connection through the socket."""
        return await super().connect(user, database, **options)

    # -- clients

    async def client(self, application: str) -> asyncpg.Connection:
        """Open a session of an application, over TCP."""
        connection = await asyncpg.connect(
            self.tcp_dsn(user=OWNER, database=DATABASE), server_settings={"application_name": application}
        )
        self.clients.append(connection)
        return connection

    async def waiting(self, application: str, sql: str) -> int:
        """Open a session whose statement waits for a lock; return its pid."""
        connection = await self.client(application)
        pid = connection.get_server_pid()
        self.tasks.append(asyncio.create_task(connection.execute(sql)))
        await wait_until_blocked(self, pid)
        return int(pid)

    async def working(self, application: str, sql: str) -> int:
        """Open a session that is busy with a statement; return its pid."""
        connection = await self.client(application)
        pid = connection.get_server_pid()
        self.tasks.append(asyncio.create_task(connection.execute(sql)))
        state = "SELECT state = 'active' FROM pg_stat_activity WHERE pid = $1"
        await self.until(state, pid)
        return int(pid)

    async def until(self, query: str, *arguments: Any, timeout: float = 15) -> None:
        """Wait until a query answers true."""
        connection = await self.connect(database=DATABASE)
        try:
            async with asyncio.timeout(timeout):
                while not await connection.fetchval(query, *arguments):
                    await asyncio.sleep(0.05)
        except TimeoutError as error:
            raise LabError(f"not within {timeout:g} s: {query}") from error
        finally:
            await connection.close()

    async def waited_long(self, *, idle: bool = True) -> None:
        """Wait until some session has waited for its lock for long enough to be a fault.

        The diagnosis takes it for one sooner than the alert does, and soonest behind a session that does nothing (`idle`).
        """
        seconds = ALERT_S if self.alerts else IDLE_S if idle else WORKS_S
        query = "SELECT max(now() - waitstart) > $1::float8 * interval '1s' FROM pg_locks WHERE NOT granted"
        await self.until(query, seconds, timeout=seconds + 10)

    async def release(self) -> None:
        """End every session of `client`, and wait until they are gone."""
        tasks, self.tasks = self.tasks, []
        clients, self.clients = self.clients, []
        pids = [client.get_server_pid() for client in clients if not client.is_closed()]
        for task in tasks:
            task.cancel()
        for client in clients:
            client.terminate()
        await asyncio.gather(*tasks, return_exceptions=True)
        if pids and self.running:
            with contextlib.suppress(asyncpg.PostgresError, OSError):
                await self.until(
                    "SELECT count(*) = 0 FROM (SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid = ANY($1)) t",
                    pids,
                )

    async def assert_healthy(self) -> None:
        """Fail where anything of a fault is left."""
        if not self.running:
            raise LabError("PostgreSQL does not run")
        await self.until("SELECT NOT EXISTS (SELECT FROM pg_locks WHERE NOT granted)")
        checks = {
            "prepared transactions": "SELECT count(*) FROM pg_prepared_xacts",
            "replication slots": "SELECT count(*) FROM pg_replication_slots",
            "invalid indexes": "SELECT count(*) FROM pg_index WHERE NOT indisvalid",
            "too many sessions": "SELECT greatest(0, count(*) - 20) FROM pg_stat_activity",
        }
        for what, query in checks.items():
            if await self.value(query):
                raise LabError(f"PostgreSQL has {what}")
