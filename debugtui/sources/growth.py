"""How fast a figure grows, and for how long something did not move: what one reading of a queue cannot tell."""

from __future__ import annotations

from collections import deque
from collections.abc import Hashable, Iterable

#: Seconds over which growth is measured, and least seconds between the samples that it is measured with.
WINDOW_S, LEAST_S = 60.0, 0.9


class Growth:
    """Growth of many figures, each under its own key, over the last minute."""

    def __init__(self) -> None:
        self._samples: dict[Hashable, deque[tuple[float, float]]] = {}

    def rate(self, key: Hashable, value: float | None, at: float) -> float | None:
        """Take a sample; return the growth a second since the oldest sample of the last minute, None where there is none.

        Args:
            key: of the figure.
            value: now; None: not known, which forgets what was before.
            at: monotonic seconds.
        """
        if value is None:
            self._samples.pop(key, None)
            return None
        samples = self._samples.setdefault(key, deque())
        while samples and at - samples[0][0] > WINDOW_S:
            # The youngest sample stays, however old: a source that is read seldom still has a rate.
            if len(samples) == 1:
                break
            samples.popleft()
        first = samples[0] if samples else None
        samples.append((at, value))
        if first is None or at - first[0] < LEAST_S:
            return None
        return (value - first[1]) / (at - first[0])

    def keep(self, keys: Iterable[Hashable]) -> None:
        """Forget every figure that is not among `keys`."""
        wanted = set(keys)
        for key in [key for key in self._samples if key not in wanted]:
            del self._samples[key]

    def clear(self) -> None:
        """Forget everything: after a break growth would be of another time."""
        self._samples.clear()


class Standstill:
    """For how long things did not move although there was something to do."""

    def __init__(self) -> None:
        self._seen: dict[Hashable, tuple[Hashable, float]] = {}

    def seconds(self, key: Hashable, mark: Hashable, at: float, *, idle: bool) -> float | None:
        """Return for how long `mark` has been the same; 0 where it moved or is `idle`, None when it is first seen.

        Args:
            key: of the thing.
            mark: what changes whenever it moves.
            at: monotonic seconds.
            idle: there is nothing to do.
        """
        before = self._seen.get(key)
        if before is None or before[0] != mark or idle:
            self._seen[key] = (mark, at)
            return 0.0 if before is not None or idle else None
        return at - before[1]

    def keep(self, keys: Iterable[Hashable]) -> None:
        """Forget everything that is not among `keys`."""
        wanted = set(keys)
        for key in [key for key in self._seen if key not in wanted]:
            del self._seen[key]

    def clear(self) -> None:
        """Forget everything."""
        self._seen.clear()
