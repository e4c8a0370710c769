"""One probe of a web address: the request, its redirects, and what went wrong on the way."""

from __future__ import annotations

import asyncio
import ssl
import time
from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import dataclass, field
from typing import cast

import httpcore
import httpx

from debugtui import __version__
from debugtui.config.redaction import redact
from debugtui.model.text import line
from debugtui.model.web import Redirect, Timing, WebFault
from debugtui.sources.web.backend import Backend, Hop, since
from debugtui.sources.web.dial import Dialer, DialError, causes, of_os_error, words

#: Seconds that a probe may take, redirects and all.
LIMIT_S = 10.0
#: Most bytes of a body that are read.
BODY_LIMIT = 1_000_000
#: Most redirects that are followed.
REDIRECTS = 5

_REDIRECTING = frozenset({301, 302, 303, 307, 308})


@dataclass(slots=True)
class Answer:
    """What came of a probe; everything stays empty that did not come."""

    fault: WebFault | None = None
    says: str = ""
    status: int | None = None
    reason: str = ""
    http_version: str = ""
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes | None = None
    cut: bool = False
    url: str = ""
    redirects: list[Redirect] = field(default_factory=list)
    hops: list[Hop] = field(default_factory=list)
    total_ms: float | None = None

    @property
    def timing(self) -> Timing:
        """The time of each part, summed over all connections."""

        def together(values: list[float | None]) -> float | None:
            known = [value for value in values if value is not None]
            return round(sum(known), 3) if known else None

        return Timing(
            connect_ms=together([hop.connect_ms for hop in self.hops]),
            tls_ms=together([hop.tls_ms for hop in self.hops]),
            first_byte_ms=together([hop.first_byte_ms for hop in self.hops]),
            total_ms=self.total_ms,
        )


