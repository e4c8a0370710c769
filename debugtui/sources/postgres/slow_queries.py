"""The statements of the slow part, by server version. The same rules as in `queries`."""
# ruff: noqa: S608 - what is put together are words of this module, and the extension's schema as quote_ident() returns it

from __future__ import annotations

from debugtui.sources.postgres.queries import query_text
from debugtui.sources.postgres.session import LATER

MOST_STATEMENTS = 50
MOST_TABLES = 200
MOST_INDEXES = 500
MOST_SETTINGS = 500
MOST_REPLICAS = 100

#: A statement whose mean is above this is listed whatever its total, in milliseconds.
SLOW_MEAN_MS = 1_000

DATABASE_SIZE = "SELECT pg_database_size(current_database()) AS bytes"

#: Where pg_stat_statements lives, quoted, and its version.
FIND_STATEMENTS = """
SELECT quote_ident(n.nspname)::text AS schema, e.extversion::text AS version
FROM pg_extension e JOIN pg_namespace n ON n.oid = e.extnamespace WHERE e.extname = 'pg_stat_statements'
"""


def statements(schema: str, extension: tuple[int, ...], *, texts: bool = True) -> str:
    """The statements of this database that took most time in all, and those that are slow on average.

    Without their texts where those cannot be converted.
    """
    words = ("total", "mean", "max", "stddev")
    total, mean, longest, spread = (f"{word}_exec_time" if extension >= (1, 8) else f"{word}_time" for word in words)
    return f"""
SELECT queryid::text AS query_id, {query_text()}, pg_get_userbyid(userid)::text AS username,
    calls, mean_ms, max_ms, total_ms, rows, stddev_ms,
    CASE WHEN shared_blks_hit + shared_blks_read > 0
        THEN 100.0::float8 * shared_blks_hit / (shared_blks_hit + shared_blks_read) END AS hit_percent
FROM (
    SELECT queryid, query, userid, calls, {mean} AS mean_ms, {longest} AS max_ms, {total} AS total_ms, rows,
        {spread} AS stddev_ms, shared_blks_hit, shared_blks_read,
        row_number() OVER (ORDER BY {total} DESC) AS by_total, row_number() OVER (ORDER BY {mean} DESC) AS by_mean
    FROM {schema}.pg_stat_statements({str(texts).lower()})
    WHERE dbid = (SELECT oid FROM pg_database WHERE datname = current_database())
) s
WHERE by_total <= {MOST_STATEMENTS} OR (by_mean <= {MOST_STATEMENTS} AND mean_ms > {SLOW_MEAN_MS})
ORDER BY total_ms DESC
"""


# To measure a relation, or to write out an index's definition, takes a lock on it and would wait behind whoever has it
# exclusively.
_LOCKED = """
locked AS (
    SELECT DISTINCT relation FROM pg_locks
    WHERE mode = 'AccessExclusiveLock' AND relation IS NOT NULL
        AND database = (SELECT oid FROM pg_database WHERE datname = current_database())
)"""


def tables() -> str:
    """The largest user tables by the server's own estimate, with what the bloat estimate needs."""
    return f"""
WITH {_LOCKED}, t AS (
    SELECT c.oid, n.nspname, c.relname, c.relpages, c.reltuples, c.reloptions, c.relfrozenxid, s.n_live_tup, s.n_dead_tup,
        s.seq_scan, s.seq_tup_read, s.idx_scan, greatest(s.last_vacuum, s.last_autovacuum) AS last_vacuum,
        greatest(s.last_analyze, s.last_autoanalyze) AS last_analyze
    FROM pg_stat_user_tables s JOIN pg_class c ON c.oid = s.relid JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE c.relkind IN ('r', 'm')
    ORDER BY greatest(c.relpages, (s.n_live_tup + s.n_dead_tup) / 100) DESC, c.oid LIMIT {MOST_TABLES}
)
SELECT t.nspname::text AS schema, t.relname::text AS name,
    CASE WHEN t.oid IN (SELECT relation FROM locked) THEN NULL ELSE pg_total_relation_size(t.oid) END AS size,
    t.n_live_tup AS live, t.n_dead_tup AS dead, t.seq_scan, t.seq_tup_read, t.idx_scan, t.last_vacuum, t.last_analyze,
    age(t.relfrozenxid)::bigint AS xid_age, t.relpages, t.reltuples::float8 AS reltuples,
    current_setting('block_size')::int AS block_size,
    (SELECT option_value::int FROM pg_options_to_table(t.reloptions) WHERE option_name = 'fillfactor') AS fillfactor,
    (SELECT count(*)::int FROM pg_attribute a WHERE a.attrelid = t.oid AND a.attnum > 0 AND NOT a.attisdropped) AS columns,
    p.known, p.width, p.nulls
FROM t LEFT JOIN LATERAL (
    SELECT count(*)::int AS known, sum((1 - null_frac) * avg_width)::float8 AS width, bool_or(null_frac > 0) AS nulls
    FROM pg_stats WHERE schemaname = t.nspname AND tablename = t.relname AND NOT inherited
) p ON true
ORDER BY size DESC NULLS LAST
"""


