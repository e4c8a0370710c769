"""What the monitoring servers have in common: alerts that fire there, silences, and what a query answers."""

from __future__ import annotations

import hashlib
import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime

from debugtui.model.target import Target

#: The labels that say best what an alert is about, best first.
ABOUT = ("instance", "service", "container", "name", "pod", "node", "host", "app", "job")


@dataclass(frozen=True, slots=True)
class Firing:
    """One alert as a monitoring server tells it.

    Attributes:
        name: of its rule (`alertname`).
        labels: all of them, by name.
        state: `pending` or `firing` in Prometheus; `active`, `suppressed` or `unprocessed` in an Alertmanager.
        severity: its label `severity`; empty: it has none.
        since: since when it is active (UTC).
        value: of its expression; None where not told.
        summary: its annotation `summary`, else `description` or `message`.
        fingerprint: the Alertmanager's id of its labels; empty where not told.
        silenced_by: ids of the silences that hold it back.
        inhibited_by: fingerprints of the alerts that hold it back.
        receivers: who is notified.
    """

    name: str
    labels: dict[str, str] = field(default_factory=dict)
    state: str = ""
    severity: str = ""
    since: datetime | None = None
    value: float | None = None
    summary: str = ""
    fingerprint: str = ""
    silenced_by: tuple[str, ...] = ()
    inhibited_by: tuple[str, ...] = ()
    receivers: tuple[str, ...] = ()

    @property
    def about(self) -> str:
        """What it is about: the best of its labels; empty where none says."""
        return next((self.labels[name] for name in ABOUT if self.labels.get(name)), "")

    @property
    def fires(self) -> bool:
        """Whether it fires: a pending one does not yet, a suppressed one does, and nobody is told."""
        return self.state not in ("pending", "inactive")


def names_of(alerts: Sequence[Firing]) -> list[str]:
    """Return a name for each alert of one server, unique among them: `NodeDown/10.0.0.1:9100`."""
    plain = ["/".join(part for part in (alert.name, alert.about) if part) for alert in alerts]
    often = Counter(plain)
    return [name if often[name] == 1 else f"{name}/{digest(alert.labels)}" for name, alert in zip(plain, alerts, strict=True)]


def digest(labels: dict[str, str]) -> str:
    """Return eight letters that stand for a set of labels."""
    text = "\x00".join(f"{name}\x01{value}" for name, value in sorted(labels.items()))
    return hashlib.sha256(text.encode("utf-8", errors="surrogatepass")).hexdigest()[:8]


def alert_targets(server: Target, alerts: Sequence[Firing]) -> list[Target]:
    """Return the target of each alert of one server."""
    return [Target(server.host, server.kind, f"{server.name}/{name}") for name in names_of(alerts)]


@dataclass(frozen=True, slots=True)
class QuerySeries:
    """One series of an answer.

    Attributes:
        labels: by name, `__name__` too.
        times: UNIX seconds, oldest first; one where the query was instant.
        values: as many; NaN and infinities as they are.
    """

    labels: dict[str, str]
    times: tuple[float, ...]
    values: tuple[float, ...]


@dataclass(frozen=True, slots=True)
class QueryResult:
    """What a query answers.

    Attributes:
        kind: `vector`, `matrix`, `scalar` or `string`.
        series: of a vector or a matrix; a scalar has one without labels.
        text: of a string.
        more: there were more series; these are the first ones.
        warnings: in the server's words.
    """

    kind: str
    series: tuple[QuerySeries, ...] = ()
    text: str = ""
    more: bool = False
    warnings: tuple[str, ...] = ()


def label_text(labels: dict[str, str]) -> str:
    """Return a set of labels as PromQL writes a series: `up{instance="…", job="…"}`."""
    inside = ", ".join(f'{name}="{value}"' for name, value in labels.items() if name != "__name__")
    name = labels.get("__name__", "")
    return f"{name}{{{inside}}}" if inside or not name else name


def value_text(value: float) -> str:
    """Return a value as Prometheus writes it."""
    if math.isnan(value):
        return "NaN"
    if math.isinf(value):
        return "+Inf" if value > 0 else "-Inf"
    return str(int(value)) if value == int(value) and abs(value) < 1e15 else repr(value)
