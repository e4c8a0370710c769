"""Indexes built and dropped concurrently on a real server, with everything that gets into the way."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import asyncpg
import pytest

from debugtui.remediation.base import NothingToDoError, PlanError, StaleError, StepError
from debugtui.remediation.catalogue.postgres import drop_index as drop_module
from debugtui.remediation.catalogue.postgres import index_guards
from debugtui.remediation.catalogue.postgres.create_index import CreateIndex
from debugtui.remediation.catalogue.postgres.drop_index import DropIndex
from debugtui.remediation.eyes import Surroundings
from tests.lab.repair.pg_tools import Run, drafted, dump, eyes_of, guard_of, surroundings
from tests.services.postgres_server import PostgresServer, running_server

pytestmark = pytest.mark.lab

WANTED = {"table": "laps", "columns": "runner, at", "name": "laps_runner_at"}


@pytest.fixture(scope="module")
def server() -> Iterator[PostgresServer]:
    with running_server() as running:
        yield running


@pytest.fixture
async def admin(server: PostgresServer) -> AsyncIterator[asyncpg.Connection]:
    """A superuser's connection; the table `laps` is fresh."""
    connection = await server.connect()
    await connection.execute("DROP TABLE IF EXISTS laps, other, parts CASCADE")
    await connection.execute(
        "CREATE TABLE laps (id bigserial PRIMARY KEY, runner int, at timestamptz DEFAULT now(), note text)"
    )
    await connection.execute("INSERT INTO laps (runner, note) SELECT n % 500, md5(n::text) FROM generate_series(1, 30000) AS n")
    await connection.execute("CREATE TABLE other (x int)")
    await connection.execute("ANALYZE laps")
    yield connection
    await connection.close()


@pytest.fixture
def around(server: PostgresServer, tmp_path: Path, admin: asyncpg.Connection) -> Surroundings:
    dump(server, tmp_path / "a.dump")
    return surroundings(server, backups=[f"{tmp_path}/*.dump"])


async def flags(admin: asyncpg.Connection, name: str) -> tuple[bool, bool, bool] | None:
    row = await admin.fetchrow(
        "SELECT indisvalid, indisready, indislive FROM pg_index JOIN pg_class c ON c.oid = indexrelid WHERE relname = $1", name
    )
    return tuple(row) if row else None  # type: ignore[return-value]


async def invalid(admin: asyncpg.Connection) -> int:
    return int(await admin.fetchval("SELECT count(*) FROM pg_index WHERE NOT indisvalid"))


@contextlib.asynccontextmanager
async def holding(server: PostgresServer, *statements: str) -> AsyncIterator[asyncpg.Connection]:
    """A session with an open transaction."""
    connection = await server.connect()
    try:
        for statement in statements:
            await connection.execute(statement)
        yield connection
    finally:
        await connection.close()


async def until(admin: asyncpg.Connection, sql: str) -> None:
    async with asyncio.timeout(10):
        while not await admin.fetchval(sql):
            await asyncio.sleep(0.02)


BUILDING = "SELECT EXISTS (SELECT FROM pg_stat_progress_create_index WHERE phase LIKE 'waiting%')"


# -- building


async def test_an_index_is_built_checked_and_taken_back(admin: asyncpg.Connection, around: Surroundings) -> None:
    run = await drafted(CreateIndex(), around, WANTED)
    assert not [guard for guard in run.draft.guards if guard.refuses], run.draft.guards
    commands = [step.command for step in CreateIndex().steps(run.job)]
    assert commands[0] == (
        "SET lock_timeout = 0;\nSET statement_timeout = 0;\n"
        "CREATE INDEX CONCURRENTLY laps_runner_at ON public.laps USING btree (runner, at);"
    )
    assert "IF NOT EXISTS" not in "".join(commands)
    assert await run.settle() == "not_done"
    await run.steps()
    assert await flags(admin, "laps_runner_at") == (True, True, True)
    assert await run.settle() == "done"
    assert await run.settle(2) == "done"
    assert set((await run.look()).values()) == {True}
    await run.undo()
    assert await flags(admin, "laps_runner_at") is None
    assert set((await run.look(CreateIndex().undo_checks(run.now()))).values()) == {True}
    await run.undo()  # nothing to undo is no fault


