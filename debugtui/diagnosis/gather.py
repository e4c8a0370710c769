"""The second look: read-only, bounded, and only at what is suspicious. Reads through the sources and links of the fleet."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, TypeVar, cast

from debugtui.diagnosis import host_look
from debugtui.diagnosis.anomaly import Anomaly, Role
from debugtui.diagnosis.clues import Clue, clues_of
from debugtui.diagnosis.looked import Looked
from debugtui.diagnosis.reach import Reach
from debugtui.fleet.topology.facts import facts_of
from debugtui.fleet.topology.places import Places
from debugtui.hosts.link import LinkError
from debugtui.model.docker import Container, DockerReading
from debugtui.model.logs import LogLine
from debugtui.model.source import FleetView, Kind
from debugtui.model.target import NO_HOSTS, Target
from debugtui.model.topology import Topology
from debugtui.sources.base import SourceError

if TYPE_CHECKING:
    from debugtui.config.models import Config
    from debugtui.fleet.fleet import Fleet
    from debugtui.sources.docker.source import DockerSource

#: Seconds for one look; all of them are made at the same time.
LOOK_S = 4.0
#: Most logs that are read, lines of each, and how far back in a container that runs.
MOST_LOGS, LINES = 12, 200
BACK = timedelta(minutes=10)

_SHORT_OF = frozenset({"disk", "inodes", "pool_full", "vm_io_error", "cpu", "overload", "memory", "memory_exhausted"})
#: What gives no answer may be stopped.
_SILENT = frozenset({"lost_hangs", "nginx_passing"})

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Wanted:
    """What is worth a look: containers whose logs are read, and hosts."""

    containers: tuple[Target, ...]
    hosts: tuple[str, ...]


def wanted(anomalies: Sequence[Anomaly], topology: Topology) -> Wanted:
    """Return what to look at: containers in trouble and behind routes that fail, hosts short of something or silent."""
    reach = Reach(topology)
    first = [
        one.target for one in anomalies if one.target.kind == Kind.DOCKER and one.target.name and one.role is not Role.SUPPORT
    ]
    behind = [
        below
        for one in anomalies
        if one.role is not Role.SUPPORT and one.target.kind in (Kind.WEB, Kind.CHROME, Kind.NGINX, Kind.GROQ)
        for below in reach.of(one)
        if below.kind == Kind.DOCKER and below.name
    ]
    quiet = [one.target for one in anomalies if one.target.kind == Kind.DOCKER and one.target.name and one.role is Role.SUPPORT]
    containers = list(dict.fromkeys([*sorted(first), *sorted(behind), *sorted(quiet)]))
    hosts = sorted({one.target.host for one in anomalies if one.rule in _SHORT_OF | _SILENT or one.fact("fault") == "timeout"})
    hosts = [one for one in hosts if one not in NO_HOSTS]
    return Wanted(tuple(containers[:MOST_LOGS]), tuple(hosts))


async def look_again(fleet: Fleet, view: FleetView, config: Config, topology: Topology, anomalies: Sequence[Anomaly]) -> Looked:
    """Look at what is suspicious; what does not answer in time is left out, and logged."""
    what = wanted(anomalies, topology)
    boxes = _containers(view)
    logs = [
        _bounded(_read_log(fleet, target, boxes.get(target), view.taken_at), f"log of {target}") for target in what.containers
    ]
    hosts = [_bounded(_look_at(fleet, host, view), f"look at {host}") for host in what.hosts]
    found_logs, found_hosts = await asyncio.gather(asyncio.gather(*logs), asyncio.gather(*hosts))
    clues = [clue for one in found_logs if one is not None for clue in one]
    resolved = await asyncio.to_thread(resolve, clues, view, config, boxes) if clues else ()
    seen = [one for one in found_hosts if one is not None]
    return Looked(
        tuple(resolved),
        tuple(space for one in seen for space in one.spaces),
        tuple(process for one in seen for process in one.processes),
        tuple(process for one in seen for process in one.stopped),
    )


T = TypeVar("T")


async def _bounded(work: Awaitable[T], what: str) -> T | None:
    try:
        async with asyncio.timeout(LOOK_S):
            return await work
    except (LinkError, SourceError, TimeoutError) as error:
        _log.info("%s: %s", what, str(error) or "no answer in time")
        return None


async def _read_log(fleet: Fleet, target: Target, container: Container | None, now: datetime) -> tuple[Clue, ...]:
    source = fleet.source(target.host, Kind.DOCKER)
    if source is None or container is None:
        return ()
    docker = cast("DockerSource", source)
    steady = container.state in ("running", "paused") and not container.looping
    # What a container that runs well said before its last start is over.
    since = max(now - BACK, container.started_at or now - BACK) if steady else None
    lines: list[LogLine] = []
    async for batch in docker.logs(container.id, tail=LINES, since=since, follow=False):
        lines += batch
    return await asyncio.to_thread(clues_of, target, lines[-LINES:], now)


async def _look_at(fleet: Fleet, host: str, view: FleetView) -> Looked:
    reading = next((one for one in _engines(view) if one[0] == host), None)
    root = reading[1].root_dir if reading is not None else ""
    names = {one.id[:12]: one.name for one in reading[1].containers} if reading is not None else {}
    done = await fleet.link(host).run(host_look.command(root), timeout=LOOK_S, limit=100_000)
    return host_look.parse(host, done.stdout.decode("utf-8", "replace"), names)


def _engines(view: FleetView) -> Iterable[tuple[str, DockerReading]]:
    for host in view.hosts:
        for status in host.of_kind(Kind.DOCKER):
            if isinstance(status.reading, DockerReading):
                yield host.name, status.reading


def _containers(view: FleetView) -> dict[Target, Container]:
    return {Target(host, Kind.DOCKER, box.name): box for host, reading in _engines(view) for box in reading.containers}


def resolve(clues: Sequence[Clue], view: FleetView, config: Config, boxes: dict[Target, Container]) -> tuple[Clue, ...]:
    """Return clues with what is behind their addresses; what is behind a name without a port is what has that name."""
    places = Places(facts_of(view, config))
    return tuple(replace(clue, about=tuple(_about(clue, places, boxes))) if clue.host else clue for clue in clues)


def _about(clue: Clue, places: Places, boxes: dict[Target, Container]) -> Iterable[Target]:
    box = boxes.get(clue.source)
    if clue.port.isdigit() and int(clue.port) < 65_536:
        found = places.resolve(clue.source.host, clue.host, int(clue.port), box).places
        yield from (place.target for place in found)
        if found:
            return
    for target, other in boxes.items():
        if target.host != clue.source.host or target == clue.source:
            continue
        if clue.host in (other.name.lower(), other.service.lower()) and (box is None or other.project in ("", box.project)):
            yield target
