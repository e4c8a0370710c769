"""Readings built by hand, in the shapes that a test needs; and short ways to ask for a diagnosis."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from typing import Any

from debugtui.diagnosis.engine import diagnose
from debugtui.diagnosis.found import Memory
from debugtui.diagnosis.looked import Looked
from debugtui.model.chrome import ChromeReading, ConsoleMessage, PageRequest
from debugtui.model.diagnosis import Diagnosis
from debugtui.model.docker import Container, DockerEvent, DockerReading, Image
from debugtui.model.execution import Execution
from debugtui.model.groq import GroqCall, GroqFault, GroqReading, PassiveFigures
from debugtui.model.libvirt import LibvirtReading, StoragePool, VirtualNetwork, Vm, VmDisk
from debugtui.model.nginx import AccessFigures, ErrorGroup, NginxReading, Upstream, UpstreamServer
from debugtui.model.postgres import Index, LockNode, PostgresReading, Session, Setting, Statement, Table
from debugtui.model.source import FleetView, Freshness, HostView, Kind, LinkState, LinkStatus, Problem, Reading, SourceStatus
from debugtui.model.target import Target
from debugtui.model.tls import Certificate, DiskCertificate, Renewal, TlsReading
from debugtui.model.topology import Edge, Topology
from debugtui.model.web import Match, Timing, WebFault, WebReading
from tests.unit.fakes import START, filesystem, system_reading

__all__ = ["START", "Edge", "Execution", "GroqFault", "Target", "WebFault", "filesystem", "system_reading"]

NOW = START + timedelta(hours=1)


def ago(seconds: float) -> datetime:
    return NOW - timedelta(seconds=seconds)


def t(text: str) -> Target:
    return Target.parse(text)


# --- a world


def source(kind: Kind, reading: Reading | None = None, name: str = "", problem: str = "", **more: Any) -> SourceStatus:
    fresh = Freshness.LOST if reading is None else Freshness.STALE if problem else Freshness.LIVE
    values: dict[str, Any] = {"freshness": fresh, "problem": Problem(problem) if problem else None, **more}
    return SourceStatus("", name or kind.value, kind, reading=reading, **values)


def host(name: str, *sources: SourceStatus, link: LinkState = LinkState.UP, problem: str = "") -> HostView:
    from dataclasses import replace

    status = LinkStatus(link, Problem(problem) if problem else None, ago(30))
    return HostView(name, f"ssh://{name}", status, tuple(replace(one, host=name) for one in sources))


def view(*hosts: HostView) -> FleetView:
    return FleetView(NOW, hosts, 7)


def edges(*pairs: tuple[str, str] | tuple[str, str, bool]) -> Topology:
    rows = [Edge(t(pair[0]), t(pair[1]), "by hand", pair[2] if len(pair) > 2 else True) for pair in pairs]
    return Topology(NOW, (), tuple(rows))


def decided(
    world: FleetView,
    topology: Topology | None = None,
    *,
    looked: Looked | None = None,
    twice: bool = True,
    executions: Iterable[Execution] = (),
    history: Mapping[tuple[str, Target], datetime] | None = None,
) -> Diagnosis:
    """Diagnose a world that was seen twice, unless said otherwise."""
    seen = dict(history or {})
    if twice and not seen:
        memory = Memory()
        memory.note(world)
        seen = {key: at - timedelta(seconds=2) for key, at in memory.seen.items()}
    return diagnose(world, topology, looked=looked, history=seen, executions=executions, now=NOW)


def causes(found: Diagnosis) -> list[tuple[str, str]]:
    return [(one.layer.value, str(one.target)) for one in found.findings]


def answers(found: Diagnosis, number: int = 0) -> list[tuple[str, str, dict[str, str]]]:
    return [(one.name, str(one.target), dict(one.params)) for one in found.findings[number].remediations]


# --- host and VMs


def system(**changes: Any) -> SourceStatus:
    return source(Kind.SYSTEM, system_reading(**{"taken_at": NOW, **changes}))


def vm(name: str, state: str = "running", reason: str = "booted", **changes: Any) -> Vm:
    values: dict[str, Any] = {
        "name": name, "uuid": f"u-{name}", "id": 1, "state": state, "reason": reason, "vcpus": 2, "vcpus_max": 2,
        "cpu_percent": 10.0, "memory_bytes": 1 << 30, "memory_max_bytes": 1 << 30, "memory_used_bytes": None, "rss_bytes": None,
    }  # fmt: skip
    return Vm(**{**values, **changes})


def disk(path: str, error: str = "") -> VmDisk:
    return VmDisk("vda", path, "qcow2", 1 << 30, 1 << 29, 0.0, 0.0, 0.0, 0.0, error)


def pool(name: str, path: str, left: int = 10 << 30, *, active: bool = True) -> StoragePool:
    return StoragePool(name, name, active, "running", True, "dir", path, 100 << 30, (100 << 30) - left, left)


def network(name: str, *, active: bool = True, autostart: bool = True) -> VirtualNetwork:
    return VirtualNetwork(name, name, active, autostart, True, "virbr0", "nat")


def libvirt(*vms: Vm, pools: tuple[StoragePool, ...] = (), networks: tuple[VirtualNetwork, ...] = ()) -> SourceStatus:
    reading = LibvirtReading(
        NOW, "qemu:///system", "h", "9.0.0", "QEMU", False, 8, 64 << 30, None, vms, networks, pools
    )  # fmt: skip
    return source(Kind.LIBVIRT, reading)


# --- containers


def box(name: str, state: str = "running", **changes: Any) -> Container:
    running = state == "running"
    values: dict[str, Any] = {
        "id": f"{name}-0123456789abcdef", "name": name, "image": f"registry/{name}:2", "image_id": f"sha-{name}-2",
        "command": name, "project": "", "service": "", "state": state, "status": state,
        "health": "none", "exit_code": 0, "oom_killed": False, "restarts": 0,
        "restart_policy": "no", "looping": False, "created_at": ago(86_400), "started_at": ago(3_600),
        "finished_at": None if running else ago(40),
    }  # fmt: skip
    return Container(**{**values, **changes})


def event(action: str, name: str, seconds: float, detail: str = "", kind: str = "container") -> DockerEvent:
    return DockerEvent(ago(seconds), kind, action, name, detail)


def docker(
    *boxes: Container, events: tuple[DockerEvent, ...] = (), images: tuple[Image, ...] = (), root: str = ""
) -> SourceStatus:
    reading = DockerReading(NOW, "27", "1.47", "Debian", "6.1", "overlay2", "2", root or "/var/lib/docker", boxes, images)
    from dataclasses import replace

    return source(Kind.DOCKER, replace(reading, events=events))


# --- databases


def session(pid: int, state: str = "active", application: str = "app", seconds: float = 1.0, **changes: Any) -> Session:
    values: dict[str, Any] = {
        "pid": pid, "database": "shop", "user": "shop", "application": application, "client": "local",
        "backend_type": "client backend", "state": state, "wait_event_type": "", "wait_event": "",
        "backend_start": ago(4_000), "xact_start": ago(seconds + 1), "query_start": ago(seconds),
        "state_change": ago(seconds), "query": "UPDATE orders SET a = 1",
    }  # fmt: skip
    return Session(**{**values, **changes})


def node(
    pid: int, depth: int, *, state: str = "active", waits: float | None = None, waiters: int = 0, **changes: Any
) -> LockNode:
    values: dict[str, Any] = {
        "pid": pid, "depth": depth, "parent": None, "application": "app", "user": "shop", "state": state, "query": "q",
        "lock_mode": "ShareLock" if depth else "", "lock_on": "row of public.orders, transaction 7" if depth else "",
        "held": "" if depth else "RowExclusiveLock on public.orders", "waits_s": waits, "age_s": 60.0, "waiters": waiters,
    }  # fmt: skip
    return LockNode(**{**values, **changes})


def chain(root: int = 4711, state: str = "idle in transaction", waits: float = 60.0, **more: Any) -> dict[str, Any]:
    """Return the readings of a session that blocks two others."""
    sessions = (
        session(root, state, "batch", waits + 20),
        session(root + 1, "active", "api", waits, blocked_by=(root,)),
        session(root + 2, "active", "api", waits - 1, blocked_by=(root,)),
    )
    locks = (
        node(root, 0, state=state, waiters=2, application="batch"),
        node(root + 1, 1, waits=waits, application="api"),
        node(root + 2, 1, waits=waits - 1, application="api"),
    )
    return {"sessions": sessions, "locks": locks, **more}


def postgres(name: str = "shop", **changes: Any) -> SourceStatus:
    values: dict[str, Any] = {
        "taken_at": NOW, "database": name, "server_version": "15.8", "version_num": 150_008, "role": "monitor",
        "in_recovery": False, "started_at": ago(90_000), "connections": 9, "max_connections": 100,
        "reserved_connections": 3,
    }  # fmt: skip
    return source(Kind.POSTGRES, PostgresReading(**{**values, **changes}), name)


def index(name: str, *, valid: bool = True) -> Index:
    return Index("public", "orders", name, 8192, 0, valid, False, False, False, "CREATE INDEX")


def setting(name: str, value: str, unit: str = "", default: str = "") -> Setting:
    return Setting(name, value, unit, default, "configuration file", "user", False)


def table(name: str, **changes: Any) -> Table:
    values: dict[str, Any] = {
        "schema": "public", "name": name, "size_bytes": 1 << 20, "live": 100_000, "dead": 0, "dead_percent": 0.0,
        "bloat_bytes": None, "seq_scans": 10, "seq_rows": 10, "index_scans": 100, "last_vacuum": None,
        "last_analyze": None, "xid_age": 1,
    }  # fmt: skip
    return Table(**{**values, **changes})


def statement(query: str, mean_ms: float, calls: int = 100) -> Statement:
    return Statement("1", query, "shop", calls, mean_ms, 2 * mean_ms, calls * mean_ms, 1, 99.0)


# --- web


def web(
    name: str = "front", status: int | None = 200, *, wanted: int = 200, fault: WebFault | None = None, **more: Any
) -> SourceStatus:
    matches = () if status is None else (Match("status", str(wanted), str(status), status == wanted),)
    values: dict[str, Any] = {
        "taken_at": NOW, "url": "http://127.0.0.1:8080/", "fault": fault, "status": status,
        "matches": matches, "timing": Timing(1.0, None, 50.0, 60.0),
    }  # fmt: skip
    return source(Kind.WEB, WebReading(**{**values, **more}), name)


def slow_web(name: str = "front", ms: float = 4_000.0) -> SourceStatus:
    return web(name, timing=Timing(1.0, None, ms, ms + 5))


def nginx(name: str = "main", *, upstreams: tuple[Upstream, ...] = (), master: int | None = 77, **changes: Any) -> SourceStatus:
    values: dict[str, Any] = {
        "taken_at": NOW, "config": "/etc/nginx/nginx.conf", "config_ok": True, "master_pid": master, "workers": 2,
        "started_at": ago(9_000), "config_changed_at": ago(10_000), "upstreams": upstreams,
    }  # fmt: skip
    return source(Kind.NGINX, NginxReading(**{**values, **changes}), name)


def upstream(name: str, **answers: bool) -> Upstream:
    """Return an upstream: `port_8001=False` is a server at 127.0.0.1:8001 that accepts nothing."""
    servers = tuple(UpstreamServer(f"127.0.0.1:{key.rpartition('_')[2]}", answers=value) for key, value in answers.items())
    return Upstream(name, servers)


def refused_upstream(address: str, seconds: float = 5.0, count: int = 9) -> ErrorGroup:
    words = (
        "*1 connect() failed (111: Connection refused) while connecting to upstream, client: 127.0.0.1, server: _, request: "
        f'"GET / HTTP/1.1", upstream: "http://{address}/", host: "x"'
    )
    return ErrorGroup("error", count, words, ago(seconds))


def access(share_5xx: float) -> AccessFigures:
    return AccessFigures(200, 1.0, 0.0, share_5xx)


def certificate(days: float, started: float = 30.0) -> Certificate:
    return Certificate(
        "CN=shop.example", "CN=ca", ("shop.example",), "1", NOW - timedelta(days=started), NOW + timedelta(days=days), days,
        f"f{days}", "RSA 2048",
    )  # fmt: skip


def tls(days: float = 60.0, name: str = "front", **changes: Any) -> SourceStatus:
    values: dict[str, Any] = {
        "taken_at": NOW, "address": "127.0.0.1:8443", "server_name": "shop.example", "served": certificate(days),
        "trusted": True, "name_matches": True,
    }  # fmt: skip
    return source(Kind.TLS, TlsReading(**{**values, **changes}), name)


def on_disk(days: float) -> DiskCertificate:
    return DiskCertificate("/etc/ssl/shop.pem", certificate(days, started=1.0))


def renewal(name: str = "shop.example", failure: str = "") -> Renewal:
    return Renewal(name, "webroot", True, None, failure, ago(100) if failure else None)


def chrome(name: str = "front", console: tuple[ConsoleMessage, ...] = (), failed: tuple[PageRequest, ...] = ()) -> SourceStatus:
    reading = ChromeReading(NOW, "http://127.0.0.1:8080/", status=200, console=console, requests=9, failed=failed)
    return source(Kind.CHROME, reading, name)


def exception(text: str = "TypeError: x is undefined", file: str = "app.js") -> ConsoleMessage:
    return ConsoleMessage("exception", text, f"http://127.0.0.1:8080/{file}", 2, 9)


def request(path: str, status: int | None = None, kind: str = "fetch", failure: str = "") -> PageRequest:
    return PageRequest("GET", f"http://127.0.0.1:8080{path}", kind, status, failure)


# --- Groq


def groq(
    *faults: GroqFault | None, name: str = "assistant", passive: tuple[PassiveFigures, ...] = (), **changes: Any
) -> HostView:
    """Return the place of the Groq API with one use of it whose newest probes ended so, oldest first."""
    calls = tuple(
        GroqCall(ago(60 - at), fault, "says", 200 if fault is None else None, total_ms=300.0) for at, fault in enumerate(faults)
    )
    values: dict[str, Any] = {
        "taken_at": NOW, "base_url": "https://api.groq.com", "probe": "models", "model": "llama", "models": 9,
        "newest": calls[-1] if calls else None, "calls": calls, "passive": passive,
    }  # fmt: skip
    return host("groq", source(Kind.GROQ, GroqReading(**{**values, **changes}), name))
