"""What a log view shows and where its cursor stands, without any painting: filter, level, search, lines by index."""

from __future__ import annotations

import time
from bisect import bisect_left
from collections.abc import Sequence

from debugtui.model.logs import Level, LogLine
from debugtui.model.matching import Matcher
from debugtui.widgets.log_scan import Scan
from debugtui.widgets.log_store import LogStore


class LogState:
    """Lines, which of them are shown, and a cursor that stays on its line by number.

    Attributes:
        store: the lines.
        at: number of the line under the cursor.
        floor: lines of this level and worse are shown; None for all.
        hidden: codes of origins whose lines are not shown.
        filter: the filter, as typed.
        search: what is searched for, as typed.
        origin: number of the line where a search begins; None for the cursor's.
    """

    def __init__(self, store: LogStore) -> None:
        """Show every line of `store`."""
        self.store = store
        self.at = 0
        self.floor: Level | None = None
        self.hidden: frozenset[int] = frozenset()
        self.filter = Matcher("")
        self.search = Matcher("", invertible=False)
        self.origin: int | None = None
        self._shown: Scan | None = None
        self._found: Scan | None = None
        self._jump_due = False

    def replace(self, store: LogStore, lines: Sequence[LogLine]) -> None:
        """Show other lines; filter, level and search stay."""
        self.cancel()
        self.store.close()
        self.store = store
        self.at, self.origin = 0, None
        store.append(lines)
        self._scan_filter()
        if self._found is not None:
            self._found = Scan(store, self.search)

    def cancel(self) -> None:
        """End what runs in a thread."""
        for scan in (self._shown, self._found):
            if scan is not None:
                scan.cancel()

    def _scan_filter(self) -> None:
        if self._shown is not None:
            self._shown.cancel()
        wanted = bool(self.filter) or self.floor is not None or bool(self.hidden)
        self._shown = Scan(self.store, self.filter, self.floor, self.hidden) if wanted else None

    def set_filter(self, text: str) -> None:
        """Filter by what was typed."""
        self.filter = Matcher(text)
        self._scan_filter()

    def set_floor(self, floor: Level | None) -> None:
        """Show lines of this level and worse."""
        self.floor = floor
        self._scan_filter()

    def set_hidden(self, hidden: frozenset[int]) -> None:
        """Show no lines of these origins."""
        self.hidden = hidden
        self._scan_filter()

    def set_search(self, text: str) -> None:
        """Search for what was typed; `settle` goes to the first match when it is found."""
        if self._found is not None:
            self._found.cancel()
        self.search = Matcher(text, invertible=False)
        self._found = Scan(self.store, self.search) if self.search else None
        self._jump_due = self._found is not None

    # Scans

    @property
    def scanning(self) -> bool:
        """Whether a filter or search has not seen every line yet."""
        return any(scan is not None and not scan.done for scan in (self._shown, self._found))

    @property
    def progress(self) -> float:
        """The share of the lines that filter and search have seen, 0 to 1."""
        return min((scan.progress for scan in (self._shown, self._found) if scan is not None), default=1.0)

    def settle(self, seconds: float) -> int | None:
        """Scan on for at most so long, keep the cursor on a shown line; return the match to go to, if one is due now."""
        until = time.monotonic() + seconds
        for scan in (self._shown, self._found):
            if scan is not None:
                scan.advance(time.monotonic, until)
        self.at = max(self.at, self.store.first)
        if self.count:
            self.at = self.number(min(self.index(self.at), self.count - 1))
        return self._jump() if self._jump_due else None

    def _jump(self) -> int | None:
        """Return the first match from the origin on; from the oldest line when the scan ended without one."""
        hit = self.hit(self.at if self.origin is None else self.origin, 1)
        if hit is None and self._found is not None and self._found.done:
            hit = self.hit(self.store.first, 1)
            self._jump_due = False
        if hit is not None:
            self._jump_due = False
        return hit

    def hit(self, number: int, step: int) -> int | None:
        """Return the next shown match at or after (step 1), or before (step -1), line `number`."""
        if self._found is None:
            return None
        hits = self._found.hits
        index = bisect_left(hits, number) if step > 0 else bisect_left(hits, number) - 1
        while 0 <= index < len(hits):
            if hits[index] >= self.store.first and self._is_shown(hits[index]):
                return hits[index]
            index += step
        return None

    def _is_shown(self, number: int) -> bool:
        if self._shown is None:
            return True
        at = bisect_left(self._shown.hits, number)
        return at < len(self._shown.hits) and self._shown.hits[at] == number

    def next_hit(self, step: int) -> int | None:
        """Return the next or previous match from the cursor; round the end where there is none left."""
        self.origin = None
        hit = self.hit(self.at + 1 if step > 0 else self.at, step)
        return hit if hit is not None else self.hit(self.store.first if step > 0 else self.store.end, step)

    @property
    def search_counts(self) -> tuple[int, int]:
        """Which match the cursor stands at or after (0 before the first), and how many are found so far."""
        hits = self._found.hits if self._found is not None else ()
        return bisect_left(hits, self.at + 1), len(hits)

    # Shown lines: index <-> number

    @property
    def count(self) -> int:
        """How many lines are shown."""
        return len(self.store) if self._shown is None else len(self._shown.hits)

    def number(self, index: int) -> int:
        """Return the number of a shown line."""
        return self.store.first + index if self._shown is None else self._shown.hits[index]

    def index(self, number: int) -> int:
        """Return the index of a shown line, or of the first one after it."""
        if self._shown is not None:
            return bisect_left(self._shown.hits, number)
        return max(0, number - self.store.first)

    def to_end(self) -> None:
        """Put the cursor on the newest shown line."""
        if self.count:
            self.at = self.number(self.count - 1)

    def text(self) -> str:
        """Return the line under the cursor; empty while there is none."""
        return self.store.text(self.at) if self.count and self.store.first <= self.at < self.store.end else ""

    def words(self, *, live: bool, follow: bool) -> list[str]:
        """Return what to say about it on one line."""
        shown, total = self.count, len(self.store)
        words = ["following" if follow else "not following"] if live else []
        words.append(f"{shown:,} of {total:,} lines" if shown != total else f"{total:,} lines")
        if self.floor is not None:
            words.append(f"{self.floor} and worse")
        if self.filter.text:
            words.append(f"filter {self.filter.text}")
        if self.search.text:
            at, hits = self.search_counts
            words.append(f"search {self.search.text}: {at:,} of {hits:,}{' so far' if self.scanning else ''}")
        if self.scanning:
            words.append(f"{self.progress:.0%} looked at")
        if self.filter.error or self.search.error:
            words.append(self.filter.error or self.search.error)
        return words
