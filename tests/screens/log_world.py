"""Logs that stand still: what a few origins of the small world said around its moment, and one that cannot be read."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from datetime import datetime, timedelta

from debugtui.app import DebugTui
from debugtui.config.models import Config
from debugtui.fleet.log_origins import LogCatalogue
from debugtui.model.logs import Level, LogLine
from debugtui.model.source import FleetView, Problem
from debugtui.model.target import Target
from debugtui.sources.base import SourceError
from debugtui.sources.logs.clock import HostClock
from debugtui.sources.logs.following import inside
from debugtui.sources.logs.origin import Batch, LogOrigin
from tests.unit.fakes import START


class StillOrigin:
    """An origin with given lines; `push` adds more while it is followed."""

    def __init__(self, target: Target, kind: str, title: str, lines: Sequence[LogLine] = (), problem: str = "") -> None:
        self.target, self.kind, self.title = target, kind, title
        self.all = list(lines)
        self.problem = problem
        self.asked: list[dict[str, object]] = []
        self._more = asyncio.Event()

    def push(self, *lines: LogLine) -> None:
        self.all += lines
        self._more.set()

    async def lines(
        self, *, since: datetime | None, until: datetime | None, tail: int | None, follow: bool
    ) -> AsyncIterator[Batch]:
        self.asked.append({"since": since, "until": until, "tail": tail, "follow": follow})
        if self.problem:
            raise SourceError(Problem(self.problem))
        given = len(self.all)
        before = inside(self.all, since, until)
        yield before[-tail:] if tail is not None else before
        yield []
        while follow:
            self._more.clear()
            if given < len(self.all):
                fresh, given = self.all[given:], len(self.all)
                yield fresh
            await self._more.wait()


def at(seconds: float, text: str, level: Level | None = None) -> LogLine:
    """A line so many seconds before the world's moment, where negative."""
    return LogLine(text, START + timedelta(seconds=seconds), "", level)


class StillCatalogue(LogCatalogue):
    """The origins of `world_origins`; those of a host concern everything on it."""

    def __init__(self, app: DebugTui, origins: Sequence[StillOrigin]) -> None:
        assert app.fleet is not None
        super().__init__(Config(), app.fleet, None)  # type: ignore[arg-type]
        self.origins = list(origins)

    def everything(self, view: FleetView) -> list[LogOrigin]:
        return list(self.origins)

    def about(self, view: FleetView, target: Target) -> list[LogOrigin]:
        return [one for one in self.origins if one.target.host == target.host and one.target.name != "old"]

    async def ask_clocks(self, hosts: object) -> None:
        self.clocks._known["kvm-01"] = (0.0, HostClock(7.4, 0.01))


def world_origins() -> list[StillOrigin]:
    api = Target("kvm-01", "docker", "coach-api-1")
    nginx, coach = Target("kvm-01", "nginx", "main"), Target("kvm-01", "postgres", "coach")
    return [
        StillOrigin(
            api,
            "docker",
            "coach-api-1",
            [
                at(-42.1, "INFO  GET /api/v1/activities 200 18 ms"),
                at(-12.75, "WARN  pool exhausted: 20 of 20 connections in use"),
                at(-3.2, "ERROR GET /api/v1/activities timed out after 30 s: [@click=app.quit]not a link[/]"),
                at(-3.2, "  at coach.db.session.acquire (session.py:118)"),
                at(1.5, "ERROR GET /api/v1/plans timed out after 30 s"),
            ],
        ),
        StillOrigin(
            nginx,
            "nginx",
            "main access",
            [
                at(-42.0, '10.0.0.1 - - [14/Mar/2026:09:26:11 +0000] "GET /api/v1/activities HTTP/1.1" 200 812', Level.INFO),
                at(-3.1, '10.0.0.1 - - [14/Mar/2026:09:26:49 +0000] "GET /api/v1/activities HTTP/1.1" 504 160', Level.ERROR),
                at(1.6, '10.0.0.7 - - [14/Mar/2026:09:26:54 +0000] "GET /api/v1/plans HTTP/1.1" 504 160', Level.ERROR),
            ],
        ),
        StillOrigin(
            coach,
            "postgres",
            "coach log",
            [
                at(-58.0, "[4711] coach_app@coach LOG: checkpoint starting: time", Level.INFO),
                at(-30.4, "[4720] coach_app@coach LOG: process 4720 still waiting for ShareLock after 1000 ms", Level.INFO),
                at(-4.0, "[4733] coach_app@coach ERROR: canceling statement due to lock timeout (55P03)", Level.ERROR),
            ],
        ),
        StillOrigin(Target("kvm-01", "journal"), "journal", "journal", problem="no journal here"),
    ]
