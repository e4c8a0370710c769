"""Certificates as they come, in DER or PEM, made readable."""

from __future__ import annotations

from datetime import datetime

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import dsa, ec, ed448, ed25519, rsa
from cryptography.x509.oid import NameOID

from debugtui.model.text import line
from debugtui.model.tls import Certificate

#: Most names of one certificate that are kept; authorities sign for a hundred, others for more.
NAMES = 200

_DAY_S = 86_400.0


class UnreadableError(Exception):
    """It is no certificate or key, or one of a kind that the library does not know. The text says which."""


def from_der(data: bytes) -> x509.Certificate:
    """Return a certificate.

    Raises:
        UnreadableError: it is none.
    """
    try:
        return x509.load_der_x509_certificate(data)
    except (ValueError, TypeError, UnsupportedAlgorithm) as error:
        raise UnreadableError(f"it cannot be read as a certificate: {line(str(error), 150)}") from error


def from_pem(data: bytes) -> tuple[x509.Certificate, ...]:
    """Return the certificates of a file, in its order: the first is the server's own.

    Raises:
        UnreadableError: there is none in it, or one of them cannot be read.
    """
    try:
        return tuple(x509.load_pem_x509_certificates(data))
    except (ValueError, TypeError, UnsupportedAlgorithm) as error:
        raise UnreadableError(f"no certificate can be read there: {line(str(error), 150)}") from error


def describe(certificate: x509.Certificate, now: datetime) -> Certificate:
    """Return what the screens show of a certificate. `now`: the moment that `days_left` counts from.

    Raises:
        UnreadableError: its names or its times cannot be read.
    """
    try:
        return Certificate(
            subject=_name(certificate.subject),
            issuer=_name(certificate.issuer),
            names=_names(certificate),
            serial=f"{certificate.serial_number:x}",
            not_before=certificate.not_valid_before_utc,
            not_after=certificate.not_valid_after_utc,
            days_left=round((certificate.not_valid_after_utc - now).total_seconds() / _DAY_S, 3),
            fingerprint=fingerprint(certificate),
            key_type=_key_type(certificate),
            self_signed=_self_signed(certificate),
        )
    except (ValueError, x509.DuplicateExtension, x509.UnsupportedGeneralNameType) as error:
        raise UnreadableError(f"a certificate of it cannot be read: {line(str(error), 150)}") from error


def fingerprint(certificate: x509.Certificate) -> str:
    """Return its SHA-256, in hex."""
    return certificate.fingerprint(hashes.SHA256()).hex()


def public_key(certificate: x509.Certificate) -> bytes | None:
    """Return the public key of a certificate in one comparable form; None where its kind is not known."""
    try:
        return _spki(certificate.public_key())
    except (ValueError, UnsupportedAlgorithm):
        return None


def public_key_of_pem(data: bytes) -> bytes:
    """Return a public key that openssl wrote, in the same form.

    Raises:
        UnreadableError: it is none.
    """
    try:
        return _spki(serialization.load_pem_public_key(data))
    except (ValueError, UnsupportedAlgorithm) as error:
        raise UnreadableError(f"what openssl wrote is no public key: {line(str(error), 150)}") from error


def _spki(key: object) -> bytes:
    if not hasattr(key, "public_bytes"):
        raise UnsupportedAlgorithm("a key without bytes")
    written = key.public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
    return bytes(written)


def _name(name: x509.Name) -> str:
    """Its common name, which people know it by; the whole name where it has none."""
    common = name.get_attributes_for_oid(NameOID.COMMON_NAME)
    if common:
        value = common[0].value
        return line(value, 200)
    return line(name.rfc4514_string(), 200)


def _names(certificate: x509.Certificate) -> tuple[str, ...]:
    try:
        names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        return ()
    found = [line(name, 253) for name in names.get_values_for_type(x509.DNSName)]
    found += [str(address) for address in names.get_values_for_type(x509.IPAddress)]
    return tuple(found[:NAMES])


def _key_type(certificate: x509.Certificate) -> str:
    try:
        key = certificate.public_key()
    except (ValueError, UnsupportedAlgorithm):
        return "unknown"
    if isinstance(key, rsa.RSAPublicKey):
        return f"RSA {key.key_size}"
    if isinstance(key, ec.EllipticCurvePublicKey):
        return f"EC {key.curve.name}"
    if isinstance(key, ed25519.Ed25519PublicKey):
        return "Ed25519"
    if isinstance(key, ed448.Ed448PublicKey):
        return "Ed448"
    return "DSA" if isinstance(key, dsa.DSAPublicKey) else "unknown"


def _self_signed(certificate: x509.Certificate) -> bool:
    if certificate.issuer != certificate.subject:
        return False
    try:
        certificate.verify_directly_issued_by(certificate)
    except (ValueError, TypeError, InvalidSignature, UnsupportedAlgorithm):
        return False
    return True
