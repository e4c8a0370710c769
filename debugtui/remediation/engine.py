"""Executes approved plans: journal, lock, a last look, steps, verification, rollback. The only place that makes `Hands`.

It never raises for what can happen in production. Nothing is sent unless it was written down before; what was sent is never
sent again; and an end is `verified` only when every check saw its observable.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import logging
from collections.abc import Awaitable, Callable, Coroutine
from pathlib import Path
from typing import Any

from debugtui.config.secrets import SecretError
from debugtui.hosts.link import LinkError
from debugtui.model.execution import ENDS, Approval, Decision, Progress, State, Verdict
from debugtui.model.ids import new_id
from debugtui.model.plan import GuardStatus, Plan, PlanFormatError
from debugtui.model.source import FleetView
from debugtui.model.target import Target
from debugtui.model.text import line
from debugtui.remediation import registry
from debugtui.remediation.approvals import ApprovalError, check_approval, check_rollback_approval
from debugtui.remediation.base import LiveCheck, PlanError, Remediation, Settled, Undo
from debugtui.remediation.eyes import Eyes, Surroundings
from debugtui.remediation.past import Past, past_of
from debugtui.remediation.planner import job_of, remake
from debugtui.remediation.remote.lease import Lease, LeaseHeldError
from debugtui.remediation.run import Run
from debugtui.remediation.side_effects import compare
from debugtui.remediation.stale import what_moved
from debugtui.remediation.steps import Refused, StepFailure, StepRunner
from debugtui.remediation.verify import Watch, watch_all
from debugtui.sources.base import SourceError
from debugtui.storage.audit import AuditLog
from debugtui.storage.journal import Journal
from debugtui.storage.problems import StorageError

#: Seconds that the lease on the target outlives our last renewal, and between two renewals.
LEASE_S, RENEW_S = 60, 15.0
#: Seconds after a change before a side effect is looked at a second time: what is only passing does not count.
SECOND_LOOK_S = 3.0

_log = logging.getLogger(__name__)

Tell = Callable[[Progress], None]
Decide = Callable[[Progress], Awaitable[Decision]]

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
        self._stop = asyncio.Event()

    def stop_after_step(self) -> None:
        """Send nothing more after the current step."""
        self._stop.set()

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

    async def resume(self, execution: str, decision: Decision, tell: Tell, decide: Decide) -> Progress:
        """Settle an execution that did not end: look at the target, then do what was decided. Nothing is sent twice."""
        plan = await asyncio.to_thread(self._journal.plan_of, execution)
        approval = await asyncio.to_thread(self._journal.approval_of, execution)
        run = self._run(plan, approval, tell, execution)
        return await self._whole(run, self._settle(run, decision, decide))

    def _run(self, plan: Plan, approval: Approval, tell: Tell, number: str) -> Run:
        parts = (self._journal, self._audit, self._records, self._around.clock, tell, number)
        return Run(plan, approval, *parts, git=self._around.config.repair.git)

    async def _whole(self, run: Run, work: Coroutine[Any, Any, Progress]) -> Progress:
        """Run to the end whatever happens. Being cancelled means: stop after this step."""
        task = asyncio.create_task(self._safely(run, work), name=f"execution {run.number}")
        while not task.done():
            try:
                await asyncio.shield(task)
            except asyncio.CancelledError:
                if task.cancelled():
                    raise
                self._stop.set()
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
        plan, approved_at = run.plan, run.clock.monotonic()
        try:
            check_approval(plan, run.approval, run.clock.now())
            remediation = registry.get(plan.remediation)
        except (ApprovalError, registry.UnknownRemediationError) as error:
            raise Refused(str(error)) from None
        await run.begin()
        async with self._locked(run) as lost:
            await run.enter(State.LOCKED, "no other execution on the target")
            eyes = Eyes(self._around)
            try:
                await self._look_again(run, eyes, approved_at)
                before = await self._baseline(eyes)
                runner = StepRunner(self._around, run, remediation, lost, self._stop)
                failure = await runner.forward()
                if failure is not None:
                    return await self._after_failure(run, remediation, runner, eyes, failure, decide)
                return await self._verify(run, remediation, runner, eyes, before, decide)
            finally:
                await eyes.close()

    @contextlib.asynccontextmanager
    async def _locked(self, run: Run) -> Any:
        """Hold the lease on the target, renewing it; yield an event that is set when it is lost."""
        holder = f"{run.approval.person.login} {run.approval.person.where} {run.number}"
        # The same token for the same execution: after a crash we take up our own lease; `hold` keeps a second process away.
        token = hashlib.sha256(run.number.encode()).hexdigest()[:32]
        try:
            lease = await Lease.take(self._around.link, str(run.plan.target), holder, ttl_s=LEASE_S, token=token)
        except LeaseHeldError as error:
            raise Refused(f"another operator works on this target: {line(error.holder, 200)}") from None
        except (LinkError, SourceError, TimeoutError) as error:
            raise Refused(f"the target could not be locked: {error}") from None
        lost = asyncio.Event()
        keeper = asyncio.create_task(self._keep(lease, lost), name=f"lease of {run.number}")
        try:
            yield lost
        finally:
            keeper.cancel()
            await asyncio.gather(keeper, return_exceptions=True)
            with contextlib.suppress(LinkError, SourceError, TimeoutError):  # it expires by itself
                await lease.give_back()

    async def _keep(self, lease: Lease, lost: asyncio.Event) -> None:
        while True:
            await asyncio.sleep(RENEW_S)
            try:
                if not await lease.renew():
                    lost.set()
                    return
            except (LinkError, SourceError, TimeoutError) as error:
                _log.warning("the lease could not be renewed now: %s", error)

    async def _look_again(self, run: Run, eyes: Eyes, approved_at: float) -> None:
        """Make the plan again from the target as it is now; refuse where it would be another one.

        Raises:
            Refused: it would, or the approval has expired, or the target cannot be read.
        """
        others = await asyncio.to_thread(self._journal.open_on, run.plan.target)
        try:
            fresh = await remake(eyes, run.plan, unfinished=[other for other in others if other.id != run.number])
        except _UNREADABLE as error:
            raise Refused(f"stale: the target cannot be planned for any more: {error}", (str(error),)) from None
        if moved := what_moved(run.plan, fresh):
            raise Refused(f"stale: {moved[0]}", moved)
        # By a clock that cannot be set back as well: a jump must not make an approval live longer.
        lives = (run.approval.expires_at - run.approval.at).total_seconds()
        if run.clock.monotonic() - approved_at > lives or run.clock.now() >= run.approval.expires_at:
            raise Refused("the approval expired before anything was sent")
        await run.enter(State.PRECHECKED, "the target is as it was approved, and every guard holds")

    async def _baseline(self, eyes: Eyes) -> FleetView | None:
        try:
            return await eyes.view()
        except (SourceError, LinkError, TimeoutError) as error:
            _log.warning("no baseline: %s", error)
            return None

    async def _after_failure(
        self,
        run: Run,
        remediation: Remediation,
        runner: StepRunner,
        eyes: Eyes,
        failure: StepFailure,
        decide: Decide,
    ) -> Progress:
        if failure.nothing_changed:
            await runner.disarm()
            state = State.REFUSED if failure.stale else State.FAILED
            if failure.stale:
                run.show(moved=(failure.says,))
            return await run.end(state, f"{'stale: ' if failure.stale else ''}{failure.says}")
        if remediation.spec.undo is Undo.EXACT:
            return await self._roll_back(run, remediation, runner, eyes, failure.says)
        await runner.disarm()
        return await run.end(State.UNKNOWN, f"{failure.says}; there is no exact rollback: look at the target")

    # --- verifying

    async def _verify(
        self,
        run: Run,
        remediation: Remediation,
        runner: StepRunner,
        eyes: Eyes,
        before: FleetView | None,
        decide: Decide,
    ) -> Progress:
        checks = remediation.checks(job_of(run.plan, run.results))
        while True:
            await run.enter(State.VERIFYING, "watching whether it holds")
            verdict = await self._watch(run, checks, eyes)
            says = "every check held for its whole time"
            if verdict is Verdict.PASS:
                worse = await self._side_effects(run, eyes, before)
                if not worse:
                    return await run.end(State.VERIFIED, says)
                verdict, says = Verdict.FAIL, f"it holds, but something else got worse: {worse}"
            elif verdict is Verdict.FAIL:
                says = self._which(run, "does not hold")
            else:
                says = self._which(run, "could not be seen well enough")
                run.show(says=f"inconclusive: {says}")
                decision = await decide(run.progress)
                if decision is Decision.WATCH_ON and not self._stop.is_set():
                    continue
                if decision is not Decision.ROLL_BACK:
                    return await run.end(State.UNKNOWN, f"inconclusive, and left so: {says}")
            if remediation.spec.undo is Undo.EXACT or verdict is Verdict.INCONCLUSIVE:
                return await self._roll_back(run, remediation, runner, eyes, says)
            return await run.end(State.UNKNOWN, f"{says}; there is no exact rollback: look at the target")

    async def _watch(self, run: Run, checks: tuple[LiveCheck, ...], eyes: Eyes, *, undo: bool = False) -> Verdict:
        watches = [Watch(check, eyes) for check in checks]

        def changed() -> None:
            run.show_checks(tuple(watch.progress() for watch in watches), undo=undo)

        verdict = await watch_all(watches, changed, self._stop if not undo else asyncio.Event())
        changed()
        return verdict

    @staticmethod
    def _which(run: Run, what: str, *, undo: bool = False) -> str:
        checks = run.progress.undo_checks if undo else run.progress.checks
        for wanted in (Verdict.FAIL, Verdict.INCONCLUSIVE):
            for check in checks:
                if check.verdict is wanted:
                    newest = f": {check.samples[-1].value}" if check.samples else ""
                    return f"{check.name} {what}{newest}"
        return f"a check {what}"

    async def _side_effects(self, run: Run, eyes: Eyes, before: FleetView | None) -> str:
        """Compare the rest of the host with before; return what that served is gone, empty where nothing is."""
        if before is None:
            run.show(side_effects=("not compared: the host's readings from before are missing",))
            return ""
        meant = (run.plan.target, *(Target.parse(text) for text in _texts(run.plan.facts.get("expected"))))
        try:
            effects = compare(before, await eyes.view(), eyes.host.name, meant)
            if effects:
                await asyncio.sleep(SECOND_LOOK_S * self._around.dwell)
                still = compare(before, await eyes.view(), eyes.host.name, meant)
                targets = {effect.target for effect in effects}
                effects = tuple(effect for effect in still if effect.target in targets)
        except (SourceError, LinkError, TimeoutError) as error:
            run.show(side_effects=(f"not compared: {line(str(error), 200)}",))
            return ""
        run.show(side_effects=tuple(effect.says for effect in effects))
        return next((effect.says for effect in effects if effect.critical), "")

    # --- rolling back

    async def _roll_back(self, run: Run, remediation: Remediation, runner: StepRunner, eyes: Eyes, why: str) -> Progress:
        await run.enter(State.ROLLING_BACK, f"rolling back: {why}")
        await runner.disarm()
        job = job_of(run.plan, run.results)
        if not remediation.undo(job):
            return await run.end(State.UNKNOWN, f"{why}; there is nothing to roll back with: look at the target")
        failure = await runner.backward()
        if failure is not None:
            return await run.end(State.UNKNOWN, f"{why}; the rollback failed as well: {failure.says}: look at the target")
        verdict = await self._watch(run, remediation.undo_checks(job), eyes, undo=True)
        if verdict is Verdict.PASS:
            return await run.end(State.ROLLED_BACK, f"{why}; rolled back, and that was verified")
        what = self._which(run, "does not hold" if verdict is Verdict.FAIL else "could not be seen", undo=True)
        return await run.end(State.UNKNOWN, f"{why}; rolled back, but {what}: look at the target")

    async def _take_back(self, run: Run, decide: Decide) -> Progress:
        """Roll back on demand."""
        remediation = registry.get(run.plan.remediation)
        past = past_of(await asyncio.to_thread(self._journal.execution, run.number))
        exact = remediation.spec.undo is Undo.EXACT
        try:
            check_rollback_approval(run.plan, run.approval, run.clock.now(), exact=exact)
        except ApprovalError as error:
            raise Refused(str(error)) from None
        if past.state not in (State.VERIFIED, State.UNKNOWN):
            raise Refused(f"{run.number} is {past.state.value}: only what is verified or unknown is rolled back")
        run.results = past.results
        job = job_of(run.plan, run.results)
        if not remediation.undo(job):
            raise Refused("this plan has no rollback: " + (run.plan.irreversible or ("none was shown",))[0])
        async with self._locked(run) as lost:
            eyes = Eyes(self._around)
            try:
                await self._may_take_back(run, remediation, eyes)
                run.begun = True
                runner = StepRunner(self._around, run, remediation, lost, self._stop)
                return await self._roll_back(run, remediation, runner, eyes, f"asked for by {run.approval.person.login}")
            finally:
                await eyes.close()

    async def _may_take_back(self, run: Run, remediation: Remediation, eyes: Eyes) -> None:
        others = await asyncio.to_thread(self._journal.open_on, run.plan.target)
        if other := next((other for other in others if other.id != run.number), None):
            raise Refused(f"{other.id} on this target is {other.state.value}: close it first")
        try:
            guards = await remediation.undo_guards(eyes, job_of(run.plan, run.results))
        except _UNREADABLE as error:
            raise Refused(f"the target cannot be read: {error}") from None
        for guard in guards:
            if guard.refuses:
                word = "is not known" if guard.status is GuardStatus.UNKNOWN else "fails"
                raise Refused(f"the guard {guard.name} {word}: {guard.why}", (guard.why,))

    # --- after a crash

    async def _settle(self, run: Run, decision: Decision, decide: Decide) -> Progress:
        remediation = registry.get(run.plan.remediation)
        past = past_of(await asyncio.to_thread(self._journal.execution, run.number))
        if past.state in ENDS:
            raise Refused(f"{run.number} has ended: it is {past.state.value}")
        run.results, run.sent = past.results, bool(past.sent)
        async with self._locked(run) as lost:
            run.begun = True
            eyes = Eyes(self._around)
            try:
                runner = StepRunner(self._around, run, remediation, lost, self._stop)
                return await self._settled(run, remediation, runner, eyes, past, decision, decide)
            finally:
                await eyes.close()

    async def _settled(
        self,
        run: Run,
        remediation: Remediation,
        runner: StepRunner,
        eyes: Eyes,
        past: Past,
        decision: Decision,
        decide: Decide,
    ) -> Progress:
        if not past.sent:
            return await run.end(State.FAILED, "it was interrupted before anything was sent")
        found = await runner.settle(past, eyes)
        if found is Settled.NOT_DONE and past.sent == {1} and not past.rolling_back:
            return await run.end(State.FAILED, "looked at the target: the step that was sent did not happen; nothing changed")
        if decision is Decision.ROLL_BACK:
            return await self._roll_back(run, remediation, runner, eyes, "interrupted, and rolled back on demand")
        if decision is Decision.WATCH_ON and found is Settled.DONE and past.whole(len(run.plan.steps)):
            return await self._verify(run, remediation, runner, eyes, None, decide)
        says = {
            Settled.DONE: "what was sent was done",
            Settled.NOT_DONE: "the newest step that was sent did not happen",
            Settled.UNKNOWN: "whether the newest step happened cannot be seen",
        }[found]
        if not past.whole(len(run.plan.steps)):
            says += f"; {len(run.plan.steps) - len(past.sent)} of {len(run.plan.steps)} steps were never sent"
        return await run.end(State.UNKNOWN, f"looked at the target: {says}")


def _texts(value: object) -> tuple[str, ...]:
    return tuple(item for item in value if isinstance(item, str)) if isinstance(value, list) else ()
