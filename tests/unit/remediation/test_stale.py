"""What moved between an approved plan and the same plan made again; and what the journal says of an execution."""

from __future__ import annotations

from dataclasses import replace

import pytest

from debugtui.model.canonical import canonical
from debugtui.model.execution import Execution, JournalEntry, State
from debugtui.model.plan import Before, Guard, GuardStatus, RiskClass, fingerprint
from debugtui.model.target import Target
from debugtui.remediation.past import past_of
from debugtui.remediation.stale import what_moved
from debugtui.storage.problems import StorageError
from tests.unit.fakes import START
from tests.unit.remediation.plans import IDENTITY, PLAN, plan


def test_the_same_plan_has_not_moved() -> None:
    assert what_moved(PLAN, plan()) == ()


def test_what_identifies_the_target_is_named_with_both_values() -> None:
    other = {**IDENTITY, "pid": "4712", "new": "x"}
    moved = replace(PLAN, before=Before(fingerprint(other), START, tuple(sorted(other.items()))))
    assert what_moved(PLAN, moved) == ("new was nothing, is x", "pid was 4711, is 4712")


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"target": Target("kvm-01", "postgres", "coach/9")}, "the target is kvm-01/postgres/coach/9 now"),
        ({"guards": (Guard("g", GuardStatus.UNKNOWN, "not seen"),)}, "the guard g is unknown now: not seen"),
        ({"steps": ()}, "the steps would be others now"),
        ({"rollback": PLAN.rollback * 2 + (PLAN.steps[0],)}, "the rollback would be others now"),  # type: ignore[operator]
        ({"checks": ()}, "the checks would be others now"),
        ({"params": (("a", "b"),)}, "the params would be others now"),
        ({"data": '{"pid":1}'}, "what the plan was made from is different now"),
        ({"before": replace(PLAN.before, fingerprint="sha256:0")}, "the fingerprint is another one"),
    ],
)
def test_anything_that_would_be_done_differently_is_named(change: dict[str, object], says: str) -> None:
    assert what_moved(PLAN, plan(**change)) == (says,)  # type: ignore[arg-type]


def test_a_risk_that_rose_is_named_and_one_that_fell_is_welcome() -> None:
    assert what_moved(PLAN, plan(RiskClass.SEVERE)) == ("the risk rose to class 3, driver reversibility",)
    assert what_moved(PLAN, plan(RiskClass.ROUTINE)) == ()


# --- the past


def story(*entries: tuple[State, int | None, dict[str, object]]) -> Execution:
    made = tuple(
        JournalEntry("exe_1", number, state, START, step, canonical(detail))
        for number, (state, step, detail) in enumerate(entries, 1)
    )
    newest = made[-1].state
    return Execution("exe_1", PLAN.id, PLAN.digest, PLAN.remediation, PLAN.target, newest, START, START, "alice", "", made)


DONE = {"outcome": "done", "facts": {"id": "abc"}}


def test_a_step_that_was_sent_and_not_answered_is_in_doubt() -> None:
    past = past_of(story((State.SENT, 1, {}), (State.ACKED, 1, DONE), (State.SENT, 2, {})))
    assert (past.sent, past.acked, past.in_doubt) == ({1, 2}, {1}, 2)
    assert past.results == {"id": "abc"}
    assert past.whole(2)
    assert not past.whole(3)


def test_a_step_that_certainly_did_not_happen_was_not_sent() -> None:
    past = past_of(story((State.SENT, 1, {}), (State.ACKED, 1, {"outcome": "not_done"})))
    assert (past.sent, past.in_doubt) == (set(), None)


@pytest.mark.parametrize("outcome", ["failed", "unknown"])
def test_a_step_that_failed_stays_in_doubt(outcome: str) -> None:
    assert past_of(story((State.SENT, 1, {}), (State.ACKED, 1, {"outcome": outcome}))).in_doubt == 1


def test_the_steps_of_a_rollback_are_not_those_of_the_plan() -> None:
    past = past_of(
        story((State.SENT, 1, {}), (State.ACKED, 1, DONE), (State.ROLLING_BACK, None, {}), (State.ROLLING_BACK, 1, {}))
    )
    assert past.rolling_back
    assert past.sent == {1}


def test_an_execution_that_is_not_there_is_said() -> None:
    with pytest.raises(StorageError, match="no such execution"):
        past_of(None)
