"""What the PostgreSQL repairs share: targets, words of SQL, the repair role's privileges, and how a statement is sent."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from datetime import datetime
from typing import TYPE_CHECKING, Any

from debugtui.config.redaction import redact
from debugtui.model.plan import Guard, GuardStatus
from debugtui.model.source import Problem
from debugtui.model.target import Target
from debugtui.model.text import clean, line
from debugtui.remediation.base import PlanError, StaleError, StepError
from debugtui.remediation.catalogue.postgres import index_state
from debugtui.remediation.catalogue.postgres.index_state import Ask, check_database
from debugtui.remediation.eyes import Eyes
from debugtui.remediation.hands import Hands
from debugtui.sources.base import SourceError
from debugtui.sources.postgres.dsn import DsnError, parse_dsn

if TYPE_CHECKING:
    import asyncpg

PASS, FAIL, UNKNOWN = GuardStatus.PASS, GuardStatus.FAIL, GuardStatus.UNKNOWN

#: The largest process id that the server's `integer` holds.
MOST_PID = 2**31 - 1

_ROLE = """
SELECT r.oid::int8 AS oid, r.rolsuper AS super, r.rolcreaterole AS createrole,
       pg_has_role(r.oid, 'pg_signal_backend', 'USAGE') AS signals, pg_has_role(r.oid, 'pg_read_all_stats', 'USAGE') AS sees,
       current_setting('server_version_num')::int AS version
FROM pg_roles AS r WHERE r.rolname = $1
"""

# Comments, dollar quotes, strings, quoted names, words and numbers; what comes first in a text decides what the rest is.
_TOKEN = re.compile(
    r"(?P<comment>--[^\n]*|/\*.*?(?:\*/|\Z))"
    r"|(?P<dollar>\$(?P<tag>\w*)\$.*?(?:\$(?P=tag)\$|\Z))"
    r"|(?P<string>(?:[eE]'(?:[^'\\]|\\.|'')*|(?:[bBxXnN]|[uU]&)?'(?:[^']|'')*)(?:'|\Z))"
    r'|(?P<name>"(?:[^"]|"")*(?:"|\Z))'
    r"|(?P<parameter>\$\d+)"
    r"|(?P<word>[^\W\d]\w*)"
    r"|(?P<number>\d[\w.]*)",
    re.DOTALL,
)


#: The oldest version whose functions and views are used here.
OLDEST_VERSION = 140_000


def asker(eyes: Eyes, database: str) -> Ask:
    """Return what asks one database with the monitoring role; what the server refuses is a `SourceError`."""
    plain = index_state.asker(eyes, database)

    async def ask(sql: str, *args: object) -> Sequence[Any]:
        import asyncpg

        try:
            return await plain(sql, *args)
        except asyncpg.LockNotAvailableError as error:
            hint = "end that lock first: postgres.terminate_session for whoever is at its root"
            raise SourceError(
                Problem("somebody holds, or waits for, a strong lock on it: it cannot even be looked at", hint)
            ) from error
        except asyncpg.PostgresError as error:
            raise SourceError(Problem(f"the server refused to be asked: {show(str(error), 300)}")) from error

    return ask


async def supported(ask: Ask) -> None:
    """See that the server is new enough.

    Raises:
        PlanError: it is not.
    """
    version = (await ask("SELECT current_setting('server_version_num')::int AS version"))[0]["version"]
    if version < OLDEST_VERSION:
        raise PlanError(f"this repair needs PostgreSQL {OLDEST_VERSION // 10_000} or newer, this is {version // 10_000}")


def session_of(eyes: Eyes, target: Target) -> tuple[str, int]:
    """Return the database and the process id of a session's target.

    Raises:
        PlanError: it is no session, or the database is not configured.
    """
    database = check_database(eyes, target)
    rest = target.name.partition("/")[2]
    if not rest.isascii() or not rest.isdigit() or not 0 < int(rest) <= MOST_PID:
        raise PlanError(f"a session is HOST/postgres/DATABASE/PID, not {line(str(target), 120)}")
    return database, int(rest)


def whole_database(eyes: Eyes, target: Target) -> tuple[str, Target]:
    """Return the database's name and target; what stands behind its name (a session, a table) is left off.

    Raises:
        PlanError: there is none of that name.
    """
    database = check_database(eyes, target)
    return database, Target(target.host, "postgres", database)


def show(text: str | None, limit: int = 160) -> str:
    """Return a text of the server safe to show on one line, without secrets."""
    return line(redact(text or ""), limit)


def masked(sql: str, limit: int = 2_000) -> str:
    """Return a statement without its comments and with its literals masked, safe to show."""

    def one(match: re.Match[str]) -> str:
        if match["name"] or match["word"] or match["parameter"]:
            return match[0]
        return " " if match["comment"] else "?"

    return clean(redact(_TOKEN.sub(one, sql)), limit).strip()


def literal(text: str) -> str:
    """Return a text as an SQL string that reads the same whatever `standard_conforming_strings` says.

    Raises:
        PlanError: it holds a character that no name or value has.
    """
    if "\0" in text or "\\" in text or clean(text) != text:
        raise PlanError(f"{show(text, 80)!r} holds characters that are not accepted")
    return "'" + text.replace("'", "''") + "'"


def moment(at: datetime | None) -> str:
    """Return a moment as an SQL literal, to the microsecond."""
    return "NULL::timestamptz" if at is None else f"'{at.isoformat()}'::timestamptz"


def stamp(at: datetime | None) -> str:
    """Return a moment as a plan's data has it; empty for none."""
    return "" if at is None else at.isoformat()


