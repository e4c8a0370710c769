"""The rows of a database's tabs: pure functions of its reading."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

from debugtui.model.postgres import Index, PostgresReading, Session, Table
from debugtui.screens.rows.common import seconds_since, tone_of_percent
from debugtui.themes.tones import Tone
from debugtui.widgets.facts import Fact
from debugtui.widgets.format import age, count, latency, percent, size
from debugtui.widgets.table_rows import Cell, Column, Row

#: A statement whose mean is above this many milliseconds is slow.
SLOW_MS = 1000.0

COLUMNS: dict[str, tuple[Column, ...]] = {
    "activity": (
        Column("pid", "pid", width=7, align="right"),
        Column("user", "user", width=12, priority=4),
        Column("application", "application", width=14, priority=3),
        Column("client", "client", width=15, priority=6),
        Column("state", "state", width=20),
        Column("time", "time", width=7, align="right"),
        Column("xact", "xact", width=7, align="right", priority=2),
        Column("wait", "waits for", width=18, priority=1),
        Column("query", "query", min_width=16),
    ),
    "statements": (
        Column("mean", "mean", width=8, align="right"),
        Column("max", "max", width=8, align="right", priority=3),
        Column("total", "total", width=8, align="right"),
        Column("calls", "calls", width=6, align="right"),
        Column("rows", "rows", width=6, align="right", priority=2),
        Column("hit", "hit", width=5, align="right", priority=4),
        Column("user", "user", width=12, priority=5),
        Column("query", "query", min_width=20),
    ),
    "tables": (
        Column("table", "table", min_width=16),
        Column("size", "size", width=7, align="right"),
        Column("live", "live", width=6, align="right", priority=2),
        Column("dead", "dead", width=6, align="right"),
        Column("dead_percent", "dead %", width=6, align="right", priority=1),
        Column("bloat", "bloat ~", width=7, align="right"),
        Column("seq", "seq scans", width=9, align="right", priority=3),
        Column("index", "idx scans", width=9, align="right", priority=4),
        Column("vacuum", "vacuum", width=7, align="right", priority=5),
        Column("analyze", "analyze", width=7, align="right", priority=6),
        Column("note", "note", width=12),
    ),
    "indexes": (
        Column("index", "index", min_width=16),
        Column("table", "table", width=20, priority=2),
        Column("size", "size", width=7, align="right"),
        Column("scans", "scans", width=6, align="right"),
        Column("note", "note", width=10),
        Column("definition", "definition", min_width=16, priority=1),
    ),
    "replication": (
        Column("name", "name", min_width=12),
        Column("kind", "kind", width=16),
        Column("state", "state", width=12),
        Column("lag", "lag", width=7, align="right"),
        Column("behind", "behind", width=8, align="right"),
        Column("note", "note", min_width=10, priority=1),
    ),
    "settings": (
        Column("name", "setting", min_width=20),
        Column("value", "value", width=16),
        Column("default", "default", width=16, priority=2),
        Column("source", "source", width=20, priority=1),
        Column("note", "note", width=18),
    ),
}


def nothing(tab: str, reading: PostgresReading) -> str:
    """Return what an empty tab says: what could not be read and how to mend it, or that there is nothing."""
    for gap in reading.gaps:
        if tab.rstrip("s") in gap.feature:
            return str(gap.problem)
    slow = {
        "statements": reading.statements,
        "tables": reading.tables,
        "indexes": reading.indexes,
        "settings": reading.settings,
    }
    if tab in slow and slow[tab] is None:
        return "not read yet" if reading.slow_read_at is None else "could not be read: see the host's sources"
    words = {"replication": "no standby and no replication slot", "settings": "every setting is at its default"}
    return words.get(tab, "nothing")


def _short(seconds: float | None) -> str:
    return age(seconds) if seconds is not None else ""


def activity_rows(reading: PostgresReading, now: datetime) -> list[Row]:
    """Return a row for each session; its key is its pid."""
    return [_session(session, now) for session in reading.sessions]


def _session_tone(session: Session) -> Tone:
    if session.blocked_by:
        return "bad"
    if session.state.startswith("idle in transaction"):
        return "warn"
    return "" if session.state == "active" else "dim"


def _session(session: Session, now: datetime) -> Row:
    tone = _session_tone(session)
    began = session.query_start if session.state == "active" else session.state_change
    seconds, transaction = seconds_since(began, now), seconds_since(session.xact_start, now)
    wait = session.lock_on or f"{session.wait_event_type} {session.wait_event}".strip()
    if session.blocked_by:
        wait = f"⧗ {', '.join(str(pid) for pid in session.blocked_by[:4])}"
    cells = (
        str(session.pid),
        session.user,
        session.application,
        session.client,
        Cell(session.state or session.backend_type, tone),
        Cell(_short(seconds), tone),
        Cell(_short(transaction), tone),
        Cell(wait, "bad" if session.blocked_by else "dim"),
        Cell(session.query, "" if session.state == "active" else "dim"),
    )
    sort = (
        session.pid,
        session.user,
        session.application,
        session.client,
        session.state,
        seconds,
        transaction,
        wait,
        session.query,
    )
    return Row(str(session.pid), cells, sort=sort)


def statement_rows(reading: PostgresReading, now: datetime) -> list[Row]:
    """Return a row for each statement of pg_stat_statements; slow ones stand out."""
    return [
        Row(
            f"{one.query_id}/{one.user}/{index}",
            (
                Cell(latency(one.mean_ms), "bad" if one.mean_ms > SLOW_MS else ""),
                latency(one.max_ms),
                latency(one.total_ms),
                count(one.calls),
                count(one.rows),
                percent(one.hit_percent),
                Cell(one.user, "dim"),
                one.query,
            ),
            sort=(one.mean_ms, one.max_ms, one.total_ms, one.calls, one.rows, one.hit_percent, one.user, one.query),
        )
        for index, one in enumerate(reading.statements or ())
    ]


def table_rows(reading: PostgresReading, now: datetime) -> list[Row]:
    """Return a row for each table."""
    return [_table(one, now) for one in reading.tables or ()]


def _table(one: Table, now: datetime) -> Row:
    vacuumed, analysed = seconds_since(one.last_vacuum, now), seconds_since(one.last_analyze, now)
    name = one.name if one.schema == "public" else f"{one.schema}.{one.name}"
    note = "needs index?" if one.needs_index else ""
    cells = (
        name,
        size(one.size_bytes),
        count(one.live),
        count(one.dead),
        Cell(percent(one.dead_percent), tone_of_percent(one.dead_percent, 20, 40)),
        size(one.bloat_bytes),
        count(one.seq_scans),
        count(one.index_scans),
        Cell(_short(vacuumed) or "never", "dim"),
        Cell(_short(analysed) or "never", "dim"),
        Cell(note, "warn"),
    )
    sort = (
        name, one.size_bytes, one.live, one.dead, one.dead_percent, one.bloat_bytes, one.seq_scans, one.index_scans, vacuumed,
        analysed, note,
    )  # fmt: skip
    return Row(f"{one.schema}.{one.name}", cells, sort=sort)


def _index_note(one: Index) -> Cell:
    if not one.valid:
        return Cell("invalid!", "bad")
    return Cell("unused", "warn") if one.unused else Cell("unique" if one.unique else "", "dim")


def index_rows(reading: PostgresReading, now: datetime) -> list[Row]:
    """Return a row for each index: invalid ones first, then unused ones, then by size."""
    ordered = sorted(reading.indexes or (), key=lambda one: (one.valid, not one.unused, -one.size_bytes, one.name))
    return [
        Row(
            f"{one.schema}.{one.name}",
            (one.name, f"{one.schema}.{one.table}", size(one.size_bytes), count(one.scans), _index_note(one),
             Cell(one.definition, "dim")),
            sort=(one.name, one.table, one.size_bytes, one.scans, _index_note(one).text, one.definition),
        )
        for one in ordered
    ]  # fmt: skip


def replication_rows(reading: PostgresReading, now: datetime) -> list[Row]:
    """Return a row for each standby and each slot, and one for the archiver."""
    rows = []
    for replica in reading.replicas or ():
        lag = age(replica.replay_lag_s) if replica.replay_lag_s is not None else "-"
        state = Cell(replica.state, "" if replica.state == "streaming" else "warn")
        cells = (replica.application or replica.client, f"standby {replica.sync_state}", state, lag, size(replica.lag_bytes),
                 Cell(replica.client, "dim"))  # fmt: skip
        rows.append(Row(f"standby/{replica.application}/{replica.client}", cells))
    for slot in reading.slots or ():
        state = Cell("active" if slot.active else "inactive", "" if slot.active else "warn")
        note = Cell(f"WAL {slot.wal_status}", "bad" if slot.wal_status == "lost" else "dim")
        rows.append(Row(f"slot/{slot.name}", (slot.name, f"slot {slot.type}", state, "", size(slot.retained_bytes), note)))
    archiver = reading.archiver
    if archiver is not None and archiver.mode != "off":
        fails = archiver.last_failed_at is not None and (
            archiver.last_archived_at is None or archiver.last_failed_at > archiver.last_archived_at
        )
        last = _short(seconds_since(archiver.last_archived_at, now)) or "never"
        note = Cell(f"failed at {archiver.last_failed_wal}" if fails else archiver.last_archived_wal, "bad" if fails else "dim")
        state = Cell("failing" if fails else "works", "bad" if fails else "ok")
        rows.append(Row("archiver", ("archiver", f"archive {archiver.mode}", state, last, "", note)))
    return rows


def setting_rows(reading: PostgresReading, now: datetime) -> list[Row]:
    """Return a row for each setting that differs from its default or waits for a restart."""
    ordered = sorted(reading.settings or (), key=lambda one: (not one.pending_restart, one.name))
    rows = []
    for one in ordered:
        value, default = (f"{text} {one.unit}".strip() for text in (one.value, one.default))
        note = Cell("waits for restart" if one.pending_restart else "", "warn")
        rows.append(Row(one.name, (one.name, value, Cell(default, "dim"), Cell(one.source, "dim"), note)))
    return rows


MAKERS: dict[str, Callable[[PostgresReading, datetime], list[Row]]] = {
    "activity": activity_rows,
    "statements": statement_rows,
    "tables": table_rows,
    "indexes": index_rows,
    "replication": replication_rows,
    "settings": setting_rows,
}


def server_facts(reading: PostgresReading, now: datetime) -> list[Fact]:
    """Return what the server says of itself."""
    usable = reading.max_connections - reading.reserved_connections
    full = 100 * reading.connections / usable if usable > 0 else None
    role = "standby" if reading.in_recovery else "primary"
    wraparound = f"{percent(reading.wraparound_percent)} of the way to wraparound ({count(reading.wraparound_age)})"
    facts: list[Fact] = [
        ("server", f"PostgreSQL {reading.server_version}, {role}, up {_short(seconds_since(reading.started_at, now))}", ""),
        ("watched as", reading.role, ""),
        ("connections", f"{reading.connections} of {usable} usable ({percent(full)})", tone_of_percent(full, 80, 95)),
        ("transactions", f"{count(reading.commits_s)} commits/s, {count(reading.rollbacks_s)} rollbacks/s", ""),
        ("cache", f"{percent(reading.cache_hit_percent)} of blocks found in shared buffers", ""),
        ("database size", size(reading.database_bytes), ""),
        ("deadlocks", str(reading.deadlocks), "warn" if reading.deadlocks else ""),
        ("temporary files", size(reading.temp_bytes), ""),
        ("transaction ids", wraparound, tone_of_percent(reading.wraparound_percent, 20, 50)),
    ]
    facts += [
        (f"prepared {one.gid}", f"by {one.owner} in {one.database}, {_short(seconds_since(one.prepared_at, now))} old", "warn")
        for one in reading.prepared
    ]
    facts += [(f"without {gap.feature}", str(gap.problem), "warn") for gap in reading.gaps]
    return facts
