"""What logs tell without an address: of what below the thing that wrote them it can only be."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

from debugtui.diagnosis.anomaly import Anomaly
from debugtui.diagnosis.clues import Clue
from debugtui.diagnosis.patterns import Says
from debugtui.diagnosis.reach import Reach

_LOCKS = frozenset({"lock_chain", "lock_wait", "idle_in_transaction", "idle_writer", "prepared_transaction"})
_STORES = frozenset({"disk", "inodes", "pool_full"})


def _setting(*names: str) -> Callable[[Anomaly], bool]:
    return lambda one: one.rule == "setting_harmful" and one.fact("name") in names


#: By the class of a line: the anomalies that make a program write it.
_MAKES: dict[Says, Callable[[Anomaly], bool]] = {
    Says.READ_ONLY: _setting("default_transaction_read_only"),
    Says.STATEMENT_TIMEOUT: lambda one: one.rule in _LOCKS or _setting("statement_timeout", "transaction_timeout")(one),
    Says.LOCKED: lambda one: one.rule in _LOCKS or _setting("lock_timeout")(one),
    Says.TOO_MANY: lambda one: one.rule in ("connections", "lost_full"),
    Says.NO_SPACE: lambda one: one.rule in _STORES,
}


def with_told(clues: Sequence[Clue], anomalies: Sequence[Anomaly], reach: Reach) -> tuple[Clue, ...]:
    """Return clues; one that names no address with what certainly stands below, and is in just that trouble."""
    return tuple(_about(clue, anomalies, reach) for clue in clues)


def _about(clue: Clue, anomalies: Sequence[Anomaly], reach: Reach) -> Clue:
    makes = _MAKES.get(clue.says)
    if clue.about or makes is None:
        return clue
    below = reach.below(clue.source)
    found = {one.target for one in anomalies if makes(one) and (way := below.get(one.node)) is not None and way.certain}
    return replace(clue, about=tuple(sorted(found, key=str)))
