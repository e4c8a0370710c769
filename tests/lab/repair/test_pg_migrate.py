"""Migrations on a real server: reviewed, bounded, tried again, taken back, refused."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import asyncpg
import pytest

from debugtui.remediation.base import NothingToDoError, PlanError, StaleError, StepError
from debugtui.remediation.catalogue.postgres import squawk
from debugtui.remediation.catalogue.postgres.migrate import Migrate
from debugtui.remediation.eyes import Surroundings
from tests.lab.repair.pg_tools import Run, drafted, dump, guard_of, surroundings
from tests.services.postgres_server import PostgresServer, running_server

pytestmark = pytest.mark.lab


@pytest.fixture(scope="module")
def server() -> Iterator[PostgresServer]:
    with running_server() as running:
        yield running


@pytest.fixture
async def admin(server: PostgresServer) -> AsyncIterator[asyncpg.Connection]:
    connection = await server.connect()
    await connection.execute("DROP TABLE IF EXISTS laps, runners, big CASCADE")
    await connection.execute("CREATE TABLE laps (id bigserial PRIMARY KEY, runner int, note text)")
    await connection.execute("INSERT INTO laps (runner, note) SELECT n % 50, md5(n::text) FROM generate_series(1, 2000) AS n")
    yield connection
    await connection.close()


@pytest.fixture
def around(server: PostgresServer, tmp_path: Path, admin: asyncpg.Connection) -> Surroundings:
    dump(server, tmp_path / "a.dump")
    return surroundings(server, backups=[f"{tmp_path}/*.dump"])


async def planned(around: Surroundings, folder: Path, up: str, down: str = "") -> Run:
    (folder / "up.sql").write_text(up)
    params = {"file": str(folder / "up.sql"), "schema": "public"}
    if down:
        (folder / "down.sql").write_text(down)
        params["down"] = str(folder / "down.sql")
    return await drafted(Migrate(), around, params)


def levels(run: Run) -> dict[str, int | None]:
    factors = run.draft.factors
    names = ("interruption", "reversibility", "durable_data", "blast_radius", "blocking", "verifiability")
    return {name: getattr(factors, name).level for name in names}


async def columns(admin: asyncpg.Connection, table: str = "laps") -> list[str]:
    rows = await admin.fetch(
        "SELECT attname FROM pg_attribute WHERE attrelid = $1::text::regclass AND attnum > 0 AND NOT attisdropped", table
    )
    return [row["attname"] for row in rows]


@contextlib.asynccontextmanager
async def reading(server: PostgresServer) -> AsyncIterator[asyncpg.Connection]:
    """A session that read the table and keeps its transaction open."""
    connection = await server.connect()
    try:
        await connection.execute("BEGIN")
        await connection.execute("SELECT count(*) FROM laps")
        yield connection
    finally:
        await connection.close()


UP = """\
-- a comment
BEGIN;
SET LOCAL lock_timeout = '1h';
ALTER TABLE laps ADD COLUMN pace numeric, ADD COLUMN place text;
CREATE TABLE runners (id bigint PRIMARY KEY, name text);
INSERT INTO runners VALUES (1, 'semi;colon');
COMMIT;
"""
DOWN = "ALTER TABLE laps DROP COLUMN pace, DROP COLUMN place;\nDROP TABLE runners;\n"


async def test_a_migration_is_applied_checked_and_taken_back(
    admin: asyncpg.Connection, around: Surroundings, tmp_path: Path
) -> None:
    run = await planned(around, tmp_path, UP, DOWN)
    assert not [guard for guard in run.draft.guards if guard.refuses], run.draft.guards
    assert run.draft.stop == ""
    (step,) = Migrate().steps(run.job)
    assert step.command.startswith("BEGIN;\nSET LOCAL search_path = public, pg_temp;\n")
    assert "SET LOCAL lock_timeout = '1500ms';" in step.command
    assert step.command.endswith("COMMIT;")
    assert "1h" not in step.command
    assert await run.settle() == "not_done"
    await run.steps()
    assert await run.settle() == "done"
    assert {"pace", "place"} <= set(await columns(admin))
    assert set((await run.look()).values()) == {True}
    assert len(await run.look()) == 2
    with pytest.raises(NothingToDoError):
        await planned(around, tmp_path, UP, DOWN)
    await run.undo()
    assert await columns(admin) == ["id", "runner", "note"]
    assert set((await run.look(Migrate().undo_checks(run.now()))).values()) == {True}
    await run.undo()


async def test_a_transaction_that_fails_leaves_nothing(admin: asyncpg.Connection, around: Surroundings, tmp_path: Path) -> None:
    run = await planned(around, tmp_path, "ALTER TABLE laps ADD pace int;\nINSERT INTO laps (id) VALUES (1);")
    with pytest.raises(StepError, match="rolled back, nothing changed") as caught:
        await run.steps()
    assert caught.value.changed is False
    assert await columns(admin) == ["id", "runner", "note"]


async def test_a_lock_is_waited_for_a_moment_and_tried_again(
    server: PostgresServer, admin: asyncpg.Connection, around: Surroundings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Behind one reader a plain ALTER TABLE would stop everybody; here it lets go, and others get through in between."""
    run = await planned(around, tmp_path, "ALTER TABLE laps ADD pace int;")
    worst = 0.0
    async with reading(server) as holder:
        task = asyncio.create_task(run.steps())
        await asyncio.sleep(0.3)
        other = await server.connect()
        began = time.monotonic()
        await other.execute("SELECT count(*) FROM laps")
        worst = time.monotonic() - began
        await other.close()
        while not run.told:
            await asyncio.sleep(0.05)
        await holder.execute("COMMIT")
        await task
    print(f"a reader behind it waited {worst:.2f} s; {len(run.told)} tries before it")
    assert worst < 2.0
    assert "nothing changed" in run.told[0]
    assert "pace" in await columns(admin)


