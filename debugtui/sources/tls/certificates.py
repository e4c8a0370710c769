"""From the bytes of certificates to what is shown of them. Pure; run in a thread, since parsing takes milliseconds."""

from __future__ import annotations

import ipaddress
from collections.abc import Sequence
from datetime import datetime

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import NameOID

from debugtui.model.text import line
from debugtui.model.tls import Certificate

#: Most names that are kept of one certificate, and most certificates of one file.
NAMES, CHAIN = 100, 10


def from_der(data: bytes, now: datetime) -> Certificate:
    """Return a certificate.

    Raises:
        ValueError: these bytes are none.
    """
    return describe(x509.load_der_x509_certificate(data), now)


def from_pem(data: bytes, now: datetime) -> tuple[Certificate, ...]:
    """Return the certificates of a file, in its order.

    Raises:
        ValueError: it holds none.
    """
    return tuple(describe(one, now) for one in x509.load_pem_x509_certificates(data)[:CHAIN])


def describe(one: x509.Certificate, now: datetime) -> Certificate:
    """Return what is shown of a certificate; `days_left` as of `now`."""
    return Certificate(
        subject=_name(one.subject),
        issuer=_name(one.issuer),
        names=names_of(one),
        serial=f"{one.serial_number:x}",
        not_before=one.not_valid_before_utc,
        not_after=one.not_valid_after_utc,
        days_left=(one.not_valid_after_utc - now).total_seconds() / 86_400,
        fingerprint=one.fingerprint(hashes.SHA256()).hex(),
        key_type=_key_type(one),
        self_signed=one.issuer == one.subject,
    )


def names_of(one: x509.Certificate) -> tuple[str, ...]:
    """Return the DNS names and IP addresses that a certificate is for."""
    try:
        names = one.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        return ()
    found = [line(str(name), 253) for name in names.get_values_for_type(x509.DNSName)]
    found += [str(address) for address in names.get_values_for_type(x509.IPAddress)]
    return tuple(found[:NAMES])


def is_for(names: Sequence[str], wanted: str) -> bool:
    """Whether a certificate of these names is for a host: the same name, or `*.` for exactly one label (RFC 6125, 6.4)."""
    try:
        return str(ipaddress.ip_address(wanted.strip("[]"))) in names
    except ValueError:
        pass
    host = wanted.lower().rstrip(".")
    _, _, parent = host.partition(".")
    low = {name.lower().rstrip(".") for name in names}
    return host in low or (bool(parent) and f"*.{parent}" in low)


def public_key_of(pem: bytes) -> bytes:
    """Return the public key of the first certificate of a file, or of a public key, as DER.

    Raises:
        ValueError: it holds neither.
    """
    if b"BEGIN CERTIFICATE" in pem:
        key = x509.load_pem_x509_certificates(pem)[0].public_key()
    else:
        key = serialization.load_pem_public_key(pem)  # type: ignore[assignment] # a public key of any type
    return key.public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)


def _name(name: x509.Name) -> str:
    common = name.get_attributes_for_oid(NameOID.COMMON_NAME)
    organisation = name.get_attributes_for_oid(NameOID.ORGANIZATION_NAME)
    parts = [str(one.value) for one in (*common[:1], *organisation[:1])]
    return line(", ".join(parts) or name.rfc4514_string(), 200) or "no name"


def _key_type(one: x509.Certificate) -> str:
    key = one.public_key()
    if isinstance(key, rsa.RSAPublicKey):
        return f"RSA {key.key_size}"
    return f"EC {key.curve.key_size}" if isinstance(key, ec.EllipticCurvePublicKey) else type(key).__name__.strip("_")
