"""Runs the steps of a plan, forward or back: each is written down before it is sent, and its answer after."""

from __future__ import annotations

import asyncio
import logging
import secrets
from dataclasses import dataclass

from debugtui.config.secrets import SecretError
from debugtui.hosts.link import LinkError
from debugtui.model.execution import Progressing, State
from debugtui.model.source import LinkState
from debugtui.model.text import line
from debugtui.remediation.base import Done, LiveStep, Remediation, Settled, StaleError, StepError
from debugtui.remediation.eyes import Eyes, Surroundings
from debugtui.remediation.hands import Hands
from debugtui.remediation.past import Past
from debugtui.remediation.planner import job_of
from debugtui.remediation.run import Run
from debugtui.sources.base import SourceError

#: Seconds that a step may take beyond its own limit before we give it up.
MARGIN_S = 10.0
#: Seconds that we wait for a lost link before a step in doubt is left so.
RECONNECT_S = 60.0
#: Seconds for one look at a step in doubt.
SETTLE_S = 20.0
_SAYS = 2_000

_log = logging.getLogger(__name__)


class Refused(Exception):  # noqa: N818 - an outcome, not a fault
    """Nothing was sent, and nothing will be. `moved` says what is not as it was approved."""

    def __init__(self, says: str, moved: tuple[str, ...] = ()) -> None:
        super().__init__(says)
        self.says = says
        self.moved = moved


@dataclass(frozen=True, slots=True)
class StepFailure:
    """Why the steps did not run to their end.

    Attributes:
        says: one sentence.
        nothing_changed: certainly nothing changed, by this step or one before it.
        stale: the target was not what was approved.
    """

    says: str
    nothing_changed: bool = False
    stale: bool = False


