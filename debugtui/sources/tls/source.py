"""The TLS source: what an address serves, what nginx would serve from the disk, and how it is renewed."""

from __future__ import annotations

import asyncio
import posixpath
from dataclasses import dataclass, field
from datetime import datetime
from importlib import import_module
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from debugtui.config.hosts import WebConfig
from debugtui.hosts.link import CommandTimeoutError, Link
from debugtui.model.clock import Clock, SystemClock
from debugtui.model.source import Gap, Kind, Problem
from debugtui.model.text import line
from debugtui.model.tls import Certificate, DiskCertificate, Renewal, TlsReading
from debugtui.sources.base import READ_LIMIT_S
from debugtui.sources.tls import certbot, handshake
from debugtui.sources.tls.handshake import Address
from debugtui.sources.tls.nginx_text import ConfigError, fetch
from debugtui.sources.tls.on_disk import PairOnDisk, certificates_for
from debugtui.sources.web.dial import Dialer, DialError

if TYPE_CHECKING:
    from cryptography import x509

#: Seconds between two looks: certificates change rarely, and every look is four handshakes at most.
PERIOD_S = 60.0
#: Seconds that all handshakes together, and all commands together, may take; both run side by side.
LIMIT_S = 18.0
#: Seconds that one command may take, and bytes of a certificate's file.
COMMAND_S, FILE_LIMIT = 8.0, 500_000


@dataclass(slots=True)
class _Wire:
    """What the handshakes found."""

    fault: str = ""
    protocol: str = ""
    cipher: str = ""
    chain: tuple[Certificate, ...] = ()
    trusted: bool | None = None
    distrust: str = ""
    name_matches: bool | None = None
    gaps: list[Gap] = field(default_factory=list)


@dataclass(slots=True)
class _Disk:
    """What lies on the host."""

    certificates: list[DiskCertificate] = field(default_factory=list)
    renewal: Renewal | None = None
    gaps: list[Gap] = field(default_factory=list)


