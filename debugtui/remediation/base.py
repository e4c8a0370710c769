"""What every remediation is: it offers itself, drafts a plan from fresh readings, knows its steps, its rollback, its checks.

A remediation is stateless. `draft` looks at the target; `steps`, `undo`, `checks` and `undo_checks` are pure functions of a
`Job`, that is of what the plan holds. The plan shows what they say and the engine runs what they return, so that what was
approved and what is sent are the same thing; and a rollback can be made in another process, days later, from the plan alone.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import ClassVar

from debugtui.config.models import Config
from debugtui.model.plan import DiffPart, Guard, Mitigation
from debugtui.model.source import FleetView
from debugtui.model.target import Target
from debugtui.remediation.eyes import Eyes
from debugtui.remediation.hands import Hands


class PlanError(Exception):
    """No plan can be made: the target is unknown or ambiguous, or a parameter is wrong. Exit code 2."""


class NothingToDoError(PlanError):
    """The target already is as the remediation would make it."""


class StepError(Exception):
    """A step did not succeed.

    Attributes:
        says: one sentence.
        changed: False: certainly nothing changed. True: something certainly did. None: not known.
    """

    def __init__(self, says: str, *, changed: bool | None = None) -> None:
        super().__init__(says)
        self.says = says
        self.changed = changed


class StaleError(StepError):
    """Read again in the same round trip, the target was not what was approved; nothing was done."""

    def __init__(self, says: str) -> None:
        super().__init__(says, changed=False)


class Undo(StrEnum):
    """How far a remediation can be taken back. exact: the same state as before, by the same interface."""

    EXACT = "exact"
    COMPENSATING = "compensating"
    NONE = "none"


@dataclass(frozen=True, slots=True)
class Parameter:
    """One parameter. `prefix`: any number of them, `env.KEY=VALUE`, all beginning with `name` and a dot."""

    name: str
    help: str
    required: bool = True
    default: str = ""
    prefix: bool = False


@dataclass(frozen=True, slots=True)
class Spec:
    """What `debugtui remediations` says about a remediation.

    Attributes:
        name: full name, `postgres.terminate_session`.
        title: two to four words for a list.
        summary: one sentence: what it repairs, and how.
        target: the form of its targets: `HOST/postgres/DATABASE/PID`.
        parameters: see `Parameter`.
        risk: lowest and highest class it can have.
        undo: see `Undo`.
        undo_says: what the rollback restores, or why there is none.
        guards: the names of its guards.
        kind: kind of the targets; the part of the name before the dot where empty.
    """

    name: str
    title: str
    summary: str
    target: str
    parameters: tuple[Parameter, ...]
    risk: tuple[int, int]
    undo: Undo
    undo_says: str
    guards: tuple[str, ...]
    kind: str = ""

    @property
    def layer(self) -> str:
        """The kind of the targets."""
        return self.kind or self.name.partition(".")[0]


@dataclass(frozen=True, slots=True)
class Offer:
    """Whether a remediation applies to what is under the cursor, judged from the readings on the screen.

    Attributes:
        remediation: full name.
        target: what it would be planned for; another one than the row where the row's cause is elsewhere (the root blocker).
        applies: False: `why` says why not.
        why: one sentence.
        params: what is already known; the operator is asked for the rest.
        rank: lower is offered first; 0 for the usual way out of what the row shows.
    """

    remediation: str
    target: Target
    applies: bool
    why: str
    params: tuple[tuple[str, str], ...] = ()
    rank: int = 50


@dataclass(frozen=True, slots=True)
class Factor:
    """One factor of the risk: 0 to 4, None where it is not known, and the fact that sets it."""

    level: int | None
    why: str


@dataclass(frozen=True, slots=True)
class Factors:
    """The six factors that a remediation judges. `uncertainty` and `context` come from the guards and from the surroundings.

    The scale of each is the table in docs/risk.md. `context` here only adds what the remediation alone can see.
    """

    interruption: Factor
    reversibility: Factor
    durable_data: Factor
    blast_radius: Factor
    blocking: Factor
    verifiability: Factor
    context: Factor = Factor(0, "calm")


@dataclass(frozen=True, slots=True)
class Draft:
    """A plan without its number, digest, steps and class.

    Attributes:
        target: resolved: one existing thing.
        problem, solution: one sentence each, without times that move (they stand in guards' evidence).
        factors: see `Factors`.
        identity: what must be the same when it is applied: process id and start time, hash of a file... by label.
        data: plain JSON values that steps, undo and checks need. The same target in the same state gives the same data.
        diff: what changes.
        guards: at least one, each with its evidence.
        irreversible: what cannot be undone, and what softens it.
        mitigations: what would lower the risk.
        stop: the rule that forbids it whatever the factors say (STOP list); empty: none does.
        expected: targets that this change disturbs on purpose; everything else that gets worse is a side effect.
    """

    target: Target
    problem: str
    solution: str
    factors: Factors
    identity: Mapping[str, str]
    data: Mapping[str, object]
    diff: tuple[DiffPart, ...]
    guards: tuple[Guard, ...]
    irreversible: tuple[str, ...] = ()
    mitigations: tuple[Mitigation, ...] = ()
    stop: str = ""
    expected: tuple[Target, ...] = ()


@dataclass(frozen=True, slots=True)
class Job:
    """What steps, undo and checks are made from: the plan's own words.

    Attributes:
        plan_id: `pln_...`; marks on the target carry it.
        target, params, data: of the plan.
        results: what the steps that already ran left (`Done.facts`), by name; empty before.
    """

    plan_id: str
    target: Target
    params: Mapping[str, str]
    data: Mapping[str, object]
    results: Mapping[str, object] = field(default_factory=dict)

    @property
    def mark(self) -> str:
        """A short text that names this plan on a target: container names, snapshot names, file headers."""
        return self.plan_id.removeprefix("pln_")[-10:].lower()


class Settled(StrEnum):
    """What looking at the target says about a step in doubt."""

    DONE = "done"
    NOT_DONE = "not_done"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Done:
    """What a step left: the raw result in words, and facts (plain JSON values) for later steps and for the undo."""

    says: str
    facts: Mapping[str, object] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class DeadMan:
    """A revert that the target runs by itself unless it is told in time that all is well.

    Attributes:
        argv: what reverts, as an argument list run on the host; it must be harmless when there is nothing to revert.
        after_s: how long the target waits, in seconds.
    """

    argv: tuple[str, ...]
    after_s: int


@dataclass(frozen=True, slots=True)
class LiveStep:
    """A step that can run. The first five are what the plan shows.

    Attributes:
        run: sends it; reads the target again in the same round trip where the system allows. Raises `StaleError`, `StepError`,
            `LinkError`, `TimeoutError`.
        settle: after a crash or a lost link: was it done? Only looks.
        dead_man: armed before `run`, disarmed when all steps have run.
    """

    name: str
    command: str
    writes: bool
    timeout_s: int
    undo: str | None
    run: Callable[[Hands], Awaitable[Done]]
    settle: Callable[[Eyes], Awaitable[Settled]]
    dead_man: DeadMan | None = None


@dataclass(frozen=True, slots=True)
class Sample:
    """One look. `ok` None: nothing valid could be seen. `value` in words, for the screen and the journal."""

    ok: bool | None
    value: str


@dataclass(frozen=True, slots=True)
class LiveCheck:
    """A check that can be looked at. It passes when it becomes ok within `within_s` and then stays ok for `watch_s`.

    Attributes:
        name, watch_s, why: what the plan shows.
        sample: looks once; raising counts as a sample that is not valid.
        within_s: time until it has to be ok for the first time, in seconds.
        every_s: time between two samples, in seconds.
        least: valid samples without which there is no verdict but inconclusive.
    """

    name: str
    watch_s: int
    why: str
    sample: Callable[[Eyes], Awaitable[Sample]]
    within_s: float = 10.0
    every_s: float = 1.0
    least: int = 3


class Remediation(ABC):
    """One entry of the catalogue."""

    spec: ClassVar[Spec]

    @abstractmethod
    def offer(self, view: FleetView, target: Target) -> Offer | None:
        """Say whether it applies to a target, from the readings alone; None: it has nothing to do with such targets. Quick."""

    def as_configured(self, config: Config, offer: Offer) -> Offer:
        """Return an offer as it stands with the configuration, where that can speak against it."""
        return offer

    @abstractmethod
    async def draft(self, eyes: Eyes, target: Target, params: Mapping[str, str]) -> Draft:
        """Look at the target and draft the plan. Nothing is changed.

        Raises:
            PlanError: unknown or ambiguous target, wrong parameter, nothing to do.
            SourceError, LinkError: the target could not be read.
        """

    @abstractmethod
    def steps(self, job: Job) -> tuple[LiveStep, ...]:
        """Return the steps, in order."""

    @abstractmethod
    def undo(self, job: Job) -> tuple[LiveStep, ...]:
        """Return the rollback, in order; empty where there is none. Each step tolerates that there is nothing to undo."""

    @abstractmethod
    def checks(self, job: Job) -> tuple[LiveCheck, ...]:
        """Return how we will know that it worked; at least one."""

    @abstractmethod
    def undo_checks(self, job: Job) -> tuple[LiveCheck, ...]:
        """Return how we will know that the rollback worked; at least one where `undo` returns steps."""

    async def undo_guards(self, eyes: Eyes, job: Job) -> tuple[Guard, ...]:
        """Return what must be true before a rollback on demand: that the target still is what the plan made of it."""
        return ()
