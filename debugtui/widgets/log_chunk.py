"""Some lines in a row: their bytes with offsets and times, which may lie on the disk, and one byte each of level and origin."""

from __future__ import annotations

import math
import re
from array import array
from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from itertools import accumulate, islice

from debugtui.model.logs import Level, LogLine
from debugtui.widgets.log_spool import Spool

#: The code of each level in one byte; higher is worse. A line that does not tell its level counts as `info` in a filter.
CODES = {Level.DEBUG: 1, Level.UNKNOWN: 2, Level.INFO: 3, Level.WARNING: 4, Level.ERROR: 5}
_CODE: dict[Level | None, int] = {None: 0, **{level: CODES[level] for level in Level}}
LEVELS = {code: level for level, code in CODES.items()}
#: The part of the byte that is the level; 0 there: not judged yet.
LEVEL_BITS = 0x07
#: Further bits: the line came too late for its place; it is no line of a log but a note about an origin.
LATE, NOTE = 0x08, 0x10

_NEWLINE = re.compile(b"\n")


class Body:
    """The bytes of a chunk.

    `ends[i]` is the offset after line i and its newline; `times` are seconds since 1970, or NaN; `order` is the latest time up
    to each line, notes not counted: it rises, so that a time can be looked for.
    """

    __slots__ = ("data", "ends", "order", "times")

    def __init__(self, data: bytes | bytearray, ends: array[int], times: array[float], order: array[float]) -> None:
        self.data, self.ends, self.times, self.order = data, ends, times, order

    def start(self, index: int) -> int:
        """Offset of a line's first byte."""
        return self.ends[index - 1] if index else 0

    def text(self, index: int) -> str:
        """One line."""
        return self.data[self.start(index) : self.ends[index] - 1].decode("utf-8", "replace")

    def index(self, offset: int) -> int:
        """The line that holds a byte."""
        return bisect_right(self.ends, offset)


class Chunk:
    """Some lines in a row, the first of them number `first`."""

    __slots__ = ("_body", "_place", "_sizes", "_spool", "count", "first", "levels", "newest", "notes", "origins")

    def __init__(self, first: int, newest: float = -math.inf) -> None:
        self.first = first
        self.count = 0
        self.levels = bytearray()
        self.origins = bytearray()
        #: Places of what is no line of a log.
        self.notes: list[int] = []
        #: The latest time in it or in any chunk before it.
        self.newest = newest
        self._body: Body | None = Body(bytearray(), array("I"), array("d"), array("d"))
        self._spool: Spool | None = None
        self._place = 0
        self._sizes = (0, 0)

    def __len__(self) -> int:
        return self.count

    @property
    def away(self) -> bool:
        """Whether its bytes lie on the disk."""
        return self._body is None

    @property
    def size(self) -> int:
        """Bytes of its text."""
        return len(self._body.data) if self._body is not None else self._sizes[1]

    def body(self) -> Body | None:
        """Return its bytes; None where they are gone."""
        if self._body is not None:
            return self._body
        head, data = self._sizes
        assert self._spool is not None  # noqa: S101 - it was put there
        found = self._spool.get(self._place, head + data)
        if found is None:
            return None
        ends: array[int] = array("I")
        times: array[float] = array("d")
        order: array[float] = array("d")
        first, second = self.count * ends.itemsize, self.count * (ends.itemsize + times.itemsize)
        ends.frombytes(found[:first])
        times.frombytes(found[first:second])
        order.frombytes(found[second:head])
        return Body(found[head:], ends, times, order)

    def put_away(self, spool: Spool) -> None:
        """Move its bytes to the disk.

        Raises:
            OSError: the disk does not take them; they stay in memory.
        """
        body = self._body
        if body is None:
            return
        head = body.ends.tobytes() + body.times.tobytes() + body.order.tobytes()
        self._place = spool.put(head + body.data)
        self._spool, self._sizes = spool, (len(head), len(body.data))
        self._body = None

    @property
    def gone(self) -> bool:
        """Whether its bytes were overwritten."""
        return self._body is None and self._spool is not None and self._place < self._spool.floor

    def add(self, lines: Sequence[LogLine], origins: bytes, marks: bytes) -> None:
        """Append lines, with the origin and the further bits of each."""
        body = self._body
        assert body is not None  # noqa: S101 - only the last chunk grows, and it is never put away
        texts = [line.text for line in lines]
        joined = "\n".join(texts)
        if joined.count("\n") != len(texts) - 1:
            texts = [text.replace("\n", "\u240a") for text in texts]
            joined = "\n".join(texts)
        offset = len(body.data)
        encoded = joined.encode("utf-8", "replace") + b"\n"
        if joined.isascii():
            body.ends.extend(accumulate([len(text) + 1 for text in texts[1:]], initial=offset + len(texts[0]) + 1))
        else:
            body.ends.extend([offset + match.end() for match in _NEWLINE.finditer(encoded)])
        body.data += encoded
        times = [math.nan if line.at is None else line.at.timestamp() for line in lines]
        body.times.extend(times)
        notes = [place for place, mark in enumerate(marks) if mark & NOTE] if any(marks) else []
        told = times
        if notes:
            told = times.copy()
            for place in notes:
                told[place] = math.nan
        body.order.extend(islice(accumulate(told, max, initial=self.newest), 1, None))  # max(x, NaN) is x
        self.newest = body.order[-1]
        levels = bytes([_CODE[line.level] for line in lines])
        self.levels += bytes([level | mark for level, mark in zip(levels, marks, strict=True)]) if any(marks) else levels
        self.origins += origins
        self.notes += [self.count + place for place in notes]
        self.count += len(lines)

    def first_at(self, at: float) -> int:
        """Return the first line of this time or later; the chunk's length where there is none."""
        body = self.body()
        if body is None:
            return self.count
        return bisect_left(body.order, at)
