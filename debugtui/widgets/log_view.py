"""`LogView`: a million lines, followed live; search, filter by text and level, long lines moved sideways.

Lines are kept as bytes (`log_store`) and decoded when visible. Feeding is cheap and never paints: paints are gathered, at
most ten a second, four while whole pages go by.
"""

from __future__ import annotations

import time
from bisect import bisect_left
from collections.abc import Sequence
from typing import ClassVar

from rich.segment import Segment
from rich.style import Style
from textual import events
from textual.binding import Binding, BindingType
from textual.geometry import Region
from textual.message import Message
from textual.reactive import reactive
from textual.scroll_view import ScrollView
from textual.strip import Strip
from textual.timer import Timer

from debugtui.model.logs import Level, LogLine
from debugtui.themes.tones import TONES
from debugtui.widgets.cells import fit
from debugtui.widgets.filter_bar import FilterBar
from debugtui.widgets.log_lines import Looks, Run, body, head
from debugtui.widgets.log_store import MAX_BYTES, MAX_LINES, LevelOf, LogStore, Scan
from debugtui.widgets.matching import Matcher
from debugtui.widgets.scrolling import set_lines

#: Seconds between two paints, and between two while whole pages go by: over SSH a page is ten kilobytes.
PAINT_EVERY = 0.1
PAGE_EVERY = 0.25
#: Seconds that a scan may hold the screen up at a time.
SCAN_SLICE = 0.012
#: Cells that left and right move by.
SIDESTEP = 16

_FLOORS: tuple[Level | None, ...] = (None, Level.INFO, Level.WARNING, Level.ERROR)


class LogSearch:
    """The search of a log, for a filter bar."""

    def __init__(self, view: LogView) -> None:
        self._view = view

    def filter(self, text: str) -> None:
        """Search while one types."""
        self._view.search(text)

    @property
    def filter_text(self) -> str:
        """What is searched for."""
        return self._view.search_text

    @property
    def filter_error(self) -> str:
        """Why the search is not valid."""
        return self._view.search_error

    @property
    def counts(self) -> tuple[int, int]:
        """Which match the cursor stands at, and how many there are so far."""
        return self._view.search_counts


