"""Asks the Groq API with one key: which models it lists, which costs nothing, and for one token."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from debugtui.config.models import GroqConfig
from debugtui.config.redaction import redact
from debugtui.config.secrets import Secret
from debugtui.hosts.link import LinkError
from debugtui.model.groq import GroqFault
from debugtui.model.text import line
from debugtui.remediation.eyes import Eyes
from debugtui.sources.base import SourceError

if TYPE_CHECKING:
    from groq import AsyncGroq

#: Seconds for one question, from the first packet to the last: the client's own limit starts again with every piece it reads.
DEADLINE_S = 10.0

#: What a status means; any other from 500 on is the server's fault, from 400 on the request's.
_STATUS = {
    401: GroqFault.AUTHENTICATION,
    403: GroqFault.PERMISSION,
    404: GroqFault.NO_MODEL,
    408: GroqFault.TIMEOUT,
    413: GroqFault.TOO_LARGE,
    429: GroqFault.RATE_LIMITED,
    498: GroqFault.CAPACITY,
    499: GroqFault.CANCELLED,
}


@dataclass(frozen=True, slots=True)
class Answer:
    """What the API said.

    Attributes:
        fault: None: it answered as it should.
        says: one sentence, redacted.
        models: the ids that it lists, sorted.
    """

    fault: GroqFault | None
    says: str
    models: tuple[str, ...] = ()

    @property
    def refused(self) -> bool:
        """Whether the API itself said no: not a matter of the way to it."""
        return self.fault in (GroqFault.AUTHENTICATION, GroqFault.PERMISSION)


async def models_of(eyes: Eyes, use: GroqConfig, key: Secret) -> Answer:
    """Ask which models the key may use. Costs no token."""

    async def ask(client: AsyncGroq) -> Answer:
        listed = await client.models.list()
        data = getattr(listed, "data", None)
        if not isinstance(data, list):
            return Answer(GroqFault.NOT_THE_API, "what answers is not the API: a proxy, or a wrong address")
        found = tuple(sorted({str(getattr(one, "id", "")) for one in data} - {""}))
        return Answer(None, f"{len(found)} models are listed", found)

    return await _asked(eyes, use, key, ask)


async def one_token(eyes: Eyes, use: GroqConfig, key: Secret, model: str) -> Answer:
    """Ask a model for one token: a few tokens of the organisation's quota are spent."""

    async def ask(client: AsyncGroq) -> Answer:
        done = await client.chat.completions.create(
            model=model, messages=[{"role": "user", "content": "Say ok."}], max_completion_tokens=1
        )
        choices = getattr(done, "choices", None)
        if not choices:
            return Answer(GroqFault.NOT_THE_API, "the answer is no completion")
        return Answer(None, f"{line(model, 80)} completes")

    return await _asked(eyes, use, key, ask)


async def _asked(eyes: Eyes, use: GroqConfig, key: Secret, ask: Callable[[AsyncGroq], Awaitable[Answer]]) -> Answer:
    try:
        async with asyncio.timeout(DEADLINE_S):
            path = await _way(eyes, use)
            client = await asyncio.to_thread(_client, use, key, path)
            async with client:
                return await ask(client)
    except TimeoutError:
        return Answer(GroqFault.TIMEOUT, f"no answer within {DEADLINE_S:.0f} s")
    except (LinkError, SourceError) as error:
        return Answer(GroqFault.CONNECTION, redact(line(str(error.problem), 300)))
    except Exception as error:
        fault = await asyncio.to_thread(_judged, error)
        if fault is None:
            raise
        return fault


async def _way(eyes: Eyes, use: GroqConfig) -> str:
    """Return the socket on this machine that leads to the API through a host; empty: it is reached from here."""
    if use.via is None:
        return ""
    url = urlsplit(use.base_url)
    endpoint = await eyes.link_to(use.via).reach_tcp(url.hostname or "", url.port or (443 if url.scheme == "https" else 80))
    return endpoint.path  # a link to this very machine has none, and needs none


def _client(use: GroqConfig, key: Secret, path: str) -> AsyncGroq:
    """Make a client; slow, for it loads the library and the system's certificates."""
    import httpx
    from groq import AsyncGroq

    transport = httpx.AsyncHTTPTransport(uds=path) if path else None
    # Through a host the way is given: a proxy of this machine's environment has no part in it.
    http = httpx.AsyncClient(transport=transport, timeout=DEADLINE_S, trust_env=not path)
    # The address is always said: one of the environment must not decide where a key goes.
    return AsyncGroq(api_key=key.reveal(), base_url=use.base_url, max_retries=0, timeout=DEADLINE_S, http_client=http)


def _judged(error: Exception) -> Answer | None:
    """Return what an error of the client means; None: it is none of the client's."""
    import groq
    import httpx

    if isinstance(error, groq.APIStatusError):
        fault = _STATUS.get(error.status_code) or (GroqFault.SERVER if error.status_code >= 500 else GroqFault.BAD_REQUEST)
        return Answer(fault, f"HTTP {error.status_code}: {_words(error.body, error)}")
    if isinstance(error, groq.APITimeoutError | httpx.TimeoutException):
        return Answer(GroqFault.TIMEOUT, "no answer in time")
    if isinstance(error, groq.APIConnectionError | httpx.HTTPError):
        cause = error.__cause__ or error
        return Answer(GroqFault.CONNECTION, f"cannot be reached: {redact(line(str(cause) or type(cause).__name__, 200))}")
    if isinstance(error, groq.GroqError | ValueError | AttributeError):  # an answer of another shape
        return Answer(GroqFault.NOT_THE_API, f"what answers is not the API: {type(error).__name__}")
    return None


def _words(body: Any, error: Exception) -> str:
    inner = body.get("error") if isinstance(body, dict) else None
    said = inner.get("message") if isinstance(inner, dict) else None
    return redact(line(str(said or error), 200))
