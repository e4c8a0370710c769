"""PostgreSQL's refusals in words that say what to do."""

from __future__ import annotations

import ssl

import asyncpg

from debugtui.hosts.link import LinkError
from debugtui.model.source import Problem
from debugtui.model.text import line
from debugtui.sources.base import SourceError
from debugtui.sources.postgres.dsn import Address

#: Oldest major version whose catalogs are read.
OLDEST = 10

_CLOSED_HINT = "no server behind it, one that just restarts, or not a PostgreSQL"


def says(error: BaseException) -> str:
    """Return the error's own words on one line."""
    message = getattr(error, "message", None) if isinstance(error, asyncpg.PostgresError) else None
    return line(message or str(error) or type(error).__name__, 300)


def grant_hint(role: str) -> str:
    """Return the statement that gives the monitoring privileges."""
    quoted = role if role.isidentifier() and role == role.lower() else '"' + role.replace('"', '""') + '"'
    return f"GRANT pg_monitor TO {line(quoted, 200)};"


def connect_problem(error: BaseException, address: Address, timeout: float) -> SourceError:
    """Return why a connection could not be made, and how to mend it."""
    if isinstance(error, asyncpg.PostgresError) and not isinstance(error, asyncpg.ConnectionDoesNotExistError):
        words = f"{line(str(address))}: {says(error)}" if _of_the_whole_server(error) else says(error)
        return SourceError(Problem(words, _server_hint(error, address)))
    absent = isinstance(error, FileNotFoundError) and bool(address.socket_dir)
    return SourceError(_way_problem(error, address, timeout), absent=absent)


def _of_the_whole_server(error: asyncpg.PostgresError) -> bool:
    """Whether every database of the server refuses like that, so that its address is what matters."""
    if isinstance(error, asyncpg.TooManyConnectionsError):
        return "for database" not in str(error) and "for role" not in str(error)
    return isinstance(error, asyncpg.CannotConnectNowError | asyncpg.AdminShutdownError | asyncpg.CrashShutdownError)


def wants_password(error: BaseException) -> bool:
    """Whether a right password would mend it. PgBouncer before 1.19 calls a wrong one a protocol violation."""
    if isinstance(error, asyncpg.ProtocolViolationError):
        return "authentication failed" in str(error)
    return isinstance(error, asyncpg.InvalidPasswordError)


def _way_problem(error: BaseException, address: Address, timeout: float) -> Problem:
    """What went wrong before a server of PostgreSQL's kind had a word."""
    where = line(str(address))
    if isinstance(error, ConnectionError) and "rejected SSL upgrade" in str(error):
        if address.sslmode in ("allow", "prefer"):  # a PostgreSQL without TLS says so politely
            return Problem(f"{where} does not answer like PostgreSQL", "check host and port")
        return Problem("the server offers no TLS", "sslmode=prefer or disable; the link itself is encrypted")
    known: tuple[tuple[type[BaseException], str, str], ...] = (
        (FileNotFoundError, f"no socket {where}", "is PostgreSQL there? SHOW unix_socket_directories; names the directory"),
        (TimeoutError, f"no answer from {where} within {timeout:.0f} s", "a firewall, or an overloaded server"),
        (PermissionError, f"permission denied on {where}", "the login user may not open this socket"),
        (ConnectionRefusedError, f"nothing listens on {where}", "is the server running, and the port right?"),
        (ssl.SSLError, f"TLS failed: {says(error)}", "sslmode and sslrootcert of the dsn decide what is accepted"),
        (ConnectionError, f"{where} closed the connection", _CLOSED_HINT),
        (asyncpg.ConnectionDoesNotExistError, f"{where} closed the connection", _CLOSED_HINT),
        (OSError, f"{where}: {says(error)}", ""),
        (asyncpg.UnsupportedClientFeatureError, says(error), "allow scram-sha-256, md5 or peer for this role in pg_hba.conf"),
    )
    for kind, text, hint in known:
        if isinstance(error, kind):
            return Problem(text, hint)
    return Problem(f"{where} does not answer like PostgreSQL: {says(error)}", "check host and port")


