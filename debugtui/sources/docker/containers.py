"""From the engine's list and its inspect answers to containers."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from debugtui.config.redaction import redact
from debugtui.model.text import LINE_LIMIT
from debugtui.sources.docker.connections import (
    DEPENDS_LABEL,
    addresses_of,
    aliases_of,
    connects_of,
    depends_on,
    listens_of,
    own_labels,
    published_of,
)
from debugtui.sources.docker.fields import Object, items, moment, moment_of_seconds, number, obj, text
from debugtui.sources.docker.secrets import redact_command

PROJECT_LABEL = "com.docker.compose.project"
SERVICE_LABEL = "com.docker.compose.service"

#: Longest command or error kept, in characters.
COMMAND_LIMIT = 500

#: Most ports, networks and mounts kept of one container.
MOST_PARTS = 50

_HEALTH = re.compile(r"\((?:health: )?(starting|healthy|unhealthy)\)")
_EXIT = re.compile(r"\((-?\d{1,5})\)")


@dataclass(frozen=True, slots=True)
class Listed:
    """What the list tells of one container. `exit_code` and `health` are read from the status line."""

    id: str
    name: str
    image: str
    image_id: str
    command: str
    project: str
    service: str
    state: str
    status: str
    health: str
    exit_code: int | None
    created_at: datetime | None
    ports: tuple[str, ...]
    networks: tuple[str, ...]
    mounts: tuple[str, ...]
    volumes: tuple[str, ...]
    addresses: tuple[str, ...] = ()
    depends_on: tuple[str, ...] = ()
    labels: tuple[tuple[str, str], ...] = ()

    @property
    def running(self) -> bool:
        """True where it has processes, and so figures."""
        return self.state in ("running", "paused")

    @property
    def signature(self) -> tuple[str, str, int | None]:
        """What changes when something happened to it, as far as the list tells; not the growing "Up 5 minutes"."""
        return self.state, self.health, self.exit_code


@dataclass(frozen=True, slots=True)
class Details:
    """What only inspect tells."""

    state: str
    exit_code: int
    oom_killed: bool
    restarts: int
    policy: str
    started_at: datetime | None
    finished_at: datetime | None
    health: str
    memory_limit: int | None
    error: str
    published: tuple[str, ...] = ()
    aliases: tuple[str, ...] = ()
    listens: tuple[int, ...] = ()
    connects: tuple[str, ...] = ()

    @property
    def comes_back(self) -> bool:
        """True where the engine starts it again by itself after it ended."""
        return self.policy not in ("", "no")


def parse_listed(entry: Any) -> Listed | None:
    """Read one entry of `containers/json`; None where it has no id."""
    one = obj(entry)
    identity = text(one.get("Id"), 100)
    if not identity:
        return None
    labels, status = obj(one.get("Labels")), text(one.get("Status"))
    names = [text(name).removeprefix("/") for name in items(one.get("Names"))]
    health, code = _HEALTH.search(status), _EXIT.search(status)
    networks = obj(obj(one.get("NetworkSettings")).get("Networks"))
    mounts = [obj(mount) for mount in items(one.get("Mounts"))[:MOST_PARTS]]
    return Listed(
        id=identity,
        # A link of another container to it shows as "other/alias": its own name is the one without a slash.
        name=next((name for name in names if name and "/" not in name), "") or identity[:12],
        image=text(one.get("Image")),
        image_id=text(one.get("ImageID"), 100),
        command=_short(redact_command(text(one.get("Command"), LINE_LIMIT))),
        project=text(labels.get(PROJECT_LABEL)),
        service=text(labels.get(SERVICE_LABEL)),
        state=text(one.get("State"), 20),
        status=status,
        health=health[1] if health else "none",
        exit_code=int(code[1]) if code else None,
        created_at=moment_of_seconds(one.get("Created")),
        ports=_ports(one.get("Ports")),
        networks=tuple(text(name) for name in list(networks)[:MOST_PARTS]),
        mounts=tuple(_mount(mount) for mount in mounts),
        volumes=tuple(text(mount.get("Name")) for mount in mounts if mount.get("Type") == "volume"),
        addresses=addresses_of(networks),
        depends_on=depends_on(text(labels.get(DEPENDS_LABEL), LINE_LIMIT)),
        labels=own_labels(labels),
    )


def _short(redacted: str) -> str:
    """Cut a text that was redacted before: half a secret would not be recognised."""
    return redacted if len(redacted) <= COMMAND_LIMIT else f"{redacted[:COMMAND_LIMIT]}…"


def _ports(value: Any) -> tuple[str, ...]:
    found: dict[str, None] = {}
    for entry in items(value)[: 2 * MOST_PARTS]:
        one = obj(entry)
        inner, outer = number(one.get("PrivatePort")), number(one.get("PublicPort"))
        inside = f"{inner}/{text(one.get('Type'), 10)}"
        address = text(one.get("IP"), 60)
        if ":" in address:
            address = f"[{address}]"
        found[f"{address}:{outer}->{inside}" if outer else inside] = None
    return tuple(found)[:MOST_PARTS]


def _mount(mount: Object) -> str:
    source = text(mount.get("Name")) or text(mount.get("Source"))
    return f"{source}:{text(mount.get('Destination'))}" + (":ro" if mount.get("RW") is False else "")


def parse_details(answer: Any) -> Details:
    """Read an answer of `containers/{id}/json`."""
    root = obj(answer)
    state, host, config = obj(root.get("State")), obj(root.get("HostConfig")), obj(root.get("Config"))
    policy = obj(host.get("RestartPolicy"))
    retries = number(policy.get("MaximumRetryCount"))
    name = text(policy.get("Name"), 30)
    return Details(
        state=text(state.get("Status"), 20),
        exit_code=number(state.get("ExitCode")) or 0,
        oom_killed=state.get("OOMKilled") is True,
        restarts=number(root.get("RestartCount")) or 0,
        policy=f"{name}:{retries}" if retries else name,
        started_at=moment(state.get("StartedAt")),
        finished_at=moment(state.get("FinishedAt")),
        health=text(obj(state.get("Health")).get("Status"), 20) or "none",
        memory_limit=number(host.get("Memory")) or None,
        error=_short(redact(text(state.get("Error"), LINE_LIMIT))),
        published=published_of(host),
        aliases=aliases_of(obj(obj(root.get("NetworkSettings")).get("Networks"))),
        listens=listens_of(config),
        connects=connects_of(config.get("Env")),
    )