async def test_the_factors_are_those_of_the_table(around: Surroundings) -> None:
    factors = (await drafted(CreateIndex(), around, WANTED)).draft.factors
    levels = [getattr(factors, name).level for name in ("interruption", "reversibility", "durable_data", "blast_radius")]
    assert [*levels, factors.blocking.level, factors.verifiability.level] == [0, 1, 1, 3, 1, 0]


async def test_writers_go_on_during_the_whole_build(
    server: PostgresServer, admin: asyncpg.Connection, around: Surroundings
) -> None:
    await admin.execute("INSERT INTO laps (runner, note) SELECT n % 900, md5(n::text) FROM generate_series(1, 300000) AS n")
    run = await drafted(CreateIndex(), around, {**WANTED, "columns": "note"})
    writer = await server.connect(user="postgres")
    worst, count, stop = 0.0, 0, asyncio.Event()

    async def write() -> None:
        nonlocal worst, count
        while not stop.is_set():
            began = time.monotonic()
            await writer.execute("INSERT INTO laps (runner) VALUES (1)")
            worst, count = max(worst, time.monotonic() - began), count + 1
            await asyncio.sleep(0.002)

    task = asyncio.create_task(write())
    began = time.monotonic()
    await run.steps()
    took = time.monotonic() - began
    stop.set()
    await task
    await writer.close()
    print(f"build {took:.2f} s, {count} inserts, longest stall {worst * 1000:.0f} ms")
    assert count > 20
    assert worst < 1.0
    assert await flags(admin, "laps_runner_at") == (True, True, True)


async def test_it_waits_for_a_writer_without_a_time_limit(
    server: PostgresServer, admin: asyncpg.Connection, around: Surroundings
) -> None:
    """A short lock_timeout would leave an invalid index; here it waits, says for whom, and ends well."""
    run = await drafted(CreateIndex(), around, WANTED)
    async with holding(server, "BEGIN", "UPDATE laps SET note = 'x' WHERE id = 1") as writer:
        task = asyncio.create_task(run.steps())
        await until(admin, BUILDING)
        await asyncio.sleep(0.5)
        assert not task.done()
        assert any(str(writer.get_server_pid()) in text for text in run.told), run.told
        await writer.execute("COMMIT")
        await task
    assert await flags(admin, "laps_runner_at") == (True, True, True)


@pytest.mark.parametrize(
    "holder",
    [
        ("BEGIN", "UPDATE laps SET note = 'x' WHERE id = 1"),
        ("BEGIN ISOLATION LEVEL REPEATABLE READ", "SELECT count(*) FROM other"),  # a snapshot on an unrelated table
    ],
)
async def test_a_cancelled_build_is_seen_and_taken_back(
    server: PostgresServer, admin: asyncpg.Connection, around: Surroundings, holder: tuple[str, ...]
) -> None:
    run = await drafted(CreateIndex(), around, WANTED)
    async with holding(server, *holder) as other:
        task = asyncio.create_task(run.steps())
        await until(admin, BUILDING)
        assert await run.settle() == "unknown"
        await admin.execute("SELECT pg_cancel_backend(pid) FROM pg_stat_progress_create_index")
        with pytest.raises(StepError, match=r"left public.laps_runner_at invalid") as caught:
            await task
        assert caught.value.changed is True
        assert await flags(admin, "laps_runner_at") != (True, True, True)
        assert await run.settle() == "unknown"
        assert (await run.look())["public.laps_runner_at is valid"] is False
        await other.execute("COMMIT")
        await run.undo()
    assert await invalid(admin) == 0
    assert await flags(admin, "laps_runner_at") is None


async def test_an_invalid_index_of_that_name_is_never_taken_for_success(
    server: PostgresServer, admin: asyncpg.Connection, around: Surroundings
) -> None:
    await leave_invalid(server, admin)
    run = await drafted(CreateIndex(), around, WANTED)
    assert guard_of(run.draft, "name_free") == "fail"
    assert "postgres.drop_index" in [way.remediation for way in run.draft.mitigations]
    with pytest.raises(StaleError, match="is there already"):
        await run.steps()


