"""Which lines of a store match: chunk by chunk, the newest ones on the screen's own time, the many before them in a thread."""

from __future__ import annotations

import re
import threading
from array import array
from bisect import bisect_left
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from debugtui.model.logs import Level
from debugtui.model.matching import LIMIT, Matcher
from debugtui.widgets.log_chunk import CODES, LEVEL_BITS, Body, Chunk
from debugtui.widgets.log_store import LogStore

#: The least code that a filter on a level lets through.
FLOORS = {Level.DEBUG: 1, Level.UNKNOWN: 1, Level.INFO: 2, Level.WARNING: 4, Level.ERROR: 5}

#: Chunks above which a scan goes on in a thread.
MANY = 8

_NOTHING: frozenset[int] = frozenset()


@dataclass(frozen=True, slots=True)
class Sieve:
    """What lets lines through.

    Attributes:
        matcher: a text or a regular expression.
        floor: lines of this level and worse; None: all.
        hidden: codes of origins whose lines do not pass. Notes about an origin always do.
    """

    matcher: Matcher
    floor: Level | None = None
    hidden: frozenset[int] = _NOTHING

    def __bool__(self) -> bool:
        return bool(self.matcher) or self.floor is not None or bool(self.hidden)

    def pass_(self, store: LogStore, chunk: Chunk, start: int) -> list[int]:
        """Return which lines of a chunk pass, from index `start` on."""
        if not self:
            return list(range(start, len(chunk)))
        body = chunk.body()
        if body is None:  # overwritten on the disk meanwhile
            return []
        count = len(chunk)
        found: Sequence[int] = range(start, count)
        if self.matcher:
            found = _matching(body, start, count, self.matcher)
            if self.matcher.inverse:
                hit = set(found)
                found = [index for index in range(start, count) if index not in hit]
        if self.hidden:
            hidden, origins = self.hidden, chunk.origins
            found = [index for index in found if origins[index] not in hidden]
        least = FLOORS[self.floor] if self.floor is not None else 1
        if least > 1:
            found = _at_least(store, chunk, body, start, found, least)
        if chunk.notes:
            found = sorted({*found, *(index for index in chunk.notes if start <= index < count)})
        return list(found)


def _at_least(store: LogStore, chunk: Chunk, body: Body, start: int, found: Sequence[int], least: int) -> list[int]:
    levels = chunk.levels
    if CODES[Level.UNKNOWN] < least:
        for index in range(start, len(chunk)):  # in order, for the lines that go on with the one before
            if not levels[index] & LEVEL_BITS:
                store.judge(chunk, index, body)
    return [index for index in found if (levels[index] & LEVEL_BITS or store.judge(chunk, index, body)) >= least]


def _needle(plain: str) -> bytes | re.Pattern[bytes]:
    """Return what to look for in bytes: themselves for ASCII, else a pattern with both cases of every letter."""
    if plain.isascii():
        return plain.encode()
    parts = []
    for letter in plain:
        forms = sorted({letter, letter.upper(), letter.lower()}, key=len)
        parts.append("(?:" + "|".join(re.escape(form) for form in forms) + ")")
    return re.compile("".join(parts).encode())


def _matching(body: Body, start: int, count: int, matcher: Matcher) -> list[int]:
    """Return the indices of the lines from `start` to `count` that hold what is looked for."""
    if matcher.regex is not None:
        return _by_regex(body, start, count, matcher)
    return _by_text(body, start, count, _needle(matcher.plain))


def _by_text(body: Body, start: int, count: int, needle: bytes | re.Pattern[bytes]) -> list[int]:
    found: list[int] = []
    ends, at = body.ends, body.start(start)
    data = body.data.lower() if isinstance(needle, bytes) else body.data
    while True:
        if isinstance(needle, bytes):
            at = data.find(needle, at)
        else:
            match = needle.search(data, at)
            at = -1 if match is None else match.start()
        if at < 0:
            return found
        index = body.index(at)
        if index >= count:
            return found
        found.append(index)
        at = ends[index]
        if index + 1 >= count:
            return found


