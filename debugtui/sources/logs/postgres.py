"""The log of a PostgreSQL: the file that the server itself names, or a configured one."""

from __future__ import annotations

import posixpath
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from datetime import UTC, datetime, tzinfo
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from debugtui.hosts.link import LinkError
from debugtui.model.source import Problem
from debugtui.model.target import Target
from debugtui.model.text import line
from debugtui.sources.base import SourceError
from debugtui.sources.logs.clock import HostClock
from debugtui.sources.logs.files import STEP, Piece, RemoteFiles
from debugtui.sources.logs.following import Files, Following
from debugtui.sources.logs.origin import Batch
from debugtui.sources.logs.postgres_formats import format_of, reader_of

if TYPE_CHECKING:
    from debugtui.sources.postgres.session import Session

#: The formats, the one that tells most first.
FORMATS = ("jsonlog", "csvlog", "stderr")

_NO_LOG = Problem(
    "this PostgreSQL gives its log to whoever started it (logging_collector is off)",
    'name the file: log = "/var/log/postgresql/..." at this [[hosts.postgres]]; else read its container or the journal',
)

# Settings that every role may see; `cluster_name` is `15/main` on Debian, which then has its log at a known place.
_SETTINGS = """
SELECT current_setting('logging_collector') AS collector, current_setting('log_timezone') AS zone,
    current_setting('log_destination') AS formats, current_setting('cluster_name', true) AS cluster
"""
# Whether they may be asked is asked first: a refusal would be a line of the very log that is read.
_MAY = """
SELECT has_function_privilege('pg_catalog.pg_current_logfile(text)', 'EXECUTE') AS current,
    has_function_privilege('pg_catalog.pg_ls_logdir()', 'EXECUTE') AS folder
"""
_CURRENT = "SELECT pg_current_logfile($1)"
# Before PostgreSQL 16 pg_monitor may not ask for the file, but may list the folder.
_NEWEST = """
SELECT current_setting('log_directory') || '/' || name FROM pg_ls_logdir()
WHERE CASE $1 WHEN 'csvlog' THEN name LIKE '%.csv' WHEN 'jsonlog' THEN name LIKE '%.json'
    ELSE name NOT LIKE '%.csv' AND name NOT LIKE '%.json' AND name NOT LIKE '%.gz' END
ORDER BY modification DESC, name DESC LIMIT 1
"""
# No row for who may not read it.
_DATA = "SELECT setting FROM pg_settings WHERE name = 'data_directory'"
_STAT = "SELECT size FROM pg_stat_file($1, true)"
_READ = "SELECT pg_read_binary_file($1, $2, $3, true) AS data"

_HINT = 'GRANT pg_monitor TO the role that watches, or name the file: log = "PATH" at this [[hosts.postgres]]'

#: Opens a session of its own; see `PostgresSource.connect_anew`.
Connect = Callable[[], Awaitable["Session"]]


@dataclass(frozen=True, slots=True)
class _Place:
    """Where the log is. `data`: the server's data directory, which a relative path begins at; empty: not to be seen."""

    path: str
    log_format: str
    zone: tzinfo
    data: str = ""

    @property
    def on_host(self) -> str:
        """The path as the host sees it; empty where it is not known."""
        return self.path if self.path.startswith("/") else posixpath.join(self.data, self.path) if self.data else ""


