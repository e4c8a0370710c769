"""Vacuuming a table of a real server."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import asyncpg
import pytest

from debugtui.model.execution import State
from debugtui.model.plan import GuardStatus, RiskClass
from debugtui.remediation.base import NothingToDoError, PlanError, StaleError
from debugtui.remediation.catalogue.postgres import vacuum, vacuum_guards
from debugtui.remediation.catalogue.postgres.vacuum import Vacuum
from debugtui.remediation.risk import letters
from debugtui.sources.base import SourceError
from tests.lab.repair.pg_desk import PgLab, guard, pg_lab, session, value
from tests.lab.repair.pg_tools import drafted, surroundings
from tests.services.postgres_server import PostgresServer, running_server, wait_until_blocked

pytestmark = pytest.mark.timeout(120)
PASS, FAIL = GuardStatus.PASS, GuardStatus.FAIL
TABLE = {"table": "laps"}


@pytest.fixture(scope="module")
def server() -> Iterator[PostgresServer]:
    with running_server() as running:
        yield running


async def flush(connection: asyncpg.Connection) -> None:
    """Have the server count what this session did now, and not after some seconds of rest."""
    await connection.execute("SELECT pg_stat_force_next_flush()")
    await connection.execute("SELECT 1")


@pytest.fixture
async def app(server: PostgresServer) -> AsyncIterator[asyncpg.Connection]:
    """The owner, with a table half of whose rows are dead."""
    connection = await server.connect(user="app")
    await connection.execute("DROP TABLE IF EXISTS laps")
    await connection.execute("CREATE TABLE laps (id int, runner int) WITH (autovacuum_enabled = off)")
    await connection.execute("INSERT INTO laps SELECT n, n FROM generate_series(1, 4000) AS n")
    await connection.execute("DELETE FROM laps WHERE id % 2 = 0")
    await flush(connection)
    yield connection
    await connection.execute("DROP TABLE laps")
    await connection.close()


@pytest.fixture
async def lab(server: PostgresServer, app: asyncpg.Connection, tmp_path: Path) -> AsyncIterator[PgLab]:
    async with pg_lab(server, tmp_path, repair="app") as made:
        yield made


async def dead(server: PostgresServer) -> object:
    return await value(server, "SELECT n_dead_tup FROM pg_stat_user_tables WHERE relname = 'laps'")


async def test_dead_rows_are_removed_by_the_owner(lab: PgLab) -> None:
    plan = await lab.plan("vacuum", params=TABLE)
    assert plan.refusals == ()
    assert letters(plan.risk.vector) == "I0 R0 D1 B1 L1 V0 U0 C0"
    assert plan.risk.cls == 1
    assert plan.steps[0].command.endswith("VACUUM (ANALYZE, TRUNCATE false, PARALLEL 0) public.laps;")
    assert "dead rows: 2000 of 4000" in plan.diff[0].before
    done = await lab.apply(plan)
    assert done.state is State.VERIFIED, done.says
    assert await dead(lab.server) == 0
    with pytest.raises(NothingToDoError):
        await lab.plan("vacuum", params=TABLE)


async def test_a_locked_table_is_not_waited_for_for_ever(
    lab: PgLab, app: asyncpg.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With SKIP_LOCKED the server would report success and have done nothing."""
    await app.execute("BEGIN")
    await app.execute("LOCK TABLE laps IN SHARE ROW EXCLUSIVE MODE")
    other = await lab.server.connect(user="app")
    assert await other.execute("VACUUM (SKIP_LOCKED) laps") == "VACUUM"
    assert await value(lab.server, "SELECT last_vacuum FROM pg_stat_user_tables WHERE relname = 'laps'") is None
    await other.close()
    monkeypatch.setattr(vacuum, "BEFORE", tuple(line.replace("5s", "300ms") for line in vacuum.BEFORE))
    done = await lab.run("vacuum", **TABLE)
    assert done.state is State.FAILED, done.says
    assert "lock timeout" in done.says
    await app.execute("ROLLBACK")


@pytest.mark.parametrize("kind", ["session", "prepared", "slot"])
async def test_a_pinned_horizon_refuses(lab: PgLab, monkeypatch: pytest.MonkeyPatch, kind: str) -> None:
    """VACUUM succeeds and removes nothing."""
    monkeypatch.setattr(vacuum_guards, "OLDEST_S", 0.1)
    async with session(lab.server, "postgres", "report") as old:
        if kind == "slot":
            await old.execute("SELECT pg_create_physical_replication_slot('gone', true)")
        else:
            await old.execute("BEGIN ISOLATION LEVEL REPEATABLE READ")
            await old.execute("UPDATE activities SET done = done WHERE id = 7")
        if kind == "prepared":
            await old.execute("PREPARE TRANSACTION 'orphan'")
        await asyncio.sleep(0.2)
        plan = await lab.plan("vacuum", params=TABLE)
        found = guard(plan, "horizon")
        if kind == "session":
            assert plan.mitigations[0].remediation == "postgres.terminate_session"
            assert "(report)" in found.why
        if kind == "prepared":
            assert "orphan" in found.why
            await old.execute("ROLLBACK PREPARED 'orphan'")
        if kind == "slot":
            assert found.status is PASS  # a slot without a horizon of its own keeps only WAL
            await old.execute("SELECT pg_drop_replication_slot('gone')")
        else:
            assert found.status is FAIL


