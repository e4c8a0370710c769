"""A real Docker engine in a private directory, on a UNIX socket of its own, with an image made here; no network at all."""

from __future__ import annotations

import contextlib
import grp
import json
import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

IMAGE = "lab/busybox:1"

#: What the image offers beside busybox itself.
APPLETS = (
    "sh",
    "sleep",
    "echo",
    "cat",
    "printf",
    "dd",
    "tr",
    "yes",
    "seq",
    "true",
    "false",
    "head",
    "kill",
    "test",
    "stty",
    "awk",
)

#: Keeps the engine from touching the machine's network and from needing overlayfs.
OPTIONS = ("--bridge=none", "--iptables=false", "--ip-forward=false", "--ip-masq=false", "--storage-driver=vfs")

#: The engine writes this by itself, wherever its folders are.
_KEY = Path("/etc/docker/key.json")


class MissingDockerError(RuntimeError):
    """A program is not installed, or the engine did not start. A test that needs it fails; it is never skipped."""


def _program(name: str) -> str:
    found = shutil.which(name, path=f"{os.environ.get('PATH', '')}:/usr/sbin:/usr/local/sbin")
    if found is None:
        package = "busybox-static" if name == "busybox" else "docker.io"
        raise MissingDockerError(f"{name} is missing: apt install {package}")
    return found


def _as_root(*argv: str, check: bool = True) -> subprocess.CompletedProcess[str]:
    return subprocess.run([*_root(), *argv], check=check, capture_output=True, text=True, timeout=60)


def _root() -> list[str]:
    return [] if os.geteuid() == 0 else [_program("sudo"), "-n"]


