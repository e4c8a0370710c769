"""How stub_status is asked: over the host's link, with the real address in the request."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import httpcore

from debugtui.hosts.link import Link


class LinkBackend(httpcore.AsyncNetworkBackend):
    """Connects through a link; None: from this machine."""

    def __init__(self, link: Link | None) -> None:
        self._link = link
        self._real = httpcore.AnyIOBackend()

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore.AsyncNetworkStream:
        """Connect to an address as seen from the host."""
        if self._link is None:
            return await self._real.connect_tcp(host, port, timeout, local_address, socket_options)
        endpoint = await self._link.reach_tcp(host, port)
        if endpoint.path:
            return await self._real.connect_unix_socket(endpoint.path, timeout)
        return await self._real.connect_tcp(endpoint.host, endpoint.port, timeout, local_address, socket_options)

    async def connect_unix_socket(
        self, path: str, timeout: float | None = None, socket_options: Iterable[Any] | None = None
    ) -> httpcore.AsyncNetworkStream:
        """Connect to a UNIX socket of this machine."""
        return await self._real.connect_unix_socket(path, timeout, socket_options)

    async def sleep(self, seconds: float) -> None:
        """Wait."""
        await self._real.sleep(seconds)
