"""An application on the small world, started and painted."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager

import pytest
from textual.pilot import Pilot

from debugtui.app import DebugTui
from tests.screens.world import small_world

Opened = Callable[..., AbstractAsyncContextManager[Pilot[int]]]


@pytest.fixture
def opened(tmp_path, monkeypatch: pytest.MonkeyPatch) -> Opened:
    """Return a context manager that opens the screen: `async with opened((120, 40), theme=...) as pilot`."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("NO_COLOR", raising=False)

    @asynccontextmanager
    async def open_(
        size: tuple[int, int] = (120, 40), theme: str = "rampart-dark", world=small_world
    ) -> AsyncIterator[Pilot[int]]:
        fleet, clock = world()
        app = DebugTui(fleet=fleet, clock=clock)
        async with app.run_test(size=size, notifications=True) as pilot:
            app.theme = theme
            await settled(pilot)
            await still(pilot)
            yield pilot

    return open_


async def settled(pilot: Pilot[int]) -> None:
    """Wait until every source was read fully, and the screen shows it."""
    app = pilot.app
    assert isinstance(app, DebugTui)
    async with asyncio.timeout(10):
        while app.fleet is None or any(status.reading is None and status.problem is None for status in app.fleet.statuses()):
            await pilot.pause(0.01)
    app.repaint()
    await pilot.pause()


async def still(pilot: Pilot[int]) -> None:
    """End the polling: from here on a source is read only when a test says so, and what a screen shows stays."""
    app = pilot.app
    assert isinstance(app, DebugTui)
    assert app.fleet is not None
    tasks, app.fleet._tasks = app.fleet._tasks, []
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
