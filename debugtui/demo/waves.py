"""Figures that move like those of a working machine: pure functions of a seed and of time."""

from __future__ import annotations

import math
import zlib
from dataclasses import dataclass

#: Relative height and period (seconds) of the waves laid over each other. The heights sum up to less than 1, so that a wave
#: never falls below nothing and its integral (a kernel's counter) never runs backwards.
_PARTS = ((0.45, 240.0), (0.3, 47.0), (0.15, 11.0))


@dataclass(frozen=True, slots=True)
class Wave:
    """A level that swings around `base`, by at most `swing` (0 to 1) of it; `seed` says where it stands at time 0."""

    base: float
    swing: float = 0.5
    seed: str = ""

    def at(self, time: float) -> float:
        """Return the level at a time in seconds."""
        waves = sum(height * math.sin(2 * math.pi * (time / period + self._shift(n))) for n, (height, period) in _each())
        return self.base * (1 + self.swing * waves)

    def total(self, time: float) -> float:
        """Return the level's integral from time 0: what a counter of this rate shows."""
        swung = 0.0
        for n, (height, period) in _each():
            shift = 2 * math.pi * self._shift(n)
            swung += height * period / (2 * math.pi) * (math.cos(shift) - math.cos(2 * math.pi * time / period + shift))
        return self.base * (time + self.swing * swung)

    def between(self, start: float, end: float) -> float:
        """Return what a counter of this rate grows by between two times."""
        return self.total(end) - self.total(start)

    def _shift(self, part: int) -> float:
        return share(self.seed, part)


def _each() -> enumerate[tuple[float, float]]:
    return enumerate(_PARTS)


def share(*words: object) -> float:
    """Return a number from 0 to 1 that always is the same for the same words."""
    return zlib.crc32("\0".join(map(str, words)).encode()) / 0xFFFFFFFF
