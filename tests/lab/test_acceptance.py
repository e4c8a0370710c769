"""The whole program against real servers, as an operator starts it: the command line, and the screen in a terminal.

One host is reached over a real sshd; through it a real Docker engine, libvirt with a booted guest, and PostgreSQL.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pyte
import pytest

from benchmarks.terminal import Terminal, python
from tests.services.docker_engine import DockerEngine
from tests.services.libvirt_host import LibvirtHost
from tests.services.postgres_server import PostgresServer, lock_chain
from tests.services.ssh_server import SshServer

ROOT = Path(__file__).parents[2]
GUEST = "lab-web"
#: A fault must be on the screen, and healing too, within this many seconds.
SOON = 10.0


@pytest.fixture
def own_sshd(make_ssh_server: Callable[..., SshServer]) -> SshServer:
    return make_ssh_server()


@pytest.fixture
def config(
    tmp_path: Path, own_sshd: SshServer, docker_engine: DockerEngine, libvirt_host: LibvirtHost, postgres_server: PostgresServer
) -> Path:
    file = tmp_path / "config.toml"
    file.write_text(
        f"""
        [ui]
        refresh = "1s"
        [[hosts]]
        name = "kvm-lab"
        address = "{own_sshd.address}"
        identity = "{own_sshd.key}"
        known_hosts = "{own_sshd.known_hosts}"
        libvirt = "{libvirt_host.uri}"
        docker = "unix://{docker_engine.socket}"
          [[hosts.postgres]]
          name = "coach"
          dsn = "{postgres_server.dsn()}"
        """,
        encoding="utf-8",
    )
    return file


@pytest.fixture
def env(tmp_path: Path) -> dict[str, str]:
    return {"HOME": str(tmp_path), "XDG_STATE_HOME": str(tmp_path), "PYTHONPATH": str(ROOT)}


def check(config: Path, env: dict[str, str], *more: str) -> tuple[int, dict[str, Any]]:
    command = [sys.executable, "-m", "debugtui", "--config", str(config), "check", "--json", *more]
    done = subprocess.run(
        command, env={**os.environ, **env}, capture_output=True, timeout=90, stdin=subprocess.DEVNULL, check=False
    )
    assert done.stdout, done.stderr.decode()
    return done.returncode, json.loads(done.stdout)


def sources_of(document: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return {source["name"]: source for source in document["hosts"][0]["sources"]}


def test_check_reads_every_layer_over_one_ssh_connection(
    config: Path, env: dict[str, str], docker_engine: DockerEngine
) -> None:
    name = docker_engine.run("acceptance-api", "sleep", "600")
    try:
        code, document = check(config, env)
    finally:
        docker_engine.remove(name)
    sources = sources_of(document)
    assert document["version"] == 1
    assert document["hosts"][0]["link"] == {"state": "up", "error": None}
    assert {source["kind"] for source in sources.values()} == {"system", "libvirt", "docker", "postgres"}
    assert {name: source["freshness"] for name, source in sources.items()} == dict.fromkeys(sources, "live")
    assert all(source["error"] is None and source["took_ms"] > 0 for source in sources.values())
    assert sources["system"]["reading"]["cpu_percent"] is not None
    guests = {vm["name"]: vm for vm in sources["libvirt"]["reading"]["vms"]}
    assert guests[GUEST]["state"] == "running"
    containers = {one["name"]: one for one in sources["docker"]["reading"]["containers"]}
    assert containers["acceptance-api"]["state"] == "running"
    assert sources["coach"]["reading"]["max_connections"] > 0
    assert code in (0, 1, 2)
    assert document["status"] == ("ok", "warning", "critical")[code]


async def test_check_shows_a_lock_chain_with_its_root(
    config: Path, env: dict[str, str], postgres_server: PostgresServer
) -> None:
    import asyncio

    async with lock_chain(postgres_server, waiters=2) as chain:
        _, document = await asyncio.to_thread(check, config, env, "--source", "coach")
    locks = sources_of(document)["coach"]["reading"]["locks"]
    assert locks[0]["pid"] == chain.root
    assert locks[0]["waiters"] >= 2
    assert {node["depth"] for node in locks} >= {0, 1}


def test_what_cannot_be_read_is_unknown(config: Path, env: dict[str, str], own_sshd: SshServer) -> None:
    own_sshd.stop()
    code, document = check(config, env)
    assert (code, document["status"]) == (3, "unknown")
    assert document["hosts"][0]["link"]["state"] in ("lost", "refused")
    assert str(own_sshd.port) in document["hosts"][0]["link"]["error"]


class Screen:
    """The program's screen as a person reads it."""

    def __init__(self, config: Path, env: dict[str, str]) -> None:
        self.terminal = Terminal(python("-m", "debugtui", "--config", str(config)), columns=160, lines=48, env=env)
        self.screen = pyte.Screen(160, 48)
        self._stream = pyte.ByteStream(self.screen)
        self._fed = 0

    def text(self) -> str:
        """Return what is on the screen after everything that was sent so far."""
        self.terminal.read(0.1)
        self._stream.feed(bytes(self.terminal.output[self._fed :]))
        self._fed = len(self.terminal.output)
        return "\n".join(self.screen.display)

    def until(self, pattern: str, seconds: float = SOON, *, gone: bool = False) -> float:
        """Wait until the pattern is on the screen (or gone from it); return how long that took."""
        began = time.monotonic()
        while time.monotonic() - began < seconds:
            if bool(re.search(pattern, self.text())) is not gone:
                return time.monotonic() - began
        raise AssertionError(f"{pattern!r} {'still' if gone else 'not'} on the screen after {seconds} s:\n{self.text()}")


