"""Optional parts of a reading: one that fails becomes a gap and rests for a while; the others live on."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

import asyncpg

from debugtui.model.clock import Clock
from debugtui.model.source import Gap, Problem
from debugtui.sources.postgres.problems import feature_problem
from debugtui.sources.postgres.session import Session
from debugtui.sources.postgres.slow import FeatureMissingError, Partial

#: A part that failed is tried again after this, in seconds; after a moment's obstacle (a lock) at the next occasion.
REST = 600.0

# What ends the whole session is no matter of one part.
_FATAL = (
    asyncpg.AdminShutdownError,
    asyncpg.CrashShutdownError,
    asyncpg.CannotConnectNowError,
    asyncpg.PostgresConnectionError,
    asyncpg.InvalidCachedStatementError,
    asyncpg.InvalidSQLStatementNameError,
    asyncpg.DuplicatePreparedStatementError,
)
_PASSING = (asyncpg.LockNotAvailableError, asyncpg.SerializationError, asyncpg.DeadlockDetectedError)


class Parts:
    """The newest value of each part, or why there is none."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._values: dict[str, Any] = {}
        self._gaps: dict[str, Gap] = {}
        self._rests: dict[str, float] = {}

    def value(self, name: str) -> Any:
        """Return the newest value, None where there is none."""
        return self._values.get(name)

    @property
    def gaps(self) -> tuple[Gap, ...]:
        """Why parts are missing, or old."""
        return tuple(self._gaps.values())

    def retry(self) -> None:
        """Try everything again at the next occasion."""
        self._rests.clear()

    def skip(self, name: str, problem: Problem) -> None:
        """Leave a part out this time; its last value is kept."""
        self._gaps.setdefault(name, Gap(name, problem))

    async def read(self, name: str, session: Session, ask: Callable[[], Awaitable[Any]], timeout: float, role: str) -> Any:
        """Read one part, unless it rests; return its newest value.

        Raises:
            asyncpg.PostgresError, asyncpg.InterfaceError, OSError: the session itself is lost.
        """
        if self._rests.get(name, 0.0) > self._clock.monotonic():
            return self.value(name)
        try:
            value = await ask()
        except FeatureMissingError as error:
            self._failed(name, error.problem, keep=False, rest=REST)
        except _FATAL:
            raise
        except (asyncpg.PostgresError, TimeoutError) as error:
            if session.closed:
                raise
            passing = isinstance(error, _PASSING)
            slow = isinstance(error, (asyncpg.QueryCanceledError, TimeoutError))
            self._failed(name, feature_problem(error, role, timeout), keep=passing or slow, rest=0.0 if passing else REST)
        else:
            self._gaps.pop(name, None)
            self._rests.pop(name, None)
            if isinstance(value, Partial):
                self._gaps[name] = Gap(name, value.problem)
                value = value.value
            self._values[name] = value
        return self.value(name)

    def _failed(self, name: str, problem: Problem, *, keep: bool, rest: float) -> None:
        if not keep:
            self._values.pop(name, None)
        self._gaps[name] = Gap(name, problem)
        self._rests[name] = self._clock.monotonic() + rest
