"""Readings and configurations of small places, with names and shapes of their own."""

from __future__ import annotations

from debugtui.config.models import Config
from debugtui.fleet.topology.build import build_topology
from debugtui.model.docker import Container, DockerReading
from debugtui.model.libvirt import LibvirtReading, StoragePool, Vm, VmDisk, VmInterface
from debugtui.model.nginx import Listen, Location, NginxReading, Server, Upstream, UpstreamServer
from debugtui.model.postgres import PostgresReading, Session
from debugtui.model.source import FleetView, Freshness, HostView, Kind, LinkState, LinkStatus, Problem, Reading, SourceStatus
from debugtui.model.system import Filesystem, HostNetwork, Socket, SystemReading
from debugtui.model.target import Target
from debugtui.model.topology import Edge, Topology
from debugtui.model.web import WebReading
from tests.unit.fakes import START, system_reading

GIB = 1 << 30


def status(host: str, kind: Kind, reading: Reading | None, name: str = "", **changes: object) -> SourceStatus:
    values: dict = {"freshness": Freshness.LIVE if reading is not None else Freshness.LOST, "reading": reading}
    return SourceStatus(host, name or kind.value, kind, **{**values, **changes})


def host(name: str, *sources: SourceStatus, address: str = "", link: LinkState = LinkState.UP, **changes: object) -> HostView:
    problem = Problem("no route to it") if link is not LinkState.UP else None
    return HostView(name, address or f"ssh://ops@{name}", LinkStatus(link, problem), sources, **changes)


def view(*hosts: HostView) -> FleetView:
    return FleetView(START, hosts)


def system(
    name: str, *, sockets: tuple[Socket, ...] | None = None, network: dict | None = None, **changes: object
) -> SystemReading:
    made = HostNetwork(**(network or {}), sockets=sockets) if sockets is not None or network else None
    return system_reading(hostname=name, network=made, **changes)


def mounted(mount: str, percent: float = 40.0) -> Filesystem:
    used = int(GIB * percent)
    return Filesystem(mount, f"/dev{mount}", "ext4", 100 * GIB, used, 100 * GIB - used, percent, 1000, 10, 1.0)


def container(name: str, **changes: object) -> Container:
    values: dict = {
        "id": (name.encode().hex() * 64)[:64],
        "name": name,
        "image": f"{name}:1",
        "image_id": f"sha256:{name}",
        "command": "run",
        "project": "",
        "service": "",
        "state": "running",
        "status": "Up 2 hours",
        "health": "none",
        "exit_code": None,
        "oom_killed": False,
        "restarts": 0,
        "restart_policy": "always",
        "looping": False,
        "created_at": None,
        "started_at": None,
        "finished_at": None,
        "networks": ("bridge",),
    }
    return Container(**{**values, **changes})


def docker(*containers: Container, root_dir: str = "") -> DockerReading:
    return DockerReading(START, "24", "1.43", "Debian", "6.1", "overlay2", "v2", root_dir, containers)


def vm(name: str, *, disk: str = "", mac: str = "", **changes: object) -> Vm:
    values: dict = {
        "name": name, "uuid": name, "id": 1, "state": "running", "reason": "booted", "vcpus": 2, "vcpus_max": 2,
        "cpu_percent": None, "memory_bytes": GIB, "memory_max_bytes": GIB, "memory_used_bytes": None, "rss_bytes": None,
        "disks": (VmDisk("vda", disk, "qcow2", None, None, None, None, None, None),) if disk else (),
        "interfaces": (VmInterface("vnet0", mac, "default", None, None),) if mac else (),
    }  # fmt: skip
    return Vm(**{**values, **changes})


def pool(name: str, path: str, left: int = 60) -> StoragePool:
    return StoragePool(name, name, True, "running", True, "dir", path, 100, 100 - left, left)


def libvirt(name: str, *vms: Vm, pools: tuple[StoragePool, ...] = ()) -> LibvirtReading:
    return LibvirtReading(START, "qemu:///system", name, "9", "QEMU", True, 8, 64 * GIB, None, vms, (), pools)


def session(client: str, application: str = "", database: str = "ledger", pid: int = 1) -> Session:
    return Session(pid, database, "app", application, client, "client backend", "idle", "", "", None, None, None, None, "")


def postgres(*sessions: Session, database: str = "ledger", **changes: object) -> PostgresReading:
    values: dict = {
        "taken_at": START, "database": database, "server_version": "15.4", "version_num": 150004, "role": "watch",
        "in_recovery": False, "started_at": None, "connections": 4, "max_connections": 100, "reserved_connections": 3,
        "sessions": sessions,
    }  # fmt: skip
    return PostgresReading(**{**values, **changes})


def nginx(
    *upstreams: Upstream, servers: tuple[Server, ...] = (), config: str = "/etc/nginx/nginx.conf", **changes: object
) -> NginxReading:
    return NginxReading(START, config, "1.22", True, master_pid=7, workers=2, servers=servers, upstreams=upstreams, **changes)


def server(name: str, port: int, *locations: tuple[str, str], **changes: object) -> Server:
    made = tuple(Location(path, to) for path, to in locations)
    values: dict = {"file": "/etc/nginx/sites/x", "line": 1, **changes}
    return Server((name,), (Listen(f"0.0.0.0:{port}", port, ours=True),), made, **values)


def upstream(name: str, *addresses: str, answers: bool | None = None) -> Upstream:
    return Upstream(name, tuple(UpstreamServer(address, answers=answers) for address in addresses))


def web(url: str, **changes: object) -> WebReading:
    return WebReading(START, url, **{"status": 200, "reason": "OK", **changes})


def listening(container_: Container, port: int, address: str = "0.0.0.0", **changes: object) -> Socket:
    return Socket(address, port, program="srv", pid=100 + port, container=container_.id, **changes)


def connected(container_: Container, peer: str, port: int, own: int = 40_000, **changes: object) -> Socket:
    return Socket("127.0.0.1", own, peer, port, program="srv", pid=99, container=container_.id, **changes)


def config(text: str = "") -> Config:
    import tomllib

    return Config.model_validate(tomllib.loads(text))


def built(*hosts: HostView, text: str = "") -> Topology:
    return build_topology(view(*hosts), config(text))


def edge(topology: Topology, above: str, below: str) -> Edge | None:
    pair = (Target.parse(above), Target.parse(below))
    return next((one for one in topology.edges if (one.above, one.below) == pair), None)


def why(topology: Topology, above: str, below: str) -> tuple[str, bool]:
    found = edge(topology, above, below)
    assert found is not None, f"no edge {above} -> {below}: {below_of(topology, above)}"
    return found.why, found.certain


def below_of(topology: Topology, above: str) -> dict[str, bool]:
    """Return what stands below a thing, host and engine apart, and whether that is certain."""
    target = Target.parse(above)
    plain = {f"{target.host}/system", f"{target.host}/docker", f"{target.host}/libvirt"}
    return {str(one.below): one.certain for one in topology.below(target) if str(one.below) not in plain}
