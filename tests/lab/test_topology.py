"""A real engine, a real nginx and a real PostgreSQL: what is read of them leads from the route down to the database."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from debugtui.config.ask import NobodyToAsk
from debugtui.config.load import read_text
from debugtui.config.models import Config
from debugtui.fleet.build import build_fleet
from debugtui.fleet.topology.build import build_topology
from debugtui.fleet.topology.catalogue import build_catalogue
from debugtui.headless.check import read_once
from debugtui.headless.topology import document
from debugtui.model.catalogue import Catalogue
from debugtui.model.target import Target
from debugtui.model.topology import Edge, NodeState, Topology
from debugtui.sources.system.source import SystemSource
from tests.lab.outer_tools import local
from tests.services.docker_engine import HOSTILE, DockerEngine
from tests.services.nginx_server import NginxServer
from tests.services.postgres_server import PostgresServer
from tests.services.ssh_server import HOST, free_port

SECRET = "hunter2sEcret"


@dataclass
class Place:
    """What is there."""

    engine: DockerEngine
    nginx: NginxServer
    postgres: PostgresServer
    port: int
    config: Config


def compose(service: str, *more: str) -> tuple[str, ...]:
    labels = {"com.docker.compose.project": "till", "com.docker.compose.service": service}
    return (*(word for name, text in labels.items() for word in ("--label", f"{name}={text}")), *more)


def containers(engine: DockerEngine, port: int, database: PostgresServer) -> None:
    """Start an application in the host's network that listens and is connected, a worker beside it, a hostile stranger."""
    serves = (
        f"busybox sleep 600 | busybox nc {HOST} {database.port} & "
        f"mkdir -p /tmp/site; echo well > /tmp/site/index.html; exec busybox httpd -f -p {HOST}:{port} -h /tmp/site"
    )
    url = f"postgresql://app:{SECRET}@{HOST}:{database.port}/coach"
    engine.run(
        "till-app-1", "sh", "-c", serves, network="host",
        options=compose(
            "app", "-e", f"DATABASE_URL={url}", "-e", f"PORT={port}", "--label", "debugtui.owner=Team Till",
            "--label", "com.docker.compose.depends_on=worker:service_started:false",
        ),
    )  # fmt: skip
    engine.run("till-worker-1", "sleep", "600", options=compose("worker"))
    engine.run("stranger", "sleep", "600", options=("--label", f"debugtui.owner={HOSTILE}", "-e", f"API_HOST={HOSTILE}"))


@pytest.fixture
def place(
    docker_engine: DockerEngine, make_nginx: Callable[..., NginxServer], postgres_server: PostgresServer, tmp_path: Path
) -> Iterator[Place]:
    port, nginx = free_port(), make_nginx()
    nginx.site(
        "till",
        f"""
        upstream tills {{ server {HOST}:{port}; }}
        server {{ listen {HOST}:{nginx.port}; server_name till.test; location / {{ proxy_pass http://tills; }} }}
        """,
    )
    nginx.start()
    containers(docker_engine, port, postgres_server)
    text = f"""
        [[hosts]]
        name = "pine"
        address = "local"
        libvirt = false
        journal = false
        docker = "{docker_engine.url}"
        postgres = [{{name = "sales", dsn = "{postgres_server.tcp_dsn()}"}}]
        web = [{{name = "till", url = "{nginx.url}/", nginx = "{nginx.config}"}}]
        """
    try:
        yield Place(docker_engine, nginx, postgres_server, port, read_text(text, tmp_path / "config.toml").config)
    finally:
        docker_engine.remove_all()


async def look(config: Config) -> tuple[Topology, Catalogue]:
    fleet = build_fleet(config, NobodyToAsk())
    try:
        await read_once(fleet)
        view = fleet.view()
    finally:
        await fleet.close_sources()
        await fleet.stop()
    topology = build_topology(view, config)
    return topology, build_catalogue(view, config, topology)


def edge(topology: Topology, above: str, below: str) -> Edge:
    pair = (Target.parse(above), Target.parse(below))
    found = [one for one in topology.edges if (one.above, one.below) == pair]
    assert found, [str(one.below) for one in topology.below(pair[0])]
    return found[0]


async def test_real_readings_lead_from_the_route_to_the_database(place: Place) -> None:
    session = await place.postgres.connect(server_settings={"application_name": "till-worker"})
    try:
        topology, catalogue = await look(place.config)
    finally:
        await session.close()
    assert edge(topology, "pine/web/till", "pine/nginx/main").certain
    assert edge(topology, "pine/nginx/main", "pine/nginx/main/tills").certain
    serving = edge(topology, "pine/nginx/main/tills", "pine/docker/till-app-1")
    # Only root sees whose process holds a socket; for others the environment tells where the application listens.
    assert serving.certain is (os.geteuid() == 0), serving.why
    assert edge(topology, "pine/docker/till-app-1", "pine/postgres/sales").certain
    assert edge(topology, "pine/docker/till-app-1", "pine/docker/till-worker-1").why.startswith("Compose:")
    assert not edge(topology, "pine/docker/till-worker-1", "pine/postgres/sales").certain
    assert edge(topology, "pine/postgres/sales", "pine/system").certain
    states = {str(node.target): node.state for node in topology.nodes}
    assert states["pine/web/till"] is NodeState.OK
    assert states["pine/docker/till-app-1"] is NodeState.OK
    service = next(one for one in catalogue.services if one.name == "till")
    assert service.owner == "Team Till"
    owned = [str(target) for target in service.resources]
    routes = ["pine/web/till", "pine/nginx/main", "pine/nginx/main/tills"] if os.geteuid() == 0 else []
    assert owned == [*routes, "pine/docker/till-app-1", "pine/docker/till-worker-1", "pine/postgres/sales"]


async def test_a_stopped_container_is_still_what_the_route_leads_to(place: Place) -> None:
    place.engine.docker("stop", "-t", "1", "till-app-1")
    topology, _ = await look(place.config)
    serving = edge(topology, "pine/nginx/main/tills", "pine/docker/till-app-1")
    assert not serving.certain
    states = {str(node.target): node.state for node in topology.nodes}
    assert states["pine/docker/till-app-1"] is NodeState.DOWN
    assert states["pine/nginx/main/tills"] is NodeState.DOWN
    assert states["pine/web/till"] is NodeState.DOWN


async def test_no_secret_and_no_hostile_text_comes_through(place: Place) -> None:
    topology, catalogue = await look(place.config)
    told = json.dumps(document(topology, catalogue), ensure_ascii=False)
    assert SECRET not in told
    assert "\x1b" not in told
    assert "\u202e" not in told
    below = {str(one.below) for one in topology.edges if one.above == Target("pine", "docker", "stranger")}
    assert below == {"pine/docker", "pine/system"}


_DISGUISED = """
import ctypes, socket, sys
ctypes.CDLL(None).prctl(15, b'x",pid=1', 0, 0, 0)
server = socket.create_server(("127.0.0.1", int(sys.argv[1])))
print("ready", flush=True)
sys.stdin.read()
"""


async def test_a_process_cannot_pass_for_another_by_its_name() -> None:
    port = free_port()
    argv = [sys.executable, "-c", _DISGUISED, str(port)]
    with subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"ready\n"
        async with local() as link:
            reading = await SystemSource(link).read(full=True)
        assert reading.network is not None
        found = [one for one in reading.network.sockets or () if one.port == port]
        process.communicate()
    assert [(one.pid, one.program) for one in found] == [(process.pid, "x__pid_1")]
