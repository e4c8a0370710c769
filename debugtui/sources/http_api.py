"""The HTTP API of a monitoring server (Prometheus, Loki, Alertmanager, Grafana) or of RabbitMQ, read as JSON."""

from __future__ import annotations

import asyncio
import json
import ssl
from collections.abc import Awaitable, Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from debugtui.config.redaction import redact
from debugtui.hosts.link import Link
from debugtui.model.source import Problem
from debugtui.model.text import line
from debugtui.sources.base import SourceError

if TYPE_CHECKING:
    import httpx

#: Seconds for an answer; most bytes of it.
LIMIT_S, MOST = 10.0, 8_000_000

#: What gives the headers of a request; it may ask the operator for a secret.
Headers = Callable[[], Awaitable[Mapping[str, str]]]


class SilentError(SourceError):
    """The server took the question, or not even that, and said nothing within the time limit."""


class HttpApi:
    """Asks one server. It only ever sends GET requests, follows no redirect, and keeps its connection between two of them."""

    def __init__(
        self, what: str, url: str, link: Link | None, *, headers: Headers | None = None, ca: Path | None = None
    ) -> None:
        """Prepare; the first request connects.

        Args:
            what: what the server is called in problems: `prometheus`.
            url: where its API is, as seen from the host, or from here where `link` is None.
            link: of the host in between; None: reached from this machine.
            headers: gives the headers that authenticate.
            ca: file of the authorities that its certificate is judged by.
        """
        self._what, self._url, self._link = what, url.rstrip("/"), link
        self._headers, self._ca = headers, ca
        self._client: httpx.AsyncClient | None = None
        self._socket: str | None = None

    @property
    def url(self) -> str:
        """Where the API is."""
        return self._url

    async def get(self, path: str, params: Mapping[str, str] | Sequence[tuple[str, str]] | None = None) -> object:
        """Return the JSON document that a path answers with.

        Args:
            path: below the URL, beginning with a slash.
            params: of the query; a sequence of pairs where a name stands several times.

        Raises:
            SourceError: no answer, not a good one, not JSON, or too large.
            LinkError: the link is not up.
        """
        status, body = await self.fetch(path, params)
        if status >= 300:
            says = f"{self._what} answers {status} to {path}: {redact(line(body[:200]))}".rstrip(": ")
            raise SourceError(Problem(says, _hint(status)))
        try:
            return await asyncio.to_thread(json.loads, body)
        except (ValueError, RecursionError) as error:
            says = f"{self._what} does not answer {path} in JSON: {redact(line(body[:80]))}"
            raise SourceError(Problem(says, "is the URL the one of the API?")) from error

    async def fetch(
        self, path: str, params: Mapping[str, str] | Sequence[tuple[str, str]] | None = None, *, most: int = MOST
    ) -> tuple[int, bytes]:
        """Return status and body of a path, whatever they are.

        Raises:
            SourceError: no answer, or one of more than `most` bytes.
            LinkError: the link is not up.
        """
        import httpx

        headers = dict(await self._headers()) if self._headers is not None else {}
        try:
            async with asyncio.timeout(LIMIT_S):
                client = await self._connected()
                query = httpx.QueryParams(params if params is None or isinstance(params, Mapping) else list(params))
                async with client.stream("GET", f"{self._url}{path}", params=query, headers=headers) as answer:
                    body = bytearray()
                    async for chunk in answer.aiter_bytes():
                        body += chunk
                        if len(body) > most:
                            raise SourceError(Problem(f"{self._what} answers {path} with more than {most} bytes"))
                    return answer.status_code, bytes(body)
        except TimeoutError as error:
            await self.close()
            raise SilentError(Problem(f"{self._what} does not answer {path} within {LIMIT_S:.0f} s")) from error
        except httpx.HTTPError as error:
            await self.close()
            says = redact(line(str(error) or type(error).__name__, 200))
            raise SourceError(Problem(f"{self._what} cannot be reached: {says}", f"is it running at {self._url}?")) from error

    async def _connected(self) -> httpx.AsyncClient:
        import httpx

        socket: str | None = None
        if self._link is not None:
            # A way through a host ends in a UNIX socket here; a host that is this machine gives the address itself.
            parts = urlsplit(self._url)
            port = parts.port or (443 if parts.scheme == "https" else 80)
            socket = (await self._link.reach_tcp(parts.hostname or "", port)).path or None
        if self._client is not None and socket != self._socket:  # the link was made anew, and with it the way through it
            await self.close()
        if self._client is None:
            verify = await asyncio.to_thread(self._trust) if self._url.startswith("https://") else False
            transport = httpx.AsyncHTTPTransport(uds=socket, verify=verify)
            self._client = httpx.AsyncClient(trust_env=False, transport=transport, timeout=LIMIT_S)
            self._socket = socket
        return self._client

    def _trust(self) -> ssl.SSLContext:
        """Read the authorities that a certificate is judged by; those of the HTTP library where the system has none."""
        try:
            context = ssl.create_default_context(cafile=self._ca)
        except OSError as error:
            why = error.strerror or type(error).__name__
            raise SourceError(
                Problem(f"the authorities in {self._ca} cannot be read: {why}", "ca in the configuration")
            ) from None
        if self._ca is not None or context.cert_store_stats()["x509_ca"]:
            return context
        import httpx

        return httpx.create_ssl_context(trust_env=False)

    async def close(self) -> None:
        """Close the connection. Safe to call twice."""
        client, self._client = self._client, None
        if client is not None:
            await client.aclose()


def _hint(status: int) -> str:
    if 300 <= status < 400:
        return "redirects are not followed: write the URL that they lead to"
    return {
        401: "it wants a user and password, or a token: user, password, token in the configuration",
        403: "the user or token may not read this",
        404: "is the URL the one of the API?",
    }.get(status, "")
