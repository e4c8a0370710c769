"""Keeps the diagnosis up to date beside the screen: in threads, at most every few seconds, and only when something changed."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterable
from datetime import datetime
from typing import TYPE_CHECKING

from debugtui.alerts.settings import rules_of
from debugtui.config.models import Config
from debugtui.diagnosis.anomaly import Anomaly
from debugtui.diagnosis.engine import diagnose, suspicious
from debugtui.diagnosis.found import Memory
from debugtui.diagnosis.gather import look_again
from debugtui.diagnosis.looked import Looked
from debugtui.diagnosis.surroundings import released_of
from debugtui.fleet.topology.build import build_topology
from debugtui.model.alerts import Alert
from debugtui.model.diagnosis import Diagnosis
from debugtui.model.execution import Execution
from debugtui.model.source import FleetView
from debugtui.model.target import Target

if TYPE_CHECKING:
    from debugtui.fleet.fleet import Fleet

#: Seconds between two diagnoses, and between two second looks at the same things.
EVERY_S, LOOK_EVERY_S = 3.0, 20.0

_log = logging.getLogger(__name__)


class Doctor:
    """Diagnoses one fleet. `look` is called after each change; what comes of it is told by `tell`.

    Attributes:
        diagnosis: the newest; None before the first.
    """

    def __init__(
        self,
        fleet: Fleet,
        config: Config,
        tell: Callable[[], None],
        executions: Callable[[], Awaitable[Iterable[Execution]]],
        monotonic: Callable[[], float],
    ) -> None:
        """Prepare.

        Args:
            fleet: what is read.
            config: what it is made of.
            tell: called on the event loop when there is a new diagnosis.
            executions: gives our own newest executions.
            monotonic: seconds of a clock that never jumps.
        """
        self.diagnosis: Diagnosis | None = None
        self._fleet, self._config, self._tell = fleet, config, tell
        self._executions, self._monotonic = executions, monotonic
        self._rules = rules_of(config.alerts)
        self._memory = Memory(rules=self._rules)
        self._looked, self._looked_at = Looked(), float("-inf")
        self._known: frozenset[tuple[str, Target]] = frozenset()
        self._began, self._version = float("-inf"), -1
        self._task: asyncio.Task[None] | None = None

    def look(self, view: FleetView, alerts: Iterable[Alert]) -> None:
        """Take note of a view; begin a diagnosis where one is due and none is under way."""
        now = self._monotonic()
        busy = self._task is not None and not self._task.done()
        if busy or view.version == self._version or now - self._began < EVERY_S:
            return
        self._began, self._version = now, view.version
        since = [(alert.rule, alert.target, alert.since) for alert in alerts]
        self._task = asyncio.create_task(self._run(view, since), name="diagnosis")

    async def stop(self) -> None:
        """End what is under way."""
        task, self._task = self._task, None
        if task is not None:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    async def _run(self, view: FleetView, since: list[tuple[str, Target, datetime]]) -> None:
        try:
            self.diagnosis = await self._diagnosed(view, since)
        except Exception:  # noqa: BLE001 - one view that cannot be diagnosed must not end the screen; it is logged
            _log.exception("the diagnosis failed; the next one tries again")
            return
        self._tell()

    async def _diagnosed(self, view: FleetView, since: list[tuple[str, Target, datetime]]) -> Diagnosis:
        def noted() -> tuple[Anomaly, ...]:
            self._memory.note(view)
            self._memory.known(since)
            return self._memory.note(view)

        anomalies = await asyncio.to_thread(noted)
        topology = await asyncio.to_thread(build_topology, view, self._config)
        worth = frozenset((one.rule, one.target) for one in suspicious(anomalies))
        now = self._monotonic()
        if not worth:
            self._looked = Looked()
        elif worth - self._known or now - self._looked_at >= LOOK_EVERY_S:
            self._looked = await look_again(self._fleet, view, self._config, topology, anomalies)
            self._looked_at = self._monotonic()
        self._known = worth
        executions = list(await self._executions())
        looked, seen, released = self._looked, dict(self._memory.seen), released_of(self._config)
        standing = self._memory.standing
        return await asyncio.to_thread(
            lambda: diagnose(
                view,
                topology,
                looked=looked,
                history=seen,
                executions=executions,
                released=released,
                rules=self._rules,
                standing=standing,
            )
        )
