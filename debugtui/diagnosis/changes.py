"""What was changed lately: through Docker and nginx, by this program. One right before a fault is a candidate, and cited."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import datetime, timedelta

from debugtui.diagnosis.own.making import span
from debugtui.model.diagnosis import Evidence
from debugtui.model.docker import DockerReading
from debugtui.model.execution import Execution, State
from debugtui.model.libvirt import LibvirtReading
from debugtui.model.nginx import NginxReading
from debugtui.model.source import FleetView, SourceStatus
from debugtui.model.target import Target
from debugtui.model.text import line

#: A change this long before a fault begins may have led to it; one after it cannot.
WINDOW = timedelta(minutes=15)
#: Most changes that are told.
MOST = 20

_DOCKER = {
    "create": "was made",
    "update": "got other limits",
    "rename": "got another name",
    "pause": "was paused",
    "unpause": "was let go on",
    "restart": "was restarted",
    "kill": "was sent a signal",
    "stop": "was stopped",
    "destroy": "was removed",
    "disconnect": "was taken off a network",
    "connect": "was put on a network",
    "pull": "was pulled",
    "tag": "was tagged",
}
#: What the engine does by itself when a container comes and goes.
_BY_ITSELF = frozenset({"connect", "disconnect"})

_DONE = {State.VERIFIED: "and verified", State.ROLLED_BACK: "and rolled back", State.UNKNOWN: "and how it ended is not known"}


def changes_of(view: FleetView, executions: Iterable[Execution] = ()) -> tuple[Evidence, ...]:
    """Return the changes of the last minutes, newest first."""
    found: dict[tuple[Target, str, str], Evidence] = {}
    for host in view.hosts:
        for status in host.sources:
            for change in _of_source(status):
                found.setdefault((change.source, change.reading, change.says), change)
    for execution in executions:
        change = _execution(execution)
        found.setdefault((change.source, change.reading, change.says), change)
    recent = [one for one in found.values() if timedelta() <= view.taken_at - one.at < 2 * WINDOW]
    return tuple(sorted(recent, key=lambda one: (-one.at.timestamp(), str(one.source), one.says))[:MOST])


def before(
    changes: Iterable[Evidence], things: frozenset[Target], since: datetime | None, now: datetime
) -> tuple[Evidence, ...]:
    """Return the changes of some things that came shortly before a fault, the nearest first, with how long before."""
    moment = since or now
    near = [
        change
        for change in changes
        if change.source in things and timedelta(seconds=-2) <= moment - change.at < WINDOW
    ]  # fmt: skip
    near.sort(key=lambda one: (moment - one.at, one.says))
    when = "before" if since is not None else "ago"
    return tuple(
        Evidence(one.source, one.reading, one.at, f"{one.says}, {span((moment - one.at).total_seconds())} {when}")
        for one in near[:3]
    )


def _of_source(status: SourceStatus) -> Iterator[Evidence]:
    reading = status.reading
    if isinstance(reading, DockerReading):
        yield from _docker(status.host, reading)
    elif isinstance(reading, NginxReading) and reading.config_changed_at is not None:
        about = Target(status.host, "nginx", status.name)
        yield Evidence(
            about, "config_changed_at", reading.config_changed_at, f"the configuration of nginx {status.name} was changed"
        )
    elif isinstance(reading, LibvirtReading):
        for vm in reading.vms:
            for snapshot in vm.snapshots or ():
                if snapshot.created_at is not None:
                    says = f"snapshot {snapshot.name} of {vm.name} was made"
                    yield Evidence(
                        Target(status.host, "libvirt", vm.name), f"vms[{vm.name}].snapshots", snapshot.created_at, says
                    )


def _docker(host: str, reading: DockerReading) -> Iterator[Evidence]:
    names = {container.name for container in reading.containers}
    for event in reading.events:
        words = _DOCKER.get(event.action)
        if words is None or event.action in _BY_ITSELF:
            continue
        if event.type == "container":
            detail = f" ({line(event.detail, 80)})" if event.detail else ""
            says = f"container {event.name} {words}{detail}"
            yield Evidence(Target(host, "docker", event.name), f"events[{event.name}].action", event.at, says)
        elif event.type == "image":
            name = line(event.name, 80)
            yield Evidence(Target(host, "docker"), f"events[{name}].action", event.at, f"image {name} {words}")
    for container in reading.containers:
        if container.created_at is not None and container.name in names:
            says = f"container {container.name} was made from {line(container.image, 80)}"
            yield Evidence(
                Target(host, "docker", container.name), f"containers[{container.name}].created_at", container.created_at, says
            )


def _execution(execution: Execution) -> Evidence:
    target = execution.target
    about = Target(target.host, target.kind, target.name.partition("/")[0]) if target.kind == "postgres" else target
    how = _DONE.get(execution.state, f"and is {execution.state.value.replace('_', ' ')}")
    says = f"{execution.remediation} was executed on {target} by {line(execution.operator, 40)} {how}"
    return Evidence(about, f"executions {execution.id}", execution.started_at, says)
