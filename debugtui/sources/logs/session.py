"""Several origins read at once and merged: a task for each, which tries again after a failure and shows no line twice."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from datetime import datetime

from debugtui.hosts.link import LinkError
from debugtui.model.clock import Clock, SystemClock
from debugtui.model.logs import Level, LogLine, Merged, OriginState, OriginStatus
from debugtui.model.source import Problem
from debugtui.sources.base import SourceError
from debugtui.sources.logs.merge import WINDOW_S, Merger
from debugtui.sources.logs.origin import Batch, LogOrigin
from debugtui.sources.logs.overlap import Overlap

#: Seconds before an origin that failed is tried again: at first, and at most.
AGAIN_S, LONGEST_S = 2.0, 30.0
#: Seconds that the others wait for an origin that brings nothing.
SILENCE_S = 4.0
#: Seconds between two looks at what can be given out; while nothing comes, and while much does.
LOOK_S = 0.1

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which lines; see `LogOrigin.lines`."""

    since: datetime | None = None
    until: datetime | None = None
    tail: int | None = 2_000
    follow: bool = True


class LogSession:
    """Reads origins until it is closed, or until all have ended. `statuses` tells how each fares."""

    def __init__(
        self, origins: Sequence[LogOrigin], wanted: Wanted, *, clock: Clock | None = None, window: float = WINDOW_S
    ) -> None:
        """Prepare; `batches` begins.

        Args:
            origins: which; their places are what `Merged.origins` names.
            wanted: which lines.
            clock: time.
            window: seconds that a followed line waits for slower origins.
        """
        self._origins = tuple(origins)
        self._wanted = wanted
        self._clock = clock or SystemClock()
        self._merger = Merger(len(self._origins), window=window)
        self._tasks: list[asyncio.Task[None]] = []
        self._room = asyncio.Event()
        self._news = asyncio.Event()
        self._heard: list[float] = []
        self.statuses = tuple(OriginStatus(one.target, one.kind, one.title) for one in self._origins)

    async def batches(self) -> AsyncIterator[Merged]:
        """Yield merged lines as they can be given out; ends when nothing more can come. May be called once."""
        now = self._clock.monotonic()
        self._heard = [now] * len(self._origins)
        self._tasks = [
            asyncio.create_task(self._read(place), name=f"log {one.target} {one.title}")
            for place, one in enumerate(self._origins)
        ]
        try:
            while True:
                self._news.clear()
                running = any(not task.done() for task in self._tasks)
                self._look_for_silence()
                part = self._merger.take(self._clock.monotonic()) if running else self._merger.rest()
                if part.lines:
                    self._room.set()
                    self._counted(part)
                    yield part
                    await asyncio.sleep(0)  # the screen has a turn while thousands go by
                elif not running:
                    return
                else:
                    await self._wait()
        finally:
            await self.close()

    async def close(self) -> None:
        """End every task. Safe to call twice."""
        tasks, self._tasks = self._tasks, []
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _wait(self) -> None:
        """Wait for news, or for lines whose time has come."""
        timeout = LOOK_S if self._merger.waiting else SILENCE_S / 4
        try:
            async with asyncio.timeout(timeout):
                await self._news.wait()
        except TimeoutError:
            return

    def _counted(self, part: Merged) -> None:
        for place in part.late:
            self.statuses[part.origins[place]].late += 1

    def _look_for_silence(self) -> None:
        """Wait no longer for origins that bring nothing, unless it is they who wait."""
        until = self._clock.monotonic() - SILENCE_S
        for place, heard in enumerate(self._heard):
            if heard < until and self._merger.waits_for(place) and self._merger.room(place):
                self._merger.wait_for(place, False)

    # --- one origin

    async def _read(self, place: int) -> None:
        origin, status = self._origins[place], self.statuses[place]
        overlap, pause, said = Overlap(), AGAIN_S, ""
        wanted = self._wanted
        since, tail = wanted.since, wanted.tail
        while True:
            absent = False
            try:
                async for batch in origin.lines(since=since, until=wanted.until, tail=tail, follow=wanted.follow):
                    await self._took(place, batch, overlap)
                    pause, said = AGAIN_S, ""
                problem = None
            except SourceError as error:
                problem, absent = error.problem, error.absent
            except LinkError as error:
                problem = error.problem
            except TimeoutError:
                problem = Problem("no answer in time")
            except Exception as error:  # noqa: BLE001 - a fault of ours in one origin: said, logged; the others go on
                _log.exception("the log %s of %s", origin.title, origin.target)
                problem = Problem(f"a fault of DebugTUI: {type(error).__name__}")
            self._stopped(place, problem, said, absent)
            if not wanted.follow:
                return
            said = str(problem) if problem is not None else ""
            await asyncio.sleep(pause)
            pause = min(LONGEST_S, 2 * pause)
            # A log that brought nothing yet is read from its beginning; else from a little before its newest line.
            newest = overlap.again()
            since, tail = (newest, None) if newest is not None else (wanted.since, wanted.tail)
            if status.state is OriginState.ENDED and not absent:
                pause = min(pause, 2 * AGAIN_S)

    async def _took(self, place: int, batch: Batch, overlap: Overlap) -> None:
        """Take in what an origin brought; where too much of it waits, it waits, too."""
        status = self.statuses[place]
        self._heard[place] = self._clock.monotonic()
        status.problem = None
        if not batch:
            self._merger.wait_for(place, False)
            status.state = OriginState.LIVE
            self._news.set()
            return
        fresh = overlap.fresh(batch)
        if fresh:
            self._merger.push(place, fresh, self._clock.monotonic())
            status.lines += len(fresh)
            status.first = status.first or fresh[0].at
            status.newest = fresh[-1].at or status.newest
            self._news.set()
        while not self._merger.room(place):
            self._room.clear()
            self._news.set()
            await self._room.wait()
        self._heard[place] = self._clock.monotonic()

    def _stopped(self, place: int, problem: Problem | None, said: str, absent: bool) -> None:
        """Keep that an origin ended or failed; a failure is said once in the view, too.

        What is absent, and nobody said that it is there, has just ended.
        """
        status = self.statuses[place]
        status.state = OriginState.ENDED if problem is None or absent else OriginState.FAILED
        status.problem = problem
        if problem is not None and not absent and str(problem) != said:
            words = LogLine(f"{status.title}: {problem}", self._clock.now(), "", Level.WARNING)
            self._merger.push(place, [words], self._clock.monotonic(), note=True)
        self._merger.wait_for(place, False)
        self._news.set()
