"""What remedies need to know of the surroundings: which nginx serves an address, what takes the space."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from debugtui.diagnosis.anomaly import node_of
from debugtui.diagnosis.reach import Reach, under
from debugtui.model.docker import DockerReading
from debugtui.model.nginx import NginxReading
from debugtui.model.source import FleetView, Kind
from debugtui.model.system import SystemReading
from debugtui.model.target import Target

if TYPE_CHECKING:
    from debugtui.config.models import Config

#: A filesystem is nearly full from here on, in per cent of space or inodes.
FULL_PERCENT = 90.0


@dataclass(frozen=True, slots=True)
class Space:
    """What takes space on a filesystem of a host. `what`: `journal`, `packages`, `images`, or `log` of the container `name`."""

    host: str
    mount: str
    what: str
    bytes: int
    name: str = ""


@dataclass(frozen=True, slots=True)
class Process:
    """One busy process of a host: `cpu_percent` of one processor over its life, `elapsed_s` how long that is."""

    host: str
    pid: int
    command: str
    cpu_percent: float
    elapsed_s: float
    rss_bytes: int = 0


@dataclass(frozen=True, slots=True)
class Stopped:
    """One process of a host that a signal or a debugger has stopped: it lives, and does nothing. `command`: with arguments."""

    host: str
    pid: int
    command: str


def released_of(config: Config) -> frozenset[Target]:
    """Return the web addresses whose files are served through a release that can be changed."""
    return frozenset(
        Target(host.name, Kind.WEB, web.name) for host in config.hosts for web in host.web if web.release is not None
    )


@dataclass(slots=True)
class Surroundings:
    """The surroundings of one diagnosis. `released`: the web addresses with a release that can be changed; None: not known."""

    view: FleetView
    reach: Reach
    spaces: tuple[Space, ...] = ()
    released: frozenset[Target] | None = None
    _nginx: dict[str, list[tuple[Target, NginxReading]]] = field(default_factory=dict)
    _dangling: dict[str, int] = field(default_factory=dict)
    _root_dir: dict[str, str] = field(default_factory=dict)
    _mounts: dict[str, dict[str, float]] = field(default_factory=dict)
    _without_units: set[str] = field(default_factory=set)

    def __post_init__(self) -> None:
        for host in self.view.hosts:
            for status in host.sources:
                if isinstance(status.reading, NginxReading):
                    about = Target(host.name, Kind.NGINX, status.name)
                    self._nginx.setdefault(host.name, []).append((about, status.reading))
                elif isinstance(status.reading, DockerReading):
                    unused = [image for image in status.reading.images if image.dangling and not image.containers]
                    self._dangling[host.name] = sum(image.size_bytes for image in unused)
                    self._root_dir[host.name] = status.reading.root_dir
                elif isinstance(status.reading, SystemReading):
                    if status.reading.failed_units is None:
                        self._without_units.add(host.name)
                    self._mounts[host.name] = {
                        one.mount: max(one.used_percent, one.inodes_percent or 0.0) for one in status.reading.filesystems
                    }

    def nginx_of(self, target: Target) -> Target | None:
        """Return the nginx that serves a web address: by the topology, else the only one of its host."""
        if target.kind == Kind.NGINX:
            return node_of(target)
        below = [one for one in self.reach.below(node_of(target)) if one.kind == Kind.NGINX]
        if below:
            return node_of(min(below, key=lambda one: (self.reach.below(node_of(target))[one].hops, str(one))))
        here = self._nginx.get(target.host, [])
        return here[0][0] if len(here) == 1 else None

    def has_release(self, nginx: Target) -> bool:
        """Return whether an nginx may have a release to go back to."""
        return self.released is None or any(self.nginx_of(web) == nginx for web in self.released)

    def mount_of(self, host: str, path: str) -> str:
        """Return the filesystem that a path lies on: the longest mount above it; empty where none is known."""
        mounts = [one for one in self._mounts.get(host, {}) if under(path, one)]
        return max(mounts, key=len, default="")

    def full_mount_of(self, host: str, path: str) -> str:
        """Return the filesystem that a path lies on, where it is nearly full; empty else."""
        mount = self.mount_of(host, path)
        return mount if self._mounts.get(host, {}).get(mount, 0.0) > FULL_PERCENT else ""

    def may_have_units(self, host: str) -> bool:
        """Return whether a host may have units to restart: one whose system was read, and told of none, has no systemd."""
        return host not in self._without_units

    def dangling_bytes(self, host: str) -> int:
        """Return what images without a name that nothing uses take, in bytes."""
        return self._dangling.get(host, 0)

    def docker_root(self, host: str) -> str:
        """Return where the engine of a host stores everything; empty where that is not known."""
        return self._root_dir.get(host, "")