class LogView(ScrollView, can_focus=True):
    """A log or a long text. `counts` is (lines shown, lines held)."""

    ALLOW_SELECT = False
    HELP = "A log: / searches, n and N go on, & filters, l changes the level, f follows, t shows times, left and right move."

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("up,k", "move(-1)", "Up", show=False, id="log.up"),
        Binding("down,j", "move(1)", "Down", show=False, id="log.down"),
        Binding("pageup", "page(-1)", "Page up", show=False, id="log.page_up"),
        Binding("pagedown", "page(1)", "Page down", show=False, id="log.page_down"),
        Binding("home,g", "home", "First line", show=False, id="log.home"),
        Binding("end,G", "end", "Last line", show=False, id="log.end"),
        Binding("left", "sideways(-1)", "Left", show=False, id="log.left"),
        Binding("right", "sideways(1)", "Right", show=False, id="log.right"),
        Binding("slash", "search", "Search", show=False, id="log.search"),
        Binding("n", "next(1)", "Next match", show=False, id="log.next"),
        Binding("N", "next(-1)", "Previous match", show=False, id="log.previous"),
        Binding("f", "follow", "Follow", show=False, id="log.follow"),
        Binding("l", "level", "Level", show=False, id="log.level"),
        Binding("ampersand", "filter", "Filter", show=False, id="log.filter"),
        Binding("t", "times", "Times", show=False, id="log.times"),
    ]

    _STYLES: ClassVar[tuple[str, ...]] = (*(name or "text" for name in TONES), "cursor", "rest", "match", "state")
    COMPONENT_CLASSES: ClassVar[set[str]] = {f"log-view--{name}" for name in _STYLES}

    DEFAULT_CSS = """
    LogView {
        height: 1fr;
        background: transparent;
        color: $foreground;
        overflow-x: hidden;
        overflow-y: scroll;
        scrollbar-size-vertical: 1;
        & > .log-view--text { color: $foreground; }
        & > .log-view--dim { color: $text-muted; }
        & > .log-view--ok { color: $text-success; }
        & > .log-view--warn { color: $text-warning; }
        & > .log-view--bad { color: $text-error; text-style: bold; }
        & > .log-view--accent { color: $text-accent; }
        & > .log-view--heading { color: $text-primary; text-style: bold; }
        & > .log-view--state { color: $text-muted; background: $panel; }
        & > .log-view--match { color: $block-cursor-foreground; background: $text-warning; text-style: bold; }
        & > .log-view--cursor {
            color: $block-cursor-blurred-foreground; background: $block-cursor-blurred-background; text-style: bold;
        }
        & > .log-view--rest { color: $foreground; }
        &:ansi > .log-view--dim { text-style: dim; }
        &:ansi > .log-view--warn { text-style: bold; }
        &:ansi > .log-view--bad { text-style: bold; }
        &:ansi > .log-view--match { text-style: reverse; }
        &:ansi > .log-view--cursor { text-style: underline; }
        &:ansi > .log-view--state { text-style: underline; }
    }
    """

    #: Whether the end is followed. Moving up leaves it; `f` or going to the end of a live log takes it up again.
    follow: reactive[bool] = reactive(False, init=False, repaint=False)

    class Changed(Message):
        """What is shown changed: lines, filter, search or follow."""

        def __init__(self, view: LogView) -> None:
            super().__init__()
            self.view = view

        @property
        def control(self) -> LogView:
            """The view."""
            return self.view

    def __init__(
        self,
        level_of: LevelOf | None = None,
        *,
        follow: bool = False,
        max_lines: int = MAX_LINES,
        max_bytes: int = MAX_BYTES,
        empty_text: str = "no lines",
        id: str | None = None,  # noqa: A002 (Textual's own name)
        classes: str | None = None,
    ) -> None:
        """Make an empty view.

        Args:
            level_of: judges a line; None for a text that has no levels (XML, JSON).
            follow: True for a live log, False for a document.
            max_lines: kept at most.
            max_bytes: of text kept at most.
            empty_text: shown while there are no lines.
            id: of the widget.
            classes: of the widget.
        """
        super().__init__(id=id, classes=classes)
        self._level_of = level_of
        self._limits = (max_lines, max_bytes)
        self._empty_text = empty_text
        self._live = follow
        self.set_reactive(LogView.follow, follow)
        self._store = self._new_store()
        self._looks = Looks(levels=level_of is not None)
        self._at = 0
        self._floor: Level | None = None
        self._filter: Scan | None = None
        self._filter_matcher = Matcher("")
        self._search: Scan | None = None
        self._search_matcher = Matcher("", invertible=False)
        self._jump_due = False
        self._origin: int | None = None  # where the cursor stood when the search line opened
        self._fed = 0
        self._timer: Timer | None = None
        self._styles_by_name: dict[str, Style] = {}
        self._painted: dict[int, tuple[object, ...]] = {}
        self._version = 0
        self.searching = LogSearch(self)

    def _new_store(self) -> LogStore:
        return LogStore(self._level_of, max_lines=self._limits[0], max_bytes=self._limits[1])

    # What it is given

    def feed(self, lines: Sequence[LogLine]) -> None:
        """Add lines at the end. Cheap; painting follows by itself."""
        if lines:
            self._store.append(lines)
            self._fed += len(lines)
            self._paint_soon()

    def replace(self, lines: Sequence[LogLine]) -> None:
        """Show these lines instead of all others; filter and search stay."""
        self._store = self._new_store()
        self._at, self._origin = 0, None
        self._restart_scans()
        self._store.append(lines)
        self._version += 1
        if self.is_mounted:
            self._flush()

    def clear(self) -> None:
        """Remove every line."""
        self.replace([])

    # What it tells

    @property
    def counts(self) -> tuple[int, int]:
        """Lines shown, and lines held."""
        return self._count(), len(self._store)

    @property
    def dropped(self) -> int:
        """How many of the oldest lines are gone."""
        return self._store.dropped

    @property
    def filter_text(self) -> str:
        """The filter in force, as typed."""
        return self._filter_matcher.text

    @property
    def filter_error(self) -> str:
        """Why the filter is not valid."""
        return self._filter_matcher.error

    @property
    def search_text(self) -> str:
        """What is searched for."""
        return self._search_matcher.text

    @property
    def search_error(self) -> str:
        """Why the search is not valid."""
        return self._search_matcher.error

    @property
    def search_counts(self) -> tuple[int, int]:
        """Which match the cursor stands at or after (0 before the first), and how many are found so far."""
        hits = self._search.hits if self._search is not None else ()
        return bisect_left(hits, self._at + 1), len(hits)

    @property
    def level_floor(self) -> Level | None:
        """Lines of this level and worse are shown; None for all."""
        return self._floor

    @property
    def scanning(self) -> bool:
        """Whether a filter or search has not seen every line yet."""
        return any(scan is not None and not scan.done for scan in (self._filter, self._search))

    def current_text(self) -> str:
        """Return the line under the cursor, whole; empty while there are no lines."""
        return self._store.text(self._at) if self._store.first <= self._at < self._store.end and self._count() else ""

    # Filter, level, search

    def filter(self, text: str) -> None:
        """Show lines that match: plain text, `!text` (without it), `/regex/`."""
        if text != self._filter_matcher.text:
            self._filter_matcher = Matcher(text)
            self._restart_filter()

    def set_level(self, floor: Level | None) -> None:
        """Show lines of this level and worse; None shows all."""
        if floor is not self._floor:
            self._floor = floor
            self._restart_filter()

    def search(self, text: str) -> None:
        """Look for plain text or `/regex/`, from the cursor on, and go to the first match."""
        if text != self._search_matcher.text:
            self._search_matcher = Matcher(text, invertible=False)
            self._search = Scan(self._store, self._search_matcher) if self._search_matcher else None
            self._jump_due = self._search is not None
            self._version += 1
            self._flush()

    def _restart_filter(self) -> None:
        wanted = bool(self._filter_matcher) or self._floor is not None
        self._filter = Scan(self._store, self._filter_matcher, self._floor) if wanted else None
        self._version += 1
        self._flush(keep=True)

    def _restart_scans(self) -> None:
        if self._filter is not None:
            self._filter = Scan(self._store, self._filter_matcher, self._floor)
        if self._search is not None:
            self._search = Scan(self._store, self._search_matcher)

    # Shown lines: index <-> number

    def _count(self) -> int:
        return len(self._store) if self._filter is None else len(self._filter.hits)

    def _number(self, index: int) -> int:
        return self._store.first + index if self._filter is None else self._filter.hits[index]

    def _index(self, number: int) -> int:
        """Index of a shown line, or of the first one after it."""
        if self._filter is not None:
            return bisect_left(self._filter.hits, number)
        return max(0, number - self._store.first)

    @property
    def _note_lines(self) -> int:
        return 1 if self._store.dropped else 0

    @property
    def _page(self) -> int:
        return max(1, self.size.height - 1)

    # Painting, gathered

    def _paint_soon(self, soon: float | None = None) -> None:
        if self._timer is None and self.is_mounted:
            page = self._fed > self._page // 2 and self.follow
            self._timer = self.set_timer(soon or (PAGE_EVERY if page else PAINT_EVERY), self._flush)

    def on_mount(self) -> None:
        """Show what was fed before."""
        self._flush()

    def on_show(self) -> None:
        """Paint what came while it was hidden."""
        self._flush()

    def _flush(self, *, keep: bool = False) -> None:
        """Bring scans, height, cursor and the visible lines up to date. `keep` holds the cursor's line on its screen line."""
        if self._timer is not None:
            self._timer.stop()
            self._timer = None
        self._fed = 0
        row = self._index(self._at) + self._note_lines - self.scroll_offset.y
        until = time.monotonic() + SCAN_SLICE
        scans = [scan for scan in (self._filter, self._search) if scan is not None]
        unfinished = [scan for scan in scans if not scan.advance(time.monotonic, until)]
        self._at = max(self._at, self._store.first)
        set_lines(self, self._count() + self._note_lines + 1)
        if self.follow:
            self._to_end()
        elif self._count():
            self._at = self._number(min(self._index(self._at), self._count() - 1))
            if keep:
                self._scroll_y(self._index(self._at) + self._note_lines - max(0, min(row, self._page - 1)))
        if self._jump_due:
            self._try_jump()
        self._paint_changes()
        if unfinished:
            self._paint_soon(SCAN_SLICE)
        self.post_message(self.Changed(self))

    def _scroll_y(self, y: int) -> None:
        self.scroll_to(y=max(0, y), animate=False, immediate=True, force=True)

    def _to_end(self) -> None:
        count = self._count()
        if count:
            self._at = self._number(count - 1)
        self._scroll_y(count + self._note_lines + 1 - self.size.height)

    def _try_jump(self) -> None:
        """Go to the first match from the cursor on; from the start when the scan ends without one."""
        if self._search is None:
            self._jump_due = False
            return
        hit = self._hit(self._at if self._origin is None else self._origin, 1)
        if hit is None and self._search.done:
            hit = self._hit(self._store.first, 1)
            self._jump_due = False
        if hit is not None:
            self._jump_due = False
            self._go(hit)

    def _hit(self, number: int, step: int) -> int | None:
        """Return the next shown match at or after (step 1), or before (step -1), line `number`."""
        if self._search is None:
            return None
        hits = self._search.hits
        index = bisect_left(hits, number) if step > 0 else bisect_left(hits, number) - 1
        while 0 <= index < len(hits):
            hit = hits[index]
            if self._filter is None:
                return hit
            at = bisect_left(self._filter.hits, hit)
            if at < len(self._filter.hits) and self._filter.hits[at] == hit:
                return hit
            index += step
        return None

    def _go(self, number: int) -> None:
        """Put the cursor on a shown line and bring it into view; leaves the end."""
        self._at = number
        y = self._index(number) + self._note_lines
        top = self.scroll_offset.y
        if y < top + self._note_lines or y >= top + self._page:
            self._scroll_y(y - self._page // 2 if abs(y - top) > self._page + 1 else y if y < top else y - self._page + 1)
        if number != self._store.end - 1:
            self.follow = False

    # Keys

    def action_move(self, step: int) -> None:
        """Move the cursor by lines."""
        count = self._count()
        if count:
            index = max(0, min(self._index(self._at) + step, count - 1))
            if step < 0:
                self.follow = False
            self._go(self._number(index))
            self._paint_changes()

    def action_page(self, step: int) -> None:
        """Move the cursor by a page."""
        self.action_move(step * self._page)

    def action_home(self) -> None:
        """Go to the oldest line."""
        self.follow = False
        if self._count():
            self._at = self._number(0)
        self._scroll_y(0)
        self._paint_changes()

    def action_end(self) -> None:
        """Go to the newest line; a live log is followed again."""
        self.follow = self._live
        self._to_end()
        self._paint_changes()

    def action_follow(self) -> None:
        """Follow the end, or stay here."""
        self._live = True
        self.follow = not self.follow
        self._flush()

    def action_sideways(self, step: int) -> None:
        """Move along long lines."""
        self._looks = self._looks._replace(left=max(0, self._looks.left + step * SIDESTEP))
        self._version += 1
        self._paint_changes()

    def action_times(self) -> None:
        """Show or hide the time stamps."""
        self._looks = self._looks._replace(times=not self._looks.times)
        self._version += 1
        self._paint_changes()

    def action_level(self) -> None:
        """Go on to the next level: all, info, warning, error."""
        if self._level_of is not None:
            self.set_level(_FLOORS[(_FLOORS.index(self._floor) + 1) % len(_FLOORS)])

    def action_next(self, step: int) -> None:
        """Go to the next or previous match; round the end where there is none left."""
        self._origin = None
        hit = self._hit(self._at + 1 if step > 0 else self._at, step)
        if hit is None:
            hit = self._hit(self._store.first if step > 0 else self._store.end, step)
        if hit is not None:
            self._go(hit)
            self._paint_changes()

    def action_search(self) -> None:
        """Open the search line."""
        self._ask(search=True)

    def action_filter(self) -> None:
        """Open the filter line."""
        self._ask(search=False)

    def _ask(self, *, search: bool) -> None:
        self._origin = self._at if search else None
        for bar in self.screen.query(FilterBar):
            bar.open(self.searching if search else self, sign="search /" if search else "filter &", back=self)
            return

    # The mouse

    def on_click(self, event: events.Click) -> None:
        """Put the cursor on the line clicked."""
        offset = event.get_content_offset(self)
        if offset is not None and offset.y < self._page:
            index = offset.y + self.scroll_offset.y - self._note_lines
            if 0 <= index < self._count():
                self._go(self._number(index))
                self._paint_changes()

    def on_mouse_scroll_down(self, event: events.MouseScrollDown) -> None:
        """Scroll by three lines."""
        event.stop()
        self._wheel(3)

    def on_mouse_scroll_up(self, event: events.MouseScrollUp) -> None:
        """Scroll by three lines; leaves the end."""
        event.stop()
        self.follow = False
        self._wheel(-3)

    def _wheel(self, lines: int) -> None:
        self._scroll_y(self.scroll_offset.y + lines)
        self._paint_changes()

    # Lines

    def on_resize(self) -> None:
        """Keep to the end while following."""
        self._version += 1
        if self.follow:
            self._to_end()

    def notify_style_update(self) -> None:
        """Forget the styles: theme, focus or classes changed."""
        super().notify_style_update()
        self._styles_by_name.clear()
        self._version += 1

    def _style(self, name: str) -> Style:
        style = self._styles_by_name.get(name)
        if style is None:
            style = self.get_component_rich_style(f"log-view--{name or 'text'}")
            self._styles_by_name[name] = style
        return style

    def _line_key(self, y: int) -> tuple[object, ...]:
        """Return what the look of a visible line depends on."""
        if y == self.size.height - 1:
            return ("state", self._state_words(), self._version)
        index = y + self.scroll_offset.y - self._note_lines
        if index < 0:
            return ("dropped", self._store.dropped, self._version)
        if index < self._count():
            number = self._number(index)
            return (number, number == self._at, self.has_focus, self._version)
        return ("", y if not self._count() else 0, self._version)

    def _paint_changes(self) -> None:
        if not self.is_mounted or not self.size:
            return
        width = self.size.width
        height = self.size.height
        regions = [Region(0, y, width, 1) for y in range(height) if self._painted.get(y) != self._line_key(y)]
        if regions:
            self.refresh(*regions)

    def _state_words(self) -> str:
        shown, total = self.counts
        words = ["following" if self.follow else "not following"] if self._live else []
        words.append(f"{shown:,} of {total:,} lines" if shown != total else f"{total:,} lines")
        if self._floor is not None:
            words.append(f"{self._floor} and worse")
        if self._filter_matcher.text:
            words.append(f"filter {self._filter_matcher.text}")
        if self._search_matcher.text:
            at, hits = self.search_counts
            words.append(f"search {self._search_matcher.text}: {at} of {hits}{' so far' if self.scanning else ''}")
        if self.filter_error or self.search_error:
            words.append(self.filter_error or self.search_error)
        if self._looks.left:
            words.append(f"from column {self._looks.left + 1}")
        return "  ".join(words)

    def render_line(self, y: int) -> Strip:
        """Return one visible line."""
        key = self._line_key(y)
        self._painted[y] = key
        width = max(0, self.size.width - self.scrollbar_size_vertical)
        if key[0] == "state":
            return self._plain(f" {self._state_words()}", "state", width)
        if key[0] == "dropped":
            return self._plain(f"— {self._store.dropped:,} older lines are gone", "dim", width)
        if isinstance(key[0], int):
            return self._log_line(key[0], width)
        return self._plain(f" {self._empty_text}" if not self._count() and y == 0 and not self.scanning else "", "dim", width)

    def _plain(self, text: str, style: str, width: int) -> Strip:
        return Strip([Segment(fit(text.replace("\n", " "), width), self._style(style))], width)

    def _log_line(self, number: int, width: int) -> Strip:
        store = self._store
        under = number == self._at
        level = store.level(number) if self._looks.levels else None
        at = store.time(number) if self._looks.times else None
        base = self._style("cursor") if under and self.has_focus else None
        front = self._segments(head(under, at, level, self._looks), base)
        text = Strip(self._segments(body(store.text(number), level, self._search_matcher), base))
        room = max(0, width - sum(segment.cell_length for segment in front))
        left = self._looks.left
        filler = base or self._style("")
        shown = text.crop(left, left + room) if left or text.cell_length > room else text
        if text.cell_length > left + room and room > 1:
            shown = Strip([*shown.crop(0, room - 1), Segment("›", self._style("accent"))])
        return Strip([*front, *shown]).adjust_cell_length(width, filler)

    def _segments(self, runs: list[Run], base: Style | None) -> list[Segment]:
        return [Segment(text, self._style(name) if base is None or name == "match" else base) for text, name in runs]
