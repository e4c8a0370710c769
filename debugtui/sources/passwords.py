"""The password of one source: asked for once, when the server wants it, and never tried over and over."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

from debugtui.config.redaction import register
from debugtui.config.secrets import SecretError
from debugtui.model.clock import Clock
from debugtui.model.source import Problem
from debugtui.sources.base import SourceError

#: After a wrong password nothing is tried for so long, in seconds; twice as long after each further one.
FIRST_PAUSE = 30.0
LONGEST_PAUSE = 600.0


class Passwords:
    """Holds the password in memory once it is known."""

    def __init__(self, written: str, ask: Callable[[], Awaitable[str | None]], clock: Clock) -> None:
        """Prepare.

        Args:
            written: the one in the dsn; empty for none.
            ask: asks the configuration or the operator.
            clock: time.
        """
        self._written = written
        if written:
            register(written)
        self._ask = ask
        self._clock = clock
        self._known: str | None = None
        self._question: asyncio.Task[str | None] | None = None
        self._pause = FIRST_PAUSE
        self._until = 0.0
        self._refusal: SourceError | None = None

    @property
    def known(self) -> str:
        """What to try first; empty where nothing is known."""
        return self._known or self._written

    def check_pause(self) -> None:
        """Raise the last refusal while its pause lasts.

        Raises:
            SourceError: the server must not be asked now.
        """
        if self._refusal is not None and self._clock.monotonic() < self._until:
            raise SourceError(self._refusal.problem)

    def retry_now(self) -> None:
        """End the pause."""
        self._until = 0.0

    async def wanted(self, user: str) -> str:
        """The server wants a password and none is known: return one.

        The question outlives a caller that gives up waiting, so that the next read finds the answer.

        Raises:
            SourceError: nobody gave one.
        """
        if self._question is None:
            self._question = asyncio.ensure_future(self._answer())
        question = self._question
        try:
            answer = await asyncio.shield(question)
        except SecretError as error:
            raise self._refuse(error.problem, FIRST_PAUSE) from error
        finally:
            if question.done():
                self._question = None
        if not answer:
            hint = 'give one in the configuration: password = {env = "NAME"}, {keyring = ...}, {command = ...} or {ask = true}'
            raise self._refuse(Problem(f"the server wants a password for {user}, and none was given", hint), LONGEST_PAUSE)
        self._known = "".join(answer)  # a plain text, where a masked kind of text came
        register(self._known)
        return self._known

    async def _answer(self) -> str | None:
        return await self._ask()

    def wrong(self, says: str) -> SourceError:
        """The server refused the password: forget it, and return what to raise."""
        self._known = None
        pause, self._pause = self._pause, min(2 * self._pause, LONGEST_PAUSE)
        return self._refuse(Problem(f"wrong password: {says}", f"it is forgotten, and asked for again in {pause:.0f} s"), pause)

    def right(self) -> None:
        """The server let us in."""
        self._pause = FIRST_PAUSE
        self._refusal = None

    def _refuse(self, problem: Problem, pause: float) -> SourceError:
        self._refusal = SourceError(problem)
        self._until = self._clock.monotonic() + pause
        return self._refusal

    async def close(self) -> None:
        """Withdraw the question."""
        if self._question is not None:
            self._question.cancel()
            await asyncio.wait({self._question})
            self._question = None
