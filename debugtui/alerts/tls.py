"""What is wrong with a certificate."""

from __future__ import annotations

from collections.abc import Iterator

from debugtui.alerts.rules import Finding
from debugtui.model.alerts import Severity
from debugtui.model.target import Target
from debugtui.model.tls import Certificate, TlsReading

#: certbot renews from 30 days on: what is below three weeks was not renewed; a week leaves little time to find out why.
SOON_DAYS, NOW_DAYS = 21.0, 7.0


def findings(target: Target, reading: TlsReading) -> Iterator[Finding]:
    """Yield what is wrong."""
    if reading.fault:
        yield Finding(Severity.CRITICAL, "tls_down", target, f"{reading.address} has no TLS handshake: {reading.fault}")
    if reading.served is not None:
        yield from _served(target, reading, reading.served)
    if reading.disk is not None and reading.disk.key_matches is False:
        says = f"the key {reading.disk.key_path} is not the key of {reading.disk.path}: the next reload fails"
        yield Finding(Severity.HIGH, "tls_key", target, says)
    renewal = reading.renewal
    if renewal is not None and renewal.last_failure:
        says = f"certbot could not renew {renewal.name}: {renewal.last_failure}"
        yield Finding(Severity.HIGH, "tls_renewal", target, says, since=renewal.last_failure_at)
    elif renewal is not None and renewal.renews_by_itself is False:
        yield Finding(Severity.LOW, "tls_no_renewal", target, f"nothing renews the certificate {renewal.name} by itself")


def _served(target: Target, reading: TlsReading, served: Certificate) -> Iterator[Finding]:
    days, name = served.days_left, reading.server_name
    if days < 0:
        yield Finding(
            Severity.CRITICAL, "tls_expired", target, f"the certificate of {name} expired {-days:.1f} days ago", days, 0.0
        )
    elif days < SOON_DAYS:
        now = days < NOW_DAYS
        says = f"the certificate of {name} expires in {days:.1f} days"
        yield Finding(
            Severity.HIGH if now else Severity.MEDIUM, "tls_expires", target, says, days, NOW_DAYS if now else SOON_DAYS
        )
    if reading.name_matches is False:
        names = ", ".join(served.names[:3]) or served.subject
        yield Finding(Severity.HIGH, "tls_name", target, f"the certificate is not for {name}, but for {names}")
    if reading.trusted is False and days >= 0:
        kind = "self-signed" if served.self_signed else "not trusted"
        yield Finding(Severity.HIGH, "tls_untrusted", target, f"the certificate of {name} is {kind}: {reading.distrust}")
    if reading.same_as_disk is False and reading.disk is not None:
        newer = reading.disk.certificate.not_after > served.not_after
        says = f"{reading.disk.path} holds a{' newer' if newer else 'nother'} certificate than {name} serves: reload nginx"
        yield Finding(Severity.HIGH, "tls_not_reloaded", target, says)
