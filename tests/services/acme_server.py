"""A private ACME server, and certbot in a folder of its own that gets certificates from it."""

from __future__ import annotations

import contextlib
import json
import os
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.services.nginx_server import make_certificate
from tests.services.ssh_server import HOST, free_port


class MissingAcmeError(RuntimeError):
    """pebble or certbot is not installed, or did not start. A test that needs them fails; it is never skipped."""


@dataclass
class AcmeServer:
    """A running pebble. `http_port` is where it looks for the answer to its challenge; `ca` judges its own address."""

    folder: Path
    port: int
    http_port: int
    ca: Path
    process: subprocess.Popen[bytes]

    def stop(self) -> None:
        """Be out of reach."""
        self.process.terminate()
        self.process.wait(20)

    @property
    def directory(self) -> str:
        return f"https://{HOST}:{self.port}/dir"

    def certbot(self, root: Path, webroot: Path, name: str) -> None:
        """Get a first certificate for a name, in certbot's folder `root`."""
        argv = [
            "certbot", "certonly", "-n", "--agree-tos", "--register-unsafely-without-email", "--server", self.directory,
            "--webroot", "-w", str(webroot), "-d", name, "--cert-name", name, "--config-dir", str(root),
            "--work-dir", str(root / "work"), "--logs-dir", str(root / "logs"),
        ]  # fmt: skip
        environment = {**os.environ, "REQUESTS_CA_BUNDLE": str(self.ca)}
        try:
            done = subprocess.run(argv, env=environment, capture_output=True, text=True, timeout=120, check=False)
        except FileNotFoundError:
            raise MissingAcmeError("certbot is not installed: scripts/packages test installs it") from None
        if done.returncode != 0:
            raise MissingAcmeError(f"certbot got no certificate: {done.stdout}{done.stderr}")


def _wait_for(port: int, process: subprocess.Popen[bytes], log: Path) -> None:
    until = time.monotonic() + 20
    while time.monotonic() < until and process.poll() is None:
        with contextlib.suppress(OSError), socket.create_connection((HOST, port), 0.5):
            return
        time.sleep(0.05)
    raise MissingAcmeError(f"{log.name}: {log.read_text()[-800:]}")


@pytest.fixture
def make_acme(tmp_path: Path) -> Iterator[Callable[[int], AcmeServer]]:
    """Return a function that starts a private ACME server which looks for answers on a port; ended after the test."""
    running: list[subprocess.Popen[bytes]] = []

    def start(argv: list[str], log: Path) -> subprocess.Popen[bytes]:
        environment = {**os.environ, "PEBBLE_VA_NOSLEEP": "1", "PEBBLE_WFE_NONCEREJECT": "0"}
        try:
            with log.open("wb") as output:
                process = subprocess.Popen(argv, stdout=output, stderr=output, env=environment)
        except FileNotFoundError:
            raise MissingAcmeError(f"{argv[0]} is not installed: scripts/packages test installs it") from None
        running.append(process)
        return process

    def make(http_port: int) -> AcmeServer:
        folder = tmp_path / "acme"
        folder.mkdir()
        ca = make_certificate(folder, "authority", ca=True)
        own = make_certificate(folder, "pebble", [HOST, "localhost"], issuer=ca)
        port, manage, dns, api = (free_port() for _ in range(4))
        config = {
            "pebble": {
                "listenAddress": f"{HOST}:{port}",
                "managementListenAddress": f"{HOST}:{manage}",
                "certificate": str(own.certificate),
                "privateKey": str(own.key),
                "httpPort": http_port,
                "tlsPort": free_port(),
                "ocspResponderURL": "",
                "externalAccountBindingRequired": False,
            }
        }
        (folder / "pebble.json").write_text(json.dumps(config))
        challenge = [
            "pebble-challtestsrv", "-management", f"{HOST}:{api}", "-dns01", f"{HOST}:{dns}", "-defaultIPv4", HOST,
            "-defaultIPv6", "", "-http01", "", "-https01", "", "-tlsalpn01", "",
        ]  # fmt: skip
        _wait_for(api, start(challenge, folder / "dns.log"), folder / "dns.log")
        pebble = ["pebble", "-config", str(folder / "pebble.json"), "-dnsserver", f"{HOST}:{dns}"]
        server = start(pebble, folder / "pebble.log")
        _wait_for(port, server, folder / "pebble.log")
        return AcmeServer(folder, port, http_port, ca.certificate, server)

    yield make
    for process in reversed(running):
        process.terminate()
        process.wait(20)
