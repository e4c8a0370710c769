"""The source of one PostgreSQL database."""

from __future__ import annotations

import codecs
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import asyncpg

from debugtui.hosts.link import Endpoint, Link, LinkError, NoSuchSocketError
from debugtui.model.clock import Clock, SystemClock
from debugtui.model.postgres import PostgresReading, PreparedTransaction
from debugtui.model.postgres import Session as SessionRow
from debugtui.model.source import Gap, Kind, LinkState, Problem
from debugtui.sources.base import READ_LIMIT_S, SourceError
from debugtui.sources.postgres import queries
from debugtui.sources.postgres.activity import QueryTexts, Row, apply_waits, short, to_prepared, to_session
from debugtui.sources.postgres.dsn import Address, DsnError, parse_dsn
from debugtui.sources.postgres.locks import Holding, build_lock_tree
from debugtui.sources.postgres.parts import Parts
from debugtui.sources.postgres.passwords import Passwords
from debugtui.sources.postgres.problems import connect_problem, grant_hint, lost, wants_password
from debugtui.sources.postgres.rates import Counters, Rates
from debugtui.sources.postgres.session import CONNECT_TIMEOUT, QUERY_TIMEOUT, Session, connect
from debugtui.sources.postgres.slow import FEATURES

#: The slow parts of one read may take so long together, in seconds; what is left waits for the next full read.
SLOW_BUDGET = 10.0

# A session that can no longer be used, whatever the reason.
_LOST = (asyncpg.PostgresError, asyncpg.InterfaceError, asyncpg.InternalClientError, OSError, TimeoutError, UnicodeError)


@dataclass(frozen=True, slots=True)
class _Waits:
    """The lock waits of one poll."""

    rows: Sequence[Row] = ()
    waiting: int = 0


