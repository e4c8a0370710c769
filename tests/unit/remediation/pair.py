"""A remediation of two steps, the first with a revert that waits on the host, for engines in tests. No host, no service."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from debugtui.hosts.link import LinkError
from debugtui.model.source import Problem
from debugtui.remediation.base import (
    DeadMan,
    Done,
    Draft,
    Job,
    LiveCheck,
    LiveStep,
    Sample,
    Settled,
    Undo,
)
from debugtui.remediation.eyes import Eyes
from debugtui.remediation.hands import Hands
from tests.unit.remediation.bench import AFTER, BEFORE, Bench, Faults, Number, SetNumber

Hook = Callable[[], "Awaitable[None] | None"]


async def _called(hook: Hook | None) -> None:
    if hook is not None and (waiting := hook()) is not None:
        await waiting


@dataclass
class Hooks:
    """What is called before and after each step is done, by its label: `1`, `2`, `r1`, `r2`."""

    before: dict[str, Hook] = field(default_factory=dict)
    after: dict[str, Hook] = field(default_factory=dict)
    settles: dict[str, Settled] = field(default_factory=dict)
    undo_says: str = ""


class SetPair(SetNumber):
    """Sets the first number, then the second."""

    def __init__(self, number: Number, faults: Faults, hooks: Hooks, *, waits: bool) -> None:
        super().__init__(number, faults)
        self.hooks, self.waits = hooks, waits

    async def draft(self, eyes: Eyes, target: Any, params: Mapping[str, str]) -> Draft:
        draft = await super().draft(eyes, target, params)
        return replace(draft, identity={**draft.identity, "second": str(self.number.get().get("second", BEFORE))})

    def steps(self, job: Job) -> tuple[LiveStep, ...]:
        dead_man = DeadMan(("revert",), 30) if self.waits else None
        return (self._set("1", "value", AFTER, dead_man), self._set("2", "second", AFTER))

    def undo(self, job: Job) -> tuple[LiveStep, ...]:
        if self.faults.undo is Undo.NONE:
            return ()
        return (self._set("r1", "second", BEFORE), self._set("r2", "value", BEFORE))

    def _set(self, label: str, key: str, value: int, dead_man: DeadMan | None = None) -> LiveStep:
        async def run(hands: Hands) -> Done:
            await _called(self.hooks.before.get(label))
            if label == "2":
                assert hands.results["token"] == "left by 1", "a step has what the ones before it left"
            state = self.number.get()
            sent = [*state.get("sent", []), label]
            self.number.put({**state, key: value, "sent": sent, "marks": [*state.get("marks", []), hands.step]})
            await _called(self.hooks.after.get(label))
            return Done(f"{key} is {value}", {"token": "left by 1"} if label == "1" else {})

        async def settle(_eyes: Eyes) -> Settled:
            if label in self.hooks.settles:
                return self.hooks.settles[label]
            return Settled.DONE if self.number.get().get(key, BEFORE) == value else Settled.NOT_DONE

        says = self.hooks.undo_says if label.startswith("r") else ""
        return LiveStep(f"{label}: {key}", f"SET {key} {value}{says}", True, 1, None, run, settle, dead_man)

    def checks(self, job: Job) -> tuple[LiveCheck, ...]:
        return (replace(self._both("both are right", AFTER), watch_s=self.faults.watch_s),)

    def undo_checks(self, job: Job) -> tuple[LiveCheck, ...]:
        return (self._both("both are as before", BEFORE),)

    def _both(self, name: str, wanted: int) -> LiveCheck:
        async def sample(_eyes: Eyes) -> Sample:
            played = self.faults.sample() if wanted == AFTER else None
            state = self.number.get()
            both = state["value"], state.get("second", BEFORE)
            return played if played is not None else Sample(both == (wanted, wanted), str(both))

        return LiveCheck(name, 1, "it has to stay so", sample, within_s=2, every_s=0.2)


@dataclass
class PairBench(Bench):
    """A bench with `SetPair`. `waits`: a revert waits on the host while the steps run."""

    hooks: Hooks = field(default_factory=Hooks)
    waits: bool = False

    def __post_init__(self) -> None:
        super().__post_init__()
        self.remediation = SetPair(self.number, self.faults, self.hooks, waits=self.waits)

    @property
    def both(self) -> tuple[int, int]:
        state = self.number.get()
        return state["value"], state.get("second", BEFORE)

    @property
    def sent(self) -> list[str]:
        """The labels of the steps that the target has seen, in order."""
        return list(self.number.get().get("sent", []))

    @property
    def marks(self) -> list[str]:
        return list(self.number.get().get("marks", []))


class FakeReverts:
    """`remote.dead_man` without a host: what waits is kept in a file, and the test says when it fires."""

    def __init__(self, path: Path, number: Number) -> None:
        self.path, self.number = path, number
        self.unreachable = False

    def _state(self) -> dict[str, str]:
        state: dict[str, str] = json.loads(self.path.read_text()) if self.path.exists() else {}
        return state

    def _put(self, mark: str, word: str) -> None:
        self.path.write_text(json.dumps({**self._state(), mark: word}))

    @property
    def words(self) -> list[str]:
        return list(self._state().values())

    def rearm(self) -> None:
        """Let each wait again, as if it was never told."""
        self.path.write_text(json.dumps(dict.fromkeys(self._state(), "armed")))

    def fire(self) -> None:
        """Revert, as the host does when its time is over."""
        for mark, word in self._state().items():
            if word == "armed":
                self._put(mark, "fired")
                state = self.number.get()
                self.number.put({**state, "value": BEFORE, "second": BEFORE})

    def _reach(self) -> None:
        if self.unreachable:
            raise LinkError(Problem("the link is down"))

    async def arm(self, _link: object, mark: str, _argv: object, _after_s: int) -> None:
        self._reach()
        assert mark not in self._state(), "one mark is armed once"
        self._put(mark, "armed")

    async def disarm(self, _link: object, mark: str) -> bool:
        self._reach()
        if self._state().get(mark) == "armed":
            self._put(mark, "disarmed")
        return self._state().get(mark) == "disarmed"

    async def look(self, _link: object, mark: str) -> str:
        self._reach()
        return self._state().get(mark, "none")