@dataclass
class DockerEngine:
    """One engine.

    Attributes:
        folder: everything of it lies here, its socket too.
        pid: the engine's process; 0 while stopped.
        options: what it is started with beside its folders.
    """

    folder: Path
    pid: int = 0
    options: Sequence[str] = OPTIONS
    _process: subprocess.Popen[bytes] | None = field(default=None, repr=False)

    @property
    def socket(self) -> Path:
        """The engine's socket."""
        return self.folder / "docker.sock"

    @property
    def url(self) -> str:
        """As a configuration names it."""
        return f"unix://{self.socket}"

    @property
    def log(self) -> str:
        """What the engine said so far."""
        path = self.folder / "log"
        return path.read_text(errors="replace") if path.exists() else ""

    # -- life

    def start(self) -> None:
        """Start it, and wait until it answers."""
        argv = [
            *_root(), _program("dockerd"), "--data-root", str(self.folder / "data"), "--exec-root", str(self.folder / "exec"),
            "--pidfile", str(self.folder / "pid"), "-H", self.url, "--group", grp.getgrgid(os.getegid()).gr_name, *self.options,
        ]  # fmt: skip
        with (self.folder / "log").open("ab") as log:
            self._process = subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True)
        end = time.monotonic() + 30
        while not self._answers():
            if self._process.poll() is not None or time.monotonic() > end:
                raise MissingDockerError(
                    f"dockerd did not start (it needs root, or sudo without a password): {self.log[-1500:]}"
                )
            time.sleep(0.05)
        self.pid = int((self.folder / "pid").read_text())

    def _answers(self) -> bool:
        return self.socket.exists() and self._docker("version", check=False).returncode == 0

    def stop(self) -> None:
        """End it, and its containers with it. Safe to call twice."""
        if self._process is None:
            return
        if self.pid:
            _as_root("kill", "-TERM", str(self.pid), check=False)
        else:
            self._process.terminate()
        try:
            self._process.wait(30)
        except subprocess.TimeoutExpired:
            _as_root("kill", "-KILL", str(self.pid or self._process.pid), check=False)
            self._process.wait(10)
        self._process, self.pid = None, 0

    def freeze(self) -> None:
        """Stop it without closing anything: it accepts connections and never answers."""
        _as_root("kill", "-STOP", str(self.pid))

    def thaw(self) -> None:
        """Let it go on."""
        _as_root("kill", "-CONT", str(self.pid))

    def close(self) -> None:
        """Remove the containers, end the engine and whatever it left running, unmount, and remove the folder."""
        if self._process is not None:
            with contextlib.suppress(ProcessLookupError):
                _as_root("kill", "-CONT", str(self.pid), check=False)
            self.remove_all()
            self.stop()
        for pid in self._leftovers():
            _as_root("kill", "-KILL", str(pid), check=False)
        for line in reversed(Path("/proc/mounts").read_text().splitlines()):
            mount = line.split()[1]
            if mount.startswith(f"{self.folder}/"):
                _as_root("umount", "-l", mount, check=False)
        _as_root("rm", "-rf", "--one-file-system", str(self.folder))

    def _leftovers(self) -> list[int]:
        """Processes that name a folder of this engine in their arguments, as containerd and its shims do."""
        sign = f"{self.folder}/exec".encode()
        found = []
        for entry in Path("/proc").iterdir():
            with contextlib.suppress(OSError):
                if entry.name.isdigit() and sign in (entry / "cmdline").read_bytes():
                    found.append(int(entry.name))
        return found

    def give_to(self, group: str) -> None:
        """Give the socket to a group, and to a user who is not the one who runs the tests."""
        owner = "nobody" if os.geteuid() == 0 else "root"
        _as_root("chown", f"{owner}:{group}", str(self.socket))
        _as_root("chmod", "755", str(self.folder))

    # -- containers

    def _docker(self, *arguments: str, check: bool = True, stdin: bytes | None = None) -> subprocess.CompletedProcess[bytes]:
        environment = {**os.environ, "DOCKER_HOST": self.url, "DOCKER_CONFIG": str(self.folder / "client")}
        done = subprocess.run([_program("docker"), *arguments], env=environment, input=stdin, capture_output=True, timeout=60)
        if check and done.returncode:
            raise RuntimeError(f"docker {' '.join(arguments)}: {done.stderr.decode(errors='replace').strip()}")
        return done

    def docker(self, *arguments: str) -> str:
        """Run the docker command; return what it printed."""
        return self._docker(*arguments).stdout.decode(errors="replace").strip()

    def make_image(self) -> None:
        """Make the image of this machine's static busybox."""
        root = self.folder / "image"
        (root / "bin").mkdir(parents=True)
        (root / "tmp").mkdir()
        shutil.copy2(_program("busybox"), root / "bin" / "busybox")
        for name in APPLETS:
            (root / "bin" / name).symlink_to("busybox")
        archive = subprocess.run(["tar", "-C", str(root), "-c", "."], check=True, capture_output=True, timeout=60).stdout
        self._docker("import", "-", IMAGE, stdin=archive)
        shutil.rmtree(root)

    def run(self, name: str, *command: str, options: Sequence[str] = (), network: str = "none") -> str:
        """Start a container; return its name."""
        self.docker("run", "-d", "--name", name, "--stop-timeout", "1", "--network", network, *options, IMAGE, *command)
        return name

    def inspect(self, name: str) -> dict[str, Any]:
        """Everything the engine tells of a container."""
        document: dict[str, Any] = json.loads(self.docker("inspect", name))[0]
        return document

    def identity(self, name: str) -> str:
        """The id of a container."""
        return str(self.inspect(name)["Id"])

    def remove(self, *names: str) -> None:
        """Remove containers, running or not."""
        self.docker("rm", "-f", "-v", *names)

    def remove_all(self) -> None:
        """Remove every container."""
        if names := self.docker("ps", "-aq").split():
            self.remove(*names)

    def wait_for(self, name: str, what: str, timeout: float = 20) -> None:
        """Wait until a container's `docker inspect` shows a template's value as true, such as `eq .State.Status "exited"`."""
        end = time.monotonic() + timeout
        while self.docker("inspect", "-f", "{{" + what + "}}", name) != "true":
            if time.monotonic() > end:
                raise AssertionError(f"{name}: not within {timeout:g} s: {what}: {self.inspect(name)['State']}")
            time.sleep(0.1)


#: A name that tries to be markup, a terminal's control sequences, and characters that turn text around.
HOSTILE = "[@click=app.quit]x[/] [/nope] \x1b[31mred \x1b]52;c;ZXZpbA==\x07 \x9b31m \u202eetirw\u202c"

