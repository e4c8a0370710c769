"""`LogView`: a million lines, followed live; search, filter by text and level, long lines moved sideways.

Lines are kept as bytes (`log_store`) and decoded when visible. Feeding is cheap and never paints: paints are gathered, at
most ten a second, four while whole pages go by.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from rich.segment import Segment
from rich.style import Style
from textual.geometry import Region
from textual.message import Message
from textual.strip import Strip
from textual.timer import Timer

from debugtui.model.logs import Level, LogLine
from debugtui.themes.tones import TONES
from debugtui.widgets.backlog import backlog
from debugtui.widgets.cells import fit
from debugtui.widgets.log_keys import LogKeys, LogSearch
from debugtui.widgets.log_lines import Looks, Run, body, head
from debugtui.widgets.log_state import LogState
from debugtui.widgets.log_store import MAX_BYTES, MAX_LINES, LevelOf, LogStore
from debugtui.widgets.once import once
from debugtui.widgets.scrolling import set_lines

#: Seconds between two paints, and between two while whole pages go by: over SSH a page is ten kilobytes.
PAINT_EVERY = 0.1
PAGE_EVERY = 0.25
#: Seconds that a scan may hold the screen up at a time, and between two looks at how far it is.
SCAN_SLICE = 0.012
SCAN_LOOK = 0.03
#: Frames waiting for the terminal above which the log waits too.
BUSY = 2


class LogView(LogKeys, can_focus=True):
    """A log or a long text. `counts` is (lines shown, lines held)."""

    ALLOW_SELECT = False
    HELP = "A log: / searches, n and N go on, & filters, l changes the level, f follows, t shows times, left and right move."

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
        self._state = LogState(self._new_store())
        self._looks = Looks(levels=level_of is not None)
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
            self._state.store.append(lines)
            self._fed += len(lines)
            self._paint_soon()

    def replace(self, lines: Sequence[LogLine]) -> None:
        """Show these lines instead of all others; filter and search stay."""
        self._state.replace(self._new_store(), lines)
        self._version += 1
        if self.is_mounted:
            self._flush()

    def clear(self) -> None:
        """Remove every line."""
        self.replace([])

    # What it tells

    @property
    def dropped(self) -> int:
        """How many of the oldest lines are gone."""
        return self._state.store.dropped

    @property
    def level_floor(self) -> Level | None:
        """Lines of this level and worse are shown; None for all."""
        return self._state.floor

    @property
    def scanning(self) -> bool:
        """Whether a filter or search has not seen every line yet."""
        return self._state.scanning

    def current_text(self) -> str:
        """Return the line under the cursor, whole; empty while there are no lines."""
        return self._state.text()

    # Filter, level, search

    def filter(self, text: str) -> None:
        """Show lines that match: plain text, `!text` (without it), `/regex/`."""
        if text != self._state.filter.text:
            self._state.set_filter(text)
            self._version += 1
            self._flush(keep=True)

    def set_level(self, floor: Level | None) -> None:
        """Show lines of this level and worse; None shows all."""
        if floor is not self._state.floor:
            self._state.set_floor(floor)
            self._version += 1
            self._flush(keep=True)

    def search(self, text: str) -> None:
        """Look for plain text or `/regex/`, from the cursor on, and go to the first match."""
        if text != self._state.search.text:
            self._state.set_search(text)
            self._version += 1
            self._flush()

    # Painting, gathered

    def _paint_soon(self, soon: float | None = None) -> None:
        if self._timer is None and self.is_mounted:
            page = self._fed > self._page // 2 and self.follow
            self._timer = once(self, soon or (PAGE_EVERY if page else PAINT_EVERY), self._tick)

    def on_mount(self) -> None:
        """Show what was fed before."""
        self._flush()

    def on_unmount(self) -> None:
        """End what searches, and give the disk back."""
        self._state.cancel()
        self._state.store.close()

    def on_show(self) -> None:
        """Paint what came while it was hidden."""
        self._flush()

    def _tick(self) -> None:
        """Paint what was gathered, unless the terminal is still busy with what came before."""
        self._timer = None
        if self.is_attached and backlog(self.app) > BUSY:
            self._paint_soon(PAGE_EVERY)
        else:
            self._flush()

    def _flush(self, *, keep: bool = False) -> None:
        """Bring scans, height, cursor and the visible lines up to date. `keep` holds the cursor's line on its screen line."""
        if self._timer is not None:
            self._timer.stop()
            self._timer = None
        self._fed = 0
        state = self._state
        row = self._row_of(state.index(state.at)) - self.scroll_offset.y
        hit = state.settle(SCAN_SLICE)
        self._settled()
        set_lines(self, self._rows + 1)
        if self.follow:
            self._to_end()
        elif keep and state.count:
            self._scroll_y(self._row_of(state.index(state.at)) - max(0, min(row, self._page - 1)))
        if hit is not None:
            self._go(hit)
        self._paint_changes()
        if state.scanning:
            self._paint_soon(SCAN_LOOK)
        self.post_message(self.Changed(self))

    def _settled(self) -> None:
        """Do what is due once scans are up to date, before anything is painted."""

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
        row = y + self.scroll_offset.y
        index = self._index_at(row)
        if index is None:
            mark = self._mark_at(row) if row >= self._note_lines else None
            return ("dropped", self._state.store.dropped, self._version) if mark is None else ("mark", mark, self._version)
        if index < self._state.count:
            number = self._state.number(index)
            return (number, number == self._state.at, self.has_focus, self._version)
        return ("", y if not self._state.count else 0, self._version)

    def _paint_changes(self) -> None:
        if not self.is_mounted or not self.size:
            return
        width = self.size.width
        height = self.size.height
        regions = [Region(0, y, width, 1) for y in range(height) if self._painted.get(y) != self._line_key(y)]
        if regions:
            self.refresh(*regions)

    def _state_words(self) -> str:
        words = self._state.words(live=self._live, follow=self.follow)
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
            return self._plain(f"— {self._state.store.dropped:,} older lines are gone", "dim", width)
        if isinstance(key[0], int):
            return self._log_line(key[0], width)
        if key[0] == "mark" and isinstance(key[1], int):
            return self._mark_line(key[1], width)
        return self._plain(
            f" {self._empty_text}" if not self._state.count and y == 0 and not self.scanning else "", "dim", width
        )

    def _plain(self, text: str, style: str, width: int) -> Strip:
        return Strip([Segment(fit(text.replace("\n", " "), width), self._style(style))], width)

    def _log_line(self, number: int, width: int) -> Strip:
        store = self._state.store
        under = number == self._state.at
        level = store.level(number) if self._looks.levels else None
        base = self._style("cursor") if under and self.has_focus else None
        front = self._segments(self._front(number, under, level), base)
        text = Strip(self._segments(body(store.text(number), level, self._state.search), base))
        room = max(0, width - sum(segment.cell_length for segment in front))
        left = self._looks.left
        filler = base or self._style("")
        shown = text.crop(left, left + room) if left or text.cell_length > room else text
        if text.cell_length > left + room and room > 1:
            shown = Strip([*shown.crop(0, room - 1), Segment("›", self._style("accent"))])
        return Strip([*front, *shown]).adjust_cell_length(width, filler)

    def _front(self, number: int, under: bool, level: Level | None) -> list[Run]:
        """Return what stands before the text of a line."""
        at = self._state.store.time(number) if self._looks.times else None
        return head(under, at, level, self._looks)

    def _mark_line(self, mark: int, width: int) -> Strip:
        """Return a mark between two lines."""
        raise NotImplementedError(mark)

    def _segments(self, runs: list[Run], base: Style | None) -> list[Segment]:
        return [Segment(text, self._style(name) if base is None or name == "match" else base) for text, name in runs]
