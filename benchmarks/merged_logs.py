"""The merged log viewer: opening, searching and following a million lines of five logs, in a real pseudo-terminal.

`python -m benchmarks.merged_logs` prints the figures. The measured program is this module again, with a file to write to.
"""

from __future__ import annotations

import asyncio
import gc
import json
import sys
import time
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory

from textual.app import App, ComposeResult

from benchmarks.terminal import Terminal, python
from debugtui.hosts.local import LocalLink
from debugtui.model.logs import Level, LogLine, Merged
from debugtui.model.nginx import NginxLog
from debugtui.model.target import Target
from debugtui.sources.loglines import level_of
from debugtui.sources.logs.clock import HostClock
from debugtui.sources.logs.files import RemoteFiles
from debugtui.sources.logs.nginx import NginxOrigin
from debugtui.sources.logs.origin import Batch, LogOrigin
from debugtui.sources.logs.session import LogSession, Wanted
from debugtui.themes import DEFAULT_THEME, register
from debugtui.widgets.filter_bar import FilterBar
from debugtui.widgets.merged_log import MergedLog

ORIGINS, LINES, RATE = 5, 1_000_000, 5_000
START = datetime(2026, 3, 14, 9, tzinfo=UTC)
#: The origins of 20,000 lines.
ALTERNATING = bytes(number % ORIGINS for number in range(20_000))
TEXT = "INFO request id={:016x} path=/api/v1/activities/{} status={} took={} ms user={}"


def line(number: int) -> LogLine:
    text = TEXT.format(
        number * 2654435761 % (1 << 64), number % 977, 502 if number % 50 == 0 else 200, number % 293, number % 4001
    )
    return LogLine(text, START + timedelta(milliseconds=number))


class Made:
    """An origin that has its share of the lines, and then goes on with `RATE` a second of all."""

    kind = "docker"

    def __init__(self, place: int, lines: list[LogLine], seconds: float = 0) -> None:
        self.title, self.target = f"origin-{place}", Target("kvm-01", "docker", f"origin-{place}")
        self._lines, self._seconds = lines, seconds

    async def lines(
        self, *, since: datetime | None, until: datetime | None, tail: int | None, follow: bool
    ) -> AsyncIterator[Batch]:
        for start in range(0, len(self._lines), 2_000):
            yield self._lines[start : start + 2_000]
        yield []
        each = RATE // ORIGINS // 10
        until_ = time.monotonic() + self._seconds
        number = 0
        while time.monotonic() < until_:
            await asyncio.sleep(0.1)
            now = datetime.now(UTC)
            yield [LogLine(line(number + one).text, now + timedelta(microseconds=one)) for one in range(each)]
            number += each


def resident_mb() -> float:
    return int(Path("/proc/self/statm").read_text().split()[1]) * 4096 / 1e6