#: Writes what no log should hold: see `HOSTILE`; a line of 90,000 characters; bytes that are no UTF-8; a secret.
_HOSTILE_LOG = r"""
printf '[@click=app.quit]x[/] [/nope]\n'
printf 'esc \033[31mred\033[0m osc \033]52;c;ZXZpbA==\007 c1 \302\2331m end\n'
printf 'bidi \342\200\256etirw\342\200\254 end\n'
printf 'bad \377\376 utf\n'
head -c 90000 /dev/zero | tr '\0' 'x'; echo
printf 'connecting with password=hunter2secret now\n' >&2
exec sleep 1000
"""


@dataclass(frozen=True)
class Cast:
    """The containers that most tests look at, by name."""

    healthy: str = "dt-healthy"
    looping: str = "dt-looping"
    limited: str = "dt-limited"
    hostile: str = "dt-hostile"
    web: str = "shop-web-1"
    worker: str = "shop-worker-1"
    failed: str = "dt-failed"


def _compose(service: str) -> tuple[str, ...]:
    return ("--label", "com.docker.compose.project=shop", "--label", f"com.docker.compose.service={service}")


def _start_cast(engine: DockerEngine) -> Cast:
    cast = Cast()
    health = ("--health-cmd", "test -e /tmp/well", "--health-interval", "1s", "--health-retries", "2")
    engine.run(cast.healthy, "sh", "-c", "echo well > /tmp/well; exec sleep 1000", options=health)
    engine.run(cast.looping, "sh", "-c", "echo dying; exit 3", options=("--restart", "always"))
    limits = ("--memory", "20m", "--cpus", "0.1", "--restart", "unless-stopped", "-v", "dt-volume:/data:ro")
    engine.run(cast.limited, "sh", "-c", "while :; do :; done", options=limits)
    labels = (
        "--label",
        f"note={HOSTILE}",
        "--label",
        "db.password=hunter2secret",
        "-e",
        "API_TOKEN=hunter2secret",
        "-e",
        "MODE=blue",
    )
    engine.run(cast.hostile, "sh", "-c", _HOSTILE_LOG, options=labels)
    engine.run(cast.web, "sleep", "1000", options=_compose("web"), network="host")
    engine.run(cast.worker, "sleep", "1000", options=_compose("worker"))
    engine.run(cast.failed, "sh", "-c", "exit 7")
    engine.wait_for(cast.healthy, 'eq .State.Health.Status "healthy"')
    engine.wait_for(cast.failed, 'eq .State.Status "exited"')
    engine.wait_for(cast.looping, "ge .RestartCount 1")
    return cast


@contextlib.contextmanager
def _engine() -> Iterator[DockerEngine]:
    engine = DockerEngine(Path(tempfile.mkdtemp(prefix="dtdk-", dir="/tmp")))
    key_was_there = _KEY.exists()
    try:
        engine.start()
        engine.make_image()
        yield engine
    finally:
        engine.close()
        if not key_was_there:
            _as_root("rm", "-f", str(_KEY), check=False)


@pytest.fixture(scope="session")
def docker_engine() -> Iterator[DockerEngine]:
    """A running engine with the image, for the whole test run: start again what you stop, remove what you make."""
    with _engine() as engine:
        yield engine


@pytest.fixture(scope="module")
def docker_cast(docker_engine: DockerEngine) -> Iterator[Cast]:
    """The usual containers on the shared engine, for one file of tests."""
    cast = _start_cast(docker_engine)
    yield cast
    docker_engine.remove_all()


@pytest.fixture
def own_docker_engine() -> Iterator[DockerEngine]:
    """An engine of the test's own, to be stopped, frozen and restarted."""
    with _engine() as engine:
        yield engine


@pytest.fixture
def frozen_engine(own_docker_engine: DockerEngine) -> Iterator[DockerEngine]:
    """An engine that accepts connections and never answers."""
    own_docker_engine.freeze()
    try:
        yield own_docker_engine
    finally:
        with contextlib.suppress(ProcessLookupError):
            own_docker_engine.thaw()
