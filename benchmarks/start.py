"""Start-up: seconds from exec to the first frame, and memory, with warm bytecode. Textual's own floor beside it."""

from __future__ import annotations

import statistics
import tempfile
import textwrap
from pathlib import Path

from benchmarks.terminal import Terminal, python

FLOOR = """
from textual.app import App
from textual.widgets import Static
class Bare(App):
    def compose(self):
        yield Static("PostgreSQL locks")
Bare().run()
"""
RUNS = 7


def first_frame(arguments: list[str], needle: bytes, env: dict[str, str]) -> tuple[float, float]:
    """Return (seconds until `needle` is on the terminal, resident megabytes five seconds later)."""
    terminal = Terminal(arguments, env=env)
    began = terminal.started
    terminal.read(10, until=needle)
    import time

    seconds = time.perf_counter() - began
    terminal.read(3)
    memory = terminal.resident_mb()
    terminal.close()
    return seconds, memory


def main() -> None:
    """Print the medians of several starts."""
    with tempfile.TemporaryDirectory() as folder:
        bare = Path(folder) / "bare.py"
        bare.write_text(textwrap.dedent(FLOOR), encoding="utf-8")
        config = Path(folder) / "config.toml"
        config.write_text('[[hosts]]\nname = "here"\naddress = "local"\n', encoding="utf-8")
        env = {"HOME": folder, "XDG_STATE_HOME": folder, "PYTHONDONTWRITEBYTECODE": ""}
        for name, command in (
            ("Textual alone", python(str(bare))),
            ("debugtui, one local host", python("-m", "debugtui", "--config", str(config))),
        ):
            first_frame(command, b"PostgreSQL locks", env)  # warms the bytecode
            runs = [first_frame(command, b"PostgreSQL locks", env) for _ in range(RUNS)]
            seconds = [run[0] for run in runs]
            print(
                f"first frame, {name:<26} median {statistics.median(seconds):.2f} s "
                f"({min(seconds):.2f} to {max(seconds):.2f}), resident {statistics.median(run[1] for run in runs):.0f} MB"
            )


if __name__ == "__main__":
    main()
