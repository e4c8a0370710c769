"""One thing that is not as it should be, as the diagnosis sees it: what, where, since when, and what it may lead to."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from debugtui.model.alerts import Severity
from debugtui.model.source import Kind
from debugtui.model.target import Target
from debugtui.model.topology import Layer


class Aspect(StrEnum):
    """What kind of trouble it is. What can lead to what is the table in `explain`."""

    DOWN = "down"
    ERRORS = "errors"
    SLOW = "slow"
    RESOURCE = "resource"
    BLOCKED = "blocked"
    CONFIG = "config"
    ACCESS = "access"
    CONTENT = "content"


class Role(StrEnum):
    """What an anomaly may be called.

    cause: it is at fault by itself, unless something that is known to lead to just this explains it.
    symptom: what users or neighbours feel; a cause only where nothing below explains it.
    support: never a finding by itself (a busy moment, a stopped container, a long query); it may explain a symptom.
    """

    CAUSE = "cause"
    SYMPTOM = "symptom"
    SUPPORT = "support"


@dataclass(frozen=True, slots=True)
class Anomaly:
    """One anomaly.

    Attributes:
        rule: name of the rule or condition that found it.
        target: what it is about, as the rule names it.
        layer: where that stands.
        aspect, role: see there.
        severity: how bad it is.
        says: one sentence with the figure; safe to show.
        source: the thing whose reading tells it; opening it opens this.
        reading: the path in that reading, as in `check --json`.
        at: when that was read (UTC).
        since: when it began, as far as the reading tells (UTC).
        points: how sure the rule is by itself, in hundredths (see docs/diagnosis.md).
        facts: what remedies and titles need, by name; data of the reading, never read as anything else.
    """

    rule: str
    target: Target
    layer: Layer
    aspect: Aspect
    role: Role
    severity: Severity
    says: str
    source: Target
    reading: str
    at: datetime
    since: datetime | None = None
    points: int = 60
    facts: tuple[tuple[str, str], ...] = ()

    @property
    def node(self) -> Target:
        """The thing in the topology that it is about: a session stands for its database, a page's script for the page."""
        return node_of(self.target)

    def fact(self, name: str) -> str:
        """Return one fact; empty where it is not known."""
        return next((value for key, value in self.facts if key == name), "")


#: The kinds whose targets' names go on after their source's own name: `coach/4711`, `front/app.js:2`.
_PARTS = frozenset(
    {
        Kind.POSTGRES,
        Kind.WEB,
        Kind.TLS,
        Kind.CHROME,
        Kind.NGINX,
        Kind.PROMETHEUS,
        Kind.LOKI,
        Kind.ALERTMANAGER,
        Kind.GRAFANA,
        Kind.REDIS,
        Kind.RABBITMQ,
    }
)
#: The three ways of looking at one web address.
ROUTE = frozenset({Kind.WEB, Kind.TLS, Kind.CHROME})
MONITORS = frozenset({Kind.PROMETHEUS, Kind.LOKI, Kind.ALERTMANAGER, Kind.GRAFANA})

LAYERS: dict[str, Layer] = {
    Kind.LIBVIRT: Layer.KVM,
    Kind.DOCKER: Layer.DOCKER,
    Kind.POSTGRES: Layer.POSTGRES,
    Kind.REDIS: Layer.HOST,
    Kind.RABBITMQ: Layer.HOST,
    Kind.GROQ: Layer.GROQ,
    Kind.WEB: Layer.WEB,
    Kind.TLS: Layer.WEB,
    Kind.CHROME: Layer.WEB,
    Kind.NGINX: Layer.WEB,
    Kind.PROMETHEUS: Layer.MONITORING,
    Kind.LOKI: Layer.MONITORING,
    Kind.ALERTMANAGER: Layer.MONITORING,
    Kind.GRAFANA: Layer.MONITORING,
    Kind.SYSTEM: Layer.HOST,
    Kind.JOURNAL: Layer.HOST,
    Kind.BACKUP: Layer.HOST,
}


def layer_of(target: Target) -> Layer:
    """Return where a target stands."""
    return LAYERS.get(target.kind, Layer.HOST)


def source_of(target: Target) -> Target:
    """Return the source that a target of a named kind belongs to; the target itself for the others."""
    if target.kind in _PARTS:
        return Target(target.host, target.kind, target.name.partition("/")[0])
    return target


def node_of(target: Target) -> Target:
    """Return the thing in the topology that a target is, or is a part of. A page and its certificate are the web address."""
    about = source_of(target)
    return Target(about.host, Kind.WEB, about.name) if about.kind in ROUTE else about
