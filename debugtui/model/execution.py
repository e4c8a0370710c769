"""What happened to a plan: approval, states, outcome."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from debugtui.model.plan import Plan, RiskClass
from debugtui.model.target import Target


class State(StrEnum):
    """The states of an execution, each written to disk before the next begins (DESIGN: The plan).

    refused: nothing was sent. failed: something went wrong and nothing changed. unknown: a person has to look; blocks further
    plans on the target until it is `closed`.
    """

    PLANNED = "planned"
    APPROVED = "approved"
    LOCKED = "locked"
    PRECHECKED = "prechecked"
    INTENT = "intent"
    SENT = "sent"
    ACKED = "acked"
    VERIFYING = "verifying"
    VERIFIED = "verified"
    ROLLING_BACK = "rolling_back"
    ROLLED_BACK = "rolled_back"
    FAILED = "failed"
    REFUSED = "refused"
    UNKNOWN = "unknown"
    CLOSED = "closed"


#: States in which an execution has ended for good.
ENDS = frozenset({State.VERIFIED, State.ROLLED_BACK, State.FAILED, State.REFUSED, State.CLOSED})

#: Exit codes of `apply` (DESIGN: Commands).
EXIT_CODES = {State.VERIFIED: 0, State.FAILED: 1, State.ROLLED_BACK: 4, State.REFUSED: 5, State.UNKNOWN: 6}


class Verdict(StrEnum):
    """What a check says. inconclusive is never a pass."""

    PASS = "pass"  # noqa: S105 - a verdict
    FAIL = "fail"
    INCONCLUSIVE = "inconclusive"


@dataclass(frozen=True, slots=True)
class Person:
    """Who approves.

    `login` is the account, `uid` its number, `name` what they call themselves, `where` terminal and SSH client.
    """

    login: str
    uid: int
    name: str
    where: str


@dataclass(frozen=True, slots=True)
class SecondApproval:
    """A second person's approval of exactly one plan, made on their own login."""

    digest: str
    fingerprint: str
    person: Person
    at: datetime
    expires_at: datetime


@dataclass(frozen=True, slots=True)
class Approval:
    """An approval of exactly one plan.

    Attributes:
        plan: id of the plan.
        digest: of the plan.
        fingerprint: of the target, as the plan saw it.
        cls: the class that was approved.
        person: who.
        at, expires_at: UTC; the execution must begin before.
        confirmed: the name that was typed; empty for class 1.
        reason: for class 3.
        second: the second person; None below class 3, or with `break_glass`.
        break_glass: alone on call: held, with a reason, recorded as such.
    """

    plan: str
    digest: str
    fingerprint: str
    cls: RiskClass
    person: Person
    at: datetime
    expires_at: datetime
    confirmed: str = ""
    reason: str = ""
    second: SecondApproval | None = None
    break_glass: bool = False


@dataclass(frozen=True, slots=True)
class JournalEntry:
    """One row of the journal. `detail` is canonical JSON of what that state needs to be understood later."""

    execution: str
    sequence: int
    state: State
    at: datetime
    step: int | None = None
    detail: str = "{}"


@dataclass(frozen=True, slots=True)
class Execution:
    """An execution as the journal has it.

    Attributes:
        id: `exe_` and 26 letters and digits.
        plan, digest, remediation, target: of what.
        state: the newest one.
        started_at, changed_at: the first and the newest entry (UTC).
        operator: the login of who approved it.
        says: the newest entry in words.
        entries: all of them, oldest first.
    """

    id: str
    plan: str
    digest: str
    remediation: str
    target: Target
    state: State
    started_at: datetime
    changed_at: datetime
    operator: str
    says: str
    entries: tuple[JournalEntry, ...] = ()

    @property
    def ended(self) -> bool:
        """Nothing more will happen by itself, and nobody has to look."""
        return self.state in ENDS


class Progressing(StrEnum):
    """How far a step of a running execution is."""

    WAITING = "waiting"
    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class StepProgress:
    """One step as the screen shows it. `took_s` in seconds, None before it ended."""

    name: str
    command: str
    state: Progressing
    says: str = ""
    took_s: float | None = None


@dataclass(frozen=True, slots=True)
class SampleTaken:
    """One look of a check; `ok` None: nothing valid was seen."""

    at: datetime
    ok: bool | None
    value: str


@dataclass(frozen=True, slots=True)
class CheckProgress:
    """One check as the screen shows it.

    `held_s` is how long it has held now, of `watch_s`; `samples` the newest 60, newest last; `verdict` None while it watches.
    """

    name: str
    watch_s: float
    held_s: float
    verdict: Verdict | None
    samples: tuple[SampleTaken, ...] = ()


@dataclass(frozen=True, slots=True)
class Compared:
    """One figure of what users see, before a change and after it: `kvm-01/web/front answer`, `182 ms`, `190 ms`."""

    name: str
    before: str
    after: str
    worse: bool = False


@dataclass(frozen=True, slots=True)
class Progress:
    """An execution as it stands: what the engine tells the screen and the command line after every change, and at the end.

    Attributes:
        execution: its id.
        plan: what is executed.
        state: see `State`.
        steps, rollback, checks, undo_checks: how far each is.
        side_effects: what got worse on the host and is not what the plan meant to change, one line each.
        compared: what the probes and the browser saw before, and see now; empty before the end of the verification.
        says: what is going on, or how it ended, in one sentence.
        moved: where it was refused as stale: what the target was and is, one line each.
        record: the Markdown record's path, once it ended; empty before.
    """

    execution: str
    plan: Plan
    state: State
    steps: tuple[StepProgress, ...] = ()
    rollback: tuple[StepProgress, ...] = ()
    checks: tuple[CheckProgress, ...] = ()
    undo_checks: tuple[CheckProgress, ...] = ()
    side_effects: tuple[str, ...] = ()
    compared: tuple[Compared, ...] = ()
    says: str = ""
    moved: tuple[str, ...] = ()
    record: str = ""

    @property
    def exit_code(self) -> int:
        """What `apply` ends with."""
        return EXIT_CODES.get(self.state, EXIT_CODES[State.UNKNOWN])


class Decision(StrEnum):
    """What the operator says when a verification is inconclusive, or an execution was found unfinished."""

    WATCH_ON = "watch_on"
    ROLL_BACK = "roll_back"
    LEAVE = "leave"
