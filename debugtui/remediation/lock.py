"""The lease on a target while an execution runs: taken, kept alive, and asked for again before anything more is sent."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import logging
from collections.abc import AsyncIterator

from debugtui.hosts.link import LinkError
from debugtui.model.text import line
from debugtui.remediation.eyes import Surroundings
from debugtui.remediation.remote.lease import Lease, LeaseHeldError
from debugtui.remediation.run import Refused, Run
from debugtui.sources.base import SourceError

#: Seconds that the lease outlives our last renewal, and between two renewals.
LEASE_S, RENEW_S = 60, 15.0

_BROKEN = (LinkError, SourceError, TimeoutError)
_log = logging.getLogger(__name__)


class Held:
    """A lease that we hold, as far as we know."""

    def __init__(self, around: Surroundings, run: Run) -> None:
        self._around = around
        # What is changed may have another name than what is repaired: whoever changes the same has to meet us here.
        self._target = str(run.plan.facts.get("changes") or run.plan.target)
        self._holder = f"{run.approval.person.login} {run.approval.person.where} {run.number}"
        # The same token for the same execution: after a crash we take up our own lease; `Journal.hold` keeps others away.
        self._token = hashlib.sha256(run.number.encode()).hexdigest()[:32]
        self._lease: Lease | None = None
        self._renewed_at = 0.0
        self._asking = asyncio.Lock()
        self.lost = False

    async def take(self) -> str:
        """Take it, for the first time or again after it was lost; return why not, empty where we hold it."""
        try:
            lease = await Lease.take(self._around.link, self._target, self._holder, ttl_s=LEASE_S, token=self._token)
        except LeaseHeldError as error:
            return f"another operator works on this target: {line(error.holder, 200)}"
        except _BROKEN as error:
            return f"the target could not be locked: {error}"
        self._lease, self._renewed_at, self.lost = lease, self._around.clock.monotonic(), False
        return ""

    async def still(self) -> bool:
        """Return whether we certainly hold it; the host is asked where the last renewal is not fresh."""
        fresh = self._around.clock.monotonic() - self._renewed_at <= 2 * RENEW_S
        if not self.lost and not fresh:
            await self._renew()
            fresh = self._around.clock.monotonic() - self._renewed_at <= 2 * RENEW_S
        return fresh and not self.lost

    async def _renew(self) -> None:
        if self._lease is None:
            return
        async with self._asking:
            asked_at = self._around.clock.monotonic()  # the host counts from when it answers, which is later
            try:
                if await self._lease.renew():
                    self._renewed_at = asked_at
                else:
                    self.lost = True
            except _BROKEN as error:
                _log.warning("the lease could not be renewed now: %s", error)

    async def keep(self) -> None:
        """Renew it until cancelled."""
        while True:
            await asyncio.sleep(RENEW_S)
            if not self.lost:
                await self._renew()

    async def give_back(self) -> None:
        """End it, where that can be told; it ends by itself otherwise."""
        if self._lease is not None:
            with contextlib.suppress(*_BROKEN):
                await self._lease.give_back()


@contextlib.asynccontextmanager
async def locked(around: Surroundings, run: Run) -> AsyncIterator[Held]:
    """Hold the lease on the target of an execution until the block ends.

    Raises:
        Refused: somebody else holds it, or the host cannot be asked.
    """
    held = Held(around, run)
    if problem := await held.take():
        raise Refused(problem)
    keeper = asyncio.create_task(held.keep(), name=f"lease of {run.number}")
    try:
        yield held
    finally:
        keeper.cancel()
        await asyncio.gather(keeper, return_exceptions=True)
        await held.give_back()
