"""Reading a log again after a break without showing a line twice."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Sequence
from datetime import datetime, timedelta

from debugtui.model.logs import LogLine

#: How far before the newest line a log is read again, and how many lines are remembered for that.
SPAN = timedelta(seconds=2)
MOST = 20_000


class Overlap:
    """Remembers the newest lines of one origin.

    After a break the origin is asked for everything from `since` on, which is a little before the newest line; those of the
    answer that were there before are then left out. Lines that are alike are counted, so that none of several is lost.
    """

    def __init__(self) -> None:
        self._recent: deque[LogLine] = deque()
        self._newest: datetime | None = None
        self._again: Counter[LogLine] = Counter()
        self._floor: datetime | None = None

    @property
    def since(self) -> datetime | None:
        """From which time on the origin is read again; None where nothing came yet."""
        if self._newest is None:
            return None
        wanted = self._newest - SPAN
        return wanted if self._floor is None else max(wanted, self._floor)

    def again(self) -> datetime | None:
        """Prepare for the second reading, and return `since`."""
        since = self.since
        self._again = Counter(line for line in self._recent if line.at is not None and since is not None and line.at >= since)
        return since

    def fresh(self, lines: Sequence[LogLine]) -> Sequence[LogLine]:
        """Return the lines that were not there before, and remember them."""
        if self._again:
            kept = []
            for line in lines:
                if self._again[line] > 0:
                    self._again[line] -= 1
                else:
                    kept.append(line)
            last = lines[-1].at if lines else None
            if last is not None and self._newest is not None and last > self._newest + SPAN:
                self._again.clear()  # far behind what was read twice
            if not kept:
                return []
            lines = kept
        self._remember(lines)
        return lines

    def _remember(self, lines: Sequence[LogLine]) -> None:
        for line in lines[-MOST:]:
            if line.at is not None and (self._newest is None or line.at > self._newest):
                self._newest = line.at
        if self._newest is None:
            return
        if len(lines) > MOST:
            self._floor = self._behind(lines[-MOST - 1])
        recent = self._recent
        recent.extend(lines[-MOST:])
        oldest = self._newest - SPAN
        while len(recent) > MOST:
            self._floor = self._behind(recent.popleft())
        while recent and (recent[0].at is None or recent[0].at < oldest):
            recent.popleft()

    def _behind(self, line: LogLine) -> datetime | None:
        """Return the moment just behind a line that is no longer remembered: reading again begins there."""
        if line.at is None:
            return self._floor
        return line.at + timedelta(microseconds=1)