@pytest.fixture
def screen(config: Path, env: dict[str, str]) -> Iterator[Screen]:
    screen = Screen(config, env)
    try:
        screen.until(rf"{GUEST}\s+running", 20)
        screen.until(r"◆ coach", 20)
        yield screen
    finally:
        status = screen.terminal.close()
    assert status in (0, 143), f"ended with {status}"


@pytest.mark.timeout(180)
def test_a_killed_sshd_shows_and_heals(screen: Screen, own_sshd: SshServer) -> None:
    own_sshd.stop()
    screen.until(r"✖ kvm-lab\s+lost")
    screen.until(r"VMs .*lost \d\d:\d\d")
    own_sshd.start()
    screen.until(r"● kvm-lab\s+(<?\d+ %|-)", 20)
    screen.until(r"VMs .* live")


@pytest.mark.timeout(180)
def test_a_stopped_docker_engine_shows_and_heals(screen: Screen, docker_engine: DockerEngine) -> None:
    docker_engine.stop()
    try:
        screen.until(r"Containers .*(stale|lost)")
    finally:
        docker_engine.start()
    screen.until(r"Containers .* live")


@pytest.mark.timeout(180)
def test_a_restarted_postgres_shows_and_heals(screen: Screen, postgres_server: PostgresServer) -> None:
    postgres_server.stop()
    try:
        screen.until(r"PostgreSQL locks .*(stale|lost)")
    finally:
        postgres_server.start()
    screen.until(r"PostgreSQL locks .* live")


@pytest.mark.timeout(180)
def test_a_paused_guest_shows_and_heals(screen: Screen, libvirt_host: LibvirtHost) -> None:
    libvirt_host.suspend(GUEST)
    try:
        screen.until(rf"{GUEST}\s+paused")
    finally:
        libvirt_host.resume(GUEST)
    screen.until(rf"{GUEST}\s+running")


@pytest.mark.timeout(180)
async def test_a_lock_chain_shows_as_a_tree_and_goes(screen: Screen, postgres_server: PostgresServer) -> None:
    import asyncio

    async with lock_chain(postgres_server, waiters=2) as chain:
        await asyncio.to_thread(screen.until, rf"{chain.root} .*idle in transaction")
        await asyncio.to_thread(screen.until, r"[├└] \d+ ")
    await asyncio.to_thread(screen.until, r"[├└] \d+ ", SOON, gone=True)
