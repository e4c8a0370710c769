"""What is read of an Alertmanager."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from debugtui.model.monitoring import Firing
from debugtui.model.source import Gap


@dataclass(frozen=True, slots=True)
class Silence:
    """One silence that holds, or that will.

    Attributes:
        id: the Alertmanager's own.
        state: `active` or `pending`.
        matchers: as it writes them: `alertname="NodeDown"`, `job=~"web.*"`.
        by: who made it.
        comment: why.
        starts_at, ends_at: UTC.
    """

    id: str
    state: str
    matchers: tuple[str, ...]
    by: str = ""
    comment: str = ""
    starts_at: datetime | None = None
    ends_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Integration:
    """How notifications go on one way (`webhook`, `email`...).

    Attributes:
        name: of the integration.
        requests, failed: attempts since it started, and those of them that failed.
        requests_recently, failed_recently: the same of the last five minutes; None: not known yet.
    """

    name: str
    requests: int
    failed: int
    requests_recently: int | None = None
    failed_recently: int | None = None


@dataclass(frozen=True, slots=True)
class AlertmanagerReading:
    """One Alertmanager.

    Attributes:
        taken_at: when it was read (UTC).
        url: where its API is.
        version: its own.
        started_at: when it started (UTC).
        cluster: `ready`, `settling` or `disabled` (it stands alone).
        peers: names of the members of its cluster, itself too.
        receivers: names of those who may be notified.
        alerts: at most 1,000, those that are active first; None: not read.
        silences: that hold or will; None: not read.
        config_hash: of the configuration in force.
        config_ok: whether the last reload succeeded.
        config_at: when the last good configuration was taken (UTC).
        integrations: those that were ever used; None: not read.
        gaps: what could not be read.
    """

    taken_at: datetime
    url: str
    version: str = ""
    started_at: datetime | None = None
    cluster: str = ""
    peers: tuple[str, ...] = ()
    receivers: tuple[str, ...] = ()
    alerts: tuple[Firing, ...] | None = None
    silences: tuple[Silence, ...] | None = None
    config_hash: str = ""
    config_ok: bool | None = None
    config_at: datetime | None = None
    integrations: tuple[Integration, ...] | None = None
    gaps: tuple[Gap, ...] = ()
