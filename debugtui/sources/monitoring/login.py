"""How a server is told who asks: a user and password, or a token; the secret is asked for when it is first needed."""

from __future__ import annotations

import asyncio
import base64
import re
from collections.abc import Awaitable, Callable, Mapping

from debugtui.config.redaction import register
from debugtui.config.secrets import SecretError
from debugtui.model.clock import Clock, SystemClock
from debugtui.model.source import Problem
from debugtui.sources.base import SourceError

#: Gives a secret; None: the operator was asked and gave none.
Ask = Callable[[], Awaitable[str | None]]

#: Seconds before a question that was refused is put again.
AGAIN_S = 300.0

_SENDABLE = re.compile(r"[ -~]{1,4096}")


class Login:
    """Makes the header `Authorization`. Several requests at once put one question."""

    def __init__(
        self,
        what: str,
        *,
        user: str | None = None,
        password: Ask | None = None,
        token: Ask | None = None,
        clock: Clock | None = None,
    ) -> None:
        """Prepare; nothing is asked.

        Args:
            what: whose login, for problems: `prometheus/prom`.
            user: of basic authentication.
            password: of that user.
            token: goes before user and password.
            clock: time.
        """
        self._what, self._user = what, user
        self._ask = token or password
        self._bearer = token is not None
        self._clock = clock or SystemClock()
        self._question: asyncio.Task[str | None] | None = None
        self._refused_at: float | None = None

    async def headers(self) -> Mapping[str, str]:
        """Return the headers; none where neither a token nor a user is configured.

        The question outlives a caller that gives up waiting, so that the next read finds the answer.

        Raises:
            SourceError: the secret cannot be had, or cannot be sent.
        """
        if self._ask is None:
            return {} if self._user is None else self._basic("")
        if self._refused_at is not None and self._clock.monotonic() - self._refused_at < AGAIN_S:
            raise self._none()
        if self._question is None:
            self._question = asyncio.ensure_future(self._answer(self._ask))
        question = self._question
        try:
            secret = await asyncio.shield(question)
        except SecretError as error:
            raise SourceError(error.problem) from None
        finally:
            if question.done():
                self._question = None
        self._refused_at = self._clock.monotonic() if secret is None else None
        if secret is None:
            raise self._none()
        if not _SENDABLE.fullmatch(secret):
            says = f"the {self._word} of {self._what} cannot be sent: it holds a line break or another sign that none has"
            raise SourceError(Problem(says, "look at what lies where the configuration says that it is found"))
        return {"Authorization": f"Bearer {secret}"} if self._bearer else self._basic(secret)

    @staticmethod
    async def _answer(ask: Ask) -> str | None:
        found = await ask()
        return None if found is None else "".join(found).strip()  # a plain text, where a masked kind of text came

    def _basic(self, secret: str) -> Mapping[str, str]:
        coded = base64.b64encode(f"{self._user or ''}:{secret}".encode()).decode()
        register(coded)
        return {"Authorization": f"Basic {coded}"}

    @property
    def _word(self) -> str:
        return "token" if self._bearer else "password"

    def _none(self) -> SourceError:
        return SourceError(Problem(f"no {self._word} of {self._what} was given", "it is asked for again after five minutes"))

    async def close(self) -> None:
        """Withdraw the question. Safe to call twice."""
        question, self._question = self._question, None
        if question is not None:
            question.cancel()
            await asyncio.wait({question})
