"""Requests that change a container: what is sent again, and what is not."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest

from debugtui.model.source import Problem
from debugtui.remediation.base import StepError
from debugtui.remediation.catalogue.docker import requests
from debugtui.remediation.catalogue.docker.requests import RACE_TRIES, send
from debugtui.sources.base import SourceError
from debugtui.sources.docker.client import AnswerError

UPDATE = "containers/40d4eb3ad61c/update"
UP = {"Status": "running", "Running": True, "Restarting": False, "StartedAt": "2026-03-14T08:59:00Z"}
BETWEEN = {"Status": "restarting", "Running": True, "Restarting": True, "StartedAt": "2026-03-14T08:59:00Z"}
ENDED = {"Status": "exited", "Running": False, "Restarting": False, "StartedAt": "2026-03-14T08:59:00Z"}

#: What a real engine said within two minutes of updates to a container in a crash loop.
WORDINGS = (
    "Cannot update container 40d4: cannot update a stopped container: unknown",
    "Cannot update container 40d4: cannot update a deleted process: unknown",
    "Cannot update container 40d4: runc did not terminate successfully: exit status 1: container not running\n: unknown",
    "Cannot update container 40d4: task 40d4 not found: not found",
    "Cannot update container 40d4: ttrpc: closed: unknown",
)


class Scripted:
    """An engine that refuses as it is told, and then obeys; its container is as the script says, the last state for good."""

    def __init__(self, refusals: Sequence[AnswerError], states: Sequence[dict[str, object] | Exception | None]) -> None:
        self.refusals, self.states = list(refusals), list(states)
        self.sent, self.ahead_s = 0, 0.0

    async def engine(self) -> Scripted:
        return self

    async def send(self, *_: object, **__: object) -> str:
        self.sent += 1
        if self.refusals:
            raise self.refusals.pop(0)
        return "done"

    async def get_json(self, path: str, **_: object) -> dict[str, object]:
        assert path.startswith("containers/40d4eb3ad61c/json")
        state = self.states.pop(0) if len(self.states) > 1 else self.states[0]
        if isinstance(state, Exception):
            raise state
        if state is None:
            raise AnswerError(404, "No such container")
        return {"Id": "40d4eb3ad61c", "Name": "/api", "State": state}


@pytest.fixture(autouse=True)
def no_pause(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(requests, "RACE_PAUSE_S", 0.0)


async def update(engine: Scripted, path: str = UPDATE) -> Any:
    hands: Any = engine
    return await send(hands, "POST", path, None, {"RestartPolicy": {"Name": "no"}}, timeout=1)


@pytest.mark.parametrize("words", WORDINGS)
@pytest.mark.parametrize("state", [BETWEEN, ENDED])
async def test_an_update_that_met_the_containers_end_is_sent_again(words: str, state: dict[str, object]) -> None:
    engine = Scripted([AnswerError(500, words)] * 3, [state])
    assert await update(engine) == "done"
    assert engine.sent == 4


async def test_a_process_that_began_since_the_refusal_is_tried_too() -> None:
    again = {**UP, "StartedAt": "2026-03-14T08:59:01Z"}
    engine = Scripted([AnswerError(500, WORDINGS[0])] * 2, [UP, again])
    assert await update(engine) == "done"
    assert engine.sent == 3


async def test_a_refusal_while_the_same_process_runs_is_one() -> None:
    engine = Scripted([AnswerError(500, "cannot set memory: device or resource busy")] * 9, [UP])
    with pytest.raises(StepError, match="resource busy") as caught:
        await update(engine)
    assert caught.value.changed is None
    assert engine.sent == 2


async def test_a_loop_that_never_lets_it_through_ends_in_the_refusal() -> None:
    engine = Scripted([AnswerError(500, WORDINGS[1])] * 99, [BETWEEN])
    with pytest.raises(StepError, match="deleted process"):
        await update(engine)
    assert engine.sent == RACE_TRIES


@pytest.mark.parametrize("state", [None, SourceError(Problem("no answer", "look at the engine"))])
async def test_where_the_container_cannot_be_looked_at_nothing_is_sent_again(state: Exception | None) -> None:
    engine = Scripted([AnswerError(500, WORDINGS[0])] * 9, [state])
    with pytest.raises(StepError):
        await update(engine)
    assert engine.sent == 1


@pytest.mark.parametrize(
    ("path", "status"), [(UPDATE, 400), (UPDATE, 409), ("containers/40d4eb3ad61c/start", 500), ("images/x/update", 500)]
)
async def test_no_other_request_and_no_plain_refusal_is_sent_again(path: str, status: int) -> None:
    engine = Scripted([AnswerError(status, "no")] * 9, [ENDED])
    with pytest.raises(StepError) as caught:
        await update(engine, path)
    assert caught.value.changed is (False if status < 500 else None)
    assert engine.sent == 1
