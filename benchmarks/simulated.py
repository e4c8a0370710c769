"""A fleet of simulated hosts under the real supervisor and the real screen: `python -m benchmarks.simulated HOSTS [ROWS]`.

Every figure moves at every read, as on a busy host. Used by the other benchmarks; nothing of it is part of the program.
"""

from __future__ import annotations

import random
import sys
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta

from debugtui.app import DebugTui
from debugtui.fleet.fleet import Fleet, HostParts
from debugtui.hosts.link import CommandResult, Endpoint, LinkError
from debugtui.model.docker import Container, DockerReading
from debugtui.model.libvirt import LibvirtReading, Vm, VmDisk, VmInterface
from debugtui.model.postgres import LockNode, PostgresReading, Session
from debugtui.model.source import Kind, LinkState, LinkStatus, Problem, Reading
from debugtui.model.system import Filesystem, SystemReading

GIB = 1 << 30


class StillLink:
    """A link that is always up and carries nothing."""

    def __init__(self, host: str) -> None:
        self.host = host
        self.address = "simulated"
        self.status = LinkStatus(LinkState.UP)
        self.traffic = (0, 0)

    def on_change(self, callback: Callable[[], None]) -> None:
        """Nothing ever changes."""

    async def start(self) -> None:
        """Nothing to start."""

    async def close(self) -> None:
        """Nothing to close."""

    async def wait_settled(self, timeout: float) -> LinkStatus:
        """Return at once."""
        return self.status

    def retry_now(self) -> None:
        """Nothing to retry."""

    async def run(self, argv: Sequence[str], *, timeout: float, stdin: bytes = b"", limit: int = 0) -> CommandResult:
        """Refuse."""
        raise LinkError(Problem("simulated"))

    async def reach_unix(self, path: str) -> Endpoint:
        """Return the path itself."""
        return Endpoint(path=path)

    async def reach_tcp(self, host: str, port: int) -> Endpoint:
        """Return the address itself."""
        return Endpoint(host=host, port=port)


class MovingSource:
    """A source whose reading is the last one, moved a little."""

    has_rates = False
    period_s = 0.0
    limit_s = 20.0

    def __init__(self, kind: Kind, reading: Reading, move: Callable[[Reading], Reading], name: str = "") -> None:
        self.kind = kind
        self.name = name or kind.value
        self._reading = reading
        self._move = move

    async def read(self, *, full: bool) -> Reading:
        """Return the next reading."""
        self._reading = self._move(self._reading)
        return self._reading

    async def close(self) -> None:
        """Nothing to close."""


def _percent() -> float:
    return random.uniform(1, 60)


def _system(host: str) -> SystemReading:
    disk = Filesystem("/", "/dev/vda1", "ext4", 100 * GIB, 60 * GIB, 40 * GIB, 60.0, 1000, 100, 10.0)
    return SystemReading(
        datetime.now(UTC), host, "6.1", 16, 1e6, 1.0, 1.0, 1.0, 20.0, 0.1, 0.0, 64 * GIB, 40 * GIB, 40.0, 0, 0, (disk,)
    )


def _move_system(reading: SystemReading) -> SystemReading:
    return replace(
        reading, taken_at=datetime.now(UTC), cpu_percent=_percent(), memory_percent=_percent(), load1=_percent() / 20
    )


def _vms(host: str, count: int) -> LibvirtReading:
    disk = VmDisk("vda", "/x", "qcow2", 40 * GIB, 20 * GIB, 1e6, 1e6, 10.0, 10.0)
    card = VmInterface("vnet0", "52:54:00:00:00:01", "default", 1e5, 1e5)
    vms = tuple(
        Vm(f"vm-{number:02d}", f"u{number}", number, "running", "booted", 4, 4, 10.0, 8 * GIB, 8 * GIB, 4 * GIB, 6 * GIB,
           (disk,), (card,))
        for number in range(count)
    )  # fmt: skip
    return LibvirtReading(datetime.now(UTC), "qemu:///system", host, "9.0", "QEMU", True, 16, 64 * GIB, None, vms)