async def leave_invalid(server: PostgresServer, admin: asyncpg.Connection, unique: str = "") -> None:
    """A build with a short lock_timeout, as the usual migration makes it."""
    async with holding(server, "BEGIN", "UPDATE laps SET note = 'x' WHERE id = 1"):
        await admin.execute("SET lock_timeout = '200ms'")
        with pytest.raises(asyncpg.LockNotAvailableError):
            await admin.execute(f"CREATE {unique} INDEX CONCURRENTLY laps_runner_at ON laps (runner, at)")
        await admin.execute("CREATE INDEX CONCURRENTLY IF NOT EXISTS laps_runner_at ON laps (runner, at)")  # "succeeds"
        await admin.execute("RESET lock_timeout")
    assert await flags(admin, "laps_runner_at") is not None
    assert await invalid(admin) == 1


async def test_a_unique_index_that_cannot_be_is_taken_back(admin: asyncpg.Connection, around: Surroundings) -> None:
    run = await drafted(CreateIndex(), around, {**WANTED, "columns": "runner", "unique": "yes"})
    with pytest.raises(StepError, match="could not create unique index") as caught:
        await run.steps()
    assert caught.value.changed is True
    await run.undo()
    assert await invalid(admin) == 0


async def test_a_partial_index_with_quoted_names(admin: asyncpg.Connection, around: Surroundings) -> None:
    await admin.execute('ALTER TABLE laps ADD COLUMN "Odd; name" int')
    params = {"table": "public.laps", "columns": '"Odd; name"', "name": 'x"; DROP TABLE laps; --', "where": "runner > 3"}
    run = await drafted(CreateIndex(), around, params)
    await run.steps()
    assert await flags(admin, params["name"]) == (True, True, True)
    assert set((await run.look()).values()) == {True}
    with pytest.raises(NothingToDoError):
        await drafted(CreateIndex(), around, params)
    await run.undo()
    assert await flags(admin, params["name"]) is None


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"table": "missing"}, "no table"),
        ({"columns": "runner, missing"}, "no column 'missing'"),
        ({"columns": "lower(note)"}, "expressions are not accepted"),
        ({"columns": "runner, runner"}, "named twice"),
        ({"name": "x" * 64}, "1 to 63 bytes"),
        ({"unique": "perhaps"}, "yes or no"),
        ({"method": "btree (id); DROP TABLE laps; --"}, "there is no method"),
        ({"where": "true); DROP TABLE laps; --"}, "where:"),
        ({"where": "true) TABLESPACE x --"}, "where:"),
        ({"where": "id in (select 1)"}, "may not hold a query"),
    ],
)
async def test_wrong_parameters(around: Surroundings, changes: dict[str, str], says: str) -> None:
    with pytest.raises(PlanError, match=says.replace("(", r"\(")):
        await drafted(CreateIndex(), around, {**WANTED, **changes})


