"""Every screen at three sizes and in three themes, as a picture."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from pathlib import Path

import pytest
from textual.pilot import Pilot
from textual.widgets import Input

from debugtui.app import DebugTui
from debugtui.config.ask import HostKeyQuestion, SecretQuestion
from debugtui.model.logs import LogLine
from debugtui.screens.ask import HostKeyScreen, SecretScreen
from debugtui.screens.connect import ConnectScreen
from debugtui.screens.details.texts import TextScreen
from debugtui.screens.trouble import TroubleScreen
from tests.screens.conftest import Opened
from tests.screens.snapshot import Snap
from tests.screens.world import ago

SIZES = ((80, 24), (120, 40), (200, 60))
THEMES = ("rampart-dark", "rampart-light", "rampart-contrast")

#: Keys that lead from the main screen to each other one.
WAYS: dict[str, tuple[str, ...]] = {
    "main": (),
    "main-zoomed": ("5", "z"),
    "main-filtered": ("5", "slash", *"worker"),
    "host": ("enter",),
    "host-sources": ("down", "enter", "2"),
    "host-filesystems": ("enter", "3"),
    "host-storage": ("enter", "6"),
    "host-events": ("enter", "8"),
    "vm": ("2", "down", "down", "down", "enter"),
    "vm-disks": ("2", "down", "down", "down", "enter", "2"),
    "vm-snapshots": ("2", "down", "enter", "4"),
    "vm-xml": ("2", "down", "enter", "5"),
    "vm-console": ("2", "down", "enter", "6"),
    "container": ("5", "down", "enter"),
    "container-logs": ("5", "down", "enter", "2"),
    "container-environment": ("5", "down", "enter", "3"),
    "postgres-activity": ("3", "enter"),
    "postgres-locks": ("3", "down", "enter"),
    "postgres-statements": ("3", "enter", "3"),
    "postgres-tables": ("3", "enter", "4"),
    "postgres-indexes": ("3", "enter", "5"),
    "postgres-replication": ("3", "enter", "6"),
    "postgres-settings": ("3", "enter", "7"),
    "postgres-server": ("3", "enter", "8"),
    "groq": ("6", "enter"),
    "groq-latency": ("6", "enter", "2"),
    "groq-calls": ("6", "enter", "3"),
    "groq-application": ("6", "enter", "4"),
    "web": ("7", "enter"),
    "web-certificate": ("7", "enter", "2"),
    "web-console": ("7", "enter", "3"),
    "web-requests": ("7", "enter", "4"),
    "web-stories": ("7", "enter", "5"),
    "web-page": ("7", "enter", "6"),
    "nginx": ("7", "end", "enter"),
    "nginx-servers": ("7", "end", "enter", "2"),
    "nginx-upstreams": ("7", "end", "enter", "3"),
    "help": ("question_mark",),
    "palette": ("ctrl+p",),
    "jump": ("o",),
}

LOG = [
    LogLine("starting coach-api 4.2.1", ago(30), "stdout"),
    LogLine("INFO  listening on 0.0.0.0:8080", ago(29), "stdout"),
    LogLine('WARN  slow query: 1204 ms  "SELECT * FROM activities"', ago(12), "stdout"),
    LogLine("ERROR upstream timed out: [@click=app.quit]not a link[/]", ago(3), "stderr"),
]
XML = "<domain type='kvm'>\n  <name>web-01</name>\n  <memory unit='KiB'>8388608</memory>\n</domain>"


async def _batches() -> AsyncIterator[Sequence[LogLine]]:
    yield LOG
    await asyncio.Event().wait()


async def _read(text: str) -> str:
    return text


def feed_texts(monkeypatch: pytest.MonkeyPatch) -> None:
    """Give the text tabs still texts instead of a host's."""

    def follow(self: TextScreen, name: str, lines: object) -> None:
        self.run_worker(_feed(self, name), group=name, exclusive=True)

    async def _feed(screen: TextScreen, name: str) -> None:
        async for batch in _batches():
            screen.view_of(name).feed(batch)

    def load(self: TextScreen, name: str, read: object) -> None:
        text = XML if name == "xml" else "PATH=/usr/bin\nDATABASE_URL=postgresql://coach:•••@db/coach"
        self.view_of(name).replace([LogLine(line) for line in text.splitlines()])

    monkeypatch.setattr(TextScreen, "follow", follow)
    monkeypatch.setattr(TextScreen, "load", load)


@pytest.mark.parametrize("name", WAYS)
async def test_screen(name: str, opened: Opened, snap: Snap, monkeypatch: pytest.MonkeyPatch) -> None:
    feed_texts(monkeypatch)
    async with opened((120, 40)) as pilot:
        for key in WAYS[name]:
            await pilot.press(key)
            await pilot.pause()
        if WAYS[name]:
            await pilot.pause(0.3)
        await snap_every_look(pilot, snap, name)


async def snap_every_look(pilot: Pilot[int], snap: Snap, name: str) -> None:
    """Compare the screen at every size and in every theme."""
    app = pilot.app
    assert isinstance(app, DebugTui)
    for field in app.screen.query(Input):
        field.cursor_blink = False
    for size in SIZES:
        await pilot.resize_terminal(*size)
        for theme in THEMES:
            app.theme = theme
            await pilot.pause()
            app.repaint()
            await pilot.pause()
            await pilot.pause(0.02)
            snap(app, f"{name}-{size[0]}x{size[1]}-{theme[8:]}")


async def test_a_missing_secret(opened: Opened, snap: Snap) -> None:
    async with opened() as pilot:
        question = SecretQuestion("password of kvm-01/postgres/coach", "to watch the database coach on kvm-01")
        await pilot.app.push_screen(SecretScreen(question))
        await pilot.press("a", "b")
        await snap_every_look(pilot, snap, "secret")


async def test_an_unknown_host_key(opened: Opened, snap: Snap) -> None:
    async with opened() as pilot:
        fingerprint = "SHA256:pX7qT0n1eRz0yE2uG6b8Jx4m9f3kVdW5sA1cL0hQvMg"
        question = HostKeyQuestion("kvm-01", "10.0.0.11:22", "ssh-ed25519", fingerprint, "~/.ssh/known_hosts")
        await pilot.app.push_screen(HostKeyScreen(question))
        await snap_every_look(pilot, snap, "hostkey")


async def test_a_configuration_with_errors(opened: Opened, snap: Snap) -> None:
    async with opened() as pilot:
        issue = 'config.toml:12: hosts[0].adress: unknown key; did you mean "address"?'
        await pilot.app.push_screen(TroubleScreen("The configuration has errors", [issue]))
        await snap_every_look(pilot, snap, "trouble")


async def test_the_first_start(opened: Opened, snap: Snap, tmp_path: Path) -> None:
    (tmp_path / ".ssh").mkdir()
    (tmp_path / ".ssh" / "config").write_text("Host kvm-01\n  HostName kvm-01.example.org\n  User ops\n", encoding="utf-8")
    async with opened() as pilot:
        await pilot.app.push_screen(ConnectScreen(None))
        await pilot.pause(0.3)
        await snap_every_look(pilot, snap, "connect")


async def test_without_colour_every_state_still_shows(opened: Opened, snap: Snap) -> None:
    async with opened((120, 40), "rampart-mono") as pilot:
        await pilot.pause()
        assert isinstance(pilot.app, DebugTui)
        snap(pilot.app, "main-120x40-mono")
