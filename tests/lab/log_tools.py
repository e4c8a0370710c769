"""What the tests of logs share: reading an origin, following it, journal files."""

from __future__ import annotations

import asyncio
import shutil
import subprocess
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import datetime
from pathlib import Path

from debugtui.model.logs import LogLine
from debugtui.sources.logs.origin import LogOrigin


async def all_of(one: LogOrigin, **options: object) -> list[LogLine]:
    wanted = {"since": None, "until": None, "tail": None, "follow": False, **options}
    return [line async for batch in one.lines(**wanted) for line in batch]  # type: ignore[arg-type]


class Follower:
    """Follows a log in a task, and waits for what a test expects."""

    def __init__(self, one: LogOrigin, tail: int | None = 100, since: datetime | None = None) -> None:
        self.lines: list[LogLine] = []
        self.caught_up = False
        self._task = asyncio.create_task(self._run(one, tail, since))

    async def _run(self, one: LogOrigin, tail: int | None, since: datetime | None) -> None:
        async for batch in one.lines(since=since, until=None, tail=tail, follow=True):
            self.lines += batch
            self.caught_up |= not batch

    @property
    def texts(self) -> list[str]:
        return [line.text for line in self.lines]

    async def until(self, text: str, limit: float = 20) -> LogLine:
        async with asyncio.timeout(limit):
            while not any(text in line.text for line in self.lines):
                if self._task.done():
                    self._task.result()
                    raise AssertionError(f"the log ended before {text!r}")
                await asyncio.sleep(0.02)
        return next(line for line in self.lines if text in line.text)

    async def ready(self) -> None:
        async with asyncio.timeout(20):
            while not self.caught_up:
                if self._task.done():
                    self._task.result()
                await asyncio.sleep(0.02)

    async def end(self) -> None:
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)


@asynccontextmanager
async def followed(one: LogOrigin, tail: int | None = 100, since: datetime | None = None) -> AsyncIterator[Follower]:
    follower = Follower(one, tail, since)
    try:
        await follower.ready()
        yield follower
    finally:
        await follower.end()


class MissingJournalError(RuntimeError):
    """systemd-journal-remote is not installed. A test that needs it fails; it is never skipped."""


def write_journal(folder: Path, name: str, entries: Sequence[dict[str, object]]) -> Path:
    """Write a real journal file: the entries in systemd's export format, through its own program.

    Each entry has `at` (datetime) and fields; a value of bytes is written as it is.
    """
    program = shutil.which("systemd-journal-remote", path="/lib/systemd:/usr/lib/systemd")
    if program is None:
        raise MissingJournalError("systemd-journal-remote is not installed: scripts/packages test installs it")
    data = bytearray()
    for number, entry in enumerate(entries):
        at = entry["at"]
        assert isinstance(at, datetime)
        micro = int(at.timestamp()) * 1_000_000 + at.microsecond
        fields = {
            "__REALTIME_TIMESTAMP": str(micro),
            "__MONOTONIC_TIMESTAMP": str(1_000_000 + number),
            "_BOOT_ID": "0" * 31 + "1",
            "_HOSTNAME": "kvm-01",
            **{key: value for key, value in entry.items() if key != "at"},
        }
        for key, value in fields.items():
            raw = value if isinstance(value, bytes) else str(value).encode()
            if key[0] != "_" and (b"\n" in raw or isinstance(value, bytes)):
                data += key.encode() + b"\n" + len(raw).to_bytes(8, "little") + raw + b"\n"
            else:
                data += key.encode() + b"=" + raw + b"\n"
        data += b"\n"
    path = folder / f"{name}.journal"
    done = subprocess.run([program, "-o", str(path), "-"], input=bytes(data), capture_output=True, timeout=60, check=False)
    if done.returncode:
        raise MissingJournalError(f"no journal was written: {done.stderr.decode(errors='replace')}")
    return path
