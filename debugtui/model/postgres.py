"""What one PostgreSQL database says: sessions, locks, statements, tables, indexes, replication, settings."""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import datetime

from debugtui.model.source import Gap


@dataclass(frozen=True, slots=True)
class Session:
    """One backend (pg_stat_activity). Times are UTC; `query` is redacted and bounded.

    `blocked_by` holds the pids that block this one (pg_blocking_pids; 0 stands for a prepared transaction), `lock_mode` and
    `lock_on` what it waits for (`AccessExclusiveLock`, `public.activities`).
    """

    pid: int
    database: str
    user: str
    application: str
    client: str
    backend_type: str
    state: str
    wait_event_type: str
    wait_event: str
    backend_start: datetime | None
    xact_start: datetime | None
    query_start: datetime | None
    state_change: datetime | None
    query: str
    has_written: bool = False
    xmin_age: int | None = None
    blocked_by: tuple[int, ...] = ()
    lock_mode: str = ""
    lock_on: str = ""
    waiting_since: datetime | None = None


@dataclass(frozen=True, slots=True)
class LockNode:
    """One row of the lock tree, depth first.

    A waiter with several blockers stands under each of them; all but its first row have `repeated` set. A prepared
    transaction is a node with `pid` 0 and its gid in `gid`. `held` names what this node holds that its waiters want
    (`RowExclusiveLock on public.activities`). `waits_s` and `age_s` in seconds: how long it has waited; how old its
    transaction is. `waiters` counts everyone below, once each.
    """

    pid: int
    depth: int
    parent: int | None
    application: str
    user: str
    state: str
    query: str
    lock_mode: str
    lock_on: str
    held: str
    waits_s: float | None
    age_s: float | None
    waiters: int
    blockers: tuple[int, ...] = ()
    repeated: bool = False
    gid: str = ""


@dataclass(frozen=True, slots=True)
class PreparedTransaction:
    """A transaction prepared for two-phase commit: it keeps its locks until somebody ends it."""

    gid: str
    prepared_at: datetime
    owner: str
    database: str
    xid_age: int


@dataclass(frozen=True, slots=True)
class Statement:
    """One row of pg_stat_statements; times in milliseconds, since its statistics were reset. `stddev_ms`: None: not told."""

    query_id: str
    query: str
    user: str
    calls: int
    mean_ms: float
    max_ms: float
    total_ms: float
    rows: int
    hit_percent: float | None
    stddev_ms: float | None = None

    @property
    def p95_ms(self) -> float:
        """Its 95th percentile, estimated; its mean where no deviation is told.

        The extension keeps no percentile. Times of one statement are spread to the right, about log-normally, so the estimate
        is that of the log-normal distribution with this mean and deviation, and never more than the longest call.
        """
        if not self.stddev_ms or self.mean_ms <= 0:
            return self.mean_ms
        spread = math.log(1 + (self.stddev_ms / self.mean_ms) ** 2)
        return min(self.max_ms, math.exp(math.log(self.mean_ms) - spread / 2 + 1.645 * math.sqrt(spread)))


@dataclass(frozen=True, slots=True)
class Table:
    """One user table. `bloat_bytes` is an estimate from statistics; None where it cannot be made."""

    schema: str
    name: str
    size_bytes: int
    live: int
    dead: int
    dead_percent: float | None
    bloat_bytes: int | None
    seq_scans: int
    seq_rows: int
    index_scans: int | None
    last_vacuum: datetime | None
    last_analyze: datetime | None
    xid_age: int
    needs_index: bool = False


@dataclass(frozen=True, slots=True)
class Index:
    """One index. `unused`: never scanned since the statistics began, and not there to enforce a constraint."""

    schema: str
    table: str
    name: str
    size_bytes: int
    scans: int
    valid: bool
    unique: bool
    constraint: bool
    unused: bool
    definition: str


@dataclass(frozen=True, slots=True)
class Replica:
    """One standby as its primary sees it (pg_stat_replication); lags in seconds and bytes."""

    application: str
    client: str
    state: str
    sync_state: str
    lag_bytes: int | None
    write_lag_s: float | None
    flush_lag_s: float | None
    replay_lag_s: float | None


@dataclass(frozen=True, slots=True)
class ReplicationSlot:
    """One replication slot; `retained_bytes` of WAL are kept for it."""

    name: str
    type: str
    active: bool
    retained_bytes: int | None
    wal_status: str


#: How the source of a setting begins that holds for one role only; its name follows.
ROLE = "role "

#: The value of a time limit that is only known by what it did: our own first statements were cancelled.
FEW = "a few"


@dataclass(frozen=True, slots=True)
class Setting:
    """One setting that differs from its default or waits for a restart; `source` is PostgreSQL's word, or `role NAME`."""

    name: str
    value: str
    unit: str
    default: str
    source: str
    context: str
    pending_restart: bool


@dataclass(frozen=True, slots=True)
class Archiver:
    """WAL archiving (pg_stat_archiver)."""

    mode: str
    archived: int
    failed: int
    last_archived_wal: str
    last_archived_at: datetime | None
    last_failed_wal: str
    last_failed_at: datetime | None


@dataclass(frozen=True, slots=True)
class PostgresReading:
    """One database and the server that holds it.

    The first block is read at every poll; the second (`statements` and below) more seldom: None means not read yet, or
    not allowed, in which case `gaps` says why. `data_directory` is where the server keeps its data, as it names it itself; it
    tells that only to roles that may read all settings.
    """

    taken_at: datetime
    database: str
    server_version: str
    version_num: int
    role: str
    in_recovery: bool
    started_at: datetime | None
    connections: int
    max_connections: int
    reserved_connections: int
    sessions: tuple[Session, ...] = ()
    locks: tuple[LockNode, ...] = ()
    prepared: tuple[PreparedTransaction, ...] = ()
    commits_s: float | None = None
    rollbacks_s: float | None = None
    cache_hit_percent: float | None = None
    deadlocks: int = 0
    temp_bytes: int = 0
    database_bytes: int | None = None
    wraparound_age: int | None = None
    wraparound_percent: float | None = None
    replicas: tuple[Replica, ...] | None = None
    slots: tuple[ReplicationSlot, ...] | None = None
    replay_lag_s: float | None = None
    archiver: Archiver | None = None
    statements: tuple[Statement, ...] | None = None
    tables: tuple[Table, ...] | None = None
    indexes: tuple[Index, ...] | None = None
    settings: tuple[Setting, ...] | None = None
    data_directory: str | None = None
    slow_read_at: datetime | None = None
    gaps: tuple[Gap, ...] = ()
