"""What a source that cannot be read means: it is down, it is full, it hangs, or it only refuses us.

Judged by the words of the problem, which are this program's own or the refusing system's; they decide what is asked, and never
what is done.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import datetime
from enum import StrEnum

from debugtui.diagnosis.anomaly import MONITORS, Anomaly, Aspect, Role
from debugtui.diagnosis.own.making import anomaly
from debugtui.model.alerts import Severity
from debugtui.model.source import Kind, SourceStatus
from debugtui.model.target import Target
from debugtui.model.text import line


class Loss(StrEnum):
    """Why a source is lost."""

    DOWN = "down"
    FULL = "full"
    HANGS = "hangs"
    STARTING = "starting"
    REFUSES = "refuses us"
    BROKEN = "broken"


_REFUSES = (
    r"authentication (?:failed|refused)|pg_hba\.conf|permission denied|access denied|not allowed|NOAUTH|WRONGPASS|NOPERM"
    r"|role .{1,80} (?:does not exist|is not permitted)|answers (?:401|403)\b|polkit|authenticat|not installed"
    r"|cannot be loaded|is not readable|no key|no password|unknown (?:host|authority)|certificate verify failed|not a socket"
)
_DOWN = (
    r"nothing listens|no socket|no such socket|not listening|refused|cannot be reached|End of file|reset by peer|Broken pipe"
    r"|closed the connection|connection to the server was lost|shutting down|no such file|terminating"
)
#: In this order: the first that is found counts.
_WORDS: tuple[tuple[Loss, re.Pattern[str]], ...] = tuple(
    (loss, re.compile(words, re.IGNORECASE))
    for loss, words in (
        (Loss.FULL, r"too many (?:clients|connections)|remaining connection slots|max number of clients"),
        (Loss.STARTING, r"is starting up|in recovery mode|not yet accepting|loading the dataset|server loading"),
        (Loss.REFUSES, _REFUSES),
        (Loss.DOWN, _DOWN),
        (Loss.HANGS, r"no answer|did not answer|did not end|does not answer|gave no answer|timed out|within \d"),
        (Loss.BROKEN, r"answers 5\d\d\b|in JSON|is no Docker engine|is not understood|cannot be understood|does not exist"),
    )
)
_PORT = re.compile(r"(?:([\w.-]{1,100}|\[[0-9a-f:]{2,40}\]):|PGSQL\.)(\d{1,5})(?![\d.])", re.IGNORECASE)

#: Systems whose daemon's loss is a fault of its layer; the others are our own tools (a browser, a file that we may not read).
_SERVED = frozenset({Kind.LIBVIRT, Kind.DOCKER, Kind.POSTGRES, Kind.REDIS, Kind.RABBITMQ}) | MONITORS

_NAMES = {
    Kind.LIBVIRT: "libvirt",
    Kind.DOCKER: "the Docker engine",
    Kind.POSTGRES: "PostgreSQL",
    Kind.REDIS: "Redis",
    Kind.RABBITMQ: "RabbitMQ",
    Kind.PROMETHEUS: "Prometheus",
    Kind.LOKI: "Loki",
    Kind.ALERTMANAGER: "Alertmanager",
    Kind.GRAFANA: "Grafana",
}
_SAYS = {
    Loss.DOWN: "does not run, or cannot be reached",
    Loss.FULL: "takes no more connections",
    Loss.HANGS: "does not answer in time",
    Loss.STARTING: "is starting, and takes no work yet",
    Loss.BROKEN: "answers, but not as it should",
}


def loss_of(words: str) -> Loss | None:
    """Return what a problem's words mean; None where they do not tell."""
    return next((loss for loss, pattern in _WORDS if pattern.search(words[:1_000])), None)


def port_of(words: str) -> str:
    """Return the port that a problem names; empty without one."""
    found = _PORT.search(words[:500])
    return found[2] if found else ""


def of_lost(status: SourceStatus, now: datetime) -> Iterator[Anomaly]:
    """Yield what a source's failure means: a fault of what it reads, or only that we do not see it."""
    problem = status.problem
    if problem is None:
        return
    target = Target(status.host, status.kind, "" if status.name == status.kind else status.name)
    loss = loss_of(problem.says)
    served = status.kind in _SERVED
    if loss is None or loss is Loss.REFUSES or not served:
        yield _unseen(target, problem.says, loss, now)
        return
    name = _NAMES[status.kind] + (f" {status.name}" if status.name != status.kind else "")
    says = f"{name} on {status.host} {_SAYS[loss]}: {problem.says}"
    passing = loss in (Loss.HANGS, Loss.STARTING)
    aspect = {Loss.FULL: Aspect.RESOURCE, Loss.HANGS: Aspect.SLOW, Loss.BROKEN: Aspect.ERRORS}.get(loss, Aspect.DOWN)
    yield anomaly(
        f"lost_{loss.name.lower()}", target, aspect, Role.SUPPORT if loss is Loss.STARTING else Role.CAUSE, says,
        reading="error", at=now, severity=Severity.CRITICAL if loss in (Loss.DOWN, Loss.FULL) else Severity.HIGH,
        points=60 if passing else 68, port=port_of(problem.says), loss=loss.name,
        title=f"{name} on {status.host} {_SAYS[loss]}",
    )  # fmt: skip


def _unseen(target: Target, words: str, loss: Loss | None, now: datetime) -> Anomaly:
    return anomaly(
        "unseen", target, Aspect.ACCESS, Role.SUPPORT, f"{target} cannot be read: {line(words, 160)}", reading="error", at=now,
        severity=Severity.LOW, points=30,
        refused="yes" if loss is Loss.REFUSES and target.kind in _SERVED else "", port=port_of(words),
    )  # fmt: skip
