"""What must be true before an index is built or dropped concurrently. Each looks for itself and says what it saw."""

from __future__ import annotations

from debugtui.hosts.link import LinkError
from debugtui.model.amounts import size_text, span
from debugtui.model.plan import Guard, GuardStatus
from debugtui.model.text import line
from debugtui.remediation.catalogue.postgres.index_state import Ask, Table
from debugtui.remediation.eyes import Eyes
from debugtui.sources.postgres.dsn import parse_dsn

PASS, FAIL, UNKNOWN = GuardStatus.PASS, GuardStatus.FAIL, GuardStatus.UNKNOWN

#: A concurrent build waits for every older snapshot in the whole database; an older one than this is not waited for.
OLDEST_S = 60.0
#: How far a standby may be behind: seconds of replay, bytes of WAL. Building an index writes all of it to the WAL.
LAG_S, LAG_BYTES = 30.0, 256 << 20
#: Free space asked for, as a multiple of the estimated size: sorting spills as much again, and the WAL holds it once more.
DISK_FACTOR = 2.5

_OLDEST = """
SELECT pg_has_role(current_user, 'pg_read_all_stats', 'USAGE') AS sees_all, pg_is_in_recovery() AS standby,
       (SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()) AS sessions, o.*
FROM (SELECT 1) AS one LEFT JOIN (
    SELECT pid, coalesce(application_name, '')::text AS application, coalesce(state, '') AS state,
           extract(epoch FROM clock_timestamp() - xact_start)::float8 AS age
    FROM pg_stat_activity
    WHERE datname = current_database() AND pid <> pg_backend_pid() AND xact_start IS NOT NULL
      AND backend_type NOT IN ('autovacuum worker', 'walsender')
    UNION ALL
    SELECT 0, gid, 'prepared', extract(epoch FROM clock_timestamp() - prepared)::float8
    FROM pg_prepared_xacts WHERE database = current_database()
    ORDER BY 4 DESC LIMIT 1) AS o ON true
"""

_BUILDS = "SELECT pid, command, phase FROM pg_stat_progress_create_index WHERE relid = $1::int8::oid"

_REPLICAS = """
SELECT coalesce(application_name, '')::text AS name, state::text, extract(epoch FROM replay_lag)::float8 AS lag,
       CASE WHEN pg_is_in_recovery() THEN NULL ELSE pg_wal_lsn_diff(pg_current_wal_lsn(), replay_lsn) END::float8 AS behind,
       pg_has_role(current_user, 'pg_read_all_stats', 'USAGE') AS sees_all
FROM pg_stat_replication ORDER BY 1
"""

_FOLDER = """
SELECT coalesce((SELECT pg_tablespace_location(d.dattablespace) FROM pg_database AS d
                 WHERE d.datname = current_database()), '') AS tablespace,
       CASE WHEN pg_has_role(current_user, 'pg_read_all_settings', 'USAGE')
            THEN current_setting('data_directory', true) END AS data
"""

_OWNER = """
SELECT r.rolsuper AS super, pg_has_role(r.oid, $2::int8::oid, 'USAGE') AS owner,
       (SELECT has_schema_privilege(r.oid, n.oid, 'CREATE') FROM pg_namespace AS n WHERE n.nspname = $3) AS may_create
FROM pg_roles AS r WHERE r.rolname = $1
"""


async def primary(ask: Ask) -> Guard:
    """Not a standby: nothing can be built or dropped there."""
    standby = (await ask("SELECT pg_is_in_recovery() AS standby"))[0]["standby"]
    if standby:
        return Guard(
            "primary", FAIL, "this server is a standby: change the primary", "pg_is_in_recovery() is true, read just now"
        )
    return Guard("primary", PASS, "this server is a primary", "pg_is_in_recovery() is false, read just now")


async def old_transactions(ask: Ask) -> Guard:
    """No old transaction anywhere in the database: a concurrent build would wait for it, whatever table it uses."""
    row = (await ask(_OLDEST))[0]
    name = "old_transactions"
    if row["pid"] is None or row["age"] < OLDEST_S:
        if not row["sees_all"]:
            why = "the monitoring role does not see the transactions of others; it needs pg_monitor"
            return Guard(name, UNKNOWN, why, "pg_has_role(pg_read_all_stats) is false")
        oldest = "none is open" if row["pid"] is None else f"the oldest is {span(row['age'])} old"
        return Guard(name, PASS, "nothing in the database keeps a concurrent build waiting", f"{oldest}, read just now")
    who = f"session {row['pid']} ({line(row['application'], 60) or 'no name'})"
    if row["pid"] == 0:
        who = f"the prepared transaction {line(row['application'], 60)}"
    why = f"it would wait for {who}, on whatever table that is; end that first: postgres.terminate_session"
    return Guard(name, FAIL, why, f"{line(row['state'], 40)} for {span(row['age'])}, at most {span(OLDEST_S)} allowed")


