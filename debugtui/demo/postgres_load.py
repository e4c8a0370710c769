"""Life in the demo's database: a few programs that ask light questions, and the lock chain. All through real sessions."""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import Sequence
from pathlib import Path

import asyncpg

from debugtui.demo.postgres_seed import APPLICATION, OWNER, connect

_log = logging.getLogger(__name__)

#: What ends a session from outside, and what a lock chain makes of a statement.
_ENDED = (asyncpg.PostgresError, asyncpg.InterfaceError, OSError, TimeoutError)
#: Seconds before a program that lost its session comes again.
_AGAIN = 2.0

_API = (
    "SELECT id, started, sport, metres FROM activities WHERE athlete_id = $1 ORDER BY started DESC LIMIT 20",
    "SELECT name, city, level FROM athletes WHERE id = $1",
    "SELECT week, goal, load FROM plans WHERE athlete_id = $1 ORDER BY week",
)
_WORKER = (
    "UPDATE athletes SET level = (level + 1) % 9 WHERE id = $1",
    "SELECT sport, count(*), sum(metres) FROM activities WHERE athlete_id = $1 GROUP BY sport",
    "INSERT INTO sessions_log SELECT max(id) + 1, $1, now(), 'Mozilla/5.0' FROM sessions_log",
)
# Slow by its nature: the demo must not burn the processor for it.
_REPORT = (
    """
SELECT a.city, count(*), avg(v.seconds), pg_sleep(1.3) AS archive
FROM activities v JOIN athletes a ON a.id = v.athlete_id WHERE a.level = ($1::int % 9) GROUP BY a.city LIMIT 1
""",
)

#: application, statements, seconds between them.
_PROGRAMS: tuple[tuple[str, Sequence[str], float], ...] = (
    ("coach-api", _API, 0.7),
    ("coach-api", _API, 0.9),
    ("coach-api", _API, 1.3),
    ("coach-worker", _WORKER, 1.1),
    ("coach-worker", _WORKER, 2.3),
    ("coach-report", _REPORT, 9.0),
)

_HOLD = "UPDATE activities SET note = 'corrected by hand' WHERE id = 1"
_BLOCKED_UPDATE = "UPDATE activities SET metres = metres + 1 WHERE id = 1"
_MIGRATION = "ALTER TABLE activities ADD COLUMN shoe text"
_SECOND_MIGRATION = "ALTER TABLE activities ALTER COLUMN note SET DEFAULT ''"
_READ = "SELECT count(*) FROM activities WHERE athlete_id = 42"

#: Seconds after the chain's start, role, application, statement. The first holds its lock and falls idle.
_CHAIN: tuple[tuple[float, str, str, str], ...] = (
    (1.0, APPLICATION, "coach-api", _BLOCKED_UPDATE),
    (2.0, OWNER, "migrations", _MIGRATION),
    (2.2, OWNER, "migrations-retry", _SECOND_MIGRATION),
    (4.0, APPLICATION, "coach-api", _READ),
    (8.0, APPLICATION, "coach-worker", _READ),
    (12.0, APPLICATION, "coach-front", _READ),
    (18.0, APPLICATION, "coach-api", "SELECT * FROM activities WHERE id = 1 FOR UPDATE"),
)


class DemoLoad:
    """The programs. `run` until cancelled; `lock_chain` makes a chain that lasts until it is cancelled."""

    def __init__(self, socket_dir: Path) -> None:
        self._socket_dir = socket_dir
        self._holder: asyncpg.Connection | None = None

    async def run(self) -> None:
        """Run every program until cancelled."""
        async with asyncio.TaskGroup() as programs:
            for number, (application, statements, pause) in enumerate(_PROGRAMS):
                programs.create_task(self._program(number, application, statements, pause))

    async def _program(self, number: int, application: str, statements: Sequence[str], pause: float) -> None:
        luck = random.Random(number)  # noqa: S311 - no secret
        while True:
            try:
                session = await connect(self._socket_dir, APPLICATION, application)
                try:
                    await session.execute("SET lock_timeout = '5s'")
                    while True:
                        await self._ask(session, luck.choice(statements), luck.randint(1, 2500))
                        await asyncio.sleep(pause * luck.uniform(0.5, 1.5))
                finally:
                    session.terminate()
            except _ENDED as error:
                _log.debug("%s lost its session: %s", application, error)
            await asyncio.sleep(_AGAIN)

    @staticmethod
    async def _ask(session: asyncpg.Connection, statement: str, number: int) -> None:
        try:
            await session.fetch(statement, number)
        except (asyncpg.LockNotAvailableError, asyncpg.UniqueViolationError, asyncpg.QueryCanceledError):
            return  # an error of this one request, as a program would answer it with 504

    @property
    def holds_lock(self) -> bool:
        """Whether the first session of the chain holds its lock still; it does not where somebody ended it."""
        return self._holder is not None and not self._holder.is_closed()

    async def lock_chain(self) -> None:
        """Hold a row in a transaction that falls idle, let others queue up behind it; mend it when cancelled.

        Ended by somebody else (the first session terminated), the chain dissolves, and this waits for its cancellation.
        """
        holder = await connect(self._socket_dir, APPLICATION, "coach-admin")
        waiting: list[asyncio.Task[None]] = []
        over = asyncio.Event()
        try:
            await holder.execute("BEGIN")
            await holder.execute(_HOLD)
            self._holder = holder
            waiting = [asyncio.create_task(self._wait_behind(over, *link)) for link in _CHAIN]
            await over.wait()
        finally:
            over.set()
            self._holder = None
            await _roll_back(holder)
            # With the first lock gone the others get theirs one after another, and undo what they did.
            if waiting:
                await asyncio.wait(waiting, timeout=1)
            for task in waiting:
                task.cancel()
            await asyncio.gather(*waiting, return_exceptions=True)

    async def _wait_behind(self, over: asyncio.Event, after: float, role: str, application: str, statement: str) -> None:
        try:
            async with asyncio.timeout(after):
                await over.wait()
                return
        except TimeoutError:
            pass  # its turn has come
        try:
            session = await connect(self._socket_dir, role, application)
        except _ENDED as error:
            _log.debug("%s could not connect: %s", application, error)
            return
        try:
            await session.execute("BEGIN")
            await session.execute(statement)
        except _ENDED as error:
            _log.debug("%s was ended: %s", application, error)
        finally:
            await _roll_back(session)


async def _roll_back(session: asyncpg.Connection) -> None:
    """Undo and end a session, however it stands."""
    try:
        if not session.is_closed():
            await session.execute("ROLLBACK", timeout=2)
    except _ENDED as error:
        _log.debug("a session had ended already: %s", error)
    finally:
        session.terminate()
