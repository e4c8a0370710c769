"""From the engine's JSON to our data. Pure; every text is cleaned and bounded, every missing field has a plain value."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from debugtui.config.redaction import redact
from debugtui.model.docker import Container, DiskUse, DockerEvent, DockerNetwork, Image, Volume
from debugtui.model.text import line

#: A container restarts again and again: this many unwanted ends within `LOOP_WINDOW`, or as many restarts while it is young.
LOOP_ENDS = 3
LOOP_WINDOW = timedelta(minutes=10)
#: One that has run this long since its last start does not loop any more.
LOOP_CALM = timedelta(seconds=60)

_TIME = re.compile(r"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(?:\.(\d{1,6})\d*)?(Z|[+-]\d\d:\d\d)?")
_NEVER = datetime(1970, 1, 1, tzinfo=UTC)


def text(value: object, limit: int = 300) -> str:
    """Return a string of the engine's, safe to show; anything else as an empty one."""
    return line(value, limit) if isinstance(value, str) else ""


def number(value: object) -> int:
    """Return an integer; anything else as 0."""
    return int(value) if isinstance(value, (int, float)) and not isinstance(value, bool) else 0


def mapping(value: object) -> Mapping[str, Any]:
    """Return a JSON object; anything else as an empty one."""
    return value if isinstance(value, dict) else {}


def items(value: object, limit: int) -> list[Any]:
    """Return at most `limit` items of a JSON array; anything else as an empty one."""
    return value[:limit] if isinstance(value, list) else []


def moment(value: object) -> datetime | None:
    """Return a time of the engine's (RFC 3339 with nanoseconds) in UTC; None for its "never" (year 1)."""
    match = _TIME.match(value) if isinstance(value, str) else None
    if match is None:
        return None
    fraction = (match.group(2) or "0").ljust(6, "0")
    zone = match.group(3) or "Z"
    try:
        at = datetime.fromisoformat(f"{match.group(1)}.{fraction}{'+00:00' if zone == 'Z' else zone}").astimezone(UTC)
    except (ValueError, OverflowError):
        return None
    return at if at > _NEVER else None


def is_looping(state: str, restarts: int, started: datetime | None, now: datetime, ends: list[datetime]) -> bool:
    """Tell whether a container restarts by itself again and again.

    Args:
        state: the engine's word.
        restarts: its restart count; the engine sets it back when somebody restarts the container.
        started: its last start.
        now: the time.
        ends: times of unwanted ends that were seen as events.
    """
    if state == "restarting":
        return True
    if state != "running":
        return False
    if started is not None and now - started > LOOP_CALM:
        return False
    recent = sum(now - end < LOOP_WINDOW for end in ends)
    return recent >= LOOP_ENDS or restarts >= LOOP_ENDS


def ports(raw: object) -> tuple[str, ...]:
    """Return published ports as `127.0.0.1:8080->80/tcp`, unpublished ones as `80/tcp`."""
    shown = []
    for one in items(raw, 32):
        port = mapping(one)
        inner = f"{number(port.get('PrivatePort'))}/{text(port.get('Type'), 8)}"
        outer = number(port.get("PublicPort"))
        shown.append(f"{text(port.get('IP'), 64)}:{outer}->{inner}" if outer else inner)
    return tuple(dict.fromkeys(shown))


def mounts(raw: object) -> tuple[str, ...]:
    """Return mounts as `source:target`."""
    shown = []
    for one in items(raw, 32):
        mount = mapping(one)
        source = text(mount.get("Name")) or text(mount.get("Source"))
        shown.append(f"{source}:{text(mount.get('Destination'))}" + ("" if mount.get("RW", True) else ":ro"))
    return tuple(shown)


def container(listed: Mapping[str, Any], inspected: Mapping[str, Any], now: datetime, ends: list[datetime]) -> Container:
    """Return one container from the list's entry and the last inspect answer; its figures come later."""
    state = mapping(inspected.get("State"))
    host = mapping(inspected.get("HostConfig"))
    labels = mapping(listed.get("Labels"))
    names = items(listed.get("Names"), 1)
    word = text(listed.get("State"), 32)
    started = moment(state.get("StartedAt"))
    restarts = number(inspected.get("RestartCount"))
    limit = number(host.get("Memory"))
    created = listed.get("Created")
    return Container(
        id=text(listed.get("Id"), 64),
        name=text(names[0] if names else "").removeprefix("/") or text(listed.get("Id"), 12),
        image=text(listed.get("Image")),
        image_id=text(listed.get("ImageID"), 80),
        command=redact(text(listed.get("Command"))),
        project=text(labels.get("com.docker.compose.project"), 100),
        service=text(labels.get("com.docker.compose.service"), 100),
        state=word,
        status=text(listed.get("Status"), 100),
        health=text(mapping(state.get("Health")).get("Status"), 16) or "none",
        exit_code=number(state.get("ExitCode")) if inspected else None,
        oom_killed=bool(state.get("OOMKilled")),
        restarts=restarts,
        restart_policy=text(mapping(host.get("RestartPolicy")).get("Name"), 32) or "no",
        looping=is_looping(word, restarts, started, now, ends),
        created_at=datetime.fromtimestamp(created, UTC) if isinstance(created, int) and 0 < created < 1 << 40 else None,
        started_at=started,
        finished_at=moment(state.get("FinishedAt")),
        memory_limit_bytes=limit or None,
        ports=ports(listed.get("Ports")),
        networks=tuple(text(name, 100) for name in list(mapping(mapping(listed.get("NetworkSettings")).get("Networks")))[:16]),
        mounts=mounts(listed.get("Mounts")),
        error=redact(text(state.get("Error"))),
    )


