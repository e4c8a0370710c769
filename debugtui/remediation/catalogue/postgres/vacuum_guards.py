"""What must be true before a table is vacuumed. Each looks for itself and says what it saw."""

from __future__ import annotations

from debugtui.model.amounts import span
from debugtui.model.plan import Guard
from debugtui.remediation.catalogue.postgres.common import FAIL, PASS, UNKNOWN, no_role, repair_role, show
from debugtui.remediation.catalogue.postgres.index_state import Ask, Table
from debugtui.remediation.eyes import Eyes

#: A transaction, or a prepared one, that is older keeps dead rows from being removed; in seconds.
OLDEST_S = 60.0
#: A slot whose horizon is further back keeps dead rows, in transactions.
SLOT_XIDS = 10_000

# What holds the horizon back: who has a snapshot or a number of its own, also a standby with feedback (a walsender).
_PINS = """
SELECT p.* FROM (
    SELECT 'session ' || pid || ' (' || coalesce(nullif(application_name, ''), backend_type) || ')' AS who, pid::int AS pid,
           coalesce(extract(epoch FROM clock_timestamp() - xact_start), 0)::float8 AS age,
           greatest(age(backend_xmin), age(backend_xid))::int8 AS xids, backend_type = 'walsender' AS standby
    FROM pg_stat_activity
    WHERE (backend_xmin IS NOT NULL OR backend_xid IS NOT NULL) AND pid <> pg_backend_pid()
      AND (datname = current_database() OR backend_type = 'walsender')
      AND NOT (backend_type = 'autovacuum worker')
    UNION ALL
    SELECT 'the prepared transaction ' || gid, NULL, extract(epoch FROM clock_timestamp() - prepared)::float8,
           age(transaction)::int8, false
    FROM pg_prepared_xacts WHERE database = current_database()
) AS p WHERE p.age >= $1 OR (p.standby AND p.xids > $2::int8) ORDER BY p.age DESC, p.who LIMIT 1
"""

_SLOTS = """
SELECT slot_name::text AS name, active, age(xmin)::int8 AS xids FROM pg_replication_slots
WHERE xmin IS NOT NULL AND (NOT active OR age(xmin) > $1::int8) ORDER BY age(xmin) DESC, slot_name LIMIT 1
"""

_AT_WORK = """
SELECT a.pid, a.backend_type::text AS backend_type, a.query LIKE '%to prevent wraparound%' AS wraparound, p.phase
FROM pg_stat_progress_vacuum AS p JOIN pg_stat_activity AS a ON a.pid = p.pid
WHERE p.relid = $1::int8::oid AND p.datname = current_database() ORDER BY a.pid LIMIT 1
"""

_MAY = """
SELECT r.rolsuper AS super, pg_has_role(r.oid, $2::int8::oid, 'USAGE') AS owner,
       pg_has_role(r.oid, (SELECT datdba FROM pg_database WHERE datname = current_database()), 'USAGE') AS database_owner
FROM pg_roles AS r WHERE r.rolname = $1
"""
_MAINTAINS = "SELECT has_table_privilege($1::name, $2::int8::oid, 'MAINTAIN') AS may"


async def horizon(ask: Ask) -> Guard:
    """Nothing old pins the horizon: a VACUUM would succeed and remove nothing."""
    name = "horizon"
    seen = (await ask("SELECT pg_has_role(current_user, 'pg_read_all_stats', 'USAGE') AS sees"))[0]["sees"]
    if slots := await ask(_SLOTS, SLOT_XIDS):
        slot = slots[0]
        state = "active" if slot["active"] else "inactive"
        why = f"the replication slot {show(slot['name'], 60)} keeps dead rows: VACUUM would remove few or none"
        return Guard(name, FAIL, why, f"{state}, {slot['xids']} transactions back, read just now")
    if pins := await ask(_PINS, OLDEST_S, SLOT_XIDS):
        why = f"{show(pins[0]['who'], 100)} keeps dead rows: VACUUM would remove few or none; end that first"
        return Guard(name, FAIL, why, f"for {span(pins[0]['age'])}, {pins[0]['xids']} transactions back, read just now")
    if not seen:
        why = "the monitoring role does not see the transactions of others; it needs pg_monitor"
        return Guard(name, UNKNOWN, why, "pg_has_role(pg_read_all_stats) is false")
    return Guard(name, PASS, "nothing old keeps dead rows", f"no transaction older than {span(OLDEST_S)}, read just now")


async def not_at_work(ask: Ask, table: Table) -> tuple[Guard, Guard]:
    """Nobody vacuums it already, least of all to prevent wraparound."""
    rows = await ask(_AT_WORK, table.oid)
    wraparound, already = "no_wraparound", "not_vacuumed_now"
    if not rows:
        read = "pg_stat_progress_vacuum, read just now"
        return (
            Guard(wraparound, PASS, "no autovacuum against wraparound works on it", read),
            Guard(already, PASS, "nobody vacuums it now", read),
        )
    row = rows[0]
    says = f"session {row['pid']}, {show(row['backend_type'], 60)}: {show(row['phase'], 60)}"
    why = "an autovacuum to prevent wraparound works on it: it must run to its end"
    return (
        Guard(
            wraparound, FAIL if row["wraparound"] else PASS, why if row["wraparound"] else "it is not against wraparound", says
        ),
        Guard(already, FAIL, "it is being vacuumed already: ours would only wait", says),
    )


async def may_vacuum(ask: Ask, eyes: Eyes, database: str, table: Table) -> Guard:
    """The repair role may: where it may not, the server skips the table with a warning and reports success."""
    name = "may_vacuum"
    user, role = await repair_role(ask, eyes, database)
    if role is None:
        return no_role(name, user)
    may = (await ask(_MAY, user, table.owner))[0]
    who, what = show(user, 80), show(table.quoted, 100)
    allowed = may["super"] or may["owner"] or (may["database_owner"] and role["version"] < 170_000)
    if not allowed and role["version"] >= 170_000:
        allowed = may["database_owner"] or (await ask(_MAINTAINS, user, table.oid))[0]["may"]
    if allowed:
        return Guard(name, PASS, f"the repair role {who} may vacuum {what}", "privileges, read just now")
    grant = f"GRANT MAINTAIN ON {what} TO {who}" if role["version"] >= 170_000 else "it has to own the table or the database"
    return Guard(name, FAIL, f"the repair role {who} may not vacuum {what}: {grant}", "privileges, read just now")


def plain_table(table: Table) -> Guard:
    """One table with rows of its own."""
    if table.kind == "p":
        return Guard("plain_table", FAIL, "it is partitioned: vacuum its partitions, one by one", "relkind is p")
    return Guard("plain_table", PASS, "it is a table with rows of its own", f"relkind is {table.kind}, read just now")
