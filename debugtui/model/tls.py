"""What a TLS address serves, beside what lies on the disk, and how its renewal stands."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from debugtui.model.source import Gap


@dataclass(frozen=True, slots=True)
class Certificate:
    """One certificate. `fingerprint` is SHA-256 in hex; `days_left` counts from the reading, negative: it has ended."""

    subject: str
    issuer: str
    names: tuple[str, ...]
    serial: str
    not_before: datetime
    not_after: datetime
    days_left: float
    fingerprint: str
    key_type: str
    self_signed: bool = False


@dataclass(frozen=True, slots=True)
class DiskCertificate:
    """The certificate file that nginx names for an address. `key_matches`: None where the key could not be compared."""

    path: str
    certificate: Certificate
    key_path: str = ""
    key_matches: bool | None = None


@dataclass(frozen=True, slots=True)
class Renewal:
    """How certbot stands with one certificate.

    Attributes:
        name: of its lineage.
        authenticator: how it proves the domain.
        renews_by_itself: a timer or cron entry renews it; None where that cannot be told.
        last_success: when a new certificate was last written (UTC); None: never, or not known.
        last_failure: what the newest attempt said where it failed; empty where it did not.
        last_failure_at: when (UTC).
    """

    name: str
    authenticator: str = ""
    renews_by_itself: bool | None = None
    last_success: datetime | None = None
    last_failure: str = ""
    last_failure_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class TlsReading:
    """One TLS address.

    Attributes:
        taken_at: when the handshake began (UTC).
        address: `HOST:PORT`, as seen from the host.
        server_name: what was asked for (SNI).
        fault: why there was no handshake, in one sentence; empty where there was one.
        protocol, cipher: what was agreed.
        served: the certificate that came.
        chain: what came with it, leaf first.
        trusted: whether the chain leads to a known authority, now; None where there was no handshake.
        distrust: why not.
        name_matches: whether it is for the name.
        disk: what nginx names for this address; None: not known.
        same_as_disk: whether what is served is what lies on the disk; None where either is not known.
        renewal: certbot's; None: it does not renew this one.
        gaps: what could not be read.
    """

    taken_at: datetime
    address: str
    server_name: str
    fault: str = ""
    protocol: str = ""
    cipher: str = ""
    served: Certificate | None = None
    chain: tuple[Certificate, ...] = ()
    trusted: bool | None = None
    distrust: str = ""
    name_matches: bool | None = None
    disk: DiskCertificate | None = None
    same_as_disk: bool | None = None
    renewal: Renewal | None = None
    gaps: tuple[Gap, ...] = ()
