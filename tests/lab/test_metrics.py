"""`debugtui metrics` as a program: printed once, checked by promtool, scraped by a real Prometheus, ended by a signal."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from prometheus_client.parser import text_string_to_metric_families

from tests.services.journal_files import JournalFiles
from tests.services.redis_server import RedisServer
from tests.services.ssh_server import HOST, SshServer, free_port

PROGRAM = [sys.executable, "-m", "debugtui"]


class MissingPrometheusError(RuntimeError):
    """prometheus is not installed. A test that needs it fails; it is never skipped."""


def program(name: str) -> str:
    found = shutil.which(name)
    if found is None:
        raise MissingPrometheusError(f"{name} is not installed: scripts/packages test installs it")
    return found


@pytest.fixture
def config(
    tmp_path: Path,
    make_redis: Callable[..., RedisServer],
    journal_files: JournalFiles,
    make_ssh_server: Callable[..., SshServer],
) -> Path:
    """A host that is reached through a real sshd, with a real Redis and real journal files."""
    redis, ssh = make_redis("maxmemory 50mb"), make_ssh_server()
    redis.send_all([("LPUSH", "jobs:mail", "x")] * 1_500)
    redis.send("LPUSH", b'odd "one"\\\nx', "x")
    journal_files.error(10, "api.service").error(5_000, "old.service")
    path = tmp_path / "config.toml"
    path.write_text(
        f"""
[[hosts]]
name = "kvm-01"
address = "{ssh.address}"
identity = "{ssh.key}"
known_hosts = "{ssh.known_hosts}"
libvirt = false
docker = false
journal = "{journal_files.write()}"
  [[hosts.redis]]
  name = "cache"
  url = "{redis.url}"
  queues = ["jobs:*", "odd*"]
