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


@dataclass
class Run:
    """One execution. Only the engine uses it.

    Attributes:
        number: its id; empty before the journal knows it.
        git: the record is committed to the git work tree it lies in.
        sent: something was sent to the target: from here on nothing may be forgotten.
        results: what the steps left.
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
        await self._audit(State.APPROVED, {"class": int(self.plan.risk.cls), "break_glass": self.approval.break_glass})
        self.show(state=State.APPROVED, says=f"approved by {self.approval.person.login}")

    async def enter(self, state: State, says: str, *, step: int | None = None, **detail: object) -> None:
        """Write that a state begins, then show it. Before anything was sent, what cannot be written stops the execution.

        Raises:
            StorageError: it could not be written, and nothing was sent yet.
        """
        says = line(redact(says), _SAYS_LIMIT)
        try:
            entry = {"says": says, **detail}
            await asyncio.to_thread(self.journal.append, self.number, state, self.clock.now(), step=step, detail=entry)
            if state in _AUDITED:
                await self._audit(state, {"says": says, **({"step": step} if step else {})})
        except StorageError as error:
            if not self.sent:
                raise
            # The target must not be left half-way because of our own disk.
            self.lost = str(error.problem)
            _log.error("not written: %s %s: %s", self.number, state.value, error)
        self.show(state=state, says=says)

    async def _audit(self, state: State, fields: Mapping[str, object]) -> None:
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
        await asyncio.to_thread(self.audit.append, state.value, {**about, **fields})

    async def end(self, state: State, says: str) -> Progress:
        """Write how it ended, and the record; return the last progress."""
        if self.lost:
            says = f"{says} (not everything could be written: {self.lost})"
        if self.begun:
            try:
                await self.enter(state, says)
            except StorageError as error:
                says = f"{says} (this could not be written: {error.problem})"
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
        except (StorageError, OSError) as error:
            _log.error("no record of %s: %s", self.number, error)
            return ""

    # --- what is shown

    def show(self, **changes: object) -> None:
        """Tell the screen what changed."""
        self.progress = replace(self.progress, **changes)  # type: ignore[arg-type] # fields of Progress
        self.tell(self.progress)

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
