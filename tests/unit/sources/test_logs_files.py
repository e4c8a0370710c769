"""Growing files: their end, everything from a moment on, what is added; through rotations, and whatever they hold."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from debugtui.config.redaction import MASK
from debugtui.hosts.local import LocalLink
from debugtui.model.logs import Level, LogLine
from debugtui.model.nginx import NginxLog
from debugtui.model.target import Target
from debugtui.sources.base import SourceError
from debugtui.sources.logs import following
from debugtui.sources.logs.clock import HostClock
from debugtui.sources.logs.files import RemoteFiles
from debugtui.sources.logs.nginx import NginxOrigin

TARGET = Target("kvm-01", "nginx", "main")
START = datetime(2026, 3, 14, 9, 0, 0, tzinfo=UTC)


@pytest.fixture
async def files() -> AsyncIterator[RemoteFiles]:
    made = RemoteFiles(LocalLink("kvm-01"))
    yield made
    await made.close()


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Look more often than in production."""
    monkeypatch.setattr(following, "PACE_S", 0.02)


def error_line(second: float, text: str, level: str = "error") -> str:
    return f"{START + timedelta(seconds=second):%Y/%m/%d %H:%M:%S} [{level}] 17#17: {text}\n"


def origin(files: RemoteFiles, path: Path, *, access: bool = False) -> NginxOrigin:
    async def clock() -> HostClock:
        return HostClock()

    return NginxOrigin(files, TARGET, NginxLog(str(path), access), clock, "main error")


async def all_of(one: NginxOrigin, **options: object) -> list[LogLine]:
    wanted = {"since": None, "until": None, "tail": None, "follow": False, **options}
    return [line async for batch in one.lines(**wanted) for line in batch]  # type: ignore[arg-type]


class Follower:
    """Follows in a task, and waits for what a test expects."""

    def __init__(self, one: NginxOrigin, tail: int = 10) -> None:
        self.lines: list[LogLine] = []
        self.caught_up = False
        self._task = asyncio.create_task(self._run(one, tail))

    async def _run(self, one: NginxOrigin, tail: int) -> None:
        async for batch in one.lines(since=None, until=None, tail=tail, follow=True):
            self.lines += batch
            self.caught_up |= not batch

    async def until(self, text: str) -> list[str]:
        async with asyncio.timeout(10):
            while not any(text in line.text for line in self.lines):
                if self._task.done():
                    self._task.result()
                await asyncio.sleep(0.01)
        return [line.text for line in self.lines]

    async def ready(self) -> None:
        async with asyncio.timeout(10):
            while not self.caught_up:
                await asyncio.sleep(0.01)

    async def end(self) -> None:
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)


async def test_the_last_lines_are_read_backwards_however_long_they_are(files: RemoteFiles, tmp_path: Path) -> None:
    path = tmp_path / "error.log"
    path.write_text("".join(error_line(number, f"line {number} {'x' * 900}") for number in range(3_000)))
    found = await all_of(origin(files, path), tail=2_500)
    assert [line.text.split()[5] for line in found] == [str(number) for number in range(500, 3_000)]
    assert found[0].at == START + timedelta(seconds=500)
    assert {line.level for line in found} == {Level.ERROR}


async def test_a_short_file_is_completed_from_the_one_before_the_rotation(files: RemoteFiles, tmp_path: Path) -> None:
    path = tmp_path / "error.log"
    Path(f"{path}.1").write_text("".join(error_line(number, f"old {number}") for number in range(50)))
    path.write_text(error_line(100, "new"))
    found = await all_of(origin(files, path), tail=5)
    assert [line.text.split(": ")[1] for line in found] == ["old 46", "old 47", "old 48", "old 49", "new"]


