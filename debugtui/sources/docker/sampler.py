"""Reads containers' figures beside the reads of the list, so that an engine that takes its time holds up nothing else."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterator, Sequence

from debugtui.hosts.link import LinkError
from debugtui.sources.base import SourceError
from debugtui.sources.docker.client import AnswerError, EngineClient, SlowAnswerError
from debugtui.sources.docker.roster import Known, Roster
from debugtui.sources.docker.stats import parse_sample

#: Seconds for one answer. Up to Docker 24 the engine collects once a second, and an answer waits for that.
SAMPLE_LIMIT = 3.0

#: Requests at a time; and where answers wait for the engine's next collection: waiting costs nothing, and whoever waits is
#: answered by the same one.
AT_ONCE = 6
AT_ONCE_WAITING = 32

#: An answer that took longer than this (seconds) waited for a collection.
WAITED = 0.2

#: Most containers of one round. The first rounds take more, so that every container soon has its figures; after them the
#: containers take turns: an answer costs half a millisecond of ours, and more of the host's.
MOST = 25
MOST_FIRST = 200
FIRST_ROUNDS = 2

_log = logging.getLogger(__name__)


class Sampler:
    """Runs one round of requests at a time, in a task that it owns."""

    def __init__(self, roster: Roster) -> None:
        self._roster = roster
        self._round: asyncio.Task[None] | None = None
        self._rounds = 0
        self._collects = False

    def start(self, client: EngineClient) -> None:
        """Begin a round, unless one is under way."""
        if self._round is not None and not self._round.done():
            return
        most = MOST_FIRST if self._rounds < FIRST_ROUNDS else MOST
        chosen = self._roster.to_sample(_now(), most)
        if chosen:
            self._rounds += 1
            self._round = asyncio.create_task(self._run(client, chosen), name="Docker figures")

    async def wait(self, seconds: float) -> None:
        """Wait until the round is over, but no longer than this."""
        if self._round is not None:
            await asyncio.wait({self._round}, timeout=seconds)

    async def wait_for_rates(self, client: EngineClient, seconds: float) -> None:
        """Wait until two rounds are over, but no longer than this."""
        until = _now() + seconds
        await self.wait(seconds)
        if self._rounds < FIRST_ROUNDS and _now() < until:
            self.start(client)
            await self.wait(until - _now())

    async def stop(self) -> None:
        """End the round. Safe to call twice."""
        task, self._round = self._round, None
        self._rounds, self._collects = 0, False
        if task is not None:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    async def _run(self, client: EngineClient, chosen: Sequence[Known]) -> None:
        jobs = [self._sampling(client, known) for known in chosen]
        try:
            await at_once(jobs, lambda: AT_ONCE_WAITING if self._collects else AT_ONCE)
        except (SourceError, LinkError):
            return  # the next read of the list meets the same, and tells
        except Exception:  # noqa: BLE001 - it must not end unseen in a task that nobody waits for
            _log.exception("Docker figures")

    def _sampling(self, client: EngineClient, known: Known) -> Callable[[], Awaitable[None]]:
        path = f"containers/{known.listed.id}/stats"

        async def ask() -> None:
            began = _now()
            try:
                answer = await client.get_json(path, {"stream": "0", "one-shot": "1"}, timeout=SAMPLE_LIMIT, limit=2_000_000)
            except AnswerError as error:
                if error.status not in (404, 409):
                    self._roster.rest(known, _now())
                return
            except SlowAnswerError:
                self._roster.rest(known, _now())
                return
            ended = _now()
            self._collects = self._collects or ended - began > WAITED
            self._roster.sampled(known, parse_sample(answer), ended)

        return ask


async def at_once(jobs: Sequence[Callable[[], Awaitable[None]]], limit: Callable[[], int]) -> None:
    """Run jobs, at most `limit()` at a time, which may grow meanwhile.

    The first that fails ends the others; its own exception is raised.
    """
    waiting: Iterator[Callable[[], Awaitable[None]]] = iter(jobs)
    workers = 0

    async def work(group: asyncio.TaskGroup) -> None:
        for job in waiting:
            await job()
            engage(group)

    def engage(group: asyncio.TaskGroup) -> None:
        nonlocal workers
        for _ in range(min(limit(), len(jobs)) - workers):
            workers += 1
            group.create_task(work(group))

    try:
        async with asyncio.TaskGroup() as group:
            engage(group)
    except BaseExceptionGroup as failures:
        raise failures.exceptions[0] from None


def _now() -> float:
    return asyncio.get_running_loop().time()