def _move_vms(reading: LibvirtReading) -> LibvirtReading:
    def moved(vm: Vm) -> Vm:
        disk = replace(vm.disks[0], read_bytes_s=_percent() * 1e5)
        return replace(vm, cpu_percent=_percent(), memory_used_bytes=int(_percent() / 100 * 8 * GIB), disks=(disk,))

    return replace(reading, taken_at=datetime.now(UTC), vms=tuple(moved(vm) for vm in reading.vms))


def _containers(host: str, count: int) -> DockerReading:
    now = datetime.now(UTC)
    containers = tuple(
        Container(
            f"c{number}", f"p{number // 10}-s{number:04d}", "image:1", "i", "cmd", f"p{number // 10}", f"s{number:04d}",
            "running", "Up", "healthy", 0, False, 0, "always", False, now, now, None, 3.0, 200 << 20, 512 << 20,
        )
        for number in range(count)
    )  # fmt: skip
    return DockerReading(now, "20.10", "1.41", "Debian", "6.1", "overlay2", "v2", "/var/lib/docker", containers)


def _move_containers(reading: DockerReading) -> DockerReading:
    def moved(container: Container) -> Container:
        return replace(container, cpu_percent=_percent(), memory_bytes=int(_percent() * (4 << 20)))

    # The visible ones move; making thousands of new ones would measure the simulation.
    first = tuple(moved(one) for one in reading.containers[:200])
    return replace(reading, taken_at=datetime.now(UTC), containers=first + reading.containers[200:])


def _database(count: int) -> PostgresReading:
    now = datetime.now(UTC)
    sessions = tuple(
        Session(number, "app", "app", "api", "10.0.0.1", "client backend", "active", "", "", now, now, now, now, "SELECT 1")
        for number in range(1, count + 1)
    )
    locks = (
        LockNode(1, 0, None, "api", "app", "idle in transaction", "UPDATE t", "", "", "RowExclusiveLock on t", None, 60.0, 2),
        LockNode(2, 1, 1, "api", "app", "active", "UPDATE t", "ShareLock", "transaction 1", "", 50.0, 60.0, 0, (1,)),
        LockNode(3, 1, 1, "api", "app", "active", "ALTER TABLE t", "AccessExclusiveLock", "t", "", 40.0, 60.0, 0, (1,)),
    )
    return PostgresReading(now, "app", "15.8", 150008, "monitor", False, now, count, 200, 3, sessions, locks)


def _move_database(reading: PostgresReading) -> PostgresReading:
    passed = (datetime.now(UTC) - reading.taken_at) / timedelta(seconds=1)
    locks = tuple(
        replace(node, waits_s=node.waits_s + passed if node.waits_s else None, age_s=(node.age_s or 0) + passed)
        for node in reading.locks
    )
    return replace(reading, taken_at=datetime.now(UTC), locks=locks, commits_s=_percent())


def host_parts(name: str, vms: int, containers: int, sessions: int) -> HostParts:
    """Return one simulated host."""
    sources = [
        MovingSource(Kind.SYSTEM, _system(name), _move_system),
        MovingSource(Kind.LIBVIRT, _vms(name, vms), _move_vms),
        MovingSource(Kind.DOCKER, _containers(name, containers), _move_containers),
        MovingSource(Kind.POSTGRES, _database(sessions), _move_database, "app"),
    ]
    return HostParts(StillLink(name), [(source, True) for source in sources])  # type: ignore[list-item] # same shape


def fleet_of(hosts: int, vms: int, containers: int, sessions: int, refresh: float = 2.0) -> Fleet:
    """Return a fleet of simulated hosts."""
    return Fleet(
        [host_parts(f"kvm-{number:03d}", vms, containers, sessions) for number in range(1, hosts + 1)], refresh=refresh
    )


def main() -> None:
    """Open the screen on a simulated fleet: HOSTS VMS CONTAINERS SESSIONS."""
    hosts, vms, containers, sessions = (int(text) for text in (*sys.argv[1:], "3", "6", "12", "20")[:4])
    DebugTui(fleet=fleet_of(hosts, vms, containers, sessions)).run()


if __name__ == "__main__":
    main()
