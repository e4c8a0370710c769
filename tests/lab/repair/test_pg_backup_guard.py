"""The guard recent_backup on real dumps, each spoiled in one way."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from debugtui.model.plan import Guard, GuardStatus
from debugtui.remediation.guards import backup as guard_module
from debugtui.remediation.guards.backup import backup_guards, recent_backup
from debugtui.sources.backup.dump_header import read_header
from tests.lab.repair.pg_tools import AS_NOBODY, PrefixLink, age, dump, eyes_of, surroundings
from tests.services.postgres_server import PostgresServer, running_server

pytestmark = pytest.mark.lab


@pytest.fixture(scope="module")
def server() -> Iterator[PostgresServer]:
    with running_server() as running:

        async def fill() -> None:
            admin = await running.connect()
            await admin.execute("CREATE TABLE laps AS SELECT n, md5(n::text) AS t FROM generate_series(1, 20000) AS n")
            await admin.execute("CREATE DATABASE other")
            await admin.execute('CREATE SCHEMA "odd one"')
            await admin.execute('CREATE TABLE "odd one"."a; b" (x int)')
            await admin.close()
            other = await running.connect(database="other")
            await other.execute("CREATE TABLE activities (x int)")
            await other.close()

        asyncio.run(fill())
        yield running


@pytest.fixture
async def folder(tmp_path: Path) -> Path:
    guard_module._read.clear()
    tmp_path.chmod(0o755)
    return tmp_path


async def judge(
    server: PostgresServer, folder: Path, pattern: str = "*.dump", link: PrefixLink | None = None
) -> tuple[Guard, ...]:
    async with eyes_of(surroundings(server, backups=[f"{folder}/{pattern}"], link=link)) as eyes:
        return await backup_guards(eyes, "coach")


def the(guards: tuple[Guard, ...], name: str = "recent_backup") -> Guard:
    return next(guard for guard in guards if guard.name == name)


async def test_a_good_dump_passes_and_what_is_not_known_lowers_the_trust(server: PostgresServer, folder: Path) -> None:
    age(dump(server, folder / "a.dump"), 3000)
    dump(server, folder / "b.dump")
    guards = await judge(server, folder)
    good, trust = the(guards), the(guards, "backup_trust")
    assert good.status is GuardStatus.PASS
    assert not good.refuses
    for name in ("right database: pass, coach, server", "complete: pass", "recent: pass", "readable: pass", "size: pass"):
        assert name in good.evidence
    assert " s old, at most 60 min allowed" in good.evidence
    assert trust.status is GuardStatus.UNKNOWN
    assert not trust.refuses
    assert "restore drill" in trust.why
    assert "size" not in trust.why


async def test_the_only_dump_has_no_size_to_compare_with(server: PostgresServer, folder: Path) -> None:
    dump(server, folder / "b.dump")
    guards = await judge(server, folder)
    assert the(guards).status is GuardStatus.PASS
    assert "no earlier backup" in the(guards, "backup_trust").why


async def test_it_is_one_guard_by_itself(server: PostgresServer, folder: Path) -> None:
    dump(server, folder / "b.dump")
    async with eyes_of(surroundings(server, backups=[f"{folder}/*.dump"])) as eyes:
        assert (await recent_backup(eyes, "coach")).status is GuardStatus.PASS


async def refused(server: PostgresServer, folder: Path, says: str, status: GuardStatus = GuardStatus.FAIL) -> None:
    (guard,) = await judge(server, folder)
    assert guard.status is status, guard
    assert guard.refuses
    assert says in f"{guard.why} {guard.evidence}", guard
    assert "postgres.backup" in guard.why


async def test_of_another_database(server: PostgresServer, folder: Path) -> None:
    dump(server, folder / "a.dump", database="other")
    await refused(server, folder, "it is of other, not of coach")


async def test_truncated(server: PostgresServer, folder: Path) -> None:
    path = dump(server, folder / "a.dump")
    for size in (path.stat().st_size - 100, path.stat().st_size // 2):
        os.truncate(path, size)
        await refused(server, folder, "could not read from input file: end of file")
    os.truncate(path, 300)
    await refused(server, folder, "its table of contents ends early")
    os.truncate(path, 40)
    await refused(server, folder, "the file ends within its header")


async def test_empty(server: PostgresServer, folder: Path) -> None:
    (folder / "a.dump").touch()
    await refused(server, folder, "the file is empty")


async def test_stale_by_the_files_time(server: PostgresServer, folder: Path) -> None:
    age(dump(server, folder / "a.dump"), 7300)
    await refused(server, folder, "2.0 h old, at most 60 min allowed")


async def test_stale_inside_though_touched_now(server: PostgresServer, folder: Path) -> None:
    """A copy has a new time; what is in it is as old as its header says."""
    path = dump(server, folder / "a.dump")
    data = bytearray(path.read_bytes())
    assert read_header(bytes(data)).begun.startswith(str(1900 + data[42]))  # where this server's version has the year
    data[42] -= 1
    path.write_bytes(bytes(data))
    await refused(server, folder, "365 days old")


async def test_from_the_future(server: PostgresServer, folder: Path) -> None:
    age(dump(server, folder / "a.dump"), -4000)
    await refused(server, folder, "from the future", GuardStatus.UNKNOWN)


async def test_a_corrupt_byte_in_the_middle(server: PostgresServer, folder: Path) -> None:
    path = dump(server, folder / "a.dump")
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(bytes(data))
    await refused(server, folder, "could not uncompress data")


async def test_shrunken(server: PostgresServer, folder: Path) -> None:
    age(dump(server, folder / "a.dump"), 3000)
    with (folder / "a.dump").open("ab") as file:
        file.write(b"\0" * 2_000_000)
    age(folder / "a.dump", 3000)
    dump(server, folder / "b.dump")
    await refused(server, folder, "against the one before")


async def test_without_permission(server: PostgresServer, folder: Path) -> None:
    dump(server, folder / "a.dump").chmod(0o600)
    os.chmod(folder.parent, 0o755)
    os.chmod(folder.parent.parent, 0o755)
    (guard,) = await judge(server, folder, link=PrefixLink(AS_NOBODY))
    assert guard.status is GuardStatus.UNKNOWN
    assert "Permission denied" in guard.evidence


async def test_a_folder_without_permission(server: PostgresServer, folder: Path) -> None:
    inner = folder / "inner"
    inner.mkdir(mode=0o700)
    dump(server, inner / "a.dump")
    os.chmod(folder.parent, 0o755)
    os.chmod(folder.parent.parent, 0o755)
    (guard,) = await judge(server, inner, link=PrefixLink(AS_NOBODY))
    assert guard.status is GuardStatus.UNKNOWN
    assert "Permission denied" in guard.evidence


async def test_only_the_schema(server: PostgresServer, folder: Path) -> None:
    dump(server, folder / "a.dump", "-Fc", "-s")
    await refused(server, folder, "it holds no data")


async def test_only_one_table(server: PostgresServer, folder: Path) -> None:
    dump(server, folder / "a.dump", "-Fc", "-t", "laps")
    await refused(server, folder, "2 of 3 lack")


async def test_no_file_no_folder_nothing_configured(server: PostgresServer, folder: Path) -> None:
    await refused(server, folder, "no file matches")
    await refused(server, folder / "missing", "there is no folder")
    async with eyes_of(surroundings(server)) as eyes:
        guard = await recent_backup(eyes, "coach")
    assert guard.status is GuardStatus.FAIL
    assert "[[hosts.postgres]]" in guard.evidence


async def test_neither_archive_nor_sql(server: PostgresServer, folder: Path) -> None:
    (folder / "a.dump").write_bytes(os.urandom(9000))
    await refused(server, folder, "neither an archive")


async def test_without_pg_restore_nothing_is_known_of_the_content(server: PostgresServer, folder: Path) -> None:
    dump(server, folder / "a.dump")
    (guard,) = await judge(server, folder, link=PrefixLink(without="pg_restore"))
    assert guard.status is GuardStatus.UNKNOWN
    assert "right database: pass" in guard.evidence
    assert "pg_restore is not installed" in guard.evidence


async def test_an_unchanged_archive_is_read_through_once(server: PostgresServer, folder: Path) -> None:
    path = dump(server, folder / "a.dump")
    link = PrefixLink()
    for _ in range(3):
        (guard, _trust) = await judge(server, folder, link=link)
        assert guard.status is GuardStatus.PASS
    assert sum("/dev/null" in argv for argv in link.ran) == 1
    age(path, 10)
    await judge(server, folder, link=link)
    assert sum("/dev/null" in argv for argv in link.ran) == 2


async def test_reading_that_takes_too_long_is_not_known(
    server: PostgresServer, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    dump(server, folder / "a.dump")
    monkeypatch.setattr(guard_module, "READ_LIMIT", 0.0)
    await refused(server, folder, "takes longer than", GuardStatus.UNKNOWN)


async def test_a_name_that_looks_like_an_option_or_a_pattern(server: PostgresServer, folder: Path) -> None:
    (folder / "x[1] *").mkdir()
    dump(server, folder / "x[1] *" / "-rf $(reboot) *.dump")
    (guard, _trust) = await judge(server, folder, "x*/*.dump")
    assert guard.status is GuardStatus.PASS
    assert "$(reboot)" in guard.evidence


async def test_hidden_and_half_written_files_do_not_count(server: PostgresServer, folder: Path) -> None:
    dump(server, folder / "a.dump")
    (folder / ".b.dump").touch()
    (folder / "c.dump.part").touch()
    assert the(await judge(server, folder)).status is GuardStatus.PASS


async def test_plain_sql_that_names_its_database_passes(server: PostgresServer, folder: Path) -> None:
    dump(server, folder / "a.sql", "-C")
    good = the(await judge(server, folder, "*.sql"))
    assert good.status is GuardStatus.PASS, good
    assert "no checksums" in good.evidence


async def test_plain_sql_that_does_not_or_is_cut(server: PostgresServer, folder: Path) -> None:
    dump(server, folder / "a.sql", "-Fp")
    (guard,) = await judge(server, folder, "*.sql")
    assert guard.status is GuardStatus.UNKNOWN
    path = dump(server, folder / "b.sql", "-C")
    os.truncate(path, path.stat().st_size - 200)
    (guard,) = await judge(server, folder, "b.sql")
    assert guard.status is GuardStatus.FAIL


async def test_the_server_is_down(server: PostgresServer, folder: Path) -> None:
    dump(server, folder / "a.dump")
    server.stop()
    try:
        (guard,) = await judge(server, folder)
    finally:
        server.start()
    assert guard.status is GuardStatus.UNKNOWN
