"""A short history of every figure worth a plot, held in memory."""

from __future__ import annotations

from array import array
from collections import deque
from collections.abc import Iterator
from typing import NamedTuple

from debugtui.model.docker import DockerReading
from debugtui.model.libvirt import LibvirtReading
from debugtui.model.postgres import PostgresReading
from debugtui.model.source import SourceStatus
from debugtui.model.system import SystemReading
from debugtui.model.target import Target

#: Samples kept for each figure: ten minutes at the default refresh of two seconds.
LENGTH = 300


class Series(NamedTuple):
    """Times (UNIX seconds) and values of one figure, oldest first."""

    times: array[float]
    values: array[float]


def samples(status: SourceStatus) -> Iterator[tuple[Target, str, float]]:
    """Yield (target, metric, value) for every figure of a reading that is known."""
    reading = status.reading
    if isinstance(reading, SystemReading):
        yield from _system(status.host, reading)
    elif isinstance(reading, LibvirtReading):
        yield from _libvirt(status.host, reading)
    elif isinstance(reading, DockerReading):
        yield from _docker(status.host, reading)
    elif isinstance(reading, PostgresReading):
        yield from _postgres(Target(status.host, "postgres", status.name), reading)


def _known(target: Target, figures: tuple[tuple[str, float | None], ...]) -> Iterator[tuple[Target, str, float]]:
    for metric, value in figures:
        if value is not None:
            yield target, metric, float(value)


def _total(rates: Iterator[float | None]) -> float | None:
    known = [rate for rate in rates if rate is not None]
    return sum(known) if known else None


def _system(host: str, reading: SystemReading) -> Iterator[tuple[Target, str, float]]:
    yield from _known(
        Target(host, "system"),
        (
            ("cpu", reading.cpu_percent),
            ("iowait", reading.iowait_percent),
            ("memory", reading.memory_percent),
            ("load", reading.load1),
            ("read", _total(disk.read_bytes_s for disk in reading.disks)),
            ("write", _total(disk.write_bytes_s for disk in reading.disks)),
            ("rx", _total(interface.rx_bytes_s for interface in reading.interfaces)),
            ("tx", _total(interface.tx_bytes_s for interface in reading.interfaces)),
        ),
    )


def _libvirt(host: str, reading: LibvirtReading) -> Iterator[tuple[Target, str, float]]:
    for vm in reading.vms:
        yield from _known(
            Target(host, "libvirt", vm.name),
            (
                ("cpu", vm.cpu_percent),
                ("memory", vm.memory_percent),
                ("read", _total(disk.read_bytes_s for disk in vm.disks)),
                ("write", _total(disk.write_bytes_s for disk in vm.disks)),
                ("rx", _total(interface.rx_bytes_s for interface in vm.interfaces)),
                ("tx", _total(interface.tx_bytes_s for interface in vm.interfaces)),
            ),
        )


def _docker(host: str, reading: DockerReading) -> Iterator[tuple[Target, str, float]]:
    for container in reading.containers:
        yield from _known(
            Target(host, "docker", container.name),
            (
                ("cpu", container.cpu_percent),
                ("memory", container.memory_bytes),
                ("rx", container.rx_bytes_s),
                ("tx", container.tx_bytes_s),
            ),
        )


def _postgres(target: Target, reading: PostgresReading) -> Iterator[tuple[Target, str, float]]:
    active = sum(session.state == "active" for session in reading.sessions)
    waiting = len({node.pid for node in reading.locks if node.depth})
    yield from _known(
        target,
        (
            ("connections", reading.connections),
            ("active", active),
            ("waiting", waiting),
            ("commits", reading.commits_s),
            ("rollbacks", reading.rollbacks_s),
            ("hit", reading.cache_hit_percent),
        ),
    )


class History:
    """Rings of samples by target and metric. A target that was not seen for a whole ring's length is forgotten."""

    def __init__(self, length: int = LENGTH) -> None:
        self._length = length
        self._rings: dict[tuple[Target, str], deque[tuple[float, float]]] = {}
        self._records = 0

    def record(self, status: SourceStatus) -> None:
        """Add the figures of a fresh reading, at the time when it was taken."""
        if status.reading is None:
            return
        at = status.reading.taken_at.timestamp()
        for target, metric, value in samples(status):
            ring = self._rings.get((target, metric))
            if ring is None:
                ring = self._rings[target, metric] = deque(maxlen=self._length)
            ring.append((at, value))
        self._records += 1
        if self._records % 1000 == 0:
            self._forget(at)

    def _forget(self, now: float) -> None:
        # Containers come and go by the thousand; what has been silent for an hour will not be plotted again.
        gone = [key for key, ring in self._rings.items() if now - ring[-1][0] > 3600]
        for key in gone:
            del self._rings[key]

    def series(self, target: Target, metric: str) -> Series:
        """Return a copy of one figure's samples; empty where there are none."""
        ring = self._rings.get((target, metric), ())
        return Series(array("d", (at for at, _ in ring)), array("d", (value for _, value in ring)))
