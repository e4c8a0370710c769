"""Tables and logs on their own: processor time and bytes to the terminal of one operation, in a real pseudo-terminal.

`python -m benchmarks.widgets_speed` prints the figures. The measured program is this module again, with a file to write to.
"""

from __future__ import annotations

import asyncio
import json
import random
import resource
import sys
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from textual.app import App, ComposeResult
from textual.containers import Grid
from textual.screen import Screen

from benchmarks.terminal import Terminal, python
from debugtui.model.logs import Level, LogLine
from debugtui.themes import DEFAULT_THEME, register
from debugtui.widgets.format import percent, rate
from debugtui.widgets.line_table import Column, LineTable, Row
from debugtui.widgets.log_view import LogView
from debugtui.widgets.pane import Pane
from debugtui.widgets.spans import economical

COLUMNS = (
    Column("name", "Name", min_width=8),
    Column("state", "State", width=8),
    Column("cpu", "CPU", width=6, align="right", format=percent),
    Column("mem", "Mem", width=6, align="right", format=percent),
    Column("net", "Net", width=8, align="right", format=rate, priority=1),
)


def rows(count: int, seed: int = 0) -> list[Row]:
    """Return rows whose figures depend on `seed`."""
    dice = random.Random(seed)
    return [
        Row(f"c{n}", (f"container-{n}", "running", dice.random() * 100, dice.random() * 100, dice.random() * 1e7))
        for n in range(count)
    ]


def level_of(text: str) -> Level:
    """Judge as cheaply as a real judge would."""
    return Level.ERROR if "ERROR" in text else Level.INFO if "INFO" in text else Level.UNKNOWN


