"""`MergedLog`: lines of several logs in one view, each with its time and its origin; moments are marked by rules."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import NamedTuple

from rich.cells import cell_len
from textual.strip import Strip

from debugtui.model.logs import Level, Merged
from debugtui.themes.tones import Tone
from debugtui.widgets.cells import fit, safe
from debugtui.widgets.log_chunk import LATE, NOTE
from debugtui.widgets.log_lines import SIGNS, Run
from debugtui.widgets.log_spool import Spool
from debugtui.widgets.log_store import HOT_BYTES, SPOOLED_LINES, LevelOf, LogStore
from debugtui.widgets.log_view import LogView

#: Bytes of lines on the disk at most.
SPOOL_BYTES = 1 << 30
#: Cells of the column of origins, and the width of the view from which dates and longer names are shown.
NARROW, WIDE, ROOMY = 12, 20, 110
#: Most moments that are marked, the newest.
MOST_MOMENTS = 50

#: The tones of origins: an origin keeps its own. Its name stands beside it, so they need not be unique.
_TONES: tuple[Tone, ...] = ("accent", "heading", "", "dim")


class Moment(NamedTuple):
    """A moment that a rule marks: when an alert began. Of several at one place the least `rank` is shown.

    `own`: it is what the logs were opened for, and has a rule to itself.
    """

    at: datetime
    rank: int
    text: str
    tone: Tone = "warn"
    own: bool = False


class MergedLog(LogView):
    """Several logs. What does not fit into memory lies in a file without a name in `folder`, while the view lives."""

    HELP = (
        "Several logs, merged by time. / searches, & filters, l changes the level, f follows, @ goes to a time, "
        "< and > to when alerts began, # chooses the logs. ~ marks a line that came too late for its place."
    )

    def __init__(
        self,
        level_of: LevelOf,
        folder: Path | None = None,
        *,
        id: str | None = None,  # noqa: A002 (Textual's own name)
    ) -> None:
        """Make an empty view.

        Args:
            level_of: judges a line whose origin gave no level.
            folder: on whose disk older lines lie; None: in memory alone, and fewer of them.
            id: of the widget.
        """
        self._folder = folder
        self._no_spool = ""
        super().__init__(level_of, follow=True, empty_text="reading…", id=id)
        self._looks = self._looks._replace(times=True)
        self._titles: tuple[str, ...] = ()
        self._moments: tuple[Moment, ...] = ()
        self._wanted: datetime | None = None
        self._whole = False
        self._rules: list[list[Moment]] = []

    def _new_store(self) -> LogStore:
        if self._folder is None:
            return super()._new_store()
        try:
            spool = Spool(self._folder, SPOOL_BYTES)
        except OSError as error:
            self._no_spool = f"memory only: {error.strerror or error}"
            return super()._new_store()
        return LogStore(self._level_of, max_lines=SPOOLED_LINES, max_bytes=HOT_BYTES, spool=spool)

    # What it is given

    def begin(self, titles: Sequence[str], hidden: frozenset[int] = frozenset()) -> None:
        """Start anew, with these origins; `hidden`: the places of those that are not shown."""
        self._titles = tuple(titles)
        self._whole = False
        self._state.hidden = hidden
        self.clear()
        self.follow = True

    def feed_merged(self, part: Merged) -> None:
        """Add merged lines at the end. Cheap; painting follows by itself."""
        if part.lines:
            self._state.store.append(part.lines, part.origins, part.late, part.notes)
            self._fed += len(part.lines)
            self._paint_soon()

    def set_hidden(self, hidden: frozenset[int]) -> None:
        """Show no lines of these origins."""
        if hidden != self._state.hidden:
            self._state.set_hidden(hidden)
            self._version += 1
            self._flush(keep=True)

    def set_moments(self, moments: Sequence[Moment]) -> None:
        """Mark these moments, by rules before the first line of each time or later."""
        wanted = tuple(sorted(moments, key=lambda moment: (moment.own, moment.at))[-MOST_MOMENTS:])
        wanted = tuple(sorted(wanted))
        if wanted != self._moments:
            self._moments = wanted
            self._version += 1
            if self.is_mounted:
                self._flush(keep=True)

    def go_to(self, at: datetime) -> None:
        """Put the cursor on the first line of a time, as soon as one is there."""
        self._wanted = at
        self.follow = False
        if self.is_mounted:
            self._flush()

    def all_is_here(self) -> None:
        """Say that what was there already has been read: a time behind it will not come."""
        if not self._whole:
            self._whole = True
            self._empty_text = "no lines"
            self._paint_soon()

    # What it tells

    @property
    def titles(self) -> tuple[str, ...]:
        """The names of the origins."""
        return self._titles

    @property
    def span(self) -> tuple[datetime, datetime] | None:
        """The times of the oldest and of the newest line held; None where there are none."""
        store = self._state.store
        numbers = range(store.first, store.end)
        first = next((at for number in numbers[:500] if (at := store.time(number)) is not None), None)
        last = next((at for number in reversed(numbers[-500:]) if (at := store.time(number)) is not None), None)
        return (first, last) if first is not None and last is not None else None

    @property
    def cursor_time(self) -> datetime | None:
        """The time of the line under the cursor."""
        state = self._state
        return state.store.time(state.at) if state.store.first <= state.at < state.store.end else None

    @property
    def moments(self) -> tuple[Moment, ...]:
        """The moments that are marked, in order."""
        return self._moments

    def current_text(self) -> str:
        """Return the line under the cursor with its time and origin."""
        text, at = super().current_text(), self.cursor_time
        if not text:
            return ""
        title = self._title(self._state.store.origin(self._state.at))
        return f"{at.isoformat(timespec='milliseconds') if at is not None else '-'} {title} {text}"

    def _title(self, origin: int) -> str:
        return self._titles[origin] if origin < len(self._titles) else "?"

    # Painting

    def _settled(self) -> None:
        store, state = self._state.store, self._state
        if self._wanted is not None:
            number = store.at_time(self._wanted.timestamp())
            if number < store.end or (self._whole and state.count and not state.scanning):
                self._wanted = None
                shown = state.index(number)
                state.at = state.number(min(shown, state.count - 1)) if state.count else 0
                self._place_marks()
                row = self._row_of(state.index(state.at))
                self._pending_scroll = max(0, row - self._page // 3)
                return
        self._place_marks()

    _pending_scroll: int | None = None

    def _place_marks(self) -> None:
        state = self._state
        groups: dict[tuple[int, bool], list[Moment]] = {}
        for moment in self._moments if state.count else ():
            place = min(state.index(state.store.at_time(moment.at.timestamp())), state.count)
            groups.setdefault((place, not moment.own), []).append(moment)
        order = sorted(groups)
        rules = [sorted(groups[key], key=lambda moment: (moment.rank, moment.at)) for key in order]
        marks = [place for place, _ in order]
        if (marks, rules) != (self._marks, self._rules):
            self._marks, self._rules = marks, rules
            self._version += 1

    def _flush(self, *, keep: bool = False) -> None:
        super()._flush(keep=keep)
        if self._pending_scroll is not None:
            row, self._pending_scroll = self._pending_scroll, None
            self._scroll_y(row)
            self._paint_changes()

    def _state_words(self) -> str:
        state = self._state
        words = state.words(live=self._live, follow=self.follow)
        if state.hidden:
            words.append(f"{len(state.hidden)} of {len(self._titles)} logs hidden")
        if self._wanted is not None:
            words.append(f"waiting for {self._wanted.astimezone():%H:%M:%S}")
        if self._looks.left:
            words.append(f"from column {self._looks.left + 1}")
        if self._no_spool:
            words.append(self._no_spool)
        return "  ".join(words)

    def _front(self, number: int, under: bool, level: Level | None) -> list[Run]:
        store = self._state.store
        roomy = self.size.width >= ROOMY
        marks, origin, at = store.marks(number), store.origin(number), store.time(number)
        runs: list[Run] = [("▸" if under else " ", "")]
        if self._looks.times:
            form = "%m-%d %H:%M:%S" if roomy else "%H:%M:%S"
            stamp = "-" if at is None else f"{at.strftime(form)}.{at.microsecond // 1000:03}"
            runs.append((f"{stamp:<{18 if roomy else 12}}{'~' if marks & LATE else ' '}", "warn" if marks & LATE else "dim"))
        width = WIDE if roomy else NARROW
        runs.append((f"{fit(safe(self._title(origin)), width)} ", _TONES[origin % len(_TONES)]))
        if marks & NOTE:
            runs.append(("! ", "warn"))
        elif level is not None:
            sign, tone = SIGNS[level]
            runs.append((f"{sign} ", tone))
        return runs

    def _mark_line(self, mark: int, width: int) -> Strip:
        moment, *others = self._rules[mark]
        more = f", and {len(others)} more" if others else ""
        sign = "▶───" if moment.own else "────"
        front = f"{sign} {moment.at.astimezone():%m-%d %H:%M:%S} "
        words = safe(moment.text)
        room = max(0, width - cell_len(front) - len(more) - 1)
        text = f"{front}{fit(words, room) if cell_len(words) > room else words}{more} "
        return self._plain(text + "─" * max(0, width - cell_len(text)), moment.tone, width)
