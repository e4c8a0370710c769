"""Lines of a Loki: its pages read backwards or forwards, and asked for again and again while they are followed."""

from __future__ import annotations

import asyncio
import re
from collections import deque
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import NamedTuple

from debugtui.config.redaction import redact
from debugtui.model.logs import Level, LogLine
from debugtui.model.source import Problem
from debugtui.model.target import Target
from debugtui.model.text import line
from debugtui.sources.base import SourceError
from debugtui.sources.http_api import HttpApi
from debugtui.sources.loglines import KeyVeil, level_of
from debugtui.sources.logs.following import batches
from debugtui.sources.logs.origin import Batch

#: Lines of one page, which every Loki allows, and pages that are read for what is there.
PAGE, PAGES = 1_000, 1_000
#: Seconds between two looks, and how far each looks back: lines reach a Loki late, and not in order.
PAUSE_S, BACK = 1.4, timedelta(seconds=10)
#: How far back a number of lines is looked for where no beginning is named: Loki itself refuses more than 30 days.
FAR = timedelta(days=7)
#: Lines that are remembered, so that none is shown twice.
REMEMBERED = 50_000

#: Labels that hold a stream's name, the best first; one of them selects everything where no query is given.
NAMES = ("container", "compose_service", "service_name", "app", "service", "job", "unit", "filename", "host")
#: Labels that hold a level.
_LEVEL_LABELS = ("level", "detected_level", "severity")
_LEVELS = {
    **dict.fromkeys(("error", "err", "critical", "crit", "fatal", "alert", "emerg", "panic"), Level.ERROR),
    **dict.fromkeys(("warn", "warning"), Level.WARNING),
    **dict.fromkeys(("info", "notice"), Level.INFO),
    **dict.fromkeys(("debug", "trace"), Level.DEBUG),
}  # fmt: skip
_LABEL = re.compile(r"[A-Za-z_]\w{0,100}", re.ASCII)


class Entry(NamedTuple):
    """One line as Loki gives it: nanoseconds since 1970, its stream, its text."""

    at: int
    stream: str
    text: str
    level: str = ""


