"""Whole plans of indexes, migrations and backups, as the planner makes and judges them."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import asyncpg
import pytest

from debugtui.model.plan import Plan, plan_from_json
from debugtui.model.source import FleetView, HostView, LinkState, LinkStatus
from debugtui.remediation.eyes import Surroundings
from debugtui.remediation.planner import make_plan, remake
from tests.lab.repair.pg_tools import HOST, TARGET, age, dump, eyes_of, surroundings
from tests.services.postgres_server import PostgresServer, running_server

pytestmark = pytest.mark.lab


@pytest.fixture(scope="module")
def server() -> Iterator[PostgresServer]:
    with running_server() as running:
        yield running


@pytest.fixture
async def admin(server: PostgresServer) -> AsyncIterator[asyncpg.Connection]:
    connection = await server.connect()
    await connection.execute("DROP TABLE IF EXISTS laps")
    await connection.execute("CREATE TABLE laps (id bigserial PRIMARY KEY, runner int)")
    yield connection
    await connection.close()


@pytest.fixture
def around(server: PostgresServer, tmp_path: Path, admin: asyncpg.Connection) -> Surroundings:
    age(dump(server, tmp_path / "a.dump"), 600)
    dump(server, tmp_path / "b.dump")

    async def view() -> FleetView:
        host = HostView(name=HOST, address="local", link=LinkStatus(LinkState.UP), sources=())
        return FleetView(taken_at=datetime.now(UTC), hosts=(host,))

    return replace(surroundings(server, backups=[f"{tmp_path}/*.dump"]), view=view)


async def plan_of(around: Surroundings, name: str, params: Mapping[str, str]) -> Plan:
    """Made, made again and read back: always the same."""
    async with eyes_of(around) as eyes:
        plan = await make_plan(eyes, name, TARGET, params)
        again = await remake(eyes, plan)
    for part in ("data", "steps", "rollback", "problem", "solution", "checks"):
        assert getattr(again, part) == getattr(plan, part)
    assert again.before.fingerprint == plan.before.fingerprint
    assert plan_from_json(plan.to_json()).digest == plan.digest
    return plan


async def test_an_index_is_careful_until_a_restore_was_drilled(around: Surroundings) -> None:
    plan = await plan_of(around, "postgres.create_index", {"table": "laps", "columns": "runner", "name": "laps_runner"})
    assert plan.refusals == ()
    assert [guard.name for guard in plan.guards if guard.status == "unknown"] == ["backup_trust"]
    assert plan.risk.cls == 2
    assert plan.risk.vector.uncertainty == 2
    assert len(plan.rollback) == 1


async def test_a_backup_is_routine(around: Surroundings) -> None:
    plan = await plan_of(around, "postgres.backup", {})
    assert plan.refusals == ()
    assert plan.risk.cls == 1


async def test_an_invalid_index_is_routine_to_drop(admin: asyncpg.Connection, around: Surroundings) -> None:
    await admin.execute("INSERT INTO laps (runner) VALUES (1), (1)")
    with pytest.raises(asyncpg.UniqueViolationError):
        await admin.execute("CREATE UNIQUE INDEX CONCURRENTLY bad ON laps (runner)")
    plan = await plan_of(around, "postgres.drop_index", {"name": "bad"})
    assert plan.refusals == ()
    assert plan.risk.cls == 1


@pytest.mark.parametrize(
    ("up", "down", "cls"),
    [
        ("CREATE TABLE fresh (id int);", "DROP TABLE fresh;", 1),
        ("ALTER TABLE laps ADD pace int;", "ALTER TABLE laps DROP pace;", 3),
        ("DROP TABLE laps;", "", 4),
        ("UPDATE laps SET runner = 1 WHERE id < 5;", "", 4),
    ],
)
async def test_migrations(around: Surroundings, tmp_path: Path, up: str, down: str, cls: int) -> None:
    (tmp_path / "up.sql").write_text(up)
    (tmp_path / "down.sql").write_text(down)
    params = {"file": str(tmp_path / "up.sql"), **({"down": str(tmp_path / "down.sql")} if down else {})}
    plan = await plan_of(around, "postgres.migrate", params)
    assert plan.refusals == ()
    assert plan.risk.cls == cls, plan.risk
