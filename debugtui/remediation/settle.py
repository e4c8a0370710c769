"""After a crash: an execution without an end is settled by looking at its target, and nothing is sent twice."""

from __future__ import annotations

from debugtui.model.execution import Decision, Progress, State
from debugtui.remediation.approvals import ApprovalError, check_approval
from debugtui.remediation.base import Settled
from debugtui.remediation.dead_men import SAYS, Waiting
from debugtui.remediation.outcome import Work
from debugtui.remediation.past import Past

_FOUND = {
    Settled.DONE: "what was sent was done",
    Settled.NOT_DONE: "the newest step that was sent did not happen",
    Settled.UNKNOWN: "whether the newest step happened cannot be seen",
}


async def settle(work: Work, past: Past, decision: Decision) -> Progress:
    """Look at the target and at the reverts that wait on the host, then do what the operator decided.

    Args:
        work: of the execution.
        past: what the journal says of it.
        decision: go on, roll back, or leave it.
    """
    run, runner = work.run, work.runner
    waiting = await runner.take_up_dead_men(past)
    if not past.tried and not past.rolling_back:
        await runner.dead_men.tell()
        return await run.end(State.FAILED, "it was interrupted before anything was sent")
    found = await runner.settle(past)
    if waiting is Waiting.CALM and _nothing_happened(past, found):
        await runner.dead_men.tell()
        return await run.end(State.FAILED, "looked at the target: the step that was sent did not happen; nothing changed")
    if decision is Decision.ROLL_BACK:
        if not work.rollback_as_shown():
            return await work.leave("looked at the target: this DebugTUI would roll back by other steps than the plan shows")
        return await work.roll_back("interrupted, and rolled back on demand", asked=True)
    if decision is Decision.WATCH_ON:
        return await _go_on(work, past, found, waiting)
    return await work.leave(f"looked at the target: {_says(past, found, waiting, len(run.plan.steps))}")


def _nothing_happened(past: Past, found: Settled) -> bool:
    """Whether nothing was sent but steps that certainly did not happen."""
    if past.rolling_back or past.acked or past.broken:
        return False
    return found is Settled.NOT_DONE or not past.sent


async def _go_on(work: Work, past: Past, found: Settled, waiting: Waiting) -> Progress:
    """Watch whether it holds, or run the steps that were never sent."""
    run, says = work.run, _says(past, found, waiting, len(work.run.plan.steps))
    if past.rolling_back:
        return await work.verify_back("interrupted in its rollback", "nothing more was sent")
    if waiting is Waiting.REVERTED:
        return await work.verify_back("interrupted", SAYS[waiting])
    if found is not Settled.DONE or past.tried != past.acked | ({past.in_doubt} - {None}):
        return await work.leave(f"looked at the target: {says}")
    if not past.whole(len(run.plan.steps)):
        if problem := _why_not_further(work, past):
            return await work.leave(f"looked at the target: {says}, and are not sent now: {problem}")
        return await work.finish(await work.runner.forward(len(past.sent) + 1))
    told = await work.runner.dead_men.tell()
    if told is not Waiting.CALM:
        return await work.leave(f"looked at the target: {says}; {SAYS[told]}")
    return await work.verify()


def _why_not_further(work: Work, past: Past) -> str:
    """Return why the steps that were never sent may not be sent now; empty where they may."""
    if past.in_doubt is not None:
        return "what the step in doubt left for them is lost"
    if any(step.dead_man is not None for step in work.remediation.steps(work.job())):
        return "the host may revert what was done while they run"
    if not work.steps_as_shown():
        return "this DebugTUI would send others than the plan shows"
    try:
        check_approval(work.run.plan, work.run.approval, work.run.clock.now())
    except ApprovalError as error:
        return str(error)
    return ""


def _says(past: Past, found: Settled, waiting: Waiting, steps: int) -> str:
    says = [_FOUND[found]] if past.sent else ["what was sent did not happen"]
    if past.rolling_back:
        says.append("a rollback was begun and did not end")
    elif never := steps - len(past.tried):
        says.append(f"{never} of {steps} steps were never sent")
    if waiting is not Waiting.CALM:
        says.append(SAYS[waiting])
    return "; ".join(says)
