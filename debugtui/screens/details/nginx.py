"""One nginx: how it runs, which name goes where, its upstreams, and what its logs say."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import ClassVar

from textual.widget import Widget

from debugtui.model.nginx import Listen, NginxReading
from debugtui.model.source import FleetView, Kind, SourceStatus
from debugtui.model.target import Target
from debugtui.screens.details.base import DetailScreen, table_of
from debugtui.screens.rows.common import seconds_since
from debugtui.screens.rows.web import nginx_state
from debugtui.widgets.facts import Fact, Facts
from debugtui.widgets.format import age, clock, latency
from debugtui.widgets.plot import Plot
from debugtui.widgets.table_rows import Cell, Column, Row

SERVERS = (
    Column("name", "server or location", min_width=16),
    Column("to", "goes to", min_width=16),
    Column("container", "container", width=16, priority=1),
    Column("listen", "listens", width=24, priority=2),
    Column("where", "file", min_width=12, priority=3),
)
UPSTREAMS = (
    Column("address", "upstream, server", min_width=20),
    Column("state", "state", width=10),
    Column("weight", "weight", width=6, align="right", priority=1),
    Column("container", "container", min_width=10),
)
ERRORS = (
    Column("level", "level", width=8),
    Column("count", "in 5 min", width=8, align="right"),
    Column("at", "newest", width=8, priority=1),
    Column("line", "line", min_width=30),
)


class NginxScreen(DetailScreen):
    """Everything about one nginx."""

    HELP = "One nginx: its processes, which name goes to which container, its upstreams, and what its logs say."
    TABS: ClassVar[tuple[tuple[str, str], ...]] = (
        ("state", "State"),
        ("servers", "Servers"),
        ("upstreams", "Upstreams"),
        ("errors", "Errors"),
    )

    def compose_tab(self, name: str) -> Iterable[Widget]:
        """Yield the widgets of one tab."""
        if name == "state":
            yield Facts(id="facts", classes="facts")
            yield Plot("requests/s", low=0, id="plot-requests")
            return
        columns = {"servers": SERVERS, "upstreams": UPSTREAMS, "errors": ERRORS}[name]
        yield table_of(name, columns, {"errors": "no error in the last five minutes"}.get(name, "none configured"))

    def find_status(self, view: FleetView) -> SourceStatus | None:
        """Return the nginx's source."""
        return self.status_of(view, Kind.NGINX, self.target.name or None)

    def paint_tab(self, name: str, view: FleetView) -> None:
        """Paint one tab."""
        status = self._status
        reading = status.reading if status is not None else None
        if status is None or not isinstance(reading, NginxReading):
            return
        if name == "state":
            self.query_one("#facts", Facts).show(facts_of(reading, view.taken_at))
            if self.app.fleet is not None:
                series = self.app.fleet.series(Target(status.host, Kind.NGINX, status.name), "requests")
                self.query_one("#plot-requests", Plot).show(series.times, series.values)
        else:
            self.table(name).set_rows({"servers": server_rows, "upstreams": upstream_rows, "errors": error_rows}[name](reading))


def _listen(listen: Listen) -> str:
    owner = f" (owned by {listen.owner})" if listen.ours is False and listen.owner else ""
    return f"{listen.address}{' tls' if listen.tls else ''}{owner}"


def facts_of(reading: NginxReading, now: datetime) -> list[Fact]:
    """Return what is known of an nginx."""
    state, status, access = nginx_state(reading), reading.status, reading.access
    running = (
        f"master {reading.master_pid}, {reading.workers} workers" if reading.master_pid else "no master runs with this file"
    )
    tested = {True: "nginx -t accepts it", False: "broken", None: "not tested"}[reading.config_ok]
    facts: list[Fact] = [
        ("state", state.text.rstrip("!"), state.tone),
        ("processes", running, "" if reading.master_pid else "bad"),
        ("configuration", reading.config, ""),
        ("on disk", reading.config_says or tested, "bad" if reading.config_ok is False else ""),
        ("taken", f"{age(seconds_since(reading.started_at, now))} ago" if reading.started_at else "-", ""),
        ("changed", _changed(reading, now), "warn" if reading.not_taken else ""),
        ("version", reading.version or "-", ""),
    ]
    if status is not None:
        words = f"{status.active} active, {status.reading} reading, {status.writing} writing, {status.waiting} waiting"
        facts.append(("connections", words, ""))
        facts.append(("dropped", str(status.dropped), "bad" if status.dropped else "dim"))
    if access is not None:
        shares = f"{100 * access.share_5xx:.1f} % 5xx, {100 * access.share_4xx:.1f} % 4xx"
        facts.append(("access log", f"{access.requests_s:.1f} requests/s, {shares}, p95 {latency(access.p95_ms)}", ""))
        if access.newest_5xx:
            facts.append(("newest 5xx", access.newest_5xx, "bad"))
        if access.slowest:
            facts.append(("slowest", access.slowest, "dim"))
    return facts + [(f"without {gap.feature}", str(gap.problem), "dim") for gap in reading.gaps]


def _changed(reading: NginxReading, now: datetime) -> str:
    if reading.config_changed_at is None:
        return "-"
    words = f"{age(seconds_since(reading.config_changed_at, now))} ago"
    return f"{words}, and not taken since: a reload takes it" if reading.not_taken else words


def server_rows(reading: NginxReading) -> list[Row]:
    """Return each server with its locations below it."""
    rows: list[Row] = []
    for number, server in enumerate(reading.servers):
        listens = ", ".join(_listen(listen) for listen in server.listens)
        taken = any(listen.ours is False and listen.owner for listen in server.listens)
        names = " ".join(server.names) or "_"
        cells = (
            Cell(names, "heading"),
            Cell(server.root, "dim"),
            Cell(""),
            Cell(listens, "bad" if taken else ""),
            Cell(f"{server.file}:{server.line}" if server.file else "", "dim"),
        )
        rows.append(Row(str(number), cells))
        for at, location in enumerate(server.locations):
            below = (Cell(location.path), Cell(location.to), Cell(" ".join(location.containers)))
            rows.append(Row(f"{number}/{at}", below, indent="  "))
    return rows


def upstream_rows(reading: NginxReading) -> list[Row]:
    """Return each upstream with its servers below it."""
    rows: list[Row] = []
    for upstream in reading.upstreams:
        rows.append(Row(upstream.name, (Cell(upstream.name, "heading"),), heading=True))
        for server in upstream.servers:
            if server.down:
                state = Cell("down", "warn")
            elif server.answers is False:
                state = Cell("no answer", "bad")
            else:
                state = Cell(
                    "backup" if server.backup else "answers" if server.answers else "-", "ok" if server.answers else "dim"
                )
            cells = (Cell(server.address), state, Cell(str(server.weight)), Cell(server.container))
            rows.append(Row(f"{upstream.name}/{server.address}", cells))
    return rows


def error_rows(reading: NginxReading) -> list[Row]:
    """Return the error log's levels, worst first."""
    return [
        Row(
            group.level,
            (
                Cell(group.level, "bad" if group.level in ("emerg", "alert", "crit") else "warn"),
                Cell(str(group.count)),
                Cell(clock(group.newest_at.astimezone()) if group.newest_at else "-", "dim"),
                Cell(group.newest),
            ),
        )
        for group in reading.errors
    ]
