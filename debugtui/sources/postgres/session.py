"""One connection to one database: read only, limited, and safe through a pooler."""

from __future__ import annotations

import asyncio
import codecs
import contextlib
from collections.abc import Sequence
from typing import Any

import asyncpg

from debugtui.hosts.link import Endpoint
from debugtui.model.source import Problem
from debugtui.sources.base import SourceError
from debugtui.sources.postgres.dial import detour, tls
from debugtui.sources.postgres.dsn import Address
from debugtui.sources.postgres.problems import OLDEST

#: Seconds to connect, and for one query on our side; the server's own limit on a statement is `LIMITS`.
CONNECT_TIMEOUT = 5.0
QUERY_TIMEOUT = 6.0

APPLICATION_NAME = "debugtui"

_READ_ONLY = "default_transaction_read_only"
_IDLE = "idle_in_transaction_session_timeout"

#: What the server holds this session to. The odd value is the mark by which a session is known to be ours alone: it is asked
#: for on the way in, and nobody sets it for a role or a server. Without it a pooler may stand between: nothing may be set.
LIMITS = {
    _READ_ONLY: "on",
    "statement_timeout": "5s",
    "lock_timeout": "1s",
    _IDLE: "10007ms",
    "search_path": "pg_catalog",
}

#: Those that are set once the session stands, and not on the way in: only then the server still tells what it would hold others
#: to, which may be what is wrong with it.
LATER = (_READ_ONLY, "statement_timeout", "lock_timeout")
_AT_ONCE = {name: value for name, value in LIMITS.items() if name not in LATER}
#: How often the first statements of a session are tried: a server that cancels what takes a millisecond cancels these, too.
_TRIES = 3

# What PostgreSQL calls its encodings where Python's name differs.
_CODECS = {
    "UTF8": "utf-8",
    "SQL_ASCII": "utf-8",
    "WIN": "cp1251",
    "KOI8R": "koi8-r",
    "KOI8U": "koi8-u",
    "EUC_JIS_2004": "euc_jis_2004",
}

Row = asyncpg.Record


class Session:
    """A connection with its limits set.

    Behind a pooler in transaction mode nothing may be set for the session: it would stay on a server connection that the
    application gets next. There (`pooled`) every query runs in a read-only transaction with its limits set locally.
    """

    def __init__(self, connection: asyncpg.Connection[Row], *, pooled: bool, held: bool = False) -> None:
        """Take over a connection.

        Args:
            connection: with its limits set.
            pooled: it goes through a pooler in transaction mode.
            held: all its limits came with it on the way in: the server does not tell then what it holds others to.
        """
        self._connection = connection
        self.held = held
        self._kept: dict[str, asyncpg.prepared_stmt.PreparedStatement[Row]] = {}
        self.pooled = pooled
        version = connection.get_server_version()
        #: As `server_version_num`: 150018.
        self.version = version.major * 10_000 + version.micro  # asyncpg calls the second number of 10 and newer `micro`

    @property
    def closed(self) -> bool:
        """The connection is gone."""
        return self._connection.is_closed()

    async def fetch(self, sql: str, *args: object, keep: bool = False, timeout: float | None = None) -> Sequence[Row]:
        """Run one query.

        Args:
            sql: ASCII.
            args: its parameters.
            keep: it will be asked again and again: keep it prepared on the server (one round trip instead of two).
            timeout: seconds, `QUERY_TIMEOUT` unless told; the server is then told to stop working on it.
        """
        timeout = QUERY_TIMEOUT if timeout is None else timeout
        if self.pooled:
            return await self._fetch_pooled(sql, args, timeout)
        if not keep:
            return await self._connection.fetch(sql, *args, timeout=timeout)
        statement = self._kept.get(sql)
        if statement is None:
            statement = self._kept[sql] = await self._connection.prepare(sql, timeout=timeout)
        return await statement.fetch(*args, timeout=timeout)

    async def _fetch_pooled(self, sql: str, args: Sequence[object], timeout: float) -> Sequence[Row]:
        local = "; ".join(f"SET LOCAL {name} = '{value}'" for name, value in LIMITS.items() if name != _READ_ONLY)
        await self._connection.execute(f"BEGIN TRANSACTION READ ONLY; {local}", timeout=timeout)
        try:
            return await self._connection.fetch(sql, *args, timeout=timeout)
        finally:
            if not self._connection.is_closed():
                await self._connection.execute("ROLLBACK", timeout=timeout)

    async def some(self, sql: str, *args: object, most: int) -> Sequence[Row]:
        """Run one query that somebody else wrote: in a read-only transaction that is rolled back, whatever happens.

        It is sent by the protocol in which the server refuses a text that holds two statements.

        Args:
            sql: ASCII.
            args: its parameters.
            most: rows that are fetched; the server stops after them.
        """
        local = "; ".join(f"SET LOCAL {name} = '{value}'" for name, value in LIMITS.items() if name != _READ_ONLY)
        await self._connection.execute(f"BEGIN TRANSACTION READ ONLY; {local}", timeout=QUERY_TIMEOUT)
        try:
            async with asyncio.timeout(QUERY_TIMEOUT):
                cursor = await self._connection.cursor(sql, *args)
                rows: list[Row] = await cursor.fetch(most)
                return rows
        finally:
            if not self._connection.is_closed():
                await self._connection.execute("ROLLBACK", timeout=QUERY_TIMEOUT)

    def drop(self) -> None:
        """Cut the connection at once."""
        self._connection.terminate()

    async def close(self) -> None:
        """Say goodbye, within a second."""
        if not self._connection.is_closed():
            try:
                await self._connection.close(timeout=1.0)
            except (OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError):
                self._connection.terminate()


