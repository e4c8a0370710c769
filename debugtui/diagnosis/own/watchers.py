"""Conditions of monitoring servers that say they are well, and answer questions with errors of their own."""

from __future__ import annotations

from collections.abc import Iterator

from debugtui.diagnosis.anomaly import Anomaly, Aspect, Role
from debugtui.diagnosis.own.access import Loss, loss_of
from debugtui.diagnosis.own.making import anomaly
from debugtui.model.alertmanager import AlertmanagerReading
from debugtui.model.loki import LokiReading
from debugtui.model.prometheus import PrometheusReading
from debugtui.model.source import SourceStatus
from debugtui.model.target import Target

Watcher = PrometheusReading | LokiReading | AlertmanagerReading

#: So many different questions that a server answers with 5xx, or not in time, are its own fault, and not that of one question.
SEVERAL = 2
#: What a Loki is there for: without one of these it is of no use, whatever else it answers.
_ESSENTIAL = frozenset({"labels", "errors"})


def found(status: SourceStatus, reading: Watcher) -> Iterator[Anomaly]:
    """Yield that one server fails, where it does."""
    if isinstance(reading, LokiReading) and reading.ready is False:
        return  # it says so itself
    failing = [gap for gap in reading.gaps if loss_of(gap.problem.says) in (Loss.BROKEN, Loss.HANGS)]
    features = {gap.feature for gap in failing}
    if len(features) < SEVERAL and not (isinstance(reading, LokiReading) and features & _ESSENTIAL):
        return
    target = Target(status.host, status.kind, status.name)
    yield anomaly(
        "monitor_failing", target, Aspect.ERRORS, Role.CAUSE,
        f"{status.name} runs, and fails to answer: {failing[-1].problem.says}",
        reading="gaps", at=reading.taken_at, points=64,
    )  # fmt: skip