def unstamp(text: object) -> datetime | None:
    """Return the moment of a `stamp`."""
    return datetime.fromisoformat(str(text)) if text else None


# --- the repair role


def repair_user(eyes: Eyes, database: str) -> str | None:
    """Return the name of the repair role, None where none is configured.

    Raises:
        PlanError: its connection string cannot be read.
    """
    dsn = eyes.database(database).repair_dsn
    if dsn is None:
        return None
    try:
        return parse_dsn(dsn).user
    except DsnError as error:
        raise PlanError(f"the repair_dsn of {database} cannot be used: {error}") from None


async def repair_role(ask: Ask, eyes: Eyes, database: str) -> tuple[str, Mapping[str, Any] | None]:
    """Return the repair role's name and what it may (the columns of `_ROLE`); None: there is no such role."""
    user = repair_user(eyes, database)
    if user is None:
        return "", None
    rows = await ask(_ROLE, user)
    return user, dict(rows[0]) if rows else None


def no_role(name: str, user: str) -> Guard:
    """Return the guard that fails because there is no repair role to ask about."""
    if not user:
        return Guard(name, FAIL, "no repair role is configured: repair_dsn names it")
    return Guard(name, FAIL, f"there is no role {show(user, 80)}, which repair_dsn names", "pg_roles, read just now")


async def may_signal(ask: Ask, eyes: Eyes, database: str, roles: Sequence[str]) -> Guard:
    """The repair role may end sessions of these roles, and sees when they began (that is part of the same statement)."""
    user, role = await repair_role(ask, eyes, database)
    if role is None:
        return no_role("may_signal", user)
    who = show(user, 80)
    if role["super"]:
        return Guard("may_signal", PASS, f"the repair role {who} is a superuser", "pg_roles, read just now")
    rows = await ask("SELECT bool_and(pg_has_role($1::int8::oid, r, 'USAGE')) AS own FROM unnest($2::text[]) AS r",
                     role["oid"], sorted(set(roles)))  # fmt: skip
    if rows[0]["own"]:
        why = f"the repair role {who} is a member of {', '.join(show(each, 60) for each in sorted(set(roles)))}"
        return Guard("may_signal", PASS, why, "pg_has_role, read just now")
    missing = [name for name, has in (("pg_signal_backend", role["signals"]), ("pg_read_all_stats", role["sees"])) if not has]
    if missing:
        why = f"the repair role {who} may not end these sessions: GRANT {', '.join(missing)} TO {who}"
        return Guard("may_signal", FAIL, why, "pg_has_role, read just now")
    return Guard("may_signal", PASS, f"the repair role {who} may end sessions of others", "pg_has_role, read just now")


# --- sending


def limits(statement_s: float, lock_s: float = 2.0) -> tuple[str, ...]:
    """Return what is sent before a statement: how long it may take and wait for locks at most, and whose functions it calls."""
    return (
        "SET search_path = pg_catalog",
        f"SET statement_timeout = '{statement_s * 1000:.0f}ms'",
        f"SET lock_timeout = '{lock_s * 1000:.0f}ms'",
    )


@asynccontextmanager
async def repairing(
    hands: Hands, database: str, before: Sequence[str], *, changed: bool | None = False
) -> AsyncIterator[asyncpg.Connection[Any]]:
    """Open the repair role's connection, send each of `before` in a message of its own, and turn refusals into `StepError`.

    Args:
        hands: write access.
        database: its configured name.
        before: `limits`.
        changed: what a statement that the server refused has left (see `StepError`).

    Raises:
        StepError: the server refused; or the connection was lost, then it is not known what happened.
    """
    import asyncpg

    try:
        async with hands.repair(database) as connection:
            for statement in before:
                await connection.execute(statement, timeout=10.0)
            yield connection
    except (StaleError, StepError):
        raise
    except asyncpg.QueryCanceledError as error:
        raise StepError(f"the server gave up: {show(str(error), 300)}", changed=changed) from None
    except (asyncpg.PostgresConnectionError, asyncpg.OperatorInterventionError, asyncpg.InterfaceError, OSError) as error:
        if isinstance(error, TimeoutError):
            raise
        raise StepError(f"the connection was lost: {show(str(error) or type(error).__name__, 300)}") from None
    except asyncpg.PostgresError as error:
        raise StepError(f"the server refused: {show(str(error), 300)}", changed=changed) from None


async def send(connection: asyncpg.Connection[Any], statement: str, timeout_s: float) -> Sequence[asyncpg.Record]:
    """Send exactly one statement in a message of its own: the extended protocol refuses a text that holds two."""
    rows: Sequence[asyncpg.Record] = await connection.fetch(statement, timeout=timeout_s)
    return rows
