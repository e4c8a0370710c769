"""What the PostgreSQL source reads, against real servers."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import asyncpg
import pytest

from debugtui.model.jsonable import jsonable
from debugtui.model.postgres import LockNode, PostgresReading
from debugtui.sources.postgres import queries, session, slow_queries
from debugtui.sources.postgres.source import PostgresSource
from tests.services.postgres_relay import PathLink
from tests.services.postgres_server import NOBODY, PostgresServer, lock_chain, running_server, wait_until_blocked
from tests.unit.fakes import FakeClock

pytestmark = pytest.mark.lab


async def no_password() -> str | None:
    return None


@contextlib.asynccontextmanager
async def source_of(
    server: PostgresServer, user: str = "monitor", database: str = "coach", clock: FakeClock | None = None
) -> AsyncIterator[PostgresSource]:
    source = PostgresSource(PathLink(), database, server.dsn(user, database), no_password, clock=clock)
    try:
        yield source
    finally:
        await source.close()


async def read_once(
    server: PostgresServer, *, full: bool = False, user: str = "monitor", database: str = "coach"
) -> PostgresReading:
    async with source_of(server, user, database) as source:
        return await source.read(full=full)


@contextlib.asynccontextmanager
async def sessions(
    server: PostgresServer, *names: str, user: str = "app", **more: Any
) -> AsyncIterator[list[asyncpg.Connection]]:
    opened = [await server.connect(user=user, server_settings={"application_name": name}, **more) for name in names]
    try:
        yield opened
    finally:
        for connection in opened:
            await connection.close(timeout=5)


async def run(server: PostgresServer, *statements: str, database: str = "coach", user: str = "postgres") -> None:
    connection = await server.connect(user=user, database=database)
    try:
        for statement in statements:
            await connection.execute(statement)
    finally:
        await connection.close()


def gap_of(reading: PostgresReading, feature: str) -> str:
    return str(next(gap.problem for gap in reading.gaps if gap.feature == feature))


def shape(nodes: tuple[LockNode, ...]) -> list[str]:
    return [f"{'  ' * node.depth}{node.gid or node.application}{'*' if node.repeated else ''}" for node in nodes]


# -- activity


async def test_a_reading_says_what_the_server_is(postgres_server: PostgresServer) -> None:
    reading = await read_once(postgres_server)
    assert (reading.database, reading.role, reading.in_recovery) == ("coach", "monitor", False)
    assert reading.version_num >= 100_000
    assert reading.server_version.startswith(str(reading.version_num // 10_000))
    assert reading.max_connections == 120
    assert reading.reserved_connections == 3
    assert reading.connections >= 1
    assert reading.started_at is not None
    assert datetime.now(UTC) - timedelta(hours=1) < reading.started_at < datetime.now(UTC)
    assert reading.wraparound_age is not None
    assert reading.wraparound_percent is not None
    assert 0 < reading.wraparound_percent < 1
    assert reading.replay_lag_s is None
    assert reading.gaps == ()
    assert (reading.tables, reading.statements, reading.slow_read_at) == (None, None, None)
    jsonable(reading)


async def test_sessions_say_who_does_what_since_when(postgres_server: PostgresServer) -> None:
    async with sessions(postgres_server, "coach-web", "coach-batch") as (web, batch):
        await web.execute("BEGIN; INSERT INTO activities VALUES (1001, 'x'); SELECT 'a' || 'b'")
        await batch.fetch("SELECT 42")
        reading = await read_once(postgres_server)
        await web.execute("ROLLBACK")
    found = {row.application: row for row in reading.sessions}
    row = found["coach-web"]
    assert (row.pid, row.database, row.user) == (row.pid, "coach", "app")
    assert (row.state, row.backend_type, row.client) == ("idle in transaction", "client backend", "local")
    assert (row.wait_event_type, row.wait_event) == ("Client", "ClientRead")
    assert row.has_written
    assert "INSERT INTO activities" in row.query
    assert row.xact_start is not None
    assert row.state_change is not None
    assert row.backend_start is not None
    assert row.backend_start <= row.xact_start <= row.state_change
    assert row.xact_start.tzinfo is not None
    assert found["coach-batch"].state == "idle"
    assert not found["coach-batch"].has_written
    assert list(found).index("coach-web") < list(found).index("coach-batch")
    assert "debugtui" not in found


async def test_backend_start_is_exact(postgres_server: PostgresServer) -> None:
    """A remediation compares it to the microsecond."""
    async with sessions(postgres_server, "exact") as (connection,):
        expected = await connection.fetchval("SELECT backend_start FROM pg_stat_activity WHERE pid = pg_backend_pid()")
        reading = await read_once(postgres_server)
    assert next(row.backend_start for row in reading.sessions if row.application == "exact") == expected


async def test_the_worst_sessions_are_kept_and_the_rest_is_counted(
    postgres_server: PostgresServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(queries, "MOST_SESSIONS", 2)
    async with lock_chain(postgres_server, waiters=1), sessions(postgres_server, "a", "b", "c"):
        reading = await read_once(postgres_server)
    assert {row.application for row in reading.sessions} == {"coach-worker-1", "coach-web"}
    assert reading.locks[0].waiters == 1
    assert gap_of(reading, "sessions").endswith("the worst 2 are shown")


async def test_rates_come_with_the_second_read(postgres_server: PostgresServer) -> None:
    async with source_of(postgres_server) as source, sessions(postgres_server, "busy") as (busy,):
        assert (await source.read(full=False)).commits_s is None
        for _ in range(50):
            await busy.execute("SELECT 1")
        await busy.execute("SELECT pg_stat_force_next_flush()")
        await busy.execute("SELECT 1")
        reading = await source.read(full=False)
    assert reading.commits_s is not None
    assert reading.commits_s > 10
    assert reading.rollbacks_s == 0
    assert reading.cache_hit_percent is not None
    assert 50 < reading.cache_hit_percent <= 100


# -- hostile and odd text


async def test_hostile_text_reaches_nobodys_terminal(postgres_server: PostgresServer) -> None:
    evil = "select '\x1b]52;c;ZXZpbA==\x07 \x1b[2J \u202e [@click=app.quit]x[/] ' -- \x07\x9b31m"
    async with sessions(postgres_server, "[/nope]\x1b[31m") as (connection,):
        await connection.execute(evil)
        reading = await read_once(postgres_server)
    row = next(row for row in reading.sessions if row.application.startswith("[/nope]"))
    assert "[@click=app.quit]x[/]" in row.query
    for text in (row.query, row.application):
        assert not set(text) & {"\x1b", "\x07", "\x9b", "\u202e"}


async def test_a_secret_in_a_statement_is_masked(postgres_server: PostgresServer) -> None:
    async with sessions(postgres_server, "careless", user="postgres") as (connection,):
        await connection.execute("ALTER ROLE app PASSWORD 'hunter2-hunter2'")
        reading = await read_once(postgres_server, full=True)
    row = next(row for row in reading.sessions if row.application == "careless")
    assert row.query.startswith("ALTER ROLE app PASSWORD")
    assert "hunter2" not in str(jsonable(reading))


async def test_a_long_statement_is_cut_and_says_so(postgres_server: PostgresServer) -> None:
    async with sessions(postgres_server, "long") as (connection,):
        await connection.execute("SELECT /* " + "é" * 3_000 + " */ 1")
        reading = await read_once(postgres_server)
    row = next(row for row in reading.sessions if row.application == "long")
    assert row.query.endswith("bytes)")
    assert 2_000 < len(row.query) < 2_200


async def test_a_latin_1_literal_in_an_sql_ascii_database(postgres_server: PostgresServer) -> None:
    await run(
        postgres_server,
        "CREATE DATABASE ascii ENCODING 'SQL_ASCII' LOCALE 'C' TEMPLATE template0",
        database="postgres",
    )
    await run(postgres_server, "CREATE EXTENSION pg_stat_statements", database="ascii")
    sql = b"SELECT '\xe9t\xe9 \\ caf\xc3\xa9' AS \"no\xebl\""
    shown = "SELECT '\ufffdt\ufffd \\ café' AS \"no\ufffdl\""
    try:
        async with client_that_sends(postgres_server, "ascii", sql):
            for database in ("ascii", "coach"):
                reading = await read_once(postgres_server, full=True, database=database)
                row = next(row for row in reading.sessions if row.application == "old-app")
                assert row.query.rstrip(";") == shown
                assert [gap for gap in reading.gaps if gap.feature not in ("statements", "bloat")] == []
        reading = await read_once(postgres_server, full=True, database="ascii")
        assert reading.statements is not None
        assert any("no\ufffdl" in row.query for row in reading.statements)
        await run(postgres_server, "CREATE EXTENSION pg_stat_statements")
        elsewhere = await read_once(postgres_server, full=True)
        assert elsewhere.statements
        assert {row.query for row in elsewhere.statements} == {""}
        assert "another database" in gap_of(elsewhere, "statements")
    finally:
        await run(postgres_server, "SELECT pg_stat_statements_reset(); DROP EXTENSION IF EXISTS pg_stat_statements")
        await run(postgres_server, "DROP DATABASE ascii WITH (FORCE)", database="postgres")


@contextlib.asynccontextmanager
async def client_that_sends(server: PostgresServer, database: str, sql: bytes) -> AsyncIterator[None]:
    """A session that ran a statement whose bytes are no valid text, and is idle now."""
    process = await asyncio.create_subprocess_exec(
        *("psql", "-X", "-q", "-h", str(server.socket_dir), "-p", str(server.port), "-U", "app", database),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.DEVNULL,
        env={"PATH": "/usr/bin:/bin", "PGCLIENTENCODING": "SQL_ASCII", "PGAPPNAME": "old-app"},
    )
    assert process.stdin is not None
    try:
        process.stdin.write(sql + b";\n")
        await process.stdin.drain()
        watcher = await server.connect()
        async with asyncio.timeout(10):
            while not await watcher.fetchval(
                "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'old-app' AND octet_length(query) >= $1",
                len(sql),
            ):
                await asyncio.sleep(0.02)
        await watcher.close()
        yield
    finally:
        process.stdin.close()
        await process.wait()


async def test_a_latin_1_database(postgres_server: PostgresServer) -> None:
    await run(postgres_server, "CREATE DATABASE old ENCODING 'LATIN1' LOCALE 'C' TEMPLATE template0", database="postgres")
    try:
        await run(postgres_server, 'CREATE TABLE "tëst" (id int)', database="old")
        reading = await read_once(postgres_server, full=True, database="old")
        assert reading.tables is not None
        assert [table.name for table in reading.tables] == ["tëst"]
    finally:
        await run(postgres_server, "DROP DATABASE old WITH (FORCE)", database="postgres")


# -- locks


async def test_a_real_chain(postgres_server: PostgresServer) -> None:
    async with lock_chain(postgres_server, waiters=2) as chain:
        reading = await read_once(postgres_server)
    assert shape(reading.locks) == ["coach-web", "  coach-worker-1", "    coach-worker-2", "  coach-worker-2*"]
    root, update, alter, again = reading.locks
    assert (root.pid, update.pid, alter.pid) == (chain.root, *chain.waiters)
    assert (root.state, root.waiters, root.blockers) == ("idle in transaction", 2, ())
    assert "UPDATE activities SET done" in root.query
    assert "RowExclusiveLock on public.activities" in root.held
    assert (update.lock_mode, update.blockers) == ("ShareLock", (chain.root,))
    assert update.lock_on.startswith("row of public.activities, transaction ")
    assert (alter.lock_mode, alter.lock_on) == ("AccessExclusiveLock", "public.activities")
    assert set(alter.blockers) == {chain.root, chain.waiters[0]}
    assert update.held == "RowExclusiveLock on public.activities"
    assert update.waits_s is not None
    assert alter.waits_s is not None
    assert update.waits_s > alter.waits_s > 0
    assert root.age_s is not None
    assert root.age_s > update.waits_s
    assert again.parent == chain.root
    waiting = next(row for row in reading.sessions if row.pid == update.pid)
    assert (waiting.blocked_by, waiting.lock_mode, waiting.lock_on) == ((chain.root,), "ShareLock", update.lock_on)
    assert waiting.waiting_since is not None


async def test_nobody_waits(postgres_server: PostgresServer) -> None:
    assert (await read_once(postgres_server)).locks == ()


@contextlib.asynccontextmanager
async def waiting(server: PostgresServer, connection: asyncpg.Connection, sql: str) -> AsyncIterator[None]:
    """Run a statement that waits for a lock; it is cancelled afterwards."""
    task = asyncio.ensure_future(connection.execute(sql))
    try:
        await wait_until_blocked(server, connection.get_server_pid())
        yield
    finally:
        admin = await server.connect()
        await admin.execute(f"SELECT pg_cancel_backend({connection.get_server_pid()})")
        await admin.close()
        await asyncio.gather(task, return_exceptions=True)


@pytest.mark.parametrize(
    ("hold", "want", "mode", "on", "held"),
    [
        (
            "SELECT pg_advisory_xact_lock(-7)",
            "SELECT pg_advisory_lock(-7)",
            "ExclusiveLock",
            "advisory lock -7 in coach",
            "ExclusiveLock",
        ),
        (
            "SELECT pg_advisory_xact_lock_shared(3, -4)",
            "SELECT pg_advisory_lock(3, -4)",
            "ExclusiveLock",
            "advisory lock (3, -4) in coach",
            "ShareLock",
        ),
        (
            "LOCK activities IN SHARE MODE",
            "UPDATE activities SET done = true",
            "RowExclusiveLock",
            "public.activities",
            "ShareLock",
        ),
        (
            "INSERT INTO activities VALUES (5000, 'a')",
            "INSERT INTO activities VALUES (5000, 'b')",
            "ShareLock",
            "transaction ",
            "ExclusiveLock",
        ),
        ("SELECT 1 FROM activities", "LOCK activities", "AccessExclusiveLock", "public.activities", "AccessShareLock"),
    ],
)
async def test_every_kind_of_lock_is_named(
    postgres_server: PostgresServer, hold: str, want: str, mode: str, on: str, held: str
) -> None:
    async with sessions(postgres_server, "holder", "waiter") as (holder, waiter):
        await holder.execute("BEGIN")
        await holder.execute(hold)
        # outside a transaction block LOCK does not work
        sql = f"BEGIN; {want}" if want.startswith("LOCK") else want
        async with waiting(postgres_server, waiter, sql):
            reading = await read_once(postgres_server)
        await holder.execute("ROLLBACK")
    root, node = reading.locks
    assert (root.application, node.application) == ("holder", "waiter")
    assert node.lock_mode == mode
    assert node.lock_on.startswith(on)
    assert root.held == f"{held} on {node.lock_on}"


async def test_two_blockers_of_one_waiter(postgres_server: PostgresServer) -> None:
    async with sessions(postgres_server, "one", "two", "waiter") as (one, two, waiter):
        for holder in (one, two):
            await holder.execute("BEGIN; SELECT 1 FROM activities")
        async with waiting(postgres_server, waiter, "BEGIN; LOCK activities"):
            reading = await read_once(postgres_server)
        await one.execute("ROLLBACK")
        await two.execute("ROLLBACK")
    assert shape(reading.locks) == ["one", "  waiter", "two", "  waiter*"]
    assert {node.held for node in reading.locks if not node.depth} == {"AccessShareLock on public.activities"}


async def test_a_lock_in_another_database_is_told_by_its_number(postgres_server: PostgresServer) -> None:
    async with lock_chain(postgres_server, waiters=2):
        reading = await read_once(postgres_server, database="postgres")
    node = next(node for node in reading.locks if node.lock_mode == "AccessExclusiveLock")
    assert node.lock_on.startswith("oid ")
    assert node.lock_on.endswith(" in database coach")


async def test_a_prepared_transaction_blocks_under_its_name(postgres_server: PostgresServer) -> None:
    async with sessions(postgres_server, "coordinator", "waiter") as (coordinator, waiter):
        for number in (1, 2):
            await coordinator.execute(
                f"BEGIN; UPDATE activities SET done = true WHERE id = {number}; PREPARE TRANSACTION 'order-{number}'"
            )
        try:
            async with waiting(postgres_server, waiter, "UPDATE activities SET done = false WHERE id = 2"):
                reading = await read_once(postgres_server)
        finally:
            for number in (1, 2):
                await coordinator.execute(f"ROLLBACK PREPARED 'order-{number}'")
    assert shape(reading.locks) == ["order-2", "  waiter"]
    root, node = reading.locks
    assert (root.pid, root.state, root.user, node.parent, node.blockers) == (0, "prepared", "app", 0, (0,))
    assert root.held.startswith("ExclusiveLock on row of public.activities")
    assert [(row.gid, row.owner, row.database) for row in reading.prepared] == [
        ("order-1", "app", "coach"),
        ("order-2", "app", "coach"),
    ]
    assert reading.prepared[0].xid_age > 0


async def test_a_prepared_transaction_keeps_its_name_over_a_restart() -> None:
    with running_server() as server:
        await run(server, "BEGIN; UPDATE activities SET done = true WHERE id = 1; PREPARE TRANSACTION 'before'", user="app")
        server.restart()
        async with (
            sessions(server, "waiter") as (waiter,),
            waiting(server, waiter, "UPDATE activities SET done = false WHERE id = 1"),
        ):
            reading = await read_once(server)
    assert shape(reading.locks) == ["before", "  waiter"]


async def test_a_parallel_workers_wait_is_its_leaders(postgres_server: PostgresServer) -> None:
    await run(postgres_server, "CREATE TABLE wide AS SELECT n AS id FROM generate_series(1, 200000) n", user="app")
    await run(
        postgres_server,
        "CREATE OR REPLACE FUNCTION public.slow_lock(n int) RETURNS int LANGUAGE plpgsql PARALLEL SAFE AS"
        " $$ BEGIN PERFORM pg_advisory_xact_lock(99); RETURN n; END $$",
    )
    async with sessions(postgres_server, "holder", "leader") as (holder, leader):
        await holder.execute("BEGIN; SELECT pg_advisory_xact_lock(99)")
        leader_pid = leader.get_server_pid()
        await leader.execute(
            "SET parallel_setup_cost = 0; SET parallel_tuple_cost = 0; SET min_parallel_table_scan_size = 0;"
            " SET parallel_leader_participation = off"
        )
        task = asyncio.ensure_future(leader.execute("SELECT count(slow_lock(id)) FROM wide"))
        try:
            async with asyncio.timeout(10):
                while True:
                    reading = await read_once(postgres_server)
                    if reading.locks:
                        break
                    await asyncio.sleep(0.02)
            async with sessions(postgres_server, "reader", user="postgres") as (reader,):
                waits = await reader.fetch(queries.waits(reader.get_server_version().major * 10_000))
        finally:
            await holder.execute("ROLLBACK")
            admin = await postgres_server.connect()
            await admin.execute(f"SELECT pg_cancel_backend({leader.get_server_pid()})")
            await admin.close()
            await asyncio.gather(task, return_exceptions=True)
    await run(postgres_server, "DROP TABLE wide; DROP FUNCTION public.slow_lock")
    assert shape(reading.locks) == ["holder", "  leader"]
    assert reading.locks[1].pid == leader_pid
    # The wait itself says whose worker it is: a worker may begin between the list of sessions and that of waits.
    assert {row["leader"] for row in waits if row["pid"] != leader_pid} == {leader_pid}


# -- privileges


async def test_without_the_privilege_it_says_what_is_missing(postgres_server: PostgresServer) -> None:
    async with lock_chain(postgres_server):
        reading = await read_once(postgres_server, full=True, user=NOBODY)
    assert "GRANT pg_monitor TO nobody_role;" in gap_of(reading, "query text")
    assert shape(reading.locks)[:2] == ["coach-web", "  coach-worker-1"]
    assert reading.locks[0].query == "<insufficient privilege>"
    assert reading.locks[1].lock_on.startswith("row of public.activities")
    assert reading.connections >= 4


# -- the slow part


async def test_statements_wherever_the_extension_lives(postgres_server: PostgresServer) -> None:
    await run(
        postgres_server,
        'CREATE SCHEMA "Odd ""Schema"; GRANT USAGE ON SCHEMA "Odd ""Schema" TO monitor',
        'CREATE EXTENSION pg_stat_statements SCHEMA "Odd ""Schema"',
    )
    try:
        await run(postgres_server, "SELECT pg_sleep(0.05), 1234 AS marked", user="app")
        reading = await read_once(postgres_server, full=True)
        denied = await read_once(postgres_server, full=True, user=NOBODY)
    finally:
        await run(postgres_server, 'DROP EXTENSION pg_stat_statements; DROP SCHEMA "Odd ""Schema"')
    assert reading.statements is not None
    row = next(row for row in reading.statements if "marked" in row.query)
    assert row.query == "SELECT pg_sleep($1), $2 AS marked"
    assert (row.calls, row.rows, row.user) == (1, 1, "app")
    assert 40 < row.mean_ms == row.max_ms == row.total_ms < 2_000
    assert row.query_id
    totals = [row.total_ms for row in reading.statements]
    assert totals == sorted(totals, reverse=True)
    assert "GRANT USAGE ON SCHEMA" in gap_of(denied, "statements")


async def test_slow_statements_are_listed_whatever_their_total(
    postgres_server: PostgresServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(slow_queries, "MOST_STATEMENTS", 3)
    monkeypatch.setattr(slow_queries, "SLOW_MEAN_MS", 20)
    await run(postgres_server, "CREATE EXTENSION pg_stat_statements", "SELECT pg_stat_statements_reset()")
    try:
        await run(
            postgres_server,
            "SELECT pg_sleep(0.03)",
            *["SELECT pg_sleep(0.012), 1"] * 10,
            *["SELECT pg_sleep(0.013), 1, 2"] * 10,
        )
        await run(postgres_server, *["SELECT pg_sleep(0.014), 1, 2, 3"] * 10)
        reading = await read_once(postgres_server, full=True)
    finally:
        await run(postgres_server, "DROP EXTENSION pg_stat_statements")
    assert reading.statements is not None
    assert [row.calls for row in reading.statements] == [10, 10, 10, 1]


async def test_no_extension_and_not_preloaded() -> None:
    with running_server(settings={"shared_preload_libraries": ""}) as server:
        async with source_of(server, clock=FakeClock()) as source:
            reading = await source.read(full=True)
            assert "CREATE EXTENSION pg_stat_statements" in gap_of(reading, "statements")
            await run(server, "CREATE EXTENSION pg_stat_statements")
            assert "CREATE EXTENSION" in gap_of(await source.read(full=True), "statements")
            source.retry_now()
            assert "then restart the server" in gap_of(await source.read(full=True), "statements")


@pytest.fixture(scope="module")
def tables_server() -> Iterator[PostgresServer]:
    """A server whose tables have known faults."""
    with running_server(settings={"archive_mode": "on", "archive_command": "false", "wal_keep_size": "64MB"}) as server:
        yield server


async def test_tables_their_bloat_and_missing_indexes(tables_server: PostgresServer) -> None:
    await run(
        tables_server,
        "CREATE EXTENSION pgstattuple",
        "CREATE TABLE orders (id bigserial, customer int, note text, paid boolean)",
        "INSERT INTO orders (customer, note) SELECT n % 500, CASE WHEN n % 3 = 0 THEN NULL ELSE repeat('x', n % 90) END"
        " FROM generate_series(1, 60000) n",
        "DELETE FROM orders WHERE id % 3 <> 0 AND id < 45000",
    )
    await run(tables_server, "VACUUM ANALYZE orders")
    await run(tables_server, "UPDATE orders SET paid = true WHERE id > 58000")
    reader = await tables_server.connect(user="postgres")
    for number in range(60):
        await reader.fetchval("SELECT count(*) FROM orders WHERE customer = $1", number)
    await reader.execute("SELECT pg_stat_force_next_flush()")
    await reader.close()

    hidden = await read_once(tables_server, full=True)
    assert hidden.tables is not None
    assert {table.bloat_bytes for table in hidden.tables} == {None}
    assert "SELECT on the tables" in gap_of(hidden, "bloat")

    await run(tables_server, "GRANT SELECT ON orders TO monitor")
    reading = await read_once(tables_server, full=True)
    assert reading.tables is not None
    table = next(table for table in reading.tables if table.name == "orders")
    truth = await true_air(tables_server, "orders")
    assert table.bloat_bytes is not None
    assert truth > 1_000_000
    assert abs(table.bloat_bytes - truth) < 0.2 * truth
    assert (table.schema, table.live) == ("public", 30_000)
    assert 1_000 < table.dead <= 2_000  # readers clear some away on their way
    assert table.dead_percent == 100 * table.dead / (30_000 + table.dead)
    assert table.size_bytes > 3_000_000
    assert table.last_vacuum is not None
    assert table.last_analyze is not None
    assert (table.seq_scans >= 60, table.index_scans) == (True, None)
    assert table.needs_index
    assert not next(table for table in reading.tables if table.name == "activities").needs_index
    sizes = [table.size_bytes for table in reading.tables]
    assert sizes == sorted(sizes, reverse=True)


async def true_air(server: PostgresServer, table: str) -> int:
    """Bytes of free space, as pgstattuple finds by reading the whole table."""
    connection = await server.connect(user="postgres")
    try:
        return int(await connection.fetchval("SELECT free_space + dead_tuple_len FROM pgstattuple($1)", table))
    finally:
        await connection.close()


async def test_indexes_that_are_invalid_or_unused(tables_server: PostgresServer) -> None:
    await run(
        tables_server,
        "CREATE TABLE twice (id int PRIMARY KEY, name text, UNIQUE (name, id))",
        "INSERT INTO twice SELECT n, 'same' FROM generate_series(1, 2000) n",
        "CREATE INDEX twice_lower ON twice (lower(name))",
    )
    with contextlib.suppress(asyncpg.UniqueViolationError):
        await run(tables_server, "CREATE UNIQUE INDEX CONCURRENTLY twice_name ON twice (name)")
    reading = await read_once(tables_server, full=True)
    assert reading.indexes is not None
    found = {index.name: index for index in reading.indexes}
    assert reading.indexes[0].name == "twice_name"
    assert not found["twice_name"].valid
    assert not found["twice_name"].unused
    assert found["twice_lower"].unused
    assert found["twice_lower"].definition == "CREATE INDEX twice_lower ON public.twice USING btree (lower(name))"
    assert found["twice_pkey"].constraint
    assert found["twice_pkey"].unique
    assert not found["twice_pkey"].unused
    assert found["twice_name_id_key"].constraint
    assert found["twice_lower"].size_bytes > 8_192
    assert (found["twice_lower"].schema, found["twice_lower"].table) == ("public", "twice")


async def test_a_table_that_is_locked_hides_no_other(tables_server: PostgresServer) -> None:
    async with sessions(tables_server, "migration") as (migration,):
        await migration.execute("BEGIN; LOCK activities")
        started = time.monotonic()
        reading = await read_once(tables_server, full=True)
        assert time.monotonic() - started < 1
        await migration.execute("ROLLBACK")
    assert reading.tables is not None
    assert reading.indexes is not None
    assert "activities" in {table.name for table in reading.tables}
    assert next(index.definition for index in reading.indexes if index.name == "activities_pkey") == ""


async def test_settings_that_differ_or_wait_for_a_restart(tables_server: PostgresServer) -> None:
    await run(
        tables_server,
        "ALTER SYSTEM SET shared_buffers = '64MB'",
        "ALTER SYSTEM SET primary_conninfo = 'host=p user=repl password=hunter2-hunter2'",
        "SELECT pg_reload_conf()",
    )
    async with source_of(tables_server) as source:
        async with asyncio.timeout(10):
            while True:
                reading = await source.read(full=True)
                assert reading.settings is not None
                if reading.settings[0].pending_restart:
                    break
                await asyncio.sleep(0.05)
    await run(tables_server, "ALTER SYSTEM RESET ALL", "SELECT pg_reload_conf()")
    found = {setting.name: setting for setting in reading.settings}
    waiting = found["shared_buffers"]
    assert (waiting.pending_restart, waiting.unit, waiting.context) == (True, "8kB", "postmaster")
    assert found["archive_mode"].default == "off"
    assert found["max_connections"].value == "120"
    assert "hunter2" not in found["primary_conninfo"].value
    assert not set(found) & {*session.LIMITS, "application_name", "jit"}


async def test_an_archiver_that_fails(tables_server: PostgresServer) -> None:
    await run(tables_server, "SELECT pg_switch_wal()")
    async with source_of(tables_server) as source, asyncio.timeout(15):
        while True:
            archiver = (await source.read(full=True)).archiver
            assert archiver is not None
            if archiver.failed:
                break
            await asyncio.sleep(0.1)
    assert archiver.mode == "on"
    assert archiver.last_failed_wal
    assert archiver.last_failed_at is not None


async def test_a_standby_and_its_primary(tables_server: PostgresServer) -> None:
    server = tables_server
    await run(server, "SELECT pg_create_physical_replication_slot('standby_1', true)")
    standby = PostgresServer(server.root / "standby")
    standby.socket_dir.mkdir(parents=True)
    (standby.root / "log").touch()
    standby._own(standby.root, standby.socket_dir, standby.root / "log")
    server._tool(
        "pg_basebackup", "-h", str(server.socket_dir), "-p", str(server.port), "-U", "postgres", "-D", str(standby.data), "-R",
        "-c", "fast", "--no-sync", "-S", "standby_1",
    )  # fmt: skip
    with (standby.data / "postgresql.conf").open("a") as conf:
        conf.write(f"port = {standby.port}\nunix_socket_directories = '{standby.socket_dir}'\ncluster_name = 'standby-1'\n")
    standby.start()
    try:
        async with asyncio.timeout(15):
            while not (primary := await read_once(server, full=True)).replicas:
                await asyncio.sleep(0.05)
        await run(server, "INSERT INTO activities SELECT n, 'y' FROM generate_series(2000, 2500) n")
        replica = await read_once(standby, full=True)
        hidden = await read_once(server, full=True, user=NOBODY)
    finally:
        standby.stop("immediate")
        await run(server, "SELECT pg_drop_replication_slot('standby_1')") if await slot_is_free(server) else None
    assert replica.in_recovery
    assert replica.replay_lag_s is not None
    assert 0 <= replica.replay_lag_s < 60
    assert replica.tables is not None
    assert replica.slots == ()
    assert primary.replicas is not None
    assert primary.slots is not None
    (row,), (slot,) = primary.replicas, primary.slots
    assert (row.application, row.client, row.sync_state) == ("standby-1", "local", "async")
    assert row.state in ("streaming", "catchup")
    assert row.lag_bytes is not None
    assert (slot.name, slot.type, slot.active, slot.wal_status) == ("standby_1", "physical", True, "reserved")
    assert slot.retained_bytes is not None
    assert "GRANT pg_monitor" in gap_of(hidden, "query text")


async def slot_is_free(server: PostgresServer) -> bool:
    connection = await server.connect(user="postgres")
    try:
        async with asyncio.timeout(10):
            while await connection.fetchval("SELECT active FROM pg_replication_slots WHERE slot_name = 'standby_1'"):
                await asyncio.sleep(0.05)
    finally:
        await connection.close()
    return True


async def test_the_slow_part_is_kept_until_the_next(postgres_server: PostgresServer) -> None:
    async with source_of(postgres_server) as source:
        first = await source.read(full=True)
        second = await source.read(full=False)
    assert second.tables == first.tables is not None
    assert second.slow_read_at == first.slow_read_at is not None
    assert second.database_bytes is not None
    assert second.database_bytes > 1_000_000


async def test_a_slow_part_that_takes_too_long_stops_there(
    postgres_server: PostgresServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(slow_queries, "ARCHIVER", "SELECT pg_sleep(20)")
    monkeypatch.setattr(session, "QUERY_TIMEOUT", 0.3)
    async with source_of(postgres_server) as source:
        started = time.monotonic()
        reading = await source.read(full=True)
        assert time.monotonic() - started < 2
        assert reading.archiver is None
        assert "no answer within" in gap_of(reading, "archiver")
        assert reading.tables is not None
        assert (await source.read(full=False)).database == "coach"


# -- cost


async def test_a_fast_read_of_a_hundred_sessions_is_cheap(postgres_server: PostgresServer) -> None:
    async with (
        sessions(postgres_server, *(f"app-{number}" for number in range(100))) as opened,
        source_of(postgres_server) as source,
    ):
        for number, connection in enumerate(opened):
            await connection.execute(f"SELECT {number} /* {'x' * 500} */")
        for _ in range(3):
            await source.read(full=False)
        before = time.process_time()
        for _ in range(20):
            reading = await source.read(full=False)
        cost = (time.process_time() - before) / 20
    assert len(reading.sessions) >= 100
    assert cost < 0.040, f"{cost * 1000:.1f} ms"


@pytest.mark.parametrize(
    ("statement", "source", "value"),
    [
        ("ALTER DATABASE coach SET statement_timeout = '1ms'", "database", "1"),
        ("ALTER SYSTEM SET statement_timeout = '1ms'", "server or database", "a few"),
    ],
)
async def test_a_database_that_cancels_whatever_takes_a_millisecond_is_still_read(
    statement: str, source: str, value: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def cancelled(_: object) -> bool:
        raise asyncpg.QueryCanceledError("canceling statement due to statement timeout")

    monkeypatch.setattr(session, "_hold", cancelled)
    with running_server() as server:
        await run(server, statement, "SELECT pg_reload_conf()")
        await asyncio.sleep(0.5)
        async with source_of(server) as one:
            reading = await one.read(full=True)
            assert one._session is not None
            rows = await one._session.fetch("SELECT current_setting('statement_timeout')::text AS ours")
    assert rows[0]["ours"] == "5s"
    assert reading.settings is not None
    found = {one.name: (one.value, one.unit, one.source) for one in reading.settings}
    assert found["statement_timeout"] == (value, "ms", source)


async def test_what_the_server_and_its_roles_are_held_to_is_told_although_our_own_session_is_held_to_something_else() -> None:
    held = (
        "CREATE ROLE till",
        "ALTER ROLE till SET lock_timeout = '7ms'",
        "ALTER DATABASE coach SET statement_timeout = '40ms'",
        "ALTER SYSTEM SET default_transaction_read_only = on",
        "SELECT pg_reload_conf()",
    )
    with running_server() as server:
        await run(server, *held)
        await asyncio.sleep(0.5)
        async with source_of(server) as source:
            reading = await source.read(full=True)
            assert source._session is not None
            rows = await source._session.fetch("SELECT current_setting('statement_timeout')::text AS ours")
    assert rows[0]["ours"] == "5s"
    assert reading.settings is not None
    found = {(one.name, one.source): (one.value, one.unit) for one in reading.settings}
    assert found["statement_timeout", "server or database"] == ("40", "ms")
    assert found["default_transaction_read_only", "server or database"] == ("on", "")
    assert found["lock_timeout", "role till"] == ("7", "ms")