class Measured(App[None]):
    """The view alone, as large as the terminal."""

    def __init__(self, out: Path, big: Path) -> None:
        super().__init__()
        register(self)
        self.theme = DEFAULT_THEME
        self.out, self.big = out, big
        self.figures: list[str] = []
        self.view = MergedLog(level_of, out.parent)

    def compose(self) -> ComposeResult:
        yield self.view
        yield FilterBar()

    def on_mount(self) -> None:
        self.view.focus()
        self.run_worker(self.run_all())

    def note(self, what: str, figure: str, promise: str = "") -> None:
        self.figures.append(f"merged logs: {what:<58} {figure:>24}   {promise}")

    async def run_all(self) -> None:
        await asyncio.sleep(0.5)
        await self.first_page()
        await self.million()
        await self.searches()
        await self.followed()
        self.out.write_text(json.dumps(self.figures))
        self.exit()

    async def until(self, done: Callable[[], bool]) -> float:
        began = time.perf_counter()
        while not done():
            await asyncio.sleep(0.002)
        return time.perf_counter() - began

    async def first_page(self) -> None:
        """A log file of a million lines: its end, and a moment in its middle."""
        files = RemoteFiles(LocalLink("here"))

        async def clock() -> HostClock:
            return HostClock()

        origin: LogOrigin = NginxOrigin(files, Target("here", "nginx", "main"), NginxLog(str(self.big)), clock, "big")
        for what, wanted, at in (
            ("open a file of 1,000,000 lines, first page painted", Wanted(tail=2_000), None),
            ("go to a moment in its middle, that page painted", Wanted(START + timedelta(seconds=500_000), None, None), True),
        ):
            session = LogSession([origin], wanted)
            self.view.begin(["big"])
            if at:
                self.view.go_to(START + timedelta(seconds=500_300))
            worker = self.run_worker(self.feed(session))
            seconds = await self.until(
                lambda: self.view.counts[0] > 50 and bool(self.view._painted) and self.view._wanted is None
            )
            self.note(what, f"{seconds:6.2f} s", "(at most 1 s)")
            worker.cancel()
            await session.close()
        await files.close()

    async def feed(self, session: LogSession) -> None:
        async for part in session.batches():
            self.view.feed_merged(part)

    async def million(self) -> None:
        """Lines that are there already, merged and painted."""
        lines = [line(number) for number in range(LINES)]
        gc.collect()
        gc.freeze()  # the lines themselves are the benchmark's, not the view's
        before = resident_mb()
        self.view.begin(["x"] * ORIGINS)
        began = time.perf_counter()
        for start in range(0, LINES, 20_000):
            part = lines[start : start + 20_000]
            self.view.feed_merged(Merged(part, ALTERNATING))
        await self.until(lambda: self.view.counts[1] == LINES and self.view._timer is None)
        self.note("1,000,000 merged lines into the view, painted", f"{time.perf_counter() - began:6.2f} s", "(at most 1 s)")
        self.note("memory that they take", f"{resident_mb() - before:6.0f} MB", "(bounded: the rest lies on the disk)")
        self.view.begin(["x"] * ORIGINS)
        origins = [Made(place, lines[place::ORIGINS]) for place in range(ORIGINS)]
        session = LogSession(origins, Wanted(tail=None))
        began, cpu = time.perf_counter(), time.process_time()
        worker = self.run_worker(self.feed(session))
        await self.until(lambda: self.view.counts[1] == LINES)
        taken, spent = time.perf_counter() - began, time.process_time() - cpu
        self.note(f"merge them of {ORIGINS} logs, and into the view", f"{taken:6.2f} s", f"({spent:.2f} s of processor)")
        worker.cancel()
        await session.close()
        before = resident_mb()
        for _ in range(2):
            for start in range(0, LINES, 20_000):
                part = lines[start : start + 20_000]
                self.view.feed_merged(Merged(part, bytes(len(part))))
                await asyncio.sleep(0)
        self.note("memory that 2,000,000 more take", f"{resident_mb() - before:6.0f} MB", "(constant)")
        self.view.begin(["x"] * ORIGINS)
        for start in range(0, LINES, 20_000):
            part = lines[start : start + 20_000]
            self.view.feed_merged(Merged(part, ALTERNATING))
        await self.until(lambda: self.view._timer is None)

    async def searches(self) -> None:
        for what, text in (
            ("a text without a match", "no such text"),
            ("a text with 20,000 matches", "status=502"),
            ("a regular expression without a match", r"/took=29[89] ms/"),
        ):
            began, cpu = time.perf_counter(), time.process_time()
            self.view.search(text)
            await self.until(lambda: not self.view.scanning)
            taken, spent = time.perf_counter() - began, time.process_time() - cpu
            self.note(f"search 1,000,000 lines, {what}", f"{taken:6.2f} s", f"(at most 1 s; {spent:.2f} s of processor)")
        self.view.search("")
        began = time.perf_counter()
        self.view.set_hidden(frozenset({1, 2}))
        await self.until(lambda: not self.view.scanning)
        self.note("hide two of five logs", f"{time.perf_counter() - began:6.2f} s")
        self.view.set_hidden(frozenset())
        began = time.perf_counter()
        self.view.set_level(Level.WARNING)
        await self.until(lambda: not self.view.scanning)
        self.note("judge and filter 1,000,000 lines by level", f"{time.perf_counter() - began:6.2f} s", "(in a thread)")
        self.view.set_level(None)

    async def followed(self) -> None:
        seconds = 10.0
        self.view.begin(["x"] * ORIGINS)
        session = LogSession([Made(place, [], seconds) for place in range(ORIGINS)], Wanted(tail=0))
        worker = self.run_worker(self.feed(session))
        await asyncio.sleep(2)
        cpu, lines, began = time.process_time(), self.view.counts[1], time.perf_counter()
        await asyncio.sleep(seconds - 3)
        taken = time.perf_counter() - began
        share = 100 * (time.process_time() - cpu) / taken
        rate = (self.view.counts[1] - lines) / taken
        self.note(f"follow {rate:,.0f} lines a second of {ORIGINS} logs", f"{share:5.1f} % of a core")
        worker.cancel()
        await session.close()


def write_big(path: Path) -> None:
    """A log file as nginx writes it."""
    with path.open("w") as file:
        for number in range(LINES):
            at = START + timedelta(seconds=number)
            file.write(f"{at:%Y/%m/%d %H:%M:%S} [error] 17#17: *{number} upstream timed out while reading response header\n")


def main() -> None:
    """Print the figures; with a file name, be the measured program."""
    if len(sys.argv) > 2:
        Measured(Path(sys.argv[1]), Path(sys.argv[2])).run()
        return
    with TemporaryDirectory() as folder:
        out, big = Path(folder) / "figures.json", Path(folder) / "error.log"
        write_big(big)
        terminal = Terminal(python("-m", "benchmarks.merged_logs", str(out), str(big)))
        status = terminal.ended(180)
        terminal.close()
        if not out.exists():
            sys.exit(f"no figures, exit status {status}:\n{terminal.output[-4000:].decode(errors='replace')}")
        for row in json.loads(out.read_text()):
            print(row)


if __name__ == "__main__":
    main()
