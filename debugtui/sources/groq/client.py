"""The SDK's client for one probe: a new connection, no retries, bounded answers, through a host's link where wanted."""

from __future__ import annotations

import asyncio
import importlib
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from debugtui.hosts.link import Endpoint, Link, LinkError
from debugtui.model.source import LinkState
from debugtui.sources.groq.classify import AnswerTooBigError

if TYPE_CHECKING:
    import groq
    import httpx

#: Most bytes of an answer: a list of a hundred models takes 30 kB, a stream of one token 2 kB.
ANSWER_LIMIT = 2_000_000

#: Share of a probe's time that the connection alone may take.
_CONNECT_SHARE = 0.8

_PATH = "/openai/v1"


def server_of(base_url: str) -> str:
    """Return the base URL as the SDK wants it: without the API's own path, which it adds."""
    return base_url.rstrip("/").removesuffix(_PATH)


def tls_context() -> ssl.SSLContext:
    """Return a TLS context that trusts the system's authorities; where it has none, those that come with the HTTP library.

    Reads files: call it in a thread.
    """
    context = ssl.create_default_context()
    if context.cert_store_stats()["x509_ca"]:
        return context
    import httpx

    return httpx.create_ssl_context(trust_env=False)


def load() -> None:
    """Import the libraries, which takes a fifth of a second: call it in a thread, before the first probe is timed.

    The SDK loads what it needs for a call when it is made; that would count as the API's time.
    """
    for name in (
        "groq",
        "groq.resources.models",
        "groq.resources.chat.completions",
        "httpx",
        "httpcore",
        "anyio._backends._asyncio",
    ):
        importlib.import_module(name)


async def reach(link: Link, base_url: str) -> Endpoint:
    """Return where the API is reached through a link.

    Raises:
        OSError: nothing answers there: a finding about the API, not about the link.
        LinkError: the link is down, or does not allow it.
    """
    parts = urlsplit(base_url)
    port = parts.port or (443 if parts.scheme == "https" else 80)
    try:
        return await link.reach_tcp(parts.hostname or "", port)
    except LinkError as error:
        if link.status.state is not LinkState.UP:
            raise
        cause = error.__cause__
        if isinstance(cause, OSError):  # TimeoutError is one, too
            raise cause from error
        if type(cause).__name__ == "ChannelOpenError" and getattr(cause, "code", 0) == _CONNECT_FAILED:
            raise OSError(str(cause)) from error
        raise


#: The SSH server tried and could not connect (RFC 4254, 5.1).
_CONNECT_FAILED = 2


@asynccontextmanager
async def open_client(
    base_url: str, key: str, *, timeout: float, context: ssl.SSLContext, endpoint: Endpoint | None
) -> AsyncIterator[groq.AsyncGroq]:
    """Open a client, and close it with its connections at the end.

    Args:
        base_url: where the API is, without its path.
        key: the API key, checked before.
        timeout: seconds for each wait; the caller keeps the time of the whole.
        context: for TLS.
        endpoint: where to connect to instead of the base URL's host; certificates are still judged by the real name.
    """
    import groq
    import httpx

    http = httpx.AsyncClient(
        transport=_transport(context, endpoint),
        trust_env=False,
        follow_redirects=False,
        timeout=httpx.Timeout(timeout, connect=timeout * _CONNECT_SHARE),
        headers={"Accept-Encoding": "identity"},
        event_hooks={"response": [_bound]},
    )
    async with groq.AsyncGroq(
        api_key=key, base_url=server_of(base_url), timeout=timeout, max_retries=0, http_client=http
    ) as client:
        yield client


def _transport(context: ssl.SSLContext, endpoint: Endpoint | None) -> httpx.AsyncBaseTransport:
    """Return a transport that opens a connection for each request, and none to anywhere else than the endpoint."""
    import httpx

    limits = httpx.Limits(max_keepalive_connections=0, max_connections=4)
    if endpoint is None:
        return httpx.AsyncHTTPTransport(verify=context, trust_env=False, limits=limits)
    if endpoint.path:
        return httpx.AsyncHTTPTransport(verify=context, trust_env=False, limits=limits, uds=endpoint.path)

    host, port = endpoint.host, endpoint.port

    class Detour(httpx.AsyncHTTPTransport):
        """Connects to the endpoint; the Host header and the name that the certificate must have stay."""

        async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
            """Send the request by the detour."""
            request.extensions = {**request.extensions, "sni_hostname": request.url.host}
            request.url = request.url.copy_with(host=host, port=port)
            return await super().handle_async_request(request)

    return Detour(verify=context, trust_env=False, limits=limits)


async def _bound(response: Any) -> None:
    """Have the answer's bytes counted while they are read."""
    response.stream = _counted(response.stream)


def _counted(stream: Any) -> httpx.AsyncByteStream:
    import httpx

    class Counted(httpx.AsyncByteStream):
        """Passes bytes on until there are too many."""

        async def __aiter__(self) -> AsyncIterator[bytes]:
            read = 0
            async for part in stream:
                read += len(part)
                if read > ANSWER_LIMIT:
                    raise AnswerTooBigError
                yield part

        async def aclose(self) -> None:
            """Release the connection."""
            await stream.aclose()

    return Counted()


async def prepare() -> ssl.SSLContext:
    """Import the libraries and make the TLS context, without holding up the event loop."""
    await asyncio.to_thread(load)
    return await asyncio.to_thread(tls_context)
