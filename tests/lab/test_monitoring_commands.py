"""`debugtui check` and `debugtui query` with real monitoring servers, behind a host and beside the hosts."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

from debugtui.alerts.book import AlertBook
from debugtui.config.load import load
from debugtui.demo.grafana_emulator import EmulatedSource
from debugtui.fleet.build import build_fleet
from debugtui.headless.check import document, judge, read_once
from debugtui.model.source import Kind
from debugtui.model.target import Target
from tests.lab.link_tools import Answers
from tests.lab.monitoring_tools import FAILING, RULES, read_until, server
from tests.services.grafana_server import TOKEN, grafana_server
from tests.services.loki_server import loki_server
from tests.services.prometheus_server import Daemon, Lab
from tests.services.ssh_server import HOST, SshServer, free_port

ROOT = Path(__file__).parents[2]


def written(folder: Path, sshd: SshServer, *tables: str) -> Path:
    """A configuration with one host that nothing but its link is watched of."""
    file = folder / "config.toml"
    host = f"""
        [[hosts]]
        name = "kvm-lab"
        address = "{sshd.address}"
        identity = "{sshd.key}"
        known_hosts = "{sshd.known_hosts}"
        libvirt = false
        docker = false
        system = false
        journal = false
    """
    file.write_text("\n".join([host, *tables]), encoding="utf-8")
    return file


def table(kind: str, name: str, url: str, *more: str) -> str:
    return "\n".join([f"[[{kind}]]", f'name = "{name}"', f'url = "{url}"', *more])


def run(config: Path, *args: str) -> subprocess.CompletedProcess[str]:
    argv = [sys.executable, "-m", "debugtui", "--config", str(config), *args]
    return subprocess.run(argv, capture_output=True, text=True, timeout=60, check=False, cwd=ROOT, stdin=subprocess.DEVNULL)


@pytest.fixture
def prometheus(monitoring_lab: Lab) -> Daemon:
    return monitoring_lab.prometheus()


async def test_check_names_each_fault_of_the_monitoring(
    monitoring_lab: Lab, ssh_server: SshServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GRAFANA_TOKEN", TOKEN)
    dead = f"{HOST}:{free_port()}"
    alertmanager = monitoring_lab.alertmanager(f"http://{dead}/hook")
    prometheus = monitoring_lab.prometheus(
        {"node": [dead, f"{HOST}:{free_port()}"]}, rules=RULES + FAILING, alertmanagers=[alertmanager.address]
    )
    held = server("alertmanager", alertmanager.url)
    await read_until(held, lambda one: len(one.alerts) == 2 and any(way.failed for way in one.integrations))
    source = server("prometheus", prometheus.url)
    await read_until(source, lambda one: any(rule.health == "err" for rule in one.rules))
    await held.close()
    await source.close()
    broken = EmulatedSource("db", "Coach database", "postgres", fails="connection refused")
    async with loki_server() as loki, grafana_server(broken) as grafana:
        loki.not_ready = "Ingester not ready: waiting for 15s after being ready"
        file = written(
            tmp_path,
            ssh_server,
            table("prometheus", "prom", prometheus.url, 'via = "kvm-lab"'),
            table("alertmanager", "am", alertmanager.url, 'via = "kvm-lab"'),
            table("loki", "logs", loki.url),
            table("grafana", "boards", grafana.url, 'token = {env = "GRAFANA_TOKEN"}'),
        )
        fleet = build_fleet(load(file), Answers())
        try:
            await read_once(fleet)
            view = fleet.view()
        finally:
            await fleet.close_sources()
            await fleet.stop()
    alerts = AlertBook().update(view)
    told = {(alert.rule, str(alert.target)) for alert in alerts}
    assert told == {
        ("prometheus_target_down", "kvm-lab/prometheus/prom/node"),
        ("prometheus_rule_failing", "kvm-lab/prometheus/prom/odd/Twins"),
        ("alertmanager_notify_failing", "kvm-lab/alertmanager/am/webhook"),
        *(("alertmanager_alert", f"kvm-lab/alertmanager/am/TargetDown/{one}") for one in instances(prometheus)),
        ("loki_not_ready", "monitoring/loki/logs"),
        ("grafana_datasource_down", "monitoring/grafana/boards/Coach database"),
    }
    checked = json.loads(json.dumps(document(view, alerts, judge(view, alerts))))
    assert [host["name"] for host in checked["hosts"]] == ["kvm-lab", "monitoring"]
    reading = checked["hosts"][0]["sources"][0]["reading"]
    assert reading["by_health"]["down"] == 2
    series = fleet.series(Target("kvm-lab", Kind.PROMETHEUS, "prom"), "down")
    assert list(series.values) == [2.0]


def instances(prometheus: Daemon) -> list[str]:
    found = prometheus.get("/api/v1/targets")["data"]["activeTargets"]
    return [one["labels"]["instance"] for one in found if one["health"] == "down"]


def test_check_of_one_host_reads_the_servers_behind_it_alone(prometheus: Daemon, ssh_server: SshServer, tmp_path: Path) -> None:
    file = written(
        tmp_path,
        ssh_server,
        table("prometheus", "prom", prometheus.url, 'via = "kvm-lab"'),
        table("loki", "far", f"http://{HOST}:{free_port()}"),
    )
    done = run(file, "check", "--json", "--host", "kvm-lab")
    found = json.loads(done.stdout)
    assert [(host["name"], [source["name"] for source in host["sources"]]) for host in found["hosts"]] == [
        ("kvm-lab", ["prom"])
    ]
    assert done.returncode == 0, done.stdout + done.stderr
    lost = json.loads(run(file, "check", "--json").stdout)
    assert [(alert["rule"], alert["target"]) for alert in lost["alerts"]] == [("source_lost", "monitoring/loki/far")]
    assert lost["status"] == "unknown"


def test_query_answers_over_the_link_in_text_and_json(prometheus: Daemon, ssh_server: SshServer, tmp_path: Path) -> None:
    file = written(tmp_path, ssh_server, table("prometheus", "prom", prometheus.url, 'via = "kvm-lab"'))
    prometheus.wait(lambda: prometheus.get("/api/v1/query?query=up")["data"]["result"], "has no sample")
    done = run(file, "query", "up * 7")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == f'             7  {{instance="{prometheus.address}", job="prometheus"}}\n'
    found = json.loads(run(file, "query", "up", "--range", "1m", "--step", "15s", "--json").stdout)
    assert (found["version"], found["target"], found["kind"]) == (1, "kvm-lab/prometheus/prom", "matrix")
    assert found["series"][0]["values"][-1][1] == "1"
    refused = run(file, "query", "sum(")
    assert (refused.returncode, refused.stdout) == (1, "")
    assert refused.stderr == "1:5: parse error: unclosed left parenthesis\n"


@pytest.mark.parametrize(
    ("args", "status", "says"),
    [
        (["up"], 2, "--prometheus NAME is needed; there are: one, two"),
        (["up", "--prometheus", "three"], 2, "no Prometheus has this name"),
        (["up", "--step", "15s"], 2, "--step needs --range"),
        (["up", "--range", "soon"], 2, "must be a duration"),
        (["up", "--prometheus", "one"], 3, "prometheus cannot be reached"),
        (["up", "--prometheus", "one", "--range", "1d", "--step", "1s"], 1, "more than 2000 points"),
    ],
)
def test_query_says_what_cannot_be_asked(
    args: Sequence[str], status: int, says: str, ssh_server: SshServer, tmp_path: Path
) -> None:
    nobody = f"http://{HOST}:{free_port()}"
    file = written(tmp_path, ssh_server, table("prometheus", "one", nobody), table("prometheus", "two", nobody))
    done = run(file, "query", *args)
    assert (done.returncode, done.stdout) == (status, "")
    assert says in done.stderr
