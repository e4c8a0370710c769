"""Conditions of containers: paused, never started, stopped, killed; and what the rules' findings lack."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta

from debugtui.diagnosis.anomaly import Anomaly, Aspect, Role
from debugtui.diagnosis.own.images import previous_of
from debugtui.diagnosis.own.making import anomaly, span
from debugtui.model.alerts import Severity
from debugtui.model.docker import Container, DockerEvent, DockerReading
from debugtui.model.source import SourceStatus
from debugtui.model.target import Target

#: A signal from outside that came so long before the end was its reason.
SIGNALLED = timedelta(seconds=120)
#: A container that ended by itself with an error longer ago than this is an old story.
RECENT = timedelta(hours=1)
#: Policies that bring a container back; one that is down under them was stopped by somebody, or given up.
KEEPS = ("always", "unless-stopped")
#: Exit codes of a process that was told to end: SIGINT, SIGKILL, SIGTERM; and zero.
TOLD = (0, 130, 137, 143)


def found(status: SourceStatus, reading: DockerReading, now: datetime) -> Iterator[Anomaly]:
    """Yield the conditions of one engine's containers."""
    yield from removed(status, reading, now)
    for container in reading.containers:
        target = Target(status.host, "docker", container.name)
        if container.state == "paused":
            yield _paused(target, container, reading)
        elif container.state == "created" and (container.error or container.exit_code not in (0, None)):
            yield _never_started(target, container, reading)
        elif container.state in ("exited", "created"):
            yield from _ended(target, container, reading, now)
        elif (made := remade(reading, container)) is not None:
            yield _remade(target, container, reading, made)
        elif container.health == "starting" and not container.looping:
            yield anomaly(
                "container_starting", target, Aspect.DOWN, Role.SUPPORT, f"{container.name} is starting: not healthy yet",
                reading=f"containers[{container.name}].health", at=reading.taken_at, since=container.started_at, points=50,
            )  # fmt: skip


def removed(status: SourceStatus, reading: DockerReading, now: datetime) -> Iterator[Anomaly]:
    """Yield the containers that somebody ended and took away lately, and that are not back under their name."""
    there = {container.name for container in reading.containers}
    for name in sorted({event.name for event in reading.events if event.type == "container"} - there):
        gone = newest(reading.events, name, "destroy")
        ended = newest(reading.events, name, "kill", "stop")
        if gone is None or ended is None or not timedelta() <= gone - ended < ANEW or now - gone > NEW:
            continue
        yield anomaly(
            "container_removed", Target(status.host, "docker", name), Aspect.DOWN, Role.SUPPORT,
            f"{name} was ended and removed {span((now - gone).total_seconds())} ago",
            reading=f"events[{name}].action", at=reading.taken_at, since=gone, points=64,
        )  # fmt: skip


#: One container of a name is taken away, and another one made, within this time: it was made anew.
ANEW = timedelta(minutes=2)
#: What was made anew longer ago than this has proven itself.
NEW = timedelta(minutes=15)


def remade(reading: DockerReading, container: Container) -> datetime | None:
    """Return when a running container was made anew in the place of another one of its name; None where it was not lately."""
    mine = [event for event in reading.events if event.type == "container" and event.name == container.name]
    made = max((event.at for event in mine if event.action == "create"), default=None)
    if made is None or container.state != "running" or container.looping or reading.taken_at - made > NEW:
        return None
    before = any(event.action == "destroy" and timedelta() <= made - event.at <= ANEW for event in mine)
    return made if before else None


def _remade(target: Target, container: Container, reading: DockerReading, made: datetime) -> Anomaly:
    ago = span((reading.taken_at - made).total_seconds())
    return anomaly(
        "container_remade", target, Aspect.CONFIG, Role.SUPPORT,
        f"{container.name} was made anew {ago} ago from {container.image}",
        reading=f"containers[{container.name}].created_at", at=reading.taken_at, since=made, points=62,
        image=container.image, previous=previous_of(container, reading),
    )  # fmt: skip


