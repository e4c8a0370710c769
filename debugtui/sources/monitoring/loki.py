"""The Loki source: whether it is ready, what it can be asked for, and who logs errors. Its lines are read elsewhere."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

from debugtui.model.clock import Clock
from debugtui.model.loki import ErrorLines, LokiReading
from debugtui.model.source import Gap, Kind, Problem
from debugtui.model.text import line
from debugtui.sources.base import SourceError
from debugtui.sources.monitoring.parts import Parts
from debugtui.sources.monitoring.server import ServerSource, Way
from debugtui.sources.monitoring.shapes import name, number, rows, table

#: The labels that say who logs, best first; labels of the level of a line.
WHO = ("app", "service_name", "service", "compose_service", "container", "container_name", "pod", "unit", "job", "filename")
LEVELS = ("level", "severity", "detected_level")

#: Seconds between two counts of the lines that speak of errors: it makes Loki read the lines of five minutes.
COUNT_EVERY_S = 60.0

_WORDS = "(?i)(error|fatal|panic|critical|exception)"
_BAD_LEVEL = "(?i)(err|error|fatal|panic|crit|critical|alert|emerg|emergency)"


class LokiSource(ServerSource):
    """One Loki."""

    kind = Kind.LOKI

    def __init__(self, source_name: str, way: Way, *, every: float | None = None, clock: Clock | None = None) -> None:
        super().__init__(source_name, way, every=every, clock=clock)
        self._counted: tuple[float, datetime, str, tuple[ErrorLines, ...] | None, tuple[Gap, ...]] | None = None

    async def read(self, *, full: bool) -> LokiReading:
        """Read it.

        Args:
            full: count the lines that speak of errors now, however lately they were counted.

        Raises:
            SourceError: it does not answer as a Loki.
            LinkError: the link is not up.
        """
        get = Parts(self._api, self._clock)
        status, body = await self._api.fetch("/ready", most=100_000)
        says = line(body[:300]).strip("\u240a ")
        ready = status == 200 and says.lower() == "ready"
        build = await get.get("version", "/loki/api/v1/status/buildinfo", _build)
        names = await get.get("labels", "/loki/api/v1/labels", _labels, self._last_hour())
        told = ready or status == 503
        if not ready and not build and not names:  # a page of somebody else's, or of nobody
            says = says if status == 503 else f"{self._way.url} does not answer as a loki"
            raise SourceError(get.gaps[-1].problem if get.gaps else Problem(says, "url in the configuration"))
        if not told:
            get.gaps.append(Gap("ready", Problem(f"/ready answers {status}", "a gateway before it may not pass it on")))
        by, errors, errors_at = "", None, None
        if names is not None and (ready or not told):
            by, errors, errors_at = await self._errors(get, names, full)
        return LokiReading(
            taken_at=self._clock.now(),
            url=self._way.url,
            ready=ready if told else None,
            says="" if ready or not told else says or f"it answers {status}",
            version=build or "",
            labels=names,
            by=by,
            errors=errors,
            errors_at=errors_at,
            gaps=tuple(get.gaps),
        )

    def _last_hour(self) -> dict[str, str]:
        return {"start": str(int((self._clock.now() - timedelta(hours=1)).timestamp()) * 1_000_000_000)}

    async def _errors(
        self, get: Parts, names: Sequence[str], full: bool
    ) -> tuple[str, tuple[ErrorLines, ...] | None, datetime | None]:
        """Count the lines that speak of errors, or return what was counted within the last minute."""
        now = self._clock.monotonic()
        if self._counted is None or full or now - self._counted[0] >= COUNT_EVERY_S:
            by = next((label for label in WHO if label in names), "")
            if not by:
                get.gaps.append(Gap("errors", Problem("no label says who logs", f"one of {', '.join(WHO[:5])}")))
                return "", None, None
            before = len(get.gaps)
            query = {"query": _query(by, names)}
            errors = await get.get("errors", "/loki/api/v1/query", lambda document: _counts(document, by), query)
            self._counted = now, self._clock.now(), by, errors, tuple(get.gaps[before:])
        else:
            get.gaps.extend(self._counted[4])
        return self._counted[2], self._counted[3], self._counted[1]


def _query(by: str, names: Sequence[str]) -> str:
    """Return the question: by a label of the level where there is one, which costs less than looking into every line."""
    level = next((label for label in LEVELS if label in names), "")
    if level:
        return f'topk(50, sum by ({by}) (count_over_time({{{by}=~".+", {level}=~"{_BAD_LEVEL}"}}[5m])))'
    return f'topk(50, sum by ({by}) (count_over_time({{{by}=~".+"}} |~ "{_WORDS}" [5m])))'


def _build(document: object) -> str:
    return name(table(document).get("version"))


def _labels(document: object) -> tuple[str, ...]:
    data = table(document).get("data")
    return tuple(sorted({name(one) for one in data if isinstance(one, str)}))[:500] if isinstance(data, list) else ()


def _counts(document: object, by: str) -> tuple[ErrorLines, ...]:
    found = []
    for row in rows(table(table(document).get("data")).get("result")):
        pair = row.get("value")
        value = number(pair[1]) if isinstance(pair, list) and len(pair) == 2 else None
        if value:
            found.append(ErrorLines(name(table(row.get("metric")).get(by)) or "without a name", round(value)))
    return tuple(sorted(found, key=lambda one: -one.count)[:50])