def open_context() -> ssl.SSLContext:
    """Return a context that accepts any certificate.

    The probe asks whether the page answers; the TLS source judges the certificate, and says so by itself. A page behind a
    certificate that has ended is still looked at, so that one fault does not hide the other. Nothing secret is ever sent.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


async def probe(dialer: Dialer, url: str, context: ssl.SSLContext, *, wanted_status: int) -> Answer:
    """Fetch `url` with GET and follow its redirects, unless a redirect is what is wanted.

    Raises:
        LinkError: the link is not up, or does not allow it.
    """
    answer = Answer(url=shown(httpx.URL(url)))
    began = time.perf_counter()
    try:
        async with asyncio.timeout(LIMIT_S):
            await _follow(dialer, httpx.URL(url), context, wanted_status, answer)
    except TimeoutError:
        answer.fault, answer.says = _too_late(answer)
    answer.total_ms = since(began)
    await _ask_again(dialer, answer)
    return answer


def _too_late(answer: Answer) -> tuple[WebFault, str]:
    hop = answer.hops[-1] if answer.hops else Hop()
    if hop.no_http:
        return WebFault.PROTOCOL, _not_http(hop, answer.url)
    if hop.stage == "body":
        return WebFault.TIMEOUT, f"{answer.url}: the answer did not end within {LIMIT_S:g} s"
    return WebFault.TIMEOUT, f"{answer.url}: no {hop.stage} within {LIMIT_S:g} s"


def _not_http(hop: Hop, url: str) -> str:
    return f"{url}: what came is no HTTP: it begins with {line(redact(line(hop.beginning)), 100)!r}"


async def _follow(dialer: Dialer, url: httpx.URL, context: ssl.SSLContext, wanted: int, answer: Answer) -> None:
    while True:
        answer.url, answer.body = shown(url), None
        hop = Hop()
        answer.hops.append(hop)
        try:
            await _get(dialer, url, context, hop, answer)
        except DialError as error:
            answer.fault, answer.says = error.fault, error.says
        except (httpcore.NetworkError, httpcore.ProtocolError, httpcore.TimeoutException, OSError) as error:
            if not isinstance(error, OSError) or isinstance(error, ssl.SSLError | ConnectionError):
                answer.fault, answer.says = _explain(error, hop, answer.url)
            else:
                answer.fault, answer.says = of_os_error(error), f"{answer.url}: {words(error)}"
        if answer.fault is not None or answer.status not in _REDIRECTING or answer.status == wanted:
            return
        target = answer.headers.get("location")
        if not target:
            return
        following = _next(url, target, answer)
        if following is None:
            return
        url = following


def _next(url: httpx.URL, target: str, answer: Answer) -> httpx.URL | None:
    """Where a redirect leads; None, with a fault, where it is not followed."""
    try:
        following = url.join(target).copy_with(username=None, password=None, fragment=None)
        usable = following.scheme in ("http", "https") and bool(following.host) and 0 < (following.port or 80) < 65_536
    except (httpx.InvalidURL, ValueError):
        answer.fault, answer.says = WebFault.REDIRECTS, f"it leads to what is no address: {line(redact(target), 100)}"
        return None
    assert answer.status is not None  # noqa: S101 - a redirect has one
    answer.redirects.append(Redirect(answer.status, shown(following)))
    if not usable:
        answer.fault, answer.says = WebFault.REDIRECTS, f"it leads to {shown(following)}, which is no web address"
        return None
    if len(answer.redirects) > REDIRECTS:
        circle = any(shown(following) == before.url for before in answer.redirects[:-1])
        how = "goes round in circles" if circle else "leads on and on"
        answer.fault, answer.says = (
            WebFault.REDIRECTS,
            f"it {how}: more than {REDIRECTS} redirects, the last to {shown(following)}",
        )
        return None
    return following


async def _get(dialer: Dialer, url: httpx.URL, context: ssl.SSLContext, hop: Hop, answer: Answer) -> None:
    """Make one request on a connection of its own."""
    port = url.port or (443 if url.scheme == "https" else 80)
    request = httpcore.Request(
        "GET",
        httpcore.URL(scheme=url.scheme, host=url.raw_host, port=port, target=url.raw_path),
        headers=[
            (b"Host", url.netloc),
            (b"User-Agent", f"debugtui/{__version__}".encode()),
            (b"Accept", b"*/*"),
            (b"Accept-Encoding", b"identity"),
            (b"Connection", b"close"),
        ],
    )
    backend = Backend(dialer, hop)
    origin = httpcore.Origin(url.raw_scheme, url.raw_host, port)
    connection = httpcore.AsyncHTTPConnection(origin, ssl_context=context, network_backend=backend)
    async with aclosing(backend), connection:
        response = await connection.handle_async_request(request)
        try:
            answer.status = response.status
            answer.reason = line(response.extensions.get("reason_phrase", b""), 100)
            answer.http_version = line(response.extensions.get("http_version", b""), 20)
            answer.headers = {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in response.headers}
            hop.stage = "body"
            await _read_body(response, answer)
        finally:
            await response.aclose()


async def _read_body(response: httpcore.Response, answer: Answer) -> None:
    body = bytearray()
    answer.body, answer.cut = b"", False
    try:
        async with aclosing(cast("AsyncGenerator[bytes, None]", response.aiter_stream())) as chunks:
            async for chunk in chunks:
                body += chunk
                if len(body) > BODY_LIMIT:
                    answer.cut = True
                    break
    finally:
        answer.body = bytes(body[:BODY_LIMIT])


def _explain(error: Exception, hop: Hop, url: str) -> tuple[WebFault, str]:
    """Return the fault and the sentence for a failure of the connection or of the protocol."""
    chain = list(causes(error))
    for one in chain:
        if isinstance(one, ssl.SSLError) and not isinstance(one, ssl.SSLEOFError | ssl.SSLZeroReturnError):
            hint = ": it does not speak TLS" if _plain(one) else ""
            return WebFault.TLS, f"{url}: the TLS handshake failed{hint} ({words(one)})"
    if hop.connect_ms is None:
        roots = [one for one in chain if isinstance(one, OSError) and (one.errno or "[Errno" in str(one))]
        root = roots[0] if roots else error
        return of_os_error(root), f"{url}: {words(root)}"
    if hop.no_http:
        return WebFault.PROTOCOL, _not_http(hop, url)
    hung_up = isinstance(error, httpcore.NetworkError) or str(error).startswith(("peer ", "Server disconnected"))
    if hung_up:
        if hop.stage == "TLS handshake":
            return WebFault.RESET, f"{url}: the connection was closed during the TLS handshake"
        if hop.received == 0:
            return WebFault.RESET, f"{url}: the connection was closed without an answer"
        return WebFault.RESET, f"{url}: the connection was closed in the middle of the answer"
    return WebFault.PROTOCOL, f"{url}: what came is no HTTP: {line(redact(str(error)), 150)}"


def _plain(error: ssl.SSLError) -> bool:
    return error.reason in (
        "WRONG_VERSION_NUMBER",
        "RECORD_LAYER_FAILURE",
        "PACKET_LENGTH_TOO_LONG",
        "HTTP_REQUEST",
        "UNKNOWN_PROTOCOL",
    )


async def _ask_again(dialer: Dialer, answer: Answer) -> None:
    """Where a connection was closed before a byte came, find out whether the service is there at all."""
    hop = answer.hops[-1]
    if answer.fault is not WebFault.RESET or hop.received or hop.endpoint is None:
        return
    found = await dialer.why_closed(*hop.address, hop.endpoint)
    if found is not None:
        answer.fault, answer.says = found.fault, found.says


def shown(url: httpx.URL) -> str:
    """Return an address as it may be shown: a redirect's query may hold a ticket or a code."""
    text = str(url.copy_with(query=None, fragment=None, username=None, password=None))
    return line(f"{text}?…" if url.query else text, 300)
