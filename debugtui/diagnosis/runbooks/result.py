"""From what a step saw on its things to its result: one verdict, what it means, what to do, what would answer it. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import datetime

from debugtui.config.redaction import redact
from debugtui.diagnosis.runbooks.aim import WHOLE_HOST, Around, Place
from debugtui.diagnosis.runbooks.judge import Judged, judged, shown_figure
from debugtui.diagnosis.runbooks.seen import OUTPUT, Seen, of_problem
from debugtui.diagnosis.runbooks.step import Outcome, Step
from debugtui.model.diagnosis import Offer
from debugtui.model.runbook import StepRun, StepVerdict, worst
from debugtui.model.source import Kind
from debugtui.model.target import Target
from debugtui.model.text import line

#: Most rows that a remediation is offered for.
OFFERED = 3
#: Remediations of sessions, which a database has many of.
_OF_SESSIONS = frozenset({"postgres.cancel_query", "postgres.terminate_session"})
#: Remediations that make no sense without a row that names what they are for.
_OF_ROWS = frozenset({*_OF_SESSIONS, "system.end_process"})
#: Remediations of a host as a whole, and what their target is called there.
_OF_HOSTS = {"docker.prune_images": "", "system.vacuum_journal": "journal", "system.clean_packages": "packages"}
#: A verdict that no outcome speaks of has that of the next milder one.
_INSTEAD = {StepVerdict.CRITICAL: StepVerdict.WARNING}


def result(run: StepRun, step: Step, seen: Sequence[tuple[Place, Seen]], around: Around, now: datetime) -> StepRun:
    """Return a step's run with everything that was seen.

    Args:
        run: with number, title and time.
        step: what was asked.
        seen: what came of each thing.
        around: the things around the target, for remediations of other kinds.
        now: what ages are counted from.
    """
    verdicts = [(place, one, _verdict(step, one, now)) for place, one in seen]
    verdict = worst(one.verdict for _, _, one in verdicts)
    at_fault = [(place, one) for place, _, one in verdicts if one.verdict is verdict]
    outcome = outcome_of(step, verdict)
    return replace(
        run,
        verdict=verdict,
        places=tuple(place.target for place, _ in seen),
        ran=tuple(redact(line(one.ran, 2_000)) for _, one in seen if one.ran),
        output=_output(seen),
        says=_says(at_fault, several=len(seen) > 1),
        figure=at_fault[0][1].figure,
        means=(outcome.means or "") if outcome else "",
        todo=outcome.do if outcome else (),
        next=(outcome.next or "") if outcome else "",
        offers=_offers(outcome, at_fault, around) if outcome else (),
    )


def outcome_of(step: Step, verdict: StepVerdict) -> Outcome | None:
    """Return what a step says of a verdict."""
    return step.then.get(verdict.value) or step.then.get(_INSTEAD.get(verdict, verdict).value)


def _verdict(step: Step, seen: Seen, now: datetime) -> Judged:
    if seen.problem:
        return of_problem(seen)
    if step.judge is None:
        return Judged(StepVerdict.SHOWN, seen.old)
    if seen.figures is None:
        return Judged(StepVerdict.UNKNOWN, "nothing that can be judged came")
    found = judged(step.judge, seen.figures, now, of=seen.of, none=seen.none)
    if not seen.old:
        return _about(step, found)
    # What was bad a while ago is worth looking at; what was well then says nothing of now.
    verdict = StepVerdict.UNKNOWN if found.verdict is StepVerdict.OK else found.verdict
    return _about(step, replace(found, verdict=verdict, says=f"{found.says}, but {seen.old}"))


def _about(step: Step, found: Judged) -> Judged:
    """Name in the sentence what the bad rows are about, and keep nothing else of them."""
    values = [row[step.about] for row in found.rows if row.get(step.about) not in (None, "")] if step.about else []
    values = list(dict.fromkeys(values))
    found = replace(found, rows=tuple({"about": value} for value in values))
    if not values or found.verdict is StepVerdict.OK:
        return found
    more = f" and {len(values) - OFFERED} more" if len(values) > OFFERED else ""
    return replace(found, says=f"{', '.join(shown_figure(value) for value in values[:OFFERED])}{more}: {found.says}")


def _says(found: Sequence[tuple[Place, Judged]], *, several: bool) -> str:
    if not found:
        return ""
    texts = [f"{place.target}: {one.says}" if several and one.says else one.says for place, one in found]
    return redact(line("; ".join(dict.fromkeys(text for text in texts if text)), 600))


def _output(seen: Sequence[tuple[Place, Seen]]) -> str:
    if len(seen) == 1:
        return seen[0][1].output
    parts = [f"--- {place.target}\n{one.output or one.problem}" for place, one in seen]
    text = "\n".join(parts)
    return text if len(text) <= OUTPUT else f"{text[:OUTPUT]}\n… ({len(text) - OUTPUT} more characters)"


# --- what would answer it


def _offers(outcome: Outcome, found: Sequence[tuple[Place, Judged]], around: Around) -> tuple[Offer, ...]:
    offers = [Offer(name, target) for name in outcome.remediations for target in _answers(name, found, around)]
    return tuple(dict.fromkeys(offers))


def _answers(name: str, found: Sequence[tuple[Place, Judged]], around: Around) -> Iterable[Target]:
    """Return what a remediation would be planned for: the rows that were bad, else the things themselves."""
    layer = name.partition(".")[0]
    if layer not in tuple(Kind):
        return ()
    kind = Kind(layer)
    rows = [target for place, one in found for target in _rows(name, kind, place, one)]
    if rows:
        return list(dict.fromkeys(rows))[:OFFERED]
    if name in _OF_ROWS:
        session = around.aim.target
        return [session] if name in _OF_SESSIONS and session.kind == Kind.POSTGRES and "/" in session.name else []
    if name in _OF_HOSTS:
        return [Target(host, kind, _OF_HOSTS[name]) for host in around.hosts()]
    return [place.target for place in around.places(kind, named=True)][:OFFERED]


def _rows(name: str, kind: Kind, place: Place, found: Judged) -> Iterable[Target]:
    """Yield the things that the bad rows are about, as far as a remediation is for such things."""
    if place.target.kind != kind or name in _OF_HOSTS:
        return
    for row in found.rows:
        about = shown_figure(row["about"])
        if kind is Kind.POSTGRES:
            if name in _OF_SESSIONS:
                yield Target(place.target.host, kind, f"{place.target.name}/{about}")
        elif kind in WHOLE_HOST:
            yield Target(place.target.host, kind, about)
