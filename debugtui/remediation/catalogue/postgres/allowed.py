"""Which parameters may be changed on a running server, and within which bounds.

The server itself accepts absurd values, and some of them only show when it does not start any more. The bounds here are ours:
narrower than the server's, chosen so that a value inside them can be lived with until somebody looks again. What a parameter
does stands in the PostgreSQL manual, chapter "Server Configuration".
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Allowed:
    """One parameter.

    Attributes:
        name: as `pg_settings` has it.
        low, high: bounds with units, both included; empty for what is on or off, or one of the server's own words.
        why: what a value outside of them does.
        special: values outside of the bounds that have a meaning of their own (`-1`: use another parameter's).
        ram_share: `high` is this share of the machine's memory, where that is less.
    """

    name: str
    low: str
    high: str
    why: str
    special: tuple[str, ...] = ()
    ram_share: float | None = None


def _p(name: str, low: str, high: str, why: str, *special: str, ram: float | None = None) -> Allowed:
    return Allowed(name, low, high, why, special, ram)


_MEMORY = "each sort, hash and session may take as much at the same time"
_PLANNER = "a value far off makes the planner choose bad plans everywhere"
_LOG = "a lower value fills the log's disk"
_KEPT = "what is kept fills the disk of the WAL"

_ALL = (
    # memory
    _p("work_mem", "1MB", "2GB", _MEMORY, ram=0.02),
    _p("hash_mem_multiplier", "1", "8", _MEMORY),
    _p("maintenance_work_mem", "16MB", "16GB", "each VACUUM and index build may take as much", ram=0.125),
    _p("autovacuum_work_mem", "16MB", "8GB", "each autovacuum worker may take as much", "-1", ram=0.05),
    _p("effective_cache_size", "64MB", "16TB", "more than the machine has makes index scans look too cheap", ram=0.9),
    _p("temp_file_limit", "64MB", "10TB", "too little ends large queries with an error, none fills the disk", "-1"),
    # checkpoints and WAL
    _p("checkpoint_timeout", "1min", "1h", "longer means a longer recovery after a crash, shorter more writing"),
    _p("checkpoint_completion_target", "0.5", "0.95", "less writes a checkpoint in a rush"),
    _p("checkpoint_warning", "0", "10min", "it only says that checkpoints follow each other too quickly"),
    _p("max_wal_size", "256MB", "256GB", "a disk without that much room fills up; less means more checkpoints"),
    _p("min_wal_size", "80MB", "64GB", _KEPT),
    _p("wal_keep_size", "0", "64GB", _KEPT),
    _p("max_slot_wal_keep_size", "1GB", "1TB", "a slot that falls further behind is lost; its consumer begins anew", "-1"),
    _p("wal_sender_timeout", "10s", "10min", "a short one cuts standbys off, a long one notices lost ones late"),
    _p("max_standby_streaming_delay", "0", "1h", "a long one lets a standby fall behind its queries", "-1"),
    _p("archive_timeout", "30s", "1d", "a short one writes many almost empty files", "0"),
    _p("bgwriter_delay", "10ms", "1s", "too long leaves the writing to the sessions"),
    _p("bgwriter_lru_maxpages", "0", "1000", "too much writes pages that change again at once"),
    _p("bgwriter_lru_multiplier", "0", "10", "too much writes pages that change again at once"),
    # autovacuum
    _p("autovacuum_naptime", "5s", "10min", "too seldom lets tables swell"),
    _p("autovacuum_vacuum_threshold", "10", "1000000", "too much lets tables swell"),
    _p("autovacuum_vacuum_scale_factor", "0", "0.5", "too much lets large tables swell"),
    _p("autovacuum_vacuum_insert_scale_factor", "0", "0.5", "too much leaves new rows without a visibility map"),
    _p("autovacuum_analyze_threshold", "10", "1000000", "too much leaves the planner with old figures"),
    _p("autovacuum_analyze_scale_factor", "0", "0.5", "too much leaves the planner with old figures"),
    _p("autovacuum_vacuum_cost_delay", "0", "20ms", "a long one makes autovacuum fall behind", "-1"),
    _p("autovacuum_vacuum_cost_limit", "100", "10000", "a low one makes autovacuum fall behind", "-1"),
    _p("vacuum_cost_delay", "0", "20ms", "a long one makes VACUUM by hand endless"),
    _p("vacuum_cost_limit", "100", "10000", "a low one makes VACUUM endless"),
    # planner
    _p("random_page_cost", "1", "8", _PLANNER),
    _p("seq_page_cost", "0.1", "4", _PLANNER),
    _p("default_statistics_target", "10", "1000", "a high one makes every ANALYZE and every planning slower"),
    _p("effective_io_concurrency", "0", "1000", "more than the disks can do only queues"),
    _p("maintenance_io_concurrency", "0", "1000", "more than the disks can do only queues"),
    _p("max_parallel_workers_per_gather", "0", "16", "each worker takes a processor and its own work_mem"),
    _p("max_parallel_maintenance_workers", "0", "16", "each worker takes a processor"),
    _p("max_parallel_workers", "0", "128", "more than there are processors only wait for each other"),
    # log
    _p("log_min_duration_statement", "50ms", "1h", _LOG, "-1"),
    _p("log_autovacuum_min_duration", "0", "1h", _LOG, "-1"),
    _p("log_temp_files", "0", "10GB", _LOG, "-1"),
    _p("log_lock_waits", "", "", "it says who waited for a lock longer than deadlock_timeout"),
    _p("log_checkpoints", "", "", "it says what a checkpoint wrote"),
    _p("track_io_timing", "", "", "on machines with a slow clock it slows every read"),
    # waiting
    _p("deadlock_timeout", "100ms", "10s", "a short one looks for deadlocks all the time"),
    _p("idle_session_timeout", "1min", "7d", "a short one cuts off the pools of applications", "0"),
    _p("tcp_keepalives_idle", "10s", "2h", "a long one keeps the sessions of lost clients", "0"),
    _p("tcp_keepalives_interval", "1s", "5min", "a long one keeps the sessions of lost clients", "0"),
    _p("tcp_keepalives_count", "1", "20", "many keep the sessions of lost clients", "0"),
)

#: By name.
ALLOWED: dict[str, Allowed] = {each.name: each for each in _ALL}

#: What is not on the list though people look for it, and what to do instead.
INSTEAD = {
    "statement_timeout": "for one role it is postgres.role_timeout; for all it would end backups and maintenance, too",
    "lock_timeout": "for one role it is postgres.role_timeout; for all it would end maintenance, too",
    "idle_in_transaction_session_timeout": "for one role it is postgres.role_timeout",
    "autovacuum": "it stays on: without it tables swell, and in the end the server stops for want of transaction numbers",
    "fsync": "it stays on: without it a crash destroys the database",
    "full_page_writes": "it stays on: without it a crash destroys pages",
    "synchronous_commit": "it decides what a crash loses: that is the owner's decision, per transaction",
}
