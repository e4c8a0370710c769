"""Several logs in one order: by time, stable within each, without losing or doubling a line. Pure: who calls brings the clock.

While what is there already is read, a line is given out as soon as no origin can bring an earlier one. While they are followed,
nobody can know that; there a line waits for `window` seconds, so that an origin that is slower is still put in its place. What
comes later than that is given out at once and marked.
"""

from __future__ import annotations

import math
from bisect import bisect_left, bisect_right
from collections import deque
from collections.abc import Sequence

from debugtui.model.logs import LogLine, Merged

#: Seconds that a line waits for slower origins.
WINDOW_S = 1.5

#: Lines of one origin that may wait; who brings more waits itself (see `Merger.room`).
MOST_WAITING = 20_000

#: Lines that were given out which are dropped from an origin's list at once, so that dropping costs nothing.
_SWEEP = 4_096


class _Queue:
    """What waits of one origin. `keys` rise: a line that goes back in time stays behind the one before it."""

    __slots__ = ("arrivals", "at", "keys", "lines", "newest", "notes", "offset", "waited")

    def __init__(self) -> None:
        self.keys: list[float] = []
        self.lines: list[LogLine] = []
        self.notes: set[int] = set()
        self.at = 0
        self.offset = 0  # lines that were swept away before
        self.newest = -math.inf
        self.waited = True
        #: (lines pushed so far, when): up to which line was there at which moment.
        self.arrivals: deque[tuple[int, float]] = deque()

    def __len__(self) -> int:
        return len(self.keys) - self.at

    @property
    def head(self) -> float:
        return self.keys[self.at]

    def push(self, lines: Sequence[LogLine], now: float, note: bool) -> None:
        # A note has our clock's time, which is not the origin's: only what still waits behind it is ordered by it.
        newest = max(self.newest, self.keys[-1]) if len(self) else self.newest
        keys: list[float] = []
        for line in lines:
            if line.at is not None:
                at = line.at.timestamp()
                if at > newest:
                    newest = at
            keys.append(newest)
        if note:
            self.notes.update(range(self.offset + len(self.keys), self.offset + len(self.keys) + len(lines)))
        else:
            self.newest = newest
        self.keys += keys
        self.lines += lines
        if not note:
            self.arrivals.append((self.offset + len(self.keys), now))

    @property
    def head_is_note(self) -> bool:
        return bool(self.notes) and self.offset + self.at in self.notes

    @property
    def note_key(self) -> float:
        """The key of the next note."""
        return self.keys[min(self.notes) - self.offset]

    def end(self, below: float, upto: float) -> int:
        """Return the place behind the lines whose key is less than `below` and at most `upto`, and before the next note."""
        end = min(bisect_left(self.keys, below, self.at), bisect_right(self.keys, upto, self.at))
        return min(end, min(self.notes) - self.offset) if self.notes else end

    def due(self, moment: float) -> float:
        """Return the newest key among the lines that were there at `moment`; -inf where none of them still waits."""
        last = 0
        while self.arrivals and self.arrivals[0][1] <= moment:
            last = self.arrivals.popleft()[0]
        index = last - self.offset - 1
        return self.keys[index] if last and index >= self.at else -math.inf

    def take(self, until: int) -> None:
        """Leave behind what was given out."""
        self.at = until
        if self.at >= _SWEEP or self.at == len(self.keys):
            del self.keys[: self.at]
            del self.lines[: self.at]
            self.offset += self.at
            self.at = 0
        if self.notes:
            self.notes = {place for place in self.notes if place >= self.offset + self.at}