async def test_an_old_snapshot_anywhere_in_the_database_refuses(
    server: PostgresServer, around: Surroundings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(index_guards, "OLDEST_S", 0.3)
    async with holding(server, "BEGIN ISOLATION LEVEL REPEATABLE READ", "SELECT count(*) FROM other"):
        await asyncio.sleep(0.4)
        run = await drafted(CreateIndex(), around, WANTED)
    assert guard_of(run.draft, "old_transactions") == "fail"
    assert "postgres.terminate_session" in [way.remediation for way in run.draft.mitigations]


async def test_partitioned_equal_backup_and_owner(
    server: PostgresServer, admin: asyncpg.Connection, around: Surroundings
) -> None:
    await admin.execute("CREATE TABLE parts (id int, at date) PARTITION BY RANGE (at)")
    run = await drafted(CreateIndex(), around, {"table": "parts", "columns": "id", "name": "p"})
    assert guard_of(run.draft, "plain_table") == "fail"
    run = await drafted(CreateIndex(), around, {"table": "laps", "columns": "id", "name": "again"})
    assert guard_of(run.draft, "no_equal_index") == "fail"
    run = await drafted(CreateIndex(), surroundings(server), WANTED)
    assert guard_of(run.draft, "recent_backup") == "fail"
    assert "postgres.backup" in [way.remediation for way in run.draft.mitigations]
    run = await drafted(CreateIndex(), surroundings(server, repair="app"), WANTED)
    assert guard_of(run.draft, "may_change") == "fail"


async def test_disk_is_seen_and_replicas_are_none(around: Surroundings, monkeypatch: pytest.MonkeyPatch) -> None:
    run = await drafted(CreateIndex(), around, WANTED)
    assert guard_of(run.draft, "free_disk") == "pass"
    assert guard_of(run.draft, "replica_lag") == "pass"
    monkeypatch.setattr(index_guards, "DISK_FACTOR", 1e12)
    assert guard_of((await drafted(CreateIndex(), around, WANTED)).draft, "free_disk") == "fail"


async def test_a_table_that_was_replaced_is_refused(admin: asyncpg.Connection, around: Surroundings) -> None:
    run = await drafted(CreateIndex(), around, WANTED)
    await admin.execute("DROP TABLE laps")
    await admin.execute("CREATE TABLE laps (runner int, at timestamptz)")
    with pytest.raises(StaleError):
        await run.steps()
    assert await flags(admin, "laps_runner_at") is None


async def test_a_killed_build_is_taken_back(server: PostgresServer, admin: asyncpg.Connection, around: Surroundings) -> None:
    """As after a lost link: whoever drops it first ends the session that may still build."""
    run = await drafted(CreateIndex(), around, WANTED)
    async with holding(server, "BEGIN", "UPDATE laps SET note = 'x' WHERE id = 1") as writer:
        task = asyncio.create_task(run.steps())
        await until(admin, BUILDING)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        undo = asyncio.create_task(run.undo())
        await asyncio.sleep(0.2)
        await writer.execute("COMMIT")
        await undo
    assert await flags(admin, "laps_runner_at") is None


# -- dropping


async def test_an_invalid_index_is_dropped(server: PostgresServer, admin: asyncpg.Connection, around: Surroundings) -> None:
    await leave_invalid(server, admin, "UNIQUE")
    run = await drafted(DropIndex(), around, {"name": "laps_runner_at"})
    assert not [guard for guard in run.draft.guards if guard.refuses], run.draft.guards
    assert "is invalid" in run.draft.problem
    await run.steps()
    assert await run.settle() == "done"
    assert set((await run.look()).values()) == {True}
    assert DropIndex().undo(run.now()) == ()
    with pytest.raises(NothingToDoError):
        await drafted(DropIndex(), around, {"name": "laps_runner_at"})


async def test_what_a_reindex_leaves_is_recognised(
    server: PostgresServer, admin: asyncpg.Connection, around: Surroundings
) -> None:
    await admin.execute("CREATE INDEX mine ON laps (runner)")
    async with holding(server, "BEGIN", "UPDATE laps SET note = 'x' WHERE id = 1"):
        await admin.execute("SET lock_timeout = '200ms'")
        with pytest.raises(asyncpg.LockNotAvailableError):
            await admin.execute("REINDEX INDEX CONCURRENTLY mine")
        await admin.execute("RESET lock_timeout")
    run = await drafted(DropIndex(), around, {"name": "public.mine_ccnew"})
    assert "REINDEX CONCURRENTLY of mine did not end" in run.draft.problem
    await run.steps()
    assert await invalid(admin) == 0
    assert await flags(admin, "mine") == (True, True, True)


async def definition(admin: asyncpg.Connection, name: str) -> tuple[object, ...]:
    return tuple(
        await admin.fetchrow(
            "SELECT pg_get_indexdef(oid), obj_description(oid), reltablespace, reloptions FROM pg_class WHERE relname = $1",
            name,
        )
    )


async def unused(admin: asyncpg.Connection) -> None:
    await admin.execute(
        "CREATE INDEX mine ON laps USING btree (runner DESC, lower(note)) WITH (fillfactor = 70) WHERE runner > 7"
    )
    await admin.execute("COMMENT ON INDEX mine IS 'it''s \\ mine'")
    await admin.execute("SELECT pg_stat_reset()")
    await until(admin, "SELECT stats_reset IS NOT NULL FROM pg_stat_database WHERE datname = current_database()")


async def test_an_unused_index_is_dropped_and_comes_back_exactly(
    admin: asyncpg.Connection, around: Surroundings, monkeypatch: pytest.MonkeyPatch
) -> None:
    await unused(admin)
    before = await definition(admin, "mine")
    monkeypatch.setattr(drop_module, "UNUSED_S", 0.0)
    run = await drafted(DropIndex(), around, {"name": "mine"})
    assert not [guard for guard in run.draft.guards if guard.refuses], run.draft.guards
    await run.steps()
    assert await flags(admin, "mine") is None
    await run.undo()
    assert await definition(admin, "mine") == before
    assert set((await run.look(DropIndex().undo_checks(run.now()))).values()) == {True}


async def test_a_drop_that_was_cut_off_is_taken_back(
    server: PostgresServer, admin: asyncpg.Connection, around: Surroundings, monkeypatch: pytest.MonkeyPatch
) -> None:
    await unused(admin)
    before = await definition(admin, "mine")
    monkeypatch.setattr(drop_module, "UNUSED_S", 0.0)
    run = await drafted(DropIndex(), around, {"name": "mine"})
    async with holding(server, "BEGIN", "UPDATE laps SET note = 'x' WHERE id = 1") as writer:
        task = asyncio.create_task(run.steps())
        await until(admin, "SELECT EXISTS (SELECT FROM pg_index WHERE NOT indisvalid)")
        await admin.execute("SELECT pg_cancel_backend(pid) FROM pg_stat_activity WHERE query LIKE 'DROP INDEX%'")
        with pytest.raises(StepError, match="left invalid"):
            await task
        assert await run.settle() == "unknown"
        await writer.execute("COMMIT")
    await run.undo()
    assert await definition(admin, "mine") == before
    assert await flags(admin, "mine") == (True, True, True)


async def test_who_may_not_be_dropped(server: PostgresServer, admin: asyncpg.Connection, around: Surroundings) -> None:
    run = await drafted(DropIndex(), around, {"name": "laps_pkey"})
    assert guard_of(run.draft, "only_an_index") == "fail"
    await admin.execute("CREATE UNIQUE INDEX mine ON laps (id)")
    assert guard_of((await drafted(DropIndex(), around, {"name": "mine"})).draft, "only_an_index") == "fail"
    await admin.execute("CREATE INDEX plain ON laps (runner)")
    await admin.execute("SELECT pg_stat_reset()")
    await until(admin, "SELECT stats_reset IS NOT NULL FROM pg_stat_database WHERE datname = current_database()")
    run = await drafted(DropIndex(), around, {"name": "plain"})
    assert guard_of(run.draft, "unused") == "fail"  # counted for less than a month
    with pytest.raises(PlanError, match="is no index"):
        await drafted(DropIndex(), around, {"name": "laps"})


async def test_statistics_that_never_began_are_not_known(tmp_path: Path) -> None:
    with running_server() as fresh:
        owner = await fresh.connect(user="app")
        await owner.execute("CREATE INDEX plain ON activities (title)")
        run = await drafted(DropIndex(), surroundings(fresh), {"name": "plain"})
        await owner.close()
        assert guard_of(run.draft, "unused") == "unknown"


async def test_an_index_that_became_valid_is_not_dropped(
    server: PostgresServer, admin: asyncpg.Connection, around: Surroundings
) -> None:
    await leave_invalid(server, admin)
    run: Run = await drafted(DropIndex(), around, {"name": "laps_runner_at"})
    await admin.execute("REINDEX INDEX laps_runner_at")
    with pytest.raises(StaleError):
        await run.steps()
    assert await flags(admin, "laps_runner_at") == (True, True, True)


async def test_offers_need_a_reading(around: Surroundings) -> None:
    async with eyes_of(around) as eyes:
        view = await eyes.view()
    from tests.lab.repair.pg_tools import TARGET

    assert CreateIndex().offer(view, TARGET) is None
    assert DropIndex().offer(view, TARGET) is None
