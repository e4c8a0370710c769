"""Questions to a Prometheus: the newest values of an expression, and its values over a span of time."""

from __future__ import annotations

import asyncio
import json
import math
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import Any

from debugtui.config.redaction import redact
from debugtui.hosts.link import Link
from debugtui.model.monitoring import QueryResult, QuerySeries
from debugtui.model.source import Problem
from debugtui.model.text import line
from debugtui.sources.base import SourceError
from debugtui.sources.http_api import HttpApi

#: Most points of a series, most series, most bytes of an answer, longest expression.
MOST_POINTS, MOST_SERIES, MOST_BYTES, LONGEST = 2_000, 200, 8_000_000, 10_000

#: What the server itself may take for a query; it gives up where nobody waits any more.
_SERVER_LIMIT = "9s"

#: The end of the year 9999, in UNIX seconds: later times are none.
_LATEST = 253_402_300_800

#: Words of the server around what is wrong with an expression.
_PREFIX = 'invalid parameter "query": '


class QueryRefusedError(SourceError):
    """The server understood the request and refuses it: the expression is wrong, or asks for too much. Its own words."""


class PrometheusQueries:
    """Asks one server. Each query has a connection of its own, so that none waits for, or is broken by, another."""

    def __init__(self, api: Callable[[], HttpApi]) -> None:
        """Prepare.

        Args:
            api: makes what asks, for one query.
        """
        self._api = api

    async def query(self, expr: str) -> QueryResult:
        """Return the newest values of an expression.

        Raises:
            QueryRefusedError: the server refuses it.
            SourceError: there is no answer, or none of a Prometheus.
            LinkError: the link is not up.
        """
        document = await self._ask("query", {"query": _bounded(expr), "timeout": _SERVER_LIMIT})
        return await asyncio.to_thread(_result, document)

    async def query_range(self, expr: str, start: float, end: float, step: float) -> QueryResult:
        """Return the values of an expression from `start` to `end` (UNIX seconds), one every `step` seconds.

        Raises:
            QueryRefusedError: the server refuses it, or it has too many points.
            SourceError: there is no answer, or none of a Prometheus.
            LinkError: the link is not up.
        """
        if not (math.isfinite(start) and math.isfinite(end) and math.isfinite(step)) or step <= 0 or end < start:
            raise QueryRefusedError(Problem("a range goes from a time to a later one, in steps above 0"))
        if (end - start) / step > MOST_POINTS:
            least = math.ceil((end - start) / MOST_POINTS)
            raise QueryRefusedError(Problem(f"more than {MOST_POINTS} points", f"a step of at least {least} s"))
        span = {"start": f"{start:.3f}", "end": f"{end:.3f}", "step": f"{step:g}"}
        document = await self._ask("query_range", {"query": _bounded(expr), **span, "timeout": _SERVER_LIMIT})
        return await asyncio.to_thread(_result, document)

    async def _ask(self, what: str, params: Mapping[str, str]) -> dict[str, Any]:
        api = self._api()
        try:
            return await ask(api, what, params)
        finally:
            await api.close()


async def ask(api: HttpApi, what: str, params: Mapping[str, str]) -> dict[str, Any]:
    """Return the whole document that `/api/v1/query` or `/api/v1/query_range` answers.

    Raises:
        QueryRefusedError: the server refuses it.
        SourceError: there is no answer, or none of a Prometheus.
        LinkError: the link is not up.
    """
    status, body = await api.fetch(f"/api/v1/{what}", {**params, "limit": str(MOST_SERIES + 1)}, most=MOST_BYTES)
    try:
        document = await asyncio.to_thread(json.loads, body)
    except (ValueError, RecursionError):
        document = None
    if isinstance(document, dict) and document.get("status") == "success" and isinstance(document.get("data"), dict):
        return document
    if isinstance(document, dict) and document.get("status") == "error":
        says = redact(line(str(document.get("error")).removeprefix(_PREFIX), 500))
        raise QueryRefusedError(Problem(says))
    hint = {401: "it wants a user and password, or a token", 403: "the user or token may not read this"}.get(status, "")
    raise SourceError(Problem(f"{api.url} does not answer as a prometheus (HTTP {status})", hint))


def _bounded(expr: str) -> str:
    if not expr.strip():
        raise QueryRefusedError(Problem("an empty expression"))
    if len(expr) > LONGEST:
        raise QueryRefusedError(Problem(f"an expression of more than {LONGEST} characters"))
    return expr


def _result(document: Mapping[str, Any]) -> QueryResult:
    data = document["data"]
    kind, result = line(str(data.get("resultType")), 40), data.get("result")
    warnings = document.get("warnings")
    said = tuple(line(str(one), 300) for one in warnings[:10]) if isinstance(warnings, list) else ()
    if kind == "string":
        text = result[1] if isinstance(result, list) and len(result) == 2 else ""
        return QueryResult(kind, text=redact(line(str(text), 4_000)), warnings=said)
    if kind == "scalar":
        return QueryResult(kind, _series({"metric": {}, "value": result}), warnings=said)
    rows = result if isinstance(result, list) else []
    series = tuple(one for row in rows[:MOST_SERIES] for one in _series(row))
    return QueryResult(kind, series, more=len(rows) > MOST_SERIES, warnings=said)


def _series(row: object) -> tuple[QuerySeries, ...]:
    """Return one series; none where it is of another shape, or has no numbers (histograms)."""
    metric = row.get("metric") if isinstance(row, dict) else None
    if not isinstance(row, dict) or not isinstance(metric, dict):
        return ()
    pairs = row.get("values") if "values" in row else [row.get("value")]
    points = [point for pair in (pairs if isinstance(pairs, list) else ()) if (point := _point(pair)) is not None]
    if not points:
        return ()
    labels = {line(str(key), 200): redact(line(str(value), 500)) for key, value in metric.items()}
    points = points[: MOST_POINTS + 1]
    return (QuerySeries(labels, tuple(at for at, _ in points), tuple(value for _, value in points)),)


def _point(pair: object) -> tuple[float, float] | None:
    if not isinstance(pair, list) or len(pair) != 2 or isinstance(pair[0], bool):
        return None
    try:
        at, value = float(pair[0]), float(pair[1])
    except (TypeError, ValueError, OverflowError):
        return None
    return (at, value) if 0 <= at < _LATEST else None


async def instant_query(
    url: str,
    query: str,
    link: Link | None,
    *,
    headers: Callable[[], Awaitable[Mapping[str, str]]] | None = None,
    ca: Path | None = None,
) -> list[dict[str, Any]]:
    """Return what `/api/v1/query` answers, `data.result`: a list of `{"metric": {...}, "value": [time, "text"]}`.

    Args:
        url: where the API is, as seen from the host, or from here where `link` is None.
        query: PromQL.
        link: of the host in between.
        headers: gives the headers that authenticate.
        ca: file of the authorities that its certificate is judged by.

    Raises:
        SourceError: there is no answer, or it is an error.
        LinkError: the link is not up.
    """
    api = HttpApi("prometheus", url, link, headers=headers, ca=ca)
    try:
        document = await ask(api, "query", {"query": query})
    except QueryRefusedError as error:
        raise SourceError(Problem(f"prometheus refuses: {error.problem.says}")) from error
    finally:
        await api.close()
    result = document["data"].get("result")
    return [one for one in result if isinstance(one, dict)] if isinstance(result, list) else []