def image(raw: Mapping[str, Any]) -> Image:
    """Return one image."""
    tags = tuple(tag for one in items(raw.get("RepoTags"), 16) if (tag := text(one)) and tag != "<none>:<none>")
    users = raw.get("Containers")
    created = number(raw.get("Created"))
    return Image(
        id=text(raw.get("Id"), 80),
        tags=tags,
        size_bytes=number(raw.get("Size")),
        created_at=datetime.fromtimestamp(created, UTC) if 0 < created < 1 << 40 else None,
        containers=users if isinstance(users, int) and users >= 0 else None,
    )


def volume(raw: Mapping[str, Any]) -> Volume:
    """Return one volume; its size is there in the disk-use answer only."""
    usage = mapping(raw.get("UsageData"))
    size, users = usage.get("Size"), usage.get("RefCount")
    return Volume(
        name=text(raw.get("Name")),
        driver=text(raw.get("Driver"), 64),
        project=text(mapping(raw.get("Labels")).get("com.docker.compose.project"), 100),
        mountpoint=text(raw.get("Mountpoint")),
        size_bytes=size if isinstance(size, int) and size >= 0 else None,
        users=users if isinstance(users, int) and users >= 0 else None,
    )


def network(raw: Mapping[str, Any]) -> DockerNetwork:
    """Return one network."""
    return DockerNetwork(
        id=text(raw.get("Id"), 64),
        name=text(raw.get("Name")),
        driver=text(raw.get("Driver"), 64),
        scope=text(raw.get("Scope"), 32),
        internal=bool(raw.get("Internal")),
        project=text(mapping(raw.get("Labels")).get("com.docker.compose.project"), 100),
    )


def disk_use(raw: Mapping[str, Any]) -> DiskUse:
    """Return what the engine stores. Reclaimable: layers of unused images, unused volumes, build cache not in use."""
    volumes = [volume(mapping(one)) for one in items(raw.get("Volumes"), 10_000)]
    cache = [mapping(one) for one in items(raw.get("BuildCache"), 10_000)]
    images = [mapping(one) for one in items(raw.get("Images"), 10_000)]
    unused = sum(
        number(one.get("Size")) - max(0, number(one.get("SharedSize"))) for one in images if not number(one.get("Containers"))
    )
    containers = [mapping(one) for one in items(raw.get("Containers"), 10_000)]
    return DiskUse(
        layers_bytes=number(raw.get("LayersSize")),
        containers_bytes=sum(number(one.get("SizeRw")) for one in containers),
        volumes_bytes=sum(one.size_bytes or 0 for one in volumes),
        build_cache_bytes=sum(number(one.get("Size")) for one in cache),
        reclaimable_bytes=max(0, unused)
        + sum(one.size_bytes or 0 for one in volumes if one.users == 0)
        + sum(number(one.get("Size")) for one in cache if not one.get("InUse")),
    )


def event(raw: Mapping[str, Any]) -> DockerEvent:
    """Return one engine event. Its time is nanoseconds since 1970."""
    actor = mapping(raw.get("Actor"))
    attributes = mapping(actor.get("Attributes"))
    nanoseconds = raw.get("timeNano")
    at = number(raw.get("time")) if not isinstance(nanoseconds, int) else nanoseconds / 1e9
    action = text(raw.get("Action") or raw.get("status"), 100)
    detail = f"exit code {text(attributes.get('exitCode'), 8)}" if attributes.get("exitCode") is not None else ""
    word, colon, rest = action.partition(": ")
    return DockerEvent(
        at=datetime.fromtimestamp(at, UTC) if 0 < at < 1 << 40 else datetime.now(UTC),
        type=text(raw.get("Type"), 32),
        action=word,
        name=text(attributes.get("name")) or text(actor.get("ID"), 64),
        detail=detail or (rest if colon else text(attributes.get("image"), 100)),
    )
