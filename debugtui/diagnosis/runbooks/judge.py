"""From what came to a verdict: figures are found, one is taken, thresholds are compared. Pure."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal

from debugtui.diagnosis.runbooks.comparing import LOOKED_AT, expression
from debugtui.diagnosis.runbooks.paths import Leaf, Missing, leaves, parts_of
from debugtui.diagnosis.runbooks.step import Judge
from debugtui.model.runbook import StepVerdict
from debugtui.model.text import line

#: Most figures that are found in a text.
MOST = 10_000
_NUMBER = re.compile(r"[+-]?\d{1,30}(?:\.\d{1,40})?(?:e[+-]?\d{1,3})?", re.ASCII | re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Figures:
    """What was found.

    Attributes:
        leaves: the values, each with the row that it stands in.
        unknown: something that a path leads through was not known.
        empty: what stands at its end is None.
    """

    leaves: tuple[Leaf, ...] = ()
    unknown: bool = False
    empty: bool = False


@dataclass(frozen=True, slots=True)
class Judged:
    """A verdict, the sentence that says why, the figure, and the rows that led to it."""

    verdict: StepVerdict
    says: str
    figure: float | None = None
    rows: tuple[Mapping[str, object], ...] = field(default=())


UNREAD = "it holds nothing to judge"


# --- finding figures


def figures(found: Iterable[Leaf | Missing]) -> Figures:
    """Return what leaves were found."""
    all_of_them = tuple(found)
    known = tuple(one for one in all_of_them if isinstance(one, Leaf) and one.value is not None)
    unknown = any(isinstance(one, Missing) for one in all_of_them)
    return Figures(known, unknown, any(isinstance(one, Leaf) and one.value is None for one in all_of_them))


def in_text(text: str, pattern: str | None) -> Figures:
    """Return what a pattern finds in a text, line by line; without a pattern its lines."""
    found: list[Leaf] = []
    compiled = expression(pattern) if pattern is not None else None
    for number, row in enumerate(text.splitlines()):
        if number >= MOST or len(found) >= MOST:
            break
        row = row[:LOOKED_AT]
        if compiled is None:
            if row.strip():
                found.append(Leaf(row, {}))
            continue
        for match in compiled.finditer(row):
            value = match[1] if compiled.groups and match[1] is not None else match[0]
            found.append(Leaf(_plain(value), match.groupdict()))
    return Figures(tuple(found))


def in_json(text: str, path: str) -> Figures:
    """Return what a path leads to in a text that is JSON; nothing known where it is none."""
    try:
        document = json.loads(text)
    except (ValueError, RecursionError):
        return Figures(unknown=True)
    return figures(leaves(document, parts_of(path)))


def in_rows(rows: Sequence[Mapping[str, object]], column: str) -> Figures:
    """Return one column of rows; the first where none is named."""
    found: list[Leaf] = []
    for row in rows:
        name = column or next(iter(row), "")
        if name not in row:
            return Figures(unknown=True)
        if row[name] is not None:
            found.append(Leaf(_plain(row[name]), row))
    return Figures(tuple(found), unknown=False)


def _plain(value: object) -> object:
    """Return numbers as numbers, whatever they were written as."""
    if isinstance(value, bool | int | float | datetime):
        return value
    if isinstance(value, Decimal):
        return float(value)
    text = str(value).strip()
    return float(text) if _NUMBER.fullmatch(text) else text


# --- judging them


def judged(judge: Judge, found: Figures, now: datetime, *, of: float | None = None, none: StepVerdict) -> Judged:
    """Return the verdict.

    Args:
        judge: the thresholds.
        found: the figures.
        now: what ages are counted from.
        of: what 100 % is, where the judge wants a percentage; None: not known.
        none: the verdict where nothing was found, unless the judge says so itself.
    """
    if not found.leaves and (found.unknown or (found.empty and judge.none is None)):
        return Judged(StepVerdict.UNKNOWN, "it is not known: what was read has no figure for it")
    taken: tuple[Leaf, ...] = found.leaves
    rows: tuple[Leaf, ...] = ()
    if judge.take == "count":
        taken, rows = (Leaf(float(len(taken)), {}),), taken
    if not taken:
        verdict = StepVerdict(judge.none) if judge.none else none
        return Judged(verdict, UNREAD if verdict is StepVerdict.UNKNOWN else "nothing of the kind is there")
    if judge.age:
        taken = tuple(_aged(leaf, now) for leaf in taken)
    if judge.percent_of is not None:
        taken = tuple(_percent(leaf, judge.percent_of, of) for leaf in taken)
        if all(leaf.value is None for leaf in taken):
            return Judged(StepVerdict.UNKNOWN, "what 100 % is is not known")
        taken = tuple(leaf for leaf in taken if leaf.value is not None)
    taken = _one(judge.take, taken)
    if not taken:
        return Judged(StepVerdict.UNKNOWN, "what came is no number")
    worst = max((_of_leaf(judge, leaf) for leaf in taken), key=lambda one: _RANK[one[0]])
    verdict, threshold = worst
    at_fault = tuple(leaf for leaf in taken if _of_leaf(judge, leaf)[0] is verdict)
    leaf = _extreme(at_fault, threshold)
    figure = float(leaf.value) if _is_number(leaf.value) else None  # type: ignore[arg-type] # a number
    about = tuple(one.row for one in (rows or _sorted(at_fault, leaf)) if one.row)
    return Judged(verdict, _sentence(judge, verdict, leaf.value, threshold), figure, about)


_RANK = {StepVerdict.OK: 0, StepVerdict.WARNING: 1, StepVerdict.UNKNOWN: 2, StepVerdict.CRITICAL: 3}


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _percent(leaf: Leaf, of_what: str, of: float | None) -> Leaf:
    """Return a figure as a percentage of another one: of the whole, or of its own row. Of nothing it is nothing."""
    whole = leaf.row.get(of_what[1:]) if of_what.startswith(".") else of
    if not _is_number(whole) or not _is_number(leaf.value):
        return Leaf(None, leaf.row)
    return Leaf(100.0 * leaf.value / whole if whole else 0.0, leaf.row)  # type: ignore[operator] # numbers


def _aged(leaf: Leaf, now: datetime) -> Leaf:
    value = leaf.value
    if isinstance(value, str):
        try:
            value = datetime.fromisoformat(value)
        except ValueError:
            return leaf
    if not isinstance(value, datetime):
        return leaf
    at = value if value.tzinfo is not None else value.replace(tzinfo=UTC)
    return Leaf((now - at).total_seconds(), leaf.row)


def _one(take: str, found: tuple[Leaf, ...]) -> tuple[Leaf, ...]:
    """Return what is judged of several figures."""
    if take in ("worst", "count"):
        return found
    if take in ("first", "last"):
        return found[:1] if take == "first" else found[-1:]
    numbers = [leaf for leaf in found if _is_number(leaf.value)]
    if not numbers:
        return ()
    if take == "sum":
        return (Leaf(float(sum(leaf.value for leaf in numbers)), numbers[0].row),)  # type: ignore[misc] # numbers
    chosen = (max if take == "max" else min)(numbers, key=lambda leaf: leaf.value)  # type: ignore[arg-type,return-value] # numbers
    return (chosen,)


def _of_leaf(judge: Judge, leaf: Leaf) -> tuple[StepVerdict, str]:
    """Return how one figure is judged, and by which threshold."""
    known = False
    for name, thresholds in judge.thresholds:
        for one in thresholds:
            holds = one.holds(leaf.value)
            known = known or holds is not None
            if holds:
                return StepVerdict(name), str(one)
    return (StepVerdict.OK, "") if known else (StepVerdict.UNKNOWN, "")


def _extreme(found: Sequence[Leaf], threshold: str) -> Leaf:
    """Return the figure that is furthest beyond its threshold."""
    numbers = [leaf for leaf in found if _is_number(leaf.value)]
    if not numbers:
        return found[0]
    lowest = threshold.startswith("<")
    return (min if lowest else max)(numbers, key=lambda leaf: leaf.value)  # type: ignore[arg-type,return-value] # numbers


def _sorted(found: Sequence[Leaf], first: Leaf) -> tuple[Leaf, ...]:
    return (first, *(one for one in found if one is not first))


def _sentence(judge: Judge, verdict: StepVerdict, value: object, threshold: str) -> str:
    shown = shown_figure(value)
    unit = f" {judge.unit}" if judge.unit else ""
    if verdict is StepVerdict.OK:
        limits = [str(one) for one in (*judge.critical, *judge.warning)][-1:]
        return f"{shown}{unit}; bad is {limits[0]}" if limits else f"{shown}{unit}"
    if verdict is StepVerdict.UNKNOWN:
        return f"{shown!r} cannot be compared with a threshold"
    return f"{shown}{unit}; {verdict.value} is {threshold}"


def shown_figure(value: object) -> str:
    """Return a figure for people."""
    if isinstance(value, float):
        if not math.isfinite(value):
            return str(value)
        return f"{value:.0f}" if abs(value) >= 100 or value == int(value) else f"{value:.3g}"
    if isinstance(value, bool):
        return "true" if value else "false"
    return line(str(value), 120)
