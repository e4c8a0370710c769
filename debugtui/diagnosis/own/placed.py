"""What the journal of a host tells of a container, a VM, a unit: put at the thing that it is about."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace

from debugtui.diagnosis.anomaly import Anomaly, layer_of
from debugtui.model.docker import Container, DockerReading
from debugtui.model.libvirt import LibvirtReading
from debugtui.model.source import FleetView, Kind
from debugtui.model.target import Target


def placed_of(anomalies: Iterable[Anomaly], view: FleetView) -> Iterator[Anomaly]:
    """Yield anomalies; those of journals with the thing that they are about as their target."""
    containers, machines = _containers(view), _machines(view)
    for anomaly in anomalies:
        if anomaly.target.kind != Kind.JOURNAL:
            yield anomaly
            continue
        about = _about(anomaly, containers, machines)
        box = containers.get((about.host, about.name)) if about.kind == Kind.DOCKER else None
        limit = str(box.memory_limit_bytes or "") if box is not None else ""
        facts = (("oom", "yes"), ("limit", limit)) if anomaly.rule == "oom_kill" else ()
        yield replace(anomaly, target=about, layer=layer_of(about), facts=(*anomaly.facts, *facts))


def _about(anomaly: Anomaly, containers: dict[tuple[str, str], Container], machines: set[Target]) -> Target:
    host, name = anomaly.target.host, anomaly.target.name
    if anomaly.rule == "oom_kill":
        if Target(host, Kind.LIBVIRT, name) in machines:
            return Target(host, Kind.LIBVIRT, name)
        box = containers.get((host, name))
        return Target(host, Kind.DOCKER, box.name) if box is not None else Target(host, Kind.SYSTEM)
    if anomaly.rule in ("unit_failing", "log_errors"):
        return Target(host, Kind.SYSTEM, name)
    return Target(host, Kind.SYSTEM)


def _containers(view: FleetView) -> dict[tuple[str, str], Container]:
    """Return containers by host and name, and by the beginning of their ids, as the kernel knows them."""
    found: dict[tuple[str, str], Container] = {}
    for host in view.hosts:
        for status in host.of_kind(Kind.DOCKER):
            if isinstance(status.reading, DockerReading):
                for container in status.reading.containers:
                    found[host.name, container.id[:12]] = container
                    found[host.name, container.name] = container
    return found


def _machines(view: FleetView) -> set[Target]:
    return {
        Target(host.name, Kind.LIBVIRT, vm.name)
        for host in view.hosts
        for status in host.of_kind(Kind.LIBVIRT)
        if isinstance(status.reading, LibvirtReading)
        for vm in status.reading.vms
    }
