"""Key to painted answer with 10,000 rows and a fleet that publishes 5,000 changes a second."""

from __future__ import annotations

import asyncio
import sys

from benchmarks.simulated import fleet_of
from benchmarks.terminal import Terminal, percentile, python
from debugtui.app import DebugTui

ROWS = 10_000
EVENTS = 5_000
PRESSES = 200


class Busy(DebugTui):
    """The application, with a stream of changes beside its own polling."""

    def on_mount(self) -> None:
        """Start the stream."""
        super().on_mount()
        self.run_worker(self._events())

    async def _events(self) -> None:
        while True:
            for _ in range(EVENTS // 100):
                if self.fleet is not None:
                    self.fleet._changed()
            await asyncio.sleep(0.01)


def screen() -> None:
    """Open the screen: one host with 10,000 containers."""
    Busy(fleet=fleet_of(1, 20, ROWS, 100)).run()


def main() -> None:
    """Print the percentiles of a few hundred key presses."""
    terminal = Terminal(python("-m", "benchmarks.keys", "screen"))
    terminal.read(10, until=b"p999-s9999")
    terminal.read(3)
    terminal.key(b"5")
    terminal.read(1)
    times = []
    for number in range(PRESSES):
        times.append(terminal.key(b"\x1b[B" if number % 100 < 50 else b"\x1b[A"))
        terminal.read(0.06)
    shown = ", ".join(f"p{int(share * 100)} {1000 * percentile(times, share):.1f} ms" for share in (0.5, 0.95, 0.99))
    print(f"key to painted answer, {ROWS} rows, {EVENTS} events/s: {shown}")
    terminal.close()


if __name__ == "__main__":
    screen() if sys.argv[1:] == ["screen"] else main()
