"""Probes one web address: a GET through the host's link, its redirects, what was expected, where the time went."""

from __future__ import annotations

import asyncio
import math
from collections import deque
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from http import HTTPStatus
from typing import Any
from urllib.parse import urljoin, urlsplit

from debugtui.config.hosts import WebConfig
from debugtui.config.redaction import redact
from debugtui.hosts.link import Link, LinkError
from debugtui.model.clock import Clock, SystemClock
from debugtui.model.source import Kind, LinkState
from debugtui.model.text import line
from debugtui.model.web import Redirect, Timing, WebFault, WebReading

#: Seconds for a whole probe; most bytes of a body; most redirects that are followed.
LIMIT_S, MOST, REDIRECTS = 10.0, 1_000_000, 5
#: What the percentiles look back on, and from how many probes on they are said.
WINDOW, LEAST = timedelta(minutes=10), 5

_REDIRECTS = frozenset({301, 302, 303, 307, 308})


class WebSource:
    """One web address. Each probe opens a connection of its own, so that connecting is measured too."""

    kind = Kind.WEB
    has_rates = False
    limit_s = LIMIT_S + 5.0

    def __init__(self, link: Link, config: WebConfig, *, clock: Clock | None = None) -> None:
        """Prepare.

        Args:
            link: the host's link.
            config: the address, and what is expected of it.
            clock: time.
        """
        self.name = config.name
        self.period_s = config.every
        self._link, self._config = link, config
        self._clock = clock or SystemClock()
        self._past: deque[tuple[datetime, float | None]] = deque(maxlen=1_200)

    async def close(self) -> None:
        """Nothing stays open between probes."""

    async def read(self, *, full: bool) -> WebReading:
        """Probe now. An address that does not answer is a reading with a fault; see `Source.read` for the rest."""
        del full
        began, at = self._clock.monotonic(), self._clock.now()
        budget = 1000 * self._config.budgets.first_byte
        found = WebReading(taken_at=at, url=self._config.url, first_byte_budget_ms=budget)
        probe = _Probe(None if self._config.direct else self._link, self._config, self._clock)
        try:
            async with asyncio.timeout(LIMIT_S):
                found = await probe.run(found)
        except LinkError as error:
            if self._link.status.state is not LinkState.UP and not self._config.direct:
                raise
            found = _faulty(found, error, probe)
        except Exception as error:  # noqa: BLE001 - whatever the far side makes the library stumble over is its fault, told as such
            found = _faulty(found, error, probe)
        total = 1000 * (self._clock.monotonic() - began)
        found = replace(found, timing=replace(probe.timing, total_ms=total), redirects=tuple(probe.redirects))
        self._past.append((at, total if found.sound else None))
        return self._with_past(found)

    def _with_past(self, found: WebReading) -> WebReading:
        while self._past and self._past[0][0] < found.taken_at - WINDOW:
            self._past.popleft()
        if len(self._past) < LEAST:
            return found
        known = sorted(total for _, total in self._past if total is not None)
        failed = 1 - len(known) / len(self._past)
        return replace(found, p50_ms=percentile(known, 50), p95_ms=percentile(known, 95), failed_share=failed)


def percentile(ordered: Sequence[float], percent: float) -> float | None:
    """Return a percentile by the nearest rank: the smallest figure that at least so many per cent do not exceed."""
    return ordered[max(0, math.ceil(len(ordered) * percent / 100) - 1)] if ordered else None


def _faulty(found: WebReading, error: BaseException, probe: _Probe) -> WebReading:
    if isinstance(error, _TooManyRedirectsError):
        return replace(found, fault=WebFault.REDIRECTS, fault_says=str(error))
    from debugtui.sources.web.faults import classify

    fault, says = classify(error)
    if fault is WebFault.TIMEOUT:
        says = f"no whole answer within {LIMIT_S:.0f} s ({probe.doing})"
    return replace(found, fault=fault, fault_says=redact(line(says, 300)))


class _TooManyRedirectsError(Exception):
    """The redirects lead nowhere."""


