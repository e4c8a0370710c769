"""The network as httpcore uses it: connections through a host's link, with a stopwatch at each part."""

from __future__ import annotations

import ssl
import time
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import httpcore

from debugtui.hosts.link import Endpoint
from debugtui.sources.web.dial import Dialer

_HTTP = b"HTTP/"
#: Bytes of an answer that are kept to be shown where it is none.
_BEGINNING = 40


@dataclass(slots=True)
class Hop:
    """What one connection did, as far as it got.

    Attributes:
        stage: what it is doing, for the sentence "no ... within 10 s".
        address: host and port, as seen from the host.
        endpoint: where it was connected to for that; None before.
        connect_ms, tls_ms, first_byte_ms: how long each part took, in milliseconds; None where it did not come to its end.
        received: bytes of the answer.
        beginning: the first of them.
    """

    stage: str = "connection"
    address: tuple[str, int] = ("", 0)
    endpoint: Endpoint | None = None
    connect_ms: float | None = None
    tls_ms: float | None = None
    first_byte_ms: float | None = None
    received: int = 0
    beginning: bytes = b""

    @property
    def no_http(self) -> bool:
        """Whether what came cannot be the beginning of an answer."""
        came = self.beginning[: len(_HTTP)]
        return not _HTTP.startswith(came)


def since(began: float) -> float:
    """Return the milliseconds since a moment of `time.perf_counter`."""
    return round(1000 * (time.perf_counter() - began), 3)


class Backend(httpcore.AsyncNetworkBackend):
    """Connects where the dialer says; the name in the request and in the TLS handshake stays the one of the URL."""

    def __init__(self, dialer: Dialer, hop: Hop) -> None:
        """Use `dialer`, and write into `hop` what happens."""
        self._dialer = dialer
        self._hop = hop
        self._inner = httpcore.AnyIOBackend()
        self._opened: httpcore.AsyncNetworkStream | None = None

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore.AsyncNetworkStream:
        """Connect; see `httpcore.AsyncNetworkBackend`."""
        began = time.perf_counter()
        self._hop.address = (host, port)
        endpoint = await self._dialer.reach(host, port)
        self._hop.endpoint = endpoint
        if endpoint.path:
            stream = await self._inner.connect_unix_socket(endpoint.path, timeout)
        else:
            stream = await self._inner.connect_tcp(endpoint.host, endpoint.port, timeout)
        self._opened = stream
        self._hop.connect_ms = since(began)
        self._hop.stage = "answer"
        return _Stream(stream, self._hop)

    async def aclose(self) -> None:
        """Close what was opened. The library itself leaves a connection open whose handshake was cancelled."""
        opened, self._opened = self._opened, None
        if opened is not None:
            await opened.aclose()


class _Stream(httpcore.AsyncNetworkStream):
    """A connection that notes when the handshake ended, when the request left and when the first byte came."""

    def __init__(self, inner: httpcore.AsyncNetworkStream, hop: Hop) -> None:
        self._inner = inner
        self._hop = hop
        self._sent_at: float | None = None

    async def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        data = await self._inner.read(max_bytes, timeout)
        if data and self._hop.first_byte_ms is None and self._sent_at is not None:
            self._hop.first_byte_ms = since(self._sent_at)
        self._hop.received += len(data)
        self._hop.beginning = (self._hop.beginning + data[:_BEGINNING])[:_BEGINNING]
        return data

    async def write(self, buffer: bytes, timeout: float | None = None) -> None:
        if self._sent_at is None:
            self._sent_at = time.perf_counter()
        await self._inner.write(buffer, timeout)

    async def aclose(self) -> None:
        await self._inner.aclose()

    async def start_tls(
        self, ssl_context: ssl.SSLContext, server_hostname: str | None = None, timeout: float | None = None
    ) -> httpcore.AsyncNetworkStream:
        self._hop.stage = "TLS handshake"
        began = time.perf_counter()
        stream = await self._inner.start_tls(ssl_context, server_hostname, timeout)
        self._hop.tls_ms = since(began)
        self._hop.stage = "answer"
        return _Stream(stream, self._hop)

    def get_extra_info(self, info: str) -> Any:
        return self._inner.get_extra_info(info)
