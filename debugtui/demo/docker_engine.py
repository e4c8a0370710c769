"""The simulated engine of one host: its containers, events, images, volumes and networks; moved on by the scenario."""

from __future__ import annotations

import asyncio
import hashlib
import json
import time
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

from debugtui.demo import cast
from debugtui.demo.docker_container import DAY, SimContainer
from debugtui.demo.scenarios import Fault, Timeline
from debugtui.demo.waves import share

TICK = 0.5
KEPT_EVENTS = 512
VERSION, API_VERSION, OLDEST_API = "27.3.1", "1.43", "1.24"

#: Which fault which project (and there, which services; all where none is named) of which host feels in its logs.
_FEELS: dict[Fault, tuple[str, str, tuple[str, ...]]] = {
    Fault.LOCK_CHAIN: (cast.LOCK_HOST, "coach", ("api", "worker", "front")),
    Fault.DISK_FULL: (cast.DISK_HOST, "shop", ("search", "cart")),
    Fault.PAUSED_VM: (cast.PAUSED_HOST, "ops", ("prometheus", "alertmanager")),
}


class SimEngine:
    """One engine. `tick` brings it to a time; `changed` is notified after each, for those who follow logs and events."""

    def __init__(self, host: cast.HostPart, timeline: Timeline, clock: Callable[[], float] = time.time) -> None:
        self.host, self._timeline, self.clock = host, timeline, clock
        self.events: deque[tuple[int, dict[str, Any]]] = deque(maxlen=KEPT_EVENTS)
        self.told = 0
        self.changed = asyncio.Condition()
        now = clock()
        self.containers: dict[str, SimContainer] = {}
        for part in host.containers:
            container = SimContainer(host.name, part, now, self._tell)
            self.containers[container.id] = container

    async def run(self) -> None:
        """Tick until cancelled."""
        while True:
            self.tick()
            async with self.changed:
                self.changed.notify_all()
            await asyncio.sleep(TICK)

    def tick(self) -> None:
        """Bring every container to now."""
        now = self.clock()
        crashing = self._timeline.since(Fault.CRASH_LOOP, now) is not None
        for container in self.containers.values():
            container.trouble = self._trouble(container, now)
            if self.host.name == cast.CRASH_HOST and container.part.service == cast.CRASH_SERVICE:
                if container.sick and not crashing:
                    container.heal(now)
                container.sick = crashing and not container.mended
            container.advance(now)

    def _trouble(self, container: SimContainer, now: float) -> str:
        for fault, (host, project, services) in _FEELS.items():
            if host == self.host.name and container.part.project == project and container.part.service in services:
                since = self._timeline.since(fault, now)
                if since is not None and since > 5:
                    return fault.value
        return ""

    def find(self, reference: str) -> SimContainer | None:
        """Return a container by id, beginning of an id, or name."""
        name = reference.lstrip("/")
        for container in self.containers.values():
            if container.name == name or container.id == name:
                return container
        near = [container for container in self.containers.values() if name and container.id.startswith(name)]
        return near[0] if len(near) == 1 else None

    def create(self, name: str, wanted: dict[str, Any]) -> SimContainer:
        """Make a container like the one of the same Compose service, with another image, environment or labels.

        Raises:
            ValueError: the name is taken, or it is like none that is here.
        """
        if self.find(name) is not None:
            raise ValueError(f'Conflict. The container name "/{name}" is already in use')
        wanted_labels = {str(key): str(value) for key, value in (wanted.get("Labels") or {}).items()}
        like = next((one for one in self.containers.values() if _same_service(labels(one), wanted_labels)), None)
        if like is None:
            raise ValueError("the demo's engines make containers of their own services only")
        environment = tuple(text for text in wanted.get("Env") or () if not str(text).startswith("PATH="))
        tags = {image["Id"]: image["RepoTags"][0] for image in self.images() if image["RepoTags"]}
        image = str(wanted.get("Image"))
        part = replace(like.part, image=tags.get(image, image), environment=environment)
        made = SimContainer(self.host.name, part, self.clock(), self._tell, new=name)
        made.more_labels = {key: value for key, value in wanted_labels.items() if key not in labels(like)}
        made.mended = like.mended or (part.image, environment) != (like.part.image, like.part.environment)
        policy = (wanted.get("HostConfig") or {}).get("RestartPolicy") or {}
        made.restart_policy, made.restart_limit = policy.get("Name") or "no", int(policy.get("MaximumRetryCount") or 0)
        self.containers[made.id] = made
        self._tell(made, "create", {})
        return made

    def remove(self, container: SimContainer) -> None:
        """Remove a container that does not run."""
        del self.containers[container.id]
        self._tell(container, "destroy", {})

    def _tell(self, container: SimContainer, action: str, more: dict[str, str]) -> None:
        attributes = {"image": container.part.image, "name": container.name, **labels(container), **more}
        self.tell("container", action, container.id, attributes)

    def tell(self, kind: str, action: str, subject: str, attributes: dict[str, str]) -> None:
        """Record an event."""
        now = self.clock()
        event: dict[str, Any] = {
            "Type": kind,
            "Action": action,
            "Actor": {"ID": subject, "Attributes": attributes},
            "scope": "local",
            "time": int(now),
            "timeNano": int(now * 1e9),
        }
        if kind == "container":
            event |= {"status": action, "id": subject, "from": attributes["image"]}
        self.told += 1
        self.events.append((self.told, event))

    # What stands beside the containers

    def images(self) -> Iterator[dict[str, Any]]:
        """Yield the images, with one that nothing uses and one without a tag."""
        parts = {container.part.image: container.image_id for container in self.containers.values()}
        users = [container.part.image for container in self.containers.values()]
        old = "registry.example.org/coach/api:4.11.0" if self.host.name == cast.LOCK_HOST else "alpine:3.19"
        parts[old] = "sha256:" + hashlib.sha256(old.encode()).hexdigest()
        dangling = "sha256:" + hashlib.sha256(f"dangling {self.host.name}".encode()).hexdigest()
        for tag, identity in (*sorted(parts.items()), ("", dangling)):
            digest = "sha256:" + hashlib.sha256(f"digest {identity}".encode()).hexdigest()
            yield {
                "Id": identity,
                "ParentId": "",
                "RepoTags": [tag] if tag else [],
                "RepoDigests": [f"{tag.rpartition(':')[0]}@{digest}"] if tag else [],
                "Created": int(self.clock() - DAY * (20 + 200 * share(identity))),
                "Size": int(20e6 + 900e6 * share(identity, "size")),
                "SharedSize": -1,
                "VirtualSize": int(20e6 + 900e6 * share(identity, "size")),
                "Labels": {},
                "Containers": users.count(tag),
            }

    def volumes(self) -> Iterator[dict[str, Any]]:
        """Yield the volumes; one of them belongs to nobody."""
        named = [(c.part.project, c.part.volume) for c in self.containers.values() if c.part.volume]
        for project, name in (*named, ("", "old-uploads")):
            full = f"{project}_{name}" if project else name
            yield {
                "Name": full,
                "Driver": "local",
                "Mountpoint": f"/var/lib/docker/volumes/{full}/_data",
                "Scope": "local",
                "CreatedAt": "2026-02-03T09:12:44Z",
                "Labels": {"com.docker.compose.project": project, "com.docker.compose.volume": name} if project else {},
                "Options": None,
                "UsageData": {"Size": int(5e6 + 4e9 * share(self.host.name, full) ** 3), "RefCount": 1 if project else 0},
            }

    def networks(self) -> Iterator[dict[str, Any]]:
        """Yield the engine's own networks and one for each Compose project."""
        projects = sorted({container.part.project for container in self.containers.values()})
        own = (("bridge", "bridge", ""), ("host", "host", ""), ("none", "null", ""))
        for number, (name, driver, project) in enumerate((*own, *((f"{p}_default", "bridge", p) for p in projects))):
            yield {
                "Name": name,
                "Id": hashlib.sha256(f"{self.host.name} network {name}".encode()).hexdigest(),
                "Created": "2026-02-03T09:12:40Z",
                "Scope": "local",
                "Driver": driver,
                "EnableIPv6": False,
                "IPAM": {"Driver": "default", "Options": None, "Config": [{"Subnet": f"172.{17 + number}.0.0/16"}]},
                "Internal": False,
                "Attachable": False,
                "Ingress": False,
                "Containers": {},
                "Options": {},
                "Labels": {"com.docker.compose.project": project} if project else {},
            }


def labels(container: SimContainer) -> dict[str, str]:
    """Return the labels that Compose would have set."""
    part = container.part
    return {
        "com.docker.compose.project": part.project,
        "com.docker.compose.service": part.service,
        "com.docker.compose.container-number": "1",
        "com.docker.compose.oneoff": "False",
        "com.docker.compose.project.working_dir": f"/srv/{part.project}",
        "com.docker.compose.project.config_files": f"/srv/{part.project}/compose.yaml",
        "com.docker.compose.version": "2.29.7",
        **container.more_labels,
    }


def _same_service(one: dict[str, str], other: dict[str, str]) -> bool:
    return all(
        one.get(f"com.docker.compose.{name}") == other.get(f"com.docker.compose.{name}") for name in ("project", "service")
    )


def json_line(value: object) -> bytes:
    """Return a value as the engine streams it: one JSON document on a line."""
    return json.dumps(value, separators=(",", ":")).encode() + b"\n"
