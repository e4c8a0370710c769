"""From the bytes of a log to its lines: cut, made safe, redacted, with their times and levels."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from debugtui.model.logs import Level, LogLine
from debugtui.sources.loglines import KeyVeil, LineSplitter, RawLine, text_of
from debugtui.sources.logs.stamps import Stamps


class LineReader:
    """Makes lines of the bytes of one log, in whatever pieces they come. Subclasses say what a line's time and level are."""

    def __init__(self, stamps: Stamps) -> None:
        """Read times with `stamps`."""
        self.stamps = stamps
        self.splitter = LineSplitter()
        #: The time of the last line, which one without a time inherits.
        self.last: datetime | None = None
        self.veil = KeyVeil()

    def feed(self, data: bytes) -> list[LogLine]:
        """Return the lines that `data` completes."""
        return self.take(self.splitter.feed(data))

    def finish(self) -> list[LogLine]:
        """Return what waits for its end, when nothing more comes."""
        return self.take(self.splitter.finish())

    def take(self, raws: Sequence[RawLine]) -> list[LogLine]:
        """Return the lines of raw ones."""
        return [self.line(self.veil.hide(text_of(raw)), raw) for raw in raws]

    def line(self, text: str, raw: RawLine) -> LogLine:
        """Return one line."""
        at = None if raw.continued else self.time(text)
        self.last = at or self.last
        return LogLine(text, self.last, "", self.level(text))

    def time(self, text: str) -> datetime | None:
        """Return the time of a line; None where it has none."""
        return self.stamps.find(text)

    def level(self, text: str) -> Level | None:
        """Return the level that the program gave a line; None where it gives none."""
        return None

    def first_time(self, data: bytes) -> datetime | None:
        """Return the first time in the whole lines of a piece from somewhere in the log; None where there is none."""
        for row in data.split(b"\n")[1:-1]:
            at = self.time(text_of(RawLine(row[:4_000])))
            if at is not None:
                return at
        return None
