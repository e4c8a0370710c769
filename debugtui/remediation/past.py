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
        sent: numbers of the steps that were sent.
        acked: numbers of the steps whose answer is known.
        results: what those steps left.
        rolling_back: a rollback was begun.
    """

    state: State
    sent: frozenset[int] = frozenset()
    acked: frozenset[int] = frozenset()
    results: dict[str, object] = field(default_factory=dict)
    rolling_back: bool = False

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
    acked: set[int] = set()
    results: dict[str, object] = {}
    rolling_back = False
    for entry in execution.entries:
        if entry.state is State.ROLLING_BACK:
            rolling_back = True
        if entry.step is None or rolling_back:
            continue
        if entry.state is State.SENT:
            sent.add(entry.step)
        elif entry.state is State.ACKED:
            detail = json.loads(entry.detail)
            results.update(detail.get("facts") or {})
            if detail.get("outcome") == "done":
                acked.add(entry.step)
            elif detail.get("outcome") == "not_done":
                sent.discard(entry.step)
    return Past(execution.state, frozenset(sent), frozenset(acked), results, rolling_back)