class StepRunner:
    """Runs the steps of one execution."""

    def __init__(
        self, around: Surroundings, run: Run, remediation: Remediation, lost: asyncio.Event, stop: asyncio.Event
    ) -> None:
        """Prepare.

        Args:
            around: of the host.
            run: the execution.
            remediation: whose steps.
            lost: set when the lease on the target is lost.
            stop: set when nothing more is to be sent.
        """
        self._around, self._run, self._remediation = around, run, remediation
        self._lost, self._stop = lost, stop
        self._armed: list[str] = []

    # --- forward

    async def forward(self) -> StepFailure | None:
        """Run every step; return why it ended before, None where all of them were done.

        Raises:
            StorageError: the journal could not be written before anything was sent.
        """
        steps = self._remediation.steps(job_of(self._run.plan))
        self._run.show_steps(steps)
        for number, step in enumerate(steps, 1):
            if halted := self._halted():
                return StepFailure(halted, nothing_changed=not self._run.sent)
            if failure := await self._arm(step, number):
                return StepFailure(failure, nothing_changed=not self._run.sent)
            failure_of_step = await self._one(step, number)
            if failure_of_step is not None:
                return failure_of_step
        return None if await self.disarm() else StepFailure("the target has reverted by itself before all steps had run")

    def _halted(self) -> str:
        if self._lost.is_set():
            return "the lock on the target was lost: somebody else may work on it"
        return "stopped by the operator" if self._stop.is_set() else ""

    async def _one(self, step: LiveStep, number: int) -> StepFailure | None:
        run, sent_before = self._run, self._run.sent
        hands = self._hands(str(number))
        try:
            about = {"name": step.name, "command": step.command, "mark": hands.mark, "nonce": secrets.token_hex(8)}
            await run.enter(State.INTENT, f"about to: {step.name}", step=number, **about)
            await run.enter(State.SENT, step.name, step=number)
            run.sent = True
            run.show_step(number, state=Progressing.RUNNING)
            began = run.clock.monotonic()
            says, changed, done = await self._send(step, hands)
        finally:
            await hands.close()
        took = run.clock.monotonic() - began
        if done is None and changed is None:
            done, changed, says = await self._look(step, number, says)
        if done is not None:
            run.results.update(done.facts)
            run.show_step(number, state=Progressing.DONE, says=line(done.says, _SAYS), took_s=took)
            facts = {"outcome": "done", "facts": dict(done.facts)}
            await run.enter(State.ACKED, f"{step.name}: {done.says}", step=number, **facts)
            return None
        return await self._failed(number, says, changed, took, sent_before)

    async def _failed(self, number: int, says: str, changed: bool | None, took: float, sent_before: bool) -> StepFailure:
        run = self._run
        state = Progressing.UNKNOWN if changed is None else Progressing.FAILED
        run.show_step(number, state=state, says=line(says, _SAYS), took_s=took)
        outcome = {None: "unknown", True: "failed", False: "not_done"}[changed]
        await run.enter(State.ACKED, says, step=number, outcome=outcome)
        nothing = changed is False and not sent_before
        if nothing:
            run.sent = False
        return StepFailure(says, nothing_changed=nothing, stale=nothing and self._stale)

    _stale = False

    async def _send(self, step: LiveStep, hands: Hands) -> tuple[str, bool | None, Done | None]:
        """Send a step; return what is said of it, whether something changed (None: not known), and what it left."""
        try:
            async with asyncio.timeout(step.timeout_s + MARGIN_S):
                return "", True, await step.run(hands)
        except StaleError as error:
            self._stale = True
            return error.says, False, None
        except StepError as error:
            return error.says, error.changed, None
        except TimeoutError:
            return f"no answer within {step.timeout_s + MARGIN_S:.0f} s", None, None
        except SecretError as error:
            return str(error.problem), False, None  # asked for before anything is opened
        except (LinkError, SourceError) as error:
            return str(error.problem), None, None
        except Exception as error:  # noqa: BLE001 - a fault in a step after it was sent: the target decides what is true
            _log.exception("step %s of %s", step.name, self._run.number)
            return f"a fault of DebugTUI: {type(error).__name__}: {line(str(error), 300)}", None, None

    async def _look(self, step: LiveStep, number: int, says: str) -> tuple[Done | None, bool | None, str]:
        """Settle a step whose answer is not known, by looking at the target."""
        self._run.show_step(number, state=Progressing.UNKNOWN, says=line(says, _SAYS))
        self._run.show(says=f"{says}: looking at the target")
        found = await self._settle_step(step)
        if found is Settled.DONE:
            return Done(f"done, as the target shows ({says})"), True, says
        if found is Settled.NOT_DONE:
            return None, False, f"{says}; looked at the target: it did not happen"
        return None, None, f"{says}; the target does not tell whether it happened"

    async def _settle_step(self, step: LiveStep) -> Settled:
        if not await self._link_up():
            return Settled.UNKNOWN
        eyes = Eyes(self._around)
        try:
            async with asyncio.timeout(SETTLE_S):
                return await step.settle(eyes)
        except (LinkError, SourceError, TimeoutError) as error:
            _log.warning("settling %s: %s", step.name, error)
            return Settled.UNKNOWN
        except Exception:  # noqa: BLE001 - a fault while looking: then nothing was seen
            _log.exception("settling %s", step.name)
            return Settled.UNKNOWN
        finally:
            await eyes.close()

    async def _link_up(self) -> bool:
        link = self._around.link
        until = self._around.clock.monotonic() + RECONNECT_S
        while link.status.state is not LinkState.UP:
            if self._around.clock.monotonic() > until or link.status.state is LinkState.REFUSED:
                return False
            await asyncio.sleep(0.2)
        return True

    # --- back

    async def backward(self) -> StepFailure | None:
        """Run the rollback; return why it failed, None where every step of it was done."""
        run = self._run
        steps = self._remediation.undo(job_of(run.plan, run.results))
        run.show_steps(steps, undo=True)
        for number, step in enumerate(steps, 1):
            hands = self._hands(f"r{number}")
            run.sent = True
            run.show_step(number, undo=True, state=Progressing.RUNNING)
            await run.enter(State.ROLLING_BACK, f"rollback: {step.name}", step=number, command=step.command, mark=hands.mark)
            began = run.clock.monotonic()
            try:
                says, _, done = await self._send(step, hands)
            finally:
                await hands.close()
            took = run.clock.monotonic() - began
            if done is None and await self._settle_step(step) is Settled.DONE:
                done = Done(f"done, as the target shows ({says})")
            if done is None:
                run.show_step(number, undo=True, state=Progressing.FAILED, says=line(says, _SAYS), took_s=took)
                return StepFailure(f"{step.name}: {says}")
            run.results.update(done.facts)
            run.show_step(number, undo=True, state=Progressing.DONE, says=line(done.says, _SAYS), took_s=took)
        return None

    # --- after a crash

    async def settle(self, past: Past, eyes: Eyes) -> Settled:
        """Look at the target for the step in doubt, if any."""
        steps = self._remediation.steps(job_of(self._run.plan))
        self._run.show_steps(steps)
        for number in sorted(past.acked):
            self._run.show_step(number, state=Progressing.DONE)
        if past.in_doubt is None:
            return Settled.DONE
        found = await self._settle_step(steps[past.in_doubt - 1])
        state = {
            Settled.DONE: Progressing.DONE,
            Settled.NOT_DONE: Progressing.FAILED,
            Settled.UNKNOWN: Progressing.UNKNOWN,
        }[found]
        self._run.show_step(past.in_doubt, state=state, says="as the target shows")
        return found

    # --- dead men

    async def _arm(self, step: LiveStep, number: int) -> str:
        """Have the host revert by itself unless told otherwise; return why that failed."""
        if step.dead_man is None:
            return ""
        from debugtui.remediation.remote import dead_man

        mark = f"{self._hands(str(number)).mark}/dead-man"
        try:
            await dead_man.arm(self._around.link, mark, step.dead_man.argv, step.dead_man.after_s)
        except (LinkError, SourceError, TimeoutError) as error:
            return f"the revert could not be armed on the host: {error}"
        self._armed.append(mark)
        return ""

    async def disarm(self) -> bool:
        """Tell the host that all is well; False where it has reverted already, or cannot be told."""
        well, armed = True, self._armed
        self._armed = []
        if not armed:
            return True
        from debugtui.remediation.remote import dead_man

        for mark in reversed(armed):
            try:
                well = await dead_man.disarm(self._around.link, mark) and well
            except (LinkError, SourceError, TimeoutError) as error:
                _log.warning("disarming %s: %s", mark, error)
                well = False
        return well

    def _hands(self, label: str) -> Hands:
        run = self._run
        return Hands(self._around, run.plan, run.approval, label, run.results, lambda text: run.show(says=line(text, 300)))
