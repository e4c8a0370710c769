"""A runbook and what its steps found, as rows and lines. Pure; nothing of it is ever read as markup."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence

from debugtui.diagnosis.runbooks.models import Cause, Runbook
from debugtui.diagnosis.runbooks.step import Step
from debugtui.headless.runbook_text import SIGNS, thresholds, what
from debugtui.model.diagnosis import Offer
from debugtui.model.runbook import RunbookRun, StepRun, StepVerdict
from debugtui.themes.tones import Tone
from debugtui.widgets.bar import Word
from debugtui.widgets.format import clock
from debugtui.widgets.table_lines import wrap
from debugtui.widgets.table_rows import Cell, Column, Row

STEPS = (
    Column("number", "", width=3, align="right", sortable=False),
    Column("verdict", "verdict", width=10, sortable=False),
    Column("title", "step", min_width=24, weight=2, sortable=False),
    Column("says", "says", min_width=20, weight=3, sortable=False),
    Column("kind", "kind", width=7, priority=2, sortable=False),
    Column("at", "at", width=8, priority=3, sortable=False),
)
TONES: dict[StepVerdict, Tone] = {
    StepVerdict.OK: "ok",
    StepVerdict.WARNING: "warn",
    StepVerdict.CRITICAL: "bad",
    StepVerdict.UNKNOWN: "warn",
    StepVerdict.SHOWN: "accent",
    StepVerdict.SKIPPED: "dim",
}


def step_key(number: int) -> str:
    """Return the key of a step's row."""
    return f"step {number}"


def number_of(key: str | None) -> int | None:
    """Return the step that a row belongs to."""
    parts = (key or "").split(" ")
    return int(parts[1]) if len(parts) > 1 and parts[0] in ("step", "offer") else None


def offer_of(key: str | None, run: RunbookRun) -> Offer | None:
    """Return the remediation that a row is about; None for the row of a step."""
    parts = (key or "").split(" ")
    if parts[0] != "offer":
        return None
    step = run.step(int(parts[1]))
    at = int(parts[2])
    return step.offers[at] if step is not None and at < len(step.offers) else None


def rows(book: Runbook, run: RunbookRun, running: Collection[int]) -> list[Row]:
    """Return a row for each step; below it one for each remediation that would answer what was found."""
    found: list[Row] = []
    for number, step in enumerate(book.steps, 1):
        done = run.step(number)
        found.append(_step_row(number, step, done, number in running))
        for at, offer in enumerate(done.offers if done is not None else ()):
            cells = (Cell(""), Cell("p plan", "accent"), Cell(offer.name, "accent"), Cell(str(offer.target)))
            found.append(Row(f"offer {number} {at}", cells, indent=" "))
    return found


def _step_row(number: int, step: Step, done: StepRun | None, running: bool) -> Row:
    if running:
        verdict = Cell("▸ running", "accent")
    elif done is None:
        verdict = Cell("· not run", "dim")
    else:
        verdict = Cell(f"{SIGNS[done.verdict]} {done.verdict.value}", TONES[done.verdict])
    cells = (
        Cell(str(number), "dim"),
        verdict,
        Cell(step.title),
        Cell(done.says if done is not None else thresholds(step), "" if done is not None else "dim"),
        Cell(step.kind, "dim"),
        Cell(clock(done.at.astimezone()) if done is not None else "", "dim"),
    )
    return Row(step_key(number), cells)


def detail(book: Runbook, number: int, done: StepRun | None, width: int) -> list[str]:
    """Return everything about a step, wrapped: why, what was run, how it was judged, what to do, what came."""
    step = book.steps[number - 1]
    return list(_detail(book, step, done, max(width, 30)))


def _detail(book: Runbook, step: Step, done: StepRun | None, width: int) -> Iterator[str]:
    yield from _wrapped("why", step.why, width)
    if done is None:
        yield from _wrapped("looks at", what(step), width)
        if step.judge is not None:
            yield from _wrapped("judged", thresholds(step), width)
        return
    words = f"{SIGNS[done.verdict]} {done.verdict.value}" + (f": {done.says}" if done.says else "")
    yield from _wrapped("verdict", words, width)
    if done.means:
        yield from _wrapped("means", done.means, width)
    for at, one in enumerate(done.todo):
        yield from _wrapped("do" if at == 0 else "", f"- {one}", width)
    if done.next:
        title = next((one.title for one in book.steps if one.id == done.next), done.next)
        yield from _wrapped("next", title, width)
    for at, offer in enumerate(done.offers):
        yield from _wrapped("answers it" if at == 0 else "", f"{offer.name} on {offer.target}", width)
    for at, one in enumerate(done.ran):
        yield from _wrapped("ran" if at == 0 else "", one, width)
    if done.output:
        yield ""
        yield from done.output.splitlines()


def _wrapped(name: str, text: str, width: int) -> Iterator[str]:
    for number, part in enumerate(wrap(text, width - 12) or [""]):
        yield f"{'' if number else name:<11} {part}"


def ways_out(book: Runbook, width: int) -> list[str]:
    """Return typical causes and when to call somebody: what a person reads before the first step."""
    return list(_ways_out(book.causes, book.escalate, max(width, 30)))


def _ways_out(causes: Sequence[Cause], escalate: Sequence[str], width: int) -> Iterator[str]:
    for at, text in enumerate(escalate):
        yield from _wrapped("call when" if at == 0 else "", f"- {text}", width)
    for cause in causes:
        yield ""
        yield from _wrapped("cause", cause.cause, width)
        yield from _wrapped("signs", cause.signs, width)
        answers = f"  ({', '.join(cause.remediations)})" if cause.remediations else ""
        yield from _wrapped("solution", f"{cause.solution}{answers}", width)


def counts(run: RunbookRun, running: int) -> list[Word]:
    """Return how many steps have which verdict, the worst first."""
    order = (
        StepVerdict.CRITICAL, StepVerdict.UNKNOWN, StepVerdict.WARNING, StepVerdict.OK, StepVerdict.SHOWN, StepVerdict.SKIPPED,
    )  # fmt: skip
    found: list[Word] = []
    for verdict in order:
        number = sum(step.verdict is verdict for step in run.steps)
        if number:
            found.append((f"{SIGNS[verdict]} {number} {verdict.value}", TONES[verdict]))
    if running:
        found.append((f"▸ {running} running", "accent"))
    return found
