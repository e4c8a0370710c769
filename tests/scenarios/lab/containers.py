"""The lab's Docker engine and the containers of the shop.

The image holds busybox alone; Python and its libraries are this machine's own, mounted read-only.
"""

from __future__ import annotations

import os
import sys
import sysconfig
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from tests.scenarios.lab.disks import Disk
from tests.scenarios.lab.programs import LabError, as_root, lasting_port, program, status_of, until
from tests.services.docker_engine import IMAGE, OPTIONS, DockerEngine

PROJECT = "shop"
APPS = Path(__file__).parent / "apps"
API, WORKER, THUMBS, EXPORTER = (f"{PROJECT}-{service}-1" for service in ("api", "worker", "thumbs", "exporter"))


def python_mounts() -> list[str]:
    """Options that give a container this machine's Python with the libraries of the tests."""
    prefix, site = os.path.realpath(sys.base_prefix), sysconfig.get_paths()["purelib"]
    places = dict.fromkeys(["/usr", "/lib", "/lib64", prefix, site, str(APPS)])
    mounts = [place for place in places if place in ("/usr", "/lib", "/lib64") or not place.startswith("/usr/")]
    options = [f"-v={place}:{place}:ro" for place in mounts if os.path.exists(place)]
    return [*options, "-e", f"PYTHONPATH={site}", "-e", "PYTHONDONTWRITEBYTECODE=1"]


def python_program() -> str:
    version = f"python{sys.version_info.major}.{sys.version_info.minor}"
    return os.path.join(os.path.realpath(sys.base_prefix), "bin", version)


def python_command(app: str) -> list[str]:
    return [python_program(), str(APPS / f"{app}.py")]


def python_look(port: int) -> str:
    """A health check where this machine's libraries are mounted: BusyBox is static, and does not get on with them."""
    ask = (
        f"import socket; s = socket.create_connection(('127.0.0.1', {port}), 4); "
        "s.sendall(b'GET /healthz HTTP/1.0\\r\\n\\r\\n'); raise SystemExit(b' 200 ' not in s.recv(64))"
    )
    return f'{python_program()} -I -S -c "{ask}"'


@dataclass(frozen=True)
class Box:
    """How one container of the shop is made.

    Attributes:
        name: its own.
        service: of the Compose project.
        command: what runs in it.
        options: of `docker run`.
        env: its environment.
        url: what answers 200 while it serves; empty: nothing does.
        restart: its restart policy.
    """

    name: str
    service: str
    command: Sequence[str]
    options: Sequence[str] = ()
    env: dict[str, str] = field(default_factory=dict)
    url: str = ""
    restart: str = "unless-stopped"

    def argv(self) -> list[str]:
        labels = [f"com.docker.compose.project={PROJECT}", f"com.docker.compose.service={self.service}"]
        argv = ["-d", "--name", self.name, "--network", "host", "--stop-timeout", "1", "--restart", self.restart]
        argv += [part for label in labels for part in ("--label", label)]
        argv += [part for name, value in self.env.items() for part in ("-e", f"{name}={value}")]
        return [*argv, *self.options, IMAGE, *self.command]