async def connect(endpoint: Endpoint, address: Address, password: str) -> Session:
    """Open a session.

    Raises:
        SourceError: the server is too old.
        asyncpg.PostgresError, asyncpg.InterfaceError, OSError, TimeoutError: what the server or the way to it said.
    """
    try:
        connection = await _open(endpoint, address, password, _AT_ONCE)
        pooled = False
    except asyncpg.ProtocolViolationError as error:
        if "startup parameter" not in str(error):
            raise
        connection = await _open(endpoint, address, password, {})  # PgBouncer's refusal of settings that it cannot track
        pooled = True
    try:
        return await _ready_or_cut(connection, pooled)
    except asyncpg.QueryCanceledError:
        if pooled:
            raise
    # The server cancels whatever takes a moment. Held to our own limits from the beginning, a session can see why.
    return await _ready_or_cut(await _open(endpoint, address, password, LIMITS), pooled=False, held=True)


async def _open(endpoint: Endpoint, address: Address, password: str, settings: dict[str, str]) -> asyncpg.Connection[Row]:
    options: dict[str, Any] = {
        "host": address.socket_dir or address.host,
        "port": address.port,
        "user": address.user,
        "database": address.database,
        "password": password,  # never None: the operator's own PGPASSWORD and ~/.pgpass are for other servers
        "ssl": tls(address),
        "direct_tls": False,
        "target_session_attrs": "any",
        "timeout": CONNECT_TIMEOUT,
        "statement_cache_size": 0,  # named statements break behind a pooler in transaction mode
        "server_settings": {"application_name": APPLICATION_NAME, **settings},
        "loop": detour(endpoint),
    }
    return await asyncpg.connect(**options)


async def _ready_or_cut(connection: asyncpg.Connection[Row], pooled: bool, held: bool = False) -> Session:
    """Return the session; where that fails, or is cancelled, no connection is left behind."""
    with contextlib.ExitStack() as stack:
        stack.callback(connection.terminate)
        session = await _ready(connection, pooled, held)
        stack.pop_all()
    return session


async def _ready(connection: asyncpg.Connection[Row], pooled: bool, held: bool = False) -> Session:
    version = connection.get_server_version()
    if version.major < OLDEST:
        text = f"PostgreSQL {version.major}.{version.minor} is too old"
        raise SourceError(Problem(text, f"{OLDEST} and newer are supported"))
    pooled = pooled or await (_swallowed(connection) if held else _hold(connection))
    encoding = connection.get_settings().server_encoding
    if encoding != "UTF8":
        # Ask for the bytes as they are: a conversion fails on the first byte that is not what the database claims.
        await connection.execute(f"SET client_encoding = '{_word(encoding)}'", timeout=CONNECT_TIMEOUT)
    decode = codecs.getdecoder(codec_name(encoding))
    await connection.set_type_codec(
        "text", schema="pg_catalog", format="binary", encoder=str.encode, decoder=lambda data: decode(data, "replace")[0]
    )
    if not pooled:
        await _limit(connection, version.major)
    return Session(connection, pooled=pooled, held=held)


async def _hold(connection: asyncpg.Connection[Row]) -> bool:
    """Hold a session to its limits, unless a pooler swallowed what was asked for on the way in; return whether one did."""
    limits = "; ".join(f"SET {name} = '{LIMITS[name]}'" for name in LATER)
    for left in reversed(range(_TRIES)):
        try:
            if await _swallowed(connection):
                return True
            await connection.execute(limits, timeout=CONNECT_TIMEOUT)
        except asyncpg.QueryCanceledError:
            if not left:
                raise
        else:
            break
    return False


async def _swallowed(connection: asyncpg.Connection[Row]) -> bool:
    """Return whether what was asked for on the way in did not arrive: a pooler may swallow what it does not know."""
    asked = f"SELECT current_setting('{_IDLE}') <> '{LIMITS[_IDLE]}'"
    return bool(await connection.fetchval(asked, timeout=CONNECT_TIMEOUT))


async def _limit(connection: asyncpg.Connection[Row], major: int) -> None:
    """Set what only some versions or platforms know."""
    if major >= 11:
        await connection.execute(
            "SET jit = off", timeout=CONNECT_TIMEOUT
        )  # compiling a catalog query costs more than running it
    if major >= 14:
        try:
            await connection.execute("SET client_connection_check_interval = '2s'", timeout=CONNECT_TIMEOUT)
        except asyncpg.InvalidParameterValueError:
            return  # this platform cannot watch a socket; the statement's own time limit remains


def codec_name(encoding: str) -> str:
    """Return Python's codec for a server encoding; SQL_ASCII may hold anything and is mostly UTF-8."""
    if encoding in _CODECS:
        return _CODECS[encoding]
    name = encoding.lower().replace("win", "cp")
    try:
        return codecs.lookup(name).name
    except LookupError:
        return "latin-1"


def _word(text: Any) -> str:
    return "".join(letter for letter in str(text) if letter.isalnum() or letter in "_-")
