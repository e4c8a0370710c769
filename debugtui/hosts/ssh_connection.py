"""One connection that is up: its chain of hops, its commands and forwards, its traffic, and why it ended."""

from __future__ import annotations

import socket
import struct
import sys
from collections.abc import Sequence

from debugtui.hosts import problems
from debugtui.hosts.commands import Commands
from debugtui.hosts.connect import OpenHop, close_chain
from debugtui.hosts.forwards import Forwards
from debugtui.hosts.private import PrivateFolder
from debugtui.model.source import Problem

# Where Linux' struct tcp_info (linux/tcp.h) holds tcpi_bytes_acked and tcpi_bytes_received, two unsigned 64-bit numbers.
_TCP_BYTES = struct.Struct("=QQ")
_TCP_BYTES_AT = 120


class SshConnection:
    """Owns everything that lives and ends with one connection."""

    def __init__(self, chain: Sequence[OpenHop], host: str) -> None:
        self._chain = list(chain)
        self._folder = PrivateFolder()
        target = self._chain[-1].connection
        self.commands = Commands(target, host)
        self.forwards = Forwards(target, self.commands, host, self._folder)
        self._traffic = (0, 0)
        self._socket = self._chain[0].connection.get_extra_info("socket")
        self._chain[0].client.at_end = self.traffic
        self.commands.start()

    async def wait_lost(self) -> Problem:
        """Wait until the connection ends, and say why and at which hop."""
        await self._chain[-1].connection.wait_closed()
        # Where a hop before it ended too, that one is the cause.
        for opened in self._chain:
            if opened.connection.is_closed():
                return problems.lost(opened.hop, opened.client.ended)
        return problems.lost(self._chain[-1].hop, None)

    def traffic(self) -> tuple[int, int]:
        """Return the bytes received and sent so far, as the kernel counts them; the last figures once it is closed.

        Linux only, and not through a ProxyCommand: (0, 0) there, since the library counts nothing.
        """
        if self._socket is not None and sys.platform == "linux" and self._socket.fileno() >= 0:
            try:
                info = self._socket.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, _TCP_BYTES_AT + _TCP_BYTES.size)
            except OSError:
                return self._traffic
            if len(info) >= _TCP_BYTES_AT + _TCP_BYTES.size:
                sent, received = _TCP_BYTES.unpack_from(info, _TCP_BYTES_AT)
                self._traffic = (received, sent)
        return self._traffic

    async def close(self) -> None:
        """Close the connections, then what depended on them, then the private folder."""
        self.traffic()
        await close_chain(self._chain)
        await self.commands.close()
        await self.forwards.close()
        self._folder.remove()
