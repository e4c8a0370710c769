"""Handshakes with a TLS address: one that accepts anything, to see what comes, and others that judge it by OpenSSL's rules."""

from __future__ import annotations

import asyncio
import ssl
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from debugtui.model.source import Problem
from debugtui.model.text import line
from debugtui.model.web import WebFault
from debugtui.sources.web.dial import Dialer, DialError, causes, of_os_error, words

#: Seconds that one handshake may take.
LIMIT_S = 8.0
#: Most certificates of a chain that are kept.
CHAIN = 10

# `_ssl.ENCODING_DER`.
_DER = 2

# X509_V_ERR_HOSTNAME_MISMATCH and X509_V_ERR_IP_ADDRESS_MISMATCH of OpenSSL's x509_vfy.h.
_WRONG_NAME = frozenset({62, 64})
# X509_V_ERR_CERT_NOT_YET_VALID and X509_V_ERR_CERT_HAS_EXPIRED. OpenSSL looks at the name before the times.
_TIMES = frozenset({9, 10})

_PLAIN = frozenset(
    {"WRONG_VERSION_NUMBER", "RECORD_LAYER_FAILURE", "PACKET_LENGTH_TOO_LONG", "HTTP_REQUEST", "UNKNOWN_PROTOCOL"}
)


@dataclass(frozen=True, slots=True)
class Served:
    """What a handshake brought. `chain`: certificates in DER, the server's own first."""

    protocol: str
    cipher: str
    chain: tuple[bytes, ...]


@dataclass(frozen=True, slots=True)
class Verdict:
    """Whether a chain leads to a known authority, and why not; None where it could not be judged, and `problem` says why."""

    trusted: bool | None
    distrust: str = ""
    problem: Problem | None = None


@dataclass(frozen=True, slots=True)
class Address:
    """Where to, and the name that is asked for."""

    host: str
    port: int


async def look(dialer: Dialer, address: Address) -> Served:
    """Shake hands whatever comes, and return what came.

    Raises:
        DialError: there was no handshake; the text says why.
        LinkError: the link is not up, or does not allow it.
    """
    context = _context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    # Old servers are looked at too: what they offer is then shown, and judged by the others.
    context.minimum_version = ssl.TLSVersion.MINIMUM_SUPPORTED
    context.set_ciphers("ALL:@SECLEVEL=0")
    try:
        return await _shake(dialer, address, context)
    except ssl.SSLError as error:
        if isinstance(error, ssl.SSLEOFError | ssl.SSLZeroReturnError):
            raise DialError(WebFault.RESET, _closed(address)) from error
        plain = "it does not speak TLS" if error.reason in _PLAIN else "the TLS handshake failed"
        raise DialError(WebFault.TLS, f"{address.host}:{address.port}: {plain} ({words(error)})") from error


async def judge(dialer: Dialer, address: Address, ca: Path | None) -> Verdict:
    """Shake hands as a client does that trusts the system's authorities, or those of `ca`. The name is judged elsewhere."""
    try:
        context = await asyncio.to_thread(_trusting, ca)
    except (OSError, ValueError) as error:
        where = str(ca) if ca is not None else "this machine's authorities"
        return Verdict(None, problem=Problem(f"{line(where, 200)} cannot be read: {words(error)}", "correct ca"))
    if context is None:
        return Verdict(None, problem=Problem("this machine knows no authorities", "install ca-certificates, or set ca"))
    try:
        await _shake(dialer, address, context)
    except ssl.SSLCertVerificationError as error:
        return Verdict(False, line(error.verify_message, 200))
    except ssl.SSLError as error:
        return Verdict(False, f"a client with today's settings fails: {words(error)}")
    except DialError as error:
        return Verdict(None, problem=Problem(error.says))
    return Verdict(True)


