"""One execution under way: its journal, what the screen is told of it, what it holds."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from debugtui.config.redaction import redact
from debugtui.model.clock import Clock
from debugtui.model.execution import (
    Approval,
    CheckProgress,
    Progress,
    Progressing,
    State,
    StepProgress,
)
from debugtui.model.plan import Plan
from debugtui.model.text import line
from debugtui.remediation.base import LiveStep
from debugtui.remediation.record import commit_record, write_record
from debugtui.storage.audit import AuditLog
from debugtui.storage.journal import Journal
from debugtui.storage.problems import StorageError

_log = logging.getLogger(__name__)

#: States that also go into the audit log.
_AUDITED = frozenset(
    {
        State.APPROVED,
        State.SENT,
        State.VERIFIED,
        State.ROLLING_BACK,
        State.ROLLED_BACK,
        State.FAILED,
        State.REFUSED,
        State.UNKNOWN,
    }
)
_SAYS_LIMIT = 2_000


class Refused(Exception):  # noqa: N818 - an outcome, not a fault
    """Nothing was sent, and nothing will be. `moved` says what is not as it was approved."""

    def __init__(self, says: str, moved: tuple[str, ...] = ()) -> None:
        super().__init__(says)
        self.says = says
        self.moved = moved


@dataclass(eq=False)
class Run:
    """One execution. Only the engine uses it.

    Attributes:
        number: its id.
        git: the record is committed to the git work tree it lies in.
        begun: the journal knows it, and an end may be written.
        sent: something was sent to the target: from here on nothing may be forgotten.
        results: what the steps left.
        tries: how often each step of the rollback has ended before, by its number; see `StepRunner.backward`.
        halt: set when nothing more is to be sent after the current step.
        lost: why the journal or the audit log could not be written after something was sent.
    """

    plan: Plan
    approval: Approval
    journal: Journal
    audit: AuditLog
    records: Path
    clock: Clock
    tell: Callable[[Progress], None]
    number: str
    git: bool = False
    begun: bool = False
    sent: bool = False
    results: dict[str, object] = field(default_factory=dict)
    tries: dict[int, int] = field(default_factory=dict)
    halt: asyncio.Event = field(default_factory=asyncio.Event)
    lost: str = ""
    progress: Progress = field(init=False)

    def __post_init__(self) -> None:
        self.progress = Progress(self.number, self.plan, State.PLANNED, says="planned")

    # --- what is written

    async def begin(self) -> None:
        """Write the plan and its approval.

        Raises:
            StorageError: it could not be written, or another execution on the target has not ended.
        """
        at = self.clock.now()
        await asyncio.to_thread(self.journal.begin, self.number, self.plan, self.approval, at)
        self.begun = True
        await self._audit(State.APPROVED.value, {"class": int(self.plan.risk.cls), "break_glass": self.approval.break_glass})
        self.show(state=State.APPROVED, says=f"approved by {self.approval.person.login}")

    async def enter(self, state: State, says: str, *, step: int | None = None, **detail: object) -> None:
        """Write that a state begins, then show it. Before anything was sent, what cannot be written stops the execution.

        Raises:
            StorageError: it could not be written, and nothing was sent yet.
        """
        says = line(redact(says), _SAYS_LIMIT)
        try:
            await self.note(state, says, step=step, **detail)
            if state in _AUDITED:
                await self._tell_audit(state, says, step)
        except StorageError as error:
            if not self.sent:
                raise
            # The target must not be left half-way because of our own disk.
            self._lose(f"{self.number} {state.value}", error)
        self.show(state=state, says=says)

    async def note(self, state: State, says: str, *, step: int | None = None, **detail: object) -> None:
        """Write an entry into the journal, and nothing more.

        Raises:
            StorageError: it could not be written.
        """
        entry = {"says": line(redact(says), _SAYS_LIMIT), **detail}
        await asyncio.to_thread(self.journal.append, self.number, state, self.clock.now(), step=step, detail=entry)

    async def note_or_lose(self, state: State, says: str, *, step: int | None = None, **detail: object) -> None:
        """As `note`, but what cannot be written does not stop what is under way; the end says so."""
        try:
            await self.note(state, says, step=step, **detail)
        except StorageError as error:
            self._lose(f"{self.number} {state.value}", error)

    async def say_in_audit(self, event: str, **fields: object) -> None:
        """Write an event of its own into the audit log; what cannot be written is said at the end."""
        try:
            await self._audit(event, fields)
        except StorageError as error:
            self._lose(f"{self.number} {event}", error)

    def _lose(self, what: str, error: StorageError) -> None:
        self.lost = str(error.problem)
        _log.error("not written: %s: %s", what, error)

    async def _tell_audit(self, state: State, says: str, step: int | None) -> None:
        try:
            await self._audit(state.value, {"says": says, **({"step": step} if step else {})})
        except StorageError as error:
            if state is State.SENT and not self.sent:
                # The journal says sent already, and it will not be.
                await self.note_or_lose(State.ACKED, f"not sent: {error.problem}", step=step, outcome="not_done")
            raise

    async def _audit(self, event: str, fields: Mapping[str, object]) -> None:
        about: dict[str, object] = {
            "execution": self.number,
            "plan": self.plan.id,
            "digest": self.plan.digest,
            "remediation": self.plan.remediation,
            "target": str(self.plan.target),
            "operator": self.approval.person.login,
            "name": self.approval.person.name,
            "where": self.approval.person.where,
        }
        if self.approval.reason:
            about["reason"] = self.approval.reason
        if self.approval.second is not None:
            about["second"] = self.approval.second.person.login
        await asyncio.to_thread(self.audit.append, event, {**about, **fields})

    async def end(self, state: State, says: str) -> Progress:
        """Write how it ended, and the record; return the last progress."""
        if self.begun:
            try:
                await self.enter(state, f"{says} (not everything could be written: {self.lost})" if self.lost else says)
            except StorageError as error:
                self._lose(f"{self.number} {state.value}", error)
        if self.lost:
            says = f"{says} (not everything could be written: {self.lost})"
        self.show(state=state, says=says)
        if self.begun:
            self.show(record=await self._record())
        return self.progress

    async def _record(self) -> str:
        try:
            execution = await asyncio.to_thread(self.journal.execution, self.number)
            if execution is None:
                return ""
            folder, about = self.records, (self.plan, self.approval, self.progress)
            path = await asyncio.to_thread(write_record, folder, execution, *about, head=self.audit.head)
            if self.git:
                subject = f"{self.plan.remediation} on {self.plan.target}: {self.progress.state.value}"
                if problem := await asyncio.to_thread(commit_record, path, subject):
                    self.show(says=f"{self.progress.says} (its record is not committed: {problem})")
            return str(path)
        except Exception:  # noqa: BLE001 - the journal has it all; what became of the target does not hang on its record
            _log.exception("no record of %s", self.number)
            return ""

    # --- what is shown

    def show(self, **changes: object) -> None:
        """Tell the screen what changed. A screen that is gone, or stumbles, changes nothing here."""
        self.progress = replace(self.progress, **changes)  # type: ignore[arg-type] # fields of Progress
        try:
            self.tell(self.progress)
        except Exception:  # noqa: BLE001 - an execution never ends because of who watches it
            _log.exception("telling of %s", self.number)

    def show_steps(self, steps: tuple[LiveStep, ...], *, undo: bool = False) -> None:
        """Show steps that wait."""
        waiting = tuple(StepProgress(step.name, redact(step.command), Progressing.WAITING) for step in steps)
        self.show(**{"rollback" if undo else "steps": waiting})

    def show_step(self, number: int, *, undo: bool = False, **changes: object) -> None:
        """Show how far one step is; `number` from 1."""
        name = "rollback" if undo else "steps"
        steps: list[StepProgress] = list(getattr(self.progress, name))
        steps[number - 1] = replace(steps[number - 1], **changes)  # type: ignore[arg-type] # fields of StepProgress
        self.show(**{name: tuple(steps)})

    def show_checks(self, checks: tuple[CheckProgress, ...], *, undo: bool = False) -> None:
        """Show how far the checks are."""
        self.show(**{"undo_checks" if undo else "checks": checks})
