"""An engine on a target that is a dict, or a file, so that every fault can be played: no host, no service.

The target holds one number. The remediation sets it to another one, by a step that tests can break in any way.
"""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from debugtui.config.ask import NobodyToAsk
from debugtui.config.hosts import HostConfig
from debugtui.config.models import Config
from debugtui.model.clock import Clock, SystemClock
from debugtui.model.execution import Approval, Decision, Person, Progress
from debugtui.model.plan import Guard, GuardStatus, Plan
from debugtui.model.source import FleetView, HostView, LinkState, LinkStatus, SourceStatus
from debugtui.model.target import Target
from debugtui.remediation import registry
from debugtui.remediation.approvals import make_approval
from debugtui.remediation.base import (
    Done,
    Draft,
    Factor,
    Factors,
    Job,
    LiveCheck,
    LiveStep,
    Offer,
    Remediation,
    Sample,
    Settled,
    Spec,
    StaleError,
    Undo,
)
from debugtui.remediation.engine import Engine
from debugtui.remediation.eyes import Eyes, Surroundings
from debugtui.remediation.hands import Hands
from debugtui.remediation.planner import make_plan
from debugtui.storage.audit import AuditLog
from debugtui.storage.journal import Journal
from tests.unit.fakes import START, FakeLink

TARGET = Target("kvm-01", "docker", "number")
ALICE = Person("alice", 1001, "Alice", "bastion pts/1")
BEFORE, AFTER = 1, 2


class Number:
    """The target: a number in a file, how often it was written, and since when it is this one thing."""

    def __init__(self, path: Path) -> None:
        self.path = path
        if not path.exists():
            self.put({"value": BEFORE, "writes": 0, "undos": 0, "born": "first"})

    def get(self) -> dict[str, Any]:
        state: dict[str, Any] = json.loads(self.path.read_text())
        return state

    def put(self, state: Mapping[str, Any]) -> None:
        new = self.path.with_suffix(".new")
        new.write_text(json.dumps(state))
        new.replace(self.path)

    def set(self, value: int, count: str) -> None:
        state = self.get()
        self.put({**state, "value": value, count: state[count] + 1})

    @property
    def value(self) -> int:
        return int(self.get()["value"])


@dataclass
class Faults:
    """What goes wrong. Each is called where its name says, and may raise, hang, or change the target."""

    drafting: Callable[[], None] = lambda: None
    before_send: Callable[[], None] = lambda: None
    instead: Callable[[], Any] | None = None
    after_send: Callable[[], Any] = lambda: None
    in_undo: Callable[[], Any] = lambda: None
    sample: Callable[[], Sample | None] = lambda: None
    settles: Settled | None = None
    guard: GuardStatus = GuardStatus.PASS
    undo: Undo = Undo.EXACT
    level: int = 1
    watch_s: int = 2


class SetNumber(Remediation):
    """Sets the number."""

    spec = Spec(
        name="docker.set_number",
        title="Set number",
        summary="Sets the number of a test.",
        target="HOST/docker/NAME",
        parameters=(),
        risk=(1, 4),
        undo=Undo.EXACT,
        undo_says="the number from before",
        guards=("calm",),
    )

    def __init__(self, number: Number, faults: Faults) -> None:
        self.number, self.faults = number, faults
        self.spec = replace(type(self).spec, undo=faults.undo)  # type: ignore[misc] # of this one

    def offer(self, view: FleetView, target: Target) -> Offer | None:
        return None

    async def draft(self, eyes: Eyes, target: Target, params: Mapping[str, str]) -> Draft:
        self.faults.drafting()
        state = self.number.get()
        level = Factor(self.faults.level, "as the test says")
        zero = Factor(0, "none")
        return Draft(
            target=TARGET,
            problem="the number is wrong",
            solution="set it right",
            factors=Factors(level, Factor(1, "exact"), zero, zero, zero, zero),
            identity={"born": state["born"], "value": str(state["value"])},
            data={"before": state["value"], "after": AFTER, "born": state["born"]},
            diff=(),
            guards=(Guard("calm", self.faults.guard, "nothing speaks against it"),),
        )

    def steps(self, job: Job) -> tuple[LiveStep, ...]:
        async def run(_hands: Hands) -> Done:
            self.faults.before_send()
            if self.number.get()["born"] != job.data["born"]:
                raise StaleError("the number was replaced")
            if self.faults.instead is not None:
                return await _maybe(self.faults.instead()) or Done("rc 0")
            self.number.set(AFTER, "writes")
            await _maybe(self.faults.after_send())
            return Done("rc 0", {"was": job.data["before"]})

        async def settle(_eyes: Eyes) -> Settled:
            if self.faults.settles is not None:
                return self.faults.settles
            return Settled.DONE if self.number.value == AFTER else Settled.NOT_DONE

        return (LiveStep("set", f"SET {job.data['after']}", True, 1, "set it back", run, settle),)

    def undo(self, job: Job) -> tuple[LiveStep, ...]:
        if self.faults.undo is Undo.NONE:
            return ()

        async def run(_hands: Hands) -> Done:
            await _maybe(self.faults.in_undo())
            self.number.set(int(str(job.data["before"])), "undos")
            return Done("rc 0")

        async def settle(_eyes: Eyes) -> Settled:
            return Settled.DONE if self.number.value == job.data["before"] else Settled.NOT_DONE

        return (LiveStep("set back", f"SET {job.data['before']}", True, 1, None, run, settle),)

    def _check(self, name: str, wanted: int) -> LiveCheck:
        async def sample(_eyes: Eyes) -> Sample:
            played = self.faults.sample()
            value = self.number.value
            return played if played is not None else Sample(value == wanted, str(value))

        return LiveCheck(name, self.faults.watch_s, "it has to stay so", sample, within_s=3, every_s=0.2)

    def checks(self, job: Job) -> tuple[LiveCheck, ...]:
        return (self._check("is right", AFTER),)

    def undo_checks(self, job: Job) -> tuple[LiveCheck, ...]:
        async def sample(_eyes: Eyes) -> Sample:
            return Sample(self.number.value == job.data["before"], str(self.number.value))

        return (LiveCheck("is as before", 1, "it has to stay so", sample, within_s=2, every_s=0.2),)