async def is_for(dialer: Dialer, address: Address, leaf: bytes) -> bool | None:
    """Whether the served certificate `leaf` (DER) is for the name, by OpenSSL's own rules; None where that cannot be told.

    The certificate itself is made the trusted one, so that only the name is left to be judged.
    """
    try:
        context = await asyncio.to_thread(_trusting_only, leaf)
        await _shake(dialer, address, context)
    except ssl.SSLCertVerificationError as error:
        if error.verify_code in _TIMES:
            return True
        return False if error.verify_code in _WRONG_NAME else None
    except (ssl.SSLError, DialError, ValueError):
        return None
    return True


def _context() -> ssl.SSLContext:
    return ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)


def _trusting(ca: Path | None) -> ssl.SSLContext | None:
    """A context with authorities; None where this machine has none. Reads files."""
    context = _context()
    context.check_hostname = False
    if ca is not None:
        context.load_verify_locations(cafile=ca)
        return context
    context.load_default_certs()
    paths = ssl.get_default_verify_paths()
    folder = Path(paths.capath) if paths.capath else None  # certificates of a folder are loaded when they are needed
    if not context.cert_store_stats()["x509_ca"] and not (folder and folder.is_dir() and any(folder.iterdir())):
        return None
    return context


def _trusting_only(leaf: bytes) -> ssl.SSLContext:
    context = _context()
    context.minimum_version = ssl.TLSVersion.MINIMUM_SUPPORTED
    context.set_ciphers("ALL:@SECLEVEL=0")
    context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
    context.load_verify_locations(cadata=leaf)
    return context


async def _shake(dialer: Dialer, address: Address, context: ssl.SSLContext) -> Served:
    """Connect, shake hands, hang up.

    Raises:
        ssl.SSLError: the handshake failed.
        DialError: the address cannot be reached, or hung up.
        LinkError: the link is not up, or does not allow it.
    """
    where = f"{address.host}:{address.port}"
    try:
        async with asyncio.timeout(LIMIT_S):
            endpoint = await dialer.reach(address.host, address.port)
            loop = asyncio.get_running_loop()
            try:
                if endpoint.path:
                    transport, _ = await loop.create_unix_connection(
                        asyncio.Protocol, endpoint.path, ssl=context, server_hostname=address.host
                    )
                else:
                    transport, _ = await loop.create_connection(
                        asyncio.Protocol, endpoint.host, endpoint.port, ssl=context, server_hostname=address.host
                    )
            except ConnectionError as error:
                closed = of_os_error(error) is WebFault.RESET
                found = await dialer.why_closed(address.host, address.port, endpoint) if closed else None
                if found is not None:
                    raise found from error
                raise DialError(of_os_error(error), _closed(address) if closed else f"{where}: {words(error)}") from error
            try:
                return _served(transport.get_extra_info("ssl_object"))
            finally:
                transport.abort()
    except TimeoutError:
        raise DialError(WebFault.TIMEOUT, f"{where}: no TLS handshake within {LIMIT_S:g} s") from None
    except ssl.SSLError:
        raise
    except OSError as error:
        root = next((one for one in causes(error) if isinstance(one, OSError) and one.errno), error)
        raise DialError(of_os_error(root), f"{where}: {words(root)}") from error


def _closed(address: Address) -> str:
    return f"{address.host}:{address.port}: the connection was closed during the TLS handshake"


def _served(connection: Any) -> Served:
    cipher = connection.cipher()
    return Served(line(connection.version() or "", 20), line(cipher[0] if cipher else "", 60), _chain(connection))


def _chain(connection: Any) -> tuple[bytes, ...]:
    """The chain in DER: by the public method of Python 3.13, by what it is made of before, or only the server's own."""
    inner = getattr(connection, "_sslobj", None)
    for one in (connection, inner):
        chain = getattr(one, "get_unverified_chain", None)
        if chain is not None:
            came = chain() or ()
            return tuple(part if isinstance(part, bytes) else part.public_bytes(_DER) for part in came[:CHAIN])
    leaf = connection.getpeercert(binary_form=True)
    return (leaf,) if leaf else ()
