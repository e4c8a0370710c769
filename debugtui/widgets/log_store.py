"""Log lines in chunks of bytes: a line is decoded when it is looked at, a search runs over whole chunks.

Lines are numbered from the first one ever fed; the oldest go when there are too many, and the numbers stay. Memory is bounded:
with a spool, what is older than the newest few megabytes lies on the disk.
"""

from __future__ import annotations

import logging
import re
from bisect import bisect_left, bisect_right
from collections import OrderedDict
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime

from debugtui.model.logs import Level, LogLine
from debugtui.widgets.log_chunk import CODES, LATE, LEVEL_BITS, LEVELS, NOTE, Body, Chunk
from debugtui.widgets.log_spool import Spool

MAX_LINES = 1_000_000
MAX_BYTES = 256 << 20
#: With a spool: lines at most, and bytes of text kept in memory.
SPOOLED_LINES, HOT_BYTES = 5_000_000, 32 << 20

#: Lines of a chunk: what a search looks at between two looks at the clock.
CHUNK_LINES = 2_048
CHUNK_BYTES = 1 << 20
#: Chunks of the disk that stay in memory once looked at.
LOADED = 8

#: A line that goes on with the one before: indented, or the next line of a stack trace.
_CONTINUES = re.compile(r"[ \t]|Caused by:|Traceback |\.\.\. \d+ more")
#: Lines of a stack trace that are followed back to the line that began it.
_TRACE = 64

LevelOf = Callable[[str], Level]

_log = logging.getLogger(__name__)


