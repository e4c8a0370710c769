"""From a row to a verified fix: the order of the screens. Runs as a worker of the application."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import TYPE_CHECKING

from debugtui.model.diagnosis import Offer as Found
from debugtui.model.execution import Approval, Decision, Execution, Progress, State
from debugtui.model.plan import Plan
from debugtui.model.target import Target
from debugtui.screens.repair.approval import ApprovalScreen
from debugtui.screens.repair.desk import RepairDesk
from debugtui.screens.repair.execution import DecisionScreen, ExecutionScreen
from debugtui.screens.repair.executions import ExecutionsScreen, UnendedScreen
from debugtui.screens.repair.form import FormScreen
from debugtui.screens.repair.offers import OffersScreen
from debugtui.screens.repair.planning import PlanningScreen
from debugtui.screens.repair.running import Running

if TYPE_CHECKING:
    from debugtui.remediation.base import Offer, Spec
    from debugtui.screens.console import Console


class RepairFlow:
    """The repair screens of one application, and what they started.

    Attributes:
        running: the newest execution, under way or ended; None before the first.
    """

    def __init__(self, app: Console, desk: RepairDesk) -> None:
        self._app, self._desk = app, desk
        self.running: Running | None = None
        self._leaving = False

    # --- what the operator asks for

    async def repair(self, target: Target) -> None:
        """Offer, plan, approve and execute a repair of a target."""
        offers = await asyncio.to_thread(self._desk.offers, self._app.view, target)
        offer = await self._app.push_screen_wait(OffersScreen(target, offers, self._desk.spec))
        if offer is not None:
            await self._plan(offer)

    async def answer(self, found: Found) -> None:
        """Plan, approve and execute a remediation that a diagnosis offers, with its parameters."""
        from debugtui.remediation.base import Offer as Chosen

        await self._plan(Chosen(found.name, found.target, True, "the diagnosis offers it", found.params))

    async def _plan(self, offer: Offer) -> None:
        spec = self._desk.spec(offer.remediation)
        params: Mapping[str, str] | None = dict(offer.params)
        says, ask = "", any(one.required and one.name not in dict(offer.params) for one in spec.parameters)
        while params is not None:
            if ask:
                params = await self._app.push_screen_wait(FormScreen(spec, params, says))
                if params is None:
                    return
            made = await self._made(spec, offer.target, params)
            if isinstance(made, str):
                if not spec.parameters:
                    self._app.say(made, "warn")
                    return
                says, ask = made, True  # a parameter may be what is wrong: show the form, with the reason
                continue
            if made is None or not await self._decide(made, spec):
                return

    async def _made(self, spec: Spec, target: Target, params: Mapping[str, str]) -> Plan | str | None:
        screen = PlanningScreen(spec.title, str(target), lambda: self._desk.plan(spec.name, target, params))
        return await self._app.push_screen_wait(screen)

    async def _decide(self, plan: Plan, spec: Spec) -> bool:
        """Ask for the approval; return whether the plan has to be made again."""
        screen = ApprovalScreen(plan, self._desk.approve, undo_says=spec.undo_says, clock=self._app.clock)
        answer = await self._app.push_screen_wait(screen)
        if isinstance(answer, Approval):
            self._start(plan, answer)
        return answer == "again"

    # --- executions

    def _start(self, plan: Plan, approval: Approval) -> None:
        running = Running(Progress("", plan, State.APPROVED, says="approved"), self._desk.stop_after_step)
        work = self._desk.apply(plan, approval, running.tell, self._ask)
        self._run(running, work)

    def _run(self, running: Running, work: object) -> None:
        async def whole() -> Progress:
            progress: Progress = await work  # type: ignore[misc] # a coroutine of the desk
            running.tell(progress)
            self._ended(progress)
            return progress

        self.running = running
        running.task = asyncio.create_task(whole(), name=f"execution on {running.progress.plan.target}")
        self._app.push_screen(ExecutionScreen(running))

    def _ended(self, progress: Progress) -> None:
        if not self._leaving and not isinstance(self._app.screen, ExecutionScreen):
            tone = "ok" if progress.state is State.VERIFIED else "bad" if progress.state is State.UNKNOWN else "warn"
            words = progress.state.value.replace("_", " ")
            self._app.say(f"{progress.plan.remediation} on {progress.plan.target}: {words}: {progress.says}", tone)  # type: ignore[arg-type] # one of the tones

    async def _ask(self, progress: Progress) -> Decision:
        """Ask what to do with an inconclusive verification; on the way out nobody is asked."""
        if self._leaving:
            return Decision.LEAVE
        answer: asyncio.Future[Decision] = asyncio.get_running_loop().create_future()

        def answered(decision: Decision | None) -> None:
            if not answer.done():
                answer.set_result(decision or Decision.LEAVE)

        self._app.push_screen(DecisionScreen(progress), answered)
        return await answer

    def show(self) -> None:
        """Show the newest execution again."""
        if self.running is None:
            self._app.say("nothing was executed in this run")
        elif not isinstance(self._app.screen, ExecutionScreen):
            self._app.push_screen(ExecutionScreen(self.running))

    async def list(self) -> None:
        """List the executions; settle one that did not end."""
        chosen = await self._app.push_screen_wait(ExecutionsScreen(await self._desk.executions()))
        if chosen is None:
            return
        if self.running is not None and self.running.progress.execution == chosen.id:
            self.show()
        elif not chosen.ended:
            await self._settle(chosen)
        else:
            self._app.say(f"{chosen.id} is {chosen.state.value}: debugtui executions show {chosen.id}")

    async def _settle(self, execution: Execution) -> None:
        answer = await self._app.push_screen_wait(UnendedScreen(execution))
        if answer is None:
            return
        if not isinstance(answer, Decision):
            await self._desk.close_unknown(execution.id, answer)
            self._app.say(f"{execution.id} is closed")
            return
        plan = await self._desk.plan_of(execution.id)
        running = Running(
            Progress(execution.id, plan, execution.state, says="looking at the target"), self._desk.stop_after_step
        )
        self._run(running, self._desk.resume(execution.id, Decision(answer), running.tell, self._ask))

    async def unended(self) -> tuple[Execution, ...]:
        """Return the executions that did not end, of this run or an earlier one."""
        mine = self.running.progress.execution if self.running is not None and self.running.under_way else ""
        return tuple(one for one in await self._desk.executions() if not one.ended and one.id != mine)

    # --- leaving

    @property
    def under_way(self) -> bool:
        """Whether something is being executed."""
        return self.running is not None and self.running.under_way

    async def leave(self) -> None:
        """Let what runs end after its current step, and wait for it."""
        self._leaving = True
        if self.running is not None and self.running.task is not None and self.running.under_way:
            self.running.stop()
            await asyncio.wait({self.running.task})
