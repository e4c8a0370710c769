"""What reaches a real terminal: no byte of an attacker's, a clean end on every signal, no secret in a crash."""

from __future__ import annotations

import os
import re
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from benchmarks.terminal import Terminal, python

#: Operating system commands (title, clipboard, links...): Textual itself sends none but the shape of the mouse pointer.
OSC = re.compile(rb"\x1b[\]PX^_](?!22;)")
#: Every pane, then its zoom and its detail screens.
WALK = [bytes([key]) for key in b"12zz\r]]]]q3\rq4\rq5j\r]]q?qoq"]


@pytest.fixture
def env(tmp_path: Path) -> dict[str, str]:
    return {"HOME": str(tmp_path), "XDG_STATE_HOME": str(tmp_path), "PYTHONPATH": str(Path(__file__).parents[2])}


@pytest.fixture
def hostile(env: dict[str, str]) -> Iterator[Terminal]:
    terminal = Terminal(python("-m", "tests.safety.hostile_app"), env=env)
    terminal.read(10, until=b"Alerts")
    terminal.read(2)
    yield terminal
    terminal.close()


def test_no_hostile_byte_reaches_the_terminal(hostile: Terminal) -> None:
    for key in WALK:
        os.write(hostile.fd, key)
        hostile.read(0.4)
    assert hostile.ended(0.1) is None, "the screen died of a name"
    seen = bytes(hostile.output)
    assert b"OWNED" not in seen.replace(b"OWNED8bit", b""), "an OSC title or clipboard sequence went through"
    text = seen.decode("utf-8")
    assert not re.search("[\x00-\x06\x08\x0b\x0c\x0e-\x1a\x1c-\x1f\x7f\x80-\x9f\u202a-\u202e\u2066-\u2069\u200b\ufeff]", text)
    assert not OSC.search(seen), "an operating system command was sent"
    assert "[@click=app.quit]x[/]" in text
    assert "[/nope]" in text


@pytest.mark.parametrize(("number", "status"), [(signal.SIGTERM, 143), (signal.SIGHUP, 129)])
def test_a_signal_ends_it_cleanly(env: dict[str, str], number: signal.Signals, status: int) -> None:
    terminal = Terminal(python("-m", "tests.safety.hostile_app"), env=env)
    terminal.read(10, until=b"Alerts")
    terminal.read(1)
    os.kill(terminal.pid, number)
    terminal.read(3)
    assert terminal.ended() == status
    assert b"\x1b[?1049l" in terminal.output, "the alternate screen was left on"


def test_a_terminal_that_goes_away_ends_the_program(env: dict[str, str]) -> None:
    terminal = Terminal(python("-m", "tests.safety.hostile_app"), env=env)
    terminal.read(10, until=b"Alerts")
    terminal.read(1)
    os.close(terminal.fd)
    end = time.monotonic() + 10
    pid = 0
    while not pid and time.monotonic() < end:
        pid, _ = os.waitpid(terminal.pid, os.WNOHANG)
        time.sleep(0.05)
    if not pid:
        os.kill(terminal.pid, signal.SIGKILL)
        os.waitpid(terminal.pid, 0)
    assert pid, "still running ten seconds after its terminal went away"