class Merger:
    """Merges the lines of a fixed number of origins."""

    def __init__(self, origins: int, *, window: float = WINDOW_S) -> None:
        """Wait for every origin at first.

        Args:
            origins: how many.
            window: seconds that a line waits once its origin is followed.
        """
        self._queues = [_Queue() for _ in range(origins)]
        self._window = window if origins > 1 else 0.0
        self._given = -math.inf
        self._due = -math.inf

    def push(self, origin: int, lines: Sequence[LogLine], now: float, *, note: bool = False) -> None:
        """Take in lines of one origin, in its own order.

        Args:
            origin: its place.
            lines: what came.
            now: seconds on a clock that never goes back.
            note: they say what became of the origin.
        """
        if lines:
            self._queues[origin].push(lines, now, note)

    def wait_for(self, origin: int, wanted: bool) -> None:
        """Say whether an origin still reads what is there already, so that earlier lines may come of it."""
        self._queues[origin].waited = wanted
        if not wanted and not any(queue.waited for queue in self._queues):
            # Everything that was there already is here: nothing of it has to wait.
            self._due = max([self._due, *(queue.keys[-1] for queue in self._queues if len(queue))])

    def waits_for(self, origin: int) -> bool:
        """Tell whether lines of others wait for this origin."""
        return self._queues[origin].waited

    def room(self, origin: int) -> bool:
        """Tell whether more lines of an origin may be pushed now."""
        return len(self._queues[origin]) < MOST_WAITING

    @property
    def waiting(self) -> int:
        """How many lines wait."""
        return sum(len(queue) for queue in self._queues)

    def take(self, now: float, most: int = MOST_WAITING) -> Merged:
        """Return what can be given out now, at most so many lines."""
        bound = min((queue.newest for queue in self._queues if queue.waited), default=math.inf)
        for queue in self._queues:
            if not queue.waited:
                self._due = max(self._due, queue.due(now - self._window))
                if len(queue) >= MOST_WAITING:
                    self._due = max(self._due, queue.keys[-1])
        waited = any(queue.waited for queue in self._queues)
        # Where some are still waited for, what is older than all that can come of them may go.
        return self._merge(bound, math.inf if waited else self._due, most)

    def rest(self, most: int = MOST_WAITING) -> Merged:
        """Return what waits, whatever may still come: for the end."""
        return self._merge(math.inf, math.inf, most)

    def _merge(self, below: float, upto: float, most: int) -> Merged:
        """Give out the lines whose key is less than `below` and at most `upto`, in order."""
        out = _Out()
        while len(out.lines) < most:
            note = min((queue.note_key for queue in self._queues if queue.notes), default=math.inf)
            if self._give(out, below, min(upto, note), most - len(out.lines)):
                continue
            if not self._give_note(out, below):
                break
        return Merged(out.lines, bytes(out.origins), frozenset(out.late), frozenset(out.notes))

    def _give(self, out: _Out, below: float, upto: float, most: int) -> int:
        """Give out some lines in order; return how many. Equal times are in the order of the origins."""
        ends = [queue.end(below, upto) for queue in self._queues]
        waiting = [end - queue.at for queue, end in zip(self._queues, ends, strict=True)]
        share = max(1, most // max(1, sum(1 for count in waiting if count)))
        if max(waiting, default=0) > share:
            # Only what is earlier than all that is left behind may go: as much of each as keeps the whole within `most`.
            cut = min(queue.keys[queue.at + share] for queue, count in zip(self._queues, waiting, strict=True) if count > share)
            ends = [bisect_left(queue.keys, cut, queue.at, end) for queue, end in zip(self._queues, ends, strict=True)]
            if all(end == queue.at for queue, end in zip(self._queues, ends, strict=True)):
                return self._give_moment(out, cut, below, upto, most)
        return self._sorted(out, ends)

    def _give_moment(self, out: _Out, moment: float, below: float, upto: float, most: int) -> int:
        """Give out lines of one time, of the first origin that has some: more than fit came at that moment."""
        place = next(place for place, queue in enumerate(self._queues) if len(queue) and queue.head == moment)
        queue = self._queues[place]
        end = min(bisect_right(queue.keys, moment, queue.at), queue.end(below, upto), queue.at + most)
        return self._sorted(out, [end if at == place else one.at for at, one in enumerate(self._queues)])

    def _sorted(self, out: _Out, ends: list[int]) -> int:
        """Give out each origin's lines up to its place in `ends`: runs that are in order, merged by a sort that knows runs."""
        keys: list[float] = []
        lines: list[LogLine] = []
        origins = bytearray()
        for place, (queue, end) in enumerate(zip(self._queues, ends, strict=True)):
            if end > queue.at:
                keys += queue.keys[queue.at : end]
                lines += queue.lines[queue.at : end]
                origins += bytes((place,)) * (end - queue.at)
                queue.take(end)
        order = sorted(range(len(keys)), key=keys.__getitem__)
        first = len(out.lines)
        out.lines += [lines[place] for place in order]
        out.origins += bytes([origins[place] for place in order])
        if order:
            if keys[order[0]] < self._given:
                late = sum(1 for key in keys if key < self._given)
                out.late.update(range(first, first + late))
            self._given = max(self._given, keys[order[-1]])
        return len(order)

    def _give_note(self, out: _Out, below: float) -> bool:
        """Give out a note whose turn it is: nothing that waits is earlier."""
        heads = [(queue.head, place) for place, queue in enumerate(self._queues) if len(queue)]
        if not heads:
            return False
        head, place = min(heads)
        queue = self._queues[place]
        if not queue.head_is_note or head >= below:
            return False
        out.notes.add(len(out.lines))
        out.lines.append(queue.lines[queue.at])
        out.origins.append(place)
        queue.take(queue.at + 1)
        return True


class _Out:
    """What is given out."""

    def __init__(self) -> None:
        self.lines: list[LogLine] = []
        self.origins = bytearray()
        self.late: set[int] = set()
        self.notes: set[int] = set()
