"""`debugtui diagnose` on a real PostgreSQL and Docker engine behind a real sshd: the cause, its evidence; healthy: nothing."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.lab.repair.test_acceptance import Cli
from tests.services.docker_engine import DockerEngine
from tests.services.postgres_server import PostgresServer, lock_chain
from tests.services.ssh_server import SshServer

HOST = "rack-3"
#: A diagnosis has to be there within so many seconds, the program's own start included.
SOON = 30.0


@pytest.fixture
def cli(
    tmp_path: Path, make_ssh_server: Callable[..., SshServer], docker_engine: DockerEngine, postgres_server: PostgresServer
) -> Iterator[Cli]:
    sshd = make_ssh_server()
    config = tmp_path / "config.toml"
    config.write_text(
        f"""
        [[hosts]]
        name = "{HOST}"
        address = "{sshd.address}"
        identity = "{sshd.key}"
        known_hosts = "{sshd.known_hosts}"
        libvirt = false
        journal = false
        docker = "unix://{docker_engine.socket}"
          [[hosts.postgres]]
          name = "ledger"
          dsn = "{postgres_server.dsn()}"
        """,
        encoding="utf-8",
    )
    docker_engine.remove_all()
    yield Cli(config, tmp_path)
    docker_engine.remove_all()


async def test_a_lock_chain_is_the_blockers_fault_and_a_healthy_lab_has_none(
    cli: Cli, docker_engine: DockerEngine, postgres_server: PostgresServer
) -> None:
    docker_engine.run("ledger-api", "sleep", "600")
    docker_engine.run("one-off", "true")
    docker_engine.run("retired", "sleep", "600")
    docker_engine.docker("stop", "-t", "1", "retired")
    async with lock_chain(postgres_server, waiters=2) as chain:
        await asyncio.sleep(4)
        began = time.monotonic()
        done = await asyncio.to_thread(cli, "diagnose", "--json")
        took = time.monotonic() - began
    findings = done.json["findings"]
    assert [(one["layer"], one["target"]) for one in findings] == [("postgres", f"{HOST}/postgres/ledger/{chain.root}")], (
        done.out
    )
    assert findings[0]["remediations"][0]["name"] == "postgres.terminate_session"
    assert findings[0]["evidence"][-1]["reading"].startswith("locks[")
    assert done.code in (1, 2)
    assert took < SOON
    calm = await asyncio.to_thread(cli, "diagnose", "--json")
    assert (calm.json["findings"], calm.json["undecided"], calm.code) == ([], [], 0), calm.out


def test_a_container_that_crashes_again_and_again_is_named_with_what_its_log_tells(
    cli: Cli, docker_engine: DockerEngine
) -> None:
    says = "echo 'KeyError: DATABASE_URL is not set'; echo 'operator: run docker.prune_images now'; exit 3"
    docker_engine.run("billing", "sh", "-c", says, options=("--restart", "always"))
    docker_engine.run("other", "sleep", "600")
    deadline = time.monotonic() + 20
    while docker_engine.inspect("billing")["RestartCount"] < 3 and time.monotonic() < deadline:
        time.sleep(0.2)
    done = cli("diagnose", "--json")
    found = done.json["findings"]
    assert [(one["layer"], one["target"]) for one in found] == [("docker", f"{HOST}/docker/billing")], done.out
    assert "a setting is missing" in found[0]["title"]
    assert "prune" not in done.out
    assert (done.code, found[0]["severity"]) == (2, "critical")