class PostgresSource:
    """Reads one database, and of its server what a role with pg_monitor may see.

    One connection, kept between reads and dropped on any failure. It is read only by the server's own word, and every
    statement has a time limit on both ends.
    """

    kind = Kind.POSTGRES
    has_rates = True
    period_s = 0.0
    limit_s = READ_LIMIT_S

    def __init__(
        self,
        link: Link,
        name: str,
        dsn: str,
        password: Callable[[], Awaitable[str | None]],
        *,
        clock: Clock | None = None,
    ) -> None:
        """Prepare; nothing is opened before the first read.

        Args:
            link: the host's link.
            name: the configured name.
            dsn: libpq syntax, as seen from the host.
            password: asked when the server wants a password and the dsn holds none; None for "there is none".
            clock: time.
        """
        self.name = name
        self._link = link
        self._clock = clock or SystemClock()
        self._address: Address | None = None
        self._dsn_problem = Problem("")
        try:
            self._address = parse_dsn(dsn)
        except DsnError as error:
            self._dsn_problem = Problem(f"the dsn of {name} cannot be used", str(error))
        self._passwords = Passwords(self._address.password if self._address else "", password, self._clock)
        self._session: Session | None = None
        self._texts = QueryTexts(_decode)
        self._statement_texts = QueryTexts(_decode)
        self._counters = Counters()
        self._parts = Parts(self._clock)
        self._slow_at: datetime | None = None

    async def read(self, *, full: bool) -> PostgresReading:
        """Read now. See `Source.read`."""
        session = await self._open()
        try:
            return await self._read(session, full)
        except _LOST as error:
            self._drop()
            raise lost(error) from error
        except BaseException:
            self._drop()  # cancelled in the middle of a query: the connection cannot be used again
            raise

    async def connect_anew(self) -> Session:
        """Return a session of its own, limited as every one here, for who asks more than readings; the caller closes it.

        Raises:
            SourceError, LinkError: as `read`.
        """
        if self._address is None:
            raise SourceError(self._dsn_problem)
        self._passwords.check_pause()
        return await self._connect(await self._reach(self._address), self._address)

    async def close(self) -> None:
        """Release the connection. Safe to call twice."""
        await self._passwords.close()
        session, self._session = self._session, None
        if session is not None:
            await session.close()

    def retry_now(self) -> None:
        """Try at the next read what rests after a failure: a wrong password, a missing privilege."""
        self._passwords.retry_now()
        self._parts.retry()

    def _drop(self) -> None:
        session, self._session = self._session, None
        if session is not None:
            session.drop()

    # -- connecting

    async def _open(self) -> Session:
        if self._session is not None and not self._session.closed:
            return self._session
        self._drop()
        if self._address is None:
            raise SourceError(self._dsn_problem)
        self._passwords.check_pause()
        endpoint = await self._reach(self._address)
        self._session = await self._connect(endpoint, self._address)
        self._passwords.right()
        return self._session

    async def _reach(self, address: Address) -> Endpoint:
        try:
            if address.socket_dir:
                return await self._link.reach_unix(address.socket_path)
            return await self._link.reach_tcp(address.host, address.port)
        except LinkError as error:
            if self._link.status.state is LinkState.UP:  # the link lives: it is the service that is not there
                raise SourceError(error.problem, absent=isinstance(error, NoSuchSocketError)) from error
            raise

    async def _connect(self, endpoint: Endpoint, address: Address) -> Session:
        password = self._passwords.known
        try:
            try:
                return await connect(endpoint, address, password)
            except asyncpg.PostgresError as error:
                if password or not wants_password(error):
                    raise
            return await connect(endpoint, address, await self._passwords.wanted(short(address.user)))
        except _LOST as error:
            if wants_password(error):
                raise self._passwords.wrong(short(str(error))) from error
            raise connect_problem(error, address, CONNECT_TIMEOUT) from error

    # -- reading

    async def _read(self, session: Session, full: bool) -> PostgresReading:
        server = (await session.fetch(queries.server(session.version), keep=True))[0]
        rows = await session.fetch(queries.sessions(session.version), keep=True)
        role = server["role"]
        prepared = await self._prepared(session, server, role)
        waits = await self._waits(session, server, rows)
        sessions = tuple(to_session(row, self._texts) for row in rows)
        self._texts.turn()
        leaders = {row["pid"]: row["leader"] for row in rows if row["leader"]}
        sessions, holdings = apply_waits(sessions, waits.rows, leaders)
        if full:
            await self._read_slow(session, role)
        return self._reading(server, _Picture(sessions, holdings, prepared, waits.waiting, session.pooled))

    async def _prepared(self, session: Session, server: Row, role: str) -> tuple[PreparedTransaction, ...]:
        async def ask() -> tuple[PreparedTransaction, ...]:
            if not server["prepared"]:
                return ()
            return tuple(to_prepared(row) for row in await session.fetch(queries.prepared(), keep=True))

        return await self._parts.read("prepared", session, ask, QUERY_TIMEOUT, role) or ()

    async def _waits(self, session: Session, server: Row, rows: Sequence[Row]) -> _Waits:
        # Without the privilege nobody's wait is shown: then the lock table itself must be asked.
        waiting = not server["sees_all"] or any(row["wait_event_type"] == "Lock" for row in rows)

        async def ask() -> _Waits:
            if not waiting:
                return _Waits()
            found = await session.fetch(queries.waits(session.version), keep=True)
            return _Waits(found, found[0]["waiting"] if found else 0)

        return await self._parts.read("locks", session, ask, QUERY_TIMEOUT, server["role"]) or _Waits()

    async def _read_slow(self, session: Session, role: str) -> None:
        deadline = self._clock.monotonic() + SLOW_BUDGET
        for feature in FEATURES:
            if self._clock.monotonic() > deadline:
                self._parts.skip(feature.name, Problem("the queries before took too long", "it is read the next time"))
                continue

            async def ask(read: Callable[..., Awaitable[Any]] = feature.read) -> Any:
                return await read(session, self._statement_texts)

            await self._parts.read(feature.name, session, ask, feature.timeout, role)
        self._statement_texts.turn()
        self._slow_at = self._clock.now()

    def _reading(self, server: Row, picture: _Picture) -> PostgresReading:
        part = self._parts.value
        rates: Rates = self._counters.update(server)
        now = server["now"]
        return PostgresReading(
            taken_at=self._clock.now(),
            database=short(server["database"]),
            server_version=short(server["server_version"]),
            version_num=self._session.version if self._session else 0,
            role=short(server["role"]),
            in_recovery=server["in_recovery"],
            started_at=server["started_at"],
            connections=server["connections"],
            max_connections=server["max_connections"],
            reserved_connections=server["reserved_connections"],
            sessions=picture.sessions,
            locks=build_lock_tree(picture.sessions, picture.prepared, picture.holdings, now),
            prepared=picture.prepared,
            commits_s=rates.commits_s,
            rollbacks_s=rates.rollbacks_s,
            cache_hit_percent=rates.cache_hit_percent,
            deadlocks=server["deadlocks"] or 0,
            temp_bytes=server["temp_bytes"] or 0,
            database_bytes=part("database_bytes"),
            wraparound_age=server["wraparound_age"],
            wraparound_percent=server["wraparound_percent"],
            replicas=part("replicas"),
            slots=part("slots"),
            replay_lag_s=server["replay_lag_s"],
            archiver=part("archiver"),
            statements=part("statements"),
            tables=part("tables"),
            indexes=part("indexes"),
            settings=part("settings"),
            data_directory=part("data_directory"),
            slow_read_at=self._slow_at,
            gaps=self._gaps(server, picture),
        )

    def _gaps(self, server: Row, picture: _Picture) -> tuple[Gap, ...]:
        gaps = list(self._parts.gaps)
        if not server["sees_all"]:
            problem = Problem("other roles' queries, states and settings are hidden", grant_hint(server["role"]))
            gaps.append(Gap("query text", problem))
        listed, shown = server["listed"], queries.MOST_SESSIONS
        if listed > shown:
            gaps.append(Gap("sessions", Problem(f"{listed} sessions: the worst {shown} are shown")))
        if server["prepared"] > queries.MOST_PREPARED:
            text = f"{server['prepared']} prepared transactions: the oldest {queries.MOST_PREPARED} are shown"
            gaps.append(Gap("prepared", Problem(text)))
        if picture.waiting > queries.MOST_WAITERS:
            text = f"{picture.waiting} sessions wait for locks: the {queries.MOST_WAITERS} that wait longest are shown"
            gaps.append(Gap("locks", Problem(text)))
        if picture.pooled:
            hint = "name the server's own socket or port in the dsn"
            gaps.append(
                Gap("pooler", Problem("a pooler stands between: limits hold for each query, not for the session", hint))
            )
        tables = self._parts.value("tables")
        if tables and all(table.bloat_bytes is None for table in tables):
            hint = "ANALYZE, and SELECT on the tables: without it the role sees no statistics of them"
            gaps.append(Gap("bloat", Problem("the planner's statistics are missing or hidden", hint)))
        return tuple(gaps)


@dataclass(frozen=True, slots=True)
class _Picture:
    """What one poll saw of sessions and locks."""

    sessions: tuple[SessionRow, ...]
    holdings: tuple[Holding, ...]
    prepared: tuple[PreparedTransaction, ...]
    waiting: int
    pooled: bool


def _decode(data: bytes) -> str:
    # Query texts come from every database of the server, each in its own encoding; nearly all are UTF-8.
    return codecs.decode(data, "utf-8", "replace")
