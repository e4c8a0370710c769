"""What one step saw on one thing, before it is judged; and texts made of it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from debugtui.config.redaction import redact
from debugtui.diagnosis.runbooks.judge import Figures, Judged, shown_figure
from debugtui.diagnosis.runbooks.paths import Leaf
from debugtui.model.runbook import StepVerdict
from debugtui.model.text import clean, line

#: Most characters of output that are kept, and most rows and columns of a table in it.
OUTPUT, ROWS, COLUMNS, CELL = 20_000, 60, 12, 80


@dataclass(frozen=True, slots=True)
class Seen:
    """What came.

    Attributes:
        ran: what was really run.
        output: what came, safe to show.
        figures: what can be judged; None: nothing.
        of: what 100 % is.
        problem: why nothing came; empty where something did.
        old: how old a reading is that should be newer; empty where it is fresh.
        skipped: it does not apply here, for the reason in `problem`.
        none: the verdict where there are no figures.
        instead: the verdict of a step that takes it for an answer that nothing came.
    """

    ran: str
    output: str = ""
    figures: Figures | None = None
    of: float | None = None
    problem: str = ""
    old: str = ""
    skipped: bool = False
    none: StepVerdict = StepVerdict.UNKNOWN
    instead: StepVerdict = StepVerdict.UNKNOWN


def shown(text: str | bytes, *, end: bool = False) -> str:
    """Return output safe to show, redacted, and cut: its end is kept where that is what matters (a log)."""
    whole = redact(clean(text)).strip("\n")
    if len(whole) <= OUTPUT:
        return whole
    cut = len(whole) - OUTPUT
    return f"… ({cut} characters before)\n{whole[-OUTPUT:]}" if end else f"{whole[:OUTPUT]}\n… ({cut} more characters)"


def table(rows: Sequence[Mapping[str, object]]) -> str:
    """Return rows as aligned columns."""
    if not rows:
        return "no rows"
    names = list(rows[0])[:COLUMNS]
    cells = [[line(_cell(row.get(name)), CELL) for name in names] for row in rows[:ROWS]]
    widths = [max(len(name), *(len(row[at]) for row in cells)) for at, name in enumerate(names)]
    found = ["  ".join(name.ljust(width) for name, width in zip(names, widths, strict=True)).rstrip()]
    found += ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in cells]
    if len(rows) > ROWS:
        found.append(f"… ({len(rows) - ROWS} more rows)")
    return redact("\n".join(found))


def _cell(value: object) -> str:
    if value is None:
        return "-"
    if isinstance(value, datetime):
        return value.isoformat(timespec="seconds")
    return shown_figure(value) if isinstance(value, float | bool) else str(value)


def leaves_table(leaves: Iterable[Leaf], part: str) -> str:
    """Return what a path leads to: each value, with what its row says of itself."""
    found = list(leaves)
    if not found:
        return "nothing of the kind"
    if not found[0].row or set(found[0].row) == {"value"}:
        return redact("\n".join(line(f"{part}: {_flat(leaf.value)}", 400) for leaf in found[:ROWS]))
    return table([_row(leaf, part) for leaf in found])


def _row(leaf: Leaf, part: str) -> dict[str, object]:
    """Return the value first, then the plain values of its row that say something."""
    own = {} if isinstance(leaf.value, dict) else {part: leaf.value}
    plain = {
        name: value
        for name, value in leaf.row.items()
        if isinstance(value, str | int | float) and value not in ("", 0) and name != part
    }
    return {**own, **dict(list(plain.items())[:7])}


def _flat(value: object) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{name} {_cell(one)}" for name, one in value.items() if isinstance(one, str | int | float))
    return _cell(value)


def unseen(problem: str, ran: str = "") -> Seen:
    """Return that nothing came, and why."""
    return Seen(ran, problem=redact(line(problem, 400)))


def not_here(problem: str) -> Seen:
    """Return that a step does not apply."""
    return Seen("", problem=redact(line(problem, 400)), skipped=True)


def of_problem(seen: Seen) -> Judged:
    """Return the verdict where nothing came."""
    return Judged(StepVerdict.SKIPPED if seen.skipped else seen.instead, seen.problem)
