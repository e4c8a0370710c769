"""Holds the servers of the tests open, to look at them by hand, and ends them at ctrl+c.

    .venv/bin/pytest tests/services/hold.py -s -k docker      # or: ssh, postgres, libvirt, everything

It prints the command that opens the screen on them. No run of the tests collects this file by itself.
"""

from __future__ import annotations

import signal
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.services.docker_engine import Cast, DockerEngine
from tests.services.libvirt_host import LibvirtHost
from tests.services.postgres_server import PostgresServer, lock_chain
from tests.services.ssh_server import SshServer

pytestmark = pytest.mark.timeout(0)

Hold = Callable[..., None]


@pytest.fixture
def hold(tmp_path: Path) -> Iterator[Hold]:
    """Return a function that writes a configuration, says how to use it, and waits."""

    def wait(*, address: str = 'address = "local"', libvirt: str = "", docker: str = "", postgres: str = "") -> None:
        lines = ["[[hosts]]", 'name = "lab"', address]
        lines.append(f'libvirt = "{libvirt}"' if libvirt else "libvirt = false")
        lines.append(f'docker = "{docker}"' if docker else "docker = false")
        if postgres:
            lines += ["  [[hosts.postgres]]", '  name = "coach"', f'  dsn = "{postgres}"']
        config = tmp_path / "config.toml"
        config.write_text("\n".join(lines) + "\n", encoding="utf-8")
        program = Path(sys.executable).with_name("debugtui")
        print(f"\n\n{config.read_text()}\nin another terminal: {program} --config {config}\nhere: ctrl+c ends it\n", flush=True)
        signal.sigwait({signal.SIGINT, signal.SIGTERM})

    # Only the main thread may take the signal, and only here: a server that shares the terminal is ended by its fixture.
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT, signal.SIGTERM})
    yield wait
    signal.pthread_sigmask(signal.SIG_SETMASK, before)


def through(server: SshServer) -> str:
    return f'address = "{server.address}"\nidentity = "{server.key}"\nknown_hosts = "{server.known_hosts}"'


def test_ssh(ssh_server: SshServer, hold: Hold) -> None:
    hold(address=through(ssh_server))


def test_docker(docker_engine: DockerEngine, docker_cast: Cast, hold: Hold) -> None:
    print(f"\nDOCKER_HOST={docker_engine.url} docker ps")
    hold(docker=f"unix://{docker_engine.socket}")


def test_libvirt(libvirt_host: LibvirtHost, hold: Hold) -> None:
    print(f"\nvirsh -c '{libvirt_host.uri}' list --all")
    hold(libvirt=libvirt_host.uri)


async def test_postgres(postgres_server: PostgresServer, hold: Hold) -> None:
    print(f"\npsql '{postgres_server.dsn(user='postgres')}'")
    async with lock_chain(postgres_server):
        hold(postgres=postgres_server.dsn())


async def test_everything(
    ssh_server: SshServer,
    docker_engine: DockerEngine,
    docker_cast: Cast,
    libvirt_host: LibvirtHost,
    postgres_server: PostgresServer,
    hold: Hold,
) -> None:
    async with lock_chain(postgres_server):
        hold(
            address=through(ssh_server),
            libvirt=libvirt_host.uri,
            docker=f"unix://{docker_engine.socket}",
            postgres=postgres_server.dsn(),
        )
