"""What runs and serves badly: a container or a VM that gives no answer, a container that answers with an error of its own.

It is only called the cause where nothing explains it: a lock, a server that it waits for, its own state.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from debugtui.diagnosis.anomaly import ROUTE, Anomaly, Aspect, Role
from debugtui.diagnosis.own.making import anomaly
from debugtui.model.docker import DockerReading
from debugtui.model.libvirt import LibvirtReading
from debugtui.model.nginx import NginxReading
from debugtui.model.source import FleetView, Kind
from debugtui.model.target import Target
from debugtui.model.topology import Edge, Topology


def with_silent(anomalies: Sequence[Anomaly], view: FleetView, topology: Topology) -> tuple[Anomaly, ...]:
    """Return the anomalies, and one for each thing that runs and lets those wait who ask it, or answers with an error."""
    readings = dict(_running(view))
    found: dict[Target, Anomaly] = {}
    for waiting in anomalies:
        box = _answering(waiting, topology)
        if box is not None and box in readings:
            found.setdefault(box, _failing(box, waiting))
        for edge, address in _asked(waiting, topology):
            path = readings.get(edge.below)
            if path is not None and edge.certain:
                found.setdefault(edge.below, _silent(edge.below, path, address, waiting))
    for nginx, path, waiting in _proxies(anomalies, view, topology):
        found.setdefault(nginx, _silent(nginx, path, "", waiting))
    return (*anomalies, *(found[target] for target in sorted(found, key=str)))


def _proxies(anomalies: Sequence[Anomaly], view: FleetView, topology: Topology) -> Iterator[tuple[Target, str, Anomaly]]:
    """Yield each nginx that runs and answers at none of its several addresses, whatever stands behind them."""
    late = {one.node: one for one in anomalies if one.rule == "web_down" and one.fact("fault") == "timeout"}
    for host in view.hosts:
        for status in host.of_kind(Kind.NGINX):
            nginx = Target(host.name, Kind.NGINX, status.name)
            routes = {edge.above for edge in topology.above(nginx) if edge.above.kind == Kind.WEB}
            runs = isinstance(status.reading, NginxReading) and status.reading.master_pid is not None
            if runs and len(routes) > 1 and routes <= late.keys():
                yield nginx, "master_pid", late[min(routes, key=str)]


def _asked(waiting: Anomaly, topology: Topology) -> Iterator[tuple[Edge, str]]:
    """Yield what somebody waits for in vain: behind the address that a proxy names, or right behind a route."""
    if waiting.rule == "nginx_passing" and waiting.aspect is Aspect.SLOW and waiting.fact("address"):
        address = waiting.fact("address")
        for edge in topology.edges:
            proxy = edge.above.host == waiting.target.host and edge.above.kind == Kind.NGINX
            if proxy and edge.above.name.partition("/")[0] == waiting.target.name and f" {address} " in f" {edge.why} ":
                yield edge, address
    elif waiting.target.kind in ROUTE and waiting.fact("fault") == "timeout":
        below = topology.below(waiting.node)
        if not any(edge.below.kind == Kind.NGINX for edge in below):
            yield from ((edge, waiting.fact("url")) for edge in below)


def _answering(failed: Anomaly, topology: Topology) -> Target | None:
    """Return the one container behind a route that answers 500; None where it may be another one, or the proxy itself."""
    if failed.rule != "web_status" or failed.fact("status") != "500":
        return None
    settled = {edge.below for edge in topology.below(failed.node) if edge.settled}
    found: set[Target] = set()
    seen, waiting = {failed.node}, [failed.node]
    while waiting:
        here = waiting.pop()
        for edge in topology.below(here):
            if edge.below in seen or (edge.passes and here in settled):
                continue
            seen.add(edge.below)
            if edge.below.kind == Kind.DOCKER and edge.below.name:
                found.add(edge.below)
                if not edge.certain:
                    return None
            elif edge.below.kind == Kind.NGINX:
                waiting.append(edge.below)
    return found.pop() if len(found) == 1 else None


def _running(view: FleetView) -> Iterator[tuple[Target, str]]:
    """Yield what runs, as far as its own system says, and where that is read."""
    for host in view.hosts:
        for status in host.sources:
            if isinstance(status.reading, DockerReading):
                for box in status.reading.containers:
                    if box.state == "running":
                        yield Target(host.name, Kind.DOCKER, box.name), f"containers[{box.name}].state"
            elif isinstance(status.reading, LibvirtReading):
                for vm in status.reading.vms:
                    if vm.state == "running":
                        yield Target(host.name, Kind.LIBVIRT, vm.name), f"vms[{vm.name}].state"


def _silent(target: Target, path: str, address: str, waiting: Anomaly) -> Anomaly:
    says = f"{target.name} runs, and gives no answer{f' at {address}' if address else ''}"
    return anomaly(
        "silent", target, Aspect.SLOW, Role.SUPPORT, says, reading=path, at=waiting.at, since=waiting.since, points=64,
        title=says,
    )  # fmt: skip


def _failing(target: Target, failed: Anomaly) -> Anomaly:
    says = f"{target.name} answers requests with 500"
    return anomaly(
        "failing", target, Aspect.ERRORS, Role.SUPPORT, says, reading=failed.reading, at=failed.at, source=failed.source,
        points=62, title=says, status="500",
    )  # fmt: skip
