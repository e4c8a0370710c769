"""Changing a parameter of a real server, and taking it back to the letter."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import asyncpg
import pytest

from debugtui.model.execution import State
from debugtui.model.plan import GuardStatus, RiskClass
from debugtui.remediation.base import NothingToDoError, PlanError
from debugtui.remediation.catalogue.postgres.parameter import SetParameter
from debugtui.remediation.risk import letters
from tests.lab.repair.pg_desk import PgLab, guard, pg_lab, value
from tests.lab.repair.pg_tools import drafted, surroundings
from tests.services.postgres_server import PostgresServer, running_server

pytestmark = pytest.mark.timeout(120)
PASS, FAIL, UNKNOWN = GuardStatus.PASS, GuardStatus.FAIL, GuardStatus.UNKNOWN

SEES_FILES = ("GRANT SELECT ON pg_file_settings TO monitor", "GRANT EXECUTE ON FUNCTION pg_show_all_file_settings() TO monitor")


@pytest.fixture(scope="module")
def server() -> Iterator[PostgresServer]:
    with running_server() as running:
        yield running


@pytest.fixture
async def admin(server: PostgresServer) -> AsyncIterator[asyncpg.Connection]:
    connection = await server.connect()
    yield connection
    await connection.execute("ALTER SYSTEM RESET ALL")
    await connection.execute("ALTER ROLE app RESET ALL")
    await connection.execute("SELECT pg_reload_conf()")
    for statement in SEES_FILES:
        await connection.execute(statement.replace("GRANT", "REVOKE").replace(" TO ", " FROM "))
    await connection.close()


@pytest.fixture
async def lab(server: PostgresServer, admin: asyncpg.Connection, tmp_path: Path) -> AsyncIterator[PgLab]:
    """Monitoring may read the files."""
    for statement in SEES_FILES:
        await admin.execute(statement)
    async with pg_lab(server, tmp_path) as made:
        yield made


def lines(server: PostgresServer) -> list[str]:
    text = (server.data / "postgresql.auto.conf").read_text()
    return [line for line in text.splitlines() if line and not line.startswith("#")]


WORK_MEM = {"name": "work_mem", "value": "9MB"}


async def test_a_parameter_is_changed_and_taken_back(lab: PgLab) -> None:
    plan = await lab.plan("set_parameter", params=WORK_MEM)
    assert plan.refusals == ()
    assert letters(plan.risk.vector) == "I0 R1 D1 B3 L0 V0 U0 C0"
    assert plan.risk.cls == 1
    assert "ALTER SYSTEM SET work_mem = '9MB';" in plan.steps[0].command
    assert plan.steps[1].command.endswith("SELECT pg_catalog.pg_reload_conf() AS loaded;")
    assert "ALTER SYSTEM RESET work_mem;" in plan.rollback[0].command
    assert (plan.diff[0].before, plan.diff[0].after) == ("", "work_mem = '9MB'")
    assert (plan.diff[1].before, plan.diff[1].after) == (
        "work_mem is 4MB (4096 kB), from default",
        "work_mem is 9MB (9216 kB), from configuration file",
    )
    done = await lab.apply(plan)
    assert done.state is State.VERIFIED, done.says
    assert await value(lab.server, "SHOW work_mem") == "9MB"
    assert lines(lab.server) == ["work_mem = '9MB'"]
    back = await lab.back(done)
    assert back.state is State.ROLLED_BACK, back.says
    assert await value(lab.server, "SHOW work_mem") == "4MB"
    assert lines(lab.server) == []


@pytest.mark.parametrize("sees", [True, False], ids=["files-seen", "files-not-seen"])
async def test_an_older_line_comes_back_to_the_letter(
    server: PostgresServer, admin: asyncpg.Connection, tmp_path: Path, sees: bool
) -> None:
    """Also where the monitoring role may not read it: the repair role reads it before it writes."""
    if sees:
        for statement in SEES_FILES:
            await admin.execute(statement)
    await admin.execute("ALTER SYSTEM SET work_mem = '8192'")
    await admin.execute("ALTER SYSTEM SET checkpoint_timeout = '0.1h'")
    await admin.execute("SELECT pg_reload_conf()")
    await asyncio.sleep(0.3)
    before = (server.data / "postgresql.auto.conf").read_bytes()
    async with pg_lab(server, tmp_path) as lab:
        plan = await lab.plan("set_parameter", params={"name": "checkpoint_timeout", "value": "10min"})
        assert plan.refusals == ()
        assert guard(plan, "config_files").status is PASS
        assert ("step 1" in guard(plan, "config_files").why) is not sees
        assert plan.risk.cls == 1
        done = await lab.apply(plan)
        assert done.state is State.VERIFIED, done.says
        assert await value(server, "SHOW checkpoint_timeout") == "10min"
        back = await lab.back(done)
        assert back.state is State.ROLLED_BACK, back.says
        assert await value(server, "SHOW checkpoint_timeout") == "6min"
        assert (server.data / "postgresql.auto.conf").read_bytes() == before


@pytest.mark.parametrize(
    "broken", ["work_mem 'oops\n", "no_such_parameter = 1\n", "include 'missing.conf'\n", "maintenance_work_mem = 'many'\n"]
)
async def test_broken_files_refuse(lab: PgLab, broken: str) -> None:
    """A reload says true in each of these cases; with most of them it applies nothing at all."""
    file = lab.server.data / "postgresql.conf"
    kept = file.read_text()
    try:
        file.write_text(kept + broken)
        assert await value(lab.server, "SELECT pg_reload_conf()") is True
        assert guard(await lab.plan("set_parameter", params=WORK_MEM), "config_files").status is FAIL
    finally:
        file.write_text(kept)
        await value(lab.server, "SELECT pg_reload_conf()")


async def test_a_change_that_waits_in_the_files_refuses(lab: PgLab) -> None:
    """Our reload would apply it as well, without anybody having approved it."""
    file = lab.server.data / "postgresql.conf"
    kept = file.read_text()
    try:
        file.write_text(kept + "random_page_cost = 3\n")
        found = guard(await lab.plan("set_parameter", params=WORK_MEM), "nothing_else_waits")
        assert found.status is FAIL
        assert "random_page_cost" in found.why
    finally:
        file.write_text(kept)


@pytest.mark.parametrize(
    ("line", "says"), [("no_such_parameter = 1\n", "error"), ("random_page_cost = 3\n", "random_page_cost")]
)
async def test_what_is_wrong_in_the_files_is_found_by_the_step_where_monitoring_may_not_look(
    server: PostgresServer, admin: asyncpg.Connection, tmp_path: Path, line: str, says: str
) -> None:
    file = server.data / "postgresql.conf"
    kept = file.read_text()
    async with pg_lab(server, tmp_path) as lab:
        plan = await lab.plan("set_parameter", params=WORK_MEM)
        assert plan.refusals == ()
        try:
            file.write_text(kept + line)
            done = await lab.apply(plan)
            assert done.state is State.FAILED, done.says
            assert says in done.says
            assert lines(server) == []
        finally:
            file.write_text(kept)


async def test_files_that_break_after_the_approval_do_not_verify(lab: PgLab) -> None:
    """The reload says true; a new session still has the old value; the line is taken back."""
    file = lab.server.data / "postgresql.conf"
    kept = file.read_text()
    plan = await lab.plan("set_parameter", params=WORK_MEM)

    def spoil(progress: object) -> None:
        steps = getattr(progress, "steps", ())
        if steps and steps[0].state == "done" and "no_such" not in file.read_text():
            file.write_text(kept + "no_such_parameter = 1\n")

    try:
        done = await lab.apply(plan, spoil)
        assert done.state is not State.VERIFIED
        assert await value(lab.server, "SHOW work_mem") == "4MB"
        assert lines(lab.server) == []
    finally:
        file.write_text(kept)


async def test_a_role_s_own_value_hides_it(lab: PgLab, admin: asyncpg.Connection) -> None:
    await admin.execute("ALTER ROLE app SET work_mem = '5MB'")
    await admin.execute("ALTER SYSTEM SET work_mem = '7MB'")
    await admin.execute("SELECT pg_reload_conf()")
    await asyncio.sleep(0.3)
    app = await lab.server.connect(user="app")
    shown = await app.fetchrow("SELECT setting, source FROM pg_settings WHERE name = 'work_mem'")
    await app.close()
    assert shown is not None
    assert tuple(shown) == ("5120", "user")
    found = guard(await lab.plan("set_parameter", params=WORK_MEM), "no_override")
    assert found.status is FAIL
    assert "role app" in found.why


async def test_the_command_line_hides_it(tmp_path: Path) -> None:
    """The server still says that the line of the file is applied."""
    with running_server() as own:
        own.stop()
        own._tool("pg_ctl", "-D", str(own.data), "-w", "-l", str(own.root / "log"), "-o", "-c work_mem=6MB", "start")
        await value(own, "ALTER SYSTEM SET work_mem = '7MB'")
        await value(own, "SELECT pg_reload_conf()")
        await asyncio.sleep(0.3)
        assert await value(own, "SHOW work_mem") == "6MB"
        assert await value(own, "SELECT applied FROM pg_file_settings WHERE name = 'work_mem'") is True
        async with pg_lab(own, tmp_path) as lab:
            found = guard(await lab.plan("set_parameter", params=WORK_MEM), "no_override")
            assert found.status is FAIL
            assert "command line" in found.why


async def test_what_needs_a_restart_is_stopped(lab: PgLab, admin: asyncpg.Connection) -> None:
    plan = await lab.plan("set_parameter", params={"name": "shared_buffers", "value": "2000GB"})
    assert plan.risk.cls is RiskClass.STOP
    assert letters(plan.risk.vector).startswith("I4 R2 D1 B3 L0 V1 U0")
    assert guard(plan, "no_restart").status is FAIL
    assert len(plan.mitigations) == 3
    # The server itself takes the value, and says only later that it waits for a restart.
    await admin.execute("ALTER SYSTEM SET shared_buffers = '2000GB'")
    await admin.execute("SELECT pg_reload_conf()")
    async with asyncio.timeout(10):
        while not await value(lab.server, "SELECT pending_restart FROM pg_settings WHERE name = 'shared_buffers'"):
            await asyncio.sleep(0.05)
    assert guard(await lab.plan("set_parameter", params=WORK_MEM), "config_files").status is PASS


@pytest.mark.parametrize(
    ("name", "bad"),
    [("work_mem", "900GB"), ("work_mem", "64kB"), ("checkpoint_timeout", "1d"), ("log_min_duration_statement", "0"),
     ("random_page_cost", "100"), ("effective_cache_size", "15TB"), ("autovacuum_naptime", "1s")],
)  # fmt: skip
async def test_absurd_values_are_refused(lab: PgLab, name: str, bad: str) -> None:
    assert [found.name for found in (await lab.plan("set_parameter", params={"name": name, "value": bad})).refusals] == [
        "within_bounds"
    ]


@pytest.mark.parametrize("name", ["autovacuum", "statement_timeout", "log_min_messages"])
async def test_what_is_not_on_the_list_is_refused(lab: PgLab, name: str) -> None:
    text = {"log_min_messages": "error", "statement_timeout": "5min"}.get(name, "off")
    assert guard(await lab.plan("set_parameter", params={"name": name, "value": text}), "allowed").status is FAIL


@pytest.mark.parametrize(
    ("name", "bad"),
    [("no_such", "1"), ("work_mem", "9mb"), ("work_mem", "9 MB'; DROP TABLE activities; --"), ("work_mem", "lots"),
     ("jit_provider", "x"), ("log_lock_waits", "maybe"), ("random_page_cost", "2MB"), ("archive_command", "rm -rf /")],
)  # fmt: skip
async def test_what_is_no_value_cannot_be_planned(lab: PgLab, name: str, bad: str) -> None:
    with pytest.raises(PlanError):
        await lab.plan("set_parameter", params={"name": name, "value": bad})


async def test_the_same_value_is_nothing_to_do(lab: PgLab) -> None:
    with pytest.raises(NothingToDoError):
        await lab.plan("set_parameter", params={"name": "work_mem", "value": "4096kB"})


async def test_a_line_that_moved_is_stale(lab: PgLab, admin: asyncpg.Connection) -> None:
    plan = await lab.plan("set_parameter", params=WORK_MEM)
    await admin.execute("ALTER SYSTEM SET work_mem = '5MB'")
    done = await lab.apply(plan)
    assert done.state is State.REFUSED
    assert lines(lab.server) == ["work_mem = '5MB'"]


async def test_a_later_change_of_somebody_else_is_not_rolled_back(lab: PgLab, admin: asyncpg.Connection) -> None:
    done = await lab.run("set_parameter", **WORK_MEM)
    assert done.state is State.VERIFIED
    await admin.execute("ALTER SYSTEM SET work_mem = '12MB'")
    await admin.execute("SELECT pg_reload_conf()")
    await asyncio.sleep(0.3)
    back = await lab.back(done)
    assert back.state is not State.ROLLED_BACK
    assert await value(lab.server, "SHOW work_mem") == "12MB"


async def test_a_repair_role_without_the_grants_is_told(
    server: PostgresServer, admin: asyncpg.Connection, tmp_path: Path
) -> None:
    await admin.execute("CREATE ROLE tuner LOGIN")
    try:
        async with pg_lab(server, tmp_path, repair="tuner") as lab:
            found = guard(await lab.plan("set_parameter", params=WORK_MEM), "may_alter_system")
            assert found.status is FAIL
            assert "GRANT ALTER SYSTEM ON PARAMETER work_mem TO tuner" in found.why
            assert "GRANT EXECUTE ON FUNCTION pg_reload_conf() TO tuner" in found.why
            await admin.execute("GRANT ALTER SYSTEM ON PARAMETER work_mem TO tuner")
            await admin.execute("GRANT EXECUTE ON FUNCTION pg_reload_conf() TO tuner")
            plan = await lab.plan("set_parameter", params=WORK_MEM)
            assert guard(plan, "config_files").status is UNKNOWN  # neither role may read the files
            assert plan.risk.cls == 2
            done = await lab.apply(plan)
            assert done.state is State.VERIFIED, done.says
            assert (await lab.back(done)).state is State.ROLLED_BACK
            await admin.execute("ALTER SYSTEM SET work_mem = '5MB'")
            await admin.execute("SELECT pg_reload_conf()")
            await asyncio.sleep(0.3)
            assert guard(await lab.plan("set_parameter", params=WORK_MEM), "old_value").status is UNKNOWN
    finally:
        await admin.execute("DROP OWNED BY tuner")
        await admin.execute("REVOKE ALL ON PARAMETER work_mem FROM tuner")
        await admin.execute("DROP ROLE tuner")


@pytest.mark.parametrize(
    ("name", "text", "setting"),
    [("work_mem", "9.5MB", "9728"), ("effective_cache_size", "1GB", "131072"), ("checkpoint_timeout", "0.1h", "360"),
     ("autovacuum_vacuum_cost_delay", "2500us", "2.5"), ("log_lock_waits", "yes", "on"), ("max_wal_size", "1.5GB", "1536")],
)  # fmt: skip
async def test_values_are_read_as_the_server_reads_them(lab: PgLab, name: str, text: str, setting: str) -> None:
    done = await lab.run("set_parameter", name=name, value=text)
    assert done.state is State.VERIFIED, done.says
    assert await value(lab.server, "SELECT setting FROM pg_settings WHERE name = $1", name) == setting
    assert (await lab.back(done)).state is State.ROLLED_BACK


async def test_a_step_in_doubt_is_settled_by_looking(lab: PgLab) -> None:
    run = await drafted(SetParameter(), surroundings(lab.server), WORK_MEM)
    assert (await run.settle(1), await run.settle(2)) == ("not_done", "not_done")
    await run.step(SetParameter().steps(run.now())[0], "1")
    assert (await run.settle(1), await run.settle(2)) == ("done", "not_done")
    await run.step(SetParameter().steps(run.now())[1], "2")
    async with asyncio.timeout(10):
        while await run.settle(2) != "done":
            await asyncio.sleep(0.05)
    await run.undo()
    assert await run.settle(1) == "not_done"
