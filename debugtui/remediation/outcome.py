"""From the last step to the end of an execution: what failed, whether it holds, what else got worse, the way back."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass

from debugtui.alerts.settings import rules_of
from debugtui.config.redaction import redact
from debugtui.hosts.link import LinkError
from debugtui.model.execution import Compared, Decision, Progress, State, Verdict
from debugtui.model.source import FleetView
from debugtui.model.target import Target
from debugtui.model.text import line
from debugtui.remediation.base import Job, LiveCheck, Remediation, Undo
from debugtui.remediation.eyes import Eyes, Surroundings
from debugtui.remediation.front import compare_front
from debugtui.remediation.lock import Held
from debugtui.remediation.planner import job_of
from debugtui.remediation.run import Run
from debugtui.remediation.side_effects import Effect, compare
from debugtui.remediation.steps import StepFailure, StepRunner, close
from debugtui.remediation.verify import Watch, watch_all
from debugtui.sources.base import SourceError

#: Seconds after a change before a side effect is looked at a second time: what is only passing does not count.
SECOND_LOOK_S = 3.0
#: Seconds for the readings of the whole host.
VIEW_S = 30.0

_BLIND = (SourceError, LinkError, TimeoutError)
_log = logging.getLogger(__name__)

Decide = Callable[[Progress], Awaitable[Decision]]


@dataclass
class Work:
    """What an execution works with once its target is locked.

    Attributes:
        around, run, remediation, held, decide: of the execution.
        runner: runs its steps.
        eyes: looks at the target.
        before: the host's readings from before the change; None where there are none.
    """

    around: Surroundings
    run: Run
    remediation: Remediation
    held: Held
    decide: Decide
    runner: StepRunner
    eyes: Eyes
    before: FleetView | None = None

    def job(self) -> Job:
        """Return what steps, rollback and checks are made from now."""
        return job_of(self.run.plan, self.run.results)

    # --- the steps ended

    async def finish(self, failure: StepFailure | None) -> Progress:
        """Go on after the steps: verify what was done, or deal with why it was not."""
        return await self.verify() if failure is None else await self._after(failure)

    async def _after(self, failure: StepFailure) -> Progress:
        if failure.nothing_changed:
            await self.runner.dead_men.tell()
            if failure.stale:
                self.run.show(moved=(failure.says,))
                return await self.run.end(State.REFUSED, f"stale: {failure.says}")
            return await self.run.end(State.FAILED, failure.says)
        if self.remediation.spec.undo is Undo.EXACT:
            return await self.roll_back(failure.says)
        return await self.leave(failure.says)

    async def leave(self, says: str) -> Progress:
        """End as unknown; show the way back, which is not taken by itself, and say what waits on the host."""
        steps = self.remediation.undo(self.job())
        if not self.run.progress.rollback:
            self.run.show_steps(steps, undo=True)
        if not steps:
            says += "; there is no rollback"
        elif self.remediation.spec.undo is not Undo.EXACT:
            says += "; there is no exact rollback, and the compensating one was not run"
        if self.runner.dead_men.armed:
            says += "; a revert waits on the host, and will run"
        return await self.run.end(State.UNKNOWN, f"{says}: look at the target")

    async def ask(self) -> Decision:
        """Ask the operator; nobody to answer means: leave it."""
        try:
            return await self.decide(self.run.progress)
        except asyncio.CancelledError:
            task = asyncio.current_task()
            if task is not None and task.cancelling():
                raise
            return Decision.LEAVE  # the question was withdrawn, not the execution
        except Exception:  # noqa: BLE001 - whatever asking stumbles over, there is no answer
            _log.exception("asking about %s", self.run.number)
            return Decision.LEAVE

    # --- does it hold

    async def verify(self) -> Progress:
        """Watch the checks; end as verified, or go back, or leave it."""
        checks = self.remediation.checks(self.job())
        while True:
            await self.run.enter(State.VERIFYING, "watching whether it holds")
            verdict = await self._watch(checks)
            if verdict is Verdict.PASS:
                worse = await self._side_effects()
                if not worse:
                    return await self.run.end(State.VERIFIED, "every check held for its whole time")
                return await self._does_not_hold(f"it holds, but something else got worse: {worse}")
            if verdict is Verdict.FAIL:
                return await self._does_not_hold(self._which("does not hold"))
            stopped = self.run.halt.is_set()
            says = "stopped before it was certain" if stopped else self._which("could not be seen well enough")
            self.run.show(says=f"inconclusive: {says}")
            decision = await self.ask()
            if decision is Decision.ROLL_BACK:
                return await self.roll_back(says, asked=True)
            if decision is not Decision.WATCH_ON:
                return await self.run.end(State.UNKNOWN, f"inconclusive, and left so: {says}")
            self.run.halt.clear()  # nothing more is sent; whoever asks to watch on wants it watched

    async def _does_not_hold(self, says: str) -> Progress:
        return await (self.roll_back(says) if self.remediation.spec.undo is Undo.EXACT else self.leave(says))

    async def _watch(self, checks: tuple[LiveCheck, ...], *, undo: bool = False) -> Verdict:
        watches = [Watch(check, self.eyes) for check in checks]

        def changed() -> None:
            self.run.show_checks(tuple(watch.progress() for watch in watches), undo=undo)

        verdict = await watch_all(watches, changed, asyncio.Event() if undo else self.run.halt)
        changed()
        return verdict

    def _which(self, what: str, *, undo: bool = False) -> str:
        checks = self.run.progress.undo_checks if undo else self.run.progress.checks
        for wanted in (Verdict.FAIL, Verdict.INCONCLUSIVE):
            for check in checks:
                if check.verdict is wanted:
                    newest = f": {check.samples[-1].value}" if check.samples else ""
                    return f"{check.name} {what}{newest}"
        return f"a check {what}"

    # --- what else got worse

    async def baseline(self) -> None:
        """Keep the host's readings from before the change."""
        try:
            self.before = await self._view()
        except _BLIND as error:
            _log.warning("no baseline: %s", error)

    async def _view(self) -> FleetView:
        async with asyncio.timeout(VIEW_S):
            return await self.eyes.view()

    async def _side_effects(self) -> str:
        """Compare the rest of the host with before; return what that served is gone, empty where nothing is."""
        before = self.before
        if before is None:
            self.run.show(side_effects=("not compared: the host's readings from before are missing",))
            return ""
        meant = (self.run.plan.target, *(Target.parse(text) for text in _texts(self.run.plan.facts.get("expected"))))
        try:
            front, effects = self._compared(before, await self._view(), meant)
            if effects:
                await asyncio.sleep(SECOND_LOOK_S * self.around.dwell)
                targets = {effect.target for effect in effects}
                front, again = self._compared(before, await self._view(), meant)
                effects = tuple(effect for effect in again if effect.target in targets)
        except _BLIND as error:
            self.run.show(side_effects=(f"not compared: {line(str(error) or 'no answer in time', 200)}",))
            return ""
        self.run.show(side_effects=tuple(effect.says for effect in effects), compared=front)
        return next((effect.says for effect in effects if effect.critical), "")

    def _compared(
        self, before: FleetView, after: FleetView, meant: tuple[Target, ...]
    ) -> tuple[tuple[Compared, ...], tuple[Effect, ...]]:
        """Return what users see before and after, and everything that got worse."""
        front = compare_front(before, after)
        said = {effect.target for effect in front.effects}
        rest = compare(before, after, self.eyes.host.name, meant, rules_of(self.eyes.config.alerts))
        return front.compared, (*front.effects, *(effect for effect in rest if effect.target not in said))

    # --- the way back

    async def roll_back(self, why: str, *, asked: bool = False) -> Progress:
        """Take back what was done, and verify that.

        Args:
            why: one sentence.
            asked: the operator asked for it. By itself nothing is sent without the lock on the target: then they are asked.
        """
        job = self.job()
        if not self.remediation.undo(job):
            return await self.leave(why)
        if not await self.held.still():
            self.run.show(says=f"{why}; the lock on the target was lost, somebody else may work on it: roll back all the same?")
            if not asked and await self.ask() is not Decision.ROLL_BACK:
                return await self.leave(f"{why}; the lock on the target was lost, and it was not rolled back")
            if problem := await self.held.take():
                return await self.leave(f"{why}; not rolled back: {problem}")
        await self.run.enter(State.ROLLING_BACK, f"rolling back: {why}")
        self.run.begun = self.run.sent = True  # from here on an end that says less would be a lie
        await self.runner.dead_men.tell()
        failure = await self.runner.backward()
        if failure is not None:
            says = f"{why}; the rollback failed as well: {failure.says}: look at the target"
            return await self.run.end(State.UNKNOWN, says)
        return await self.verify_back(why, "rolled back")

    async def verify_back(self, why: str, how: str) -> Progress:
        """Watch the checks of the rollback, and end. Nothing is sent."""
        checks = self.remediation.undo_checks(self.job())
        verdict = await self._watch(checks, undo=True) if checks else Verdict.INCONCLUSIVE
        if verdict is Verdict.PASS:
            return await self.run.end(State.ROLLED_BACK, f"{why}; {how}, and that was verified")
        what = self._which("does not hold" if verdict is Verdict.FAIL else "could not be seen", undo=True)
        return await self.run.end(State.UNKNOWN, f"{why}; {how}, but {what}: look at the target")

    def rollback_as_shown(self) -> bool:
        """Whether the rollback that would be sent is the one that the plan shows.

        It is not where this program, or a user's own remediation, was changed since the plan was made.
        """
        steps = self.remediation.undo(job_of(self.run.plan))
        now = [(step.name, redact(step.command)) for step in steps]
        return now == [(step.name, redact(step.command)) for step in self.run.plan.rollback]

    def steps_as_shown(self) -> bool:
        """As `rollback_as_shown`, for the steps."""
        now = [(step.name, redact(step.command)) for step in self.remediation.steps(job_of(self.run.plan))]
        return now == [(step.name, redact(step.command)) for step in self.run.plan.steps]


@contextlib.asynccontextmanager
async def working(around: Surroundings, run: Run, remediation: Remediation, held: Held, decide: Decide) -> AsyncIterator[Work]:
    """Yield what an execution works with; its connections are released afterwards."""
    eyes = Eyes(around)
    try:
        yield Work(around, run, remediation, held, decide, StepRunner(around, run, remediation, held), eyes)
    finally:
        await close(eyes)


def _texts(value: object) -> tuple[str, ...]:
    return tuple(item for item in value if isinstance(item, str)) if isinstance(value, list) else ()
