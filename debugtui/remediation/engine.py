"""Executes approved plans: journal, lock, a last look, steps, verification, rollback. The only place that makes `Hands`.

It never raises for what can happen in production. Nothing is sent unless it was written down before; what was sent is never
sent again; and an end is `verified` only when every check saw its observable. What follows the last step is in `outcome`, what
follows a crash in `settle`.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

from debugtui.config.secrets import SecretError
from debugtui.hosts.link import LinkError
from debugtui.model.execution import ENDS, Approval, Decision, Person, Progress, State
from debugtui.model.ids import new_id
from debugtui.model.plan import GuardStatus, Plan, PlanFormatError
from debugtui.model.text import line
from debugtui.remediation import registry
from debugtui.remediation.approvals import ApprovalError, check_approval, check_rollback_approval
from debugtui.remediation.base import PlanError, Remediation, Undo
from debugtui.remediation.eyes import Eyes, Surroundings
from debugtui.remediation.lock import locked
from debugtui.remediation.outcome import Decide, Work, working
from debugtui.remediation.past import Past, past_of
from debugtui.remediation.planner import remake
from debugtui.remediation.run import Refused, Run
from debugtui.remediation.settle import settle
from debugtui.remediation.stale import what_moved
from debugtui.sources.base import SourceError
from debugtui.storage.audit import AuditLog
from debugtui.storage.journal import Journal
from debugtui.storage.problems import StorageError

_log = logging.getLogger(__name__)

Tell = Callable[[Progress], None]

#: What reading a target can fail with.
_UNREADABLE = (SourceError, LinkError, SecretError, TimeoutError, PlanError, registry.UnknownRemediationError)


class Engine:
    """Executes plans of one host. `stop_after_step` may be called at any time."""

    def __init__(
        self,
        surroundings: Surroundings,
        journal: Journal,
        audit: AuditLog,
        *,
        records: Path,
        make_id: Callable[[], str] | None = None,
    ) -> None:
        """Prepare.

        Args:
            surroundings: of the host.
            journal: where states are written.
            audit: where events are written.
            records: folder of the Markdown records.
            make_id: makes the id of an execution; a new one each time where None.
        """
        self._around = surroundings
        self._journal, self._audit, self._records = journal, audit, records
        self._make_id = make_id or (lambda: new_id("exe", surroundings.clock.now()))
        self._halt = asyncio.Event()

    def stop_after_step(self) -> None:
        """Send nothing more after the current step."""
        self._halt.set()

    # --- what is asked for

    async def apply(self, plan: Plan, approval: Approval, tell: Tell, decide: Decide) -> Progress:
        """Execute an approved plan; return how it ended.

        Args:
            plan: what was approved.
            approval: of exactly this plan.
            tell: called after every change.
            decide: asked when the verification is inconclusive.
        """
        run = self._run(plan, approval, tell, self._make_id())
        return await self._whole(run, self._apply(run, decide))

    async def rollback(self, execution: str, approval: Approval, tell: Tell, decide: Decide) -> Progress:
        """Take back an execution that is verified or unknown, by the rollback of its plan; return how that ended."""
        plan = await asyncio.to_thread(self._journal.plan_of, execution)
        run = self._run(plan, approval, tell, execution)
        return await self._whole(run, self._take_back(run, decide))

    async def resume(self, execution: str, decision: Decision, tell: Tell, decide: Decide, *, by: Person) -> Progress:
        """Settle an execution that did not end: look at the target, then do what was decided. Nothing is sent twice.

        Args:
            execution: its id.
            decision: go on, roll back, or leave it.
            tell: called after every change.
            decide: asked when the verification is inconclusive.
            by: who decided; the approval may be somebody else's.
        """
        plan = await asyncio.to_thread(self._journal.plan_of, execution)
        approval = await asyncio.to_thread(self._journal.approval_of, execution)
        run = self._run(plan, approval, tell, execution)
        return await self._whole(run, self._settle(run, decision, decide, by))

    def _run(self, plan: Plan, approval: Approval, tell: Tell, number: str) -> Run:
        parts = (self._journal, self._audit, self._records, self._around.clock, tell, number)
        return Run(plan, approval, *parts, git=self._around.config.repair.git, halt=self._halt)

    # --- whatever happens

    async def _whole(self, run: Run, work: Coroutine[Any, Any, Progress]) -> Progress:
        """Run to the end whatever happens. Being cancelled means: stop after this step."""
        task = asyncio.create_task(self._safely(run, work), name=f"execution {run.number}")
        while not task.done():
            try:
                await asyncio.shield(task)
            except asyncio.CancelledError:
                if task.cancelled():
                    raise
                self._halt.set()
        return task.result()

    async def _safely(self, run: Run, work: Coroutine[Any, Any, Progress]) -> Progress:
        try:
            with self._journal.hold(run.number):
                return await work
        except Refused as error:
            return await self._refuse(run, error)
        except (StorageError, PlanFormatError) as error:
            return await self._refuse(run, Refused(str(error)))
        except Exception as error:  # noqa: BLE001 - a fault of ours must still end in a state that says so
            _log.exception("execution %s", run.number)
            says = f"a fault of DebugTUI: {type(error).__name__}: {line(str(error), 300)}"
            return await run.end(State.UNKNOWN if run.sent else State.FAILED, says)
        finally:
            work.close()  # never begun where another process holds the execution

    async def _refuse(self, run: Run, error: Refused) -> Progress:
        if run.sent:
            return await run.end(State.UNKNOWN, error.says)
        run.show(moved=error.moved)
        if not run.begun:
            fields = {"plan": run.plan.id, "digest": run.plan.digest, "target": str(run.plan.target), "says": error.says}
            with contextlib.suppress(StorageError):  # what cannot be written is said on the screen all the same
                await asyncio.to_thread(self._audit.append, State.REFUSED.value, fields)
        return await run.end(State.REFUSED, error.says)

    # --- applying

    async def _apply(self, run: Run, decide: Decide) -> Progress:
        until = self._deadline(run)
        try:
            check_approval(run.plan, run.approval, run.clock.now())
            remediation = registry.get(run.plan.remediation)
        except (ApprovalError, registry.UnknownRemediationError) as error:
            raise Refused(str(error)) from None
        await run.begin()
        async with locked(self._around, run) as held, working(self._around, run, remediation, held, decide) as work:
            await run.enter(State.LOCKED, "no other execution on the target")
            await work.baseline()
            await self._look_again(run, work.eyes)
            self._still_approved(run, until)
            await run.enter(State.PRECHECKED, "the target is as it was approved, and every guard holds")
            return await work.finish(await work.runner.forward())

    @staticmethod
    def _deadline(run: Run) -> float:
        """Return until when the approval lives, by a clock that cannot be set: a jump must not make it live longer."""
        return run.clock.monotonic() + (run.approval.expires_at - run.clock.now()).total_seconds()

    @staticmethod
    def _still_approved(run: Run, until: float) -> None:
        if run.clock.monotonic() >= until or run.clock.now() >= run.approval.expires_at:
            raise Refused("the approval expired before anything was sent")

    async def _look_again(self, run: Run, eyes: Eyes) -> None:
        """Make the plan again from the target as it is now; refuse where it would be another one.

        Raises:
            Refused: it would, or the target cannot be read.
        """
        others = await asyncio.to_thread(self._journal.open_on, run.plan.target)
        try:
            fresh = await remake(eyes, run.plan, unfinished=[other for other in others if other.id != run.number])
        except _UNREADABLE as error:
            raise Refused(f"stale: the target cannot be planned for any more: {error}", (str(error),)) from None
        if moved := what_moved(run.plan, fresh):
            raise Refused(f"stale: {moved[0]}", moved)

    # --- rolling back on demand

    async def _take_back(self, run: Run, decide: Decide) -> Progress:
        remediation = registry.get(run.plan.remediation)
        past = await self._past(run)
        try:
            exact = remediation.spec.undo is Undo.EXACT
            check_rollback_approval(run.plan, run.approval, run.clock.now(), exact=exact)
        except ApprovalError as error:
            raise Refused(str(error)) from None
        if past.state not in (State.VERIFIED, State.UNKNOWN):
            raise Refused(f"{run.number} is {past.state.value}: only what is verified or unknown is rolled back")
        until = self._deadline(run)
        async with locked(self._around, run) as held, working(self._around, run, remediation, held, decide) as work:
            if not remediation.undo(work.job()):
                raise Refused("this plan has no rollback: " + (run.plan.irreversible or ("none was shown",))[0])
            if not work.rollback_as_shown():
                raise Refused("this DebugTUI would roll back by other steps than the plan shows")
            await self._may_take_back(run, remediation, work)
            if past.state is State.UNKNOWN:
                await work.runner.take_up_dead_men(past)  # a revert may wait still; `roll_back` tells it off
            self._still_approved(run, until)
            return await work.roll_back(f"asked for by {run.approval.person.login}", asked=True)

    async def _may_take_back(self, run: Run, remediation: Remediation, work: Work) -> None:
        others = await asyncio.to_thread(self._journal.open_on, run.plan.target)
        if other := next((other for other in others if other.id != run.number), None):
            raise Refused(f"{other.id} on this target is {other.state.value}: close it first")
        try:
            guards = await remediation.undo_guards(work.eyes, work.job())
        except _UNREADABLE as error:
            raise Refused(f"the target cannot be read: {error}") from None
        for guard in guards:
            if guard.refuses:
                word = "is not known" if guard.status is GuardStatus.UNKNOWN else "fails"
                raise Refused(f"the guard {guard.name} {word}: {guard.why}", (guard.why,))

    # --- after a crash

    async def _settle(self, run: Run, decision: Decision, decide: Decide, by: Person) -> Progress:
        remediation = registry.get(run.plan.remediation)
        past = await self._past(run)
        if past.state in ENDS:
            raise Refused(f"{run.number} has ended: it is {past.state.value}")
        run.sent = bool(past.tried) or past.rolling_back
        async with locked(self._around, run) as held, working(self._around, run, remediation, held, decide) as work:
            run.begun = True
            fields = {"operator": by.login, "name": by.name, "where": by.where, "decision": decision.value}
            await run.say_in_audit("resumed", **fields)
            return await settle(work, past, decision)

    async def _past(self, run: Run) -> Past:
        past = past_of(await asyncio.to_thread(self._journal.execution, run.number))
        run.results, run.tries = dict(past.results), dict(past.tries)
        return past
