"""The serial console's log: the end, what comes, and what a log does to its readers."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from debugtui.hosts.link import CommandResult
from debugtui.hosts.local import LocalLink
from debugtui.sources.base import SourceError
from debugtui.sources.libvirt import console
from tests.unit.fakes import FakeLink


@pytest.fixture
async def link() -> AsyncIterator[LocalLink]:
    link = LocalLink("here")
    yield link
    await link.close()


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(console, "PAUSE", 0.02)


async def texts(link: LocalLink, path: Path, limit: int = console.TAIL) -> list[str]:
    return [one.text for one in await console.last_lines(link, str(path), limit)]


async def following(stream: AsyncIterator[list[console.LogLine]], last: str) -> list[str]:
    """Collect lines until `last` came."""
    found: list[str] = []
    async with asyncio.timeout(10):
        while last not in found:
            found += [one.text for one in await anext(stream)]
    return found


async def test_the_end_begins_with_a_whole_line(link: LocalLink, tmp_path: Path) -> None:
    path = tmp_path / "- odd name'; $(touch x)"
    path.write_bytes(b"first\r\nsecond\r\n\r\nthird\r\n")
    assert await texts(link, path) == ["first", "second", "", "third"]
    assert await texts(link, path, 12) == ["", "third"]


async def test_hostile_lines_are_cleaned_and_secrets_removed(link: LocalLink, tmp_path: Path) -> None:
    path = tmp_path / "log"
    path.write_bytes(b"\x1b]52;c;QUJD\x07[/nope] \xff\npassword=hunter2-of-the-console\n" + b"x" * 90_000)
    lines = await texts(link, path)
    assert lines[0] == "[/nope] \ufffd"
    assert "hunter2" not in lines[1]
    assert "characters)" in lines[2]
    assert len(lines[2]) < 5_000


async def test_an_empty_log_has_no_lines(link: LocalLink, tmp_path: Path) -> None:
    (tmp_path / "log").touch()
    assert await texts(link, tmp_path / "log") == []


async def test_a_pipe_a_folder_and_nothing_are_refused_at_once(link: LocalLink, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    async with asyncio.timeout(2):
        for name in ("pipe", ""):
            with pytest.raises(SourceError, match="not a plain file"):
                await texts(link, tmp_path / name)
        with pytest.raises(SourceError, match="no file"):
            await texts(link, tmp_path / "none")
        with pytest.raises(SourceError, match="not a plain file"):
            await texts(link, Path("/dev/zero"))


class Refusing(FakeLink):
    def __init__(self, status: int, stdout: bytes = b"", stderr: bytes = b"") -> None:
        super().__init__()
        self.result = CommandResult(status, stdout, stderr)

    async def run(self, argv: object, *, timeout: float, stdin: bytes = b"", limit: int = 0) -> CommandResult:
        return self.result


async def test_what_the_host_refuses_is_said_with_what_helps() -> None:
    with pytest.raises(SourceError) as raised:
        await console.last_lines(Refusing(5), "/var/log/x", 100)
    assert raised.value.problem.says == "the login user may not read /var/log/x"
    assert "setfacl" in raised.value.problem.hint
    for answer in (Refusing(127, stderr=b"sh: not found\n"), Refusing(0, b"12 x 4\n"), Refusing(0)):
        with pytest.raises(SourceError, match="cannot read /var/log/x"):
            await console.last_lines(answer, "/var/log/x", 100)


async def test_lines_come_as_they_are_written(link: LocalLink, tmp_path: Path) -> None:
    path = tmp_path / "log"
    path.write_text("boot\nhal")
    stream = console.follow(link, str(path))
    assert await following(stream, "boot") == ["boot"]
    with path.open("a") as log:
        log.write("f a line\nlogin: ")
    assert await following(stream, "login: ") == ["half a line", "login: "]
    with path.open("a") as log:
        log.write("root\n")
    assert await following(stream, "root") == ["root"]
    await stream.aclose()  # type: ignore[attr-defined]


async def test_a_log_that_is_begun_again_says_so(link: LocalLink, tmp_path: Path) -> None:
    path = tmp_path / "log"
    path.write_text("one\ntwo\nthree\n")
    stream = console.follow(link, str(path))
    await following(stream, "three")
    path.rename(tmp_path / "log.0")
    path.write_text("another, and longer than the one before\n")
    found = await following(stream, "another, and longer than the one before")
    assert found[0] == "… the log was begun again"
    path.write_text("cut\n")
    assert (await following(stream, "cut"))[0] == "… the log was begun again"
    await stream.aclose()  # type: ignore[attr-defined]


async def test_what_comes_faster_than_it_can_be_read_is_counted(
    link: LocalLink, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(console, "STEP", 100)
    path = tmp_path / "log"
    path.write_text("start\n")
    stream = console.follow(link, str(path))
    await following(stream, "start")
    with path.open("a") as log:
        log.write("x" * 400 + "\nend\n")
    found = await following(stream, "end")
    assert found[0] == "… 305 bytes were passed over: they came faster than they can be read"
    await stream.aclose()  # type: ignore[attr-defined]
