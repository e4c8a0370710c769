"""Freeing connections of a real server that runs out of them, and bounding a role."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import asyncpg
import pytest

from debugtui.model.execution import State
from debugtui.model.plan import GuardStatus
from debugtui.remediation.base import NothingToDoError, PlanError
from debugtui.remediation.catalogue.postgres import connections
from debugtui.remediation.catalogue.postgres.connections import FreeConnections
from debugtui.remediation.catalogue.postgres.role_timeout import RoleTimeout
from tests.lab.repair.pg_desk import PgLab, guard, pg_lab, session, value
from tests.lab.repair.pg_tools import drafted, surroundings
from tests.services.postgres_server import PostgresServer, running_server

pytestmark = pytest.mark.timeout(120)
PASS, FAIL = GuardStatus.PASS, GuardStatus.FAIL
MOST = 30
APP = {"application": "pool"}


@pytest.fixture(scope="module")
def server() -> Iterator[PostgresServer]:
    with running_server(settings={"max_connections": str(MOST)}) as running:
        yield running


@pytest.fixture
async def lab(server: PostgresServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[PgLab]:
    monkeypatch.setattr(connections, "IDLE_S", 0.2)
    async with pg_lab(server, tmp_path) as made:
        yield made


@contextlib.asynccontextmanager
async def pool(server: PostgresServer, count: int, name: str = "pool") -> AsyncIterator[list[asyncpg.Connection]]:
    opened = [await server.connect(user="app", server_settings={"application_name": name}) for _ in range(count)]
    await asyncio.sleep(0.3)
    try:
        yield opened
    finally:
        for connection in opened:
            connection.terminate()
        while await value(server, "SELECT count(*) FROM pg_stat_activity WHERE application_name = $1", name):
            await asyncio.sleep(0.02)


async def used(server: PostgresServer) -> int:
    return int(str(await value(server, "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'pool'")))


async def test_no_more_idle_sessions_are_ended_than_needed(lab: PgLab) -> None:
    async with pool(lab.server, 25) as opened:
        await opened[3].execute("BEGIN")
        plan = await lab.plan("free_connections", params=APP)
        assert plan.refusals == ()
        assert plan.risk.cls == 2
        assert str(opened[3].get_server_pid()) not in plan.diff[0].before
        assert len(plan.steps) == 1
        assert plan.steps[0].command.count("timestamptz") == 5
        done = await lab.apply(plan)
        assert done.state is State.VERIFIED, done.says
        # 26 with our eyes; 23 are below 80 % of 30
        assert await used(lab.server) == 22
        assert not opened[3].is_closed()
        assert [connection.is_closed() for connection in opened[:3]] == [True, True, True]


async def test_a_session_that_was_used_again_makes_it_stale(lab: PgLab) -> None:
    async with pool(lab.server, 25) as opened:
        plan = await lab.plan("free_connections", params=APP)
        for connection in opened[:5]:
            await connection.execute("SELECT 1")
        await opened[0].execute("BEGIN")
        done = await lab.apply(plan)
        assert done.state is State.REFUSED, done.says
        assert await used(lab.server) == 25


async def test_a_pool_that_comes_back_does_not_verify(lab: PgLab) -> None:
    async with pool(lab.server, 26), contextlib.AsyncExitStack() as more:
        plan = await lab.plan("free_connections", params=APP)
        storm: list[asyncio.Task[None]] = []

        async def again() -> None:
            for _ in range(4):
                await more.enter_async_context(session(lab.server, application="storm"))

        def tell(progress: object) -> None:
            if getattr(progress, "state", None) is State.VERIFYING and not storm:
                storm.append(asyncio.create_task(again()))

        done = await lab.apply(plan, tell)
        await asyncio.gather(*storm)
        assert done.state is State.UNKNOWN, done.says


async def test_a_hostile_name_is_only_a_name(lab: PgLab) -> None:
    name = "'; DROP TABLE activities; --"
    async with pool(lab.server, 25, name):
        done = await lab.run("free_connections", application=name)
        assert done.state is State.VERIFIED, done.says
        assert await value(lab.server, "SELECT count(*) FROM activities") == 100


async def test_where_there_is_room_there_is_nothing_to_do(lab: PgLab) -> None:
    async with pool(lab.server, 5):
        with pytest.raises(NothingToDoError):
            await lab.plan("free_connections", params=APP)


async def test_too_few_idle_ones_and_no_way_in(server: PostgresServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connections, "IDLE_S", 0.2)
    async with pg_lab(server, tmp_path, repair="scram_user") as lab, pool(server, 26) as opened:
        for connection in opened[:25]:
            await connection.execute("BEGIN")
        plan = await lab.plan("free_connections", params=APP)
        assert guard(plan, "enough_idle").status is FAIL
        # 26 and our eyes are 27: the other three are reserved for superusers
        assert guard(plan, "way_in").status is FAIL
        for connection in opened[:25]:
            await connection.execute("ROLLBACK")


async def test_an_application_without_idle_sessions_cannot_be_planned(lab: PgLab) -> None:
    async with pool(lab.server, 25):
        for name in ("other", "", "a\\b"):
            with pytest.raises(PlanError):
                await lab.plan("free_connections", params={"application": name})


# --- bounding a role


IDLE = {"role": "app", "name": "idle_in_transaction_session_timeout", "value": "5min"}


async def setting(server: PostgresServer, name: str = "idle_in_transaction_session_timeout", user: str = "app") -> object:
    connection = await server.connect(user=user)
    try:
        return await connection.fetchval("SELECT current_setting($1)", name)
    finally:
        await connection.close()


async def test_a_role_is_bounded_and_freed_again(lab: PgLab) -> None:
    async with session(lab.server) as old:
        plan = await lab.plan("role_timeout", params=IDLE)
        assert plan.refusals == ()
        assert plan.risk.cls == 2
        assert str(old.get_server_pid()) in plan.diff[1].before
        done = await lab.apply(plan)
        assert done.state is State.VERIFIED, done.says
        assert await setting(lab.server) == "5min"
        assert await old.fetchval("SHOW idle_in_transaction_session_timeout") == "0"  # a session that was there keeps its own
        back = await lab.back(done)
        assert back.state is State.ROLLED_BACK, back.says
        assert await setting(lab.server) == "0"
        assert await value(lab.server, "SELECT count(*) FROM pg_db_role_setting") == 0


@pytest.mark.parametrize(
    ("name", "before", "after"),
    [("lock_timeout", "0.05min", "5s"), ("statement_timeout", "90000", "1min"), ("idle_session_timeout", "1h", "10min")],
)
async def test_an_older_value_comes_back_to_the_letter(lab: PgLab, name: str, before: str, after: str) -> None:
    await value(lab.server, f"ALTER ROLE app SET {name} = '{before}'")
    rows = "SELECT setconfig FROM pg_db_role_setting WHERE setrole = 'app'::regrole"
    kept = await value(lab.server, rows)
    try:
        done = await lab.run("role_timeout", role="app", name=name, value=after)
        assert done.state is State.VERIFIED, done.says
        assert await setting(lab.server, name) == after
        assert (await lab.back(done)).state is State.ROLLED_BACK
        assert await value(lab.server, rows) == kept
    finally:
        await value(lab.server, "ALTER ROLE app RESET ALL")


async def test_the_number_of_connections_is_bounded(lab: PgLab) -> None:
    limit = "SELECT rolconnlimit FROM pg_roles WHERE rolname = 'app'"
    async with session(lab.server):
        done = await lab.run("role_timeout", role="app", name="connection_limit", value="1")
        assert done.state is State.VERIFIED, done.says
        assert await value(lab.server, limit) == 1
        with pytest.raises(asyncpg.TooManyConnectionsError):
            await lab.server.connect(user="app")
        assert (await lab.back(done)).state is State.ROLLED_BACK
        assert await value(lab.server, limit) == -1
    async with pool(lab.server, 3):
        plan = await lab.plan("role_timeout", params={"role": "app", "name": "connection_limit", "value": "2"})
        assert guard(plan, "within_bounds").status is FAIL


async def test_a_database_s_own_value_hides_it(lab: PgLab) -> None:
    await value(lab.server, "ALTER ROLE app IN DATABASE coach SET idle_in_transaction_session_timeout = '1h'")
    try:
        found = guard(await lab.plan("role_timeout", params=IDLE), "no_database_override")
        assert found.status is FAIL
        assert "coach" in found.why
    finally:
        await value(lab.server, "ALTER ROLE app IN DATABASE coach RESET ALL")


@pytest.mark.parametrize("role", ["monitor", "postgres"])
async def test_our_own_roles_and_superusers_are_not_bounded(lab: PgLab, role: str) -> None:
    assert guard(await lab.plan("role_timeout", params={**IDLE, "role": role}), "not_our_role").status is FAIL


async def test_a_strange_role_name_is_quoted(lab: PgLab) -> None:
    await value(lab.server, 'CREATE ROLE "x""; DROP ROLE app; --" LOGIN')
    try:
        done = await lab.run("role_timeout", **{**IDLE, "role": 'x"; DROP ROLE app; --'})
        assert done.state is State.VERIFIED, done.says
        assert await value(lab.server, "SELECT count(*) FROM pg_roles WHERE rolname = 'app'") == 1
        assert (await lab.back(done)).state is State.ROLLED_BACK
    finally:
        await value(lab.server, 'DROP ROLE "x""; DROP ROLE app; --"')


async def test_a_role_changed_since_is_stale(lab: PgLab) -> None:
    plan = await lab.plan("role_timeout", params=IDLE)
    await value(lab.server, "ALTER ROLE app SET idle_in_transaction_session_timeout = '1min'")
    try:
        assert (await lab.apply(plan)).state is State.REFUSED
        assert await setting(lab.server) == "1min"
    finally:
        await value(lab.server, "ALTER ROLE app RESET ALL")


async def test_a_repair_role_that_may_not_is_told(server: PostgresServer, tmp_path: Path) -> None:
    async with pg_lab(server, tmp_path, repair="scram_user") as lab:
        found = guard(await lab.plan("role_timeout", params=IDLE), "may_alter_role")
        assert found.status is FAIL
        assert "CREATEROLE" in found.why


@pytest.mark.parametrize(
    "bad", [{"role": "nobody-here"}, {"name": "work_mem"}, {"value": "long"}, {"value": "5 minutes"}, {"value": "'; --"}]
)
async def test_what_cannot_be_planned(lab: PgLab, bad: dict[str, str]) -> None:
    with pytest.raises(PlanError):
        await lab.plan("role_timeout", params={**IDLE, **bad})


async def test_a_step_in_doubt_is_settled_by_looking(server: PostgresServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connections, "IDLE_S", 0.2)
    run = await drafted(RoleTimeout(), surroundings(server), IDLE)
    assert await run.settle() == "not_done"
    await run.steps()
    assert await run.settle() == "done"
    await run.undo()
    assert await run.settle() == "not_done"
    async with pool(server, 25):
        run = await drafted(FreeConnections(), surroundings(server), APP)
        assert await run.settle() == "not_done"
        await value(server, "SELECT pg_terminate_backend($1, 2000)", run.job.data["sessions"][0][0])  # type: ignore[index]
        assert await run.settle() == "unknown"
        await run.steps()
        for pid, _ in run.job.data["sessions"]:  # type: ignore[attr-defined]
            await value(server, "SELECT pg_terminate_backend($1, 2000)", pid)
        assert await run.settle() == "done"
