"""Log lines kept as joined bytes with offsets: a line is decoded when it is looked at, a search runs over whole chunks.

Lines are numbered from the first one ever fed; the oldest go when there are too many, and the numbers stay.
"""

from __future__ import annotations

import math
import re
from array import array
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterator, Sequence
from datetime import datetime
from itertools import accumulate

from debugtui.model.logs import Level, LogLine
from debugtui.widgets.matching import Matcher

MAX_LINES = 1_000_000
MAX_BYTES = 256 << 20

#: Lines of a chunk: what a search looks at between two looks at the clock.
CHUNK_LINES = 2_048
CHUNK_BYTES = 1 << 20

#: The code of each level in one byte; higher is worse. A line that does not tell its level counts as `info` in a filter.
_CODES = {Level.DEBUG: 1, Level.UNKNOWN: 2, Level.INFO: 3, Level.WARNING: 4, Level.ERROR: 5}
_LEVELS = {code: level for level, code in _CODES.items()}
_NOT_JUDGED = 0
#: The least code that a filter on this level lets through.
_FLOOR = {Level.DEBUG: 1, Level.UNKNOWN: 1, Level.INFO: 2, Level.WARNING: 4, Level.ERROR: 5}

_NEWLINE = re.compile(b"\n")
#: A line that goes on with the one before: indented, or the next line of a stack trace.
_CONTINUES = re.compile(r"[ \t]|Caused by:|Traceback |\.\.\. \d+ more")
#: Lines of a stack trace that are followed back to the line that began it.
_TRACE = 64

LevelOf = Callable[[str], Level]


class Chunk:
    """Some lines in a row. `ends[i]` is the offset after line i and its newline."""

    __slots__ = ("data", "ends", "first", "levels", "times")

    def __init__(self, first: int) -> None:
        self.first = first
        self.data = bytearray()
        self.ends: array[int] = array("I")
        self.times: array[float] = array("d")
        self.levels = bytearray()

    def __len__(self) -> int:
        return len(self.ends)

    def start(self, index: int) -> int:
        """Offset of a line's first byte."""
        return self.ends[index - 1] if index else 0

    def text(self, index: int) -> str:
        """One line."""
        return self.data[self.start(index) : self.ends[index] - 1].decode("utf-8", "replace")

    def add(self, lines: Sequence[LogLine]) -> None:
        """Append lines."""
        texts = [line.text for line in lines]
        joined = "\n".join(texts)
        if joined.count("\n") != len(texts) - 1:
            texts = [text.replace("\n", "\u240a") for text in texts]
            joined = "\n".join(texts)
        offset = len(self.data)
        encoded = joined.encode("utf-8", "replace") + b"\n"
        if joined.isascii():
            self.ends.extend(accumulate([len(text) + 1 for text in texts[1:]], initial=offset + len(texts[0]) + 1))
        else:
            self.ends.extend([offset + match.end() for match in _NEWLINE.finditer(encoded)])
        self.data += encoded
        self.times.extend([math.nan if line.at is None else line.at.timestamp() for line in lines])
        self.levels += bytes(len(lines))


