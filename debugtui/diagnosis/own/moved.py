"""A container that was made anew and listens somewhere else now: what looks for it finds nobody, and is not at fault itself."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import NamedTuple

from debugtui.diagnosis.anomaly import Anomaly, Aspect, Role
from debugtui.diagnosis.names import akin
from debugtui.diagnosis.own.making import anomaly, span
from debugtui.diagnosis.producers import LATELY
from debugtui.diagnosis.reach import Reach
from debugtui.model.docker import Container, DockerReading
from debugtui.model.nginx import NginxReading
from debugtui.model.prometheus import PrometheusReading
from debugtui.model.source import FleetView, HostView, Kind
from debugtui.model.system import Socket, SystemReading
from debugtui.model.target import Target

#: What does not run, and may be what is looked for.
_GONE = ("container_removed", "container_not_running")

#: A container that may have moved, and the ports at which it can be reached.
_Free = tuple[Target, Container, set[int]]

#: One of several containers counts as the last that was made when the others are older by so much.
APART = timedelta(seconds=30)

_PUBLISHED = re.compile(r":(\d{1,5})->")


def with_moved(anomalies: Sequence[Anomaly], view: FleetView, reach: Reach) -> tuple[Anomaly, ...]:
    """Return the anomalies, and one for each container that is known to have moved away from where it is looked for."""
    found: dict[Target, Anomaly] = {}
    boxes = [one for one in anomalies if one.target.kind == Kind.DOCKER]
    troubled = {one.node for one in boxes if one.role is not Role.SUPPORT}
    gone = {one.target.host for one in boxes if _gone(one)}
    for seeker in anomalies:
        if seeker.rule != "nginx_upstream" or seeker.fact("partly"):
            continue
        host = next((one for one in view.hosts if one.name == seeker.target.host), None)
        known = Known(troubled, gone, _looked_for(view))
        moved = _moved(seeker, host, reach, known) if host is not None else None
        if moved is not None:
            found.setdefault(moved.target, moved)
    seen = {host.name for host in view.hosts if _sockets(host)}
    told = [_listening(one) if one.rule == "container_remade" and one.target.host in seen else one for one in anomalies]
    return (*told, *(found[target] for target in sorted(found, key=str)))


def _listening(made: Anomaly) -> Anomaly:
    """Note that it is known where a container that was made anew listens: that it is not found there is told, or is not so."""
    return replace(made, facts=(*made.facts, ("listens", "known")))


class Known(NamedTuple):
    """Containers in trouble, the hosts where one is gone that may be meant, and the ports at which somebody is found."""

    troubled: set[Target]
    gone: set[str]
    looked_for: set[int]


def _gone(box: Anomaly) -> bool:
    """Whether a container does not run any more, since lately, and was no job that is done: it may be what is looked for."""
    lately = box.since is not None and box.at - box.since < LATELY
    return box.rule in _GONE and lately and not box.fact("done")


def _moved(seeker: Anomaly, host: HostView, reach: Reach, known_of: Known) -> Anomaly | None:
    """Return the one container that has to be meant: made after the configuration, well, and where nobody looks for it."""
    changed = next((one.config_changed_at for one in _nginx(host, seeker.target)), None)
    addresses = [one for one in seeker.fact("addresses").split(",") if one]
    sockets = _sockets(host)
    if changed is None or not addresses or not sockets:
        return None
    below, troubled = reach.of(seeker), known_of.troubled
    if troubled & set(below):
        return None  # what has to serve is known, and is in trouble itself
    free = []
    for container in _containers(host):
        target = Target(host.name, Kind.DOCKER, container.name)
        ports = _ports(container, sockets)
        newer = container.created_at is not None and container.created_at > changed
        if newer and container.state == "running" and target not in troubled and ports and not ports & known_of.looked_for:
            free.append((target, container, ports))
    if any(target.host == host.name for target in troubled):
        free = [one for one in free if one[0] in below]  # somebody else may be the one that is looked for
    # What stands behind another upstream of the same nginx is not surely meant where something else is missing.
    surely = reach.below(seeker.target) if host.name in known_of.gone else below
    known = [one for one in free if one[0] in surely]
    name = seeker.target.name.rpartition("/")[2]
    named = [one for one in free if one[1].service == name] or [one for one in free if akin(name, one[1].name)]
    # Where any container of the host is in trouble, or gone, it may be that one which is missed: no guess then.
    alone = [] if host.name in known_of.gone or any(one.host == host.name for one in troubled) else free
    for candidates, points in ((known, 66), (named, 66), (_last(alone), 52)):
        if len(candidates) == 1:
            return _anomaly(*candidates[0], addresses, seeker, points)
        if candidates:
            return None
    return None


def _last(free: list[_Free]) -> list[_Free]:
    """Return only the one that was made after all others, where it was: what came before has proven itself."""
    made = sorted((one[1].created_at for one in free if one[1].created_at is not None), reverse=True)
    if len(made) < 2 or made[0] - made[1] < APART:
        return free
    return [one for one in free if one[1].created_at == made[0]]


def _anomaly(
    target: Target, container: Container, ports: set[int], addresses: Sequence[str], seeker: Anomaly, points: int
) -> Anomaly:
    where = ", ".join(str(port) for port in sorted(ports)[:3])
    made = _ago(container.created_at, seeker.at)
    return anomaly(
        "container_moved", target, Aspect.CONFIG, Role.CAUSE,
        f"{container.name} was made anew {made} and listens at {where}; it is looked for at {', '.join(addresses[:3])}",
        reading=f"containers[{container.name}].created_at", at=seeker.at, since=container.created_at, points=points,
        severity=seeker.severity, expected=",".join(addresses), image=container.image,
        title=f"{container.name} listens at {where} since it was made anew; it is looked for at {', '.join(addresses[:3])}",
    )  # fmt: skip


def _ago(then: datetime | None, now: datetime) -> str:
    return f"{span((now - then).total_seconds())} ago" if then is not None else ""


def _looked_for(view: FleetView) -> set[int]:
    """Return the ports at which somebody is looked for and found, by nginx or Prometheus: who listens there has not moved."""
    found = set()
    for host in view.hosts:
        for status in host.sources:
            reading = status.reading
            if isinstance(reading, NginxReading):
                servers = [one for upstream in reading.upstreams for one in upstream.servers]
                found |= {_port(one.address) for one in servers if one.answers}
                places = [place for server in reading.servers for place in server.locations if "://" in place.to]
                found |= {_port(place.to.partition("://")[2].partition("/")[0]) for place in places}
            elif isinstance(reading, PrometheusReading):
                found |= {_port(one.instance) for one in reading.targets or () if one.health == "up"}
    return found


def _port(address: str) -> int:
    text = address.rpartition(":")[2]
    return int(text) if text.isascii() and text.isdigit() else 80


def _ports(container: Container, sockets: Sequence[Socket]) -> set[int]:
    """Return where a container can be reached: the sockets of its own processes, and the ports that it publishes."""
    own = {one.port for one in sockets if one.container == container.id and not one.peer_port and one.open}
    published = {int(match[1]) for port in container.ports if (match := _PUBLISHED.search(port)) is not None}
    return own | published


def _sockets(host: HostView) -> tuple[Socket, ...]:
    for status in host.of_kind(Kind.SYSTEM):
        if isinstance(status.reading, SystemReading) and status.reading.network is not None:
            return status.reading.network.sockets or ()
    return ()


def _containers(host: HostView) -> Iterator[Container]:
    for status in host.of_kind(Kind.DOCKER):
        if isinstance(status.reading, DockerReading):
            yield from status.reading.containers


def _nginx(host: HostView, target: Target) -> Iterator[NginxReading]:
    for status in host.of_kind(Kind.NGINX):
        if status.name == target.name.partition("/")[0] and isinstance(status.reading, NginxReading):
            yield status.reading
