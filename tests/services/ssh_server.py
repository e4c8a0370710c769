"""A real sshd of one's own: private folder, private keys, a free port on loopback, the user who runs the tests."""

from __future__ import annotations

import contextlib
import os
import pwd
import re
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

HOST = "127.0.0.1"

# SHLVL keeps bash from reading ~/.bashrc, which it does for the first shell of an SSH session: what somebody keeps there
# (version managers with lock files, say) must not decide how long a test takes.
_CONFIG = """\
ListenAddress {host}
Port {port}
HostKey {folder}/host_key
PidFile none
AuthorizedKeysFile {folder}/authorized_keys
StrictModes no
UsePAM no
PasswordAuthentication no
KbdInteractiveAuthentication no
PermitRootLogin yes
AllowStreamLocalForwarding yes
SetEnv SHLVL=5
Subsystem sftp internal-sftp
LogLevel VERBOSE
"""


class MissingSshError(RuntimeError):
    """sshd is not installed, or did not start. A test that needs it fails; it is never skipped."""


def free_port() -> int:
    """Return a TCP port of loopback that nobody listens on now."""
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        return int(probe.getsockname()[1])


def make_key(path: Path, passphrase: str = "", kind: str = "ed25519") -> Path:
    """Make a key pair; return the private half's path."""
    subprocess.run(
        ["ssh-keygen", "-q", "-t", kind, "-N", passphrase, "-C", path.name, "-f", str(path)],
        check=True,
        capture_output=True,
        timeout=60,
    )
    return path


@dataclass
class SshServer:
    """One sshd.

    Attributes:
        host, port, user: where to connect, and as whom (the user who runs the tests).
        key: a private key that it accepts, without a passphrase.
        known_hosts: a file that holds its host key.
        config: its configuration file; the first value of an option counts.
        pid: of the listening process; 0 while stopped.
        drop: capabilities that the server and what it starts do without (`dac_override`), where it is run by root.
    """

    folder: Path
    host: str
    port: int
    user: str
    key: Path
    known_hosts: Path
    config: Path
    drop: tuple[str, ...] = ()
    pid: int = 0
    _process: subprocess.Popen[bytes] | None = field(default=None, repr=False)

    @property
    def address(self) -> str:
        """As a configuration names it."""
        return f"ssh://{self.user}@{self.host}:{self.port}"

    @property
    def log(self) -> str:
        """What sshd said so far."""
        path = self.folder / "sshd.log"
        return path.read_text(errors="replace") if path.exists() else ""

    def start(self) -> None:
        """Start it, and wait until it listens."""
        program = shutil.which("sshd", path=f"{os.environ.get('PATH', '')}:/usr/sbin:/usr/local/sbin")
        if program is None:
            raise MissingSshError("sshd is missing: apt install openssh-server")
        if os.geteuid() == 0:
            Path("/run/sshd").mkdir(mode=0o755, exist_ok=True)
        argv = [program, "-D", "-e", "-f", str(self.config)]
        if self.drop and os.geteuid() == 0:
            names = ",".join(f"-{name}" for name in self.drop)
            argv = ["setpriv", f"--bounding-set={names}", f"--inh-caps={names}", *argv]
        with (self.folder / "sshd.log").open("ab") as log:
            self._process = subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True)
        self.pid = self._process.pid
        end = time.monotonic() + 15
        while not self._listens():
            if self._process.poll() is not None or time.monotonic() > end:
                self.stop()
                raise MissingSshError(f"sshd did not start: {self.log[-800:]}")
            time.sleep(0.02)

    def _listens(self) -> bool:
        with socket.socket() as probe:
            probe.settimeout(0.5)
            return probe.connect_ex((self.host, self.port)) == 0

    def children(self) -> list[int]:
        """The processes below the listening one: one or two for each connection, and what they started."""
        found: list[int] = []
        level = [self.pid] if self.pid else []
        while level:
            level = [child for parent in level for child in _children(parent)]
            found += level
        return found

    def kill_connections(self) -> None:
        """End every connection at once; the listener lives on."""
        for pid in self.children():
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)

    def freeze(self) -> None:
        """Stop it and its connections without closing anything, as a hung machine does."""
        for pid in [self.pid, *self.children()]:
            os.kill(pid, signal.SIGSTOP)

    def thaw(self) -> None:
        """Let it go on."""
        for pid in [self.pid, *self.children()]:
            os.kill(pid, signal.SIGCONT)

    def stop(self) -> None:
        """Kill it and its connections. Safe to call twice."""
        if self._process is None:
            return
        for pid in [*self.children(), self.pid]:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        self._process.wait(10)
        self._process, self.pid = None, 0

    def new_host_key(self) -> None:
        """Give it another host key, as a reinstalled or an impersonated machine has. Takes effect at the next start."""
        for path in (self.folder / "host_key", self.folder / "host_key.pub"):
            path.unlink()
        make_key(self.folder / "host_key")

    def fingerprint(self) -> str:
        """`SHA256:...` of its host key."""
        argv = ["ssh-keygen", "-l", "-f", str(self.folder / "host_key.pub")]
        said = subprocess.run(argv, check=True, capture_output=True, text=True, timeout=10).stdout
        return re.findall(r"SHA256:\S+", said)[0]

    def known_hosts_line(self, host: str = "") -> str:
        """One line for a known_hosts file."""
        kind, blob = (self.folder / "host_key.pub").read_text().split()[:2]
        return f"{host or f'[{self.host}]:{self.port}'} {kind} {blob}\n"

    def authorize(self, public: Path, options: str = "") -> None:
        """Accept one more key."""
        with (self.folder / "authorized_keys").open("a") as keys:
            keys.write(f"{options} {public.read_text()}".lstrip())


