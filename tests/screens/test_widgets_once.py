"""A timer that fires once does so too where the machine stalls while it begins."""

from __future__ import annotations

import asyncio
import time
from itertools import chain, count, repeat

import pytest
from textual import _time
from textual.app import App

from debugtui.widgets.once import once


def stalled(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have the first look at the clock be ten seconds before all others."""
    stall = chain([0.0], repeat(10.0))
    monkeypatch.setattr(_time, "get_time", lambda: time.monotonic() + next(stall))


async def test_it_fires_though_the_machine_stalls(monkeypatch: pytest.MonkeyPatch) -> None:
    async with App[None]().run_test() as pilot:
        fired = asyncio.Event()
        stalled(monkeypatch)
        once(pilot.app, 0.05, fired.set)
        await asyncio.wait_for(fired.wait(), 20)


async def test_it_fires_once_and_no_more(monkeypatch: pytest.MonkeyPatch) -> None:
    async with App[None]().run_test() as pilot:
        calls = count()
        once(pilot.app, 0.01, lambda: next(calls))
        await asyncio.sleep(0.3)
        assert next(calls) == 1


async def test_the_timer_of_textual_itself_does_not(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where this fails, Textual does it by itself, and `once` is not needed any more."""
    async with App[None]().run_test() as pilot:
        fired = asyncio.Event()
        stalled(monkeypatch)
        pilot.app.set_timer(0.05, fired.set)
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(fired.wait(), 1)