def _server_hint(error: asyncpg.PostgresError, address: Address) -> str:
    user, database = line(address.user, 80), line(address.database, 80)
    text = str(error)
    if isinstance(error, asyncpg.InvalidAuthorizationSpecificationError):
        return _authorization_hint(text, user, database, address)
    hints: dict[type[asyncpg.PostgresError], str] = {
        asyncpg.InvalidCatalogNameError: f"create the database {database}, or name another one in the dsn",
        asyncpg.CannotConnectNowError: "the server starts, stops or recovers; it is tried again",
        asyncpg.TooManyConnectionsError: "all connections are taken: end idle sessions, or give the monitoring role "
        "reserved ones (pg_use_reserved_connections, 16+)",
        asyncpg.InsufficientPrivilegeError: f"GRANT CONNECT ON DATABASE {database} TO {user};",
        asyncpg.AdminShutdownError: "the server was told to stop, or the session was ended; it is tried again",
        asyncpg.CrashShutdownError: "the server lost a process and restarts; it is tried again",
    }
    return next((hint for kind, hint in hints.items() if isinstance(error, kind)), "")


def _authorization_hint(text: str, user: str, database: str, address: Address) -> str:
    if "pg_hba.conf" in text and ("no encryption" in text or "SSL off" in text) and not address.socket_dir:
        return "if the server demands TLS (hostssl), set sslmode=require; else add a line to pg_hba.conf"
    if "pg_hba.conf" in text:
        kind = "local" if address.socket_dir else "host"
        return f"add to pg_hba.conf: {kind} {database} {user} ... and reload"
    if "eer authentication" in text or "dent authentication" in text:
        return "peer compares the login user of the link with the role: map it in pg_ident.conf, or use scram-sha-256"
    return f"CREATE ROLE {user} LOGIN; GRANT pg_monitor TO {user};"


def feature_problem(error: BaseException, role: str, timeout: float) -> Problem:
    """Return why one optional query failed."""
    if isinstance(error, asyncpg.InsufficientPrivilegeError):
        in_schema = "schema" in str(error)
        return Problem(says(error), f"GRANT USAGE ON SCHEMA ... TO {line(role, 80)};" if in_schema else grant_hint(role))
    if isinstance(error, asyncpg.LockNotAvailableError):
        return Problem("a table is locked", "it is tried again")
    if isinstance(error, asyncpg.ObjectNotInPrerequisiteStateError):
        return Problem(says(error), "shared_preload_libraries = 'pg_stat_statements', then restart the server")
    if isinstance(error, (asyncpg.UndefinedTableError, asyncpg.UndefinedFunctionError, asyncpg.UndefinedColumnError)):
        return Problem(says(error), "the server or the extension is of another version: ALTER EXTENSION ... UPDATE;")
    if isinstance(error, (asyncpg.QueryCanceledError, TimeoutError)):
        return Problem(f"no answer within {timeout:.0f} s", "it is tried again in ten minutes")
    return Problem(says(error))


def lost(error: BaseException) -> SourceError:
    """Return what ended a session that had worked."""
    if isinstance(error, SourceError):
        return error
    if isinstance(error, LinkError):
        return SourceError(error.problem)
    if isinstance(error, TimeoutError):
        return SourceError(Problem("the server does not answer", "overloaded, or the way to it is blocked; it is tried again"))
    if isinstance(error, (asyncpg.AdminShutdownError, asyncpg.CrashShutdownError, asyncpg.CannotConnectNowError)):
        return SourceError(Problem(says(error), "the server stops or restarts; it is tried again"))
    if isinstance(error, (asyncpg.ConnectionDoesNotExistError, asyncpg.InterfaceError, OSError)):
        return SourceError(
            Problem("the connection to the server was lost", "the server restarted or ended it; it is tried again")
        )
    return SourceError(Problem(says(error)))
