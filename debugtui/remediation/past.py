"""What the journal says of an execution that is looked at again."""

from __future__ import annotations

import json
from dataclasses import dataclass, field

from debugtui.model.execution import Execution, State
from debugtui.model.source import Problem
from debugtui.storage.problems import StorageError


@dataclass(frozen=True, slots=True)
class Past:
    """An execution's story so far.

    Attributes:
        state: the newest state.
        sent: numbers of the steps that were sent, but for those that certainly did not happen.
        tried: numbers of all steps that were sent.
        acked: numbers of the steps that were certainly done.
        broken: numbers of the steps that failed half-way: something certainly changed.
        results: what those steps left.
        rolling_back: a rollback was begun.
        tries: how often each step of the rollback has ended, by its number.
    """

    state: State
    sent: frozenset[int] = frozenset()
    tried: frozenset[int] = frozenset()
    acked: frozenset[int] = frozenset()
    broken: frozenset[int] = frozenset()
    results: dict[str, object] = field(default_factory=dict)
    rolling_back: bool = False
    tries: dict[int, int] = field(default_factory=dict)

    @property
    def in_doubt(self) -> int | None:
        """The step that was sent and whose answer is not known; None where there is none."""
        return max(self.sent - self.acked, default=None)

    def whole(self, steps: int) -> bool:
        """Whether every step was sent."""
        return len(self.sent) == steps


def past_of(execution: Execution | None) -> Past:
    """Return an execution's story.

    Raises:
        StorageError: there is no such execution.
    """
    if execution is None:
        raise StorageError(Problem("there is no such execution in the journal"))
    sent: set[int] = set()
    by_outcome: dict[object, set[int]] = {"done": set(), "not_done": set(), "failed": set()}
    results: dict[str, object] = {}
    rolling_back, tries = False, dict[int, int]()
    for entry in execution.entries:
        detail = json.loads(entry.detail)
        rolling_back = rolling_back or entry.state is State.ROLLING_BACK
        if entry.step is None:
            continue
        if rolling_back:
            if "outcome" in detail:
                tries[entry.step] = tries.get(entry.step, 0) + 1
        elif entry.state is State.SENT:
            sent.add(entry.step)
        elif entry.state is State.ACKED:
            results.update(detail.get("facts") or {})
            by_outcome.setdefault(detail.get("outcome"), set()).add(entry.step)
    return Past(
        state=execution.state,
        sent=frozenset(sent - by_outcome["not_done"]),
        tried=frozenset(sent),
        acked=frozenset(by_outcome["done"]),
        broken=frozenset(by_outcome["failed"]),
        results=results,
        rolling_back=rolling_back,
        tries=tries,
    )
