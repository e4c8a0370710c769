"""A real RabbitMQ with its management API, for one test session: private folder, free ports on loopback, its own epmd."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
import urllib.error
import urllib.request
from base64 import b64encode
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest

from tests.services.ssh_server import HOST, free_port

LIBRARY = Path("/usr/lib/rabbitmq/lib")

_CONFIG = """\
listeners.tcp.1 = {host}:{amqp}
stomp.listeners.tcp.1 = {host}:{stomp}
management.tcp.ip = {host}
management.tcp.port = {http}
collect_statistics_interval = 500
"""


class MissingRabbitmqError(RuntimeError):
    """rabbitmq-server is not installed, or did not start. A test that needs it fails; it is never skipped."""


@dataclass
class RabbitmqServer:
    """One node.

    Its users: `guest` may do everything, `monitor` sees everything, `manager` only its own queues, `stranger` nothing. Their
    passwords are their names and `-secret`.
    """

    folder: Path
    http: int = field(default_factory=free_port)
    amqp: int = field(default_factory=free_port)
    stomp: int = field(default_factory=free_port)
    _processes: list[subprocess.Popen[bytes]] = field(default_factory=list, repr=False)
    _environment: dict[str, str] = field(default_factory=dict, repr=False)

    @property
    def url(self) -> str:
        """Of the management API."""
        return f"http://{HOST}:{self.http}"

    def start(self) -> None:
        programs = sorted(LIBRARY.glob("rabbitmq_server-*/sbin/rabbitmq-server"))
        epmd = shutil.which("epmd")
        if not programs or epmd is None:
            raise MissingRabbitmqError("rabbitmq-server is not installed: scripts/packages test installs it")
        names, distribution = free_port(), free_port()
        (self.folder / "rabbitmq.conf").write_text(_CONFIG.format(host=HOST, amqp=self.amqp, stomp=self.stomp, http=self.http))
        (self.folder / "plugins").write_text("[rabbitmq_management,rabbitmq_stomp].\n")
        self._environment = {
            "PATH": os.environ["PATH"],
            "HOME": str(self.folder),  # its cookie lies there
            "RABBITMQ_MNESIA_BASE": str(self.folder / "db"),
            "RABBITMQ_LOG_BASE": str(self.folder / "log"),
            "RABBITMQ_NODENAME": f"dt{self.http}@localhost",
            "RABBITMQ_CONFIG_FILE": str(self.folder / "rabbitmq.conf"),
            "RABBITMQ_CONF_ENV_FILE": str(self.folder / "none"),
            "RABBITMQ_ENABLED_PLUGINS_FILE": str(self.folder / "plugins"),
            "RABBITMQ_PID_FILE": str(self.folder / "pid"),
            "RABBITMQ_DIST_PORT": str(distribution),
            "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": "-kernel inet_dist_use_interface {127,0,0,1}",
            "ERL_EPMD_PORT": str(names),
            "ERL_EPMD_ADDRESS": HOST,
        }
        # Its own register of names first: one that the node starts by itself would outlive it.
        self._run([epmd, "-address", HOST, "-port", str(names)])
        self._wait(lambda: _listens(names), "epmd did not start")
        self._run([str(programs[-1])])
        self._wait(self._answers, "rabbitmq-server did not start")
        for name, tags in (("monitor", "monitoring"), ("manager", "management"), ("stranger", "")):
            self.call("PUT", f"/api/users/{name}", {"password": f"{name}-secret", "tags": tags})
        self.let_in("monitor")

    def let_in(self, user: str, vhost: str = "/") -> None:
        """Let a user see what is in a virtual host, and do nothing there."""
        nothing = {"configure": "^$", "write": "^$", "read": "^$"}
        self.call("PUT", f"/api/permissions/{quote(vhost, safe='')}/{user}", nothing)

    def _run(self, argv: list[str]) -> None:
        with (self.folder / "out").open("ab") as out:
            self._processes.append(
                subprocess.Popen(
                    argv, env=self._environment, stdin=subprocess.DEVNULL, stdout=out, stderr=out, start_new_session=True
                )
            )

    def _wait(self, done: Callable[[], bool], otherwise: str) -> None:
        end = time.monotonic() + 60
        while not done():
            if self._processes[-1].poll() is not None or time.monotonic() > end:
                raise MissingRabbitmqError(f"{otherwise}: {(self.folder / 'out').read_text()[-800:]}")
            time.sleep(0.1)

    def _answers(self) -> bool:
        try:
            self.call("GET", "/api/overview")
        except OSError:
            return False
        return True

    def call(self, method: str, path: str, body: object = None) -> Any:
        """Call the management API as guest."""
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(f"{self.url}{path}", data, method=method)
        request.add_header("Authorization", f"Basic {b64encode(b'guest:guest').decode()}")
        request.add_header("Content-Type", "application/json")
        with urllib.request.urlopen(request, timeout=10) as answer:
            text = answer.read()
        return json.loads(text) if text else None

    def declare(self, name: str, vhost: str = "/") -> None:
        self.call("PUT", f"/api/queues/{quote(vhost, safe='')}/{quote(name, safe='')}", {"durable": True})

    def delete(self, name: str, vhost: str = "/") -> None:
        with contextlib.suppress(urllib.error.HTTPError):
            self.call("DELETE", f"/api/queues/{quote(vhost, safe='')}/{quote(name, safe='')}")

    def publish(self, name: str, count: int = 1, vhost: str = "/") -> None:
        path = f"/api/exchanges/{quote(vhost, safe='')}/amq.default/publish"
        for _ in range(count):
            body = {"properties": {}, "routing_key": name, "payload": "x", "payload_encoding": "string"}
            assert self.call("POST", path, body)["routed"]

    def control(self, *words: str) -> None:
        """Run rabbitmqctl."""
        program = next(LIBRARY.glob("rabbitmq_server-*/sbin/rabbitmqctl"))
        subprocess.run([str(program), *words], env=self._environment, check=True, capture_output=True, timeout=60)

    @contextlib.contextmanager
    def consumer(self, name: str) -> Iterator[socket.socket]:
        """A consumer of a queue that takes messages and never acknowledges one (STOMP, a protocol of plain text)."""
        with socket.create_connection((HOST, self.stomp), timeout=10) as connection:
            connection.sendall(b"CONNECT\nlogin:guest\npasscode:guest\naccept-version:1.2\nhost:/\n\n\0")
            assert connection.recv(10_000).startswith(b"CONNECTED")
            wants = f"SUBSCRIBE\nid:1\ndestination:/amq/queue/{name}\nack:client-individual\nprefetch-count:1\nreceipt:r\n\n\0"
            connection.sendall(wants.encode())
            assert b"RECEIPT" in connection.recv(10_000)
            yield connection

    def stop(self) -> None:
        """End it and its epmd, each by its process id. Safe to call twice."""
        while self._processes:
            process = self._processes.pop()
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait(20)


def _listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex((HOST, port)) == 0


@pytest.fixture(scope="session")
def rabbitmq_server() -> Iterator[RabbitmqServer]:
    """A running RabbitMQ that the whole run shares; a test uses queues with names of its own, and takes its alarms back."""
    folder = Path(tempfile.mkdtemp(prefix="dtmq-", dir="/tmp"))
    server = RabbitmqServer(folder)
    try:
        server.start()
        yield server
    finally:
        server.stop()
        shutil.rmtree(folder, ignore_errors=True)
