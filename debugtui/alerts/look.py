"""One look at a view: what the rules find in it, which reading says so, and what could not be judged."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from enum import Enum, auto

from debugtui.alerts.doubles import Doubles
from debugtui.alerts.finding import Finding
from debugtui.alerts.outer import of_outer
from debugtui.alerts.own import own_findings, unanswered
from debugtui.alerts.rules import of_host, of_source
from debugtui.alerts.settings import Rules
from debugtui.alerts.unread import unread
from debugtui.model.alert_memory import Key, Origin
from debugtui.model.source import FleetView, Freshness, HostView, Kind, LinkState, SourceStatus


class Trust(Enum):
    """What silence of a reading means.

    READ: the fault is gone. OLD: nothing new is known; what held holds on. UNREAD: whether it still holds is not known.
    OFF: nobody looks any more. ABSENT: nobody looked this time.
    """

    READ = auto()
    OLD = auto()
    UNREAD = auto()
    OFF = auto()
    ABSENT = auto()


@dataclass(slots=True)
class Look:
    """What one look found. `found`: the worst finding of each rule and target; `dark`: rules that a reading cannot judge.

    `down`: the hosts whose link is.
    """

    found: dict[Key, tuple[Finding, Origin]] = field(default_factory=dict)
    trust: dict[Origin, Trust] = field(default_factory=dict)
    dark: dict[Origin, frozenset[str]] = field(default_factory=dict)
    down: set[str] = field(default_factory=set)

    def trust_of(self, origin: Origin, rule: str) -> Trust:
        """Return what it means that a rule found nothing in a reading."""
        trust = self.trust.get(origin, Trust.ABSENT)
        return Trust.UNREAD if trust is Trust.READ and rule in self.dark.get(origin, frozenset()) else trust


_Version = tuple[int, Freshness, bool]


class Judge:
    """Judges views; a source that did not change since is not judged again, unless its findings grow with time."""

    def __init__(self, rules: Rules) -> None:
        """Prepare.

        Args:
            rules: those that yield what is between threshold and end as well (`Rules.watching`).
        """
        self._rules = rules
        self._doubles = Doubles()
        self._judged: dict[Origin, tuple[_Version, list[Finding], frozenset[str]]] = {}

    def look(self, view: FleetView) -> Look:
        """Judge a view."""
        look = Look()
        for host in view.hosts:
            link = (host.name, "", "")
            look.trust[link] = _trust_of_link(host)
            _add(look, of_host(host, self._rules), link)
            if host.link.down:
                look.down.add(host.name)
            for status in host.sources:
                origin = (status.host, status.kind.value, status.name)
                look.trust[origin] = Trust.UNREAD if host.link.down else _trust(status)
                if not host.link.down:
                    found, dark = self._of_source(origin, status, view)
                    _add(look, self._doubles.without(found, view), origin)
                    look.dark[origin] = dark
        return look

    def _of_source(self, origin: Origin, status: SourceStatus, view: FleetView) -> tuple[list[Finding], frozenset[str]]:
        version = (status.sequence, status.freshness, status.problem is None)
        judged = self._judged.get(origin)
        if judged is not None and judged[0] == version and status.sequence and status.kind is not Kind.POSTGRES:
            return judged[1], judged[2]
        rules = self._rules
        found = [*of_source(status, view.taken_at, rules), *of_outer(status, rules), *own_findings(status, rules)]
        dark = unread(status.reading) | unanswered(status, rules)
        self._judged[origin] = (version, found, dark)
        return found, dark


def _add(look: Look, found: Iterator[Finding] | list[Finding], origin: Origin) -> None:
    """Keep one finding of each rule and target: one that is raised before one that is not, then the worst, then the first."""
    for finding in found:
        key = (finding.rule, finding.target)
        kept = look.found.get(key)
        if kept is None or _weight(finding) < _weight(kept[0]):
            look.found[key] = (finding, origin)


def _weight(finding: Finding) -> tuple[bool, bool, int]:
    return (not finding.raised, finding.holds is None, finding.severity.rank)


def _trust_of_link(host: HostView) -> Trust:
    return Trust.READ if host.link.down or host.link.state is LinkState.UP else Trust.UNREAD


def _trust(status: SourceStatus) -> Trust:
    if status.freshness is Freshness.OFF:
        return Trust.OFF
    if status.freshness is Freshness.LOST or status.reading is None:
        return Trust.UNREAD
    return Trust.READ if status.freshness is Freshness.LIVE else Trust.OLD