class Containers(DockerEngine):
    """An engine whose containers outlive it for a while, on a disk of its own, with the containers of the shop."""

    def __init__(self, folder: Path, database_url: str, queue_url: str, env: dict[str, str]) -> None:
        folder.mkdir(parents=True)
        super().__init__(folder, options=(*OPTIONS, "--live-restore"))
        self.disk = Disk(folder.parent / "docker.img", folder / "data", 192, inodes=16384)
        self.api_port, self.thumbs_port, self.exporter_port = lasting_port(), lasting_port(), lasting_port()
        self._database_url, self._queue_url, self._env = database_url, queue_url, env
        self.boxes = {box.name: box for box in self._boxes()}

    def _boxes(self) -> list[Box]:
        health = ("--health-interval", "1s", "--health-retries", "2", "--health-timeout", "5s")
        database = {"DATABASE_URL": self._database_url}
        api = f"http://127.0.0.1:{self.api_port}/healthz"
        thumbs = f"http://127.0.0.1:{self.thumbs_port}/ok"
        serve = "mkdir -p /www/thumbs && echo ok >/www/ok && echo thumbnail >/www/thumbs/1.txt"
        exporter = f"127.0.0.1:{self.exporter_port}"
        return [
            Box(
                API,
                "api",
                python_command("api"),
                (*python_mounts(), *health, "--health-cmd", python_look(self.api_port)),
                {**database, **self._env, "PORT": str(self.api_port), "APP_NAME": "shop-api"},
                api,
                restart="always",
            ),
            Box(
                WORKER,
                "worker",
                python_command("worker"),
                python_mounts(),
                {**database, "REDIS_URL": self._queue_url, "APP_NAME": "shop-worker"},
            ),
            Box(
                THUMBS,
                "thumbs",
                ("sh", "-c", f"{serve} && exec busybox httpd -f -p 127.0.0.1:{self.thumbs_port} -h /www"),
                (*health, "--health-cmd", "test -e /www/ok"),
                url=thumbs,
            ),
            Box(
                EXPORTER,
                "exporter",
                (
                    program("prometheus-node-exporter", "prometheus-node-exporter"),
                    f"--web.listen-address={exporter}",
                    "--collector.disable-defaults",
                    "--collector.loadavg",
                ),
                [option for option in python_mounts() if option.startswith("-v=/")],
                url=f"http://{exporter}/metrics",
            ),
        ]

    # -- life

    def begin(self) -> None:
        """Start the engine and make the image; the containers are started by `put_all`."""
        self.disk.make()
        as_root("chmod", "0711", str(self.disk.mount))
        self.start()
        self.make_image()

    def put_all(self) -> None:
        """Start every container of the shop, and wait until each serves."""
        for box in self.boxes.values():
            self.docker("run", *box.argv())
        self.wait_serving()

    def put(self, name: str, *, wait: bool = True, **changes: object) -> None:
        """Make a container of the shop anew, with changes or as it should be."""
        box = replace(self.boxes[name], **changes)  # type: ignore[arg-type]
        self.remove_quietly(name)
        self.docker("run", *box.argv())
        if wait:
            self.wait_serving([name])

    def remove_quietly(self, *names: str) -> None:
        self._docker("rm", "-f", "-v", *names, check=False)

    def wait_serving(self, names: Sequence[str] = ()) -> None:
        """Wait until containers run, answer, and are healthy where they have a health check."""
        for name in names or self.boxes:
            until(lambda name=name: self.serves(name), 30, lambda name=name: f"{name} to serve: {self.story(name)}")

    def serves(self, name: str) -> bool:
        box, state = self.boxes[name], self.inspect(name)["State"]
        healthy = "Health" not in state or state["Health"]["Status"] == "healthy"
        return state["Status"] == "running" and healthy and (not box.url or status_of(box.url) == 200)

    def story(self, name: str) -> str:
        """A container's state, and the end of its log."""
        done = self._docker("logs", "--tail", "5", name, check=False)
        return f"{self.inspect(name)['State']}: {(done.stdout + done.stderr).decode(errors='replace')[-400:]}"

    def log_path(self, name: str) -> Path:
        return Path(self.inspect(name)["LogPath"])

    def kill_engine(self) -> None:
        """Kill dockerd; its containers live on."""
        assert self._process is not None
        as_root("kill", "-KILL", str(self.pid))
        self._process.wait(10)
        self._process, self.pid = None, 0
        (self.folder / "pid").unlink(missing_ok=True)

    def assert_healthy(self) -> None:
        """Fail where a container of the shop does not serve, or another one is there."""
        names = set(self.docker("ps", "-a", "--format", "{{.Names}}").split())
        if names != set(self.boxes):
            raise LabError(f"the engine has the containers {sorted(names)}")
        self.wait_serving()

    def close(self) -> None:
        """Everything ends, also where the engine was killed and its containers were left."""
        if self._process is None and self._leftovers():
            self.start()
        super().close()
        self.disk.remove()
