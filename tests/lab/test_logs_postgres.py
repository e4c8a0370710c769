"""The log of a real PostgreSQL, in its three formats."""

from __future__ import annotations

import asyncio
import contextlib
import shutil
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import asyncpg
import pytest

from debugtui.hosts.local import LocalLink
from debugtui.model.logs import Level, LogLine
from debugtui.model.target import Target
from debugtui.sources.base import SourceError
from debugtui.sources.logs.clock import host_clock
from debugtui.sources.logs.files import RemoteFiles
from debugtui.sources.logs.postgres import PostgresOrigin, SqlFiles
from debugtui.sources.postgres.source import PostgresSource
from tests.lab.log_tools import all_of, followed
from tests.services.postgres_server import MONITOR, NOBODY, SUPERUSER, PostgresServer, running_server

TARGET = Target("kvm-01", "postgres", "coach")
SECRET = "hunter2hunter2"
SETTINGS = {
    "logging_collector": "on",
    "log_directory": "log",
    "log_filename": "pg-%Y%m%d-%H%M%S",
    "log_file_mode": "0644",
    "log_timezone": "Europe/Paris",
    "log_line_prefix": "%m [%p] %q%u@%d ",
    "log_min_duration_statement": "0",
}


@pytest.fixture(scope="module", params=["stderr", "csvlog", "jsonlog"])
def server(request: pytest.FixtureRequest) -> Iterator[PostgresServer]:
    with running_server(settings={**SETTINGS, "log_destination": request.param}) as one:
        yield one


async def _none() -> None:
    return None


@asynccontextmanager
async def origin_of(server: PostgresServer, user: str = MONITOR, path: str = "") -> AsyncIterator[PostgresOrigin]:
    link = LocalLink("kvm-01")
    files = RemoteFiles(link)
    source = PostgresSource(link, "coach", server.dsn(user), _none)
    try:
        yield PostgresOrigin(files, TARGET, source.connect_anew, lambda: host_clock(link), path=path)
    finally:
        await source.close()
        await files.close()


async def broken(server: PostgresServer, mark: str) -> None:
    """Run statements that fail, over several lines, with a secret in one."""
    app = await server.connect(user="app")
    try:
        for sql in (
            f"SELECT '{mark} first',\n  no_such_column\nFROM activities",
            f"ALTER ROLE app PASSWORD '{SECRET}' /* {mark} secret */ nonsense",
            f'SELECT 1 /* {mark} \x1b[2Jescape, "quoted",\n2026-01-01 00:00:00.000 UTC,forged,line */ FROM nowhere_at_all',
        ):
            with pytest.raises(asyncpg.PostgresError):
                await app.execute(sql)
    finally:
        await app.close()


def about(lines: list[LogLine], text: str) -> list[LogLine]:
    return [line for line in lines if text in line.text]


async def test_a_message_is_one_line_with_its_statement_its_time_and_its_severity(server: PostgresServer) -> None:
    began = datetime.now(UTC)
    await broken(server, "alpha")
    await asyncio.sleep(0.3)
    async with origin_of(server) as origin:
        found = await all_of(origin, tail=200)
    statement = about(found, "alpha first")[0]
    assert "no_such_column" in statement.text  # the whole statement, not its first line
    assert "FROM activities" in statement.text
    error = about(found, 'column "no_such_column" does not exist')[0]
    assert statement.level is error.level is Level.ERROR
    assert error.at is not None
    assert began - timedelta(seconds=1) < error.at < datetime.now(UTC) + timedelta(seconds=1)
    text = "\n".join(line.text for line in found)
    assert SECRET not in text
    assert "\x1b" not in text
    forged = about(found, "forged,line")
    assert len(forged) == 1
    assert "nowhere_at_all" in forged[0].text
    assert about(found, "ready to accept connections")[0].level is Level.INFO


async def test_it_is_followed_into_the_next_file(server: PostgresServer) -> None:
    async with origin_of(server) as origin, followed(origin) as follower:
        await broken(server, "before-rotation")
        await follower.until("before-rotation first")
        await asyncio.sleep(1.1)  # the name of the file has a resolution of a second
        admin = await server.connect(user=SUPERUSER)
        assert await admin.fetchval("SELECT pg_rotate_logfile()")
        await admin.close()
        await asyncio.sleep(0.3)
        await broken(server, "after-rotation")
        await follower.until("after-rotation first", 30)
        assert len(about(follower.lines, "before-rotation first")) == len(about(follower.lines, "after-rotation first"))


async def test_it_is_read_through_the_server_where_the_host_may_not(server: PostgresServer) -> None:
    await broken(server, "through-sql")
    source = PostgresSource(LocalLink("kvm-01"), "coach", server.dsn(SUPERUSER), _none)
    session = await source.connect_anew()
    try:
        path = (await session.fetch("SELECT pg_current_logfile()"))[0][0]
        files = SqlFiles(session)
        piece = await files.read(path, start=-100_000)
        assert b"through-sql" in piece.data
        whole = await files.read(path)
        rest = await files.read(path, start=whole.size - 10)  # each question is itself written into the log
        assert rest.data.startswith(whole.data[-10:])
        with pytest.raises(SourceError, match="no file"):
            await files.read("log/absent")
    finally:
        await session.close()
        await source.close()


async def test_a_role_that_may_not_ask_is_told_what_is_missing(server: PostgresServer) -> None:
    async with origin_of(server, NOBODY) as origin:
        with pytest.raises(SourceError, match=r"may not be asked.*pg_monitor"):
            await all_of(origin, tail=5)


async def test_looking_for_the_log_leaves_no_refusal_in_it(server: PostgresServer) -> None:
    for user in (MONITOR, NOBODY):
        async with origin_of(server, user) as origin:
            with contextlib.suppress(SourceError):
                await all_of(origin, tail=5)
    async with origin_of(server, SUPERUSER) as origin:
        lines = await all_of(origin, tail=500)
    assert [one.text for one in lines if "permission denied" in one.text] == []


async def test_a_configured_file_is_read_even_while_the_server_is_down(tmp_path: Path) -> None:
    settings = {**SETTINGS, "logging_collector": "off", "log_destination": "stderr"}
    with running_server(settings=settings) as server:
        await broken(server, "beta")
        async with origin_of(server) as origin:
            with pytest.raises(SourceError, match="logging_collector is off"):
                await all_of(origin, tail=5)
        path = tmp_path / "postgresql.log"
        shutil.copy(server.root / "log", path)
        async with origin_of(server, path=str(path)) as origin:
            running = await all_of(origin, tail=200)
            server.stop()
            down = await all_of(origin, tail=200)
    assert about(running, "beta first")[0].at is not None
    assert about(running, "beta first")[0].level is Level.ERROR
    assert [line.text for line in down] == [line.text for line in running]


async def test_secrets_and_long_statements_are_bounded(server: PostgresServer) -> None:
    app = await server.connect(user="app")
    try:
        await app.execute(f"SELECT length('{'x' * 200_000}') /* gamma */")
    finally:
        await app.close()
    await asyncio.sleep(0.3)
    async with origin_of(server) as origin:
        found = await all_of(origin, tail=400)
    assert max(len(line.text) for line in found) < 17_000
