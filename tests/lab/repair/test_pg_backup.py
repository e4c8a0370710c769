"""A backup made on the host by the real pg_dump, and believed only after it was read."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from debugtui.hosts.link import CommandResult
from debugtui.remediation.base import PlanError, StaleError, StepError
from debugtui.remediation.catalogue.postgres.backup import Backup
from debugtui.remediation.guards import backup as guard_module
from debugtui.remediation.hands import Hands
from tests.lab.repair.pg_tools import AS_NOBODY, PrefixLink, Run, drafted, dump, guard_of, surroundings
from tests.services.postgres_server import PostgresServer, running_server

pytestmark = pytest.mark.lab


@pytest.fixture(scope="module")
def server() -> Iterator[PostgresServer]:
    with running_server() as running:
        yield running


@pytest.fixture(autouse=True)
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Commands run here without being detached: that is tested with `remote.detached`."""

    async def command(self: Hands, argv: Sequence[str], *, timeout_s: float, stdin: bytes = b"") -> CommandResult:
        return await self.link.run(argv, timeout=timeout_s, stdin=stdin)

    monkeypatch.setattr(Hands, "command", command)
    guard_module._read.clear()


async def planned(server: PostgresServer, folder: Path, link: PrefixLink | None = None) -> Run:
    return await drafted(Backup(), surroundings(server, backups=[f"{folder}/nightly-*.dump"], link=link), {})


async def test_a_backup_is_made_checked_and_taken_back(server: PostgresServer, tmp_path: Path) -> None:
    run = await planned(server, tmp_path)
    assert not [guard for guard in run.draft.guards if guard.refuses], run.draft.guards
    command = Backup().steps(run.job)[0].command
    assert "pg_dump -Fc" in command
    assert " -w " in command
    assert await run.settle() == "not_done"
    await run.steps()
    (made,) = tmp_path.iterdir()
    assert made.name.startswith("nightly-coach-2")
    assert run.job.mark in made.name
    assert made.stat().st_mode & 0o777 == 0o600
    assert await run.settle(1) == await run.settle(2) == "done"
    assert set((await run.look()).values()) == {True}
    await run.undo()
    assert list(tmp_path.iterdir()) == []
    assert set((await run.look(Backup().undo_checks(run.now()))).values()) == {True}
    await run.undo()


async def test_older_backups_are_not_touched(server: PostgresServer, tmp_path: Path) -> None:
    old = dump(server, tmp_path / "nightly-1.dump")
    before = old.read_bytes()
    run = await planned(server, tmp_path)
    await run.steps()
    await run.undo()
    assert old.read_bytes() == before
    assert list(tmp_path.iterdir()) == [old]


async def test_a_dump_that_fails_says_why_and_leaves_nothing(server: PostgresServer, tmp_path: Path) -> None:
    run = await planned(server, tmp_path)
    holder = await server.connect()
    await holder.execute("BEGIN")
    await holder.execute("LOCK TABLE activities")
    os.environ["PGOPTIONS"] = "-c lock_timeout=300ms"
    try:
        with pytest.raises(StepError, match="pg_dump failed"):
            await run.steps()
    finally:
        del os.environ["PGOPTIONS"]
        await holder.close()
    await run.undo()
    assert list(tmp_path.iterdir()) == []


async def test_a_file_of_that_name_is_not_overwritten(server: PostgresServer, tmp_path: Path) -> None:
    run = await planned(server, tmp_path)
    await run.steps()
    with pytest.raises(StaleError):
        await run.steps()


async def test_a_dump_that_was_cut_off_is_not_done(server: PostgresServer, tmp_path: Path) -> None:
    run = await planned(server, tmp_path)
    await run.step(Backup().steps(run.job)[0], "1")
    (part,) = tmp_path.iterdir()
    assert part.name.startswith(".")
    assert await run.settle(1) == "done"
    assert await run.settle(2) == "not_done"
    os.truncate(part, part.stat().st_size // 2)
    assert await run.settle(1) == "unknown"


async def test_a_spoiled_backup_does_not_pass(server: PostgresServer, tmp_path: Path) -> None:
    run = await planned(server, tmp_path)
    await run.steps()
    (made,) = tmp_path.iterdir()
    os.truncate(made, made.stat().st_size - 10)
    assert (await run.look())["recent_backup passes with it"] is False


async def test_what_refuses(server: PostgresServer, tmp_path: Path) -> None:
    run = await planned(server, tmp_path / "missing")
    assert guard_of(run.draft, "folder_writable") == "fail"
    locked = tmp_path / "locked"
    locked.mkdir(mode=0o755)
    run = await planned(server, locked, PrefixLink(AS_NOBODY))
    assert guard_of(run.draft, "folder_writable") == "fail"
    run = await planned(server, tmp_path, PrefixLink(without="pg_dump"))
    assert guard_of(run.draft, "pg_dump_fits") == "fail"
    with pytest.raises(PlanError, match="no backups of coach are configured"):
        await drafted(Backup(), surroundings(server), {})
    with pytest.raises(PlanError, match="no new name"):
        await drafted(Backup(), surroundings(server, backups=[f"{tmp_path}/*/x.dump"]), {})


async def test_another_dump_is_running(server: PostgresServer, tmp_path: Path) -> None:
    other = await server.connect(server_settings={"application_name": "pg_dump"})
    run = await planned(server, tmp_path)
    assert guard_of(run.draft, "no_other_backup") == "fail"
    await other.close()


async def test_a_hostile_database_name_is_only_a_name(tmp_path: Path) -> None:
    with running_server() as fresh:
        admin = await fresh.connect(database="postgres")
        name = "host=evil' \\x"
        await admin.execute(f'CREATE DATABASE "{name}"')
        await admin.close()
        around = surroundings(fresh, backups=[f"{tmp_path}/*.dump"])
        configured = around.host.postgres[0].model_copy(
            update={"repair_dsn": f"host={fresh.socket_dir} port={fresh.port} user=postgres dbname='host=evil\\' \\\\x'"}
        )
        host = around.host.model_copy(update={"postgres": (configured,)})
        from dataclasses import replace

        run = await drafted(Backup(), replace(around, host=host), {})
        await run.steps()
        assert "host_evil___x" in next(tmp_path.iterdir()).name
        await asyncio.sleep(0)