class PostgresOrigin:
    """The log of one server."""

    kind = "postgres"

    def __init__(
        self,
        files: RemoteFiles,
        target: Target,
        connect: Connect | None,
        clock: Callable[[], Awaitable[HostClock]],
        *,
        path: str = "",
    ) -> None:
        """Read the log of a server.

        Args:
            files: of the host.
            target: the configured database.
            connect: opens a session; None: nobody is asked, `path` is all that is known.
            clock: tells the host's zone, for a log whose own is not known.
            path: of the log, as configured; empty: the server is asked.
        """
        self._files, self._connect, self._clock, self._path = files, connect, clock, path
        self.target = target
        self.title = f"{target.name} log"

    async def lines(
        self, *, since: datetime | None, until: datetime | None, tail: int | None, follow: bool
    ) -> AsyncIterator[Batch]:
        """Yield its lines; see `LogOrigin.lines`."""
        session: Session | None = None
        try:
            if self._path:
                place = _Place(self._path, format_of(self._path), await self._configured_zone())
            else:
                session = await self._open()
                place = await self._look(session)
            files, path = await self._way(place, session)
            reader = reader_of(place.log_format, place.zone)
            moved = self._moved(session, place) if session is not None and not self._path else None
            before = f"{path}.1" if moved is None else None
            following = Following(files, path, reader, before=before, moved=moved)
            async for batch in following.lines(since=since, until=until, tail=tail, follow=follow):
                yield batch
        finally:
            if session is not None:
                await session.close()

    async def _open(self) -> Session:
        if self._connect is None:
            raise SourceError(_NO_LOG)
        return await self._connect()

    async def _configured_zone(self) -> tzinfo:
        """Return the zone that a configured log is written in: the server's word, else the host's."""
        if self._connect is not None:
            try:
                session = await self._connect()
            except (SourceError, LinkError, TimeoutError):
                return (await self._clock()).zone  # the log of a server that is down is what one wants to see
            try:
                return await _zone(session, (await session.fetch(_SETTINGS))[0]["zone"])
            finally:
                await session.close()
        return (await self._clock()).zone

    async def _look(self, session: Session) -> _Place:
        """Ask the server where it writes its log.

        Raises:
            SourceError: it may not be asked, or it writes none.
        """
        import asyncpg

        settings = (await session.fetch(_SETTINGS))[0]
        zone = await _zone(session, settings["zone"])
        try:
            for log_format in FORMATS if settings["collector"] == "on" else ():
                if log_format in settings["formats"] and (path := await _current(session, log_format)):
                    return _Place(path, log_format, zone, await _data_directory(session))
        except asyncpg.PostgresError as error:
            raise SourceError(Problem(f"where the log is may not be asked: {line(str(error), 200)}", _HINT)) from error
        version, _, name = str(settings["cluster"] or "").partition("/")
        if version.isdecimal() and name.replace("-", "").replace("_", "").isalnum():
            return _Place(f"/var/log/postgresql/postgresql-{version}-{name}.log", "stderr", zone)
        raise SourceError(_NO_LOG)

    async def _way(self, place: _Place, session: Session | None) -> tuple[Files, str]:
        """Return what reads the log, and its path there: the host, else the server itself.

        Raises:
            SourceError: neither may read it.
        """
        refused: SourceError | None = None
        if place.on_host:
            try:
                await self._files.read(place.on_host, most=1)
            except SourceError as error:
                refused = error
            else:
                return self._files, place.on_host
        if session is not None:
            through = SqlFiles(session)
            try:
                await through.read(place.path, most=1)
            except SourceError as error:
                refused = refused or error
            else:
                return through, place.path
        raise refused or SourceError(_NO_LOG)

    def _moved(self, session: Session, place: _Place) -> Callable[[], Awaitable[str | None]]:
        """Return what asks the server where its log goes on after a rotation."""

        async def moved() -> str | None:
            import asyncpg

            try:
                path = await _current(session, place.log_format)
            except (asyncpg.PostgresError, asyncpg.InterfaceError, OSError, TimeoutError) as error:
                raise SourceError(Problem(f"the server was lost: {line(str(error), 200)}")) from error
            if not path:
                return None
            return path if path.startswith("/") or not place.data else posixpath.join(place.data, path)

        return moved if place.path.startswith("/") or place.data else _same


async def _same() -> None:
    """Say that the log goes on where it is."""


class SqlFiles:
    """Reads files through the server, for a role that may: where it runs elsewhere, or in a container."""

    def __init__(self, session: Session) -> None:
        self._session = session

    async def read(self, path: str, *, inode: int = 0, start: int = 0, most: int = STEP) -> Piece:
        """Return a piece of a file; see `RemoteFiles.read`. A server tells no inodes: a file is known by its path."""
        import asyncpg

        try:
            found = (await self._session.fetch(_STAT, path))[0]["size"]
            if found is None:
                raise SourceError(Problem(f"there is no file {line(path, 200)} at the server"))
            size = int(found)
            state = "cut" if start > size else "same"
            begin = max(0, size + start) if start < 0 else 0 if start > size else start
            count = max(0, min(most, size - begin))
            data = (await self._session.fetch(_READ, path, begin, count))[0]["data"] if count else b""
        except (asyncpg.PostgresError, asyncpg.InterfaceError, OSError, TimeoutError) as error:
            says = f"the server does not give its log: {line(str(error), 200)}"
            raise SourceError(Problem(says, 'name a file of the host: log = "PATH" at this [[hosts.postgres]]')) from error
        return Piece(state, 1, begin, size, -1, data or b"")


async def _current(session: Session, log_format: str) -> str | None:
    """Return the path of the log that is written now, below the data directory where it is relative.

    Raises:
        SourceError: neither it nor its folder may be asked for.
    """
    may = (await session.fetch(_MAY))[0]
    if not may["current"] and not may["folder"]:
        raise SourceError(Problem("where the log is may not be asked: permission denied", _HINT))
    rows = await session.fetch(_CURRENT if may["current"] else _NEWEST, log_format)
    return str(rows[0][0]) if rows and rows[0][0] else None


async def _data_directory(session: Session) -> str:
    rows = await session.fetch(_DATA)
    return str(rows[0][0] or "") if rows else ""


async def _zone(session: Session, name: str) -> tzinfo:
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return UTC  # a zone that only the server knows; the offset that it writes still counts
