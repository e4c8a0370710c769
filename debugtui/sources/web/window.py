"""The probes of the last ten minutes: how long they took, and how many failed."""

from __future__ import annotations

import math
from collections import deque

#: Seconds that count.
SPAN_S = 600.0
#: Probes before anything is said of them.
LEAST = 5
#: Most probes kept: one a second, the fastest that the configuration allows, and some.
MOST = 660


class Window:
    """A bounded memory of probes."""

    def __init__(self) -> None:
        self._probes: deque[tuple[float, float | None, bool]] = deque(maxlen=MOST)

    def add(self, at: float, total_ms: float | None, *, failed: bool) -> None:
        """Remember a probe: when (monotonic seconds), how long (None where no answer came), and whether it failed."""
        self._probes.append((at, total_ms, failed))
        while self._probes and at - self._probes[0][0] > SPAN_S:
            self._probes.popleft()

    def percentile(self, share: float) -> float | None:
        """Return the total time that `share` of the answered probes did not exceed, in milliseconds (nearest rank)."""
        times = sorted(total for _, total, _ in self._probes if total is not None)
        if len(times) < LEAST:
            return None
        return times[max(0, math.ceil(share * len(times)) - 1)]

    @property
    def failed_share(self) -> float | None:
        """Return the share of probes that failed, 0 to 1."""
        if len(self._probes) < LEAST:
            return None
        return sum(failed for _, _, failed in self._probes) / len(self._probes)
