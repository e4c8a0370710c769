"""From a view of the fleet to its anomalies: what the alert rules find, made precise, and the diagnosis' own conditions."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from datetime import datetime, timedelta

from debugtui.alerts.outer import of_outer
from debugtui.alerts.rules import Finding, of_host, of_source
from debugtui.alerts.settings import DEFAULT, Rules
from debugtui.diagnosis.anomaly import Anomaly, Role, layer_of, source_of
from debugtui.diagnosis.own import conditions
from debugtui.diagnosis.own.access import of_lost
from debugtui.diagnosis.own.placed import placed_of
from debugtui.diagnosis.own.refine import refined
from debugtui.diagnosis.rulebook import entry_of
from debugtui.model.alerts import Severity
from debugtui.model.source import FleetView, Freshness, HostView, Kind, SourceStatus
from debugtui.model.target import Target
from debugtui.model.text import line

#: Since when each anomaly has been seen, by rule and target.
Seen = Mapping[tuple[str, Target], datetime]

#: What was there when the looking began, by rule and target: since when, only its own reading can tell.
Standing = frozenset[tuple[str, Target]]

#: An anomaly that may be over in a moment counts when it was there in an earlier reading, at least so long before.
CONFIRMED = timedelta(seconds=0.5)

#: Rules of who blocks others. Those who wait give up and come again, so that a blocker is remembered between two waits.
BLOCKS = ("lock_chain", "lock_wait")
#: How long.
REMEMBERED = timedelta(seconds=60)

#: Longest sentence about one anomaly, in characters.
SAYS = 240


def anomalies_of(
    view: FleetView, seen: Seen | None = None, rules: Rules = DEFAULT, standing: Standing = frozenset()
) -> tuple[Anomaly, ...]:
    """Return every anomaly of a view, in an order that does not depend on the order of hosts and sources.

    Args:
        view: what is known.
        seen: since when anomalies have been seen; without it nothing that may pass in a moment counts as confirmed.
        rules: the alert rules, with what the operator changed of them: what is no alert there is nothing here.
        standing: what was there when the looking began.
    """
    found: dict[tuple[str, Target], Anomaly] = {}
    for host in view.hosts:
        for anomaly in of_one_host(host, view.taken_at, rules):
            found.setdefault((anomaly.rule, anomaly.target), _dated(anomaly, seen or {}, standing))
    placed = placed_of(found.values(), view)
    return tuple(sorted(placed, key=lambda one: (str(one.target), one.rule)))


def of_one_host(host: HostView, now: datetime, rules: Rules = DEFAULT) -> Iterator[Anomaly]:
    """Yield the anomalies of one host, undated."""
    for finding in of_host(host, rules):
        yield _link(host, finding, now)
    if host.link.down:
        return
    for status in host.sources:
        if status.problem is not None and status.freshness is not Freshness.OFF:
            yield from of_lost(status, now)
        if status.reading is None or status.freshness in (Freshness.LOST, Freshness.OFF):
            continue
        for finding in (*of_source(status, now, rules), *of_outer(status, rules)):
            if finding.rule != "source_lost":
                yield from refined(_anomaly(status, finding), status)
        yield from conditions(status, now)


def _link(host: HostView, finding: Finding, now: datetime) -> Anomaly:
    entry = entry_of(finding.rule, Kind.SYSTEM, finding.severity)
    return Anomaly(
        rule=finding.rule,
        target=finding.target,
        layer=layer_of(finding.target),
        aspect=entry.aspect,
        role=entry.role,
        severity=finding.severity,
        says=line(f"{host.name}: {finding.message}", SAYS),
        source=finding.target,
        reading=entry.path,
        at=now,
        since=finding.since,
        points=entry.points,
        facts=(("state", host.link.state.value),),
    )


def _anomaly(status: SourceStatus, finding: Finding) -> Anomaly:
    entry = entry_of(finding.rule, status.kind, finding.severity)
    source, role = _source(status, finding.target), entry.role
    if finding.severity is Severity.LOW:
        role = Role.SUPPORT
    name = finding.target.name.removeprefix(f"{status.name}/") if status.name != status.kind else finding.target.name
    taken_at = status.reading.taken_at if status.reading is not None else datetime.min
    return Anomaly(
        rule=finding.rule,
        target=finding.target,
        layer=layer_of(finding.target),
        aspect=entry.aspect,
        role=role,
        severity=finding.severity,
        says=line(finding.message, SAYS),
        source=source,
        reading=entry.path.replace("{name}", name),
        at=taken_at,
        since=finding.since,
        points=entry.points,
        facts=(("for_s", f"{finding.for_s:g}"),) if finding.for_s else (),
    )


def _source(status: SourceStatus, target: Target) -> Target:
    """Return what an operator opens to see it: the thing itself where it has a reading of its own, else its source."""
    if target.kind in (Kind.LIBVIRT, Kind.DOCKER) or target.host != status.host:
        return target
    if status.kind in (Kind.SYSTEM, Kind.JOURNAL):
        return Target(status.host, status.kind)
    return source_of(target)


def _dated(anomaly: Anomaly, seen: Seen, standing: Standing) -> Anomaly:
    """Date an anomaly by when it was first seen, and let one that may pass in a moment count only when it is confirmed."""
    first = seen.get((anomaly.rule, anomaly.target))
    entry = entry_of(anomaly.rule, anomaly.target.kind, anomaly.severity)
    held = timedelta() if first is None else anomaly.at - first
    needed = timedelta(seconds=float(anomaly.fact("for_s") or 0.0))
    role = anomaly.role
    if entry.passing and not anomaly.fact("lasted") and role is not Role.SUPPORT and held < CONFIRMED:
        role = Role.SUPPORT
    if needed and role is Role.SUPPORT and held >= needed:
        role = Role.CAUSE  # its duration is proven: it was seen for as long as its rule demands
    if anomaly.rule == "idle_writer" and any((rule, anomaly.target) in seen for rule in BLOCKS):
        role = Role.CAUSE  # others waited for it a moment ago; they gave up, and will come again
    began = anomaly.since is not None or (anomaly.rule, anomaly.target) not in standing
    facts = anomaly.facts if began else (*anomaly.facts, ("began", "unknown"))
    return replace(anomaly, role=role, since=anomaly.since or first, facts=facts)


class Memory:
    """Remembers since when each anomaly has been seen. One serves one run; `start` takes over what an earlier one knew."""

    def __init__(self, start: Seen | None = None, rules: Rules = DEFAULT) -> None:
        """Begin, with the alert rules that make the anomalies."""
        self._rules = rules
        self.standing: Standing = frozenset()
        self._looking = False
        self.seen: dict[tuple[str, Target], datetime] = dict(start or {})
        self._last: dict[tuple[str, Target], datetime] = {}

    def note(self, view: FleetView) -> tuple[Anomaly, ...]:
        """Take note of a view; return its anomalies with their beginnings."""
        found = anomalies_of(view, self.seen, self._rules, self.standing)
        held = {(one.rule, one.target): one.at for one in found}
        self._last = {**self._last, **{key: at for key, at in held.items() if key[0] in BLOCKS}}
        self._last = {key: at for key, at in self._last.items() if view.taken_at - at < REMEMBERED}
        self.seen = {key: self.seen.get(key, at) for key, at in {**self._last, **held}.items()}
        self.standing = self.standing & self.seen.keys() if self._looking else frozenset(held)
        self._looking = True
        return found

    def known(self, alerts: Iterable[tuple[str, Target, datetime]]) -> None:
        """Take over since when alerts hold (rule, target, since), where that is earlier than what was seen here."""
        for rule, target, since in alerts:
            key = (rule, target)
            if key in self.seen:
                self.seen[key] = min(self.seen[key], since)
                self.standing -= {key}
