"""The lab's Prometheus and Alertmanager, real ones."""

from __future__ import annotations

import json
import signal
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

from tests.scenarios.lab.programs import LabError, Program, lasting_port, program, status_of, until

_PROMETHEUS = """\
global:
  scrape_interval: 1s
  scrape_timeout: 900ms
  evaluation_interval: 1s
rule_files: [{rules}]
{alerting}
scrape_configs:
  - job_name: prometheus
    static_configs: [{{targets: ["127.0.0.1:{own}"]}}]
  - job_name: shop-api
    static_configs: [{{targets: ["127.0.0.1:{api}"]}}]
  - job_name: exporter
    static_configs: [{{targets: ["127.0.0.1:{exporter}"]}}]
"""
_ALERTING = """\
alerting:
  alertmanagers: [{{static_configs: [{{targets: ["127.0.0.1:{port}"]}}]}}]
"""
_RULES = """\
groups:
  - name: shop
    rules:
      - record: shop:load
        expr: {load}
      - alert: ShopIsBusy
        expr: shop:load > 1000000
"""
_ALERTMANAGER = """\
route: {receiver: nobody}
receivers: [{name: nobody}]
"""


def _json(url: str, timeout: float = 3) -> Any:
    with urllib.request.urlopen(url, timeout=timeout) as answer:
        return json.load(answer)


class Monitoring:
    """Prometheus scrapes the API, the exporter and itself, and sends to the Alertmanager."""

    def __init__(self, folder: Path, api_port: int, exporter_port: int) -> None:
        folder.mkdir(parents=True)
        self.folder, self._api, self._exporter = folder, api_port, exporter_port
        self.port, self.alertmanager_port = lasting_port(), lasting_port()
        self.prometheus = Program(
            [
                program("prometheus", "prometheus"),
                f"--config.file={folder}/prometheus.yml",
                f"--storage.tsdb.path={folder}/data",
                f"--web.listen-address=127.0.0.1:{self.port}",
                "--log.level=warn",
            ],
            folder / "prometheus.log",
            lambda: status_of(f"{self.url}/-/ready") == 200,
        )
        self.alertmanager = Program(
            [
                program("prometheus-alertmanager", "prometheus-alertmanager"),
                f"--config.file={folder}/alertmanager.yml",
                f"--storage.path={folder}/am",
                f"--web.listen-address=127.0.0.1:{self.alertmanager_port}",
                "--cluster.listen-address=",
                "--log.level=warn",
            ],
            folder / "alertmanager.log",
            lambda: status_of(f"{self.alertmanager_url}/-/ready") == 200,
        )

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def alertmanager_url(self) -> str:
        return f"http://127.0.0.1:{self.alertmanager_port}"

    def write(self, *, api_port: int = 0, load: str = "max(node_load1)", alerting: bool = True) -> None:
        """Write the configuration as it should be, or with a fault; nothing is reloaded."""
        text = _PROMETHEUS.format(
            rules=self.folder / "rules.yml",
            own=self.port,
            api=api_port or self._api,
            exporter=self._exporter,
            alerting=_ALERTING.format(port=self.alertmanager_port) if alerting else "",
        )
        (self.folder / "prometheus.yml").write_text(text)
        (self.folder / "rules.yml").write_text(_RULES.format(load=load))
        (self.folder / "alertmanager.yml").write_text(_ALERTMANAGER)

    def start(self) -> None:
        self.write()
        self.alertmanager.start()
        self.prometheus.start()

    def reload(self) -> None:
        """Have Prometheus take its files."""
        self.prometheus.send(signal.SIGHUP)

    def target(self, job: str) -> str:
        """The health of a job's target: `up`, `down`, `unknown`."""
        try:
            active = _json(f"{self.url}/api/v1/targets?state=active")["data"]["activeTargets"]
        except (OSError, urllib.error.URLError):
            return ""
        return next((str(one["health"]) for one in active if one["labels"]["job"] == job), "")

    def rule_health(self) -> set[str]:
        groups = _json(f"{self.url}/api/v1/rules")["data"]["groups"]
        return {str(rule["health"]) for group in groups for rule in group["rules"]}

    def alertmanagers(self) -> int:
        """How many Alertmanagers Prometheus sends to."""
        return len(_json(f"{self.url}/api/v1/alertmanagers")["data"]["activeAlertmanagers"])

    def wait_healthy(self, timeout: float = 15) -> None:
        """Wait until every target is up, every rule is evaluated, and alerts would be sent."""
        until(lambda: self.prometheus.ready() and self.alertmanager.ready(), timeout, "the monitoring to be ready")
        for job in ("prometheus", "shop-api", "exporter"):
            until(lambda job=job: self.target(job) == "up", timeout, f"target {job} to be up")
        until(lambda: self.rule_health() == {"ok"}, timeout, "rules to be evaluated")
        until(lambda: self.alertmanagers() == 1, timeout, "Prometheus to know its Alertmanager")

    def assert_healthy(self) -> None:
        if not (self.prometheus.running and self.alertmanager.running):
            raise LabError("Prometheus or the Alertmanager does not run")
        self.wait_healthy()

    def stop(self) -> None:
        self.prometheus.stop()
        self.alertmanager.stop()
