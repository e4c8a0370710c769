"""How many commands run on one connection at the same time."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

#: sshd allows 10 sessions on a connection by default (MaxSessions); some remain for the operator's other tools.
MOST_SESSIONS = 4


class SessionGate:
    """Lets a few in at a time; the limit shrinks when the host turns out to allow fewer."""

    def __init__(self, limit: int = MOST_SESSIONS) -> None:
        self._limit = limit
        self._inside = 0
        self._changed = asyncio.Condition()

    @property
    def inside(self) -> int:
        """How many are inside now."""
        return self._inside

    @asynccontextmanager
    async def turn(self) -> AsyncIterator[None]:
        """Wait for a turn, and hold it."""
        async with self._changed:
            await self._changed.wait_for(lambda: self._inside < self._limit)
            self._inside += 1
        try:
            yield
        finally:
            # No await may stand before the count is right again: the holder may be cancelled.
            self._inside -= 1
            async with self._changed:
                self._changed.notify_all()

    def shrink(self) -> bool:
        """The host refused the caller's session. Return whether a smaller limit can help: others are inside."""
        if self._inside < 2:
            return False
        self._limit = min(self._limit, self._inside - 1)
        return True