def _children(pid: int) -> list[int]:
    found: list[int] = []
    with contextlib.suppress(OSError):
        for task in Path(f"/proc/{pid}/task").iterdir():
            found += [int(child) for child in (task / "children").read_text().split()]
    return found


def new_server(extra: str = "", *, drop: tuple[str, ...] = (), port: int = 0, folder: Path | None = None) -> SshServer:
    """Make a started sshd in a folder, which is removed where it does not start."""
    folder = folder or Path(tempfile.mkdtemp(prefix="dtssh-", dir="/tmp"))
    server = SshServer(
        folder=folder,
        host=HOST,
        port=port or free_port(),
        user=pwd.getpwuid(os.geteuid()).pw_name,
        key=make_key(folder / "user_key"),
        known_hosts=folder / "known_hosts",
        config=folder / "sshd_config",
        drop=drop,
    )
    make_key(folder / "host_key")
    server.authorize(folder / "user_key.pub")
    server.known_hosts.write_text(server.known_hosts_line())
    # sshd takes the first value of an option, so what a test adds stands before the rest.
    server.config.write_text(f"{extra}\n" + _CONFIG.format(host=HOST, port=server.port, folder=folder))
    try:
        server.start()
    except BaseException:
        shutil.rmtree(folder)
        raise
    return server


@pytest.fixture(scope="session")
def ssh_server() -> Iterator[SshServer]:
    """A running sshd that the whole test run shares: do not stop, freeze or reconfigure this one."""
    server = new_server()
    try:
        yield server
    finally:
        server.stop()
        shutil.rmtree(server.folder)


@pytest.fixture
def make_ssh_server() -> Iterator[Callable[..., SshServer]]:
    """Make sshds of the test's own: `make_ssh_server("MaxSessions 2", drop=("dac_override",))`."""
    servers: list[SshServer] = []

    def make(extra: str = "", *, drop: tuple[str, ...] = (), port: int = 0) -> SshServer:
        servers.append(new_server(extra, drop=drop, port=port))
        return servers[-1]

    try:
        yield make
    finally:
        for server in servers:
            with contextlib.suppress(ProcessLookupError):
                server.thaw()
            server.stop()
            shutil.rmtree(server.folder)
