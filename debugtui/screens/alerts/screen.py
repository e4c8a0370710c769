"""The alerts screen: what is open, what is silenced, what ended within a day, and the rules."""

from __future__ import annotations

from collections.abc import Iterable
from typing import ClassVar

from textual.binding import BindingType
from textual.widget import Widget

from debugtui.alerts.describe import RuleWords, words_of
from debugtui.alerts.settings import Rules
from debugtui.model.alerts import Alert, Silence
from debugtui.model.source import FleetView, Kind, SourceStatus
from debugtui.model.target import Target
from debugtui.screens.alerts import rows
from debugtui.screens.alerts.flow import begin_acknowledge, begin_end, begin_silence
from debugtui.screens.alerts.places import tab_of
from debugtui.screens.details.base import DetailScreen, table_of
from debugtui.screens.keys import bindings, hints
from debugtui.screens.rows.alerts import alert_key
from debugtui.widgets.bar import Bar, Word
from debugtui.widgets.facts import Fact, Facts
from debugtui.widgets.filter_bar import FilterBar
from debugtui.widgets.line_table import LineTable

KEY_LINE = (
    "detail.back",
    "detail.next_tab",
    "table.select",
    "alerts.acknowledge",
    "alerts.silence",
    "app.repair",
    "table.filter",
)
KEY_LINE_RIGHT = ("app.palette", "app.help")