async def no_build(ask: Ask, table: int) -> Guard:
    """Nobody builds an index on the table: its index is invalid because it is not ready yet."""
    rows = await ask(_BUILDS, table)
    if rows:
        row = rows[0]
        says = f"session {row['pid']}: {line(row['command'], 60)}, {line(row['phase'], 80)}"
        return Guard("no_other_build", FAIL, "an index of this table is being built right now", says)
    return Guard(
        "no_other_build", PASS, "no index of this table is being built", "pg_stat_progress_create_index, read just now"
    )


async def owner(ask: Ask, eyes: Eyes, database: str, table: Table, *, create: bool) -> Guard:
    """The repair role may do it: it owns the table."""
    dsn = eyes.database(database).repair_dsn
    if dsn is None:
        return Guard("may_change", FAIL, "no repair role is configured: repair_dsn names it")
    role = parse_dsn(dsn).user
    rows = await ask(_OWNER, role, table.owner, table.schema)
    if not rows:
        return Guard("may_change", FAIL, f"there is no role {line(role, 80)}, which repair_dsn names")
    row = rows[0]
    missing = "" if row["super"] or row["owner"] else f"does not own {line(table.quoted, 100)}"
    if not missing and create and not (row["super"] or row["may_create"]):
        missing = f"may not create in the schema {line(table.schema, 80)}"
    if missing:
        return Guard("may_change", FAIL, f"the repair role {line(role, 80)} {missing}", "pg_has_role, read just now")
    return Guard("may_change", PASS, f"the repair role {line(role, 80)} owns the table", "pg_has_role, read just now")


async def replicas(ask: Ask) -> Guard:
    """The standbys follow: a build writes the whole index to the WAL. Not critical: unknown raises the risk."""
    name = "replica_lag"
    rows = await ask(_REPLICAS)
    if not rows:
        return Guard(name, PASS, "no standby is connected", "pg_stat_replication is empty", critical=False)
    for row in rows:
        who = line(row["name"], 60) or "a standby"
        if not row["sees_all"] or row["behind"] is None:
            return Guard(name, UNKNOWN, f"how far {who} is behind is not known", "replay position not readable", critical=False)
        says = f"{who}: {size_text(row['behind'])} behind, {row['lag'] or 0:.0f} s"
        if row["behind"] > LAG_BYTES or (row["lag"] or 0) > LAG_S:
            return Guard(name, FAIL, f"{who} is behind already: it would fall back further", says, critical=False)
    says = f"{len(rows)} connected, all within {size_text(LAG_BYTES)} and {span(LAG_S)}"
    return Guard(name, PASS, "the standbys follow", says, critical=False)


def estimate(table: Table, width: int) -> int:
    """Return about how large an index will be, in bytes: 12 bytes of head per entry, pages 90 % full (PostgreSQL manual, 73.6).

    A table that was never counted gives its own size, which no plain index of it exceeds by much.
    """
    if table.rows < 0:
        return max(table.size, 8192)
    aligned = -(-(width + 8) // 8) * 8 + 4
    return max(int(table.rows * aligned / 0.9), 8192)


async def disk(ask: Ask, eyes: Eyes, database: str, wanted: int) -> Guard:
    """There is room for the index. Not critical: where the file system cannot be seen the risk rises."""
    name = "free_disk"

    def unknown(why: str) -> Guard:
        return Guard(name, UNKNOWN, why, f"about {size_text(wanted)} are wanted", critical=False)

    if not parse_dsn(eyes.database(database).dsn).socket_dir:
        return unknown("the server is reached over TCP: its file system may be another machine's")
    row = (await ask(_FOLDER))[0]
    folder = row["tablespace"] or row["data"]
    if not folder:
        return unknown("the monitoring role may not read where the data directory is; it needs pg_monitor")
    try:
        free = await free_bytes(eyes, folder)
    except LinkError as error:
        return unknown(f"the host cannot be asked: {line(str(error), 200)}")
    if free is None:
        return unknown(f"the file system of {line(folder, 200)} cannot be seen from the host")
    says = f"{size_text(free)} free for {line(folder, 200)}, {size_text(wanted)} wanted, read just now"
    if free < wanted:
        return Guard(name, FAIL, "there is not enough free disk", says, critical=False)
    return Guard(name, PASS, "there is enough free disk", says, critical=False)


async def free_bytes(eyes: Eyes, folder: str) -> int | None:
    """Return the free space for ordinary users of the file system that holds a folder of the host; None: it cannot be seen.

    Raises:
        LinkError: the link is not up.
    """
    found = await eyes.run(["env", "LC_ALL=C", "df", "-P", "-B1", "--", folder])
    lines = found.stdout.decode("utf-8", "replace").splitlines()
    if found.status or len(lines) != 2:
        return None
    # The mount point and the device may hold spaces; the four figures stand together before the mount point.
    fields = lines[1].split()
    for at in range(2, len(fields)):
        if fields[at].endswith("%") and fields[at - 1].isdigit():
            return int(fields[at - 1])
    return None
