"""The keys and the mouse of a log view: moving, following, searching, filtering."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from typing import ClassVar

from textual import events
from textual.binding import Binding, BindingType
from textual.reactive import reactive
from textual.scroll_view import ScrollView

from debugtui.model.logs import Level
from debugtui.widgets.filter_bar import FilterBar
from debugtui.widgets.log_lines import Looks
from debugtui.widgets.log_state import LogState
from debugtui.widgets.log_store import LevelOf

#: Cells that left and right move by.
SIDESTEP = 16

_FLOORS: tuple[Level | None, ...] = (None, Level.INFO, Level.WARNING, Level.ERROR)


class LogSearch:
    """The search of a log, for a filter bar."""

    def __init__(self, view: LogKeys) -> None:
        self._view = view

    def filter(self, text: str) -> None:
        """Search while one types."""
        self._view.search(text)

    @property
    def filter_text(self) -> str:
        """What is searched for."""
        return self._view.state.search.text

    @property
    def filter_error(self) -> str:
        """Why the search is not valid."""
        return self._view.state.search.error

    @property
    def counts(self) -> tuple[int, int]:
        """Which match the cursor stands at, and how many there are so far."""
        return self._view.state.search_counts


class LogKeys(ScrollView):
    """What `LogView` does on keys and clicks; the view itself paints."""

    _state: LogState
    _looks: Looks
    _level_of: LevelOf | None
    _live: bool
    _version: int
    searching: LogSearch

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

    #: Whether the end is followed. Moving up leaves it; `f` or going to the end of a live log takes it up again.
    follow: reactive[bool] = reactive(False, init=False, repaint=False)

    def filter(self, text: str) -> None:
        """Show lines that match."""
        raise NotImplementedError

    def search(self, text: str) -> None:
        """Look for a text."""
        raise NotImplementedError

    def set_level(self, floor: Level | None) -> None:
        """Show lines of this level and worse."""
        raise NotImplementedError

    def _flush(self, *, keep: bool = False) -> None:
        """Bring everything up to date."""
        raise NotImplementedError

    def _paint_changes(self) -> None:
        """Paint what differs."""
        raise NotImplementedError

    @property
    def state(self) -> LogState:
        """What is shown and where the cursor stands."""
        return self._state

    @property
    def filter_text(self) -> str:
        """The filter in force, as typed."""
        return self._state.filter.text

    @property
    def filter_error(self) -> str:
        """Why the filter is not valid."""
        return self._state.filter.error

    @property
    def search_text(self) -> str:
        """What is searched for."""
        return self._state.search.text

    @property
    def search_error(self) -> str:
        """Why the search is not valid."""
        return self._state.search.error

    @property
    def search_counts(self) -> tuple[int, int]:
        """Which match the cursor stands at or after (0 before the first), and how many are found so far."""
        return self._state.search_counts

    @property
    def counts(self) -> tuple[int, int]:
        """Lines shown, and lines held."""
        return self._state.count, len(self._state.store)

    @property
    def _note_lines(self) -> int:
        return 1 if self._state.store.dropped else 0

    # Rows of the screen: a note where lines are gone, the lines, and marks between them.

    #: Before which shown lines a mark stands, by their index, in order; a subclass has some.
    _marks: Sequence[int] = ()

    @property
    def _rows(self) -> int:
        """How many rows there are."""
        return self._state.count + self._note_lines + len(self._marks)

    def _row_of(self, index: int) -> int:
        """Return the row of a shown line."""
        return index + self._note_lines + (bisect_right(self._marks, index) if self._marks else 0)

    def _index_at(self, row: int) -> int | None:
        """Return the shown line at a row, whether there is one or not; None for a note or a mark."""
        index = row - self._note_lines
        if self._marks and index >= 0:
            before = bisect_left(_mark_rows(self._marks), index)
            if before < len(self._marks) and self._marks[before] + before == index:
                return None
            index -= before
        return index if index >= 0 else None

    def _mark_at(self, row: int) -> int | None:
        """Return which mark stands at a row; None where none does."""
        index = row - self._note_lines
        before = bisect_left(_mark_rows(self._marks), index)
        return before if before < len(self._marks) and self._marks[before] + before == index else None

    @property
    def _page(self) -> int:
        return max(1, self.size.height - 1)

    def _scroll_y(self, y: int) -> None:
        self.scroll_to(y=max(0, y), animate=False, immediate=True, force=True)

    def _to_end(self) -> None:
        self._state.to_end()
        self._scroll_y(self._rows + 1 - self.size.height)

    def _go(self, number: int) -> None:
        """Put the cursor on a shown line and bring it into view; leaves the end."""
        self._state.at = number
        y = self._row_of(self._state.index(number))
        top = self.scroll_offset.y
        if y < top + self._note_lines or y >= top + self._page:
            self._scroll_y(y - self._page // 2 if abs(y - top) > self._page + 1 else y if y < top else y - self._page + 1)
        if number != self._state.store.end - 1:
            self.follow = False

    # Keys

    def action_move(self, step: int) -> None:
        """Move the cursor by lines."""
        count = self._state.count
        if count:
            index = max(0, min(self._state.index(self._state.at) + step, count - 1))
            if step < 0:
                self.follow = False
            self._go(self._state.number(index))
            self._paint_changes()

    def action_page(self, step: int) -> None:
        """Move the cursor by a page."""
        self.action_move(step * self._page)

    def action_home(self) -> None:
        """Go to the oldest line."""
        self.follow = False
        if self._state.count:
            self._state.at = self._state.number(0)
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
            self.set_level(_FLOORS[(_FLOORS.index(self._state.floor) + 1) % len(_FLOORS)])

    def action_next(self, step: int) -> None:
        """Go to the next or previous match; round the end where there is none left."""
        hit = self._state.next_hit(step)
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
        self._state.origin = self._state.at if search else None
        for bar in self.screen.query(FilterBar):
            bar.open(self.searching if search else self, sign="search /" if search else "filter &", back=self)
            return

    # The mouse

    def on_click(self, event: events.Click) -> None:
        """Put the cursor on the line clicked."""
        offset = event.get_content_offset(self)
        if offset is not None and offset.y < self._page:
            index = self._index_at(offset.y + self.scroll_offset.y)
            if index is not None and index < self._state.count:
                self._go(self._state.number(index))
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


def _mark_rows(marks: Sequence[int]) -> list[int]:
    """Return the row of each mark, notes not counted."""
    return [place + before for before, place in enumerate(marks)]