class Measured(App[None]):
    """An app that counts what it writes."""

    CSS = "Grid { grid-size: 3 2; } Pane { height: 100%; }"

    def __init__(self, out: Path) -> None:
        """Write the figures to `out` at the end."""
        super().__init__()
        register(self)
        self.theme = DEFAULT_THEME
        self.out = out
        self.written = 0
        self.figures: dict[str, Any] = {}
        self.tables = [LineTable(COLUMNS) for _ in range(6)]
        self.log_view = LogView(level_of, follow=True)

    def compose(self) -> ComposeResult:
        """Six panes, and a log that is hidden at first."""
        with Grid():
            for index, table in enumerate(self.tables):
                yield Pane(f"Pane {index}", table)
        yield self.log_view

    def _display(self, screen: Screen[Any], renderable: Any) -> None:
        super()._display(screen, economical(renderable))

    async def measure(self, name: str, work: Callable[[int], object], times: int = 1, wait: float = 0.25) -> None:
        """Run `work` and let the screen come to rest, `times` times; keep the mean time and bytes."""
        cpu, written = 0.0, self.written
        for index in range(times):
            before = time.process_time()
            work(index)
            await asyncio.sleep(wait)
            cpu += time.process_time() - before
        self.figures[name] = {"cpu_ms": 1000 * cpu / times, "bytes": (self.written - written) / times}

    async def on_mount(self) -> None:
        """Start once the screen stands."""
        assert self._driver is not None
        write = self._driver.write

        def counted(data: str) -> None:
            self.written += len(data.encode())
            write(data)

        self._driver.write = counted  # type: ignore[method-assign]
        self.log_view.display = False
        self.run_worker(self.run_all())

    async def run_all(self) -> None:
        """Measure everything, then end."""
        await asyncio.sleep(0.5)
        await self.tables_alone()
        await self.logs()
        self.figures["resident MB"] = {"cpu_ms": 0, "bytes": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1000}
        self.out.write_text(json.dumps(self.figures))
        self.exit()

    async def tables_alone(self) -> None:
        """One table, then six."""
        table = self.tables[0]
        many, other = rows(10_000), rows(10_000, 1)
        await self.measure("nothing (the wait itself)", lambda _: None, 5)
        await self.measure("fill 10,000 rows", lambda _: table.set_rows(many))
        await self.measure("the same, sorted by a figure", lambda _: table.sort_by("cpu"))
        await self.measure("10,000 other rows, sorted", lambda _: table.set_rows(other))
        await self.measure("filter 10,000 rows", lambda _: table.filter("99"))
        table.filter("")
        table.sort_by(None)
        table.action_home()
        await asyncio.sleep(0.3)
        base = list(other)

        def one(index: int) -> None:
            base[3] = Row("c3", ("container-3", "running", 10.0 + index, 5.0, 1e6))
            table.set_rows(list(base))

        await self.measure("one cell of 10,000 rows", one, 10)
        small = rows(20)
        table.set_rows(small)
        await asyncio.sleep(0.2)

        def one_small(index: int) -> None:
            changed = list(small)
            changed[3] = Row("c3", ("container-3", "running", 10.0 + index, 5.0, 1e6))
            table.set_rows(changed)

        await self.measure("one cell of 20 rows", one_small, 10)
        table.focus()
        table.action_home()
        await asyncio.sleep(0.2)
        await self.measure("cursor down", lambda _: table.action_cursor_down(), 10)

        def all_six(index: int) -> None:
            for number, one_of_six in enumerate(self.tables):
                one_of_six.set_rows(rows(20, 100 * index + number))

        all_six(99)
        await asyncio.sleep(0.3)
        await self.measure("six tables, every figure of every row", all_six, 10)

    async def logs(self) -> None:
        """A log of a million lines, followed and searched."""
        for pane in self.query(Pane):
            pane.display = False
        self.query_one(Grid).display = False
        view = self.log_view
        view.display = True
        view.focus()
        await asyncio.sleep(0.3)
        at = datetime(2026, 11, 20, tzinfo=UTC)
        text = "2026-11-20T14:03:22Z INFO request {} served in {} ms by worker {}"
        lines = [LogLine(text.format(n, n % 977, n % 16), at + timedelta(milliseconds=n)) for n in range(1_000)]
        await self.measure("log: append 1,000 lines", lambda _: view.feed(lines), 10, 0.4)

        async def live() -> None:
            for _ in range(100):
                view.feed(lines[:250])
                await asyncio.sleep(0.05)

        before, written = time.process_time(), self.written
        await live()
        seconds = 5.0
        self.figures["log: 5,000 lines a second followed (per second)"] = {
            "cpu_ms": 1000 * (time.process_time() - before) / seconds,
            "bytes": (self.written - written) / seconds,
        }
        view.clear()
        million = lines * 1_000

        def load(_: int) -> None:
            for at in range(0, len(million), 10_000):
                view.feed(million[at : at + 10_000])

        await self.measure("log: open 1,000,000 lines", load, wait=0.6)
        self.figures["log: bytes kept for them"] = {"cpu_ms": 0, "bytes": view._state.store.size}
        for name, text in (
            ("plain text without a match", "no such text"),
            ("a regular expression without one", "/served in 9999/"),
        ):
            before, began = time.process_time(), time.perf_counter()
            view.search(text)
            while view.scanning:
                await asyncio.sleep(0.005)
            self.figures[f"log: search a million lines, {name}"] = {
                "cpu_ms": 1000 * (time.process_time() - before),
                "bytes": 1000 * (time.perf_counter() - began),
            }
        view.search("")
        before = time.process_time()
        view.set_level(Level.WARNING)
        while view.scanning:
            await asyncio.sleep(0.005)
        self.figures["log: level filter on a million lines"] = {"cpu_ms": 1000 * (time.process_time() - before), "bytes": 0}


def main() -> None:
    """Print the figures; with a file name, be the measured program."""
    if len(sys.argv) > 1:
        Measured(Path(sys.argv[1])).run()
        return
    with TemporaryDirectory() as folder:
        out = Path(folder) / "figures.json"
        terminal = Terminal(python("-m", "benchmarks.widgets_speed", str(out)))
        status = terminal.ended(120)
        terminal.close()
        if not out.exists():
            sys.exit(f"no figures, exit status {status}:\n{terminal.output[-4000:].decode(errors='replace')}")
        for name, figure in json.loads(out.read_text()).items():
            print(f"{name:<62} {figure['cpu_ms']:9.1f} ms CPU {figure['bytes']:12,.0f} B (searches: ms in all)")


if __name__ == "__main__":
    main()