def selector(labels: Mapping[str, str]) -> str:
    """Return the selector of streams with these labels."""
    quoted = ((name, value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")) for name, value in labels.items())
    return "{" + ", ".join(f'{name}="{value}"' for name, value in quoted) + "}"


class LokiOrigin:
    """What a query of one Loki finds."""

    kind = "loki"

    def __init__(self, api: Callable[[], HttpApi], target: Target, *, query: str = "", title: str = "") -> None:
        """Read a Loki.

        Args:
            api: opens a connection to the server.
            target: the server.
            query: in LogQL, a selector with filters; empty: every stream that has one of `NAMES`.
            title: what it is called; its name where empty.
        """
        self._open, self._query = api, query
        self.target = target
        self.title = title or target.name
        self._veil = KeyVeil()

    async def lines(
        self, *, since: datetime | None, until: datetime | None, tail: int | None, follow: bool
    ) -> AsyncIterator[Batch]:
        """Yield its lines; see `LogOrigin.lines`."""
        api = self._open()
        try:
            async for batch in self._batches(api, since, until, tail, follow):
                yield batch
        finally:
            await api.close()

    async def _batches(
        self, api: HttpApi, since: datetime | None, until: datetime | None, tail: int | None, follow: bool
    ) -> AsyncIterator[Batch]:
        query = self._query or await _everything(api)
        end = until or datetime.now(UTC) + timedelta(seconds=1)
        begin = since or end - FAR
        seen = _Seen()
        if tail is not None:
            entries = [entry async for entry in _backward(api, query, begin, end, tail)]
            for batch in batches(self._lines(seen.new(list(reversed(entries))))):
                yield batch
        else:
            async for page in _forward(api, query, begin, end):
                for batch in batches(self._lines(seen.new(page))):
                    yield batch
        if not follow:
            return
        yield []
        while True:
            await asyncio.sleep(PAUSE_S)
            back = max(seen.newest - BACK, begin) if seen.newest is not None else begin if since else end - BACK
            async for page in _forward(api, query, back, datetime.now(UTC) + timedelta(seconds=1)):
                for batch in batches(self._lines(seen.new(page))):
                    yield batch

    def _lines(self, entries: Sequence[Entry]) -> list[LogLine]:
        return [self._line(entry) for entry in entries]

    def _line(self, entry: Entry) -> LogLine:
        text = redact(line(f"{entry.stream}: {entry.text}" if entry.stream else entry.text))
        level = _LEVELS.get(entry.level.lower()) or level_of(entry.text[:200])
        return LogLine(self._veil.hide(text), _time(entry.at), "", level)


async def _backward(api: HttpApi, query: str, begin: datetime, end: datetime, count: int) -> AsyncIterator[Entry]:
    """Yield the newest lines before `end`, newest first."""
    left, upto, edge = count, _nanoseconds(end), set[Entry]()
    for _ in range(PAGES):
        # `end` is not of the span: the last moment is asked for again, since a page may end within it.
        page = await _page(api, query, _nanoseconds(begin), upto, "backward", PAGE)
        fresh = [entry for entry in page if entry not in edge][:left]
        for entry in fresh:
            yield entry
        left -= len(fresh)
        if left <= 0 or len(page) < PAGE:
            return
        if not fresh:  # more lines of one moment than a page holds: the rest of them cannot be had
            upto = page[-1].at
            edge = set()
            continue
        upto = page[-1].at + 1
        edge = {entry for entry in page if entry.at == page[-1].at}


async def _forward(api: HttpApi, query: str, begin: datetime, end: datetime) -> AsyncIterator[Sequence[Entry]]:
    """Yield pages of lines from `begin` on, oldest first."""
    start, edge = _nanoseconds(begin), set[Entry]()
    for _ in range(PAGES):
        page = await _page(api, query, start, _nanoseconds(end), "forward", PAGE)
        fresh = [entry for entry in page if entry not in edge]
        if fresh:
            yield fresh
        if len(page) < PAGE:
            return
        start = page[-1].at if fresh else page[-1].at + 1
        edge = {entry for entry in page if entry.at == start}


async def _page(api: HttpApi, query: str, begin: int, end: int, direction: str, limit: int) -> list[Entry]:
    params = {"query": query, "start": str(begin), "end": str(end), "limit": str(limit), "direction": direction}
    answer = await api.get("/loki/api/v1/query_range", params)
    return await asyncio.to_thread(_entries, answer, direction == "backward")


async def _everything(api: HttpApi) -> str:
    """Return a selector of every stream: Loki wants one label at least."""
    answer = await api.get("/loki/api/v1/labels")
    found = answer.get("data") if isinstance(answer, dict) else None
    labels = [one for one in found if isinstance(one, str) and _LABEL.fullmatch(one)] if isinstance(found, list) else []
    chosen = next((name for name in NAMES if name in labels), labels[0] if labels else "job")
    return f'{{{chosen}=~".+"}}'


class _Seen:
    """Leaves out what was given already: each look goes back a little, for lines that were late."""

    def __init__(self) -> None:
        self._order: deque[Entry] = deque()
        self._known: set[Entry] = set()
        self.newest: datetime | None = None

    def new(self, entries: Sequence[Entry]) -> list[Entry]:
        found = []
        for entry in entries:
            if entry in self._known:
                continue
            found.append(entry)
            self._known.add(entry)
            self._order.append(entry)
            at = _time(entry.at)
            if at is not None and (self.newest is None or at > self.newest):
                self.newest = at
        while len(self._order) > REMEMBERED:
            self._known.discard(self._order.popleft())
        return found


def _entries(answer: object, backward: bool) -> list[Entry]:
    """Read a page.

    Raises:
        SourceError: it is none: a metric query, or no Loki.
    """
    data = answer.get("data") if isinstance(answer, dict) else None
    result = data.get("result") if isinstance(data, dict) else None
    if not isinstance(data, dict) or data.get("resultType") != "streams" or not isinstance(result, list):
        raise SourceError(Problem("this is no answer of a Loki to a query for lines", "is the URL the one of Loki?"))
    found = [entry for stream in result if isinstance(stream, dict) for entry in _of_stream(stream)]
    found.sort(key=lambda entry: entry.at, reverse=backward)
    return found


def _of_stream(stream: Mapping[str, object]) -> Iterator[Entry]:
    labels, values = stream.get("stream"), stream.get("values")
    known = {str(name): value for name, value in labels.items() if isinstance(value, str)} if isinstance(labels, dict) else {}
    name = next((line(known[label], 60) for label in NAMES if known.get(label)), "")
    level = next((known[label] for label in _LEVEL_LABELS if known.get(label)), "")
    for value in values if isinstance(values, list) else ():
        match value:
            case [str(at), str(text), *_] if at.isascii() and at.isdigit() and len(at) < 20:
                yield Entry(int(at), name.lstrip("/"), text, level)


def _nanoseconds(at: datetime) -> int:
    return int(at.timestamp()) * 1_000_000_000 + at.microsecond * 1_000


def _time(nanoseconds: int) -> datetime | None:
    try:
        return datetime.fromtimestamp(0, UTC) + timedelta(microseconds=nanoseconds // 1_000)
    except OverflowError:
        return None
