"""The statements of every poll, by server version (`server_version_num`).

They cast to text, int and float8, so that no type of the server surprises the client; only documented columns are named.
"""
# ruff: noqa: S608 - what is put together are words of this module, never a value

from __future__ import annotations

#: Most sessions in a reading, most waiters whose blockers are asked for, and most prepared transactions.
MOST_SESSIONS = 2_000
MOST_WAITERS = 300
MOST_PREPARED = 500

#: Bytes of a query's text that cross the wire.
QUERY_BYTES = 4_096


def query_text(column: str = "query") -> str:
    """Return the columns `query` and `query_bytes` for a text that another database's encoding may have written.

    Characters are never counted: that fails on bytes that are not valid here. `textsend` hands the bytes out as they are.
    """
    return f"substring(textsend({column}), 1, {QUERY_BYTES}) AS query, octet_length({column}) AS query_bytes"


def server(version: int) -> str:
    """One row: the server and this database's counters."""
    reserved = " + current_setting('reserved_connections')::int" if version >= 160_000 else ""
    return f"""
SELECT clock_timestamp() AS now, pg_postmaster_start_time() AS started_at, pg_is_in_recovery() AS in_recovery,
    current_database()::text AS database, current_user::text AS role,
    current_setting('server_version')::text AS server_version,
    pg_has_role('pg_read_all_stats', 'USAGE') AS sees_all,
    current_setting('max_connections')::int AS max_connections,
    current_setting('superuser_reserved_connections')::int{reserved} AS reserved_connections,
    a.connections, a.listed, x.prepared, w.age AS wraparound_age, w.percent::float8 AS wraparound_percent,
    d.xact_commit, d.xact_rollback, d.blks_hit, d.blks_read, d.deadlocks, d.temp_bytes, d.stats_reset,
    CASE WHEN pg_is_in_recovery() THEN
        CASE WHEN pg_last_wal_receive_lsn() = pg_last_wal_replay_lsn() THEN 0::float8
        ELSE extract(epoch FROM clock_timestamp() - pg_last_xact_replay_timestamp())::float8 END
    END AS replay_lag_s
FROM (
    SELECT count(*) FILTER (WHERE datid IS NOT NULL AND coalesce(backend_type, 'client backend') = 'client backend')::int
            AS connections,
        count(*) FILTER (WHERE pid <> pg_backend_pid() AND {_SHOWN})::int AS listed
    FROM pg_stat_get_activity(NULL)
) a, (
    SELECT count(*)::int AS prepared FROM pg_prepared_xact()
) x, (
    -- 2^31 ids may be in use at once, of transactions and of row-lock groups alike
    SELECT max(greatest(age(datfrozenxid), mxid_age(datminmxid)))::bigint AS age,
        max(greatest(age(datfrozenxid), mxid_age(datminmxid))) / 2147483648.0 * 100 AS percent
    FROM pg_database
) w LEFT JOIN pg_stat_database d ON d.datname = current_database()
"""


_SHOWN = "(datid IS NOT NULL OR backend_type IN ('walsender', 'startup'))"


def sessions(version: int) -> str:
    """The sessions, worst first: waiting for a lock, then the oldest transactions, then the others."""
    leader = "leader_pid" if version >= 130_000 else "NULL::int"
    return f"""
SELECT pid, datname::text AS database, usename::text AS username, application_name::text AS application,
    host(client_addr) AS address, client_port AS port, backend_type::text AS backend_type, state::text AS state,
    wait_event_type::text AS wait_event_type, wait_event::text AS wait_event,
    backend_start, xact_start, query_start, state_change, backend_xid IS NOT NULL AS has_written,
    age(backend_xmin)::bigint AS xmin_age, {leader} AS leader, {query_text()}
FROM pg_stat_activity
WHERE pid <> pg_backend_pid() AND {_SHOWN}
ORDER BY (wait_event_type = 'Lock') IS TRUE DESC, xact_start NULLS LAST, (state = 'active') IS TRUE DESC, query_start, pid
LIMIT {MOST_SESSIONS}
"""