async def test_success_that_removed_nothing_does_not_verify(lab: PgLab, app: asyncpg.Connection) -> None:
    async with session(lab.server, "postgres", "report") as old:
        await app.execute("INSERT INTO laps SELECT n, n FROM generate_series(5001, 6000) AS n")
        await value(lab.server, "VACUUM laps")
        await old.execute("BEGIN ISOLATION LEVEL REPEATABLE READ")
        await old.execute("SELECT count(*) FROM activities")
        await app.execute("DELETE FROM laps WHERE id > 5000")
        await flush(app)
        assert await dead(lab.server) == 1000
        done = await lab.run("vacuum", **TABLE)
        assert done.state is State.UNKNOWN, done.says
        assert done.checks[0].verdict == "fail"


async def test_a_table_behind_a_strong_lock_cannot_be_planned(lab: PgLab, app: asyncpg.Connection) -> None:
    await app.execute("BEGIN")
    await app.execute("LOCK TABLE laps IN ACCESS EXCLUSIVE MODE")
    try:
        with pytest.raises(SourceError, match="strong lock"):
            await lab.plan("vacuum", params=TABLE)
    finally:
        await app.execute("ROLLBACK")


async def test_full_is_stopped(lab: PgLab) -> None:
    plan = await lab.plan("vacuum", params={**TABLE, "full": "yes"})
    assert plan.risk.cls is RiskClass.STOP
    assert any("pg_repack" in way.why for way in plan.mitigations)


async def test_who_may_not_vacuum_is_told(server: PostgresServer, app: asyncpg.Connection, tmp_path: Path) -> None:
    """The server only warns, skips the table and reports success."""
    async with session(server, "nobody_role") as stranger:
        assert await stranger.execute("VACUUM laps") == "VACUUM"
    assert await dead(server) == 2000
    async with pg_lab(server, tmp_path, repair="nobody_role") as lab:
        assert guard(await lab.plan("vacuum", params=TABLE), "may_vacuum").status is FAIL


async def test_a_vacuum_at_work_refuses(lab: PgLab, app: asyncpg.Connection) -> None:
    async with session(lab.server, "postgres", "cron") as cron, session(lab.server, application="cursor") as reader:
        await reader.execute("BEGIN")
        await reader.execute("DECLARE c CURSOR FOR SELECT * FROM laps")
        await reader.execute("FETCH 1 FROM c")  # keeps a page pinned: a VACUUM (FREEZE) waits for it
        task = asyncio.create_task(cron.execute("VACUUM (FREEZE, DISABLE_PAGE_SKIPPING) laps"))
        async with asyncio.timeout(10):
            while not await value(lab.server, "SELECT count(*) FROM pg_stat_progress_vacuum"):
                await asyncio.sleep(0.02)
        plan = await lab.plan("vacuum", params=TABLE)
        assert guard(plan, "not_vacuumed_now").status is FAIL
        assert guard(plan, "no_wraparound").status is PASS
        await reader.execute("ROLLBACK")
        await task


@pytest.mark.parametrize("name", ["nothing", "", "laps; DROP TABLE laps"])
async def test_what_is_no_table_cannot_be_planned(lab: PgLab, name: str) -> None:
    with pytest.raises(PlanError):
        await lab.plan("vacuum", params={"table": name})


async def test_a_dry_run_of_a_schema_change_is_not_harmless(lab: PgLab, app: asyncpg.Connection) -> None:
    """Why nothing here tries a statement out in a transaction that it then rolls back."""
    async with session(lab.server) as reader:
        await app.execute("BEGIN")
        await app.execute("ALTER TABLE laps ADD pace int")
        reading = asyncio.create_task(reader.execute("SELECT count(*) FROM laps"))
        await wait_until_blocked(lab.server, reader.get_server_pid())
        await app.execute("ROLLBACK")
        await reading


async def test_a_step_in_doubt_is_settled_by_looking(lab: PgLab) -> None:
    run = await drafted(Vacuum(), surroundings(lab.server), TABLE)
    assert await run.settle() == "not_done"
    await run.steps()
    assert await run.settle() == "done"
    async with session(lab.server, application=f"debugtui:{run.job.mark}/1"):
        assert await run.settle() == "unknown"  # it still works there


async def test_another_table_of_that_name_is_not_vacuumed(lab: PgLab, app: asyncpg.Connection) -> None:
    run = await drafted(Vacuum(), surroundings(lab.server), TABLE)
    await app.execute("ALTER TABLE laps RENAME TO old_laps")
    await app.execute("CREATE TABLE laps (id int)")
    try:
        with pytest.raises(StaleError):
            await run.steps()
    finally:
        await app.execute("DROP TABLE old_laps")


async def test_its_progress_is_told(lab: PgLab, app: asyncpg.Connection) -> None:
    async with session(lab.server, application="holder") as holder:
        await holder.execute("BEGIN")
        await holder.execute("LOCK TABLE laps IN SHARE ROW EXCLUSIVE MODE")
        run = await drafted(Vacuum(), surroundings(lab.server, dwell=0.01), TABLE)
        task = asyncio.create_task(run.steps())
        async with asyncio.timeout(10):
            while not run.told:
                await asyncio.sleep(0.02)
        await holder.execute("ROLLBACK")
        await task
        assert run.told[0] == "waiting"
