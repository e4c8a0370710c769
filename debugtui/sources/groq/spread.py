"""Percentiles of few figures."""

from __future__ import annotations

import math
from collections.abc import Iterable

from debugtui.model.groq import Spread


def percentile(ordered: list[float], share: float) -> float:
    """Return the percentile of sorted figures, between two of them by straight line (Hyndman and Fan, type 7).

    Args:
        ordered: at least one figure, in ascending order.
        share: 0 to 1.
    """
    at = (len(ordered) - 1) * share
    low = math.floor(at)
    high = min(low + 1, len(ordered) - 1)
    return ordered[low] + (ordered[high] - ordered[low]) * (at - low)


def spread(figures: Iterable[float | None]) -> Spread | None:
    """Return median, 95th and 99th percentile of the figures that are known; None: there is none."""
    ordered = sorted(figure for figure in figures if figure is not None and math.isfinite(figure))
    if not ordered:
        return None
    p50, p95, p99 = (round(percentile(ordered, share), 1) for share in (0.50, 0.95, 0.99))
    return Spread(p50, p95, p99, len(ordered))
