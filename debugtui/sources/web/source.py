"""The web source: one probe per read, and the figures of the last ten minutes."""

from __future__ import annotations

import asyncio
import ssl
from dataclasses import replace
from importlib import import_module
from typing import TYPE_CHECKING

from debugtui.config.hosts import WebConfig
from debugtui.config.redaction import redact
from debugtui.hosts.link import Link
from debugtui.model.clock import Clock, SystemClock
from debugtui.model.source import Kind
from debugtui.model.text import line
from debugtui.model.web import Match, WebReading
from debugtui.sources.base import READ_LIMIT_S
from debugtui.sources.web.dial import Dialer
from debugtui.sources.web.matching import matches
from debugtui.sources.web.window import Window

if TYPE_CHECKING:
    from debugtui.sources.web.probe import Answer


class WebSource:
    """One web address. Each probe opens a connection of its own, as a new visitor does."""

    kind = Kind.WEB
    has_rates = False
    limit_s = READ_LIMIT_S

    def __init__(self, link: Link, config: WebConfig, *, clock: Clock | None = None) -> None:
        """Probe through `link`, or from this machine where the configuration says `direct`."""
        self.name = config.name
        self.period_s = config.every
        self._config = config
        self._dialer = Dialer(None if config.direct else link)
        self._clock = clock or SystemClock()
        self._window = Window()
        self._context: ssl.SSLContext | None = None

    async def read(self, *, full: bool) -> WebReading:
        """Probe now; there are no slow parts.

        Raises:
            LinkError: the link is not up, or does not allow it: nothing is known of the page then.
        """
        probing = await asyncio.to_thread(import_module, "debugtui.sources.web.probe")  # loads the HTTP library once
        if self._context is None:
            self._context = probing.open_context()
        taken_at, at = self._clock.now(), self._clock.monotonic()
        config = self._config
        answer = await probing.probe(self._dialer, config.url, self._context, wanted_status=config.expect.status)
        reading = await asyncio.to_thread(self._reading, answer)
        whole = reading.fault is None
        self._window.add(at, reading.timing.total_ms if whole else None, failed=not reading.sound)
        return replace(
            reading,
            taken_at=taken_at,
            p50_ms=self._window.percentile(0.5),
            p95_ms=self._window.percentile(0.95),
            failed_share=self._window.failed_share,
        )

    def _reading(self, answer: Answer) -> WebReading:
        config = self._config
        found: tuple[Match, ...] = ()
        if answer.fault is None and answer.status is not None:
            found = matches(config.expect, answer.status, answer.headers, answer.body or b"", cut=answer.cut)
        return WebReading(
            taken_at=self._clock.now(),
            url=line(redact(config.url), 500),
            fault=answer.fault,
            fault_says=line(answer.says, 300),
            status=answer.status,
            reason=answer.reason,
            http_version=answer.http_version,
            server=line(answer.headers.get("server", ""), 100),
            final_url=answer.url if answer.status is not None else "",
            redirects=tuple(answer.redirects),
            matches=found,
            timing=answer.timing,
            size_bytes=None if answer.body is None else len(answer.body),
            first_byte_budget_ms=1000 * config.budgets.first_byte,
        )

    async def close(self) -> None:
        """Nothing is held between probes; the figures stay, since the page is the same after a break."""