""",
        encoding="utf-8",
    )
    return path


def environment(folder: Path) -> dict[str, str]:
    return {**os.environ, "HOME": str(folder), "XDG_STATE_HOME": str(folder / "state")}


def once(config: Path) -> subprocess.CompletedProcess[str]:
    argv = [*PROGRAM, "--config", str(config), "metrics", "--once"]
    return subprocess.run(argv, capture_output=True, text=True, timeout=60, env=environment(config.parent), check=False)


@contextmanager
def serving(config: Path, *options: str) -> Iterator[tuple[str, subprocess.Popen[str]]]:
    """Run it; yield the address that it says."""
    argv = [*PROGRAM, "--config", str(config), "metrics", *(options or ("--listen", f"{HOST}:0"))]
    process = subprocess.Popen(argv, stderr=subprocess.PIPE, text=True, env=environment(config.parent))
    try:
        assert process.stderr is not None
        said = process.stderr.readline()
        found = re.search(r"http://\S+", said)
        assert found is not None, said
        yield found.group(), process
    finally:
        process.kill()
        process.communicate(timeout=10)


def fetch(url: str) -> str:
    with urllib.request.urlopen(url, timeout=10) as answer:
        return str(answer.read().decode())


def until(done: Callable[[], Any], seconds: float = 20) -> Any:
    end = time.monotonic() + seconds
    while True:
        found = done()
        if found:
            return found
        assert time.monotonic() < end, "it did not come to that"
        time.sleep(0.2)


def test_once_prints_valid_metrics_and_ends(config: Path) -> None:
    done = once(config)
    assert (done.returncode, done.stderr) == (0, "")
    families = {family.name: family for family in text_string_to_metric_families(done.stdout)}
    queues = {sample.labels["queue"]: sample for sample in families["debugtui_queue_messages"].samples}
    assert queues["jobs:mail"].value == 1_500
    assert queues["jobs:mail"].labels == {"host": "kvm-01", "kind": "redis", "server": "cache", "queue": "jobs:mail"}
    (alerts,) = (s.value for s in families["debugtui_alerts"].samples if s.labels["severity"] == "high")
    assert alerts >= 1
    assert families["debugtui_journal_error_lines"].samples[0].value == 1
    assert families["debugtui_host_cpus"].samples[0].value >= 1
    assert all(sample.value == 1 for sample in families["debugtui_source_up"].samples)
    checked = subprocess.run(
        [program("promtool"), "check", "metrics"], input=done.stdout, capture_output=True, text=True, timeout=60
    )
    assert (checked.returncode, checked.stdout, checked.stderr) == (0, "", "")


def test_a_real_prometheus_scrapes_it(config: Path, tmp_path: Path) -> None:
    with serving(config) as (url, _):
        scrape = tmp_path / "prometheus.yml"
        target = url.removeprefix("http://").removesuffix("/metrics")
        scrape.write_text(
            f"global: {{scrape_interval: 1s}}\nscrape_configs: [{{job_name: d, static_configs: [{{targets: ['{target}']}}]}}]\n"
        )
        port = free_port()
        argv = [program("prometheus"), f"--config.file={scrape}", f"--storage.tsdb.path={tmp_path / 'tsdb'}"]
        with (tmp_path / "prometheus.log").open("wb") as log:
            prometheus = subprocess.Popen([*argv, f"--web.listen-address={HOST}:{port}"], stdout=log, stderr=log)
        try:

            def ask(query: str) -> list[dict[str, Any]]:
                try:
                    answer = json.loads(fetch(f"http://{HOST}:{port}/api/v1/query?query={query}"))
                except OSError:
                    return []
                return list(answer["data"]["result"])

            (row,) = until(lambda: ask("debugtui_queue_messages%7Bqueue=%22jobs:mail%22%7D"))
            assert row["value"][1] == "1500"
            assert row["metric"]["server"] == "cache"
            assert ask("up")[0]["value"][1] == "1"
            odd = {one["metric"]["queue"] for one in ask("debugtui_queue_messages")}
            assert odd == {"jobs:mail", 'odd "one"\\\u240ax'}
        finally:
            prometheus.kill()
            prometheus.wait(10)


def test_readings_go_on_while_a_client_hangs_and_a_signal_ends_it_all(config: Path) -> None:
    with serving(config) as (url, process):
        host, _, port = url.removeprefix("http://").removesuffix("/metrics").rpartition(":")
        with socket.create_connection((host, int(port))) as hanging:
            hanging.sendall(b"GET /metrics HT")  # and never goes on
            until(lambda: 'debugtui_source_up{host="kvm-01",kind="redis",source="cache"} 1.0' in fetch(url))
            began = time.monotonic()
            assert "debugtui_build_info" in fetch(url)
            assert time.monotonic() - began < 2
            process.send_signal(signal.SIGTERM)
            assert process.wait(10) == 0
        assert process.stderr is not None
        assert "this machine only" in process.stderr.read()
        with pytest.raises(OSError, match="refused"):
            fetch(url)


def test_a_taken_address_and_a_wrong_one_are_said(config: Path) -> None:
    with socket.socket() as owner:
        owner.bind((HOST, 0))
        owner.listen()
        listen = f"{HOST}:{owner.getsockname()[1]}"
        argv = [*PROGRAM, "--config", str(config), "metrics", "--listen"]
        taken = subprocess.run([*argv, listen], capture_output=True, text=True, timeout=30, check=False)
        assert taken.returncode == 3
        assert f"cannot listen on {listen}" in taken.stderr
        for wrong in ("9847", "127.0.0.1:", "127.0.0.1:http", ":9847", "127.0.0.1:99999"):
            done = subprocess.run([*argv, wrong], capture_output=True, text=True, timeout=30, check=False)
            assert done.returncode == 2, wrong
            assert "ADDRESS:PORT" in done.stderr


def test_an_open_address_is_said_to_be_one(config: Path) -> None:
    with serving(config, "--listen", "0.0.0.0:0") as (_, process):
        assert process.stderr is not None
        assert "neither password nor TLS" in process.stderr.readline()
