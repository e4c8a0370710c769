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
from debugtui.remediation.dead_men import SAYS, DeadMen, Waiting
from debugtui.remediation.eyes import Eyes, Surroundings
from debugtui.remediation.hands import Hands
from debugtui.remediation.lock import Held
from debugtui.remediation.past import Past
from debugtui.remediation.planner import job_of
from debugtui.remediation.run import Run
from debugtui.sources.base import SourceError
from debugtui.storage.problems import StorageError

#: Seconds that a step may take beyond its own limit before we give it up.
MARGIN_S = 10.0
#: Seconds that we wait for a lost link before a step in doubt is left so.
RECONNECT_S = 60.0
#: Seconds for one look at a step in doubt, and for closing connections.
SETTLE_S, CLOSE_S = 20.0, 10.0
_SAYS = 2_000

_log = logging.getLogger(__name__)


async def close(eyes: Eyes) -> None:
    """Release connections; what closing stumbles over changes nothing of what was done or seen."""
    try:
        async with asyncio.timeout(CLOSE_S):
            await eyes.close()
    except Exception:  # noqa: BLE001 - see above
        _log.warning("closing connections to %s", eyes.host.name, exc_info=True)


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
    """Runs the steps of one execution. `dead_men` are the reverts that wait on the host meanwhile."""

    def __init__(self, around: Surroundings, run: Run, remediation: Remediation, held: Held) -> None:
        """Prepare.

        Args:
            around: of the host.
            run: the execution.
            remediation: whose steps.
            held: the lease on the target.
        """
        self._around, self._run, self._remediation, self._held = around, run, remediation, held
        self._stale = False
        self.dead_men = DeadMen(around.link, self._link_up)

    # --- forward

    async def forward(self, first: int = 1) -> StepFailure | None:
        """Run the steps from `first` on; return why it ended before, None where all of them were done.

        Raises:
            StorageError: the journal could not be written before anything was sent.
        """
        run = self._run
        steps = self._remediation.steps(job_of(run.plan))
        if first == 1:
            run.show_steps(steps)
        for number, step in enumerate(steps[first - 1 :], first):
            halted = await self._halted() or await self.dead_men.arm(self._dead_mark(number), step.dead_man)
            if halted:
                return StepFailure(halted, nothing_changed=not run.sent)
            failure = await self._one(step, number)
            if failure is not None:
                return failure
        told = await self.dead_men.tell()
        return None if told is Waiting.CALM else StepFailure(SAYS[told])

    async def _halted(self) -> str:
        if self._run.halt.is_set():
            return "stopped by the operator"
        return "" if await self._held.still() else "the lock on the target was lost: somebody else may work on it"

    async def _one(self, step: LiveStep, number: int) -> StepFailure | None:
        run, sent_before = self._run, self._run.sent
        hands = self._hands(str(number))
        try:
            about = {"name": step.name, "command": step.command, "mark": hands.mark, "nonce": secrets.token_hex(8)}
            try:
                await run.enter(State.INTENT, f"about to: {step.name}", step=number, **about)
                await run.enter(State.SENT, step.name, step=number)
            except StorageError:
                await self.dead_men.tell()
                raise
            run.sent = True
            run.show_step(number, state=Progressing.RUNNING)
            began = run.clock.monotonic()
            says, changed, done = await self._send(step, hands)
        finally:
            await close(hands)
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
            if await self.dead_men.tell() is Waiting.REVERTED:  # then something had happened that we did not see
                return StepFailure(f"{says}; {SAYS[Waiting.REVERTED]}")
            run.sent = False
        return StepFailure(says, nothing_changed=nothing, stale=nothing and self._stale)

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

    # --- in doubt

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
            await close(eyes)

    async def _link_up(self) -> bool:
        link = self._around.link
        until = self._around.clock.monotonic() + RECONNECT_S
        while link.status.state is not LinkState.UP:
            if self._around.clock.monotonic() > until or link.status.state is LinkState.REFUSED:
                return False
            await asyncio.sleep(0.2)
        return True

    async def settle(self, past: Past) -> Settled:
        """Look at the target, after a crash, for the step in doubt, if any; write down what was found."""
        steps = self._remediation.steps(job_of(self._run.plan))
        self._run.show_steps(steps)
        for number in sorted(past.acked):
            self._run.show_step(number, state=Progressing.DONE)
        doubtful = past.in_doubt
        if doubtful is None:
            return Settled.DONE
        found = await self._settle_step(steps[doubtful - 1])
        state = {
            Settled.DONE: Progressing.DONE,
            Settled.NOT_DONE: Progressing.FAILED,
            Settled.UNKNOWN: Progressing.UNKNOWN,
        }[found]
        self._run.show_step(doubtful, state=state, says="as the target shows")
        if found is not Settled.UNKNOWN and doubtful not in past.broken and not past.rolling_back:
            says = f"looked at the target after an interruption: {found.value.replace('_', ' ')}"
            await self._run.note_or_lose(State.ACKED, says, step=doubtful, outcome=found.value)
        return found

    async def take_up_dead_men(self, past: Past) -> Waiting:
        """Look, after a crash, for the reverts of every step that was sent, or was about to be."""
        steps = self._remediation.steps(job_of(self._run.plan))[: max(past.tried, default=0) + 1]
        marks = [self._dead_mark(number) for number, step in enumerate(steps, 1) if step.dead_man is not None]
        if marks and not await self._link_up():
            return Waiting.UNREACHABLE
        return await self.dead_men.take_up(marks)

    # --- back

    async def backward(self) -> StepFailure | None:
        """Run the rollback; return why it failed, None where every step of it was done.

        A step of it that has ended in an earlier try gets another mark: what runs detached on the host is started once for
        each mark, and would only tell its old result again.
        """
        run = self._run
        steps = self._remediation.undo(job_of(run.plan, run.results))
        run.show_steps(steps, undo=True)
        for number, step in enumerate(steps, 1):
            tries = run.tries.get(number, 0)
            failure = await self._back(step, number, f"r{number}" + (f".{tries + 1}" if tries else ""))
            if failure is not None:
                return failure
        return None

    async def _back(self, step: LiveStep, number: int, label: str) -> StepFailure | None:
        run = self._run
        hands = self._hands(label)
        try:
            run.show_step(number, undo=True, state=Progressing.RUNNING)
            await run.enter(State.ROLLING_BACK, f"rollback: {step.name}", step=number, command=step.command, mark=hands.mark)
            began = run.clock.monotonic()
            says, changed, done = await self._send(step, hands)
        finally:
            await close(hands)
        took = run.clock.monotonic() - began
        if done is None and await self._settle_step(step) is Settled.DONE:
            done = Done(f"done, as the target shows ({says})")
        if done is not None:
            run.results.update(done.facts)
            run.show_step(number, undo=True, state=Progressing.DONE, says=line(done.says, _SAYS), took_s=took)
            await run.note_or_lose(State.ROLLING_BACK, f"{step.name}: {done.says}", step=number, outcome="done")
            return None
        run.show_step(number, undo=True, state=Progressing.FAILED, says=line(says, _SAYS), took_s=took)
        if changed is not None:  # otherwise it may run on, and must not be started a second time beside it
            await run.note_or_lose(State.ROLLING_BACK, f"{step.name}: {says}", step=number, outcome="failed")
        return StepFailure(f"{step.name}: {says}")

    # --- marks

    def _dead_mark(self, number: int) -> str:
        return f"{self._hands(str(number)).mark}/dead-man"

    def _hands(self, label: str) -> Hands:
        run = self._run
        return Hands(self._around, run.plan, run.approval, label, run.results, lambda text: run.show(says=line(text, 300)))
