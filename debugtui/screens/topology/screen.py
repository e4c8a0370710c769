"""The topology as a tree, the services, and what could not be placed."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Iterable
from typing import ClassVar

from textual.message import Message
from textual.widget import Widget

from debugtui.alerts.placed import placed
from debugtui.model.alerts import Alert
from debugtui.model.catalogue import Catalogue
from debugtui.model.source import FleetView, Kind, SourceStatus
from debugtui.model.target import Target
from debugtui.model.topology import NodeState, Topology
from debugtui.screens.details.base import KEY_LINE_RIGHT, DetailScreen
from debugtui.screens.keys import hints
from debugtui.screens.topology.rows import (
    REST,
    SERVICES,
    STATES,
    TREE,
    Opens,
    rest_rows,
    service_rows,
    tree_rows,
)
from debugtui.widgets.bar import Bar, Word
from debugtui.widgets.filter_bar import FilterBar
from debugtui.widgets.line_table import LineTable
from debugtui.widgets.table_rows import cell_of

KEYS = ("detail.back", "detail.next_tab", "table.select", "table.toggle", "table.filter", "app.repair", "app.copy")
#: Seconds between two topologies, at least: how things hang together changes seldom.
EVERY_S = 2.0


class TreeTable(LineTable):
    """A table of which any row that has others below it can be folded; the screen makes the rows."""

    class Folded(Message):
        """Space on a row."""

        def __init__(self, key: str) -> None:
            super().__init__()
            self.key = key

    class Filtered(Message):
        """Another filter is in force."""

    def filter(self, text: str) -> None:
        """Show the rows that match, and say so: what is folded away is looked at as well."""
        super().filter(text)
        self.post_message(self.Filtered())

    def action_fold(self) -> None:
        """Fold or unfold the row under the cursor."""
        row = self.cursor_row
        if row is not None and row.heading:
            super().action_fold()
        elif row is not None:
            self.post_message(self.Folded(row.key))


class TopologyScreen(DetailScreen):
    """How everything hangs together."""

    CSS_PATH = "../details/details.tcss"
    HELP = "What cannot do without what, from the routes down; services and who is responsible; what could not be placed."
    TABS: ClassVar[tuple[tuple[str, str], ...]] = (("tree", "Tree"), ("services", "Services"), ("rest", "Not placed"))

    def __init__(self) -> None:
        """Make the screen; it is filled by what is read."""
        super().__init__(Target("", "topology"))
        self._found: tuple[Topology, Catalogue] | None = None
        self._wanted: tuple[FleetView, tuple[Alert, ...]] | None = None
        self._made_at: float | None = None
        self._making = False
        self._folded: frozenset[str] = frozenset()
        self._opens: dict[str, Opens] = {}

    def compose_tab(self, name: str) -> Iterable[Widget]:
        """Yield the table of one tab."""
        columns = {"tree": TREE, "services": SERVICES, "rest": REST}[name]
        nothing = {
            "tree": "putting together…",
            "services": "no service: name some in [[services]], or label containers (debugtui.owner)",
            "rest": "everything is placed",
        }[name]
        yield TreeTable(columns, id=f"table-{name}", empty_text=nothing)
        yield Bar(id=f"about-{name}", classes="about")

    def find_status(self, view: FleetView) -> SourceStatus | None:
        """Return none: this screen is about all of them."""
        return None

    @property
    def opened_source(self) -> tuple[str, Kind, str] | None:
        """No source in particular."""
        return None

    def _show_keys(self, first: Widget | None) -> None:
        words: list[Word] = [(f"{key} {label}", "") for key, label in hints(KEYS, self.app.operator_keys)]
        always: list[Word] = [(f"{key} {label}", "") for key, label in hints(KEY_LINE_RIGHT, self.app.operator_keys)]
        self.query_one("#keys", Bar).show(words, always)

    # Making it

    def paint(self, view: FleetView, alerts: tuple[Alert, ...]) -> None:
        """Have the topology of a view made, beside the event loop, and show the newest one that is ready."""
        self._wanted = (view, alerts)
        now = self.app.clock.monotonic()
        due = self._made_at is None or now - self._made_at >= EVERY_S
        if due and not self._making:
            self._making, self._made_at = True, now
            self.run_worker(self._make(), name="topology", group="topology", exit_on_error=False)
        self._show()

    async def _make(self) -> None:
        wanted = self._wanted
        try:
            if wanted is not None:
                self._found = await asyncio.to_thread(_place, self.app.configuration, *wanted)
                self._show()
        finally:
            self._making = False

    def _show(self) -> None:
        if not self.is_attached:
            return
        self.query_one("#title", Bar).show(self._title())
        self.paint_tab(self.tab, self.app.view)
        bar = self.query_one(FilterBar)
        if bar.display:
            bar.refresh_count()

    def _title(self) -> list[Word]:
        words: list[Word] = [("Topology", "heading")]
        if self._found is not None:
            topology, catalogue = self._found
            counts = Counter(node.state for node in topology.nodes)
            words.append((f"{len(topology.nodes)} things, {len(topology.edges)} relations", ""))
            words.append((f"{len(catalogue.services)} services", ""))
            bad = [state for state in (NodeState.DOWN, NodeState.DEGRADED, NodeState.UNKNOWN) if counts[state]]
            words += [(f"{counts[state]} {state.value}", STATES[state][1]) for state in bad]
        return words

    def paint_tab(self, name: str, view: FleetView) -> None:
        """Paint one tab from the newest topology."""
        if self._found is None:
            return
        topology, catalogue = self._found
        table = self.table(name)
        folded = frozenset() if table.filter_text else self._folded  # what is folded away is found all the same
        if name == "tree":
            rows, self._opens[name] = tree_rows(topology, folded)
        elif name == "services":
            rows, self._opens[name] = service_rows(topology, catalogue, folded)
        else:
            rows, self._opens[name] = rest_rows(topology, catalogue)
        table.set_rows(rows)
        self._about()

    def on_tree_table_filtered(self) -> None:
        """Show what is folded while a filter looks for it."""
        self._show()

    def on_line_table_highlighted(self) -> None:
        """Say of the row under the cursor what its columns have no room for."""
        self._about()

    def _about(self) -> None:
        table = self.table(self.tab)
        row = table.cursor_row
        words: list[Word] = []
        if row is not None and not row.heading:
            texts = [cell_of(row, at, column).text for at, column in enumerate(table.columns)]
            words = [(text, "dim" if at else "") for at, text in enumerate(texts[2:]) if text not in ("", "-")]
        self.query_one(f"#about-{self.tab}", Bar).show(words)

    # What is done here

    def on_tree_table_folded(self, event: TreeTable.Folded) -> None:
        """Fold or unfold a row."""
        event.stop()
        self._folded ^= {event.key}
        self._show()

    def on_line_table_selected(self, event: LineTable.Selected) -> None:
        """Open what a row is about; a service has no screen of its own, so it is folded or unfolded."""
        event.stop()
        target = self._opens.get(self.tab, {}).get(event.key)
        if target is not None:
            self.app.open_target(target)
        else:
            self._folded ^= {event.key}
            self._show()

    def repair_target(self) -> Target | None:
        """Return what the row under the cursor is about."""
        key = self.table(self.tab).cursor_key
        return self._opens.get(self.tab, {}).get(key) if key is not None else None


def _place(config: object, view: FleetView, alerts: tuple[Alert, ...]) -> tuple[Topology, Catalogue]:
    from debugtui.config.models import Config

    return placed(view, config if isinstance(config, Config) else Config(), alerts)
