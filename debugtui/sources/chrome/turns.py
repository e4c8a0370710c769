"""Bounds what the browsers of this process cost together: a browser with its server takes about half a gigabyte."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Protocol
from weakref import WeakKeyDictionary

#: Most browsers that run at the same time, idle ones included.
MOST_BROWSERS = 2


class Stoppable(Protocol):
    """What can be running, and be stopped."""

    @property
    def running(self) -> bool:
        """Whether it runs now."""
        ...

    async def stop(self) -> None:
        """End it."""
        ...


class Turns:
    """Hands out turns; before a browser starts, the one that has been idle longest is stopped where there are too many."""

    def __init__(self) -> None:
        self._gate = asyncio.Semaphore(MOST_BROWSERS)
        self._busy: list[Stoppable] = []
        self._idle: list[Stoppable] = []  # the longest idle first
        self._room = asyncio.Lock()

    @asynccontextmanager
    async def turn(self, browser: Stoppable) -> AsyncIterator[None]:
        """Wait for a turn, and make room."""
        async with self._gate:
            self._busy.append(browser)
            if browser in self._idle:
                self._idle.remove(browser)
            try:
                async with self._room:
                    await self._make_room(browser)
                yield
            finally:
                self._busy.remove(browser)
                if browser.running:
                    self._idle.append(browser)

    async def _make_room(self, browser: Stoppable) -> None:
        while True:
            self._idle = [one for one in self._idle if one.running]
            others = sum(one is not browser for one in self._busy)
            if not self._idle or len(self._idle) + others < MOST_BROWSERS:
                return
            await self._idle.pop(0).stop()


_turns: WeakKeyDictionary[asyncio.AbstractEventLoop, Turns] = WeakKeyDictionary()


def turns() -> Turns:
    """Return the turns of the running event loop."""
    return _turns.setdefault(asyncio.get_running_loop(), Turns())
