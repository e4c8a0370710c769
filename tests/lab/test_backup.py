"""The backups of a real database, looked at from both ends, each spoiled in one way."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from debugtui.alerts.backup import findings
from debugtui.hosts.link import CommandResult, Link
from debugtui.model.backup import BackupReading
from debugtui.model.target import Target
from debugtui.sources.backup.source import BackupSource
from debugtui.sources.base import SourceError
from tests.lab.outer_tools import local
from tests.lab.repair.pg_tools import age, dump
from tests.lab.repair.remote_tools import AsLogin, linked
from tests.services.postgres_server import PostgresServer, running_server
from tests.services.ssh_server import SshServer

OLD = 600.0  # beyond the time in which a file may be in the making


@pytest.fixture(scope="module")
def server() -> Iterator[PostgresServer]:
    with running_server() as running:
        yield running


async def look(link: Link, *places: Path | str, rpo: float = 3_600) -> BackupReading:
    return await BackupSource(link, "coach", [str(place) for place in places], rpo).read(full=True)


async def read(*places: Path | str, rpo: float = 3_600) -> BackupReading:
    async with local() as link:
        return await look(link, *places, rpo=rpo)


def rules(reading: BackupReading) -> set[str]:
    return {finding.rule for finding in findings(Target("kvm-01", "backup", "coach"), reading)}


@pytest.mark.parametrize("way", ["local", "ssh"])
async def test_a_sound_backup_is_whole_and_named_over_every_way(
    way: str, server: PostgresServer, tmp_path: Path, make_ssh_server: Callable[..., SshServer]
) -> None:
    age(dump(server, tmp_path / "a.dump"), OLD + 100)
    age(dump(server, tmp_path / "b.dump"), OLD)
    async with local() if way == "local" else linked(make_ssh_server()) as link:
        reading = await look(link, tmp_path / "*.dump")
    newest = reading.newest
    assert newest is not None
    assert (newest.path, newest.form, newest.database, newest.whole, newest.says) == (
        str(tmp_path / "b.dump"),
        "archive",
        "coach",
        True,
        "",
    )
    assert newest.server
    assert reading.count == 2
    assert reading.age_s is not None
    assert abs(reading.age_s - OLD) < 10
    assert reading.size_change is not None
    assert abs(reading.size_change) < 0.05
    assert rules(reading) == set()


@pytest.mark.parametrize("options", [("-Fc",), ("-Fc", "-Z0"), ("-Fc", "-s"), ("-Fp", "-C"), ("-Fc", "-a")])
async def test_every_form_is_whole_and_each_that_is_cut_is_not(
    options: tuple[str, ...], server: PostgresServer, tmp_path: Path
) -> None:
    path = dump(server, tmp_path / "a.dump", *options)
    whole = path.read_bytes()
    age(path, OLD)
    sound = await read(path)
    assert sound.newest is not None
    assert sound.newest.whole, sound.newest
    for share in (0.97, 0.9, 0.5, 0.1):
        path.write_bytes(whole[: int(len(whole) * share)])
        age(path, OLD)
        cut = await read(path)
        assert cut.newest is not None
        assert cut.newest.whole is False, (share, cut.newest)
        assert rules(cut) == {"backup_incomplete"}


async def test_what_is_no_dump_at_all_is_not_whole(tmp_path: Path) -> None:
    for content, says in ((b"", "the file is empty"), (b"\x00" * 9_000, "neither"), (os.urandom(9_000), "neither")):
        path = tmp_path / "a.dump"
        path.write_bytes(content)
        age(path, OLD)
        reading = await read(path)
        assert reading.newest is not None
        assert reading.newest.whole is False
        assert says in reading.newest.says


async def test_a_file_that_is_just_being_written_is_not_judged(server: PostgresServer, tmp_path: Path) -> None:
    path = dump(server, tmp_path / "a.dump")
    path.write_bytes(path.read_bytes()[:-500])
    reading = await read(path)
    assert reading.newest is not None
    assert reading.newest.whole is None
    assert "in the making" in reading.newest.says
    assert rules(reading) == set()


async def test_no_file_and_no_folder_are_missing_backups(tmp_path: Path) -> None:
    reading = await read(tmp_path / "*.dump", tmp_path / "nowhere" / "*.dump")
    assert reading.newest is None
    assert len(reading.missing) == 2
    (finding,) = findings(Target("kvm-01", "backup", "coach"), reading)
    assert (finding.rule, finding.severity.value, str(finding.target)) == ("backup_missing", "critical", "kvm-01/backup/coach")


async def test_an_old_one_and_a_small_one_alert(server: PostgresServer, tmp_path: Path) -> None:
    age(dump(server, tmp_path / "a.dump"), 9_000)
    (tmp_path / "big.dump").write_bytes((tmp_path / "a.dump").read_bytes() * 3)
    age(tmp_path / "big.dump", 9_100)
    reading = await read(tmp_path / "*.dump")
    assert rules(reading) == {"backup_old", "backup_small"}
    message = next(one.message for one in findings(Target("kvm-01", "backup", "coach"), reading) if one.rule == "backup_old")
    assert message == "the newest backup of coach is 2.5 h old, at most 60 min are allowed"
    assert rules(await read(tmp_path / "*.dump", rpo=10_000)) == {"backup_small"}


async def test_the_dumps_own_beginning_counts_and_not_when_it_was_copied(server: PostgresServer, tmp_path: Path) -> None:
    path = dump(server, tmp_path / "a.dump")
    reading = await read(path)
    assert reading.newest is not None
    assert reading.newest.begun_at is not None
    later = time.time() + 50_000
    os.utime(path, (later, later))
    moved = await read(path)
    assert moved.newest is not None
    assert moved.newest.begun_at == reading.newest.begun_at
    assert moved.age_s is not None
    assert 0 <= moved.age_s < 60


async def test_a_file_from_the_future_has_no_age_that_is_believed(tmp_path: Path) -> None:
    path = tmp_path / "a.dump"
    path.write_bytes(b"-- PostgreSQL database dump\n\n-- PostgreSQL database dump complete\n")
    later = time.time() + 50_000
    os.utime(path, (later, later))
    reading = await read(path)
    (finding,) = findings(Target("kvm-01", "backup", "coach"), reading)
    assert "from the future" in finding.message


async def test_an_unchanged_file_is_not_read_again(server: PostgresServer, tmp_path: Path) -> None:
    path = dump(server, tmp_path / "a.dump")
    age(path, OLD)
    async with local() as link:
        asked: list[str] = []

        class Counting:
            host = link.host

            async def run(self, argv: list[str], **options: object) -> CommandResult:
                asked.append(argv[2] if argv[0] == "env" else argv[0])
                return await link.run(argv, **options)  # type: ignore[arg-type]

        source = BackupSource(Counting(), "coach", [str(path)], 3_600)  # type: ignore[arg-type]
        first = await source.read(full=True)
        asked.clear()
        second = await source.read(full=True)
    assert asked == ["date", "find"]
    assert second.newest == first.newest
    assert second.host_at - first.host_at < timedelta(seconds=30)


async def test_what_may_not_be_read_is_not_known(server: PostgresServer, tmp_path: Path) -> None:
    path = age(dump(server, tmp_path / "a.dump"), OLD)
    for folder in (tmp_path, *tmp_path.parents):
        if folder.is_relative_to(tmp_path.parents[1]):  # the folder of all temporary files keeps its mode
            folder.chmod(0o755)
    path.chmod(0o600)
    os.chown(path, 0, 0)
    link = AsLogin(uid=65_534)
    reading = await look(link, path)
    assert reading.newest is not None
    assert reading.newest.whole is None
    assert [gap.feature for gap in reading.gaps] == ["what is in the newest file"]
    tmp_path.chmod(0o700)
    os.chown(tmp_path, 0, 0)
    with pytest.raises(SourceError, match="Permission denied"):
        await look(link, tmp_path / "*.dump")
    await link.close()
    tmp_path.chmod(0o755)


async def test_hostile_names_are_plain_text(server: PostgresServer, tmp_path: Path) -> None:
    name = tmp_path / "a\x1b[31m\n$(touch broken) '`x`.dump"
    age(dump(server, tmp_path / "plain.dump"), OLD).rename(name)
    reading = await read(tmp_path / "*.dump")
    assert reading.newest is not None
    assert reading.newest.whole
    assert "\x1b" not in reading.newest.path
    assert not Path("broken").exists()