async def test_no_lock_at_all_is_no_success(
    server: PostgresServer, admin: asyncpg.Connection, around: Surroundings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from debugtui.remediation.catalogue.postgres import migration_run

    monkeypatch.setattr(migration_run, "LOCK_TIMEOUT", "200ms")
    run = await planned(around, tmp_path, "ALTER TABLE laps ADD pace int;")
    async with reading(server):
        with pytest.raises(StepError, match="in 5 tries") as caught:
            await run.steps()
    assert caught.value.changed is False
    assert len(run.told) == 5
    assert "pace" not in await columns(admin)


async def test_an_old_transaction_on_the_table_is_the_worst(
    server: PostgresServer, around: Surroundings, tmp_path: Path
) -> None:
    async with reading(server):
        await asyncio.sleep(1.2)
        run = await planned(around, tmp_path, "ALTER TABLE laps ADD pace int;", "ALTER TABLE laps DROP pace;")
    assert guard_of(run.draft, "tables_free") == "fail"
    assert levels(run) == {
        "interruption": 2, "reversibility": 1, "durable_data": 1, "blast_radius": 3, "blocking": 3, "verifiability": 0,
    }  # fmt: skip
    assert "postgres.terminate_session" in [way.remediation for way in run.draft.mitigations]


async def test_concurrent_builds_run_alone_and_in_order(
    admin: asyncpg.Connection, around: Surroundings, tmp_path: Path
) -> None:
    up = (
        "ALTER TABLE laps ADD pace int;\nCREATE INDEX CONCURRENTLY laps_pace ON laps (pace);\n"
        "ALTER TABLE laps ADD CONSTRAINT slow CHECK (pace > 0) NOT VALID;\nALTER TABLE laps VALIDATE CONSTRAINT slow;"
    )
    down = "ALTER TABLE laps DROP CONSTRAINT slow;\nDROP INDEX CONCURRENTLY laps_pace;\nALTER TABLE laps DROP COLUMN pace;"
    run = await planned(around, tmp_path, up, down)
    steps = Migrate().steps(run.job)
    assert [len(step.command.splitlines()) for step in steps] == [9, 4, 10]
    assert "BEGIN" not in steps[1].command
    await run.steps()
    assert set((await run.look()).values()) == {True}
    await run.undo()
    assert await columns(admin) == ["id", "runner", "note"]
    assert set((await run.look(Migrate().undo_checks(run.now()))).values()) == {True}


async def test_an_invalid_index_is_not_taken_for_success(
    admin: asyncpg.Connection, around: Surroundings, tmp_path: Path
) -> None:
    run = await planned(around, tmp_path, "CREATE UNIQUE INDEX CONCURRENTLY twice ON laps (runner);")
    with pytest.raises(StepError, match="invalid index may be left"):
        await run.steps()
    assert await run.settle() == "unknown"
    assert (await run.look())["the catalog shows what the statements make"] is False


@pytest.mark.parametrize(
    "sql",
    ["DROP TABLE laps", "TRUNCATE laps", "DELETE FROM laps", "UPDATE laps SET note = ''", "VACUUM FULL laps", "CLUSTER laps",
     "ALTER TABLE laps DROP note", "DO $$ BEGIN DELETE FROM laps; END $$"],
)  # fmt: skip
async def test_what_is_never_executed(around: Surroundings, tmp_path: Path, sql: str) -> None:
    run = await planned(around, tmp_path, sql)
    assert run.draft.stop
    assert run.draft.mitigations


async def test_a_long_lock_is_the_worst_unless_the_table_is_small(
    admin: asyncpg.Connection, around: Surroundings, tmp_path: Path
) -> None:
    await admin.execute("CREATE TABLE big AS SELECT n, md5(n::text) AS t FROM generate_series(1, 200000) AS n")
    run = await planned(around, tmp_path, "CREATE INDEX i ON big (n);")
    assert levels(run)["blocking"] == 4
    assert any("concurrently" in way.why for way in run.draft.mitigations)
    run = await planned(around, tmp_path, "CREATE INDEX i ON laps (runner);")
    assert levels(run)["blocking"] == 2


async def test_the_linter_decides_nothing_by_its_absence(
    around: Surroundings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(squawk.shutil, "which", lambda _name: None)
    monkeypatch.setattr(squawk.sys, "executable", "/nowhere/python")
    run = await planned(around, tmp_path, "ALTER TABLE laps ADD pace int;")
    assert guard_of(run.draft, "sql_review") == "unknown"
    assert next(guard for guard in run.draft.guards if guard.name == "sql_review").refuses


async def test_files_that_make_no_plan(around: Surroundings, tmp_path: Path) -> None:
    with pytest.raises(PlanError, match="cannot be read"):
        await drafted(Migrate(), around, {"file": str(tmp_path / "missing.sql")})
    with pytest.raises(PlanError, match="more than take back"):
        await planned(around, tmp_path, "ALTER TABLE laps ADD pace int;", "DROP TABLE laps;")
    with pytest.raises(PlanError, match="more than take back"):
        await planned(around, tmp_path, "CREATE TABLE IF NOT EXISTS laps (id int);", "DROP TABLE laps;")
    with pytest.raises(PlanError, match="secret"):
        await planned(around, tmp_path, "COMMENT ON TABLE laps IS 'password=hunter2hunter2';")


async def test_a_file_or_table_that_changed_is_another_plan(
    admin: asyncpg.Connection, around: Surroundings, tmp_path: Path
) -> None:
    first = await planned(around, tmp_path, "ALTER TABLE laps ADD pace int;")
    second = await planned(around, tmp_path, "ALTER TABLE laps ADD pace int; -- x")
    assert first.draft.identity["file"] != second.draft.identity["file"]
    await admin.execute("DROP TABLE laps")
    await admin.execute("CREATE TABLE laps (id int)")
    with pytest.raises(StaleError):
        await first.steps()


async def test_a_plan_changes_and_locks_nothing(
    server: PostgresServer, admin: asyncpg.Connection, around: Surroundings, tmp_path: Path
) -> None:
    """Rows of an open transaction would show a dry run; none is made."""
    before = await admin.fetchval("SELECT txid_snapshot_xmax(txid_current_snapshot())")
    await planned(around, tmp_path, UP, DOWN)
    assert await admin.fetchval("SELECT txid_snapshot_xmax(txid_current_snapshot())") == before
