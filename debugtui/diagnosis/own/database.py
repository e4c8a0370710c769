"""Conditions of a PostgreSQL database: early lock waits, settings that hurt, statements that scan, commits that wait."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

from debugtui.diagnosis.anomaly import Anomaly, Aspect, Role
from debugtui.diagnosis.own.making import anomaly, plural, span
from debugtui.diagnosis.own.sessions import blocking
from debugtui.diagnosis.own.settings import harmful
from debugtui.model.alerts import Severity
from debugtui.model.postgres import ROLE, PostgresReading, Session, Table
from debugtui.model.source import SourceStatus
from debugtui.model.target import Target

#: Seconds of waiting from which a lock counts although no alert is raised yet: behind a session that does nothing, and behind
#: one that works.
IDLE_BLOCKS_S, ACTIVE_BLOCKS_S = 3.0, 8.0
#: A session that has written and does nothing for so long holds up whoever comes next, in seconds.
IDLE_WRITER_S = 5.0
#: A commit that waits this long for a standby waits for one that is not there, in seconds.
COMMIT_WAITS_S = 3.0
#: WAL kept for a slot that nobody reads.
RETAINED_BYTES = 1 << 30
#: A statement is slow from this mean on, over so many calls.
SLOW_MS, LEAST_CALLS = 1_000.0, 5
#: Rows that are dead, and their share, from which a table is bloated.
DEAD_ROWS, DEAD_PERCENT = 10_000, 40.0
#: A working session that has run one statement for so long may be what others feel, in seconds.
LONG_S = 5.0
_CLIENT = ("", "client backend")


def found(status: SourceStatus, reading: PostgresReading, now: datetime) -> Iterator[Anomaly]:
    """Yield the conditions of one database."""
    target = Target(status.host, "postgres", status.name)
    yield from _locks(target, reading)
    yield from _idle_writers(target, reading, now)
    yield from _commits(target, reading, now)
    yield from _slots(target, reading)
    yield from _settings(target, reading)
    yield from _working(target, reading, now)
    yield from _tables(target, reading)


def _settings(target: Target, reading: PostgresReading) -> Iterator[Anomaly]:
    for setting, why, grave in harmful(reading):
        whose = setting.source.removeprefix(ROLE) if setting.source.startswith(ROLE) else ""
        says = (
            f"{setting.name} is {f'{setting.value} {setting.unit}'.strip()}{f' for the role {whose}' if whose else ''}: {why}"
        )
        yield anomaly(
            "setting_harmful", Target(target.host, target.kind, f"{target.name}/{setting.name}{f'@{whose}' if whose else ''}"),
            Aspect.CONFIG, Role.CAUSE if grave else Role.SUPPORT, says,
            reading=f"settings[{setting.name}].value", at=reading.taken_at, source=target, points=65,
            name=setting.name, default=f"{setting.default}", of_role=whose,
        )  # fmt: skip


def _locks(target: Target, reading: PostgresReading) -> Iterator[Anomaly]:
    """Chains that are too young for the alert rule."""
    for place, node in enumerate(reading.locks):
        if node.depth:
            continue
        held = blocking(reading, place, target)
        idle = node.state.startswith("idle") or bool(node.gid)  # advisory locks outlive their transactions
        if held is None or not held.longest_s or held.longest_s < (IDLE_BLOCKS_S if idle else ACTIVE_BLOCKS_S):
            continue
        yield anomaly(
            "lock_wait", Target(target.host, target.kind, f"{target.name}/{node.gid or node.pid}"), Aspect.BLOCKED,
            Role.CAUSE, held.says, reading=f"locks[{place}].waiters", at=reading.taken_at, since=held.since, source=target,
            points=72 if idle else 64, more=held.facts,
        )  # fmt: skip


def _idle_writers(target: Target, reading: PostgresReading, now: datetime) -> Iterator[Anomaly]:
    """Sessions that have written, and do nothing: whoever wants those rows waits, also where nobody waits at this moment."""
    blocking_now = {node.pid for node in reading.locks if not node.depth}
    for session in reading.sessions:
        idle = (now - session.state_change).total_seconds() if session.state_change else 0.0
        waits = session.state.startswith("idle in transaction") and session.has_written and session.pid not in blocking_now
        if not waits or idle < IDLE_WRITER_S or session.backend_type not in _CLIENT:
            continue
        who = f"session {session.pid}" + (f" of {session.application}" if session.application else "")
        says = f"{who} is idle in transaction for {span(idle)}, and holds what it has written"
        yield anomaly(
            "idle_writer", Target(target.host, target.kind, f"{target.name}/{session.pid}"), Aspect.BLOCKED, Role.SUPPORT, says,
            reading=f"sessions[{session.pid}].state_change", at=reading.taken_at, since=session.xact_start, source=target,
            points=70, pid=str(session.pid), state=session.state, application=session.application, title=says,
        )  # fmt: skip


def _commits(target: Target, reading: PostgresReading, now: datetime) -> Iterator[Anomaly]:
    waiting = [one for one in reading.sessions if one.wait_event == "SyncRep" and _age(one, now) > COMMIT_WAITS_S]
    if waiting:
        yield anomaly(
            "commits_wait", target, Aspect.BLOCKED, Role.CAUSE,
            f"{plural(len(waiting), 'session')} cannot commit: each waits for a synchronous standby that does not answer",
            reading=f"sessions[{waiting[0].pid}].wait_event", at=reading.taken_at,
            since=min((one.query_start for one in waiting if one.query_start), default=None), severity=Severity.CRITICAL,
            points=75, name="synchronous_standby_names",
        )  # fmt: skip


def _age(session: Session, now: datetime) -> float:
    return (now - session.query_start).total_seconds() if session.query_start else 0.0


def _slots(target: Target, reading: PostgresReading) -> Iterator[Anomaly]:
    for slot in reading.slots or ():
        if not slot.active and (slot.retained_bytes or 0) > RETAINED_BYTES:
            yield anomaly(
                "slot_retains", Target(target.host, target.kind, f"{target.name}/{slot.name}"), Aspect.RESOURCE, Role.CAUSE,
                f"replication slot {slot.name} is read by nobody and keeps {(slot.retained_bytes or 0) >> 20} MiB of WAL",
                reading=f"slots[{slot.name}].retained_bytes", at=reading.taken_at, source=target, severity=Severity.MEDIUM,
                slot=slot.name,
            )  # fmt: skip


def _working(target: Target, reading: PostgresReading, now: datetime) -> Iterator[Anomaly]:
    """Statements that have run for some seconds: they may be what a slow page waits for. Never a fault by themselves."""
    running = [
        one
        for one in reading.sessions
        if one.state == "active" and not one.blocked_by and one.backend_type in _CLIENT and _age(one, now) > LONG_S
    ]
    for session in sorted(running, key=lambda one: (-_age(one, now), one.pid))[:5]:
        yield anomaly(
            "query_running", Target(target.host, target.kind, f"{target.name}/{session.pid}"), Aspect.SLOW, Role.SUPPORT,
            f"session {session.pid} ({session.application or session.user}) runs one statement for {span(_age(session, now))}",
            reading=f"sessions[{session.pid}].query_start", at=reading.taken_at, since=session.query_start, source=target,
            points=55, pid=str(session.pid), state="active", application=session.application,
        )  # fmt: skip


def _tables(target: Target, reading: PostgresReading) -> Iterator[Anomaly]:
    slow = [one for one in reading.statements or () if one.mean_ms > SLOW_MS and one.calls >= LEAST_CALLS]
    vacuum_off = any(one.name == "autovacuum" and one.value == "off" for one in reading.settings or ())
    for table in reading.tables or ():
        path = f"tables[{table.schema}.{table.name}]"
        if table.needs_index:
            hit = next((one for one in slow if _names(one.query, table)), None)
            also = f", and a statement on it takes {hit.mean_ms / 1000:.1f} s" if hit is not None else ""
            yield anomaly(
                "index_missing", target, Aspect.SLOW, Role.CAUSE if hit is not None else Role.SUPPORT,
                f"{table.schema}.{table.name} was read whole {table.seq_scans:,} times, {table.live:,} rows{also}",
                reading=f"{path}.seq_scans", at=reading.taken_at, severity=Severity.MEDIUM, points=60,
                table=f"{table.schema}.{table.name}",
            )  # fmt: skip
        if table.dead > DEAD_ROWS and (table.dead_percent or 0.0) > DEAD_PERCENT:
            yield anomaly(
                "table_bloated", target, Aspect.SLOW, Role.CAUSE if vacuum_off else Role.SUPPORT,
                f"{table.schema}.{table.name}: {table.dead:,} dead rows, {table.dead_percent:.0f} %"
                + (", and autovacuum is off" if vacuum_off else ""),
                reading=f"{path}.dead_percent", at=reading.taken_at, severity=Severity.MEDIUM, points=62,
                table=f"{table.schema}.{table.name}",
            )  # fmt: skip
    for statement in slow[:3]:
        yield anomaly(
            "statement_slow", target, Aspect.SLOW, Role.SUPPORT,
            f"a statement of {statement.user} takes {statement.mean_ms / 1000:.1f} s on average, {statement.calls} calls",
            reading=f"statements[{statement.query_id}].mean_ms", at=reading.taken_at, severity=Severity.MEDIUM, points=55,
        )  # fmt: skip


def _names(query: str, table: Table) -> bool:
    words = query.lower().replace('"', "").replace("(", " ").replace(",", " ").replace(";", " ").split()
    return table.name.lower() in words or f"{table.schema}.{table.name}".lower() in words