def _paused(target: Target, container: Container, reading: DockerReading) -> Anomaly:
    since = newest(reading.events, container.name, "pause")
    return anomaly(
        "container_paused", target, Aspect.DOWN, Role.CAUSE, f"{container.name} is paused: its processes are frozen",
        reading=f"containers[{container.name}].state", at=reading.taken_at, since=since, points=70,
    )  # fmt: skip


def _never_started(target: Target, container: Container, reading: DockerReading) -> Anomaly:
    why = container.error or f"exit code {container.exit_code}"
    return anomaly(
        "container_failed_start", target, Aspect.CONFIG, Role.CAUSE, f"{container.name} could not be started: {why}",
        reading=f"containers[{container.name}].state", at=reading.taken_at, since=container.created_at, points=70,
        exit_code=str(container.exit_code if container.exit_code is not None else ""), image=container.image,
    )  # fmt: skip


def _ended(target: Target, container: Container, reading: DockerReading, now: datetime) -> Iterator[Anomaly]:
    """What does not run: a fault where it ended by itself or was to be kept running; else only what may explain others."""
    if container.oom_killed or container.looping:
        return  # the rules say so
    code, kept = container.exit_code, container.restart_policy in KEEPS
    told = stopped_by(reading.events, container)
    path = f"containers[{container.name}].exit_code"
    facts = {"exit_code": "" if code is None else str(code), "image": container.image, "told": told}
    if code == 0 and not told and not kept and _end_is_told(reading.events, container):
        facts["done"] = "yes"  # a job that came to its end by itself
    ago = f" {span((now - container.finished_at).total_seconds())} ago" if container.finished_at else ""
    if kept and container.state == "exited":
        if code == 0 or told:
            how = f" ({told})" if told else ""
            yield anomaly(
                "container_stopped", target, Aspect.DOWN, Role.CAUSE,
                f"{container.name} was stopped{ago}{how}, though its restart policy is {container.restart_policy}",
                reading=path, at=reading.taken_at, since=container.finished_at, severity=Severity.MEDIUM, points=62, more=facts,
            )  # fmt: skip
        return
    crashed = code not in (*TOLD, None) or (code == 137 and told == KILLED)
    recent = container.finished_at is not None and now - container.finished_at < RECENT
    says = f"{container.name} ended{ago} with exit code {code}" if code is not None else f"{container.name} does not run"
    if crashed and told == KILLED:
        says = f"{container.name} was killed{ago} (SIGKILL, exit code {code})"
    yield anomaly(
        "container_crashed" if crashed else "container_not_running", target, Aspect.DOWN,
        Role.CAUSE if crashed and recent else Role.SUPPORT, says, reading=path, at=reading.taken_at,
        since=container.finished_at, severity=Severity.MEDIUM, points=58, more=facts,
    )  # fmt: skip


def _end_is_told(events: tuple[DockerEvent, ...], container: Container) -> bool:
    """Whether the events reach back to the end of a container: that nobody signalled it is known then."""
    ended = container.finished_at
    mine = [event.at for event in events if event.name == container.name and event.action == "die"]
    return ended is not None and any(abs(ended - at) < SIGNALLED for at in mine)


STOPPED, KILLED = "docker stop", "docker kill"


def stopped_by(events: tuple[DockerEvent, ...], container: Container) -> str:
    """Return how somebody ended a container, by its events: `docker stop`, `docker kill`; empty where nobody did."""
    ended = container.finished_at
    signals = [
        event
        for event in events
        if event.type == "container" and event.name == container.name and event.action in ("kill", "stop")
        and (ended is None or abs(ended - event.at) < SIGNALLED)
    ]  # fmt: skip
    if not signals:
        return ""
    if any(event.action == "stop" or event.detail.rpartition(" ")[2] not in ("9", "KILL", "SIGKILL") for event in signals):
        return STOPPED
    return KILLED


def newest(events: tuple[DockerEvent, ...], name: str, *actions: str) -> datetime | None:
    """Return when the newest of some events of a container happened; None where there was none."""
    return max((event.at for event in events if event.name == name and event.action in actions), default=None)


def first_end(events: tuple[DockerEvent, ...], name: str) -> datetime | None:
    """Return when a container that ends again and again ended for the first time, as far as events tell."""
    return min((event.at for event in events if event.name == name and event.action in ("die", "oom")), default=None)
