"""Several containers that one database refuses a login: their passwords were not all mistyped on one day."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from debugtui.diagnosis.anomaly import Anomaly, Aspect, Role
from debugtui.diagnosis.clues import Clue
from debugtui.diagnosis.own.making import anomaly, plural
from debugtui.diagnosis.patterns import Says
from debugtui.diagnosis.reach import Reach
from debugtui.model.source import Kind
from debugtui.model.target import Target

#: Containers that are refused by one database from which on the database, and not each of them, is at fault.
LEAST = 2


def with_logins(
    anomalies: Sequence[Anomaly], clues: Sequence[Clue], reach: Reach
) -> tuple[tuple[Anomaly, ...], tuple[Clue, ...]]:
    """Return the anomalies, with one for each database that refuses several; and the clues, those about it naming it."""
    refused: dict[Target, list[Clue]] = {}
    for clue in clues:
        database = _database(clue, reach)
        if database is not None:
            refused.setdefault(database, []).append(clue)
    several = {
        database: told for database, told in refused.items() if len({one.source for one in told}) >= LEAST
    }  # fmt: skip
    about = {id(clue): database for database, told in several.items() for clue in told}
    named = tuple(replace(clue, about=(about[id(clue)],)) if id(clue) in about else clue for clue in clues)
    found = (_refuses(database, several[database]) for database in sorted(several, key=str))
    return (*anomalies, *found), named


def _database(clue: Clue, reach: Reach) -> Target | None:
    """Return the one database that a container surely uses, where its log tells of a refused login."""
    if clue.says is not Says.AUTHENTICATION or clue.source.kind != Kind.DOCKER:
        return None
    known = {below for below, way in reach.below(clue.source).items() if below.kind == Kind.POSTGRES and way.certain}
    return known.pop() if len(known) == 1 else None


def _refuses(database: Target, told: Sequence[Clue]) -> Anomaly:
    who = sorted({clue.source.name for clue in told})
    newest = max(told, key=lambda clue: clue.at)
    names = ", ".join(who[:3]) + ("" if len(who) <= 3 else " and others")
    says = f"{database.name} refuses the logins of {plural(len(who), 'container')}: {names}"
    return anomaly(
        "logins_refused", database, Aspect.ACCESS, Role.CAUSE, says, reading="log", at=newest.at, source=newest.source,
        points=62, title=says,
    )  # fmt: skip
