"""What is wrong with a certificate and its renewal. Pure; no memory, no clock."""

from __future__ import annotations

from collections.abc import Iterator

from debugtui.alerts.finding import Finding
from debugtui.alerts.settings import DEFAULT, Rules
from debugtui.alerts.web import short
from debugtui.model.alerts import Severity
from debugtui.model.target import Target
from debugtui.model.text import line
from debugtui.model.tls import Certificate, TlsReading


def findings(target: Target, reading: TlsReading, rules: Rules = DEFAULT) -> Iterator[Finding]:
    """Yield what is wrong: no handshake, the end, trust, name, key, an old certificate served, the renewal.

    certbot renews 30 days before the end, twice a day: with 14 left it has failed for two weeks.
    """
    where = short(reading.address, 34)
    if reading.fault:
        yield Finding(Severity.CRITICAL, "tls_down", target, f"{where}: no TLS: {_why(reading)}")
    served = reading.served
    yield from _ending(target, served, rules)
    if served is not None:
        yield from _trust(target, reading, served)
    if reading.name_matches is False:
        names = ", ".join(served.names[:3]) if served else ""
        says = f"the certificate is not for {short(reading.server_name, 30)} but for {short(names, 30) or 'no name'}"
        yield Finding(Severity.HIGH, "tls_name", target, says)
    yield from _disk(target, reading)
    yield from _renewal(target, reading)


def _why(reading: TlsReading) -> str:
    """The fault without the address, which the message has already."""
    return short(reading.fault.removeprefix(f"{reading.address}: ").removeprefix(f"{reading.address} "), 56)


def _ending(target: Target, served: Certificate | None, rules: Rules) -> Iterator[Finding]:
    if served is None:
        yield from rules.counted("tls_expires", target, None, "")
        return
    days, name = served.days_left, short(served.subject, 40)
    if days < 0:
        message = f"the certificate of {name} has expired {_days(-days)} ago"
        yield Finding(Severity.CRITICAL, "tls_expired", target, message, days, 0.0, since=served.not_after)
    else:
        yield from rules.counted("tls_expires", target, days, f"the certificate of {name} expires in {_days(days)}")


def _days(days: float) -> str:
    if days >= 1:
        whole = int(days)
        return f"{whole} day{'' if whole == 1 else 's'}"
    return f"{24 * days:.0f} hours"


def _trust(target: Target, reading: TlsReading, served: Certificate) -> Iterator[Finding]:
    if reading.trusted is not False:
        return
    name = short(served.subject, 24)
    expired = "expired" in reading.distrust
    if served.days_left < 0 and expired:
        return  # said already
    if served.self_signed:
        says = f"the certificate of {name} is self-signed: no browser trusts it"
    elif expired:
        ended = next((one.subject for one in reading.chain[1:] if one.days_left < 0), "one of its chain")
        says = f"the certificate of {name} is not trusted: {short(ended, 26)} has expired"
    else:
        says = f"the certificate of {name} is not trusted: {short(reading.distrust, 38)}"
    yield Finding(Severity.HIGH, "tls_untrusted", target, says)


def _disk(target: Target, reading: TlsReading) -> Iterator[Finding]:
    disk = reading.disk
    if disk is None:
        return
    if disk.key_matches is False:
        says = f"{_tail(disk.key_path, 36)} is not the key of {_tail(disk.path, 36)}"
        yield Finding(Severity.HIGH, "tls_key", target, says)
    if reading.same_as_disk is False and reading.served is not None:
        if disk.certificate.not_before > reading.served.not_before:
            says = f"{_tail(disk.path, 36)}: renewed on the disk, the old one is served: reload"
        else:
            says = f"another certificate is served than {_tail(disk.path, 36)}: reload"
        yield Finding(Severity.HIGH, "tls_stale", target, says)


def _renewal(target: Target, reading: TlsReading) -> Iterator[Finding]:
    renewal = reading.renewal
    if renewal is None:
        return
    name = short(renewal.name, 30)
    if renewal.last_failure:
        says = f"the renewal of {name} fails: {short(renewal.last_failure, 46)}"
        yield Finding(Severity.HIGH, "tls_renewal", target, says, since=renewal.last_failure_at)
    if renewal.renews_by_itself is False:
        yield Finding(Severity.LOW, "tls_no_renewal", target, f"nothing renews the certificate {name} by itself")


def _tail(path: str, limit: int) -> str:
    """The end of a path: its beginning says less."""
    path = line(path)
    return path if len(path) <= limit else f"…{path[1 - limit :]}"
