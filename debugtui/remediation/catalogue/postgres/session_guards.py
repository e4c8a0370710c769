"""What must be true before a session or its query is ended."""

from __future__ import annotations

import re

from debugtui.model.plan import Guard
from debugtui.model.text import decode
from debugtui.remediation.catalogue.postgres.common import FAIL, PASS, show
from debugtui.remediation.catalogue.postgres.session_state import Found
from debugtui.remediation.planner import BACKUP_PROGRAMS
from debugtui.sources.postgres.session import APPLICATION_NAME

#: Programs that change the schema; ended half-way they leave it half-way.
MIGRATION_PROGRAMS = (
    "flyway", "liquibase", "alembic", "sqitch", "pgroll", "pg_repack", "atlas", "goose", "golang-migrate", "prisma",
    "rails db:migrate", "dbmate", "refinery", "bytebase",
)  # fmt: skip

_CONCURRENTLY = re.compile(r"^\s*(?:create\s+(?:unique\s+)?index|drop\s+index|reindex)\b.*\bconcurrently\b", re.I | re.S)
_READ = "pg_stat_activity, read just now"


def client_session(found: Found) -> Guard:
    """It serves a client: nothing of the server's own, no replication, no autovacuum."""
    name, kind = "client_session", show(found.backend_type, 60) or "unknown"
    statement = decode(found.query or b"")
    if found.ourselves or found.application.startswith(APPLICATION_NAME):
        return Guard(name, FAIL, "it is a session of DebugTUI itself", _READ)
    if found.backend_type == "client backend":
        return Guard(name, PASS, "it serves a client", f"backend_type is {kind}, read just now")
    if found.backend_type == "autovacuum worker":
        wraparound = "to prevent wraparound" in statement
        why = "it is an autovacuum" + (" to prevent wraparound: it must run to its end" if wraparound else ", not a client")
    elif found.backend_type in ("walsender", "walreceiver") or "logical replication" in found.backend_type:
        why = f"it is a {kind}: a standby or a subscriber would fall behind"
    elif found.backend_type == "parallel worker":
        why = "it is a parallel worker: plan it for the session that leads it"
    else:
        why = f"it is a {kind}, not a client's session"
    return Guard(name, FAIL, why, f"backend_type is {kind}, read just now")


def not_superuser(found: Found) -> Guard:
    """Administrators' sessions are left to the administrators."""
    who = show(found.username, 80) or "nobody"
    if found.super:
        return Guard(
            "not_superuser", FAIL, f"it is {who}'s session, a superuser: an administrator may be at work", "rolsuper is true"
        )
    return Guard("not_superuser", PASS, f"its role {who} is no superuser", "pg_roles, read just now")


def not_backup(found: Found) -> Guard:
    """A backup that is cut off is no backup."""
    program = show(found.application, 80)
    if found.backs_up or found.application.lower().startswith(BACKUP_PROGRAMS):
        return Guard("not_backup", FAIL, f"a backup is being made by {program or 'it'}: it would have to begin again", _READ)
    return Guard("not_backup", PASS, "it makes no backup", f"application_name is {program or 'empty'}, read just now")


def not_migration(found: Found) -> Guard:
    """A schema change that is cut off may leave an invalid index, or half a migration."""
    name, program = "not_migration", show(found.application, 80)
    statement = decode(found.query or b"")
    if found.state == "active" and (found.builds or _CONCURRENTLY.search(statement)):
        why = "it builds or drops an index concurrently: cut off, it leaves an invalid index"
        return Guard(name, FAIL, why, found.statement)
    if found.application.lower().startswith(MIGRATION_PROGRAMS):
        return Guard(name, FAIL, f"{program} changes the schema: cut off, it may leave half a migration", _READ)
    return Guard(name, PASS, "it builds no index concurrently and is no known migration tool", _READ)
