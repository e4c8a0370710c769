"""Whether a detached step was done, asked of the host by the step's mark."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import timedelta

from debugtui.model.ids import made_at
from debugtui.model.text import clean
from debugtui.remediation.base import Job, Settled
from debugtui.remediation.eyes import Eyes
from debugtui.remediation.remote import detached
from debugtui.remediation.remote.detached import JobState

#: Seconds that one look waits for the end of what still runs, and by how much the host must have been up before the plan.
WAIT, MARGIN_S = 8, 30.0


def by_mark(job: Job, label: str) -> Callable[[Eyes], Awaitable[Settled]]:
    """Return what settles a step that is one detached command.

    Args:
        job: of the plan.
        label: the step's number as `Hands` has it: `1`, `r1`.
    """
    mark = f"debugtui:{job.mark}/{label}"

    async def settle(eyes: Eyes) -> Settled:
        seen = await detached.look(eyes.link, mark, wait=WAIT, limit=1)
        if seen.state is JobState.NONE:
            return Settled.NOT_DONE if await knows(eyes, job.plan_id) else Settled.UNKNOWN
        done = seen.state is JobState.ENDED and seen.result is not None and seen.result.status == 0
        return Settled.DONE if done else Settled.UNKNOWN

    return settle


async def knows(eyes: Eyes, plan_id: str) -> bool:
    """Return whether the host would know of a command of this plan, had one been started.

    Results lie in a folder that a restart of the host may empty, and are removed after a while.
    """
    made = made_at(plan_id)
    if made is None:
        return False
    age = eyes.clock.now() - made
    if age > timedelta(days=detached.KEPT_DAYS):
        return False
    up = clean((await eyes.run(["cat", "/proc/uptime"], limit=200)).stdout).split()
    try:
        return float(up[0]) > age.total_seconds() + MARGIN_S
    except (IndexError, ValueError):
        return False
