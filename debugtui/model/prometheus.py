"""What is read of a Prometheus, or of what speaks its API."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime

from debugtui.model.monitoring import Firing
from debugtui.model.queries import QueryAnswer
from debugtui.model.source import Gap


@dataclass(frozen=True, slots=True)
class ScrapeTarget:
    """One target that it scrapes.

    Attributes:
        job, instance: its labels.
        health: `up`, `down` or `unknown` (not scraped yet).
        scraped_at: when it was last tried (UTC); None: never.
        took_s: how long that took, in seconds.
        error: why it failed, in Prometheus's words.
        url: what is scraped, without its query.
        interval_s: how often; None where not told.
    """

    job: str
    instance: str
    health: str
    scraped_at: datetime | None = None
    took_s: float | None = None
    error: str = ""
    url: str = ""
    interval_s: float | None = None

    @property
    def why(self) -> str:
        """The end of the error: `connect: connection refused`; before it stands what was asked for."""
        parts = [part for part in self.error.split(": ") if part]
        return ": ".join(parts[-2:]) if len(parts) > 2 else self.error


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule.

    Attributes:
        group: of the file.
        name: of the alert, or of the metric that it records.
        kind: `alerting` or `recording`.
        health: `ok`, `err` or `unknown` (not evaluated yet).
        error: why it failed, in Prometheus's words.
        evaluated_at: the last time (UTC); None: never.
        took_s: how long that took, in seconds.
        state: of an alerting one: `inactive`, `pending` or `firing`.
        query: its expression.
        interval_s: how often its group is evaluated.
    """

    group: str
    name: str
    kind: str
    health: str
    error: str = ""
    evaluated_at: datetime | None = None
    took_s: float | None = None
    state: str = ""
    query: str = ""
    interval_s: float | None = None


@dataclass(frozen=True, slots=True)
class AlertmanagerLink:
    """One Alertmanager that it knows.

    Attributes:
        url: where it sends.
        active: False: dropped by relabelling, so that nothing is sent there.
        errors: attempts that failed since it started; None where not told.
    """

    url: str
    active: bool
    errors: int | None = None


@dataclass(frozen=True, slots=True)
class Notifications:
    """How its notifications go, since it started.

    Attributes:
        queue, capacity: alerts that wait, and how many may.
        sent: alerts, for the Alertmanager that got the most; those that failed are among them.
        dropped: alerts that no Alertmanager took.
        dropped_recently: of these, in the last five minutes; None: not known.
    """

    queue: int | None = None
    capacity: int | None = None
    sent: int | None = None
    dropped: int | None = None
    dropped_recently: int | None = None


@dataclass(frozen=True, slots=True)
class PrometheusReading:
    """One server.

    Attributes:
        taken_at: when it was read (UTC).
        url: where its API is.
        version: its own; empty where not told.
        started_at: when it started (UTC).
        config_ok: whether the last reload of its configuration succeeded.
        config_at: when the last good one was taken (UTC).
        retention: how long samples are kept, as it says it (`15d`).
        head_series: series in memory.
        ahead_s: how far its clock is ahead of this machine's, in seconds.
        newest_age_s: age of its newest sample of `up`, by its own clock; None: there is none, or it was not read.
        targets: at most 2,000, those that are down first; None: not read.
        by_health: number of targets of each health, all of them.
        rules: at most 2,000, failing ones first; None: not read.
        alerts: pending and firing, at most 1,000; None: not read.
        alertmanagers: None: not read.
        notifications: None: not read.
        missed: evaluations that groups of rules missed in the last five minutes, by group; those that missed none are left out.
        answers: to the queries of the operator's own alert rules, by the rule's name.
        gaps: what could not be read.
    """

    taken_at: datetime
    url: str
    version: str = ""
    started_at: datetime | None = None
    config_ok: bool | None = None
    config_at: datetime | None = None
    retention: str = ""
    head_series: int | None = None
    ahead_s: float | None = None
    newest_age_s: float | None = None
    targets: tuple[ScrapeTarget, ...] | None = None
    by_health: dict[str, int] = field(default_factory=dict)
    rules: tuple[Rule, ...] | None = None
    alerts: tuple[Firing, ...] | None = None
    alertmanagers: tuple[AlertmanagerLink, ...] | None = None
    notifications: Notifications | None = None
    missed: dict[str, int] = field(default_factory=dict)
    answers: dict[str, QueryAnswer] = field(default_factory=dict)
    gaps: tuple[Gap, ...] = ()