async def _maybe(value: Any) -> Any:
    return await value if asyncio.iscoroutine(value) else value


@dataclass
class Bench:
    """Everything that an execution needs, in one folder. `sources` are the host's readings."""

    folder: Path
    clock: Clock = field(default_factory=SystemClock)
    faults: Faults = field(default_factory=Faults)
    dwell: float = 0.05
    sources: Callable[[], tuple[SourceStatus, ...]] = tuple
    told: list[Progress] = field(default_factory=list)
    decisions: list[Decision] = field(default_factory=list)
    asked: int = 0

    def __post_init__(self) -> None:
        self.number = Number(self.folder / "number.json")
        self.remediation = SetNumber(self.number, self.faults)
        self.journal = Journal(self.folder / "journal.db")
        self.audit = AuditLog(self.folder / "audit.jsonl")
        self.link = FakeLink()
        registry.CATALOGUE["docker.set_number"] = ("none", "none")
        self._get = registry.get
        registry.get = self._find  # type: ignore[assignment]
        host = HostConfig(name="kvm-01", address="local")
        self.around = Surroundings(
            Config(hosts=(host,)), host, self.link, NobodyToAsk(), self._view, clock=self.clock, dwell=self.dwell
        )

    def _find(self, name: str) -> Remediation:
        return self.remediation if name == "docker.set_number" else self._get(name)

    async def _view(self) -> FleetView:
        return FleetView(START, (HostView("kvm-01", "local", LinkStatus(LinkState.UP), self.sources()),))

    def close(self) -> None:
        registry.get = self._get
        registry.CATALOGUE.pop("docker.set_number", None)
        self.journal.close()

    def engine(self) -> Engine:
        return Engine(self.around, self.journal, self.audit, records=self.folder / "operations")

    async def plan(self) -> Plan:
        eyes = Eyes(self.around)
        return await make_plan(eyes, "docker.set_number", TARGET, {}, unfinished=self.journal.unfinished())

    def approve(self, plan: Plan) -> Approval:
        words = {"confirmed": "number", "reason": "a test", "break_glass": True}
        return make_approval(plan, ALICE, self.clock.now(), **words)  # type: ignore[arg-type]

    async def decide(self, _progress: Progress) -> Decision:
        self.asked += 1
        return self.decisions.pop(0) if self.decisions else Decision.LEAVE

    async def apply(self, plan: Plan | None = None, approval: Approval | None = None, engine: Engine | None = None) -> Progress:
        plan = plan or await self.plan()
        return await (engine or self.engine()).apply(plan, approval or self.approve(plan), self.told.append, self.decide)

    @property
    def writes(self) -> int:
        return int(self.number.get()["writes"])


class FakeLease:
    """A lease that lives in this process, for engines without a host."""

    held: dict[str, str] = {}  # noqa: RUF012 - shared on purpose

    def __init__(self, target: str, holder: str) -> None:
        self.target, self.holder = target, holder

    @classmethod
    async def take(cls, _link: object, target: str, holder: str, *, ttl_s: int = 60, token: str = "") -> FakeLease:
        from debugtui.remediation.remote.lease import LeaseHeldError

        if target in cls.held:
            raise LeaseHeldError(cls.held[target], START)
        cls.held[target] = holder
        return cls(target, holder)

    async def renew(self) -> bool:
        return self.held.get(self.target) == self.holder

    async def give_back(self) -> None:
        if self.held.get(self.target) == self.holder:
            del self.held[self.target]


def kill_here() -> None:
    """Die as if by the kernel's hand."""
    os.kill(os.getpid(), 9)
