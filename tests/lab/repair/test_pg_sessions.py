"""Cancelling queries and ending sessions, on a real server."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import datetime, timedelta
from pathlib import Path

import asyncpg
import pytest

from debugtui.hosts.local import LocalLink
from debugtui.model.execution import State
from debugtui.model.plan import GuardStatus
from debugtui.model.target import Target
from debugtui.remediation.base import Job, PlanError, StaleError
from debugtui.remediation.catalogue.postgres.sessions import CancelQuery, TerminateSession
from debugtui.remediation.repair_session import open_repair
from debugtui.remediation.risk import letters
from tests.lab.repair.pg_desk import PgLab, guard, pg_lab, session, value
from tests.lab.repair.pg_tools import drafted, surroundings
from tests.services.postgres_server import PostgresServer, lock_chain, wait_until_blocked

pytestmark = pytest.mark.timeout(120)
PASS, FAIL = GuardStatus.PASS, GuardStatus.FAIL


@pytest.fixture
async def lab(postgres_server: PostgresServer, tmp_path: Path) -> AsyncIterator[PgLab]:
    async with pg_lab(postgres_server, tmp_path) as made:
        yield made


async def alive(lab: PgLab, pid: int) -> bool:
    return bool(await value(lab.server, "SELECT count(*) FROM pg_stat_activity WHERE pid = $1", pid))


async def test_a_lock_chain_is_ended(lab: PgLab) -> None:
    async with lock_chain(lab.server, waiters=2) as chain:
        plan = await lab.plan("terminate_session", f"coach/{chain.root}")
        assert plan.refusals == ()
        assert letters(plan.risk.vector) == "I1 R4 D1 B1 L0 V0 U0 C1"  # it has written
        assert plan.risk.cls == 2
        assert plan.short_name == str(chain.root)
        assert "is idle in transaction and blocks others" in plan.problem
        now, foretold = plan.diff[0].before, plan.diff[0].after
        assert str(chain.root) in now
        assert str(chain.root) not in foretold
        assert f"{chain.waiters[0]} coach-worker-1" in now
        assert "free at once" in plan.diff[1].after
        assert str(chain.waiters[0]) in plan.diff[1].after
        assert plan.diff[2].before == "UPDATE activities SET done = true WHERE id = ?"
        assert plan.rollback == ()
        assert plan.irreversible
        done = await lab.apply(plan)
        assert done.state is State.VERIFIED, done.says
        assert not await alive(lab, chain.root)
        assert [step.state for step in done.steps] == ["done"]
        assert {check.name: check.verdict for check in done.checks} == {
            "the session is gone": "pass",
            "whoever waited is free": "pass",
            "no surge of connections": "pass",
        }


async def test_a_session_that_only_read_loses_nothing(lab: PgLab) -> None:
    async with session(lab.server) as reader, session(lab.server, application="waiter") as waiter:
        await reader.execute("BEGIN")
        await reader.execute("LOCK TABLE activities IN ACCESS SHARE MODE")
        waiting = asyncio.create_task(waiter.execute("LOCK TABLE activities IN ACCESS EXCLUSIVE MODE"))
        # outside of a transaction LOCK TABLE is refused
        with pytest.raises(asyncpg.NoActiveSQLTransactionError):
            await waiting
        waiting = asyncio.create_task(waiter.execute("ALTER TABLE activities ADD IF NOT EXISTS note text"))
        await wait_until_blocked(lab.server, waiter.get_server_pid())
        plan = await lab.plan("terminate_session", f"coach/{reader.get_server_pid()}")
        assert letters(plan.risk.vector) == "I1 R4 D0 B1 L0 V0 U0 C1"
        assert plan.risk.cls == 2
        done = await lab.apply(plan)
        assert done.state is State.VERIFIED, done.says
        await waiting


async def test_a_batch_writer_is_severe(lab: PgLab) -> None:
    async with session(lab.server, application="nightly-import") as batch:
        await batch.execute("BEGIN")
        await batch.execute("UPDATE activities SET done = false WHERE id = 3")
        plan = await lab.plan("terminate_session", f"coach/{batch.get_server_pid()}")
        assert letters(plan.risk.vector) == "I2 R4 D2 B2 L0 V0 U0 C0"
        assert plan.risk.cls == 3


async def test_another_session_with_the_same_number_is_not_ended(lab: PgLab) -> None:
    """The start time in the same statement closes the gap between looking and acting, to the microsecond."""
    async with session(lab.server) as holder:
        await holder.execute("BEGIN")
        await holder.execute("SELECT 1 FROM activities")
        target = Target("kvm-01", "postgres", f"coach/{holder.get_server_pid()}")
        run = await drafted(TerminateSession(), surroundings(lab.server), {}, target)
        began = datetime.fromisoformat(str(run.job.data["backend_start"]))
        for name in ("backend_start", "xact_start"):
            moved = {**run.job.data, name: (began + timedelta(microseconds=1)).isoformat()}
            step = TerminateSession().steps(Job(run.job.plan_id, target, {}, moved))[0]
            with pytest.raises(StaleError):
                await run.step(step, "1")
        assert await holder.fetchval("SELECT 1") == 1
        await run.step(TerminateSession().steps(run.job)[0], "1")
        assert not await alive(lab, holder.get_server_pid())


async def test_a_new_transaction_makes_the_plan_stale(lab: PgLab) -> None:
    async with session(lab.server) as holder:
        await holder.execute("BEGIN")
        await holder.execute("SELECT 1 FROM activities")
        plan = await lab.plan("terminate_session", f"coach/{holder.get_server_pid()}")
        await holder.execute("COMMIT")
        await holder.execute("BEGIN")
        await holder.execute("SELECT 1 FROM activities")
        done = await lab.apply(plan)
        assert done.state is State.REFUSED
        assert done.moved
        assert await holder.fetchval("SELECT 1") == 1


async def test_it_does_not_verify_where_the_application_blocks_again(lab: PgLab) -> None:
    async with lock_chain(lab.server, waiters=1) as chain, session(lab.server) as second:
        await second.execute("BEGIN")
        queued = asyncio.create_task(second.execute("UPDATE activities SET done = false WHERE id = 1"))
        await wait_until_blocked(lab.server, second.get_server_pid())
        async with session(lab.server, application="late") as late:
            plan = await lab.plan("terminate_session", f"coach/{chain.root}")

            def again(progress: object) -> None:
                if getattr(progress, "state", None) is State.VERIFYING and not tasks:
                    tasks.append(asyncio.create_task(late.execute("UPDATE activities SET title = 'y' WHERE id = 1")))

            tasks: list[asyncio.Task[str]] = []
            done = await lab.apply(plan, again)
            assert done.state is State.UNKNOWN, done.says
            assert {check.name: check.verdict for check in done.checks}["whoever waited is free"] == "fail"
            await second.execute("ROLLBACK")
            await asyncio.gather(*tasks, queued)


async def test_a_query_is_cancelled_and_its_session_stays(lab: PgLab) -> None:
    async with session(lab.server) as runner, session(lab.server, application="waiter") as waiter:
        await runner.execute("SET statement_timeout = 0")
        running = asyncio.create_task(runner.execute("SELECT pg_sleep(60), count(*) FROM activities WHERE title <> 'secret'"))
        await asyncio.sleep(0.2)
        waiting = asyncio.create_task(waiter.execute("ALTER TABLE activities ADD IF NOT EXISTS note text"))
        await wait_until_blocked(lab.server, waiter.get_server_pid())
        plan = await lab.plan("cancel_query", f"coach/{runner.get_server_pid()}")
        assert plan.refusals == ()
        assert letters(plan.risk.vector) == "I1 R4 D0 B1 L0 V0 U0 C1"
        assert plan.risk.cls == 2
        assert "secret" not in str(plan.to_json())
        done = await lab.apply(plan)
        assert done.state is State.VERIFIED, done.says
        with pytest.raises(asyncpg.QueryCanceledError):
            await running
        await waiting
        assert await runner.fetchval("SELECT 1") == 1


async def test_another_query_of_the_same_session_is_not_cancelled(lab: PgLab) -> None:
    async with session(lab.server) as runner:
        first = asyncio.create_task(runner.execute("SELECT pg_sleep(1)"))
        await asyncio.sleep(0.2)
        plan = await lab.plan("cancel_query", f"coach/{runner.get_server_pid()}")
        await first
        second = asyncio.create_task(runner.execute("SELECT pg_sleep(3)"))
        await asyncio.sleep(0.2)
        done = await lab.apply(plan)
        assert done.state is State.REFUSED
        await second


async def test_cancelling_does_not_apply_to_an_idle_transaction(lab: PgLab) -> None:
    """The server says true and changes nothing."""
    async with session(lab.server) as holder:
        await holder.execute("BEGIN")
        await holder.execute("SELECT 1 FROM activities")
        pid = holder.get_server_pid()
        assert await value(lab.server, "SELECT pg_cancel_backend($1)", pid) is True
        await asyncio.sleep(0.2)
        assert await value(lab.server, "SELECT state FROM pg_stat_activity WHERE pid = $1", pid) == "idle in transaction"
        plan = await lab.plan("cancel_query", f"coach/{pid}")
        assert guard(plan, "query_running").status is FAIL
        assert [way.remediation for way in plan.mitigations] == ["postgres.terminate_session"]


async def test_a_waiter_names_the_root(lab: PgLab) -> None:
    async with lock_chain(lab.server, waiters=2) as chain:
        plan = await lab.plan("terminate_session", f"coach/{chain.waiters[1]}")
        assert str(chain.root) in plan.mitigations[0].why
        assert plan.mitigations[0].remediation == "postgres.terminate_session"


@pytest.mark.parametrize(
    ("user", "application", "refused"),
    [
        ("postgres", "psql", "not_superuser"),
        ("app", "pg_dump", "not_backup"),
        ("app", "pgbackrest [backup]", "not_backup"),
        ("app", "Flyway", "not_migration"),
        ("app", "debugtui:abc/1", "client_session"),
    ],
)
async def test_some_sessions_are_never_ended(lab: PgLab, user: str, application: str, refused: str) -> None:
    async with session(lab.server, user, application) as other:
        await other.execute("BEGIN")
        plan = await lab.plan("terminate_session", f"coach/{other.get_server_pid()}")
        assert [guard.name for guard in plan.refusals] == [refused]
        done = await lab.apply(plan) if not plan.refusals else None
        assert done is None
        assert await alive(lab, other.get_server_pid())


async def test_the_servers_own_processes_are_never_ended(lab: PgLab) -> None:
    for kind in ("checkpointer", "logical replication launcher", "autovacuum launcher", "walwriter"):
        pid = await value(lab.server, "SELECT pid FROM pg_stat_activity WHERE backend_type = $1", kind)
        plan = await lab.plan("terminate_session", f"coach/{pid}")
        assert guard(plan, "client_session").status is FAIL
        assert kind in guard(plan, "client_session").why


async def test_a_concurrent_build_is_not_cancelled(lab: PgLab) -> None:
    async with session(lab.server) as old, session(lab.server, application="deploy") as builder:
        await old.execute("BEGIN")
        await old.execute("UPDATE activities SET done = true WHERE id = 9")
        building = asyncio.create_task(builder.execute("CREATE INDEX CONCURRENTLY later ON activities (title)"))
        await wait_until_blocked(lab.server, builder.get_server_pid())
        plan = await lab.plan("cancel_query", f"coach/{builder.get_server_pid()}")
        assert guard(plan, "not_migration").status is FAIL
        await old.execute("ROLLBACK")
        await building
    await value(lab.server, "DROP INDEX later")


@pytest.mark.parametrize("resource", ["coach/999999999", "coach/0", "coach/x", "coach", "nothing/1", "coach/99999999999"])
async def test_what_is_no_session_cannot_be_planned(lab: PgLab, resource: str) -> None:
    with pytest.raises(PlanError):
        await lab.plan("terminate_session", resource)


async def test_a_repair_role_that_may_not_is_told_what_it_lacks(postgres_server: PostgresServer, tmp_path: Path) -> None:
    await value(postgres_server, "CREATE ROLE weak LOGIN")
    async with pg_lab(postgres_server, tmp_path, repair="weak") as lab, session(postgres_server) as holder:
        await holder.execute("BEGIN")
        target = f"coach/{holder.get_server_pid()}"
        found = guard(await lab.plan("terminate_session", target), "may_signal")
        assert found.status is FAIL
        assert "GRANT pg_signal_backend, pg_read_all_stats TO weak" in found.why
        await value(postgres_server, "GRANT pg_signal_backend TO weak")
        assert guard(await lab.plan("terminate_session", target), "may_signal").status is FAIL
        await value(postgres_server, "GRANT pg_read_all_stats TO weak")
        plan = await lab.plan("terminate_session", target)
        assert plan.refusals == ()
        done = await lab.apply(plan)
        assert done.state is State.VERIFIED, done.says
    await value(postgres_server, "DROP ROLE weak")


async def test_the_servers_answers_are_as_assumed(lab: PgLab) -> None:
    admin = await lab.server.connect()
    await admin.execute("CREATE ROLE signaller LOGIN")
    await admin.execute("GRANT pg_signal_backend TO signaller")
    try:
        assert await admin.fetchval("SELECT pg_terminate_backend(2000000000, 2000)") is False
        async with session(lab.server) as victim:
            assert await admin.fetchval("SELECT pg_terminate_backend($1, 2000)", victim.get_server_pid()) is True
            assert not await alive(lab, victim.get_server_pid())
        async with session(lab.server, "signaller") as weak:
            with pytest.raises(asyncpg.InsufficientPrivilegeError):
                await weak.fetchval("SELECT pg_terminate_backend($1)", admin.get_server_pid())
            pid = await admin.fetchval("SELECT pid FROM pg_stat_activity WHERE backend_type = 'checkpointer'")
            assert await weak.fetchval("SELECT pg_terminate_backend($1)", pid) is False
    finally:
        await admin.execute("DROP ROLE signaller")
        await admin.close()


async def test_a_step_in_doubt_is_settled_by_looking(lab: PgLab) -> None:
    async with session(lab.server) as holder:
        await holder.execute("BEGIN")
        target = Target("kvm-01", "postgres", f"coach/{holder.get_server_pid()}")
        ended = await drafted(TerminateSession(), surroundings(lab.server), {}, target)
        assert await ended.settle() == "not_done"
        await holder.execute("ROLLBACK")
        running = asyncio.create_task(holder.execute("SELECT pg_sleep(30)"))
        await asyncio.sleep(0.2)
        cancelled = await drafted(CancelQuery(), surroundings(lab.server), {}, target)
        assert await cancelled.settle() == "not_done"
        await cancelled.steps()
        with pytest.raises(asyncpg.QueryCanceledError):
            await running
        assert await cancelled.settle() == "done"
        assert await ended.settle() == "not_done"
        await value(lab.server, "SELECT pg_terminate_backend($1, 2000)", holder.get_server_pid())
        assert await ended.settle() == "done"


async def test_the_server_ends_a_statement_whose_client_is_gone(lab: PgLab) -> None:
    """Without the interval that the repair session sets, it would work on to its end."""
    link = LocalLink("kvm-01")
    connection = await open_repair(link, lab.server.dsn("postgres"), None, "debugtui:gone/1", {})
    task = asyncio.create_task(connection.execute("SELECT pg_sleep(60)"))
    await asyncio.sleep(0.3)
    connection.terminate()
    with pytest.raises((asyncpg.PostgresError, asyncpg.InterfaceError, OSError)):
        await task
    async with asyncio.timeout(6):
        while await value(lab.server, "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'debugtui:gone/1'"):
            await asyncio.sleep(0.1)
    await link.close()
