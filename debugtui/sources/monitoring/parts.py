"""A reading in parts: each asked for on its own, and what cannot be had is a gap that says why."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from typing import TypeVar

from debugtui.model.clock import Clock
from debugtui.model.source import Gap, Problem
from debugtui.sources.base import SourceError
from debugtui.sources.http_api import HttpApi, SilentError

#: Seconds for all parts of a reading together; what was not asked by then is a gap. It ends before `READ_LIMIT_S` does.
BUDGET_S = 16.0
#: Parts in a row that a server may leave without an answer; then it hangs, and is not asked for the others.
MOST_SILENT = 2

T = TypeVar("T")


class Parts:
    """Asks one server for the parts of one reading, one after the other."""

    def __init__(self, api: HttpApi, clock: Clock) -> None:
        """Begin; the time limit of all parts runs from here."""
        self.gaps: list[Gap] = []
        self._api, self._clock = api, clock
        self._until = clock.monotonic() + BUDGET_S
        self._silent = 0

    @property
    def left_s(self) -> float:
        """Seconds that are left for all parts together."""
        return self._until - self._clock.monotonic()

    async def get(
        self,
        feature: str,
        path: str,
        read: Callable[[object], T],
        params: Mapping[str, str] | Sequence[tuple[str, str]] | None = None,
    ) -> T | None:
        """Return a part as `read` makes it of the answer's JSON; None, with a gap: it cannot be had.

        Raises:
            SourceError: it has left several parts in a row without an answer: it hangs.
            LinkError: the link is not up.
        """
        return await self._part(feature, lambda: self._api.get(path, params), read)

    async def text(self, feature: str, path: str, read: Callable[[str], T]) -> T | None:
        """Return a part as `read` makes it of a text; None, with a gap: it cannot be had.

        Raises:
            SourceError: it has left several parts in a row without an answer: it hangs.
            LinkError: the link is not up.
        """

        async def ask() -> str:
            status, body = await self._api.fetch(path)
            if status != 200:
                raise SourceError(Problem(f"{path} answers {status}", "is it shut off by a proxy?"))
            return body.decode("utf-8", errors="replace")

        return await self._part(feature, ask, read)

    async def _part(self, feature: str, ask: Callable[[], object], read: Callable[..., T]) -> T | None:
        left = self.left_s
        if left <= 0:
            self.gaps.append(Gap(feature, Problem("not asked: the answers before it took too long")))
            return None
        try:
            async with asyncio.timeout(left):
                answer = await ask()  # type: ignore[misc] # a coroutine of either kind
                self._silent = 0
                return await asyncio.to_thread(read, answer)
        except SilentError as error:
            self._hears_nothing(feature, error)
        except SourceError as error:
            self._silent = 0
            self.gaps.append(Gap(feature, error.problem))
        except TimeoutError:
            await self._api.close()
            self._hears_nothing(feature, SilentError(Problem("it does not answer in time")))
        return None

    def _hears_nothing(self, feature: str, error: SilentError) -> None:
        self._silent += 1
        if self._silent >= MOST_SILENT:
            raise error
        self.gaps.append(Gap(feature, error.problem))
