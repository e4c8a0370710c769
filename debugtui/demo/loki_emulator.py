"""A small server that speaks Loki's HTTP API: lines are pushed, queried, counted and followed as with the real one."""

from __future__ import annotations

import asyncio
import base64
import bisect
import json
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from aiohttp import WSMsgType, web

from debugtui.demo.logql import LogQlError, LogQuery, evaluate, log_of, parse

#: Most lines that one query returns, as in Loki's own defaults; most lines kept; most that wait for one who follows.
MOST_ENTRIES, MOST_KEPT, MOST_WAITING = 5_000, 500_000, 10_000
#: Most points of a range query for each series.
MOST_POINTS = 11_000
VERSION = "2.9.10"

_NS = 1_000_000_000


@dataclass
class Stream:
    """The lines of one set of labels, oldest first: nanoseconds since the epoch, text."""

    labels: dict[str, str]
    entries: list[tuple[int, str]] = field(default_factory=list)


@dataclass
class _Tail:
    """One who follows."""

    query: LogQuery
    waiting: asyncio.Queue[tuple[dict[str, str], int, str]] = field(default_factory=lambda: asyncio.Queue(MOST_WAITING))
    dropped: list[tuple[dict[str, str], int]] = field(default_factory=list)


class LokiEmulator:
    """One server on loopback. `start` listens, `stop` ends every request.

    Attributes:
        streams: what was pushed.
        not_ready: what `/ready` says with status 503; empty: it is ready.
        token: the bearer token that it wants; empty: none.
        login: user and password of basic authentication; None: none.
        seen: the paths that were asked for, with their queries.
    """

    def __init__(self, *, token: str = "", login: tuple[str, str] | None = None) -> None:
        self.streams: dict[tuple[tuple[str, str], ...], Stream] = {}
        self.not_ready = ""
        self.token, self.login = token, login
        self.seen: list[tuple[str, dict[str, str]]] = []
        self.port = 0
        self._kept = 0
        self._tails: list[_Tail] = []
        self._runner: web.AppRunner | None = None
        self._ending = asyncio.Event()

    @property
    def url(self) -> str:
        """Where the API is."""
        return f"http://127.0.0.1:{self.port}"

    async def start(self, port: int = 0) -> None:
        """Listen on loopback; port 0: any that is free."""
        self._ending.clear()
        app = web.Application(client_max_size=16_000_000, middlewares=[self._guard])
        api = "/loki/api/v1"
        app.router.add_get("/ready", self._ready)
        app.router.add_get(f"{api}/status/buildinfo", self._build)
        app.router.add_post(f"{api}/push", self._push)
        app.router.add_get(f"{api}/labels", self._labels)
        app.router.add_get(f"{api}/label/{{name}}/values", self._values)
        app.router.add_get(f"{api}/series", self._series)
        app.router.add_get(f"{api}/query", self._query)
        app.router.add_get(f"{api}/query_range", self._query_range)
        app.router.add_get(f"{api}/tail", self._tail)
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", port).start()
        self.port = int(self._runner.addresses[0][1])

    async def stop(self) -> None:
        """End every request and stop listening. Safe to call twice."""
        self._ending.set()
        runner, self._runner = self._runner, None
        if runner is not None:
            await runner.cleanup()

    def push(self, labels: Mapping[str, str], lines: Iterable[str | tuple[int | float | datetime, str]]) -> None:
        """Take lines, as a client's push does.

        Args:
            labels: of the stream.
            lines: texts, dated now; or pairs of a time (a date, seconds, or nanoseconds since the epoch) and a text.
        """
        key = tuple(sorted(labels.items()))
        stream = self.streams.setdefault(key, Stream(dict(labels)))
        for one in lines:
            at, text = (time.time_ns(), one) if isinstance(one, str) else (_nanoseconds(one[0]), one[1])
            bisect.insort(stream.entries, (at, text))
            self._kept += 1
            for tail in self._tails:
                _tell(tail, stream.labels, at, text)
        while self._kept > MOST_KEPT:
            largest = max(self.streams.values(), key=lambda one: len(one.entries))
            del largest.entries[: len(largest.entries) // 2 + 1]
            self._kept = sum(len(one.entries) for one in self.streams.values())

    # What every request passes

    @web.middleware
    async def _guard(self, request: web.Request, handler: Any) -> web.StreamResponse:
        self.seen.append((request.path, dict(request.query)))
        if not self._allowed(request.headers.get("Authorization", "")):
            return web.Response(status=401, text="no org id\n")
        try:
            answer: web.StreamResponse = await handler(request)
        except LogQlError as error:
            return web.Response(status=400, text=str(error))
        except ValueError as error:
            return web.Response(status=400, text=f"{error}\n")
        return answer

    def _allowed(self, said: str) -> bool:
        if self.token:
            return said == f"Bearer {self.token}"
        if self.login is not None:
            return said == "Basic " + base64.b64encode(":".join(self.login).encode()).decode()
        return True

    # What it says of itself

    async def _ready(self, _request: web.Request) -> web.Response:
        if self.not_ready:
            return web.Response(status=503, text=f"{self.not_ready}\n")
        return web.Response(text="ready\n")

    async def _build(self, _request: web.Request) -> web.Response:
        return web.json_response({"version": VERSION, "revision": "c3f5b1d", "branch": "HEAD", "goVersion": "go1.21.9"})

    # Lines

    async def _push(self, request: web.Request) -> web.Response:
        try:
            document = json.loads(await request.read())
            for stream in document["streams"]:
                self.push(stream["stream"], [(int(value[0]), str(value[1])) for value in stream["values"]])
        except (ValueError, KeyError, TypeError, AttributeError, IndexError) as error:
            return web.Response(status=400, text=f"loghttp.PushRequest: {type(error).__name__}\n")
        return web.Response(status=204)

    async def _labels(self, request: web.Request) -> web.Response:
        start, end = _span(request, 6 * 3600)
        names = {name for one in self.streams.values() if _within(one, start, end) for name in one.labels}
        return _success(sorted(names))

    async def _values(self, request: web.Request) -> web.Response:
        start, end = _span(request, 6 * 3600)
        name = request.match_info["name"]
        query = request.query.get("query")
        wanted = log_of(parse(query)) if query else None
        found = {
            one.labels[name]
            for one in self.streams.values()
            if name in one.labels and _within(one, start, end) and (wanted is None or wanted.selects(one.labels))
        }
        return _success(sorted(found))

    async def _series(self, request: web.Request) -> web.Response:
        start, end = _span(request, 6 * 3600)
        queries = [log_of(parse(text)) for text in request.query.getall("match[]", request.query.getall("match", []))]
        if not queries:
            raise ValueError("0 matcher-sets requested")
        found = [one for one in self.streams.values() if _within(one, start, end)]
        return _success([one.labels for one in found if any(query.selects(one.labels) for query in queries)])

    async def _query(self, request: web.Request) -> web.Response:
        query = parse(request.query.get("query", ""))
        if isinstance(query, LogQuery):
            raise LogQlError(
                "log queries are not supported as an instant query type, please change your query to a range query type"
            )
        at = _time(request.query.get("time", ""), time.time_ns())
        picked = [(one.labels, one.entries) for one in self._picked(log_of(query))]
        result = [{"metric": labels, "value": [at / _NS, f"{value:.10g}"]} for labels, value in evaluate(query, picked, at)]
        return _success({"resultType": "vector", "result": result, "stats": {}})

    async def _query_range(self, request: web.Request) -> web.Response:
        query = parse(request.query.get("query", ""))
        start, end = _span(request, 3600)
        if end < start:
            raise ValueError("end timestamp must not be before or equal to start time")
        if isinstance(query, LogQuery):
            limit = int(request.query.get("limit", "100"))
            if limit > MOST_ENTRIES:
                raise ValueError(f"max entries limit per query exceeded, limit > max_entries_limit ({limit} > {MOST_ENTRIES})")
            backward = request.query.get("direction", "backward").lower() != "forward"
            return _success({"resultType": "streams", "result": self._lines(query, start, end, limit, backward), "stats": {}})
        step = max(1, int(_seconds(request.query.get("step", "") or str(max(1.0, (end - start) / _NS / 250))) * _NS))
        if (end - start) // step > MOST_POINTS:
            says = f"exceeded maximum resolution of {MOST_POINTS:,} points per time series"
            raise ValueError(f"{says}. Try increasing the value of the step parameter")
        picked = [(one.labels, one.entries) for one in self._picked(log_of(query))]
        series: dict[str, dict[str, Any]] = {}
        for at in range(start, end + 1, step):
            for labels, value in evaluate(query, picked, at):
                one = series.setdefault(json.dumps(labels, sort_keys=True), {"metric": labels, "values": []})
                one["values"].append([at / _NS, f"{value:.10g}"])
        return _success({"resultType": "matrix", "result": list(series.values()), "stats": {}})

    def _picked(self, query: LogQuery) -> list[Stream]:
        return [one for one in self.streams.values() if query.selects(one.labels)]

    def _lines(self, query: LogQuery, start: int, end: int, limit: int, backward: bool) -> list[dict[str, Any]]:
        """Return the lines of a span as Loki does: the newest first, or the oldest, `limit` of all streams together."""
        found = []
        for one in self._picked(query):
            low, high = bisect.bisect_left(one.entries, (start, "")), bisect.bisect_left(one.entries, (end, ""))
            found += [(at, text, one) for at, text in one.entries[low:high] if query.keeps(text)]
        found.sort(key=lambda entry: entry[0], reverse=backward)
        streams: dict[int, dict[str, Any]] = {}
        for at, text, one in found[:limit]:
            streams.setdefault(id(one), {"stream": one.labels, "values": []})["values"].append([str(at), text])
        return list(streams.values())

    # Following

    async def _tail(self, request: web.Request) -> web.StreamResponse:
        query = parse(request.query.get("query", ""))
        if not isinstance(query, LogQuery):
            raise LogQlError("only log selector is supported")
        start, _ = _span(request, 3600)
        socket = web.WebSocketResponse()
        await socket.prepare(request)
        tail = _Tail(query)
        before = self._lines(query, start, time.time_ns() + 1, int(request.query.get("limit", "100")), True)
        self._tails.append(tail)
        try:
            if before:
                await socket.send_json({"streams": [{**one, "values": one["values"][::-1]} for one in before]})
            await self._follow(socket, tail)
        except ConnectionResetError:
            return socket
        finally:
            self._tails.remove(tail)
        return socket

    async def _follow(self, socket: web.WebSocketResponse, tail: _Tail) -> None:
        """Send what comes until either side ends it."""
        listening = asyncio.ensure_future(_closed(socket))
        ending = asyncio.ensure_future(self._ending.wait())
        try:
            while not (listening.done() or ending.done()):
                coming = asyncio.ensure_future(tail.waiting.get())
                await asyncio.wait({coming, listening, ending}, return_when=asyncio.FIRST_COMPLETED)
                if not coming.done():
                    coming.cancel()
                    break
                await socket.send_json(_message(tail, coming.result()))
            await socket.close()
        finally:
            for task in (listening, ending):
                task.cancel()
            await asyncio.gather(listening, ending, return_exceptions=True)


async def _closed(socket: web.WebSocketResponse) -> None:
    async for message in socket:
        if message.type in (WSMsgType.CLOSE, WSMsgType.ERROR):
            return


def _tell(tail: _Tail, labels: dict[str, str], at: int, text: str) -> None:
    if tail.query.selects(labels) and tail.query.keeps(text):
        if tail.waiting.full():
            tail.dropped.append((labels, at))
        else:
            tail.waiting.put_nowait((labels, at, text))


def _message(tail: _Tail, first: tuple[dict[str, str], int, str]) -> dict[str, Any]:
    """Return everything that waits as one message."""
    waiting = [first]
    while not tail.waiting.empty():
        waiting.append(tail.waiting.get_nowait())
    streams: dict[int, dict[str, Any]] = {}
    for labels, at, text in waiting:
        streams.setdefault(id(labels), {"stream": labels, "values": []})["values"].append([str(at), text])
    message: dict[str, Any] = {"streams": list(streams.values())}
    if tail.dropped:
        message["dropped_entries"] = [{"labels": labels, "timestamp": str(at)} for labels, at in tail.dropped]
        tail.dropped.clear()
    return message


def _success(data: object) -> web.Response:
    return web.json_response({"status": "success", "data": data})


def _within(stream: Stream, start: int, end: int) -> bool:
    low = bisect.bisect_left(stream.entries, (start, ""))
    return low < len(stream.entries) and stream.entries[low][0] <= end


def _nanoseconds(at: float | datetime) -> int:
    if isinstance(at, datetime):
        return int(at.timestamp() * 1e6) * 1_000
    return int(at) if at > 1e17 else int(at * _NS)


def _span(request: web.Request, length_s: int) -> tuple[int, int]:
    end = _time(request.query.get("end", ""), time.time_ns())
    return _time(request.query.get("start", ""), end - length_s * _NS), end


def _time(text: str, otherwise: int) -> int:
    """Read nanoseconds, seconds with or without a fraction, or RFC 3339."""
    if not text:
        return otherwise
    try:
        return int(text) if text.isdigit() and len(text) > 10 else int(float(text) * _NS)
    except ValueError:
        return _nanoseconds(datetime.fromisoformat(text))


def _seconds(text: str) -> float:
    units = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0}
    unit = text.lstrip("0123456789.")
    return float(text.removesuffix(unit)) * units.get(unit, 1.0)
