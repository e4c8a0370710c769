"""From causes to findings: how sure each is, its evidence from the symptom to the cause, what suffers, what answers it."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from datetime import datetime

from debugtui.diagnosis.anomaly import MONITORS, ROUTE, Anomaly, Role, node_of
from debugtui.diagnosis.changes import before
from debugtui.diagnosis.clues import Clue
from debugtui.diagnosis.explain import Link, Root, depth_of
from debugtui.diagnosis.reach import Relation
from debugtui.diagnosis.remedies import offers
from debugtui.diagnosis.runbook_names import runbook_of
from debugtui.diagnosis.surroundings import Surroundings
from debugtui.diagnosis.titles import title_of
from debugtui.model.alerts import Severity
from debugtui.model.diagnosis import Evidence, Finding
from debugtui.model.source import Kind
from debugtui.model.target import Target
from debugtui.model.topology import Layer

#: Hundredths that another reading adds which agrees: by how it is known that it rests on the cause.
AGREES: dict[Relation, int] = {
    Relation.GUESS: 3,
    Relation.HOST: 5,
    Relation.INFERRED: 7,
    Relation.EDGE: 9,
    Relation.SAME: 6,
    Relation.CLUE: 10,
}
#: What a log that tells the same adds, and a change right before; what a cause loses that is only known as a companion.
CLUE, CHANGE, PROMOTED = 6, 4, -6
#: Readings beyond these add nothing; and nothing is ever quite certain.
MOST_AGREEING, MOST = 4, 97
#: Below this nothing is called a cause.
ENOUGH = 50

MOST_EVIDENCE, MOST_IMPACT = 14, 12


def points_of(root: Root, clues: Sequence[Clue], changed: bool) -> int:
    """Return how sure a cause is, in hundredths; see docs/diagnosis.md."""
    by_source: dict[Target, int] = {}
    for link in root.links:
        if link.above.source != root.cause.source:
            by_source[link.above.source] = max(by_source.get(link.above.source, 0), AGREES[link.relation])
    for anomaly in root.beside:
        by_source.setdefault(anomaly.source, AGREES[Relation.SAME] if anomaly.source != root.cause.source else 2)
    agreeing = sorted(by_source.values(), reverse=True)[:MOST_AGREEING]
    points = root.cause.points + sum(agreeing)
    if root.cause.role is Role.SUPPORT:
        points += PROMOTED
    return min(MOST, max(0, points + (CLUE if clues else 0) + (CHANGE if changed else 0)))


def finding_of(root: Root, clues: Sequence[Clue], changes: Sequence[Evidence], around: Surroundings, now: datetime) -> Finding:
    """Return the finding of one cause; whether it is sure enough is for the caller to judge."""
    cause = root.cause
    own = [clue for clue in clues if clue.source in (cause.target, cause.node)]
    since = _since(root)
    recent = before(changes, frozenset({cause.target, cause.node}), since, now)
    target = _target(cause)
    return Finding(
        id=_id(cause.rule, cause.target),
        layer=_layer(root),
        target=target,
        title=title_of(cause, own, _dead(root)),
        confidence=points_of(root, own, bool(recent)) / 100,
        severity=_severity(root),
        since=since,
        evidence=_evidence(root, [*own, *(clue for clue in clues if clue not in own and _told_of(root, clue, around))], recent),
        impact=_impact(root),
        remediations=offers(root, around),
        runbook=runbook_of(cause),
    )


def _id(rule: str, target: Target) -> str:
    return "fnd_" + hashlib.sha256(f"{rule} {target}".encode()).hexdigest()[:12]


#: What a container is called that watches others.
_WATCHERS = ("exporter", "prometheus", "alertmanager", "grafana", "loki", "promtail", "cadvisor")


def _layer(root: Root) -> Layer:
    """Return where a cause lies: a container that only watches others, and that only the monitoring misses, belongs to that."""
    cause = root.cause
    if cause.target.kind == Kind.DOCKER and root.links and all(link.above.target.kind in MONITORS for link in root.links):
        name = f"{cause.target.name} {cause.fact('image')}".lower()
        if any(word in name for word in _WATCHERS):
            return Layer.MONITORING
    return cause.layer


def _target(cause: Anomaly) -> Target:
    """Return what is at fault: a script is its page, an upstream its nginx, a scraped target its Prometheus; else itself."""
    if cause.target.kind in (Kind.WEB, Kind.CHROME, Kind.NGINX, *MONITORS):
        return node_of(cause.target)
    if cause.target.kind == Kind.POSTGRES and not _session(cause):
        return node_of(cause.target)
    return cause.target


def _session(cause: Anomaly) -> bool:
    return bool(cause.fact("pid") or cause.fact("gid") or cause.fact("slot")) or cause.rule in (
        "slot_lost",
        "replica_lag",
        "prepared_transaction",
    )


def _dead(root: Root) -> str:
    return next((one.fact("address") for one in root.all() if one.fact("address")), "")


def _since(root: Root) -> datetime | None:
    if root.cause.since is not None:
        return root.cause.since
    return min((one.since for one in root.beside if one.since is not None), default=None)


def _severity(root: Root) -> Severity:
    felt = [one.severity for one in root.all() if one.role is not Role.SUPPORT or one is root.cause]
    return min(felt, key=lambda one: one.rank)


def _evidence(root: Root, clues: Sequence[Clue], recent: Sequence[Evidence]) -> tuple[Evidence, ...]:
    """The chain: what is felt first, what is at fault last, a change that came before it in front of it."""
    links = sorted(
        root.links,
        key=lambda link: (depth_of(link.above.target), link.above.severity.rank, str(link.above.target), link.above.rule),
    )
    rows = [_row(link.above, link) for link in links]
    rows += [_told(clue) for clue in clues]
    rows += [*recent, *(_row(one) for one in root.beside)]
    kept: list[Evidence] = []
    last = _row(root.cause)
    for row in rows:
        if row != last and all((row.source, row.reading, row.says) != (one.source, one.reading, one.says) for one in kept):
            kept.append(row)
    return (*kept[: MOST_EVIDENCE - 1], last)


def _row(anomaly: Anomaly, link: Link | None = None) -> Evidence:
    why = f" ({link.why})" if link is not None and link.why and link.relation is not Relation.SAME else ""
    return Evidence(anomaly.source, anomaly.reading, anomaly.at, f"{anomaly.says}{why}")


def _told_of(root: Root, clue: Clue, around: Surroundings) -> bool:
    """Whether a log belongs to the story: of what suffers, or of what a route that fails for no other reason rests on."""
    things = {node for one in root.all() for node in (one.target, one.node)}
    if root.cause.target.kind in (*ROUTE, Kind.NGINX):
        things |= set(around.reach.of(root.cause))
    return clue.source in things


def _told(clue: Clue) -> Evidence:
    return Evidence(clue.source, "log", clue.at, clue.sentence)


def _impact(root: Root) -> tuple[str, ...]:
    """What suffers, the nearest to the user first; once each."""
    said: dict[Target, str] = {}
    felt = (*(link.above for link in root.links), *root.beside)
    for anomaly in sorted(felt, key=lambda one: (depth_of(one.target), one.severity.rank, str(one.target))):
        if anomaly.node != root.cause.node:
            said.setdefault(anomaly.node, f"{anomaly.node}: {anomaly.says}")
    waiting = root.cause.fact("waiting")
    if waiting and not waiting.isdigit():
        said[root.cause.target] = f"{root.cause.node}: {root.cause.fact('waiters')} sessions wait ({waiting})"
    return tuple(list(said.values())[:MOST_IMPACT])