class LogStore:
    """Lines, at most so many and so many bytes of them."""

    def __init__(self, level_of: LevelOf | None = None, *, max_lines: int = MAX_LINES, max_bytes: int = MAX_BYTES) -> None:
        """Make an empty store; `level_of` judges a line when its level is asked for."""
        self._level_of = level_of
        self._max_lines = max_lines
        self._max_bytes = max_bytes
        self._chunks: list[Chunk] = []
        self._firsts: list[int] = []
        self._bytes = 0
        self.first = 0
        self.end = 0

    def __len__(self) -> int:
        return self.end - self.first

    @property
    def dropped(self) -> int:
        """How many lines are gone."""
        return self.first

    @property
    def size(self) -> int:
        """Bytes of text kept."""
        return self._bytes

    def append(self, lines: Sequence[LogLine]) -> None:
        """Add lines at the end; the oldest go where there are too many."""
        at = 0
        while at < len(lines):
            chunk = self._chunks[-1] if self._chunks else None
            if chunk is None or len(chunk) >= CHUNK_LINES or len(chunk.data) >= CHUNK_BYTES:
                chunk = Chunk(self.end)
                self._chunks.append(chunk)
                self._firsts.append(self.end)
            part = lines[at : at + CHUNK_LINES - len(chunk)]
            before = len(chunk.data)
            chunk.add(part)
            self._bytes += len(chunk.data) - before
            self.end += len(part)
            at += len(part)
            self._drop()

    def _drop(self) -> None:
        while len(self._chunks) > 1 and (len(self) > self._max_lines or self._bytes > self._max_bytes):
            gone = self._chunks.pop(0)
            self._firsts.pop(0)
            self._bytes -= len(gone.data)
            self.first = self._firsts[0]

    def _find(self, number: int) -> tuple[Chunk, int]:
        if not self.first <= number < self.end:
            raise IndexError(number)
        chunk = self._chunks[bisect_right(self._firsts, number) - 1]
        return chunk, number - chunk.first

    def text(self, number: int) -> str:
        """Return one line.

        Raises:
            IndexError: it is gone, or not there yet.
        """
        chunk, index = self._find(number)
        return chunk.text(index)

    def time(self, number: int) -> datetime | None:
        """Return when a line was written, in the local zone; None where it is not known."""
        chunk, index = self._find(number)
        at = chunk.times[index]
        return None if at != at else datetime.fromtimestamp(at).astimezone()

    def level(self, number: int) -> Level:
        """Return a line's level; a line that goes on with the one before has that one's."""
        chunk, index = self._find(number)
        return _LEVELS[self._judge(chunk, index)]

    def _judge(self, chunk: Chunk, index: int, back: int = _TRACE) -> int:
        """Return the code of a line, looking back at most `back` lines for the one that it goes on with."""
        code = chunk.levels[index]
        if code:
            return code
        if self._level_of is None:
            return _CODES[Level.UNKNOWN]
        text = chunk.text(index)
        code = _CODES[self._level_of(text)]
        if code == _CODES[Level.UNKNOWN] and index and back and _CONTINUES.match(text):
            code = self._judge(chunk, index - 1, back - 1)
        chunk.levels[index] = code
        return code

    def chunks_from(self, number: int) -> Iterator[Chunk]:
        """Yield the chunks that hold line `number` and later ones."""
        if self._chunks:
            yield from self._chunks[max(0, bisect_right(self._firsts, number) - 1) :]

    def matches(self, chunk: Chunk, start: int, matcher: Matcher, floor: Level | None) -> list[int]:
        """Return which lines of a chunk, from index `start`, hold the text and are at least as bad as `floor`."""
        found: Sequence[int] = range(start, len(chunk))
        if matcher:
            found = _matching(chunk, start, matcher)
            if matcher.inverse:
                hit = set(found)
                found = [index for index in range(start, len(chunk)) if index not in hit]
        if floor is not None and _FLOOR[floor] > 1:
            least = _FLOOR[floor]
            if _CODES[Level.UNKNOWN] < least:
                for index in range(start, len(chunk)):  # in order, for the lines that go on with the one before
                    self._judge(chunk, index)
            found = [index for index in found if self._judge(chunk, index) >= least]
        return list(found)


def _needle(plain: str) -> bytes | re.Pattern[bytes]:
    """Return what to look for in bytes: themselves for ASCII, else a pattern with both cases of every letter."""
    if plain.isascii():
        return plain.encode()
    parts = []
    for letter in plain:
        forms = sorted({letter, letter.upper(), letter.lower()}, key=len)
        parts.append("(?:" + "|".join(re.escape(form) for form in forms) + ")")
    return re.compile("".join(parts).encode())


def _matching(chunk: Chunk, start: int, matcher: Matcher) -> list[int]:
    """Return the indices of the lines from `start` on that hold what is looked for."""
    if matcher.regex is not None:
        search, text = matcher.regex.search, chunk.data[chunk.start(start) :].decode("utf-8", "replace")
        return [start + index for index, line in enumerate(text.split("\n")[:-1]) if search(line[:2_000])]
    needle = _needle(matcher.plain)
    found: list[int] = []
    ends, at = chunk.ends, chunk.start(start)
    data = chunk.data.lower() if isinstance(needle, bytes) else chunk.data
    while True:
        if isinstance(needle, bytes):
            at = data.find(needle, at)
        else:
            match = needle.search(data, at)
            at = -1 if match is None else match.start()
        if at < 0:
            return found
        index = bisect_right(ends, at)
        found.append(index)
        at = ends[index]
        if index + 1 >= len(ends):
            return found


class Scan:
    """The numbers of the lines that match, found bit by bit so that the screen lives on meanwhile."""

    def __init__(self, store: LogStore, matcher: Matcher, floor: Level | None = None) -> None:
        """Start a scan at the oldest line."""
        self.matcher = matcher
        self.floor = floor
        self.hits: array[int] = array("Q")
        self._store = store
        self._next = store.first

    @property
    def done(self) -> bool:
        """Whether every line has been looked at."""
        return self._next >= self._store.end

    def advance(self, now: Callable[[], float], until: float) -> bool:
        """Look at further lines until `now()` passes `until`; True when there is nothing left to look at."""
        store = self._store
        if self.hits and self.hits[0] < store.first:
            del self.hits[: bisect_left(self.hits, store.first)]
        self._next = max(self._next, store.first)
        for chunk in store.chunks_from(self._next):
            start = self._next - chunk.first
            if start < len(chunk):
                self.hits.extend([chunk.first + index for index in store.matches(chunk, start, self.matcher, self.floor)])
                self._next = chunk.first + len(chunk)
            if now() > until:
                break
        return self.done