class TlsSource:
    """One https address. Private keys never leave their host: openssl there says what their public half is."""

    kind = Kind.TLS
    has_rates = False
    period_s = PERIOD_S
    limit_s = READ_LIMIT_S

    def __init__(self, link: Link, config: WebConfig, *, clock: Clock | None = None) -> None:
        """Look through `link`, or from this machine where the configuration says `direct`.

        Raises:
            ValueError: the URL is not https.
        """
        parts = urlsplit(config.url)
        if parts.scheme != "https" or not parts.hostname:
            raise ValueError("only an https address has a certificate")
        self.name = config.name
        self._config = config
        self._address = Address(_ascii(parts.hostname), parts.port or 443)
        self._link = link
        self._dialer = Dialer(None if config.direct else link)
        self._clock = clock or SystemClock()

    async def read(self, *, full: bool) -> TlsReading:
        """Look now; what lies on the disk is compared every time, since it is what changes.

        Raises:
            LinkError: the link is not up, or does not allow it.
        """
        now = self._clock.now()
        await asyncio.to_thread(import_module, "debugtui.sources.tls.certificates")  # loads the cryptography library once
        try:
            async with asyncio.TaskGroup() as group:
                wired = group.create_task(self._wire(now))
                stored = group.create_task(self._disk(now))
        except BaseExceptionGroup as error:
            raise error.exceptions[0] from None  # the first to fail ended the other
        wire, on_disk = wired.result(), stored.result()
        served = wire.chain[0] if wire.chain else None
        disk = _closest(on_disk.certificates, served)
        return TlsReading(
            taken_at=now,
            address=f"{self._address.host}:{self._address.port}",
            server_name=self._address.host,
            fault=line(wire.fault, 300),
            protocol=wire.protocol,
            cipher=wire.cipher,
            served=served,
            chain=wire.chain,
            trusted=wire.trusted,
            distrust=wire.distrust,
            name_matches=wire.name_matches,
            disk=disk,
            same_as_disk=self._same(disk, served),
            renewal=on_disk.renewal,
            gaps=(*wire.gaps, *on_disk.gaps),
        )

    async def close(self) -> None:
        """Nothing is held between looks."""

    def _same(self, disk: DiskCertificate | None, served: Certificate | None) -> bool | None:
        if disk is None or served is None:
            return None
        stored = disk.certificate
        if stored.fingerprint == served.fingerprint:
            return True
        # Seen from this machine, something in front of the host (a content network, a load balancer) may answer with a
        # certificate of its own: only one for the same names from the same authority is another version of this one.
        likeness = (served.subject, served.issuer, set(served.names)) == (stored.subject, stored.issuer, set(stored.names))
        return False if likeness or not self._config.direct else None

    # --- what is served ----------------------------------------------------------------------------------------------------

    async def _wire(self, now: datetime) -> _Wire:
        found = _Wire()
        try:
            async with asyncio.timeout(LIMIT_S):
                await self._shake(now, found)
        except DialError as error:
            found.fault = error.says
        except TimeoutError:
            found.gaps.append(Gap("trust", Problem(f"the handshakes did not end within {LIMIT_S:g} s")))
        return found

    async def _shake(self, now: datetime, found: _Wire) -> None:
        from debugtui.sources.tls import certificates

        served = await handshake.look(self._dialer, self._address)
        found.protocol, found.cipher = served.protocol, served.cipher
        if not served.chain:
            found.gaps.append(Gap("chain", Problem("no certificate came")))
            return

        def describe() -> tuple[Certificate, ...]:
            return tuple(certificates.describe(certificates.from_der(one), now) for one in served.chain)

        try:
            found.chain = await asyncio.to_thread(describe)
        except certificates.UnreadableError as error:
            found.gaps.append(Gap("chain", Problem(str(error))))
        verdict = await handshake.judge(self._dialer, self._address, self._config.ca)
        found.trusted, found.distrust = verdict.trusted, verdict.distrust
        if verdict.problem is not None:
            found.gaps.append(Gap("trust", verdict.problem))
        found.name_matches = await handshake.is_for(self._dialer, self._address, served.chain[0])
        if found.name_matches is None:
            found.gaps.append(Gap("name", Problem("the name could not be compared", "the certificate changed meanwhile?")))

    # --- what lies on the disk ---------------------------------------------------------------------------------------------

    async def _disk(self, now: datetime) -> _Disk:
        found = _Disk()
        if self._config.nginx is None:
            return found
        try:
            async with asyncio.timeout(LIMIT_S):
                await self._look_at_disk(str(self._config.nginx), now, found)
        except ConfigError as error:
            found.gaps.append(Gap("certificate on the disk", error.problem))
        except CommandTimeoutError as error:
            found.gaps.append(Gap("certificate on the disk", error.problem))
        except TimeoutError:
            problem = Problem(f"the host did not answer within {LIMIT_S:g} s", "is the host overloaded?")
            found.gaps.append(Gap("certificate on the disk", problem))
        return found

    async def _look_at_disk(self, main: str, now: datetime, found: _Disk) -> None:
        directives = await fetch(self._link, main)
        pairs = certificates_for(directives, self._address.host, self._address.port, folder=posixpath.dirname(main))
        for pair in pairs:
            one = await self._pair(pair, now, found)
            if one is not None:
                found.certificates.append(one)
        lineage = next((one for one in map(certbot.lineage_of, (pair.certificate for pair in pairs)) if one), None)
        if lineage is not None:
            found.renewal, gaps = await certbot.read(self._link, lineage)
            found.gaps += gaps

    async def _pair(self, pair: PairOnDisk, now: datetime, found: _Disk) -> DiskCertificate | None:
        from debugtui.sources.tls import certificates

        done = await self._link.run(["cat", "--", pair.certificate], timeout=COMMAND_S, limit=FILE_LIMIT)
        if done.status != 0:
            says = line(done.stderr, 200) or f"{line(pair.certificate, 200)} cannot be read"
            hint = "let the login user read it" if "denied" in says.lower() else ""
            found.gaps.append(Gap("certificate on the disk", Problem(says, hint)))
            return None

        def read() -> tuple[x509.Certificate, Certificate]:
            leaf = certificates.from_pem(done.stdout)[0]
            return leaf, certificates.describe(leaf, now)

        try:
            leaf, described = await asyncio.to_thread(read)
        except certificates.UnreadableError as error:
            says = f"{line(pair.certificate, 200)}: {error}"
            found.gaps.append(Gap("certificate on the disk", Problem(says)))
            return None
        matches = await self._key_matches(pair, leaf, found)
        return DiskCertificate(line(pair.certificate, 300), described, line(pair.key, 300), matches)

    async def _key_matches(self, pair: PairOnDisk, leaf: x509.Certificate, found: _Disk) -> bool | None:
        from debugtui.sources.tls import certificates

        if not pair.key:
            return None
        if pair.key.startswith(("data:", "engine:", "store:")):
            found.gaps.append(Gap("key", Problem("the key is in no file")))
            return None
        # Only the public half comes back. An encrypted key fails instead of asking: nothing is there to ask.
        argv = ["openssl", "pkey", "-in", pair.key, "-pubout", "-passin", "pass:"]
        done = await self._link.run(argv, timeout=COMMAND_S, limit=FILE_LIMIT)
        if done.status != 0:
            found.gaps.append(Gap("key", _why_no_key(done.status, done.stderr, pair.key)))
            return None
        try:
            key = await asyncio.to_thread(certificates.public_key_of_pem, done.stdout)
        except certificates.UnreadableError as error:
            found.gaps.append(Gap("key", Problem(str(error))))
            return None
        of_certificate = await asyncio.to_thread(certificates.public_key, leaf)
        return None if of_certificate is None else key == of_certificate


def _why_no_key(status: int, stderr: bytes, path: str) -> Problem:
    said = line(stderr, 2000).lower()
    where = line(path, 200)
    if status == 127:
        return Problem("the host has no openssl, which compares a key with its certificate there", "install openssl there")
    if "permission denied" in said:
        return Problem(f"{where} cannot be read: permission denied", "keys usually belong to root; the comparison is left out")
    if "no such file" in said:
        return Problem(f"{where}: no such file")
    return Problem(f"{where}: openssl cannot read it as a key", "is it encrypted, or cut off?")


def _closest(found: list[DiskCertificate], served: Certificate | None) -> DiskCertificate | None:
    """Of several certificates of one server the one that is served, else one with the same kind of key, else the first."""
    if served is None:
        return found[0] if found else None

    def likeness(disk: DiskCertificate) -> tuple[bool, bool]:
        same_key = disk.certificate.key_type == served.key_type
        return disk.certificate.fingerprint == served.fingerprint, same_key

    return max(found, key=likeness, default=None)


def _ascii(host: str) -> str:
    """The name as the DNS and TLS write it."""
    if host.isascii():
        return host
    return host.encode("idna").decode("ascii")
