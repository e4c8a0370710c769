"""Real Redis servers of one's own: private folder, a UNIX socket and a free port on loopback."""

from __future__ import annotations

import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from tests.services.ssh_server import HOST, free_port


class MissingRedisError(RuntimeError):
    """redis-server is not installed, or did not start. A test that needs it fails; it is never skipped."""


@dataclass
class RedisServer:
    """One server. `options`: lines of its configuration."""

    folder: Path
    port: int
    options: tuple[str, ...] = ()
    _process: subprocess.Popen[bytes] | None = field(default=None, repr=False)

    @property
    def socket(self) -> Path:
        return self.folder / "redis.sock"

    @property
    def url(self) -> str:
        """As a configuration names it."""
        return f"redis://{HOST}:{self.port}"

    @property
    def socket_url(self) -> str:
        return f"unix://{self.socket}"

    @property
    def log(self) -> str:
        path = self.folder / "redis.log"
        return path.read_text(errors="replace") if path.exists() else ""

    def start(self) -> None:
        program = shutil.which("redis-server")
        if program is None:
            raise MissingRedisError("redis-server is not installed: scripts/packages test installs it")
        config = self.folder / "redis.conf"
        own = (
            f"bind {HOST}",
            f"port {self.port}",
            f"unixsocket {self.socket}",
            f"dir {self.folder}",
            "daemonize no",
            'save ""',
        )
        config.write_text("\n".join((*own, "loglevel notice", *self.options)) + "\n")
        with (self.folder / "redis.log").open("ab") as log:
            self._process = subprocess.Popen([program, str(config)], stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        end = time.monotonic() + 15
        while not self._listens():
            if self._process.poll() is not None or time.monotonic() > end:
                self.stop()
                raise MissingRedisError(f"redis-server did not start: {self.log[-800:]}")
            time.sleep(0.01)

    def _listens(self) -> bool:
        with socket.socket() as probe:
            return probe.connect_ex((HOST, self.port)) == 0

    def send(self, *words: str | bytes | int, login: tuple[str, ...] = ()) -> bytes:
        """Send one command, and return the raw answer of the protocol."""
        with socket.create_connection((HOST, self.port), timeout=10) as connection:
            for command in ([("AUTH", *login)] if login else []) + [words]:
                connection.sendall(_packed(command))
                answer = connection.recv(1_000_000)
        return answer

    def send_all(self, commands: list[tuple[str | bytes | int, ...]]) -> None:
        """Send many commands at once."""
        with socket.create_connection((HOST, self.port), timeout=20) as connection:
            connection.sendall(b"".join(_packed(command) for command in commands))
            seen = 0
            while seen < len(commands):
                data = connection.recv(1_000_000)
                assert data, "the server closed the connection"
                seen += data.count(b"\r\n")

    def stop(self) -> None:
        """Kill it. Safe to call twice."""
        if self._process is not None:
            self._process.kill()
            self._process.wait(10)
            self._process = None


def _packed(words: tuple[str | bytes | int, ...]) -> bytes:
    parts = [word if isinstance(word, bytes) else str(word).encode() for word in words]
    return b"*%d\r\n" % len(parts) + b"".join(b"$%d\r\n%s\r\n" % (len(part), part) for part in parts)


@pytest.fixture
def make_redis() -> Iterator[Callable[..., RedisServer]]:
    """Return a function that starts a Redis with some lines of configuration: `make_redis("maxmemory 20mb")`."""
    made: list[RedisServer] = []

    def make(*options: str) -> RedisServer:
        server = RedisServer(Path(tempfile.mkdtemp(prefix="dtredis-", dir="/tmp")), free_port(), options)
        made.append(server)
        server.start()
        return server

    try:
        yield make
    finally:
        for server in made:
            server.stop()
            shutil.rmtree(server.folder, ignore_errors=True)
