"""What every source has in common: its kind, how fresh what it holds is, what went wrong, and what asking costs."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Protocol


class Kind(StrEnum):
    """The kinds of sources (DESIGN: Commands)."""

    LIBVIRT = "libvirt"
    DOCKER = "docker"
    POSTGRES = "postgres"
    SYSTEM = "system"
    WEB = "web"
    NGINX = "nginx"
    TLS = "tls"
    CHROME = "chrome"
    GROQ = "groq"
    PROMETHEUS = "prometheus"
    LOKI = "loki"
    ALERTMANAGER = "alertmanager"
    GRAFANA = "grafana"
    REDIS = "redis"
    RABBITMQ = "rabbitmq"
    JOURNAL = "journal"
    BACKUP = "backup"


class Freshness(StrEnum):
    """How far a reading can be trusted now.

    live: read within the last three periods. stale: older than that, or the last attempt failed but the reading is kept.
    lost: never read, or its link is down. off: switched off by the configuration.
    """

    LIVE = "live"
    STALE = "stale"
    LOST = "lost"
    OFF = "off"


class LinkState(StrEnum):
    """State of the one connection to a host. refused: the operator must act (changed host key, bad credentials)."""

    UP = "up"
    CONNECTING = "connecting"
    LOST = "lost"
    REFUSED = "refused"


@dataclass(frozen=True, slots=True)
class Problem:
    """Why something could not be read, and how to mend it.

    Attributes:
        says: one line, what happened, in the words of the system that refused.
        hint: one line, what the operator can do; empty where nothing is known.
    """

    says: str
    hint: str = ""

    def __str__(self) -> str:
        return f"{self.says} ({self.hint})" if self.hint else self.says


@dataclass(frozen=True, slots=True)
class Gap:
    """One feature that a reading lacks (privilege, version, option), so that an empty list is never read as "none"."""

    feature: str
    problem: Problem


class Reading(Protocol):
    """What a source returns. Each kind has its own frozen dataclass; all have `taken_at` (UTC) and `gaps`."""

    @property
    def taken_at(self) -> datetime:
        """When it was read (UTC)."""
        ...

    @property
    def gaps(self) -> tuple[Gap, ...]:
        """What of it could not be read."""
        ...


@dataclass(frozen=True, slots=True)
class LinkStatus:
    """The link as the screen shows it.

    Attributes:
        state: see `LinkState`.
        problem: the last failure, which names the hop; None while up.
        since: when this state began (UTC).
        retry_at: when the next attempt is due (UTC); None while up or refused.
    """

    state: LinkState
    problem: Problem | None = None
    since: datetime | None = None
    retry_at: datetime | None = None

    @property
    def down(self) -> bool:
        """True while the link is lost or refused, also during a new attempt; False before the first one ended."""
        return self.state in (LinkState.LOST, LinkState.REFUSED) or (
            self.state is LinkState.CONNECTING and self.problem is not None
        )


@dataclass(frozen=True, slots=True)
class SourceStatus:
    """One source as the rest of the house sees it.

    Attributes:
        host, name, kind: which source. `name` equals the kind but where a host has several (`coach`, a database).
        freshness: see `Freshness`.
        problem: the last failure, None after a success.
        reading: the newest reading, kept while stale or lost.
        took_ms: how long the last attempt took, in milliseconds; None before the first.
        interval_s: the current time between two reads, in seconds (polling adapts).
        cost_share: share of one connection's time spent reading, took / interval, 0 to 1 and above.
        sequence: grows by one with every published change.
    """

    host: str
    name: str
    kind: Kind
    freshness: Freshness
    problem: Problem | None = None
    reading: Reading | None = None
    took_ms: float | None = None
    interval_s: float = 2.0
    cost_share: float = 0.0
    sequence: int = 0


@dataclass(frozen=True, slots=True)
class HostView:
    """One host: its link and its sources, in the order of the configuration."""

    name: str
    address: str
    link: LinkStatus
    sources: tuple[SourceStatus, ...] = ()

    def of_kind(self, kind: Kind) -> tuple[SourceStatus, ...]:
        """Return the sources of one kind."""
        return tuple(source for source in self.sources if source.kind is kind)


@dataclass(frozen=True, slots=True)
class FleetView:
    """Everything known at one moment: what a screen paints and what rules judge.

    Attributes:
        taken_at: when the view was made (UTC).
        hosts: in the order of the configuration.
        version: grows with every change; equal versions hold equal views.
    """

    taken_at: datetime
    hosts: tuple[HostView, ...] = ()
    version: int = 0
