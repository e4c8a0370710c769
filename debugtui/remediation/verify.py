"""Watches checks until each has a verdict: pass, fail or inconclusive.

A check has to become ok within its time and then stay ok for its watching time. One sample that is not ok restarts the watching
time; two in a row, or a second relapse, fail it. A sample that could not be taken counts neither way, and after a silence the
watching time starts again. Without enough valid samples there is no verdict but inconclusive, which is never a pass.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Callable, Sequence

from debugtui.config.redaction import redact
from debugtui.hosts.link import LinkError
from debugtui.model.clock import Clock
from debugtui.model.execution import CheckProgress, SampleTaken, Verdict
from debugtui.model.text import line
from debugtui.remediation.base import LiveCheck, Sample
from debugtui.remediation.eyes import Eyes
from debugtui.sources.base import SourceError

#: Seconds that one look may take.
SAMPLE_LIMIT = 15.0
#: Samples kept for the screen.
KEPT = 60
#: A silence of so many intervals, and at least so many seconds, restarts the watching time.
SILENCE_INTERVALS, SILENCE_S = 5, 10.0
#: The whole watch takes at most the time to become ok and so many watching times.
PATIENCE = 3

_log = logging.getLogger(__name__)


class Watch:
    """One check being watched. Times are scaled by the surroundings' `dwell`."""

    def __init__(self, check: LiveCheck, eyes: Eyes) -> None:
        self.check = check
        self._eyes = eyes
        self._clock: Clock = eyes.clock
        scale = eyes.around.dwell
        self.watch_s, self._within = check.watch_s * scale, check.within_s * scale
        self._every = max(0.01, check.every_s * scale)
        self._silence = max(SILENCE_INTERVALS * check.every_s, SILENCE_S) * scale
        self._samples: deque[SampleTaken] = deque(maxlen=KEPT)
        self._began = self._clock.monotonic()
        self._ok_since: float | None = None
        self._valid_at: float | None = None
        self._was_ok = False
        self._relapses = self._bad_in_row = self._held = 0
        self.valid = 0
        self.verdict: Verdict | None = None

    def progress(self) -> CheckProgress:
        """Return how far it is."""
        held = 0.0 if self._ok_since is None else (self._valid_at or self._ok_since) - self._ok_since
        return CheckProgress(self.check.name, self.watch_s, min(held, self.watch_s), self.verdict, tuple(self._samples))

    async def run(self, changed: Callable[[], None]) -> Verdict:
        """Watch to the end, and return the verdict; `changed` is called after each sample."""
        while self.verdict is None:
            sample = await self._look()
            now = self._clock.monotonic()
            self._samples.append(SampleTaken(self._clock.now(), sample.ok, redact(line(sample.value, 500))))
            self.verdict = self._judge(sample, now)
            changed()
            if self.verdict is None:
                await asyncio.sleep(self._every)
        return self.verdict

    def stop(self) -> None:
        """End it without a verdict of its own."""
        if self.verdict is None:
            self.verdict = Verdict.INCONCLUSIVE

    async def _look(self) -> Sample:
        try:
            async with asyncio.timeout(SAMPLE_LIMIT):
                return await self.check.sample(self._eyes)
        except TimeoutError:
            return Sample(None, f"no answer within {SAMPLE_LIMIT:.0f} s")
        except (SourceError, LinkError) as error:
            return Sample(None, str(error.problem))
        except Exception as error:  # noqa: BLE001 - whatever a check stumbles over, it saw nothing; the log has the details
            _log.warning("check %s", self.check.name, exc_info=True)
            return Sample(None, f"{type(error).__name__}: {error}")

    def _judge(self, sample: Sample, now: float) -> Verdict | None:
        if sample.ok is not None:
            self.valid += 1
            if self._ok_since is not None and self._valid_at is not None and now - self._valid_at > self._silence:
                self._ok_since, self._held = None, 0  # nobody looked for so long: it held only from now on
            self._valid_at = now
            if sample.ok:
                return self._good(now)
            verdict = self._bad(now)
            if verdict is not None:
                return verdict
        return self._overdue(sample, now)

    def _good(self, now: float) -> Verdict | None:
        self._bad_in_row = 0
        self._was_ok = True
        if self._ok_since is None:
            self._ok_since, self._held = now, 0
        self._held += 1
        if now - self._ok_since >= self.watch_s and self._held >= self.check.least:
            return Verdict.PASS
        return None

    def _bad(self, now: float) -> Verdict | None:
        self._bad_in_row += 1
        if self._ok_since is not None:
            self._ok_since, self._held = None, 0
            self._relapses += 1
        if self._was_ok and (self._bad_in_row >= 2 or self._relapses >= 2):
            return Verdict.FAIL
        if not self._was_ok and now - self._began >= self._within:
            return Verdict.FAIL
        return None

    def _overdue(self, sample: Sample, now: float) -> Verdict | None:
        """End what would watch for ever: blind ones, and ones that never hold long enough."""
        limit = self._within + PATIENCE * self.watch_s + self._silence
        if now - self._began < limit:
            return None
        return Verdict.FAIL if sample.ok is False else Verdict.INCONCLUSIVE


async def watch_all(watches: Sequence[Watch], changed: Callable[[], None], stop: asyncio.Event) -> Verdict:
    """Watch several checks at a time; return the verdict of all: the first failure ends it, a pass needs every one.

    Args:
        watches: at least one.
        changed: called after each sample.
        stop: set by whoever wants it to end without a verdict.

    Raises:
        ValueError: there is nothing to watch; nothing watched is no pass.
    """
    if not watches:
        raise ValueError("a verification without a check proves nothing")
    tasks = {asyncio.create_task(watch.run(changed), name=f"check {watch.check.name}") for watch in watches}
    stopping = asyncio.create_task(stop.wait(), name="stop")
    try:
        pending = set(tasks)
        while pending and not stop.is_set():
            await asyncio.wait({*pending, stopping}, return_when=asyncio.FIRST_COMPLETED)
            pending = {task for task in pending if not task.done()}
            if any(watch.verdict is Verdict.FAIL for watch in watches):
                return Verdict.FAIL
    finally:
        for task in (*tasks, stopping):
            task.cancel()
        await asyncio.gather(*tasks, stopping, return_exceptions=True)
        for watch in watches:
            if not any(one.verdict is Verdict.FAIL for one in watches):
                watch.stop()
    if all(watch.verdict is Verdict.PASS for watch in watches):
        return Verdict.PASS
    return Verdict.INCONCLUSIVE
