"""What is wrong with a database: locks, connections, sessions, slow statements, what keeps it durable."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

from debugtui.alerts.finding import Finding
from debugtui.alerts.settings import DEFAULT, Rules
from debugtui.model.alerts import Severity
from debugtui.model.postgres import Archiver, LockNode, PostgresReading, PreparedTransaction, Session, Statement
from debugtui.model.target import Target

#: Characters of a statement in a message.
QUERY = 40


def findings(target: Target, reading: PostgresReading, now: datetime, rules: Rules = DEFAULT) -> Iterator[Finding]:
    """Yield what is wrong with a database. Ages are judged at `now`."""
    for node in reading.locks:
        if node.depth == 0:
            yield from _lock_chain(target, reading, node, rules)
    usable = reading.max_connections - reading.reserved_connections
    percent = 100 * reading.connections / usable if usable > 0 else 100.0
    yield from rules.counted("connections", target, percent, f"{reading.connections} of {usable} connections used")
    for session in reading.sessions:
        yield from _session(target, session, now, rules)
    for prepared in reading.prepared:
        yield from _prepared(target, prepared, now, rules)
    yield from _slowest(target, reading.statements, rules)
    yield from _durability(target, reading, rules)
    yield from _replication(target, reading, rules)


def _lock_chain(target: Target, reading: PostgresReading, root: LockNode, rules: Rules) -> Iterator[Finding]:
    about = Target(target.host, target.kind, f"{target.name}/{root.gid or root.pid}")
    longest = max((node.waits_s or 0.0 for node in _below(reading.locks, root)), default=0.0)
    holder = f"prepared transaction {root.gid}" if root.gid else f"session {root.pid} ({root.state})"
    yield from rules.counted("lock_chain", about, longest, lambda waits, _: f"{holder} blocks {root.waiters} for {waits:.0f} s")


def _below(nodes: tuple[LockNode, ...], root: LockNode) -> Iterator[LockNode]:
    start = nodes.index(root) + 1
    for node in nodes[start:]:
        if node.depth <= root.depth:
            return
        yield node


def _session(target: Target, session: Session, now: datetime, rules: Rules) -> Iterator[Finding]:
    if session.backend_type not in ("", "client backend"):
        return
    about = Target(target.host, target.kind, f"{target.name}/{session.pid}")
    if session.state.startswith("idle in transaction") and session.state_change:
        yield from rules.counted(
            "idle_in_transaction",
            about,
            (now - session.state_change).total_seconds(),
            lambda age, _: f"session {session.pid} is idle in transaction for {age / 60:.0f} min",
            since=session.state_change,
        )
    elif session.state == "active" and session.query_start and not session.blocked_by:
        yield from rules.counted(
            "long_query",
            about,
            (now - session.query_start).total_seconds(),
            lambda age, _: f"session {session.pid} runs one query for {age / 60:.0f} min",
            since=session.query_start,
        )


def _prepared(target: Target, prepared: PreparedTransaction, now: datetime, rules: Rules) -> Iterator[Finding]:
    yield from rules.counted(
        "prepared_transaction",
        Target(target.host, target.kind, f"{target.name}/{prepared.gid}"),
        (now - prepared.prepared_at).total_seconds(),
        lambda age, _: f"prepared transaction {prepared.gid} is {age / 60:.0f} min old",
        since=prepared.prepared_at,
    )


def _slowest(target: Target, statements: tuple[Statement, ...] | None, rules: Rules) -> Iterator[Finding]:
    """The slowest statement of a database is one alert, whatever else is slow there."""
    if statements is None:
        yield from rules.counted("query_slow", target, None, "")
        return
    least = rules.least("query_slow")
    slowest = max((one for one in statements if one.calls >= least), key=lambda one: one.p95_ms, default=None)
    if slowest is None:
        return
    words = " ".join(slowest.query.split())
    query = words if len(words) <= QUERY else f"{words[: QUERY - 1]}…"
    mean, told = slowest.mean_ms / 1000, slowest.stddev_ms is not None

    def says(value: float, _: float) -> str:
        if not told:
            return f"a statement takes {value:.1f} s on average, its p95 is not known: {query}"
        return f"a statement takes about {value:.1f} s at p95 (mean {mean:.1f} s): {query}"

    yield from rules.counted("query_slow", target, slowest.p95_ms / 1000, says)


def _durability(target: Target, reading: PostgresReading, rules: Rules) -> Iterator[Finding]:
    yield from rules.counted(
        "wraparound",
        target,
        reading.wraparound_percent,
        lambda age, _: f"transaction ids {age:.0f} % used up: vacuum does not keep up",
    )
    if reading.archiver is not None:
        yield from _archiver(target, reading.archiver)
    invalid = [f"{index.schema}.{index.name}" for index in reading.indexes or () if not index.valid]
    if invalid:
        yield Finding(Severity.MEDIUM, "index_invalid", target, f"invalid index: {', '.join(invalid[:5])}", float(len(invalid)))
    waiting = [setting.name for setting in reading.settings or () if setting.pending_restart]
    if waiting:
        yield Finding(Severity.LOW, "pending_restart", target, f"waits for a restart: {', '.join(waiting[:5])}")


def _archiver(target: Target, archiver: Archiver) -> Iterator[Finding]:
    failed, archived = archiver.last_failed_at, archiver.last_archived_at
    if failed is not None and (archived is None or failed > archived):
        yield Finding(Severity.HIGH, "archiver", target, f"WAL archiving fails at {archiver.last_failed_wal}", since=failed)


def _replication(target: Target, reading: PostgresReading, rules: Rules) -> Iterator[Finding]:
    for slot in reading.slots or ():
        if slot.wal_status == "lost":
            about = Target(target.host, target.kind, f"{target.name}/{slot.name}")
            yield Finding(Severity.HIGH, "slot_lost", about, f"replication slot {slot.name} lost its WAL")
    for replica in reading.replicas or ():
        about = Target(target.host, target.kind, f"{target.name}/{replica.application}")
        lag = replica.replay_lag_s or 0.0  # none is told of a standby that has nothing to replay
        yield from rules.counted("replica_lag", about, lag, f"standby {replica.application} lags by {lag:.0f} s")