def waits(version: int) -> str:
    """One row for each waiter and each lock that a blocker of it holds on what it waits for (or one without a holder).

    pg_blocking_pids() stops the lock manager for a moment, so it is called for waiters only.
    """
    since = "waitstart" if version >= 140_000 else "NULL::timestamptz"
    # Read with the wait: a parallel worker may have begun since the sessions were read.
    leader = "(SELECT leader_pid FROM pg_stat_get_activity(l.pid))" if version >= 130_000 else "NULL::int"
    return f"""
WITH l AS (
    SELECT locktype, database, relation, page, tuple, virtualxid, transactionid, classid, objid, objsubid, virtualtransaction,
        pid, mode, granted, {since} AS since
    FROM pg_locks
), w AS (
    SELECT l.*, pg_blocking_pids(l.pid) AS blockers, {leader} AS leader
    FROM (SELECT * FROM l WHERE NOT granted AND pid IS NOT NULL ORDER BY since, pid LIMIT {MOST_WAITERS}) l
), p AS (
    -- a prepared transaction has no pid; the lock on its own number ties its locks to its name
    SELECT l.virtualtransaction, x.gid
    FROM l JOIN pg_prepared_xacts x ON x.transaction = l.transactionid
    WHERE l.locktype = 'transactionid' AND l.granted AND l.pid IS NULL
)
SELECT w.pid, w.leader, w.blockers, w.locktype::text AS locktype, w.mode::text AS mode, w.since,
    d.datname::text AS database, w.database AS database_oid, coalesce(w.relation, t.relation) AS relation_oid,
    n.nspname::text AS schema, c.relname::text AS relation, w.page, w.tuple::int AS tuple, w.virtualxid::text AS virtualxid,
    w.transactionid::text AS xid, k.relname::text AS catalog, w.classid, w.objid, w.objsubid::int AS objsubid,
    h.pid AS holder, h.mode::text AS held, p.gid::text AS gid, (SELECT count(*)::int FROM l WHERE NOT granted) AS waiting
FROM w
LEFT JOIN l h ON h.granted AND h.locktype = w.locktype
    AND coalesce(h.database, 0) = coalesce(w.database, 0) AND coalesce(h.relation, 0) = coalesce(w.relation, 0)
    AND coalesce(h.page, -1) = coalesce(w.page, -1) AND coalesce(h.tuple, -1) = coalesce(w.tuple, -1)
    AND coalesce(h.virtualxid, '') = coalesce(w.virtualxid, '')
    AND coalesce(h.transactionid, '0'::xid) = coalesce(w.transactionid, '0'::xid)
    AND coalesce(h.classid, 0) = coalesce(w.classid, 0) AND coalesce(h.objid, 0) = coalesce(w.objid, 0)
    AND coalesce(h.objsubid, -1) = coalesce(w.objsubid, -1)
    AND coalesce(h.pid, 0) = ANY (w.blockers)
LEFT JOIN p ON h.pid IS NULL AND h.virtualtransaction = p.virtualtransaction
LEFT JOIN LATERAL (
    -- who waits for another transaction to end holds the row that the two dispute
    SELECT relation, database FROM l WHERE l.pid = w.pid AND l.locktype = 'tuple' AND l.granted AND w.relation IS NULL LIMIT 1
) t ON true
LEFT JOIN pg_database d ON d.oid = coalesce(w.database, t.database)
LEFT JOIN pg_class c ON c.oid = coalesce(w.relation, t.relation)
    AND (coalesce(w.database, t.database) = 0 OR d.datname = current_database())
LEFT JOIN pg_namespace n ON n.oid = c.relnamespace
LEFT JOIN pg_class k ON w.locktype = 'object' AND k.oid = w.classid
ORDER BY w.since, w.pid
LIMIT 20000
"""


def prepared() -> str:
    """Transactions prepared for two-phase commit, oldest first."""
    return f"""
SELECT gid::text AS gid, prepared AS prepared_at, owner::text AS owner, database::text AS database,
    age(transaction)::bigint AS xid_age
FROM pg_prepared_xacts ORDER BY prepared LIMIT {MOST_PREPARED}
"""
