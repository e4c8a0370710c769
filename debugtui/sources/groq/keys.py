"""The API key: asked for when it is first needed, made fit to be sent, never shown."""

from __future__ import annotations

import asyncio
import hashlib
import re
from collections.abc import Awaitable, Callable

from debugtui.config.redaction import register
from debugtui.config.secrets import SecretError
from debugtui.model.source import Problem
from debugtui.sources.base import SourceError

_SENDABLE = re.compile(r"[!-~]{1,4096}")


class Keys:
    """Gives the key of now, and tells when it is another one."""

    def __init__(self, name: str, ask: Callable[[], Awaitable[str]]) -> None:
        self._name, self._ask = name, ask
        self._digest = b""
        self._question: asyncio.Task[str] | None = None

    async def current(self) -> tuple[str, bool]:
        """Return the key, and whether it is another than the last time.

        The question outlives a caller that gives up waiting, so that the next read finds the answer.

        Raises:
            SourceError: there is none, or it cannot be sent.
        """
        if self._question is None:
            self._question = asyncio.ensure_future(self._answer())
        question = self._question
        try:
            raw = await asyncio.shield(question)
        except SecretError as error:
            raise SourceError(error.problem) from None
        finally:
            if question.done():
                self._question = None
        return self._made_fit(raw)

    async def _answer(self) -> str:
        return "".join(await self._ask() or "")  # a plain text, where a masked kind of text came

    def _made_fit(self, raw: str) -> tuple[str, bool]:
        key = raw.strip()
        if not key:
            raise SourceError(Problem(f"no API key for {self._name}", 'api_key = {env = "GROQ_API_KEY"} in the configuration'))
        digest = hashlib.sha256(key.encode("utf-8", errors="surrogatepass")).digest()
        changed = digest != self._digest
        if changed:
            register(raw)
            register(key)
            self._digest = digest
        if not _SENDABLE.fullmatch(key):
            says = f"the API key of {self._name} cannot be sent: it holds a space, a line break or another sign that no key has"
            raise SourceError(Problem(says, "look at what lies where the configuration says that it is found"))
        return key, changed

    async def close(self) -> None:
        """Withdraw the question."""
        if self._question is not None:
            self._question.cancel()
            await asyncio.wait({self._question})
            self._question = None
