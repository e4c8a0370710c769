"""One source's poller: asks, one request at a time, at a pace that adapts; keeps the last reading and what went wrong."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from datetime import datetime

from debugtui.fleet.pace import FULL, FULL_OPEN, STALE_PERIODS, Pace, smooth
from debugtui.hosts.link import Link, LinkError
from debugtui.model.clock import Clock
from debugtui.model.source import Freshness, LinkState, Problem, Reading, SourceStatus
from debugtui.sources.base import Source, SourceError

_log = logging.getLogger(__name__)


class Poller:
    """Polls one source for as long as it runs.

    A slow source never piles up requests: the next read starts only after the last one ended. While the link is down nothing
    is asked; the poller wakes when the link is up again.
    """

    def __init__(
        self, link: Link, source: Source, *, named: bool, refresh: float, clock: Clock, publish: Callable[[Poller], None]
    ) -> None:
        """Prepare; `run` does the work.

        Args:
            link: the host's link.
            source: what to read.
            named: the configuration names it: its absence is a fault, not a fact.
            refresh: the operator's refresh, in seconds.
            clock: time.
            publish: called after every change.
        """
        self.link = link
        self.source = source
        self._named = named
        self._refresh = refresh
        self._clock = clock
        self._publish = publish
        self._wake = asyncio.Event()
        self.visible = True
        self.opened = False
        self._reading: Reading | None = None
        self._problem: Problem | None = None
        self._read_at: float | None = None
        self._read_wall: datetime | None = None
        self._full_at: float | None = None
        self._took: float = 0.0
        self._last_took: float | None = None
        self._last_started: float | None = None
        self._begun: float | None = None
        self._failures = 0
        self._absent = False
        self._reads = 0
        self._sequence = 0

    def asked_since(self, moment: float) -> bool:
        """Whether a read that began after `moment` (monotonic, in seconds) has ended, with success or not."""
        return self._last_started is not None and self._last_started >= moment

    def begun_since(self, moment: float) -> bool:
        """Whether a read began after `moment` (monotonic, in seconds), ended or not."""
        return self._begun is not None and self._begun >= moment

    @property
    def interval(self) -> float:
        """Seconds between two reads now."""
        period = self.source.period_s
        return Pace(self._refresh, self._took, self.visible or self.opened, self._failures, self._absent, period).interval

    def set_refresh(self, refresh: float) -> None:
        """Change the operator's refresh, in seconds."""
        self._refresh = refresh
        self.wake()

    def attend(self, *, visible: bool, opened: bool) -> None:
        """Say whether a pane shows this source, and whether its own detail screen is open."""
        quicker = (visible and not self.visible) or (opened and not self.opened)
        self.visible, self.opened = visible, opened
        if quicker:
            self.wake()

    def wake(self) -> None:
        """Read now instead of waiting for the next turn."""
        self._wake.set()

    async def run(self) -> None:
        """Poll until cancelled."""
        try:
            while True:
                started = self._clock.monotonic()
                self._wake.clear()
                if self.link.status.state is LinkState.UP:
                    await self.read_once()
                    wait = max(0.05, started + self.interval - self._clock.monotonic())
                    if self._reads == 1 and not self.source.period_s:
                        wait = min(wait, 1.0)  # rates and the slow parts are wanted soon after the first picture
                else:
                    wait = self.interval
                await self._sleep(wait)
        finally:
            await self.source.close()

    async def _sleep(self, seconds: float) -> None:
        try:
            async with asyncio.timeout(seconds):
                await self._wake.wait()
        except TimeoutError:
            return

    def _wants_full(self, now: float) -> bool:
        if self._reads == 0:
            return False
        period = FULL_OPEN if self.opened else FULL
        return self._full_at is None or now - self._full_at >= period

    async def read_once(self, *, full: bool | None = None) -> None:
        """Read once, and publish what came of it.

        Args:
            full: whether to read the slow parts; None leaves it to the pace.
        """
        started = self._begun = self._clock.monotonic()
        whole = self._wants_full(started) if full is None else full
        try:
            async with asyncio.timeout(self.source.limit_s):
                reading = await self.source.read(full=whole)
        except SourceError as error:
            self._failed(error.problem, absent=error.absent)
        except LinkError as error:
            self._failed(error.problem)
        except TimeoutError:
            self._failed(Problem(f"no answer within {self.source.limit_s:.0f} s"))
        except Exception as error:  # noqa: BLE001 - one broken source must not end the others; it is shown and logged
            _log.exception("source %s of %s", self.source.name, self.link.host)
            self._failed(Problem(f"{type(error).__name__}: {error}", "this is a fault of DebugTUI: see its log"))
        else:
            self._succeeded(reading, started, whole)
        self._last_started = started
        self._last_took = self._clock.monotonic() - started
        self._sequence += 1
        self._publish(self)

    def _failed(self, problem: Problem, *, absent: bool = False) -> None:
        self._problem = problem
        self._absent = absent and not self._named
        self._failures += 1

    def _succeeded(self, reading: Reading, started: float, whole: bool) -> None:
        now = self._clock.monotonic()
        self._reading, self._problem = reading, None
        self._read_at, self._failures, self._absent = now, 0, False
        self._reads += 1
        if whole:
            self._full_at = started
        else:
            # A full read is rare and slow by design: it must not slow down the ordinary ones.
            self._took = smooth(self._took, now - started)

    @property
    def fresh(self) -> bool:
        """True right after a read that succeeded."""
        return self._problem is None and self._reading is not None

    def _freshness(self) -> Freshness:
        if self._absent:
            return Freshness.OFF
        if self._reading is None or self._read_at is None or self.link.status.state is not LinkState.UP:
            return Freshness.LOST
        age = self._clock.monotonic() - self._read_at
        if self._problem is not None or age > STALE_PERIODS * self.interval + self._took:
            return Freshness.STALE
        return Freshness.LIVE

    def status(self) -> SourceStatus:
        """Return what is known now."""
        link = self.link.status
        problem = link.problem if link.state is not LinkState.UP and link.problem else self._problem
        took = self._last_took
        return SourceStatus(
            host=self.link.host,
            name=self.source.name,
            kind=self.source.kind,
            freshness=self._freshness(),
            problem=problem,
            reading=self._reading,
            took_ms=None if took is None else round(took * 1000, 1),
            interval_s=round(self.interval, 2),
            cost_share=0.0 if took is None else took / self.interval,
            sequence=self._sequence,
        )
