"""Percentiles. Pure."""

from __future__ import annotations

import math
from collections.abc import Iterable

from debugtui.model.groq import Spread


def spread(values: Iterable[float | None]) -> Spread | None:
    """Return the median and the 95th and 99th percentile by the nearest rank, of what is known; None of nothing."""
    ordered = sorted(value for value in values if value is not None)
    if not ordered:
        return None

    def at(percent: float) -> float:
        return ordered[max(0, math.ceil(len(ordered) * percent / 100) - 1)]

    return Spread(at(50), at(95), at(99), len(ordered))
