"""The diagnosis: from readings, topology and second looks to causes. Pure and deterministic: the same in, the same out."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime

from debugtui.alerts.settings import DEFAULT, Rules
from debugtui.diagnosis.anomaly import Anomaly, Role
from debugtui.diagnosis.changes import changes_of
from debugtui.diagnosis.decide import ENOUGH, finding_of
from debugtui.diagnosis.explain import Root, explain
from debugtui.diagnosis.found import Seen, Standing, anomalies_of
from debugtui.diagnosis.looked import Looked
from debugtui.diagnosis.own.logins import with_logins
from debugtui.diagnosis.own.moved import with_moved
from debugtui.diagnosis.own.pressure import with_processes, with_quick
from debugtui.diagnosis.own.servers import with_servers
from debugtui.diagnosis.own.silent import with_silent
from debugtui.diagnosis.own.stopped import with_stopped
from debugtui.diagnosis.own.told import with_told
from debugtui.diagnosis.own.witnesses import without_contradicted
from debugtui.diagnosis.reach import Reach
from debugtui.diagnosis.surroundings import Surroundings
from debugtui.diagnosis.undecided import refused, unseen, unsure
from debugtui.model.diagnosis import Diagnosis, Finding, Undecided
from debugtui.model.execution import Execution
from debugtui.model.source import FleetView, LinkState
from debugtui.model.target import Target
from debugtui.model.topology import Topology

#: Most findings and questions; what is more is in the alerts.
MOST = 20


def diagnose(
    view: FleetView,
    topology: Topology | None = None,
    *,
    looked: Looked | None = None,
    history: Seen | None = None,
    executions: Iterable[Execution] = (),
    released: frozenset[Target] | None = None,
    rules: Rules = DEFAULT,
    standing: Standing = frozenset(),
    now: datetime | None = None,
) -> Diagnosis:
    """Return the root causes of what is wrong, and what could not be decided.

    Args:
        view: what is read.
        topology: how it hangs together; None: only what readings tell themselves.
        looked: what targeted looks found; None: nobody looked again.
        history: since when anomalies have been seen, by rule and target; without it nothing that may pass counts.
        executions: of our own, the newest.
        released: web addresses whose files are served through a release that can be changed; None: not known.
        rules: the alert rules, with what the operator changed of them.
        standing: what was there when the looking began: that it began later than something else is not known.
        now: the moment of the diagnosis (UTC); the view's where None.
    """
    moment, seen = now or view.taken_at, looked or Looked()
    known = topology or Topology(moment)
    reach = Reach(known)
    anomalies = with_servers(anomalies_of(view, history, rules, standing), view)
    anomalies = with_quick(with_processes(anomalies, seen.processes), view)
    anomalies, contradicted = without_contradicted(anomalies, view, reach)
    anomalies = with_stopped(with_silent(with_moved(anomalies, view, reach), view, known), seen.stopped)
    anomalies, clues = with_logins(anomalies, with_told(seen.clues, anomalies, reach), reach)
    changes = changes_of(view, executions)
    around = Surroundings(view, reach, seen.spaces, released)
    roots = [root for root in explain(anomalies, reach, clues) if _may_be_called(root, view)]
    found = [finding_of(root, clues, changes, around, moment) for root in roots]
    sure = sorted((one for one in found if round(one.confidence * 100) >= ENOUGH), key=_order(roots, found))
    open_questions = [*refused(view), *unseen(anomalies), *contradicted]
    open_questions += [unsure(one) for one in found if round(one.confidence * 100) < ENOUGH]
    return Diagnosis(moment, tuple(sure[:MOST]), _distinct(open_questions), changes)


def _may_be_called(root: Root, view: FleetView) -> bool:
    """A host that refuses us is not at fault; what only explains itself is no finding."""
    if root.cause.rule == "link_lost" and root.cause.fact("state") == LinkState.REFUSED.value:
        return False
    return root.cause.role is not Role.SUPPORT or any(link.above.role is not Role.SUPPORT for link in root.links)


def _order(roots: Sequence[Root], found: Sequence[Finding]) -> _Key:
    reaches = {one.id: len({link.above.node for link in root.links}) for root, one in zip(roots, found, strict=True)}
    return _Key(reaches)


class _Key:
    """The worst first, then what explains most, then the surest, then the earliest; the target decides the rest."""

    def __init__(self, reaches: dict[str, int]) -> None:
        self._reaches = reaches

    def __call__(self, finding: Finding) -> tuple[object, ...]:
        since = finding.since.timestamp() if finding.since is not None else float("inf")
        return (finding.severity.rank, -self._reaches[finding.id], -finding.confidence, since, str(finding.target), finding.id)


def _distinct(questions: Iterable[Undecided]) -> tuple[Undecided, ...]:
    return tuple(dict.fromkeys(sorted(questions, key=lambda one: (one.reading, one.question))))[:MOST]


def suspicious(anomalies: Iterable[Anomaly]) -> tuple[Anomaly, ...]:
    """Return what is worth a second look: everything but what only cannot be seen."""
    return tuple(one for one in anomalies if one.rule != "unseen")
