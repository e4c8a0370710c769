"""The slow part: statements, tables, indexes, replication, settings. Rows as model values."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Any

import asyncpg

from debugtui.config.redaction import redact
from debugtui.model.postgres import FEW, ROLE, Archiver, Index, Replica, ReplicationSlot, Setting, Statement, Table
from debugtui.model.source import Problem
from debugtui.model.text import clean, line
from debugtui.sources.postgres import slow_queries
from debugtui.sources.postgres.activity import QueryTexts, Row, short
from debugtui.sources.postgres.bloat import bloat_bytes
from debugtui.sources.postgres.problems import says
from debugtui.sources.postgres.session import QUERY_TIMEOUT, Session

#: A table wants an index when it has been read from end to end at least so often since its statistics began, each time so
#: many rows, more often than through an index. Below 10,000 rows a scan is quick and an index rarely pays.
SEQ_SCANS = 50
ROWS_PER_SCAN = 10_000

_TEXTS_HINT = "read them in that database, or forget them all with pg_stat_statements_reset()"


class FeatureMissingError(Exception):
    """The server does not have this feature; `problem` is ready to show."""

    def __init__(self, problem: Problem) -> None:
        super().__init__(str(problem))
        self.problem = problem


@dataclass(frozen=True, slots=True)
class Partial:
    """A value that lacks something, and what."""

    value: Any
    problem: Problem


@dataclass(frozen=True, slots=True)
class Feature:
    """One optional part of a reading: the name of its field, how it is read, and its time limit in seconds."""

    name: str
    read: Callable[[Session, QueryTexts], Awaitable[Any]]
    timeout: float = QUERY_TIMEOUT


async def _database_bytes(session: Session, _texts: QueryTexts) -> int:
    rows = await session.fetch(slow_queries.DATABASE_SIZE, timeout=2.0)
    return int(rows[0]["bytes"])


async def _statements(session: Session, texts: QueryTexts) -> tuple[Statement, ...] | Partial:
    found = await session.fetch(slow_queries.FIND_STATEMENTS)
    if not found:
        hint = "CREATE EXTENSION pg_stat_statements; in this database (and shared_preload_libraries)"
        raise FeatureMissingError(Problem("the extension pg_stat_statements is not here", hint))
    version = tuple(int(part) for part in found[0]["version"].split(".") if part.isdigit())
    schema = found[0]["schema"]
    try:
        rows = await session.fetch(slow_queries.statements(schema, version))
    except (asyncpg.CharacterNotInRepertoireError, asyncpg.UntranslatableCharacterError) as error:
        # The extension converts every text of the server at once, and one that cannot be converted fails them all.
        rows = await session.fetch(slow_queries.statements(schema, version, texts=False))
        problem = Problem(f"no texts: one of another database is in an encoding that does not fit ({says(error)})", _TEXTS_HINT)
        return Partial(tuple(_statement(row, texts) for row in rows), problem)
    return tuple(_statement(row, texts) for row in rows)


def _statement(row: Row, texts: QueryTexts) -> Statement:
    return Statement(
        query_id=row["query_id"] or "",
        query=texts(row["query"], row["query_bytes"]),
        user=short(row["username"]),
        calls=row["calls"],
        mean_ms=row["mean_ms"],
        max_ms=row["max_ms"],
        total_ms=row["total_ms"],
        rows=row["rows"],
        hit_percent=row["hit_percent"],
        stddev_ms=row["stddev_ms"],
    )


async def _tables(session: Session, _texts: QueryTexts) -> tuple[Table, ...]:
    return tuple(_table(row) for row in await session.fetch(slow_queries.tables()))


def _table(row: Row) -> Table:
    live, dead, scans, index_scans = row["live"], row["dead"], row["seq_scan"] or 0, row["idx_scan"]
    # Statistics of only some columns are as good as none.
    width = row["width"] if row["known"] and row["known"] >= row["columns"] else None
    size = row["size"]
    return Table(
        schema=short(row["schema"]),
        name=short(row["name"]),
        size_bytes=row["relpages"] * row["block_size"] if size is None else size,
        live=live,
        dead=dead,
        dead_percent=100 * dead / (live + dead) if live + dead else None,
        bloat_bytes=bloat_bytes(
            pages=row["relpages"],
            tuples=row["reltuples"],
            width=width,
            columns=row["columns"],
            nulls=bool(row["nulls"]),
            fillfactor=row["fillfactor"],
            block_size=row["block_size"],
        ),
        seq_scans=scans,
        seq_rows=row["seq_tup_read"] or 0,
        index_scans=index_scans,
        last_vacuum=row["last_vacuum"],
        last_analyze=row["last_analyze"],
        xid_age=row["xid_age"],
        needs_index=needs_index(live, scans, row["seq_tup_read"] or 0, index_scans or 0),
    )


def needs_index(live: int, scans: int, rows: int, index_scans: int) -> bool:
    """Whether a table is so often read whole that an index is probably missing (see `SEQ_SCANS`)."""
    return scans >= SEQ_SCANS and live >= ROWS_PER_SCAN and rows / scans >= ROWS_PER_SCAN and scans > index_scans


async def _indexes(session: Session, _texts: QueryTexts) -> tuple[Index, ...]:
    return tuple(_index(row) for row in await session.fetch(slow_queries.indexes()))


def _index(row: Row) -> Index:
    needed = row["unique"] or row["constraint"] or row["replica_identity"]
    return Index(
        schema=short(row["schema"]),
        table=short(row["table"]),
        name=short(row["name"]),
        size_bytes=row["size"] or 0,
        scans=row["scans"],
        valid=row["valid"],
        unique=row["unique"],
        constraint=row["constraint"],
        unused=not needed and row["scans"] == 0,
        definition=clean(row["definition"] or "", 4_096),
    )


async def _replicas(session: Session, _texts: QueryTexts) -> tuple[Replica, ...]:
    return tuple(
        Replica(
            application=short(row["application"]),
            client=f"{row['address']}:{row['port']}" if row["address"] else "local",
            state=row["state"] or "",
            sync_state=row["sync_state"] or "",
            lag_bytes=row["lag_bytes"],
            write_lag_s=row["write_lag"],
            flush_lag_s=row["flush_lag"],
            replay_lag_s=row["replay_lag"],
        )
        for row in await session.fetch(slow_queries.REPLICAS)
    )


async def _slots(session: Session, _texts: QueryTexts) -> tuple[ReplicationSlot, ...]:
    rows = await session.fetch(slow_queries.slots(session.version))
    return tuple(
        ReplicationSlot(short(row["name"]), row["type"] or "", row["active"], row["retained"], row["wal_status"] or "")
        for row in rows
    )


async def _archiver(session: Session, _texts: QueryTexts) -> Archiver:
    row = (await session.fetch(slow_queries.ARCHIVER))[0]
    return Archiver(
        mode=row["mode"],
        archived=row["archived_count"],
        failed=row["failed_count"],
        last_archived_wal=short(row["last_archived_wal"]),
        last_archived_at=row["last_archived_time"],
        last_failed_wal=short(row["last_failed_wal"]),
        last_failed_at=row["last_failed_time"],
    )


async def _settings(session: Session, _texts: QueryTexts) -> tuple[Setting, ...]:
    rows: Sequence[Row] = await session.fetch(slow_queries.SETTINGS)
    of_all = tuple(
        Setting(
            name=short(row["name"]),
            value=short(redact(row["value"] or ""), 1_024),
            unit=row["unit"] or "",
            default=short(row["boot"], 1_024),
            source=row["source"] or "",
            context=row["context"] or "",
            pending_restart=row["pending_restart"],
        )
        for row in rows
    )
    own: Sequence[Row] = await session.fetch(slow_queries.ROLE_SETTINGS)
    return (*of_all, *await _unseen(session), *(_setting(row["entry"], f"{ROLE}{short(row['role'])}") for row in own))


async def _unseen(session: Session) -> tuple[Setting, ...]:
    """Return what the database holds its sessions to, where ours had to be held to limits of its own before it could ask."""
    if not session.held:
        return ()
    rows: Sequence[Row] = await session.fetch(slow_queries.DATABASE_SETTINGS)
    found = tuple(_setting(row["entry"], "database") for row in rows)
    if any(one.name == "statement_timeout" for one in found):
        return found
    return (*found, Setting("statement_timeout", FEW, "ms", "", "server or database", "user", False))


_VALUE = re.compile(r"(-?\d{1,15}(?:\.\d{1,6})?)\s*(us|ms|s|min|h|d)?")


def _setting(entry: str, source: str) -> Setting:
    """Return a setting of pg_db_role_setting, with value and unit apart; times without a unit are milliseconds."""
    name, _, text = entry.partition("=")
    found = _VALUE.fullmatch(text.strip())
    value, unit = (found[1], found[2] or "ms") if found is not None else (short(redact(text), 1_024), "")
    return Setting(short(name), value, unit, "", source, "user", False)


async def _data_directory(session: Session, _texts: QueryTexts) -> str | None:
    rows: Sequence[Row] = await session.fetch(slow_queries.DATA_DIRECTORY)
    return line(rows[0]["path"], 1_024) if rows else None


#: In the order in which they are read: what matters most in an incident first.
FEATURES = (
    Feature("replicas", _replicas),
    Feature("slots", _slots),
    Feature("archiver", _archiver),
    Feature("settings", _settings),
    Feature("data_directory", _data_directory),
    Feature("statements", _statements),
    Feature("tables", _tables),
    Feature("indexes", _indexes),
    Feature("database_bytes", _database_bytes, 2.0),
)
