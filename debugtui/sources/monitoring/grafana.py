"""The Grafana source: its database, its datasources and whether they answer, its dashboards, its own alerts."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from debugtui.hosts.link import LinkError
from debugtui.model.clock import Clock
from debugtui.model.grafana import Dashboard, Datasource, GrafanaReading
from debugtui.model.source import Gap, Kind, Problem
from debugtui.sources.base import SourceError
from debugtui.sources.monitoring.firing import of_alertmanager
from debugtui.sources.monitoring.parts import Parts
from debugtui.sources.monitoring.server import ServerSource, Way
from debugtui.sources.monitoring.shapes import address, name, rows, sentence, table

#: Seconds between two checks of the datasources: each makes Grafana ask one of them something.
CHECK_EVERY_S = 60.0

#: Most datasources kept, and checked; checks at the same time; seconds for all of them together; most dashboards.
MOST, MOST_CHECKED, AT_ONCE, CHECKS_LIMIT_S, MOST_DASHBOARDS = 100, 40, 4, 8.0, 1_000


class GrafanaSource(ServerSource):
    """One Grafana. What its token may not read is a gap."""

    kind = Kind.GRAFANA

    def __init__(self, source_name: str, way: Way, *, every: float | None = None, clock: Clock | None = None) -> None:
        super().__init__(source_name, way, every=every, clock=clock)
        self._checked_at: float | None = None
        self._checks: dict[str, Datasource] = {}

    async def read(self, *, full: bool) -> GrafanaReading:
        """Read it.

        Args:
            full: check the datasources now, however lately they were checked.

        Raises:
            SourceError: it does not answer as a Grafana.
            LinkError: the link is not up.
        """
        get = Parts(self._api, self._clock)
        health = await self._health()
        sources = await get.get("datasources", "/api/datasources", _datasources)
        if sources is not None:
            sources = await self._checked(get, sources, full)
        boards = await get.get("dashboards", "/api/search", _dashboards, {"type": "dash-db", "limit": str(MOST_DASHBOARDS)})
        alerts = await get.get("alerts", "/api/alertmanager/grafana/api/v2/alerts", of_alertmanager)
        if boards is not None and len(boards) == MOST_DASHBOARDS:
            get.gaps.append(Gap("dashboards", Problem(f"the first {MOST_DASHBOARDS} are read")))
        return GrafanaReading(
            taken_at=self._clock.now(),
            url=self._way.url,
            version=name(health.get("version")),
            database=name(health.get("database")),
            datasources=sources,
            dashboards=boards,
            alerts=alerts,
            gaps=tuple(get.gaps),
        )

    async def _health(self) -> dict[str, Any]:
        """Return what it says of its own health: with status 503 where its database fails."""
        status, body = await self._api.fetch("/api/health", most=100_000)
        try:
            health = table(await asyncio.to_thread(json.loads, body))
        except (ValueError, RecursionError):
            health = {}
        if not isinstance(health.get("database"), str):
            says = f"{self._way.url} does not answer as a grafana (HTTP {status})"
            raise SourceError(Problem(says, "url in the configuration: with the sub-path where it has one"))
        return health

    async def _checked(self, get: Parts, sources: Sequence[Datasource], full: bool) -> tuple[Datasource, ...]:
        """Return the datasources with what Grafana's check of each said, now or within the last minute."""
        now = self._clock.monotonic()
        if self._checked_at is None or full or now - self._checked_at >= CHECK_EVERY_S:
            self._checked_at, self._checks = now, {}
            await self._check_all(get, sources[:MOST_CHECKED])
        return tuple(
            replace(one, ok=known.ok, says=known.says, checked_at=known.checked_at)
            if (known := self._checks.get(one.uid)) is not None
            else one
            for one in sources
        )

    async def _check_all(self, get: Parts, sources: Sequence[Datasource]) -> None:
        room = asyncio.Semaphore(AT_ONCE)

        async def check(one: Datasource) -> None:
            async with room:
                self._checks[one.uid] = await self._check(one)

        try:
            async with asyncio.timeout(max(0.0, min(CHECKS_LIMIT_S, get.left_s))), asyncio.TaskGroup() as group:
                for one in sources:
                    group.create_task(check(one))
        except TimeoutError:
            await self._api.close()
            left = len(sources) - len(self._checks)
            get.gaps.append(Gap("datasource checks", Problem(f"{left} of {len(sources)} checks did not end in time")))

    async def _check(self, one: Datasource) -> Datasource:
        """Return a datasource with the outcome of its check.

        Status 200 and 4xx or 5xx with `ERROR` are outcomes; anything else is not known: no permission, no check of its kind.
        """
        at = self._clock.now()
        try:
            status, body = await self._api.fetch(f"/api/datasources/uid/{one.uid}/health", most=200_000)
            told = table(await asyncio.to_thread(json.loads, body))
        except (SourceError, LinkError) as error:
            return replace(one, says=error.problem.says, checked_at=at)
        except (ValueError, RecursionError):
            return replace(one, says="its check cannot be read", checked_at=at)
        said = sentence(told.get("message"))
        if told.get("status") == "OK" and status == 200:
            return replace(one, ok=True, says=said, checked_at=at)
        if told.get("status") == "ERROR":
            return replace(one, ok=False, says=said or "its check fails", checked_at=at)
        words = {401: "no permission to check it", 403: "no permission to check it", 404: "it has no check"}
        return replace(one, says=words.get(status, said or f"its check answers {status}"), checked_at=at)


def _datasources(document: object) -> tuple[Datasource, ...]:
    found = [
        Datasource(
            uid=uid,
            name=name(one.get("name")) or uid,
            kind=name(one.get("type")),
            url=address(one.get("url")),
            default=one.get("isDefault") is True,
        )
        for one in rows(document)
        if _is_uid(uid := name(one.get("uid")))
    ]
    return tuple(found[:MOST])


def _is_uid(text: str) -> bool:
    """Whether a text is an id as Grafana makes and accepts them, and may stand in a path."""
    return bool(text) and len(text) <= 80 and all(sign.isascii() and (sign.isalnum() or sign in "-_") for sign in text)


def _dashboards(document: object) -> tuple[Dashboard, ...]:
    found = [
        Dashboard(name(one.get("uid")), sentence(one.get("title")), sentence(one.get("folderTitle")), address(one.get("url")))
        for one in rows(document)
    ]
    return tuple(sorted(found, key=lambda one: (one.folder.casefold(), one.title.casefold())))
