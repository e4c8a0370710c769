"""Checks the story that a journal tells: whatever happened, these must hold."""

from __future__ import annotations

import json
from itertools import pairwise

from debugtui.model.execution import State
from debugtui.storage.journal import Journal


def check(journal: Journal) -> None:
    """Fail where the journal tells of something that must never happen."""
    spans: dict[str, list[tuple[object, object, bool]]] = {}
    for listed in journal.executions():
        execution = journal.execution(listed.id)
        assert execution is not None
        states = [entry.state for entry in execution.entries]
        assert states[:2] == [State.PLANNED, State.APPROVED], "an approval comes before everything"
        approval, plan = journal.approval_of(listed.id), journal.plan_of(listed.id)
        assert (approval.digest, approval.plan) == (plan.digest, plan.id), "what was approved is what was executed"
        _check_steps(execution.id, [(entry.state, entry.step, entry.detail) for entry in execution.entries])
        if State.VERIFIED in states:
            assert State.VERIFYING in states[: states.index(State.VERIFIED)], "nothing is verified that nobody watched"
        sent = [entry.at for entry in execution.entries if entry.state is State.SENT]
        if sent:
            spans.setdefault(str(listed.target), []).append((sent[0], execution.changed_at, execution.ended))
    for rows in spans.values():
        rows.sort(key=lambda row: str(row[0]))
        for earlier, later in pairwise(rows):
            assert earlier[2], "nothing is sent to a target while another execution there has not ended"
            assert str(earlier[1]) <= str(later[0]), "two executions never overlap on a target"


def _check_steps(number: str, entries: list[tuple[State, int | None, str]]) -> None:
    forward = []
    for state, step, detail in entries:
        if state is State.ROLLING_BACK:
            break
        forward.append((state, step, detail))
    sent = [step for state, step, _ in forward if state is State.SENT]
    assert len(sent) == len(set(sent)), f"{number}: a step was sent twice"
    for step in sent:
        outcomes = [json.loads(detail).get("outcome") for state, at, detail in forward if state is State.ACKED and at == step]
        assert len(outcomes) <= 1, f"{number}: step {step} has several outcomes"
    states = [state for state, _, _ in forward]
    for at, (state, step, _) in enumerate(forward):
        if state is State.SENT:
            assert State.PRECHECKED in states[:at], f"{number}: sent without a last look"
            assert (State.INTENT, step) in [(one, two) for one, two, _ in forward[:at]], f"{number}: sent without intent"
