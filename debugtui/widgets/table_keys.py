"""The keys and the mouse of a live table: how its cursor moves, what opens, folds and sorts."""

from __future__ import annotations

from typing import ClassVar

from textual import events
from textual.binding import Binding, BindingType
from textual.scroll_view import ScrollView

from debugtui.widgets.table_layout import Place
from debugtui.widgets.table_state import TableState


class TableKeys(ScrollView):
    """What `LineTable` does on keys and clicks; the table itself paints and tells."""

    _state: TableState
    _places: tuple[Place, ...]
    _header: int

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("up,k", "cursor_up", "Up", show=False, id="table.up"),
        Binding("down,j", "cursor_down", "Down", show=False, id="table.down"),
        Binding("pageup", "page_up", "Page up", show=False, id="table.page_up"),
        Binding("pagedown", "page_down", "Page down", show=False, id="table.page_down"),
        Binding("home,g", "home", "First row", show=False, id="table.home"),
        Binding("end,G", "end", "Last row", show=False, id="table.end"),
        Binding("enter", "select", "Open", show=False, id="table.select"),
        Binding("space", "fold", "Fold", show=False, id="table.toggle"),
        Binding("s", "cycle_sort", "Sort", show=False, id="table.sort"),
    ]

    def _rearrange(self) -> None:
        """Work out anew what is shown, and paint."""
        raise NotImplementedError

    def _paint_changes(self) -> None:
        """Paint what differs."""
        raise NotImplementedError

    def _highlighted(self, key: str | None) -> None:
        """Tell that the cursor stands on another row."""
        raise NotImplementedError

    def _selected(self, key: str) -> None:
        """Tell that a row is opened."""
        raise NotImplementedError

    # The cursor

    def _moved(self, former: str | None, *, follow: bool = True) -> None:
        """Say so when the cursor stands on another row, bring it into view if asked, and paint."""
        if self._state.key != former:
            self._highlighted(self._state.key)
        if follow:
            self._scroll_to_cursor()
        self._paint_changes()

    def _place_cursor(self, index: int, step: int = 1) -> None:
        former = self._state.key
        self._state.place(index, step)
        self._moved(former)

    @property
    def _page(self) -> int:
        return max(1, self.size.height - self._header)

    def _cursor_in_view(self) -> bool:
        top = self.scroll_offset.y
        return self._state.key is None or top <= self._state.cursor < top + self._page

    def _scroll_to_cursor(self) -> None:
        top = self.scroll_offset.y
        cursor = self._state.cursor
        first = 0 if cursor == 1 and self._state.shown[0].heading else cursor  # a first heading stays in sight
        if first < top:
            self.scroll_to(y=first, animate=False, immediate=True, force=True)
        elif cursor >= top + self._page:
            self.scroll_to(y=cursor - self._page + 1, animate=False, immediate=True, force=True)

    def action_cursor_up(self) -> None:
        """Move up one row."""
        self._place_cursor(self._state.cursor - 1, -1)

    def action_cursor_down(self) -> None:
        """Move down one row."""
        self._place_cursor(self._state.cursor + 1)

    def action_page_up(self) -> None:
        """Move up one page."""
        self._place_cursor(self._state.cursor - self._page, -1)

    def action_page_down(self) -> None:
        """Move down one page."""
        self._place_cursor(self._state.cursor + self._page)

    def action_home(self) -> None:
        """Move to the first row."""
        self._place_cursor(0)

    def action_end(self) -> None:
        """Move to the last row."""
        self._place_cursor(len(self._state.shown) - 1, -1)

    def action_select(self) -> None:
        """Open the row under the cursor, or fold the section."""
        if self._state.key is None:
            return
        row = self._state.shown[self._state.cursor]
        if row.heading:
            self.action_fold()
        else:
            self._selected(row.key)

    def action_fold(self) -> None:
        """Fold or unfold the section whose heading is under the cursor."""
        if self._state.fold():
            self._rearrange()

    def action_cycle_sort(self) -> None:
        """Sort by the next column."""
        visible = [place.column for place in self._places]
        self._state.sort, self._state.reverse = self._state.next_sorting(visible)
        self._rearrange()

    # The mouse

    def on_click(self, event: events.Click) -> None:
        """Put the cursor on the row clicked; a second click opens it; a click on a title sorts."""
        offset = event.get_content_offset(self)
        if offset is None:
            return
        event.stop()
        if offset.y < self._header:
            self._click_title(offset.x)
            return
        index = offset.y - self._header + self.scroll_offset.y
        if index < len(self._state.shown) and self._state.takes_cursor(self._state.shown[index]):
            self._place_cursor(index)
            if event.chain == 2:
                self.action_select()

    def _click_title(self, x: int) -> None:
        for place in self._places:
            column = self._state.columns[place.column]
            if place.x <= x < place.x + place.width and column.sortable:
                self._state.reverse = self._state.sort == place.column and not self._state.reverse
                self._state.sort = place.column
                self._rearrange()

    def on_mouse_scroll_down(self, event: events.MouseScrollDown) -> None:
        """Scroll by three lines, at once."""
        event.stop()
        self.scroll_to(y=self.scroll_offset.y + 3, animate=False, immediate=True)

    def on_mouse_scroll_up(self, event: events.MouseScrollUp) -> None:
        """Scroll by three lines, at once."""
        event.stop()
        self.scroll_to(y=self.scroll_offset.y - 3, animate=False, immediate=True)