class _Probe:
    """One GET with its redirects."""

    def __init__(self, link: Link | None, config: WebConfig, clock: Clock) -> None:
        self._link, self._config, self._clock = link, config, clock
        self._started: dict[str, float] = {}
        self.timing = Timing()
        self.redirects: list[Redirect] = []
        self.doing = "connecting"

    async def run(self, found: WebReading) -> WebReading:
        import httpcore

        from debugtui.sources.web.dial import LinkBackend, unverified

        url = self._config.url
        pool = httpcore.AsyncConnectionPool(
            ssl_context=await asyncio.to_thread(unverified), network_backend=LinkBackend(self._link), keepalive_expiry=0.0
        )
        async with pool:
            while True:
                status, headers, body, cut, version = await self._get(pool, url)
                onward = headers.get("location")
                if status not in _REDIRECTS or onward is None or status == self._config.expect.status:
                    break
                url = urljoin(url, onward)
                self.redirects.append(Redirect(status, redact(line(url, 300))))
                self._may_follow(url)
        return await self._judged(found, url, status, headers, body, cut, version)

    def _may_follow(self, url: str) -> None:
        if len(self.redirects) > REDIRECTS:
            raise _TooManyRedirectsError(f"more than {REDIRECTS} redirects; the last one leads to {self.redirects[-1].url}")
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise _TooManyRedirectsError(f"a redirect leads to {self.redirects[-1].url}, which is no web address")

    async def _judged(
        self, found: WebReading, url: str, status: int, headers: dict[str, str], body: bytes, cut: bool, version: str
    ) -> WebReading:
        from debugtui.sources.web.matching import matches

        judged = await asyncio.to_thread(lambda: tuple(matches(self._config.expect, status, body, cut=cut)))
        return replace(
            found,
            status=status,
            reason=_reason(status),
            http_version=version,
            server=line(headers.get("server", ""), 60),
            final_url=redact(line(url, 300)),
            matches=judged,
            size_bytes=len(body),
        )

    async def _get(self, pool: Any, url: str) -> tuple[int, dict[str, str], bytes, bool, str]:
        parts = urlsplit(url)
        path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        headers = {"Host": parts.netloc, "User-Agent": "DebugTUI", "Accept": "*/*", "Connection": "close"}
        target = f"{parts.scheme}://{parts.netloc}{path}"
        timeout = {"connect": LIMIT_S, "read": LIMIT_S, "write": LIMIT_S, "pool": LIMIT_S}
        extensions = {"trace": self._traced, "timeout": timeout}
        async with pool.stream("GET", target, headers=headers, extensions=extensions) as response:
            body, cut = bytearray(), False
            async for chunk in response.aiter_stream():
                body += chunk
                if len(body) > MOST:
                    cut = True
                    break
        names = {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in response.headers}
        version = response.extensions.get("http_version", b"").decode("ascii", "replace")
        return response.status, names, bytes(body[:MOST]), cut, version

    async def _traced(self, event: str, _info: dict[str, Any]) -> None:
        """Take the time of each part; the library calls this at the beginning and the end of each."""
        name, _, what = event.rpartition(".")
        part = name.rpartition(".")[2]
        if what == "started":
            self._started[part] = self._clock.monotonic()
            self.doing = _DOING.get(part, self.doing)
        elif what == "complete" and part in _PARTS:
            began = self._started.get("send_request_headers" if part == "receive_response_headers" else part)
            if began is not None:
                self.timing = replace(self.timing, **{_PARTS[part]: 1000 * (self._clock.monotonic() - began)})


_PARTS = {"connect_tcp": "connect_ms", "start_tls": "tls_ms", "receive_response_headers": "first_byte_ms"}
_DOING = {
    "connect_tcp": "connecting",
    "start_tls": "in the TLS handshake",
    "send_request_headers": "sending the request",
    "receive_response_headers": "waiting for the answer",
    "receive_response_body": "reading the body",
}


def _reason(status: int) -> str:
    try:
        return HTTPStatus(status).phrase
    except ValueError:
        return ""