class AlertsScreen(DetailScreen):
    """All alerts, with what operators said of them."""

    CSS_PATH = "../details/details.tcss"
    DEFAULT_CSS = "AlertsScreen .facts { height: 5; margin-top: 1; margin-bottom: 0; }"
    TABS: ClassVar[tuple[tuple[str, str], ...]] = (
        ("open", "Open"),
        ("silenced", "Silenced"),
        ("recent", "Recent"),
        ("rules", "Rules"),
    )
    BINDINGS: ClassVar[list[BindingType]] = list(bindings("alerts"))
    HELP = "Every alert. Enter opens the reading that raised it. a acknowledges it, x silences it; on a silence x ends it."

    def __init__(self) -> None:
        super().__init__(Target("alerts", "alerts"))
        self._alerts: tuple[Alert, ...] = ()
        self._words: tuple[Rules, dict[str, RuleWords]] | None = None

    def compose_tab(self, name: str) -> Iterable[Widget]:
        """Yield the table of one tab."""
        columns = {"open": rows.OPEN, "silenced": rows.OPEN, "recent": rows.RECENT, "rules": rows.RULES}[name]
        nothing = {
            "open": "nothing is wrong that is watched",
            "silenced": "nothing is silenced; x on an alert silences it",
            "recent": "no alert ended within the last day",
        }.get(name, "")
        yield table_of(name, columns, nothing)
        yield Facts(id=f"facts-{name}", classes="facts")

    def _show_keys(self, first: Widget | None) -> None:
        words: list[Word] = [(f"{key} {label}", "") for key, label in hints(KEY_LINE, self.app.operator_keys)]
        always: list[Word] = [(f"{key} {label}", "") for key, label in hints(KEY_LINE_RIGHT, self.app.operator_keys)]
        self.query_one("#keys", Bar).show(words, always)

    # Painting

    def paint(self, view: FleetView, alerts: tuple[Alert, ...]) -> None:
        """Paint title and tab."""
        self._alerts = alerts
        speaking = [alert for alert in alerts if alert.silence is None]
        words: list[Word] = [("Alerts", "heading"), (f"{len(speaking)} open", "warn" if speaking else "ok")]
        seen = sum(alert.acknowledged is not None for alert in speaking)
        unknown = sum(alert.unknown_since is not None for alert in speaking)
        for number, word in ((seen, "✓ acknowledged"), (unknown, "? unknown"), (len(alerts) - len(speaking), "◌ silenced")):
            words += [(f"{number} {word}", "")] if number else []
        right: list[Word] = [] if self.app.keeper.remembers else [("not remembered after this run", "warn")]
        self.query_one("#title", Bar).show(words, right)
        self.paint_tab(self.tab, view)
        if self.query_one(FilterBar).display:
            self.query_one(FilterBar).refresh_count()

    def paint_tab(self, name: str, view: FleetView) -> None:
        """Paint one tab."""
        table, book, now = self.table(name), self.app.keeper.book, view.taken_at
        if name == "open":
            table.set_rows(rows.open_rows([alert for alert in self._alerts if alert.silence is None], now))
        elif name == "silenced":
            table.set_rows(rows.silenced_rows(book.silences, self._alerts, self.app.clock.now()))
        elif name == "recent":
            table.set_rows(rows.recent_rows(book.recent, now))
        else:
            table.set_rows(rows.rule_rows(self._rules().values()))
        self._tell()

    def _rules(self) -> dict[str, RuleWords]:
        rules = self.app.keeper.book.rules
        if self._words is None or self._words[0] is not rules:
            self._words = (rules, {one.name: one for one in words_of(rules)})
        return self._words[1]

    def _tell(self) -> None:
        """Say below the table all that is known of the row under its cursor."""
        self.query_one(f"#facts-{self.tab}", Facts).show(self._facts())

    def _facts(self) -> list[Fact]:
        key, words = self.table(self.tab).cursor_key or "", self._rules()
        if self.tab == "rules":
            rule = words.get(key.removeprefix(rows.RULE))
            return rows.rule_facts(rule) if rule is not None else []
        if self.tab == "recent":
            over = next((one for at, one in enumerate(self.app.keeper.book.recent) if rows.recent_key(one, at) == key), None)
            return rows.over_facts(over, words.get(over.rule)) if over is not None else []
        alert = self._alert()
        if alert is None:
            return []
        return rows.facts_of(alert, words.get(alert.rule), self.app.keeper.book.trail((alert.rule, alert.target)))

    def on_line_table_highlighted(self, event: LineTable.Highlighted) -> None:
        """Another row: say what is known of it."""
        event.stop()
        if event.table.id == f"table-{self.tab}":
            self._tell()

    def find_status(self, view: FleetView) -> SourceStatus | None:
        """No source alone feeds this screen."""
        return None

    @property
    def opened_source(self) -> tuple[str, Kind, str] | None:
        """No source is read more often because of this screen."""
        return None

    # What stands under the cursor

    def _key(self) -> str:
        return self.table(self.tab).cursor_key or ""

    def _alert(self) -> Alert | None:
        key = self._key().partition(rows.UNDER)[0]
        return next((alert for alert in self._alerts if alert_key(alert) == key), None)

    def _silence(self) -> Silence | None:
        key = self._key()
        number = key.removeprefix(rows.SILENCE) if key.startswith(rows.SILENCE) else key.partition(rows.UNDER)[2]
        return next((one for one in self.app.keeper.book.silences if one.id == number), None)

    def alert_under_cursor(self) -> Alert | None:
        """Return the alert that the cursor stands on."""
        return self._alert()

    def repair_target(self) -> Target | None:
        """Return what the alert under the cursor is about."""
        alert = self._alert()
        return alert.target if alert is not None else None

    # Actions

    def on_line_table_selected(self, event: LineTable.Selected) -> None:
        """Open the reading that raised the alert; of one that is over, what it was about."""
        event.stop()
        if self.tab != "rules" and not event.key.startswith(rows.SILENCE):
            rule, _, target = event.key.partition(rows.UNDER)[0].partition(" ")
            about = Target.parse(target)
            self.app.open_target(about, tab_of(rule, about.kind))

    def action_acknowledge(self) -> None:
        """Acknowledge the alert under the cursor."""
        alert = self._alert() if self.tab in ("open", "silenced") else None
        if alert is None:
            self.app.say("no open alert under the cursor to acknowledge")
        else:
            begin_acknowledge(self.app, alert)

    def action_silence(self) -> None:
        """Silence the alert under the cursor, or end the silence under it."""
        if self.tab == "silenced":
            silence = self._silence()
            if silence is not None:
                begin_end(self.app, silence)
                return
        alert = self._alert() if self.tab == "open" else None
        if alert is None:
            self.app.say("nothing under the cursor to silence")
        else:
            begin_silence(self.app, alert)
