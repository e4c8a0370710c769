"""A database: activity, lock tree, statements, tables, indexes, replication, settings, and the server behind it."""

from __future__ import annotations

from collections.abc import Iterable
from typing import ClassVar

from textual.widget import Widget

from debugtui.model.alerts import Alert
from debugtui.model.postgres import PostgresReading
from debugtui.model.source import FleetView, Kind, SourceStatus
from debugtui.model.target import Target
from debugtui.screens.details import postgres_rows as rows
from debugtui.screens.details.base import DetailScreen, table_of
from debugtui.screens.rows.locks import COLUMNS as LOCK_COLUMNS
from debugtui.screens.rows.locks import lock_rows
from debugtui.widgets.facts import Facts
from debugtui.widgets.line_table import LineTable
from debugtui.widgets.plot import Plot


class PostgresScreen(DetailScreen):
    """Everything read of one database."""

    HELP = "One database: who does what, who blocks whom, what is slow, bloated, unused, lagging or waiting for a restart."
    TABS: ClassVar[tuple[tuple[str, str], ...]] = (
        ("activity", "Activity"),
        ("locks", "Locks"),
        ("statements", "Statements"),
        ("tables", "Tables"),
        ("indexes", "Indexes"),
        ("replication", "Replication"),
        ("settings", "Settings"),
        ("server", "Server"),
    )

    def __init__(self, target: Target) -> None:
        """Make the screen of a database, or of a session of it: `coach/4711` opens the locks with that session found."""
        self._database, _, self._session = target.name.partition("/")
        super().__init__(target)
        self._session_found = not self._session

    def on_mount(self) -> None:
        """A session was asked for: show it in the lock tree."""
        super().on_mount()
        if self._session and not self._asked:
            self.show_tab("locks")

    def compose_tab(self, name: str) -> Iterable[Widget]:
        """Yield the widgets of one tab."""
        if name == "server":
            yield Facts(id="facts", classes="facts")
            yield Plot("sessions", low=0, id="plot-connections")
            yield Plot("commits/s", low=0, id="plot-commits")
            return
        columns = LOCK_COLUMNS if name == "locks" else rows.COLUMNS[name]
        yield table_of(name, columns, "reading…")

    def repair_target(self) -> Target | None:
        """Return the session, table or index under the cursor, or the database."""
        name = self._status.name if self._status is not None else self._database
        table = self.focused
        key = table.cursor_key if isinstance(table, LineTable) else None
        if key is not None and self.tab == "locks":
            text = key.partition("@")[0]
            return Target.parse(text) if text.count("/") >= 2 else Target(self.target.host, Kind.POSTGRES, name)
        if key is not None and self.tab in ("activity", "tables", "indexes"):
            return Target(self.target.host, Kind.POSTGRES, f"{name}/{key}")
        return Target(self.target.host, Kind.POSTGRES, name)

    def find_status(self, view: FleetView) -> SourceStatus | None:
        """Return the database's source."""
        return self.status_of(view, Kind.POSTGRES, self._database or None)

    def concerns(self, alert: Alert) -> bool:
        """Alerts of the database and of its sessions are meant."""
        name = self._status.name if self._status is not None else self._database
        about = alert.target
        return (about.host, about.kind) == (self.target.host, Kind.POSTGRES) and about.name.partition("/")[0] == name

    def paint_tab(self, name: str, view: FleetView) -> None:
        """Paint one tab."""
        status = self._status
        reading = status.reading if status is not None else None
        if status is None or not isinstance(reading, PostgresReading):
            return
        if name == "server":
            self.query_one("#facts", Facts).show(rows.server_facts(reading, view.taken_at))
            self._plot(Target(status.host, Kind.POSTGRES, status.name))
        elif name == "locks":
            table = self.table(name)
            table.empty_text = "no session waits for a lock"
            table.set_rows(lock_rows(status, several=False))
            self._find_session(status)
        else:
            table = self.table(name)
            table.empty_text = rows.nothing(name, reading)
            table.set_rows(rows.MAKERS[name](reading, view.taken_at))
            if name == self._asked == "activity" and not self._session_found:
                self._session_found = table.move_to(self._session)

    def _find_session(self, status: SourceStatus) -> None:
        if not self._session_found:
            key = f"{status.host}/{status.kind}/{status.name}/{self._session}"
            self._session_found = self.table("locks").move_to(key)

    def _plot(self, target: Target) -> None:
        if self.app.fleet is None:
            return
        for metric in ("connections", "commits"):
            series = self.app.fleet.series(target, metric)
            self.query_one(f"#plot-{metric}", Plot).show(series.times, series.values)