def indexes() -> str:
    """The user's indexes: invalid ones first, then the largest."""
    return f"""
WITH {_LOCKED}
SELECT n.nspname::text AS schema, t.relname::text AS table, i.relname::text AS name,
    CASE WHEN i.oid IN (SELECT relation FROM locked) THEN i.relpages::bigint * current_setting('block_size')::int
        ELSE pg_relation_size(i.oid) END AS size,
    coalesce(s.idx_scan, 0) AS scans, x.indisvalid AND x.indisready AS valid, x.indisunique AS unique,
    x.indisreplident AS replica_identity,
    EXISTS (SELECT FROM pg_constraint o WHERE o.conindid = i.oid AND o.contype IN ('p', 'u', 'x')) AS constraint,
    CASE WHEN t.oid NOT IN (SELECT relation FROM locked) THEN pg_get_indexdef(i.oid)::text END AS definition
FROM pg_index x JOIN pg_class i ON i.oid = x.indexrelid JOIN pg_class t ON t.oid = x.indrelid
JOIN pg_namespace n ON n.oid = t.relnamespace LEFT JOIN pg_stat_user_indexes s ON s.indexrelid = i.oid
WHERE i.relkind = 'i' AND n.nspname NOT IN ('pg_catalog', 'information_schema', 'pg_toast')
    AND n.nspname NOT LIKE 'pg\\_temp\\_%' AND n.nspname NOT LIKE 'pg\\_toast\\_temp\\_%'
ORDER BY x.indisvalid AND x.indisready, i.relpages DESC, i.oid LIMIT {MOST_INDEXES}
"""


_CURRENT_LSN = "CASE WHEN pg_is_in_recovery() THEN pg_last_wal_receive_lsn() ELSE pg_current_wal_lsn() END"

REPLICAS = f"""
SELECT application_name::text AS application, host(client_addr) AS address, client_port AS port, state::text AS state,
    sync_state::text AS sync_state, greatest(pg_wal_lsn_diff({_CURRENT_LSN}, replay_lsn), 0)::bigint AS lag_bytes,
    extract(epoch FROM write_lag)::float8 AS write_lag, extract(epoch FROM flush_lag)::float8 AS flush_lag,
    extract(epoch FROM replay_lag)::float8 AS replay_lag
FROM pg_stat_replication ORDER BY application_name, pid LIMIT {MOST_REPLICAS}
"""


def slots(version: int) -> str:
    """Replication slots and the WAL that each keeps."""
    status = "wal_status::text" if version >= 130_000 else "NULL::text"
    return f"""
SELECT slot_name::text AS name, slot_type::text AS type, active,
    greatest(pg_wal_lsn_diff({_CURRENT_LSN}, restart_lsn), 0)::bigint AS retained, {status} AS wal_status
FROM pg_replication_slots ORDER BY slot_name LIMIT {MOST_REPLICAS}
"""


ARCHIVER = """
SELECT current_setting('archive_mode')::text AS mode, archived_count, failed_count,
    last_archived_wal::text AS last_archived_wal, last_archived_time, last_failed_wal::text AS last_failed_wal, last_failed_time
FROM pg_stat_archiver
"""

# What the session itself set (source client, session) says nothing about the server; but of what it sets only after it stands
# (session.LATER) the server keeps what it would be without that.
_LATER = "(" + ", ".join(f"'{name}'" for name in LATER) + ")"
_OURS = f"source = 'session' AND name IN {_LATER}"
SETTINGS = f"""
SELECT name::text AS name, CASE WHEN {_OURS} THEN reset_val ELSE setting END::text AS value, unit::text AS unit,
    boot_val::text AS boot, CASE WHEN {_OURS} THEN 'server or database' ELSE source END::text AS source,
    context::text AS context, pending_restart
FROM pg_settings
WHERE pending_restart
    OR (source NOT IN ('default', 'override', 'client', 'session') AND setting IS DISTINCT FROM boot_val)
    OR ({_OURS} AND reset_val IS DISTINCT FROM boot_val)
ORDER BY pending_restart DESC, name LIMIT {MOST_SETTINGS}
"""

#: What single roles are held to in this database, beside what holds for all.
ROLE_SETTINGS = f"""
SELECT r.rolname::text AS role, c::text AS entry
FROM pg_db_role_setting s JOIN pg_roles r ON r.oid = s.setrole CROSS JOIN LATERAL unnest(s.setconfig) AS c
WHERE s.setdatabase IN (0, (SELECT oid FROM pg_database WHERE datname = current_database()))
    AND split_part(c, '=', 1) IN ({", ".join(f"'{name}'" for name in LATER)})
ORDER BY r.rolname, c LIMIT {MOST_SETTINGS}
"""

#: What holds for all roles in this database alone: what `SETTINGS` tells of a session that is not held to limits of its own.
DATABASE_SETTINGS = f"""
SELECT c::text AS entry
FROM pg_db_role_setting s CROSS JOIN LATERAL unnest(s.setconfig) AS c
WHERE s.setrole = 0 AND s.setdatabase = (SELECT oid FROM pg_database WHERE datname = current_database())
    AND split_part(c, '=', 1) IN ({", ".join(f"'{name}'" for name in LATER)})
ORDER BY c LIMIT {MOST_SETTINGS}
"""

#: No row for who may not read all settings.
DATA_DIRECTORY = "SELECT setting AS path FROM pg_settings WHERE name = 'data_directory' AND setting <> ''"
