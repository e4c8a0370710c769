"""The monitoring screen: targets, alerts, rules and silences of every server; queries; Loki, Grafana, the servers."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from datetime import datetime
from typing import ClassVar

from textual.binding import BindingType
from textual.widget import Widget
from textual.widgets import Input

from debugtui.model.alerts import Alert
from debugtui.model.source import FleetView, Freshness, Kind, SourceStatus
from debugtui.model.target import MONITORING, Target
from debugtui.screens.details.base import KEY_LINE_RIGHT, DetailScreen, table_of
from debugtui.screens.details.query import QueryPane
from debugtui.screens.keys import bindings, hints
from debugtui.screens.rows import monitoring as rows
from debugtui.screens.rows import monitoring_servers as servers
from debugtui.screens.rows.common import freshness_tone
from debugtui.widgets.bar import Bar, Word
from debugtui.widgets.filter_bar import FilterBar
from debugtui.widgets.table_rows import Column, Row

#: Tabs of tables: the columns, the kinds that feed them, and what an empty one says.
_TABLES: dict[str, tuple[Sequence[Column], tuple[Kind, ...], str]] = {
    "targets": (rows.TARGETS, (Kind.PROMETHEUS,), "no Prometheus is configured ([[prometheus]])"),
    "alerts": (rows.ALERTS, (Kind.ALERTMANAGER, Kind.GRAFANA, Kind.PROMETHEUS), "no monitoring server is configured"),
    "rules": (rows.RULES, (Kind.PROMETHEUS,), "no Prometheus is configured ([[prometheus]])"),
    "silences": (rows.SILENCES, (Kind.ALERTMANAGER,), "no Alertmanager is configured ([[alertmanager]])"),
    "loki": (servers.LOKI, (Kind.LOKI,), "no Loki is configured ([[loki]])"),
    "grafana": (servers.GRAFANA, (Kind.GRAFANA,), "no Grafana is configured ([[grafana]])"),
    "servers": (servers.SERVERS, servers.KINDS, "no monitoring server is configured"),
}

#: Where a target of each kind may stand, best first; the servers' own tab has what is nowhere else.
_PLACES: dict[str, tuple[str, ...]] = {
    Kind.PROMETHEUS: ("targets", "rules", "alerts"),
    Kind.ALERTMANAGER: ("alerts", "silences"),
    Kind.LOKI: ("loki",),
    Kind.GRAFANA: ("grafana", "alerts"),
}

KEY_LINE_TABLE = (
    "detail.back", "detail.next_tab", "monitoring.expression", "table.filter", "table.sort", "app.copy", "app.pause",
)  # fmt: skip
KEY_LINE_QUERY = (
    "detail.back", "monitoring.expression", "monitoring.next_server", "monitoring.span", "table.filter", "app.copy",
)  # fmt: skip

#: Ages are painted anew every second; of more rows than this every five seconds.
MANY = 300


class MonitoringScreen(DetailScreen):
    """Everything that the monitoring servers tell."""

    HELP = "What the monitoring servers tell: targets, alerts, rules, silences, queries, Loki, Grafana, and how they are."
    TABS: ClassVar[tuple[tuple[str, str], ...]] = (
        ("targets", "Targets"),
        ("alerts", "Alerts"),
        ("rules", "Rules"),
        ("silences", "Silences"),
        ("query", "Query"),
        ("loki", "Loki"),
        ("grafana", "Grafana"),
        ("servers", "Servers"),
    )
    BINDINGS: ClassVar[list[BindingType]] = list(bindings("monitoring"))

    def __init__(self, target: Target | None = None) -> None:
        """Make the screen; a target of a monitoring server is shown with the cursor on it."""
        super().__init__(target or Target(MONITORING, Kind.PROMETHEUS))
        self._wanted = target
        self._made: dict[str, tuple[object, list[Row]]] = {}

    def compose_tab(self, name: str) -> Iterable[Widget]:
        """Yield the widgets of one tab."""
        if name == "query":
            yield QueryPane()
        else:
            yield table_of(name, _TABLES[name][0], "reading…")

    @property
    def opened_source(self) -> None:
        """No source is read more often for this screen: each has a pace of its own."""
        return

    def _show_keys(self, first: Widget | None) -> None:
        ids = KEY_LINE_QUERY if self.tab == "query" else KEY_LINE_TABLE
        words: list[Word] = [(f"{key} {label}", "") for key, label in hints(ids, self.app.operator_keys)]
        always: list[Word] = [(f"{key} {label}", "") for key, label in hints(KEY_LINE_RIGHT, self.app.operator_keys)]
        self.query_one("#keys", Bar).show(words, always)

    def find_status(self, view: FleetView) -> SourceStatus | None:
        """Return the source of the target that was asked for."""
        return self.status_of(view, Kind(self.target.kind), self.target.name.partition("/")[0])

    def repair_target(self) -> Target | None:
        """Nothing here is repaired."""
        return None

    # Painting

    def paint(self, view: FleetView, alerts: tuple[Alert, ...]) -> None:
        """Paint title and tab from a view."""
        if self._wanted is not None:
            wanted, self._wanted = self._wanted, None
            self._go_to(wanted, view)
        statuses = _statuses(view, servers.KINDS)
        unwell = [one for one in statuses if one.freshness in (Freshness.LOST, Freshness.STALE) and one.problem is not None]
        mine = [alert for alert in alerts if alert.target.kind in servers.KINDS]
        words: list[Word] = [("Monitoring", "heading"), (f"{len(statuses)} servers", ""), (f"{len(mine)} alerts", "")]
        right: list[Word] = []
        if unwell:
            right = [(f"{len(unwell)} cannot be read", freshness_tone(Freshness.LOST))]
        elif statuses:
            right = [("live", "ok")]
        self.query_one("#title", Bar).show(words, right)
        self.paint_tab(self.tab, view)
        if self.query_one(FilterBar).display:
            self.query_one(FilterBar).refresh_count()

    def paint_tab(self, name: str, view: FleetView) -> None:
        """Paint one tab."""
        if name == "query":
            self.query_one(QueryPane).show_servers(view)
            return
        table = self.table(name)
        table.empty_text = _TABLES[name][2]
        table.set_rows(self._rows(name, view))

    def _rows(self, name: str, view: FleetView) -> list[Row]:
        """Return the rows of a tab; the very same list where nothing changed."""
        statuses = _statuses(view, _TABLES[name][1])
        before = self._made.get(name)
        step = 5 if before is not None and len(before[1]) > MANY else 1
        versions = tuple((one.host, one.kind, one.name, one.sequence, one.freshness) for one in statuses)
        version = (versions, int(view.taken_at.timestamp()) // step)
        if before is None or before[0] != version:
            self._made[name] = (version, _make(name, statuses, view.taken_at))
        return self._made[name][1]

    def _go_to(self, target: Target, view: FleetView) -> None:
        """Show the tab and the row of a target; what has no row of its own is shown among the servers."""
        text = str(target)
        places = _PLACES.get(target.kind, ()) if "/" in target.name else ()
        for name in (*places, "servers"):
            found = _find(self._rows(name, view), text)
            if found is not None:
                self.show_tab(name)
                self.table(name).set_rows(self._rows(name, view))
                self.table(name).move_to(found)
                return
        if target.name:
            self.show_tab("servers")

    # Actions

    def action_back(self) -> None:
        """Leave the expression first, then the screen."""
        if isinstance(self.focused, Input) and self.focused.id == "query-input":
            self.table("query").focus()
        else:
            super().action_back()

    def action_expression(self) -> None:
        """Go to the expression."""
        if self.tab != "query":
            self.show_tab("query")
        self.query_one(QueryPane).edit()

    def action_next_server(self) -> None:
        """Ask the next server."""
        if self.tab == "query":
            self.query_one(QueryPane).next_server()

    def action_span(self) -> None:
        """Plot another span of time."""
        if self.tab == "query":
            self.query_one(QueryPane).next_span()


def _statuses(view: FleetView, kinds: Sequence[Kind]) -> list[SourceStatus]:
    """Return the monitoring servers of some kinds, kind by kind."""
    return [source for kind in kinds for host in view.hosts for source in host.of_kind(kind)]


def _make(name: str, statuses: Sequence[SourceStatus], now: datetime) -> list[Row]:
    hidden = rows.hidden_alerts(statuses) if name == "alerts" else frozenset()
    makers: dict[str, Callable[[SourceStatus], list[Row]]] = {
        "targets": lambda status: rows.target_rows(status, now),
        "alerts": lambda status: rows.alert_rows(status, now, hidden),
        "rules": lambda status: rows.rule_rows(status, now),
        "silences": lambda status: rows.silence_rows(status, now),
        "loki": servers.loki_rows,
        "grafana": servers.grafana_rows,
        "servers": lambda status: servers.server_rows(status, now),
    }
    return servers.sections(statuses, now, makers[name])


def _find(made: Sequence[Row], text: str) -> str | None:
    """Return the key of a target's row: its own, its heading's, or that of the first row below it (a job's targets)."""
    keys = [row.key for row in made]
    for wanted in (text, f"server:{text}"):
        if wanted in keys:
            return wanted
    return next((key for key in keys if key.startswith(f"{text}/")), None)
