"""Runbooks and their runs as lines of text and as JSON values."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from debugtui.config.redaction import redact
from debugtui.diagnosis.runbooks.load import Found
from debugtui.diagnosis.runbooks.step import Step
from debugtui.model.jsonable import jsonable
from debugtui.model.runbook import RunbookRun, StepRun, StepVerdict

#: A sign for each verdict; the word stands beside it.
SIGNS: dict[StepVerdict, str] = {
    StepVerdict.OK: "✓",
    StepVerdict.WARNING: "!",
    StepVerdict.CRITICAL: "✖",
    StepVerdict.UNKNOWN: "?",
    StepVerdict.SHOWN: "·",
    StepVerdict.SKIPPED: "-",
}
#: Lines of output that are printed of a step that is not well.
LINES = 12


def summary(found: Found) -> dict[str, object]:
    """Return one line of the list."""
    book = found.runbook
    return {
        "name": book.name,
        "title": book.title.model_dump(exclude_none=True),
        "summary": book.summary,
        "severity": book.severity,
        "steps": len(book.steps),
        "own": found.own,
        "file": found.file,
        "when": book.when.model_dump(),
    }


def document(found: Found) -> dict[str, object]:
    """Return a whole runbook; keys that a step does not use are left out."""
    whole = found.runbook.model_dump(mode="json", exclude_none=True, exclude_defaults=True)
    return {**whole, "own": found.own, "file": found.file}


def listed(found: Sequence[Found]) -> Iterator[str]:
    """Yield the list."""
    width = max((len(one.runbook.name) for one in found), default=0)
    for one in found:
        own = "  (own)" if one.own else ""
        yield f"{one.runbook.name:<{width}}  {len(one.runbook.steps):>2} steps  {one.runbook.title.en}{own}"


def shown(found: Found) -> Iterator[str]:
    """Yield a runbook for people."""
    book = found.runbook
    yield f"{book.name}: {book.title.en}  ({book.severity})"
    yield f"  {book.summary}"
    for number, step in enumerate(book.steps, 1):
        yield ""
        yield f"{number}. {step.title}  [{step.id}]"
        yield f"   {step.why}"
        yield f"   {what(step)}"
        if step.judge is not None:
            yield f"   {thresholds(step)}"
        for verdict, outcome in step.then.items():
            yield f"   {verdict}: {outcome.means or ''}".rstrip()
            yield from (f"     - {one}" for one in outcome.do)
            if outcome.remediations:
                yield f"     answers it: {', '.join(outcome.remediations)}"
    if book.causes:
        yield ""
        yield "Typical causes"
    for cause in book.causes:
        answers = f"  ({', '.join(cause.remediations)})" if cause.remediations else ""
        yield f"  {cause.cause}"
        yield f"    signs: {cause.signs}"
        yield f"    solution: {cause.solution}{answers}"
    if book.escalate:
        yield ""
        yield "Call somebody when"
    yield from (f"  - {one}" for one in book.escalate)


def what(step: Step) -> str:
    """Return in one line what a step runs."""
    parts = {
        "reading": f"reading  {step.read}",
        "command": f"command  {' '.join(step.argv or ())}",
        "sql": f"sql      {' '.join((step.sql or '').split())}",
        "logs": f"logs     of the {step.log}, {step.lines} lines" + (f", only /{step.only}/" if step.only else ""),
        "query": f"query    {step.query}",
        "http": f"http     GET {step.url or (step.server or '') + (step.path or '')}",
        "note": f"note     {step.text}",
    }
    return parts[step.kind]


def thresholds(step: Step) -> str:
    """Return from where on a step is bad."""
    judge = step.judge
    if judge is None:
        return ""
    limits = [
        f"{name} if {' or '.join(given)}" for name, given in (("critical", judge.critical), ("warning", judge.warning)) if given
    ]
    return "; ".join(limits) + (f"  ({judge.unit})" if judge.unit else "")


def step_lines(step: StepRun) -> Iterator[str]:
    """Yield one step that was run."""
    yield redact(f"{SIGNS[step.verdict]} {step.verdict.value:<8}  {step.number}. {step.title}  {step.says}".rstrip())
    if step.verdict in (StepVerdict.OK, StepVerdict.SKIPPED):
        return
    if step.means:
        yield f"             {step.means}"
    yield from (f"             - {one}" for one in step.todo)
    yield from (redact(f"             answers it: debugtui plan {offer.name} {offer.target}") for offer in step.offers)
    rows = step.output.splitlines()
    if step.verdict is not StepVerdict.UNKNOWN or rows:
        yield from (redact(f"             | {row}") for row in rows[:LINES])
        if len(rows) > LINES:
            yield f"             | … ({len(rows) - LINES} more lines; --json shows them)"


def ending(run: RunbookRun) -> Iterator[str]:
    """Yield how a run ended."""
    counts = {verdict: sum(step.verdict is verdict for step in run.steps) for verdict in StepVerdict}
    words = ", ".join(f"{count} {verdict.value}" for verdict, count in counts.items() if count)
    yield redact(f"{run.runbook} on {run.target}: {run.verdict.value.upper()} ({words})  {run.id}")


def run_summary(run: RunbookRun) -> dict[str, object]:
    """Return one line of the list of runs."""
    return {
        "id": run.id,
        "runbook": run.runbook,
        "title": run.title,
        "target": str(run.target),
        "service": run.service,
        "operator": run.operator,
        "started_at": jsonable(run.started_at),
        "steps": len(run.steps),
        "verdict": run.verdict.value,
    }


def run_line(run: RunbookRun) -> str:
    """Return one line of the list of runs, for people."""
    began = f"{run.started_at.astimezone():%Y-%m-%d %H:%M:%S}"
    return f"{run.id}  {began}  {run.verdict.value:<8}  {run.runbook:<16}  {run.target}  {run.operator}".rstrip()
