"""Lead asyncpg through a link's endpoint."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Callable
from pathlib import Path
from typing import Any, cast

from debugtui.hosts.link import Endpoint
from debugtui.model.source import Problem
from debugtui.sources.base import SourceError
from debugtui.sources.postgres.dsn import Address


class _Detour:
    """The running loop, but every connection that is opened through it ends at one endpoint.

    asyncpg takes the loop to use as an argument and opens its connections (and the one that cancels a query) with the two
    standard methods below. Given the server's real name, it checks certificates against that name although the bytes travel
    through a forwarded socket; TLS works there too.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop, endpoint: Endpoint) -> None:
        self._loop = loop
        self._endpoint = endpoint

    def __getattr__(self, name: str) -> Any:
        return getattr(self._loop, name)

    async def create_connection(self, factory: Callable[[], asyncio.Protocol], *_address: object, **options: Any) -> Any:
        """Connect to the endpoint instead."""
        if self._endpoint.path:
            return await self._loop.create_unix_connection(factory, self._endpoint.path, **options)
        return await self._loop.create_connection(factory, self._endpoint.host, self._endpoint.port, **options)

    async def create_unix_connection(self, factory: Callable[[], asyncio.Protocol], _path: str) -> Any:
        """Connect to the endpoint instead."""
        return await self.create_connection(factory)


def detour(endpoint: Endpoint) -> asyncio.AbstractEventLoop:
    """Return what asyncpg takes for its loop in order to connect to `endpoint`."""
    return cast("asyncio.AbstractEventLoop", _Detour(asyncio.get_running_loop(), endpoint))


def tls(address: Address) -> ssl.SSLContext | str | bool:
    """Return asyncpg's `ssl` argument: no TLS on UNIX sockets, libpq's meaning of sslmode for TCP.

    Certificate files are read on the operator's machine.

    Raises:
        SourceError: such a file is not there.
        OSError, ssl.SSLError: it cannot be read or used.
    """
    if address.socket_dir or address.sslmode == "disable":
        return False
    if address.sslmode in ("allow", "prefer") and not address.sslcert:
        return address.sslmode
    verify = address.sslmode in ("verify-ca", "verify-full") or bool(address.sslrootcert)
    context = ssl.create_default_context(cafile=_file(address.sslrootcert)) if verify else _unverified()
    context.check_hostname = address.sslmode == "verify-full"
    context.set_alpn_protocols(["postgresql"])
    if address.sslcert:
        context.load_cert_chain(str(_file(address.sslcert)), _file(address.sslkey))
    return context


def _unverified() -> ssl.SSLContext:
    # sslmode=require is libpq's "encrypted, whoever it is"; the operator chooses verify-full for more.
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


def _file(name: str) -> str | None:
    if not name or name == "system":
        return None
    path = Path(name).expanduser()
    if not path.is_file():
        raise SourceError(
            Problem(f"{name} is not a file on this machine", "sslrootcert, sslcert and sslkey are read here, not on the host")
        )
    return str(path)
