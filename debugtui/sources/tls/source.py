"""Judges one TLS address: what it serves, whether that is trusted and for this name, and whether the disk holds another one."""

from __future__ import annotations

import asyncio
import ssl
from dataclasses import replace
from urllib.parse import urlsplit

from debugtui.config.hosts import WebConfig
from debugtui.hosts.link import Link, LinkError
from debugtui.model.clock import Clock, SystemClock
from debugtui.model.source import Gap, Kind, LinkState, Problem
from debugtui.model.text import line
from debugtui.model.tls import TlsReading
from debugtui.sources.base import READ_LIMIT_S, SourceError

#: Seconds between two handshakes: certificates change seldom.
PERIOD_S = 60.0


class TlsSource:
    """One TLS address. Nothing stays open between reads."""

    kind = Kind.TLS
    has_rates = False
    period_s = PERIOD_S
    limit_s = 2 * READ_LIMIT_S

    def __init__(self, link: Link, config: WebConfig, *, clock: Clock | None = None) -> None:
        """Prepare.

        Args:
            link: the host's link.
            config: the web address, which begins with https://.
            clock: time.
        """
        self.name = config.name
        self._link, self._config = link, config
        self._clock = clock or SystemClock()
        parts = urlsplit(config.url)
        self._host, self._port = parts.hostname or "", parts.port or 443

    async def close(self) -> None:
        """Nothing stays open between reads."""

    async def read(self, *, full: bool) -> TlsReading:
        """Shake hands now. An address without a handshake is a reading with a fault; see `Source.read` for the rest."""
        del full
        found = TlsReading(self._clock.now(), f"{self._host}:{self._port}", self._host)
        try:
            found = await self._served(found)
        except LinkError as error:
            self._must_be_up()
            found = replace(found, fault=line(error.problem.says, 200))
        except ssl.SSLError as error:
            found = replace(found, fault=f"no TLS there: {line(error.reason or str(error), 120).replace('_', ' ').lower()}")
        except (OSError, TimeoutError) as error:
            found = replace(found, fault=line(str(error), 200) or "no handshake in time")
        if self._config.nginx is not None and not self._config.direct:
            self._must_be_up()
            found = await self._beside_the_disk(found, self._config.nginx)
        return found

    def _must_be_up(self) -> None:
        if not self._config.direct and self._link.status.state is not LinkState.UP:
            raise LinkError(self._link.status.problem or Problem(f"the link to {self._link.host} is down"))

    async def _served(self, found: TlsReading) -> TlsReading:
        from debugtui.sources.tls import certificates, handshake

        link = None if self._config.direct else self._link
        where = (link, self._host, self._port, self._host)
        served = await handshake.serve(*where)
        chain = await asyncio.to_thread(
            lambda: tuple(certificates.from_der(one, found.taken_at) for one in served.chain[: certificates.CHAIN])
        )
        why = await handshake.distrust(*where, self._config.ca)
        return replace(
            found,
            protocol=served.protocol,
            cipher=served.cipher,
            served=chain[0] if chain else None,
            chain=chain,
            trusted=not why,
            distrust=why,
            name_matches=certificates.is_for(chain[0].names, self._host) if chain else None,
        )

    async def _beside_the_disk(self, found: TlsReading, config: str) -> TlsReading:
        from debugtui.sources.tls.certbot import renewal_of
        from debugtui.sources.tls.on_disk import disk_certificate

        try:
            disk, gaps = await disk_certificate(self._link, config, self._host, self._port, found.taken_at)
        except SourceError as error:
            return replace(found, gaps=(*found.gaps, Gap("certificate on the disk", error.problem)))
        same = None
        if disk is not None and found.served is not None:
            same = disk.certificate.fingerprint == found.served.fingerprint
        renewal = await renewal_of(self._link, disk.path) if disk is not None else None
        return replace(found, disk=disk, same_as_disk=same, renewal=renewal, gaps=(*found.gaps, *gaps))
