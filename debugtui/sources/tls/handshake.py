"""A TLS handshake through a link: what is served, and whether it is trusted."""

from __future__ import annotations

import asyncio
import contextlib
import ssl
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from debugtui.hosts.link import Link
from debugtui.model.text import line

#: Seconds for one handshake.
LIMIT_S = 8.0


@dataclass(frozen=True, slots=True)
class Served:
    """What a handshake gave: protocol, cipher, and the certificates that came, leaf first, as DER."""

    protocol: str
    cipher: str
    chain: tuple[bytes, ...]


async def serve(link: Link | None, host: str, port: int, name: str) -> Served:
    """Shake hands without judging the certificate.

    Args:
        link: of the host; None: from this machine.
        host: the address, as seen from the host.
        port: its port.
        name: asked for (SNI); an IP address is not sent.

    Raises:
        OSError: no connection, or no handshake (`ssl.SSLError`).
        TimeoutError: it took too long.
        LinkError: the host cannot reach it.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    async with _connected(link, host, port, name, context) as connection:
        cipher = connection.cipher()
        return Served(connection.version() or "", cipher[0] if cipher else "", await asyncio.to_thread(_chain, connection))


async def distrust(link: Link | None, host: str, port: int, name: str, ca: Path | None) -> str:
    """Shake hands as a browser would; return why the certificate is not trusted, empty where it is. The name is not judged.

    Raises:
        OSError, TimeoutError, LinkError: as `serve`.
    """
    context = await asyncio.to_thread(ssl.create_default_context, cafile=str(ca) if ca else None)
    context.check_hostname = False
    try:
        async with _connected(link, host, port, name, context):
            return ""
    except ssl.SSLCertVerificationError as error:
        return line(error.verify_message, 200)


def _chain(connection: Any) -> tuple[bytes, ...]:
    """Return what came. Python 3.13 has it in public; before, the private object below has."""
    get = getattr(connection, "get_unverified_chain", None)
    if get is not None:
        return tuple(get() or ())
    below = getattr(connection, "_sslobj", None)
    if below is not None and hasattr(below, "get_unverified_chain"):
        import _ssl

        return tuple(one.public_bytes(_ssl.ENCODING_DER) for one in below.get_unverified_chain() or ())
    leaf = connection.getpeercert(binary_form=True)
    return (leaf,) if leaf else ()


@contextlib.asynccontextmanager
async def _connected(link: Link | None, host: str, port: int, name: str, context: ssl.SSLContext) -> AsyncIterator[Any]:
    async with asyncio.timeout(LIMIT_S):
        if link is None:
            _, writer = await asyncio.open_connection(host, port, ssl=context, server_hostname=name)
        else:
            endpoint = await link.reach_tcp(host, port)
            if endpoint.path:
                _, writer = await asyncio.open_unix_connection(endpoint.path, ssl=context, server_hostname=name)
            else:
                _, writer = await asyncio.open_connection(endpoint.host, endpoint.port, ssl=context, server_hostname=name)
    try:
        yield writer.get_extra_info("ssl_object")
    finally:
        writer.transport.abort()
