"""Rows of the monitoring servers themselves: one heading for each, what Loki and Grafana tell, and every fact of each."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from datetime import datetime

from debugtui.model.alertmanager import AlertmanagerReading, Integration
from debugtui.model.grafana import Datasource, GrafanaReading
from debugtui.model.loki import LokiReading
from debugtui.model.prometheus import PrometheusReading
from debugtui.model.source import Freshness, Kind, SourceStatus
from debugtui.screens.rows.common import freshness_words, problem_rows, seconds_since
from debugtui.screens.rows.monitoring import source_target, unique
from debugtui.themes.tones import Tone
from debugtui.widgets.format import count, short_age
from debugtui.widgets.table_rows import Cell, Column, Row

#: The kinds of monitoring servers, in the order in which they stand.
KINDS = (Kind.PROMETHEUS, Kind.ALERTMANAGER, Kind.LOKI, Kind.GRAFANA)

LOKI = (
    Column("who", "who logs", min_width=14),
    Column("count", "lines of errors in 5 min", width=24, align="right"),
)
GRAFANA = (
    Column("kind", "kind", width=12, priority=2),
    Column("name", "datasource, dashboard", min_width=16, weight=2),
    Column("state", "state", width=8),
    Column("where", "where", min_width=14, weight=2, priority=1),
    Column("says", "says", min_width=16, weight=2),
)
SERVERS = (
    Column("what", "what", width=20),
    Column("value", "value", min_width=30),
)

Fact = tuple[str, str, Tone]


def sections(statuses: Iterable[SourceStatus], now: datetime, make: Callable[[SourceStatus], list[Row]]) -> list[Row]:
    """Return a section for each server: how it is, why it cannot be read, and what it tells; what is lost stands dim."""
    rows: list[Row] = []
    for status in statuses:
        rows.append(heading(status, now))
        rows += [row for row in problem_rows(status) if status.problem is not None]
        made = make(status)
        rows += [_faded(row) for row in made] if status.freshness is Freshness.LOST else made
    return rows


def heading(status: SourceStatus, now: datetime) -> Row:
    """Return the line that names a server and says how it is."""
    words = [str(source_target(status)), *_words(status, now)]
    tones: dict[Freshness, Tone] = {Freshness.LOST: "bad", Freshness.STALE: "warn"}
    if status.reading is not None or status.problem is not None:
        words.append(freshness_words(status, now))
    else:
        words.append("reading…")
    tone = tones.get(status.freshness, "heading") if status.problem is not None or status.reading is not None else "dim"
    return Row(f"server:{source_target(status)}", (Cell("  ".join(word for word in words if word), tone),), heading=True)


def _words(status: SourceStatus, now: datetime) -> list[str]:
    reading = status.reading
    if isinstance(reading, PrometheusReading):
        health = reading.by_health
        parts = [f"{health[word]} {word}" for word in ("up", "down", "unknown") if health.get(word)]
        return [reading.version, ", ".join(parts) if reading.targets is not None else "targets not known"]
    if isinstance(reading, AlertmanagerReading):
        held = "alerts not known" if reading.alerts is None else f"{len(reading.alerts)} alerts"
        return [reading.version, held, "" if reading.silences is None else f"{len(reading.silences)} silences"]
    if isinstance(reading, LokiReading):
        ready = {True: "ready", False: f"NOT ready: {reading.says}", None: "it does not say whether it is ready"}
        return [reading.version, ready[reading.ready]]
    if isinstance(reading, GrafanaReading):
        boards = "dashboards not known" if reading.dashboards is None else f"{len(reading.dashboards)} dashboards"
        return [reading.version, f"database {reading.database}", boards]
    return []


def loki_rows(status: SourceStatus) -> list[Row]:
    """Return who logs lines of errors, most first."""
    reading = status.reading
    if not isinstance(reading, LokiReading):
        return []
    keys = unique([f"{source_target(status)}/{one.name}" for one in reading.errors or ()])
    return [
        Row(key, (Cell(one.name), Cell(str(one.count), "warn")), sort=(one.name, one.count))
        for key, one in zip(keys, reading.errors or (), strict=True)
    ]


def grafana_rows(status: SourceStatus) -> list[Row]:
    """Return the datasources, failing ones first, then the dashboards by folder."""
    reading = status.reading
    if not isinstance(reading, GrafanaReading):
        return []
    sources = sorted(reading.datasources or (), key=lambda one: {False: 0, None: 1, True: 2}[one.ok])
    keys = unique([f"{source_target(status)}/{one.name}" for one in sources])
    rows = [_datasource(key, one) for key, one in zip(keys, sources, strict=True)]
    for at, board in enumerate(reading.dashboards or ()):
        cells = (
            Cell("dashboard", "dim"),
            Cell(board.title),
            Cell(""),
            Cell(board.folder or "General", "dim"),
            Cell(board.path, "dim"),
        )
        rows.append(Row(f"{source_target(status)}/dashboard {at} {board.uid}", cells))
    return rows


def _datasource(key: str, one: Datasource) -> Row:
    state = {True: Cell("ok", "ok"), False: Cell("fails", "bad"), None: Cell("unknown", "dim")}[one.ok]
    cells = (
        Cell(one.kind, "dim"),
        Cell(f"{one.name} (default)" if one.default else one.name),
        state,
        Cell(one.url, "dim"),
        Cell(one.says, "bad" if one.ok is False else "dim"),
    )
    return Row(key, cells)


def server_rows(status: SourceStatus, now: datetime) -> list[Row]:
    """Return every fact of one server, its gaps too."""
    facts = list(facts_of(status, now))
    reading = status.reading
    if reading is not None:
        facts += [(f"without {gap.feature}", str(gap.problem), "dim") for gap in reading.gaps]
    keys = unique([f"{source_target(status)}/{name}" for name, _, _ in facts])
    return [Row(key, (Cell(name, "dim"), Cell(text, tone))) for key, (name, text, tone) in zip(keys, facts, strict=True)]


def facts_of(status: SourceStatus, now: datetime) -> Sequence[Fact]:
    """Return what is known of one server."""
    reading = status.reading
    if isinstance(reading, PrometheusReading):
        return _prometheus(reading, now)
    if isinstance(reading, AlertmanagerReading):
        return _alertmanager(reading, now)
    if isinstance(reading, LokiReading):
        labels = "not known" if reading.labels is None else ", ".join(reading.labels) or "none"
        counted = f"by {reading.by}, {_ago(reading.errors_at, now)}" if reading.by else "not counted"
        return [
            ("url", reading.url, ""),
            ("version", reading.version or "-", ""),
            ("labels", labels, ""),
            ("errors", counted, ""),
        ]
    if isinstance(reading, GrafanaReading):
        well = reading.database == "ok"
        sources = "not known" if reading.datasources is None else str(len(reading.datasources))
        return [
            *_named(reading.url, reading.version),
            ("database", reading.database or "it does not tell", "" if well else "bad"),
            ("datasources", sources, ""),
        ]
    return []


def _named(url: str, version: str) -> list[Fact]:
    return [("url", url, ""), ("version", version or "it does not tell", "" if version else "dim")]


def _ago(at: datetime | None, now: datetime) -> str:
    seconds = seconds_since(at, now)
    return "not known when" if seconds is None else f"{short_age(seconds)} ago"


def _configuration(ok: bool | None, at: datetime | None, now: datetime) -> Fact:
    if ok is False:
        return "configuration", f"the last reload FAILED; in force is the one taken {_ago(at, now)}", "bad"
    known = "taken" if ok else "not known whether it is good; taken"
    return "configuration", f"{known} {_ago(at, now)}", "" if ok else "dim"


def _prometheus(reading: PrometheusReading, now: datetime) -> list[Fact]:
    old = reading.newest_age_s is None or reading.newest_age_s > 120
    newest = "none" if reading.newest_age_s is None else f"{short_age(reading.newest_age_s)} old"
    facts: list[Fact] = [
        *_named(reading.url, reading.version),
        ("started", _ago(reading.started_at, now), ""),
        _configuration(reading.config_ok, reading.config_at, now),
        ("retention", reading.retention or "-", ""),
        ("series in memory", count(reading.head_series), ""),
        ("newest sample", newest, "warn" if old else ""),
    ]
    if reading.ahead_s is not None and abs(reading.ahead_s) > 2:
        facts.append(("clock", f"{reading.ahead_s:+.0f} s against this machine's", "warn"))
    for link in reading.alertmanagers or ():
        errors = "" if link.errors is None else f", {link.errors} errors since it started"
        facts.append(("Alertmanager", f"{link.url}{errors if link.active else ', dropped by relabelling'}", ""))
    if reading.alertmanagers is not None and not reading.alertmanagers:
        facts.append(("Alertmanager", "none is known", "warn"))
    told = reading.notifications
    if told is not None:
        lately = "not known" if told.dropped_recently is None else str(told.dropped_recently)
        words = f"{count(told.queue)} of {count(told.capacity)} wait, {count(told.dropped)} dropped, {lately} in 5 min"
        facts.append(("notifications", words, "bad" if told.dropped_recently else ""))
    for group, number in reading.missed.items():
        facts.append((group.rpartition(";")[2] or group, f"{number} evaluations missed in 5 min", "warn"))
    return facts


def _alertmanager(reading: AlertmanagerReading, now: datetime) -> list[Fact]:
    peers = f", {len(reading.peers)} members" if reading.peers else ""
    facts: list[Fact] = [
        *_named(reading.url, reading.version),
        ("started", _ago(reading.started_at, now), ""),
        _configuration(reading.config_ok, reading.config_at, now),
        ("configuration hash", reading.config_hash or "-", "dim"),
        ("cluster", f"{reading.cluster or '-'}{peers}", ""),
        ("receivers", ", ".join(reading.receivers) or "none", ""),
    ]
    return facts + [(way.name, _way(way), "bad" if way.failed_recently else "") for way in reading.integrations or ()]


def _way(way: Integration) -> str:
    lately = "" if way.failed_recently is None else f", {way.failed_recently} of {way.requests_recently} in 5 min"
    return f"{way.failed} of {way.requests} attempts failed{lately}"


def _faded(row: Row) -> Row:
    cells = tuple(Cell(cell.text, "dim") if isinstance(cell, Cell) else cell for cell in row.cells)
    return Row(row.key, cells, row.sort, row.heading, row.indent, "dim")
