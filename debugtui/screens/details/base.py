"""What every detail screen has: a title, tabs, tables and facts painted from the newest view, and the way back."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import ClassVar

from textual import getters
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.widget import Widget
from textual.widgets import ContentSwitcher, Input

from debugtui.model.alerts import Alert
from debugtui.model.source import FleetView, Kind, SourceStatus
from debugtui.model.target import Target
from debugtui.screens.console import Console, PaintedScreen, row_text
from debugtui.screens.keys import bindings, hints
from debugtui.screens.rows.common import freshness_tone, freshness_words
from debugtui.widgets.bar import GAP, Bar, Word
from debugtui.widgets.filter_bar import FilterBar
from debugtui.widgets.line_table import LineTable
from debugtui.widgets.log_view import LogView

KEY_LINE = ("detail.back", "detail.next_tab", "app.repair", "table.filter", "table.sort", "app.copy", "app.pause")
KEY_LINE_LOG = ("detail.back", "detail.next_tab", "log.search", "log.filter", "log.level", "log.follow", "app.copy")
KEY_LINE_RIGHT = ("app.palette", "app.help")


class DetailScreen(PaintedScreen):
    """A screen about one target. Subclasses name their tabs, compose them, and paint them."""

    app = getters.app(Console)
    CSS_PATH = "details.tcss"
    AUTO_FOCUS = ""
    #: (id, title) of each tab, from left to right.
    TABS: ClassVar[tuple[tuple[str, str], ...]] = ()
    BINDINGS: ClassVar[list[BindingType]] = [
        *bindings("detail"),
        *(Binding(str(number), f"tab({number})", show=False) for number in range(1, 10)),
    ]

    def __init__(self, target: Target) -> None:
        """Make the screen of `target`."""
        super().__init__()
        self.target = target
        self._tab = self.tabs[0][0]
        self._asked = ""
        self._status: SourceStatus | None = None

    def compose(self) -> ComposeResult:
        """Header, title, tab line, the tabs, filter line, key line."""
        yield Bar(id="header")
        yield Bar([(str(self.target), "heading")], id="title")
        yield Bar(id="tabs")
        with ContentSwitcher(initial=f"tab-{self._tab}", id="switcher"):
            for name, _ in self.tabs:
                with Vertical(id=f"tab-{name}", classes="tab"):
                    yield from self.compose_tab(name)
        yield FilterBar(id="filter")
        yield Bar(id="keys")

    def compose_tab(self, name: str) -> Iterable[Widget]:
        """Yield the widgets of one tab."""
        raise NotImplementedError(name)

    def on_mount(self) -> None:
        """Show the first tab."""
        self.ready = True
        self.show_tab(self._tab)

    def _show_keys(self, first: Widget | None) -> None:
        ids = KEY_LINE_LOG if isinstance(first, LogView) else KEY_LINE
        words: list[Word] = [(f"{key} {label}", "") for key, label in hints(ids, self.app.operator_keys)]
        always: list[Word] = [(f"{key} {label}", "") for key, label in hints(KEY_LINE_RIGHT, self.app.operator_keys)]
        self.query_one("#keys", Bar).show(words, always)

    # Tabs

    def begin_at(self, tab: str) -> None:
        """Show this tab first, where there is one of this name; before the screen is shown."""
        if any(tab == name for name, _ in self.tabs):
            self._tab = self._asked = tab

    @property
    def tabs(self) -> tuple[tuple[str, str], ...]:
        """(id, title) of each tab of this screen, from left to right."""
        return self.TABS

    @property
    def tab(self) -> str:
        """Id of the tab shown."""
        return self._tab

    def show_tab(self, name: str) -> None:
        """Show a tab and put the focus into it."""
        self._tab = name
        self.query_one(ContentSwitcher).current = f"tab-{name}"
        self._show_tabs()
        holder = self.query_one(f"#tab-{name}")
        first = next((widget for widget in holder.query("*") if widget.can_focus), None)
        self.set_focus(first)
        self._show_keys(first)
        self.tab_shown(name)
        self.app.repaint()

    def _show_tabs(self) -> None:
        bar = self.query_one("#tabs", Bar)
        words: list[Word] = []
        for number, (name, title) in enumerate(self.tabs, 1):
            shown = name == self._tab
            words.append((f"[{number} {title}]" if shown else f"{number} {title}", "accent" if shown else "dim"))
        at = [name for name, _ in self.tabs].index(self._tab)
        first, room = 0, (bar.size.width or 200) - GAP
        # Where the tabs do not fit, those before the one shown go first.
        while first < at and sum(len(text) + GAP for text, _ in words[first : at + 1]) > room - (1 + GAP if first else 0):
            first += 1
        bar.show([("…", "dim"), *words[first:]] if first else words)

    def tab_shown(self, name: str) -> None:
        """Do what a tab needs when it is shown, such as read an XML document."""

    def action_tab(self, number: int) -> None:
        """Show a tab by its number."""
        if number <= len(self.tabs):
            self.show_tab(self.tabs[number - 1][0])

    def _step(self, step: int) -> None:
        names = [name for name, _ in self.tabs]
        self.show_tab(names[(names.index(self._tab) + step) % len(names)])

    def action_next_tab(self) -> None:
        """Show the next tab."""
        self._step(1)

    def action_previous_tab(self) -> None:
        """Show the previous tab."""
        self._step(-1)

    def action_back(self) -> None:
        """Go back; an open question or a filter line closes first."""
        if not isinstance(self.focused, Input):
            self.dismiss(None)

    def repair_target(self) -> Target | None:
        """Return this screen's target."""
        return self.target

    # Painting

    def status_of(self, view: FleetView, kind: Kind, name: str | None = None) -> SourceStatus | None:
        """Return a source of the target's host in a view."""
        for host in view.hosts:
            if host.name == self.target.host:
                for source in host.of_kind(kind):
                    if name in (None, source.name):
                        return source
        return None

    def paint(self, view: FleetView, alerts: tuple[Alert, ...]) -> None:
        """Paint title and tab from a view."""
        self._status = self.find_status(view)
        mine = [alert for alert in alerts if self.concerns(alert) and alert.silence is None]
        words: list[Word] = [(str(self.target), "heading")]
        words += [(alert.message, "bad" if alert.severity == "critical" else "warn") for alert in mine[:2]]
        right: list[Word] = []
        if self._status is not None:
            right = [(freshness_words(self._status, view.taken_at), freshness_tone(self._status.freshness))]
            if self._status.problem is not None:
                words.append((str(self._status.problem), "bad"))
        self.query_one("#title", Bar).show(words, right)
        self._show_tabs()
        self.paint_tab(self._tab, view)
        if self.query_one(FilterBar).display:
            self.query_one(FilterBar).refresh_count()

    def find_status(self, view: FleetView) -> SourceStatus | None:
        """Return the source that this screen is about."""
        raise NotImplementedError

    def concerns(self, alert: Alert) -> bool:
        """Tell whether an alert is about this screen's target."""
        return alert.target == self.target

    def paint_tab(self, name: str, view: FleetView) -> None:
        """Paint one tab from a view."""
        raise NotImplementedError(name)

    @property
    def opened_source(self) -> tuple[str, Kind, str] | None:
        """The source to read more often while this screen is open."""
        if self._status is None:
            return (self.target.host, Kind(self.target.kind), self.target.name.partition("/")[0] or self.target.kind)
        return (self._status.host, self._status.kind, self._status.name)

    def table(self, name: str) -> LineTable:
        """Return the table of a tab."""
        return self.query_one(f"#table-{name}", LineTable)

    def text_to_copy(self) -> tuple[str, str] | None:
        """Return the row under the cursor."""
        focused = self.focused
        if isinstance(focused, LineTable) and focused.cursor_row is not None:
            return row_text(focused), f"{self.target}-{self._tab}"
        return None


def table_of(name: str, columns: Sequence[object], nothing: str, *, folds: bool = True) -> LineTable:
    """Return a table for a tab; `folds`: whether its headings take the cursor and fold what stands below them."""
    table_id = f"table-{name}"
    return LineTable(columns, id=table_id, empty_text=nothing, collapsible=folds)  # type: ignore[arg-type] # of the rows modules
