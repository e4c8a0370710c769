"""Metrics by name, and the samples of one moment: bounded in number, with labels that cannot break the format."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Literal

from debugtui.config.redaction import hide
from debugtui.model.text import line

#: Most series of one metric that one source may have; most letters of a label's value.
MOST, LABEL = 500, 200


@dataclass(frozen=True, slots=True)
class Metric:
    """One metric.

    Attributes:
        name: with its unit, as Prometheus' conventions have it.
        help: one sentence.
        labels: their names; those of the source come first.
        own: how many of them name the source; what the others name is bounded in number.
        kind: `counter` where it only grows until what counts it starts anew.
    """

    name: str
    help: str
    labels: tuple[str, ...]
    own: int
    kind: Literal["gauge", "counter"] = "gauge"


#: Every metric there is, by its name.
METRICS: dict[str, Metric] = {}


def gauge(name: str, says: str, *labels: str, own: int = 1) -> Metric:
    """Declare a metric that goes up and down. `own`: see `Metric`."""
    return _declare(Metric(f"debugtui_{name}", says, labels, min(own, len(labels))))


def counter(name: str, says: str, *labels: str, own: int = 1) -> Metric:
    """Declare a metric that only grows."""
    return _declare(Metric(f"debugtui_{name}", says, labels, min(own, len(labels)), "counter"))


def _declare(metric: Metric) -> Metric:
    if metric.name in METRICS:
        raise ValueError(f"two metrics have the name {metric.name}")
    METRICS[metric.name] = metric
    return metric


def ratio(percent: float | None) -> float | None:
    """Return a percentage as a share of 1."""
    return None if percent is None else percent / 100.0


def seconds(milliseconds: float | None) -> float | None:
    """Return milliseconds as seconds."""
    return None if milliseconds is None else milliseconds / 1000.0


@dataclass(slots=True)
class Samples:
    """The samples of one moment. What is not known has none: a missing series is not 0."""

    values: dict[Metric, dict[tuple[str, ...], float]] = field(default_factory=dict)
    dropped: int = 0
    _counts: dict[tuple[str, ...], int] = field(default_factory=dict)

    def add(self, metric: Metric, value: float | bool | None, *labels: str) -> None:
        """Add a sample. One that is not known is left out, as is one of a series that has a value already.

        Args:
            metric: of which.
            value: of it.
            labels: their values, in the order of the metric's labels.
        """
        if value is None or not math.isfinite(value):
            return
        if len(labels) != len(metric.labels):
            raise ValueError(f"{metric.name} has the labels {metric.labels}, not {labels}")
        safe = tuple(hide(line(label, LABEL)) for label in labels)
        series = self.values.setdefault(metric, {})
        if safe in series:
            return
        source = (metric.name, *safe[: metric.own])
        count = self._counts.get(source, 0)
        if count >= MOST:
            self.dropped += 1
            return
        self._counts[source] = count + 1
        series[safe] = float(value)