class LogStore:
    """Lines, at most so many and so many bytes of them."""

    def __init__(
        self,
        level_of: LevelOf | None = None,
        *,
        max_lines: int = MAX_LINES,
        max_bytes: int = MAX_BYTES,
        spool: Spool | None = None,
    ) -> None:
        """Make an empty store.

        Args:
            level_of: judges a line, where its origin gave no level, when its level is asked for.
            max_lines: kept at most.
            max_bytes: of text kept in memory at most; the rest goes into the spool, or away where there is none.
            spool: on the disk; the store closes it.
        """
        self._level_of = level_of
        self._max_lines = max_lines
        self._max_bytes = max_bytes
        self._spool, self._full = spool, False
        self._chunks: list[Chunk] = []
        self._firsts: list[int] = []
        self._bytes = 0
        self._next_away = 0  # number of the first line of the oldest chunk in memory
        self._loaded: OrderedDict[int, Body] = OrderedDict()
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
        """Bytes of text in memory."""
        return self._bytes

    def close(self) -> None:
        """Give the disk back. Safe to call twice."""
        if self._spool is not None:
            self._spool.close()

    # Lines come and go

    def append(
        self,
        lines: Sequence[LogLine],
        origins: bytes = b"",
        late: frozenset[int] = frozenset(),
        notes: frozenset[int] = frozenset(),
    ) -> None:
        """Add lines at the end; the oldest go where there are too many.

        Args:
            lines: which.
            origins: the code of each one's origin; empty: 0.
            late: the places of those that came too late.
            notes: the places of those that are no line of a log.
        """
        origins = origins or bytes(len(lines))
        marks = bytearray(len(lines))
        for place in late:
            marks[place] |= LATE
        for place in notes:
            marks[place] |= NOTE
        at = 0
        while at < len(lines):
            chunk = self._chunks[-1] if self._chunks else None
            if chunk is None or len(chunk) >= CHUNK_LINES or chunk.size >= CHUNK_BYTES:
                chunk = Chunk(self.end, chunk.newest if chunk is not None else float("-inf"))
                self._chunks.append(chunk)
                self._firsts.append(self.end)
            room = CHUNK_LINES - len(chunk)
            part = lines[at : at + room]
            before = chunk.size
            chunk.add(part, origins[at : at + room], bytes(marks[at : at + room]))
            self._bytes += chunk.size - before
            self.end += len(part)
            at += len(part)
            self._make_room()

    def _make_room(self) -> None:
        while self._bytes > self._max_bytes and self._put_away():
            continue
        while len(self._chunks) > 1 and (len(self) > self._max_lines or self._bytes > self._max_bytes or self._chunks[0].gone):
            gone = self._chunks.pop(0)
            self._firsts.pop(0)
            self._loaded.pop(gone.first, None)
            if not gone.away:
                self._bytes -= gone.size
            self.first = self._firsts[0]

    def _put_away(self) -> bool:
        """Move the oldest chunk that is in memory to the disk; False where there is none to move, or no disk."""
        place = bisect_left(self._firsts, self._next_away)
        if self._spool is None or self._full or place >= len(self._chunks) - 1:
            return False
        chunk = self._chunks[place]
        size = chunk.size
        try:
            chunk.put_away(self._spool)
        except OSError as error:
            _log.warning("log lines stay in memory: %s", error)
            self._full = True  # what lies there stays readable; what is too much from here on goes away
            return False
        self._bytes -= size
        self._next_away = self._firsts[place + 1]
        return True

    # Lines by number

    def _find(self, number: int) -> tuple[Chunk, int]:
        if not self.first <= number < self.end:
            raise IndexError(number)
        chunk = self._chunks[bisect_right(self._firsts, number) - 1]
        return chunk, number - chunk.first

    def body(self, chunk: Chunk) -> Body | None:
        """Return a chunk's bytes, for the screen: what was looked at lately is kept."""
        if not chunk.away:
            return chunk.body()
        found = self._loaded.get(chunk.first)
        if found is None:
            found = chunk.body()
            if found is None:
                return None
            self._loaded[chunk.first] = found
            while len(self._loaded) > LOADED:
                self._loaded.popitem(last=False)
        return found

    def text(self, number: int) -> str:
        """Return one line; empty where the disk lost it.

        Raises:
            IndexError: it is gone, or not there yet.
        """
        chunk, index = self._find(number)
        body = self.body(chunk)
        return body.text(index) if body is not None else ""

    def time(self, number: int) -> datetime | None:
        """Return when a line was written, in the local zone; None where it is not known."""
        chunk, index = self._find(number)
        body = self.body(chunk)
        at = body.times[index] if body is not None else float("nan")
        return None if at != at else datetime.fromtimestamp(at, UTC).astimezone()

    def level(self, number: int) -> Level:
        """Return a line's level; a line that goes on with the one before has that one's."""
        chunk, index = self._find(number)
        return LEVELS[self.judge(chunk, index)]

    def origin(self, number: int) -> int:
        """Return the code of a line's origin."""
        chunk, index = self._find(number)
        return chunk.origins[index]

    def marks(self, number: int) -> int:
        """Return the further bits of a line: `LATE`, `NOTE`."""
        chunk, index = self._find(number)
        return chunk.levels[index] & ~LEVEL_BITS

    def judge(self, chunk: Chunk, index: int, body: Body | None = None, back: int = _TRACE) -> int:
        """Return the code of a line's level, looking back at most `back` lines for the one that it goes on with."""
        code = chunk.levels[index] & LEVEL_BITS
        if code:
            return code
        if self._level_of is None:
            return CODES[Level.UNKNOWN]
        body = body or self.body(chunk)
        if body is None:
            return CODES[Level.UNKNOWN]
        text = body.text(index)
        code = CODES[self._level_of(text)]
        if code == CODES[Level.UNKNOWN] and index and back and _CONTINUES.match(text):
            code = self.judge(chunk, index - 1, body, back - 1)
        chunk.levels[index] |= code
        return code

    # Lines by time

    def at_time(self, at: float) -> int:
        """Return the number of the first line of this time (seconds since 1970) or later; `end` where there is none."""
        place = bisect_left(self._chunks, at, key=lambda chunk: chunk.newest)
        if place >= len(self._chunks):
            return self.end
        chunk = self._chunks[place]
        return chunk.first + chunk.first_at(at)

    def chunks_from(self, number: int) -> Iterator[Chunk]:
        """Yield the chunks that hold line `number` and later ones."""
        if self._chunks:
            yield from self._chunks[max(0, bisect_right(self._firsts, number) - 1) :]
