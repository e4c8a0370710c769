"""A diagnosis as rows and as one line: causes, the chain from the symptom to the cause, what answers it, what is not known."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime

from debugtui.model.diagnosis import Diagnosis, Evidence, Finding, Offer
from debugtui.model.topology import Layer
from debugtui.screens.rows.alerts import TONES
from debugtui.screens.rows.common import seconds_since
from debugtui.themes.tones import Tone
from debugtui.widgets.bar import Word
from debugtui.widgets.format import age
from debugtui.widgets.table_rows import Cell, Column, Row

CAUSES = (
    Column("severity", "", width=1, sortable=False),
    Column("layer", "layer", width=10, sortable=False),
    Column("title", "cause", min_width=24, sortable=False),
    Column("sure", "sure", width=4, align="right", priority=1, sortable=False),
    Column("age", "for", width=6, align="right", priority=2, sortable=False),
)
STORY = (
    Column("says", "from the symptom to the cause", min_width=24, weight=3, sortable=False),
    Column("source", "of", min_width=12, priority=1, sortable=False),
    Column("reading", "reading", min_width=10, priority=2, sortable=False),
    Column("at", "age", width=6, align="right", priority=3, sortable=False),
)

NAMES: dict[Layer, str] = {
    Layer.KVM: "KVM",
    Layer.HOST: "host",
    Layer.DOCKER: "Docker",
    Layer.POSTGRES: "PostgreSQL",
    Layer.GROQ: "Groq",
    Layer.WEB: "web",
    Layer.MONITORING: "monitoring",
    Layer.KUBERNETES: "Kubernetes",
}
#: Symptoms named in the one line of the main screen.
_SYMPTOMS = 2


def cause_rows(found: Diagnosis) -> list[Row]:
    """Return a row for each cause, the worst first."""
    return [_cause(one, found.taken_at) for one in found.findings]


def _cause(one: Finding, now: datetime) -> Row:
    tone = TONES[one.severity]
    cells = (
        Cell(one.severity.value[0].upper(), tone),
        Cell(NAMES[one.layer], "accent"),
        Cell(one.title, tone),
        Cell(f"{one.confidence:.0%}", "dim"),
        Cell(age(seconds_since(one.since, now)), "dim"),
    )
    return Row(one.id, cells)


def story_rows(found: Diagnosis, chosen: Finding | None) -> list[Row]:
    """Return the chain of the chosen cause, what suffers and what answers it; then what is not known, and what was changed."""
    rows: list[Row] = []
    if chosen is not None:
        rows += [_link(number, row, chosen, found.taken_at) for number, row in enumerate(chosen.evidence)]
        if chosen.impact:
            rows.append(_heading("suffers"))
            rows += [Row(f"suffers {number}", (Cell(text),)) for number, text in enumerate(chosen.impact)]
        rows.append(_heading("answers it: p plans the first, enter any"))
        rows += list(_offers(chosen.remediations))
    if found.undecided:
        rows.append(_heading("not decided, and the reading that would decide it"))
        for number, one in enumerate(found.undecided):
            rows.append(Row(f"question {number}", (Cell(one.question, "warn"), Cell(one.reading, "dim"))))
    if found.changes:
        rows.append(_heading("changed lately"))
        for number, change in enumerate(found.changes):
            rows.append(_row(f"change {number}", change, found.taken_at, "dim"))
    return rows


def _heading(text: str) -> Row:
    return Row(f"heading {text}", (Cell(text, "heading"),), heading=True)


def _link(number: int, row: Evidence, chosen: Finding, now: datetime) -> Row:
    last = number == len(chosen.evidence) - 1
    return _row(f"link {number}", row, now, TONES[chosen.severity] if last else "", mark="▸ " if last else "")


def _row(key: str, row: Evidence, now: datetime, tone: Tone, mark: str = "") -> Row:
    cells = (
        Cell(f"{mark}{row.says}", tone),
        Cell(str(row.source), "dim"),
        Cell(row.reading, "dim"),
        Cell(age(seconds_since(row.at, now)), "dim"),
    )
    return Row(key, cells)


def _offers(offers: Sequence[Offer]) -> Iterator[Row]:
    for number, offer in enumerate(offers):
        params = "".join(f"  {name}={value}" for name, value in offer.params)
        yield Row(f"offer {number}", (Cell(f"{offer.name}{params}", "accent"), Cell(str(offer.target), "dim")))
    if not offers:
        yield Row("no offer", (Cell("nothing of ours does; the runbook says what a person does", "dim"),))


def line_words(found: Diagnosis | None) -> list[Word]:
    """Return the line of the main screen: the worst cause, and what it leads to."""
    if found is None:
        return []
    if not found.findings:
        asked = len(found.undecided)
        words = "nothing found" + (f", {asked} not decided" if asked else "")
        return [("Diagnosis:", "heading"), (words, "warn" if asked else "dim")]
    first = found.findings[0]
    symptoms = [line.partition(": ")[2] or line for line in first.impact[:_SYMPTOMS]]
    chain = " > ".join([NAMES[first.layer], first.title, *symptoms])
    return [("Diagnosis:", "heading"), (chain, TONES[first.severity])]


def more_words(found: Diagnosis | None) -> list[Word]:
    """Return how many more causes there are, which has its place whatever else is cut."""
    more = len(found.findings) - 1 if found is not None else 0
    return [(f"and {more} more", "warn")] if more > 0 else []
