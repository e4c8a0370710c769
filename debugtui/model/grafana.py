"""What is read of a Grafana."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from debugtui.model.monitoring import Firing
from debugtui.model.source import Gap


@dataclass(frozen=True, slots=True)
class Datasource:
    """Where its panels get their figures from.

    Attributes:
        uid: Grafana's own id.
        name: as its users know it.
        kind: `prometheus`, `loki`, `postgres`...
        url: where it is, as seen from Grafana.
        ok: whether Grafana's own check of it succeeded; None: not known (no such check, no permission, not asked yet).
        says: what the check said.
        checked_at: when (UTC): at most once a minute.
        default: it is the one that panels use where they name none.
    """

    uid: str
    name: str
    kind: str
    url: str = ""
    ok: bool | None = None
    says: str = ""
    checked_at: datetime | None = None
    default: bool = False


@dataclass(frozen=True, slots=True)
class Dashboard:
    """One dashboard: its title, the folder that it lies in, its path below Grafana's URL."""

    uid: str
    title: str
    folder: str = ""
    path: str = ""


@dataclass(frozen=True, slots=True)
class GrafanaReading:
    """One Grafana.

    Attributes:
        taken_at: when it was read (UTC).
        url: where it is.
        version: its own; it may hide it from those who are not known to it.
        database: what it says of its database: `ok` or `failing`; empty: it does not tell.
        datasources: at most 100, of which 40 are checked; None: not read.
        dashboards: at most 1,000; None: not read.
        alerts: of its own alerting, at most 1,000; None: not read.
        gaps: what could not be read.
    """

    taken_at: datetime
    url: str
    version: str = ""
    database: str = ""
    datasources: tuple[Datasource, ...] | None = None
    dashboards: tuple[Dashboard, ...] | None = None
    alerts: tuple[Firing, ...] | None = None
    gaps: tuple[Gap, ...] = ()
