"""A real nginx of one's own: private folder, free ports on loopback, certificates made on the spot."""

from __future__ import annotations

import contextlib
import datetime as dt
import ipaddress
import os
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from tests.services.ssh_server import HOST, free_port

# The folder is one word: no test path holds a space or a semicolon.
_CONFIG = """\
daemon on;
master_process on;
worker_processes 2;
pid {folder}/nginx.pid;
error_log {folder}/error.log notice;
events {{ worker_connections 64; }}
http {{
    access_log {folder}/access.log combined;
    client_body_temp_path {folder}/body;
    proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
    include {folder}/conf.d/*.conf;
}}
"""


class MissingNginxError(RuntimeError):
    """nginx is not installed, or did not start. A test that needs it fails; it is never skipped."""


@dataclass(frozen=True)
class Pair:
    """A certificate and its key, in files."""

    certificate: Path
    key: Path


def make_certificate(
    folder: Path,
    name: str,
    names: Sequence[str] = ("localhost",),
    *,
    days: float = 90,
    issuer: Pair | None = None,
    ca: bool = False,
) -> Pair:
    """Make a certificate for DNS names and IP addresses, self-signed where no issuer is given.

    Args:
        folder: where `NAME.pem` and `NAME.key` are put.
        name: of the files, and its common name.
        names: what it is for.
        days: until it ends; negative: it has ended.
        issuer: who signs it; its certificate is appended to the file, as a chain.
        ca: whether it may sign others.
    """
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    now = dt.datetime.now(dt.UTC)
    signer, by = key, subject
    if issuer is not None:
        loaded = serialization.load_pem_private_key(issuer.key.read_bytes(), None)
        assert isinstance(loaded, ec.EllipticCurvePrivateKey)
        signer, by = loaded, x509.load_pem_x509_certificate(issuer.certificate.read_bytes()).subject
    built = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(by)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - dt.timedelta(days=30 - min(days, 0)))
        .not_valid_after(now + dt.timedelta(days=days))
        .add_extension(x509.SubjectAlternativeName([_general(one) for one in names]), critical=False)
        .add_extension(x509.BasicConstraints(ca=ca, path_length=None), critical=True)
        .sign(signer, hashes.SHA256())
    )
    chain = issuer.certificate.read_bytes() if issuer is not None else b""
    pair = Pair(folder / f"{name}.pem", folder / f"{name}.key")
    pair.certificate.write_bytes(built.public_bytes(serialization.Encoding.PEM) + chain)
    pair.key.write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    pair.key.chmod(0o600)
    return pair


def _general(name: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(name))
    except ValueError:
        return x509.DNSName(name)


@dataclass
class NginxServer:
    """One nginx: its main file is `config`; a test writes sites into `conf.d`, then starts or reloads it.

    Attributes:
        folder: private to it; pid file, logs and configuration lie there.
        port: a free port, for the sites of a test.
        tls_port: another one.
    """

    folder: Path
    port: int
    tls_port: int

    @property
    def config(self) -> Path:
        return self.folder / "nginx.conf"

    @property
    def error_log(self) -> Path:
        return self.folder / "error.log"

    @property
    def access_log(self) -> Path:
        return self.folder / "access.log"

    @property
    def program(self) -> str:
        found = shutil.which("nginx", path=f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin")
        if found is None:
            raise MissingNginxError("nginx is not installed: scripts/packages test installs it")
        return found

    @property
    def argv(self) -> list[str]:
        """The program with its configuration; `-t` and `-s reload` are appended."""
        return [self.program, "-p", str(self.folder), "-c", str(self.config)]

    @property
    def url(self) -> str:
        return f"http://{HOST}:{self.port}"

    @property
    def tls_url(self) -> str:
        return f"https://{HOST}:{self.tls_port}"

    @property
    def pid(self) -> int:
        """Of the master; 0 where it does not run."""
        try:
            pid = int((self.folder / "nginx.pid").read_text())
            os.kill(pid, 0)
        except (OSError, ValueError):
            return 0
        return pid

    def workers(self) -> set[int]:
        """The pids of its worker processes that take connections."""
        found = set()
        for entry in Path("/proc").glob("[0-9]*/status"):
            with contextlib.suppress(OSError):
                if f"\nPPid:\t{self.pid}\n" in entry.read_text():
                    title = (entry.parent / "cmdline").read_bytes()
                    if b"worker process" in title and b"shutting down" not in title:
                        found.add(int(entry.parent.name))
        return found

    def site(self, name: str, text: str) -> Path:
        """Write a file of `conf.d`; nothing is reloaded."""
        path = self.folder / "conf.d" / f"{name}.conf"
        path.write_text(text)
        return path

    def test(self) -> subprocess.CompletedProcess[str]:
        return subprocess.run([*self.argv, "-t"], capture_output=True, text=True, timeout=30, check=False)

    def start(self) -> None:
        done = subprocess.run(self.argv, capture_output=True, text=True, timeout=30, check=False)
        if done.returncode != 0:
            raise MissingNginxError(f"nginx did not start: {done.stderr}")
        self._wait(lambda: bool(self.pid) and len(self.workers()) == 2, "nginx has no workers")

    def reload(self) -> None:
        """Reload, and wait for new workers."""
        before = self.workers()
        subprocess.run([*self.argv, "-s", "reload"], check=True, capture_output=True, timeout=30)
        self._wait(lambda: bool(self.workers()) and not self.workers() & before, "nginx took no new configuration")

    def stop(self) -> None:
        pid = self.pid
        if pid:
            os.kill(pid, signal.SIGTERM)
            self._wait(lambda: self.pid == 0, "nginx did not end")

    @staticmethod
    def _wait(done: Callable[[], bool], otherwise: str) -> None:
        until = time.monotonic() + 15
        while not done():
            if time.monotonic() > until:
                raise MissingNginxError(otherwise)
            time.sleep(0.02)


@contextlib.contextmanager
def occupied(port: int) -> Iterator[None]:
    """Have another process's stand-in listen on a port, so that nginx cannot."""
    with socket.socket() as owner:
        owner.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        owner.bind((HOST, port))
        owner.listen(8)
        yield


@pytest.fixture
def make_nginx(tmp_path: Path) -> Iterator[Callable[..., NginxServer]]:
    """Return a function that prepares an nginx; `start()` runs it. Each is stopped after the test."""
    made: list[NginxServer] = []

    def make(name: str = "nginx") -> NginxServer:
        folder = tmp_path / name
        (folder / "conf.d").mkdir(parents=True)
        # Workers of a server that root starts are nobody's: what they serve has to be readable on the way down.
        for path in (folder, *folder.parents):
            if path.is_relative_to(tmp_path.parent.parent):
                path.chmod(path.stat().st_mode | 0o055)
        server = NginxServer(folder, free_port(), free_port())
        server.config.write_text(_CONFIG.format(folder=folder))
        made.append(server)
        return server

    yield make
    for server in made:
        server.stop()