def _by_regex(body: Body, start: int, count: int, matcher: Matcher) -> list[int]:
    assert matcher.regex is not None  # noqa: S101 - asked before
    search, part = matcher.regex.search, body.data[body.start(start) :]
    if matcher.literal and part.isascii():
        # The many lines without a text that every match holds are not looked at.
        chosen = _by_text(body, start, count, matcher.literal)
        return [index for index in chosen if search(body.text(index)[:LIMIT])]
    lines = part.decode("utf-8", "replace").split("\n")[: count - start]
    return [start + index for index, line in enumerate(lines) if search(line[:LIMIT])]


class Scan:
    """The numbers of the lines that pass, found bit by bit so that the screen lives on meanwhile.

    Chunks that do not change any more may be looked at by a thread (`begin`); the last one is looked at by `advance`.
    """

    def __init__(
        self, store: LogStore, matcher: Matcher, floor: Level | None = None, hidden: frozenset[int] = _NOTHING
    ) -> None:
        """Start a scan at the oldest line."""
        self.sieve = Sieve(matcher, floor, hidden)
        self.hits: array[int] = array("Q")
        self._store = store
        self._next = store.first
        self._worker: _Worker | None = None

    @property
    def done(self) -> bool:
        """Whether every line has been looked at."""
        return self._next >= self._store.end and self._worker is None

    @property
    def progress(self) -> float:
        """The share of the lines that were looked at, 0 to 1."""
        store = self._store
        place = self._worker.place if self._worker is not None else self._next
        return 1.0 if not len(store) else max(0.0, min(1.0, (place - store.first) / len(store)))

    def cancel(self) -> None:
        """End the thread; what it found is lost."""
        worker, self._worker = self._worker, None
        if worker is not None:
            worker.cancelled = True

    def advance(self, now: Callable[[], float], until: float) -> bool:
        """Look at further lines until `now()` passes `until`; True when there is nothing left to look at."""
        store = self._store
        self._collect()
        if self.hits and self.hits[0] < store.first:
            del self.hits[: bisect_left(self.hits, store.first)]
        if self._worker is not None:
            return False
        self._next = max(self._next, store.first)
        chunks = [chunk for chunk in store.chunks_from(self._next) if chunk.first + len(chunk) > self._next]
        if len(chunks) > MANY and until != float("inf"):
            self._begin(chunks[:-1])
            return False
        for chunk in chunks:
            start = max(0, self._next - chunk.first)
            if start < len(chunk):
                self.hits.extend([chunk.first + index for index in self.sieve.pass_(store, chunk, start)])
                self._next = chunk.first + len(chunk)
            if now() > until:
                break
        return self.done

    def _begin(self, chunks: Sequence[Chunk]) -> None:
        self._worker = _Worker(self._store, self.sieve, chunks, self._next)
        threading.Thread(target=self._worker.run, name="scan of a log", daemon=True).start()

    def _collect(self) -> None:
        """Take over what the thread found so far."""
        worker = self._worker
        if worker is None:
            return
        ended = worker.ended  # asked first: what it finds after that is for the next look
        while worker.found:
            self.hits.extend(worker.found.popleft())
        if ended:
            self._next, self._worker = worker.end, None
            if worker.fault is not None:
                raise worker.fault


class _Worker:
    """Looks at chunks in a thread."""

    def __init__(self, store: LogStore, sieve: Sieve, chunks: Sequence[Chunk], place: int) -> None:
        self._store, self._sieve, self._chunks = store, sieve, chunks
        self.place = place
        self.end = chunks[-1].first + len(chunks[-1])
        self.found: deque[array[int]] = deque()
        self.cancelled = self.ended = False
        self.fault: Exception | None = None

    def run(self) -> None:
        """Look at every chunk."""
        try:
            for chunk in self._chunks:
                if self.cancelled:
                    return
                start = max(0, self.place - chunk.first)
                hits = array("Q", [chunk.first + index for index in self._sieve.pass_(self._store, chunk, start)])
                self.place = chunk.first + len(chunk)
                if hits:
                    self.found.append(hits)
        except Exception as error:  # noqa: BLE001 - a fault of ours: raised where somebody sees it
            self.fault = error
        finally:
            self.ended = True
