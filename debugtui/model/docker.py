"""What a Docker engine says: containers, images, volumes, networks, events, disk use."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from debugtui.model.source import Gap


@dataclass(frozen=True, slots=True)
class Container:
    """One container.

    Attributes:
        state: the engine's word: `created`, `running`, `paused`, `restarting`, `removing`, `exited`, `dead`.
        health: `healthy`, `unhealthy`, `starting`, or `none` where no health check is defined.
        project, service: the Compose labels; empty outside Compose.
        looping: it restarts by itself again and again (see sources/docker for the rule).
        cpu_percent: of one core, as `docker stats` counts (200 = two cores busy); None until two samples exist.
        memory_bytes: working set (usage less inactive file cache); None while not running.
        memory_limit_bytes: None where unlimited.
        published: the ports that its configuration publishes, also while it does not run: `127.0.0.1:8080->80/tcp`.
        addresses: its own, in its networks; empty in the host's network.
        aliases: names by which containers in the same networks reach it, beside its own and its service's.
        listens: TCP ports that its image or its environment says it listens on, inside.
        connects: what its environment says it connects to, without any secret: `DATABASE_URL postgresql://db:5432/coach`; a
            key of the Groq API without an address: `GROQ_API_KEY groq:`.
        depends_on: services of its Compose project that it waits for.
        labels: those that speak to this program: `debugtui.owner` as `owner` and its text.
    """

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
    oom_killed: bool
    restarts: int
    restart_policy: str
    looping: bool
    created_at: datetime | None
    started_at: datetime | None
    finished_at: datetime | None
    cpu_percent: float | None = None
    memory_bytes: int | None = None
    memory_limit_bytes: int | None = None
    pids: int | None = None
    rx_bytes_s: float | None = None
    tx_bytes_s: float | None = None
    read_bytes_s: float | None = None
    write_bytes_s: float | None = None
    ports: tuple[str, ...] = ()
    networks: tuple[str, ...] = ()
    mounts: tuple[str, ...] = ()
    error: str = ""
    published: tuple[str, ...] = ()
    addresses: tuple[str, ...] = ()
    aliases: tuple[str, ...] = ()
    listens: tuple[int, ...] = ()
    connects: tuple[str, ...] = ()
    depends_on: tuple[str, ...] = ()
    labels: tuple[tuple[str, str], ...] = ()

    @property
    def in_host_network(self) -> bool:
        """Whether its ports are the host's own."""
        return "host" in self.networks


@dataclass(frozen=True, slots=True)
class DockerEvent:
    """One engine event, such as `container die`; `detail` holds the exit code, the health status and the like."""

    at: datetime
    type: str
    action: str
    name: str
    detail: str = ""


@dataclass(frozen=True, slots=True)
class Image:
    """One image. `containers` counts users of it; None where the engine does not tell."""

    id: str
    tags: tuple[str, ...]
    size_bytes: int
    created_at: datetime | None
    containers: int | None

    @property
    def dangling(self) -> bool:
        """True where no tag points at it."""
        return not self.tags


@dataclass(frozen=True, slots=True)
class Volume:
    """One volume. Sizes come from the slow disk-use answer: None until then."""

    name: str
    driver: str
    project: str
    mountpoint: str
    size_bytes: int | None = None
    users: int | None = None


@dataclass(frozen=True, slots=True)
class DockerNetwork:
    """One network."""

    id: str
    name: str
    driver: str
    scope: str
    internal: bool
    project: str = ""


@dataclass(frozen=True, slots=True)
class DiskUse:
    """What the engine stores, in bytes, and what of it nothing uses."""

    layers_bytes: int
    containers_bytes: int
    volumes_bytes: int
    build_cache_bytes: int
    reclaimable_bytes: int


@dataclass(frozen=True, slots=True)
class DockerReading:
    """One engine. `disk_use` is None until the slow part was read."""

    taken_at: datetime
    version: str
    api_version: str
    os: str
    kernel: str
    storage_driver: str
    cgroup: str
    root_dir: str
    containers: tuple[Container, ...] = ()
    images: tuple[Image, ...] = ()
    volumes: tuple[Volume, ...] = ()
    networks: tuple[DockerNetwork, ...] = ()
    events: tuple[DockerEvent, ...] = ()
    disk_use: DiskUse | None = None
    gaps: tuple[Gap, ...] = ()
