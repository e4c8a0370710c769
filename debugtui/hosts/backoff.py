"""How long to wait before the next attempt to connect."""

from __future__ import annotations

import random
from collections.abc import Callable

#: Seconds before the first new attempt; doubled with each failure.
FIRST = 1.0
#: Most seconds between two attempts.
MOST = 30.0
#: A link that was up this many seconds starts over at `FIRST` when it is lost.
GOOD_AFTER = 60.0


class Backoff:
    """1, 2, 4 ... 30 seconds, each shortened by up to a quarter so that many links to one host do not knock together."""

    def __init__(self, jitter: Callable[[], float] = random.random) -> None:
        """`jitter` returns numbers from 0 to 1."""
        self._jitter = jitter
        self._failures = 0

    def next(self) -> float:
        """Return the seconds to wait now, and count one more failure."""
        delay = min(MOST, FIRST * float(1 << min(self._failures, 10)))
        self._failures += 1
        return delay * (1 - self._jitter() / 4)

    def reset(self) -> None:
        """Start over."""
        self._failures = 0

    def was_up(self, seconds: float) -> None:
        """Say how long the link was up before it was lost: a good link starts over."""
        if seconds >= GOOD_AFTER:
            self.reset()