async def test_a_moment_is_found_in_a_large_file_without_reading_it(files: RemoteFiles, tmp_path: Path) -> None:
    path = tmp_path / "error.log"
    path.write_text("".join(error_line(number / 10, f"line {number} {'x' * 100}") for number in range(60_000)))
    asked = 0
    read = files.read

    async def counted(*args: object, **options: object) -> object:
        nonlocal asked
        piece = await read(*args, **options)  # type: ignore[arg-type]
        asked += len(piece.data)
        return piece

    files.read = counted  # type: ignore[method-assign,assignment]
    since, until = START + timedelta(seconds=4_000), START + timedelta(seconds=4_010)
    found = await all_of(origin(files, path), since=since, until=until)
    assert [line.text.split()[5] for line in found] == [str(number) for number in range(40_000, 40_100)]
    assert asked < path.stat().st_size / 2


async def test_a_moment_before_the_rotation_is_found_there(files: RemoteFiles, tmp_path: Path) -> None:
    path = tmp_path / "error.log"
    Path(f"{path}.1").write_text("".join(error_line(number, f"old {number}") for number in range(50)))
    path.write_text(error_line(100, "new"))
    found = await all_of(origin(files, path), since=START + timedelta(seconds=48))
    assert [line.text.split(": ")[1] for line in found] == ["old 48", "old 49", "new"]


@pytest.mark.parametrize("late", [False, True], ids=["at once", "after a while"])
async def test_a_rotation_loses_no_line_even_those_written_to_the_renamed_file(
    files: RemoteFiles, tmp_path: Path, late: bool
) -> None:
    path = tmp_path / "error.log"
    path.write_text(error_line(0, "first"))
    follower = Follower(origin(files, path))
    await follower.ready()
    writer = path.open("a")
    writer.write(error_line(1, "before"))
    writer.flush()
    if late:
        await follower.until("before")
    path.rename(f"{path}.1")
    path.write_text("")  # logrotate makes the new file before the program is told
    writer.write(error_line(2, "after the rename"))
    writer.flush()
    await follower.until("after the rename")
    writer.close()
    with path.open("a") as again:
        again.write(error_line(3, "into the new one"))
    texts = await follower.until("into the new one")
    await follower.end()
    assert [text.split(": ")[1] for text in texts] == ["first", "before", "after the rename", "into the new one"]


async def test_a_log_that_is_rotated_twice_between_two_looks_goes_on_with_the_file_in_between(
    files: RemoteFiles, tmp_path: Path
) -> None:
    path = tmp_path / "error.log"
    path.write_text(error_line(0, "first"))
    follower = Follower(origin(files, path))
    await follower.ready()
    between = tmp_path / "between"
    between.write_text(error_line(1, "in between"))
    after = tmp_path / "after"
    after.write_text(error_line(2, "after"))
    between.replace(f"{path}.1")  # what was read before has no name any more
    after.replace(path)
    texts = await follower.until("after")
    await follower.end()
    assert [text.split(": ")[1] for text in texts if "[error]" in text] == ["first", "in between", "after"]
    assert any("rotated twice" in text for text in texts)


async def test_a_log_that_is_emptied_is_begun_again_and_says_so(files: RemoteFiles, tmp_path: Path) -> None:
    path = tmp_path / "error.log"
    path.write_text(error_line(0, "first") * 5)
    follower = Follower(origin(files, path))
    await follower.ready()
    path.write_text("")
    with path.open("a") as again:
        again.write(error_line(1, "second"))
    texts = await follower.until("second")
    await follower.end()
    assert texts[-2:] == ["… the log was begun again", error_line(1, "second").strip()]


async def test_a_log_that_is_gone_for_a_while_goes_on_when_it_is_back(files: RemoteFiles, tmp_path: Path) -> None:
    path = tmp_path / "error.log"
    path.write_text(error_line(0, "first"))
    follower = Follower(origin(files, path))
    await follower.ready()
    path.unlink()
    await asyncio.sleep(0.1)
    path.write_text(error_line(1, "second"))
    await follower.until("second")
    await follower.end()


async def test_a_line_without_an_end_is_shown_after_a_while_and_its_rest_later(files: RemoteFiles, tmp_path: Path) -> None:
    path = tmp_path / "error.log"
    path.write_text("")
    follower = Follower(origin(files, path))
    await follower.ready()
    with path.open("a") as file:
        file.write(error_line(1, "waits").strip())
        file.flush()
        await follower.until("waits")
        file.write(" for its end\n")
    await follower.until("for its end")
    await follower.end()


