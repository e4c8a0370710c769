"""Why a probe got no whole answer, from the exceptions of the HTTP library and the words of a link. Pure."""

from __future__ import annotations

import socket
import ssl
from collections.abc import Iterator

import httpcore

from debugtui.hosts.link import LinkError
from debugtui.model.text import line
from debugtui.model.web import WebFault

#: Words of sshd, of the system and of asyncio, in the order in which they are looked for.
_WORDS = (
    (WebFault.DNS, ("name or service not known", "unknown host", "not found", "name resolution", "nodename", "no address")),
    (WebFault.REFUSED, ("refused",)),
    (WebFault.TIMEOUT, ("no answer within", "timed out")),
    (WebFault.UNREACHABLE, ("unreachable", "no route", "cannot be reached", "open failed", "administratively prohibited")),
    (WebFault.RESET, ("reset", "broken pipe")),
)


def classify(error: BaseException) -> tuple[WebFault, str]:
    """Return the fault behind an exception, and one sentence about it."""
    causes = list(_causes(error))
    says = line(next((str(one) for one in reversed(causes) if str(one)), type(error).__name__), 200)
    for one in causes:
        if isinstance(one, ssl.SSLError):
            return WebFault.TLS, f"the TLS handshake failed: {line(one.reason or str(one), 120).replace('_', ' ').lower()}"
    if any(isinstance(one, (TimeoutError, httpcore.TimeoutException)) for one in causes):
        return WebFault.TIMEOUT, "no whole answer in time"
    if any(isinstance(one, socket.gaierror) for one in causes):
        return WebFault.DNS, f"the name is not found: {says}"
    for one in causes:
        if isinstance(one, LinkError):
            return _by_words(str(one.problem), WebFault.UNREACHABLE), line(one.problem.says, 200)
        if isinstance(one, ConnectionRefusedError):
            return WebFault.REFUSED, says
        if isinstance(one, (ConnectionResetError, BrokenPipeError)):
            return WebFault.RESET, "the connection was reset"
    if isinstance(error, httpcore.RemoteProtocolError):
        cut = "without sending" in says or "disconnected" in says
        return (WebFault.RESET, says) if cut else (WebFault.PROTOCOL, f"this is no HTTP: {says}")
    if isinstance(error, httpcore.ProtocolError):
        return WebFault.PROTOCOL, says
    return _by_words(says, WebFault.RESET if isinstance(error, httpcore.NetworkError) else WebFault.UNREACHABLE), says


def _by_words(text: str, otherwise: WebFault) -> WebFault:
    low = text.lower()
    return next((fault for fault, words in _WORDS if any(word in low for word in words)), otherwise)


def _causes(error: BaseException) -> Iterator[BaseException]:
    seen: set[int] = set()
    one: BaseException | None = error
    while one is not None and id(one) not in seen:
        seen.add(id(one))
        yield one
        one = one.__cause__ or one.__context__
