"""A real Prometheus, Alertmanager, node exporter and VictoriaMetrics of one's own: private folders, free ports on loopback."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from tests.services.ssh_server import HOST, free_port


class MissingMonitoringError(RuntimeError):
    """A program is not installed, or did not start. A test that needs it fails; it is never skipped."""


@dataclass
class Daemon:
    """One program that listens on a port of loopback.

    Attributes:
        program: its name, as Debian installs it.
        folder: private to it: configuration, data, log.
        port: where it listens.
        options: its arguments.
        ready: the path that answers once it is up.
        accepts: with which status.
    """

    program: str
    folder: Path
    port: int
    options: Sequence[str] = ()
    ready: str = "/-/ready"
    accepts: tuple[int, ...] = (200,)
    _process: subprocess.Popen[bytes] | None = field(default=None, repr=False)

    @property
    def url(self) -> str:
        return f"http://{HOST}:{self.port}"

    @property
    def address(self) -> str:
        return f"{HOST}:{self.port}"

    @property
    def config(self) -> Path:
        return self.folder / "config.yml"

    @property
    def pid(self) -> int:
        return self._process.pid if self._process is not None else 0

    @property
    def log(self) -> str:
        path = self.folder / "log"
        return path.read_text(errors="replace") if path.exists() else ""

    def start(self) -> None:
        """Start it, and wait until it answers."""
        found = shutil.which(self.program)
        if found is None:
            raise MissingMonitoringError(f"{self.program} is not installed: scripts/packages test installs it")
        with (self.folder / "log").open("ab") as log:
            self._process = subprocess.Popen(
                [found, *self.options],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                cwd=self.folder,
                start_new_session=True,
            )
        self.wait(lambda: self.status(self.ready) in self.accepts, "does not answer")

    def stop(self) -> None:
        """Kill it. Safe to call twice."""
        process, self._process = self._process, None
        if process is not None:
            with contextlib.suppress(ProcessLookupError):
                os.kill(process.pid, signal.SIGKILL)
            process.wait(10)

    def freeze(self) -> None:
        """Have it stop answering without closing anything, as a hung one does."""
        os.kill(self.pid, signal.SIGSTOP)
        # The signal reaches its threads one by one: on a busy machine one of them still answers a question or two.
        self.wait(self._stands_still, "does not stop")

    def _stands_still(self) -> bool:
        states = (file.read_text().rpartition(")")[2].split()[0] for file in Path(f"/proc/{self.pid}/task").glob("*/stat"))
        return all(state in "tT" for state in states)

    def thaw(self) -> None:
        os.kill(self.pid, signal.SIGCONT)

    def reload(self) -> None:
        """Have it read its configuration again; a broken one is refused, and the old one stays."""
        before = self.log.count("\n")
        os.kill(self.pid, signal.SIGHUP)
        self.wait(lambda: "onfiguration" in "\n".join(self.log.splitlines()[before:]), "did not reload")
        time.sleep(0.1)

    def status(self, path: str) -> int:
        try:
            with urllib.request.urlopen(f"{self.url}{path}", timeout=2) as answer:
                return int(answer.status)
        except urllib.error.HTTPError as error:
            return error.code
        except OSError:
            return 0

    def get(self, path: str) -> Any:
        with urllib.request.urlopen(f"{self.url}{path}", timeout=5) as answer:
            return json.load(answer)

    def post(self, path: str, document: object) -> Any:
        request = urllib.request.Request(
            f"{self.url}{path}", json.dumps(document).encode(), {"Content-Type": "application/json"}, method="POST"
        )
        with urllib.request.urlopen(request, timeout=5) as answer:
            text = answer.read()
        return json.loads(text) if text else None

    def wait(self, done: Callable[[], object], otherwise: str, limit: float = 30) -> None:
        until = time.monotonic() + limit
        while not done():
            if self._process is not None and self._process.poll() is not None:
                raise MissingMonitoringError(f"{self.program} ended: {self.log[-1500:]}")
            if time.monotonic() > until:
                raise MissingMonitoringError(f"{self.program}: {otherwise}: {self.log[-1500:]}")
            time.sleep(0.05)


@dataclass
class Lab:
    """Makes servers in folders of its own, and ends all of them."""

    folder: Path
    made: list[Daemon] = field(default_factory=list)

    def daemon(
        self, program: str, options: Callable[[Path, int], Sequence[str]], config: str = "", ready: str = "/-/ready"
    ) -> Daemon:
        """Prepare a program; `start()` runs it."""
        folder = self.folder / f"{program}-{len(self.made)}"
        folder.mkdir(parents=True)
        daemon = Daemon(program, folder, free_port(), ready=ready)
        daemon.options = options(folder, daemon.port)
        daemon.config.write_text(config)
        self.made.append(daemon)
        return daemon

    def prometheus(
        self,
        jobs: dict[str, Sequence[str]] | None = None,
        *,
        rules: str = "",
        alertmanagers: Sequence[str] = (),
        own: bool = True,
    ) -> Daemon:
        """Run a Prometheus that scrapes every second.

        Args:
            jobs: name to addresses.
            rules: a file of rules; it lies beside the configuration as `rules.yml`.
            alertmanagers: addresses.
            own: it scrapes itself, too (job `prometheus`).
        """
        daemon = self.daemon(
            "prometheus",
            lambda folder, port: [
                f"--config.file={folder}/config.yml",
                f"--storage.tsdb.path={folder}/data",
                f"--web.listen-address={HOST}:{port}",
                "--storage.tsdb.retention.time=1d",
                "--rules.alert.resend-delay=1s",
            ],
        )
        daemon.config.write_text(self.prometheus_config(daemon, jobs or {}, alertmanagers, own=own))
        (daemon.folder / "rules.yml").write_text(rules)
        daemon.start()
        return daemon

    @staticmethod
    def prometheus_config(daemon: Daemon, jobs: dict[str, Sequence[str]], alertmanagers: Sequence[str], *, own: bool) -> str:
        every = {**({"prometheus": [daemon.address]} if own else {}), **jobs}
        scrapes = [{"job_name": job, "static_configs": [{"targets": list(addresses)}]} for job, addresses in every.items()]
        config: dict[str, Any] = {
            "global": {"scrape_interval": "1s", "evaluation_interval": "1s", "external_labels": {"site": "lab"}},
            "rule_files": ["rules.yml"],
            "scrape_configs": scrapes,
        }
        if alertmanagers:
            config["alerting"] = {"alertmanagers": [{"static_configs": [{"targets": list(alertmanagers)}]}]}
        return json.dumps(config)  # which is YAML, too

    def alertmanager(self, webhook: str = "") -> Daemon:
        """Run an Alertmanager that has one receiver: a webhook, or nobody."""
        receiver: dict[str, Any] = {"name": "ops"}
        if webhook:
            receiver["webhook_configs"] = [{"url": webhook, "send_resolved": True}]
        route = {
            "receiver": "ops",
            "group_by": ["alertname"],
            "group_wait": "0s",
            "group_interval": "1s",
            "repeat_interval": "1s",
        }
        daemon = self.daemon(
            "prometheus-alertmanager",
            lambda folder, port: [
                f"--config.file={folder}/config.yml",
                f"--storage.path={folder}/data",
                f"--web.listen-address={HOST}:{port}",
                "--cluster.listen-address=",
            ],
            json.dumps({"route": route, "receivers": [receiver]}),
        )
        daemon.start()
        return daemon

    def exporter(self) -> Daemon:
        """Run a node exporter that tells of the load alone."""
        daemon = self.daemon(
            "prometheus-node-exporter",
            lambda _folder, port: [
                f"--web.listen-address={HOST}:{port}",
                "--collector.disable-defaults",
                "--collector.loadavg",
            ],
            ready="/metrics",
        )
        daemon.start()
        return daemon

    def victoria(self, jobs: dict[str, Sequence[str]]) -> Daemon:
        """Run a VictoriaMetrics (single node) that scrapes every second."""
        scrapes = [{"job_name": job, "static_configs": [{"targets": list(addresses)}]} for job, addresses in jobs.items()]
        daemon = self.daemon(
            "victoria-metrics",
            lambda folder, port: [
                f"-promscrape.config={folder}/config.yml",
                f"-storageDataPath={folder}/data",
                f"-httpListenAddr={HOST}:{port}",
                "-search.latencyOffset=1s",
            ],
            json.dumps({"global": {"scrape_interval": "1s"}, "scrape_configs": scrapes}),
            ready="/health",
        )
        daemon.start()
        return daemon

    def stop(self) -> None:
        for daemon in self.made:
            daemon.stop()


@pytest.fixture
def monitoring_lab(tmp_path: Path) -> Iterator[Lab]:
    """Return what makes monitoring servers; each is ended after the test."""
    lab = Lab(tmp_path / "monitoring")
    yield lab
    lab.stop()
