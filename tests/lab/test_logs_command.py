"""`debugtui logs` against real servers: a container, an nginx, a PostgreSQL and a journal in one order."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from tests.lab.log_tools import write_journal
from tests.services.docker_engine import DockerEngine
from tests.services.nginx_server import NginxServer
from tests.services.postgres_server import PostgresServer, running_server

SECRET = "hunter2hunter2"


@pytest.fixture(scope="module")
def server() -> Iterator[PostgresServer]:
    settings = {"logging_collector": "on", "log_destination": "csvlog", "log_file_mode": "0644"}
    with running_server(settings=settings) as one:
        yield one


@pytest.fixture
def lab(
    tmp_path: Path, docker_engine: DockerEngine, make_nginx: Callable[..., NginxServer], server: PostgresServer
) -> Iterator[Path]:
    """A configuration of a host with all of it, each of which has said something with a secret in it."""
    nginx = make_nginx()
    nginx.site("front", f'server {{ listen 127.0.0.1:{nginx.port}; location / {{ return 200 "ok"; }} }}')
    nginx.start()
    urllib.request.urlopen(f"{nginx.url}/page?token={SECRET}", timeout=5).read()
    docker_engine.run("dt-said", "sh", "-c", f"echo 'ERROR login password={SECRET}'; while true; do echo tick; sleep 0.2; done")
    journal = tmp_path / "journal"
    journal.mkdir()
    now = datetime.now(UTC)
    write_journal(
        journal,
        "one",
        [{"at": now - timedelta(seconds=5), "MESSAGE": f"api_key={SECRET}", "PRIORITY": 4, "SYSLOG_IDENTIFIER": "coach"}],
    )
    subprocess.run(
        [
            "psql",
            "-h",
            str(server.socket_dir),
            "-p",
            str(server.port),
            "-U",
            "app",
            "-c",
            f"SELECT nope /* password '{SECRET}' */",
            "coach",
        ],
        capture_output=True,
        check=False,
        timeout=20,
    )
    config = tmp_path / "config.toml"
    config.write_text(
        f'[[hosts]]\nname = "here"\naddress = "local"\nlibvirt = false\nsystem = false\ndocker = "{docker_engine.url}"\n'
        f'journal = "{journal}"\n'
        f'[[hosts.postgres]]\nname = "coach"\ndsn = "{server.dsn()}"\n'
        f'[[hosts.web]]\nname = "front"\nurl = "{nginx.url}/"\nnginx = "{nginx.config}"\n'
    )
    yield config
    docker_engine.docker("rm", "-f", "dt-said")


def program(config: Path, *arguments: str) -> list[str]:
    return [sys.executable, "-m", "debugtui", "--config", str(config), "logs", *arguments]


def run(config: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(program(config, *arguments), capture_output=True, text=True, timeout=60, check=False)


def test_every_log_of_a_host_comes_in_order_and_without_secrets(lab: Path) -> None:
    done = run(lab, "here", "--since", "2m", "--json")
    assert done.returncode == 0, done.stderr
    lines = [json.loads(row) for row in done.stdout.splitlines()]
    assert {line["kind"] for line in lines} == {"docker", "nginx", "postgres", "journal"}
    times = [line["at"] for line in lines]
    assert times == sorted(times)
    assert SECRET not in done.stdout + done.stderr
    assert any(line["origin"] == "main access" and "/page" in line["text"] for line in lines)
    assert any(line["origin"] == "coach log" and "nope" in line["text"] and line["level"] == "error" for line in lines)
    assert any(line["target"] == "here/docker/dt-said" and line["level"] == "error" for line in lines)
    assert any(line["origin"] == "journal" and line["level"] == "warning" for line in lines)


def test_level_text_and_targets_choose(lab: Path) -> None:
    done = run(lab, "here/docker/dt-said", "here/journal", "--since", "5m", "--level", "warning")
    assert done.returncode == 0, done.stderr
    words = sorted(row.split()[2] for row in done.stdout.splitlines())
    assert words == ["dt-said", "journal"]
    grep = run(lab, "here/docker/dt-said", "--grep", "/^ti.k$/", "--tail", "3")
    assert [row.rpartition(" ")[2] for row in grep.stdout.splitlines()] == ["tick"] * 3
    bounded = run(lab, "here/docker/dt-said", "--limit", "2")
    assert len(bounded.stdout.splitlines()) == 2
    assert "more lines" in bounded.stderr


@pytest.mark.parametrize("sign", [signal.SIGINT, signal.SIGTERM])
def test_following_ends_cleanly(lab: Path, sign: signal.Signals) -> None:
    process = subprocess.Popen(
        program(lab, "here/docker/dt-said", "-f", "--json"), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    assert process.stderr is not None
    ticks = [json.loads(process.stdout.readline()) for _ in range(5)]
    process.send_signal(sign)
    rest, said = process.communicate(timeout=15)
    assert process.returncode == 0, said
    assert said == ""
    assert all(json.loads(row) for row in rest.splitlines())
    assert ticks[-1]["text"] == "tick"


def test_a_reader_that_has_enough_is_no_fault(lab: Path) -> None:
    process = subprocess.Popen(
        program(lab, "here/docker/dt-said", "-f"), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    assert process.stderr is not None
    process.stdout.readline()
    process.stdout.close()
    until = time.monotonic() + 15
    while process.poll() is None and time.monotonic() < until:
        time.sleep(0.05)
    assert process.returncode == 0
    assert process.stderr.read() == ""
    process.stderr.close()


@pytest.mark.parametrize(
    ("arguments", "code", "says"),
    [
        (("elsewhere",), 2, "no such host: elsewhere"),
        (("here/docker",), 0, ""),
        (("here/docker/absent",), 3, "absent"),
        (("here/redis/x",), 2, "no log"),
        (("here/",), 2, "a target is HOST/KIND/NAME"),
        (("here", "--since", "soon"), 2, "is no time"),
        (("here", "--since", "5m", "--until", "10m"), 2, "before"),
        (("here", "--grep", "/(a+)+/"), 2, "repeat"),
        ((), 2, "Missing argument"),
    ],
)
def test_what_cannot_be_done_is_said_with_its_exit_code(lab: Path, arguments: tuple[str, ...], code: int, says: str) -> None:
    done = run(lab, *arguments)
    assert done.returncode == code, done.stderr
    assert says in done.stderr
    assert "Traceback" not in done.stderr
    assert os.path.exists(lab)
