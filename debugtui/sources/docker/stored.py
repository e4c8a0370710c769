"""What the engine stores: images, volumes, networks, and how much room they take."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from debugtui.model.docker import DiskUse, DockerNetwork, Image, Volume
from debugtui.sources.docker.containers import PROJECT_LABEL
from debugtui.sources.docker.fields import Object, items, moment_of_seconds, number, obj, text

#: Most images, volumes and networks kept, each.
MOST = 2_000


@dataclass(frozen=True, slots=True)
class Info:
    """What `info` says of the engine and its host."""

    os: str = ""
    kernel: str = ""
    storage_driver: str = ""
    cgroup: str = ""
    root_dir: str = ""


@dataclass(frozen=True, slots=True)
class Sizes:
    """The slow answer: sums, and the size and users of each volume."""

    use: DiskUse
    volumes: Mapping[str, tuple[int | None, int | None]]


def parse_info(answer: Any) -> Info:
    """Read an answer of `info`."""
    root = obj(answer)
    driver, version = text(root.get("CgroupDriver"), 30), text(root.get("CgroupVersion"), 10) or "1"
    return Info(
        os=text(root.get("OperatingSystem"), 100),
        kernel=text(root.get("KernelVersion"), 100),
        storage_driver=text(root.get("Driver"), 50),
        cgroup=f"v{version} {driver}".strip(),
        root_dir=text(root.get("DockerRootDir")),
    )


def parse_images(answer: Any) -> tuple[Image, ...]:
    """Read an answer of `images/json`; who uses them it does not tell."""
    found = []
    for entry in items(answer)[:MOST]:
        one = obj(entry)
        identity = text(one.get("Id"), 100)
        tags = tuple(tag for tag in (text(tag) for tag in items(one.get("RepoTags"))[:50]) if tag and tag != "<none>:<none>")
        created = moment_of_seconds(one.get("Created"))
        found.append(Image(identity, tags, number(one.get("Size")) or 0, created, None))
    return tuple(found)


def parse_volumes(answer: Any) -> tuple[Volume, ...]:
    """Read an answer of `volumes`."""
    return tuple(_volume(obj(entry)) for entry in items(obj(answer).get("Volumes"))[:MOST])


def _volume(one: Object) -> Volume:
    return Volume(
        name=text(one.get("Name")),
        driver=text(one.get("Driver"), 50),
        project=text(obj(one.get("Labels")).get(PROJECT_LABEL)),
        mountpoint=text(one.get("Mountpoint")),
    )


def parse_networks(answer: Any) -> tuple[DockerNetwork, ...]:
    """Read an answer of `networks`."""
    found = []
    for entry in items(answer)[:MOST]:
        one = obj(entry)
        found.append(
            DockerNetwork(
                id=text(one.get("Id"), 100),
                name=text(one.get("Name")),
                driver=text(one.get("Driver"), 50),
                scope=text(one.get("Scope"), 20),
                internal=one.get("Internal") is True,
                project=text(obj(one.get("Labels")).get(PROJECT_LABEL)),
            )
        )
    return tuple(found)


def parse_sizes(answer: Any) -> Sizes:
    """Read an answer of `system/df`. What can be reclaimed is counted as `docker system df` does: what nothing uses now."""
    root = obj(answer)
    images = [obj(entry) for entry in items(root.get("Images"))]
    containers = [obj(entry) for entry in items(root.get("Containers"))]
    volumes = [obj(entry) for entry in items(root.get("Volumes"))]
    caches = [obj(entry) for entry in items(root.get("BuildCache"))]
    usage = {text(one.get("Name")): _usage(one) for one in volumes[:MOST]}
    idle_images = sum(
        _size(one, "Size") - _size(one, "SharedSize") for one in images if not (number(one.get("Containers")) or 0) > 0
    )
    idle_containers = sum(
        _size(one, "SizeRw") for one in containers if one.get("State") not in ("running", "paused", "restarting")
    )
    idle_volumes = sum(size or 0 for size, users in usage.values() if users == 0)
    idle_caches = sum(_size(one, "Size") for one in caches if one.get("InUse") is False and one.get("Shared") is not True)
    use = DiskUse(
        layers_bytes=_size(root, "LayersSize"),
        containers_bytes=sum(_size(one, "SizeRw") for one in containers),
        volumes_bytes=sum(size or 0 for size, _ in usage.values()),
        build_cache_bytes=sum(_size(one, "Size") for one in caches if one.get("Shared") is not True),
        reclaimable_bytes=max(0, idle_images) + idle_containers + idle_volumes + idle_caches,
    )
    return Sizes(use, usage)


def _usage(volume: Object) -> tuple[int | None, int | None]:
    """Return size and users; the engine says -1 where it does not know (drivers of others)."""
    data = obj(volume.get("UsageData"))
    size, users = number(data.get("Size")), number(data.get("RefCount"))
    return size if size is not None and size >= 0 else None, users if users is not None and users >= 0 else None


def _size(one: Object, name: str) -> int:
    return max(0, number(one.get(name)) or 0)
