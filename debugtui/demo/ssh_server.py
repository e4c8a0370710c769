"""Real SSH servers on loopback, one for each demo host, so that the real link is used: strict host keys, keys, forwards."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import socket
from collections.abc import Callable
from pathlib import Path

import asyncssh

from debugtui.demo.shell import USER, Shell
from debugtui.demo.ssh_gate import Door, Gate

logging.getLogger("asyncssh").addHandler(logging.NullHandler())


class Keys:
    """The demo's own keys, in its private folder: `identity` for the client, one key for all hosts, and `known_hosts`."""

    def __init__(self, folder: Path) -> None:
        self.identity, self.known_hosts = folder / "id_ed25519", folder / "known_hosts"
        self.host_key = asyncssh.generate_private_key("ssh-ed25519", comment="demo host")
        self._client = asyncssh.generate_private_key("ssh-ed25519", comment="demo operator")
        self._lines: list[str] = []
        self._write(self.identity, self._client.export_private_key())
        self._write(self.known_hosts, b"")

    def allows(self, key: asyncssh.SSHKey) -> bool:
        """Return whether this is the operator's key."""
        return key == self._client.convert_to_public()

    def know(self, port: int) -> None:
        """Write a host into `known_hosts`."""
        public = self.host_key.export_public_key().decode().strip()
        self._lines.append(f"[127.0.0.1]:{port} {public}\n")
        self._write(self.known_hosts, "".join(self._lines).encode())

    @staticmethod
    def _write(path: Path, data: bytes) -> None:
        with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
            file.write(data)


class _Visitor(asyncssh.SSHServer):
    """One connection: the demo's own key gets in, sockets of the demo are forwarded, everything else is refused."""

    def __init__(self, owner: DemoSshServer) -> None:
        self._owner = owner

    def connection_made(self, conn: asyncssh.SSHServerConnection) -> None:
        self._owner.connections.add(conn)
        self._connection = conn

    def connection_lost(self, _exc: Exception | None) -> None:
        self._owner.connections.discard(self._connection)

    def begin_auth(self, _username: str) -> bool:
        return True

    def public_key_auth_supported(self) -> bool:
        return True

    def validate_public_key(self, username: str, key: asyncssh.SSHKey) -> bool:
        return username == USER and self._owner.keys.allows(key)

    def unix_connection_requested(self, dest_path: str) -> bool:
        if dest_path not in self._owner.sockets():
            raise asyncssh.ChannelOpenError(asyncssh.OPEN_CONNECT_FAILED, "Connection failed")
        return True

    def connection_requested(self, _dest_host: str, _dest_port: int, _orig_host: str, _orig_port: int) -> bool:
        return False


class DemoSshServer:
    """One host's SSH server. `gate` can make it fail."""

    def __init__(self, shell: Shell, keys: Keys, sockets: Callable[[], frozenset[str]]) -> None:
        """Prepare.

        Args:
            shell: answers commands.
            keys: who may come in.
            sockets: paths of the sockets that may be reached.
        """
        self.keys, self.sockets, self._shell = keys, sockets, shell
        self.connections: set[asyncssh.SSHServerConnection] = set()
        self.gate = Gate(self._serve)

    async def start(self) -> None:
        """Listen, and make the host known."""
        await self.gate.start()
        self.keys.know(self.gate.port)

    async def stop(self) -> None:
        """End every connection and the listener."""
        await self.turn(Door.SHUT)
        await self.gate.stop()

    async def turn(self, door: Door) -> None:
        """Open, freeze or shut the door."""
        await self.gate.turn(door)
        if door is Door.SHUT:
            for connection in tuple(self.connections):
                connection.abort()

    async def _serve(self, end: socket.socket) -> None:
        with contextlib.suppress(asyncssh.Error, OSError, TimeoutError):  # a visitor who did not get in
            connection = await asyncssh.run_server(
                end,
                server_factory=lambda: _Visitor(self),
                server_host_keys=[self.keys.host_key],
                process_factory=self._exec,
                encoding=None,
                allow_scp=False,
                agent_forwarding=False,
                x11_forwarding=False,
                password_auth=False,
                kbdint_auth=False,
                gss_host=None,
                login_timeout=20,
                line_editor=False,
            )
            await connection.wait_closed()

    async def _exec(self, process: asyncssh.SSHServerProcess[bytes]) -> None:
        if process.command is None:
            process.stderr.write(b"The demo's hosts have no shell.\n")
            process.exit(1)
            return
        answer = await asyncio.to_thread(self._shell.run, process.command)
        with contextlib.suppress(BrokenPipeError, ConnectionError):  # the client left in the meantime
            process.stdout.write(answer.stdout)
            process.stderr.write(answer.stderr)
        process.exit(answer.status)