async def test_hostile_lines_are_made_safe_and_bounded(files: RemoteFiles, tmp_path: Path) -> None:
    path = tmp_path / "error.log"
    rows = [
        error_line(0, "\x1b]52;c;aGk=\x07\x1b[2Jescape").encode(),
        b"2026/03/14 09:00:01 [warn] 1#1: \xff\xfe not UTF-8\n",
        b"x" * 10_000_000 + b"\n",
        b"9999/99/99 99:99:99 [error] 1#1: no date\n",
        b"9998/01/01 00:00:00 [error] 1#1: far ahead\n",
        b"0001/01/01 00:00:00 [error] 1#1: long ago\n",
        error_line(2, "password=hunter2hunter2 Authorization: Bearer abcdef123456").encode(),
        b"-----BEGIN RSA PRIVATE KEY-----\nMIIEpAIBAAKCAQEA7c\nq83vEjRWeJCrze8SNF\n-----END RSA PRIVATE KEY-----\n",
        b"the end, without a newline",
    ]
    path.write_bytes(b"".join(rows))
    found = await all_of(origin(files, path))
    text = "\n".join(line.text for line in found)
    assert not set(text) & {"\x1b", "\x07"}
    assert "hunter2" not in text
    assert "abcdef123456" not in text
    assert "MIIEpAIBAAKCAQEA7c" not in text
    assert "q83vEjRWeJCrze8SNF" not in text
    assert text.count(MASK) >= 4
    long = next(line for line in found if line.text.startswith("xxx"))
    assert len(long.text) < 4_200
    assert "characters" in long.text
    absurd = [line for line in found if "no date" in line.text or "far ahead" in line.text or "long ago" in line.text]
    assert [line.at for line in absurd] == [START + timedelta(seconds=1)] * 3
    assert found[-1].text == "the end, without a newline"
    assert found[-1].at == START + timedelta(seconds=2)


ACCESS = '10.0.0.1 - - [14/Mar/2026:10:00:0{} +0100] "GET /api?token=s3cr3ts3cr3t HTTP/1.1" {} 17 "-" "curl"\n'


async def test_an_access_log_has_its_own_zone_and_is_judged_by_its_status(files: RemoteFiles, tmp_path: Path) -> None:
    path = tmp_path / "access.log"
    rows = [ACCESS.format(number, status) for number, status in enumerate((200, 404, 502))]
    rows.append('{"time":"2026-03-14T09:00:05.250+00:00","status":"503","uri":"/"}\n')
    rows.append("1773478807.125 a format without a status\n")
    path.write_text("".join(rows))
    found = await all_of(origin(files, path, access=True))
    assert [line.level for line in found] == [Level.INFO, Level.WARNING, Level.ERROR, Level.ERROR, Level.UNKNOWN]
    assert [line.at for line in found[:3]] == [START + timedelta(seconds=number) for number in range(3)]
    assert found[3].at == START + timedelta(seconds=5.25)
    assert found[4].at == START + timedelta(seconds=7.125)
    assert not any("s3cr3t" in line.text for line in found)


async def test_what_cannot_be_read_says_how_to_mend_it(files: RemoteFiles, tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="there is no file"):
        await all_of(origin(files, tmp_path / "absent.log"))
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(SourceError, match="not a plain file"):
        await all_of(origin(files, tmp_path / "pipe"))


async def test_many_files_are_read_with_one_command(tmp_path: Path) -> None:
    link = LocalLink("kvm-01")
    files = RemoteFiles(link)
    commands = 0
    run = link.run

    async def counted(*args: object, **options: object) -> object:
        nonlocal commands
        commands += 1
        return await run(*args, **options)  # type: ignore[arg-type]

    link.run = counted  # type: ignore[method-assign,assignment]
    for number in range(8):
        (tmp_path / f"{number} it's.log").write_bytes(bytes(range(256)) * number)
    pieces = await asyncio.gather(*(files.read(str(tmp_path / f"{number} it's.log")) for number in range(8)))
    assert [piece.data for piece in pieces] == [bytes(range(256)) * number for number in range(8)]
    assert commands == 1
    await files.close()
