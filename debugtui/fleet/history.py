"""A short history of every figure worth a plot, held in memory.

One read of a source is one row of single-precision numbers, so that a hundred hosts with fifty containers each cost tens of
megabytes and not hundreds.
"""

from __future__ import annotations

from array import array
from collections import deque
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from debugtui.fleet import monitoring_figures
from debugtui.model.chrome import ChromeReading
from debugtui.model.docker import DockerReading
from debugtui.model.groq import GroqReading
from debugtui.model.libvirt import LibvirtReading
from debugtui.model.nginx import NginxReading
from debugtui.model.postgres import PostgresReading
from debugtui.model.source import Kind, Reading, SourceStatus
from debugtui.model.system import SystemReading
from debugtui.model.target import Target
from debugtui.model.web import WebReading

#: The kinds of which a host may have several sources, each with a name of its own.
_NAMED = frozenset({Kind.POSTGRES, Kind.WEB, Kind.NGINX, Kind.TLS, Kind.CHROME, Kind.GROQ} | set(monitoring_figures.METRICS))

#: Reads kept of each source: ten minutes at the default refresh of two seconds.
LENGTH = 300

NAN = float("nan")

METRICS: dict[Kind, tuple[str, ...]] = {
    Kind.SYSTEM: ("cpu", "iowait", "memory", "load", "read", "write", "rx", "tx"),
    Kind.LIBVIRT: ("cpu", "memory", "read", "write", "rx", "tx"),
    Kind.DOCKER: ("cpu", "memory", "rx", "tx"),
    Kind.POSTGRES: ("connections", "active", "waiting", "commits", "rollbacks", "hit"),
    Kind.WEB: ("total", "first_byte"),
    Kind.NGINX: ("requests", "p95", "errors"),
    Kind.CHROME: ("lcp", "tti", "errors", "failed"),
    Kind.GROQ: ("latency", "ttft"),
    **monitoring_figures.METRICS,
}


class Series(NamedTuple):
    """Times (UNIX seconds) and values of one figure, oldest first."""

    times: array[float]
    values: array[float]


class Sample(NamedTuple):
    """One read: when, the names of what it tells of, and their figures, name by name in the order of `METRICS`."""

    at: float
    names: tuple[str, ...]
    values: array[float]


def _total(rates: Iterable[float | None]) -> float | None:
    known = [rate for rate in rates if rate is not None]
    return sum(known) if known else None


def _figures(status: SourceStatus) -> tuple[tuple[str, ...], list[float | None]] | None:
    reading = status.reading
    if isinstance(reading, SystemReading):
        return ("",), _system(reading)
    if isinstance(reading, LibvirtReading):
        return tuple(vm.name for vm in reading.vms), _libvirt(reading)
    if isinstance(reading, DockerReading):
        values: list[float | None] = []
        for one in reading.containers:
            values += (one.cpu_percent, one.memory_bytes, one.rx_bytes_s, one.tx_bytes_s)
        return tuple(one.name for one in reading.containers), values
    if isinstance(reading, PostgresReading):
        return (status.name,), _postgres(reading)
    found = _outer(reading)
    return None if found is None else ((status.name,), found)


def _outer(reading: Reading | None) -> list[float | None] | None:
    if isinstance(reading, WebReading):
        return [reading.timing.total_ms, reading.timing.first_byte_ms]
    if isinstance(reading, NginxReading):
        access = reading.access
        rate = access.requests_s if access else reading.status.requests_s if reading.status else None
        return [rate, access.p95_ms if access else None, float(sum(group.count for group in reading.errors))]
    if isinstance(reading, ChromeReading):
        return [reading.lcp_ms, reading.tti_ms, float(len(reading.errors)), float(len(reading.failed))]
    if isinstance(reading, GroqReading):
        newest = reading.newest
        return [newest.total_ms, newest.ttft_ms] if newest is not None and newest.fault is None else [None, None]
    return monitoring_figures.figures(reading)


def _system(reading: SystemReading) -> list[float | None]:
    return [
        reading.cpu_percent,
        reading.iowait_percent,
        reading.memory_percent,
        reading.load1,
        _total(disk.read_bytes_s for disk in reading.disks),
        _total(disk.write_bytes_s for disk in reading.disks),
        _total(interface.rx_bytes_s for interface in reading.interfaces),
        _total(interface.tx_bytes_s for interface in reading.interfaces),
    ]


def _libvirt(reading: LibvirtReading) -> list[float | None]:
    values: list[float | None] = []
    for vm in reading.vms:
        values += (
            vm.cpu_percent,
            vm.memory_percent,
            _total(disk.read_bytes_s for disk in vm.disks),
            _total(disk.write_bytes_s for disk in vm.disks),
            _total(interface.rx_bytes_s for interface in vm.interfaces),
            _total(interface.tx_bytes_s for interface in vm.interfaces),
        )
    return values


def _postgres(reading: PostgresReading) -> list[float | None]:
    return [
        reading.connections,
        sum(session.state == "active" for session in reading.sessions),
        len({node.pid for node in reading.locks if node.depth}),
        reading.commits_s,
        reading.rollbacks_s,
        reading.cache_hit_percent,
    ]


class History:
    """A ring of samples for each source."""

    def __init__(self, length: int = LENGTH) -> None:
        self._length = length
        self._rings: dict[tuple[str, Kind, str], deque[Sample]] = {}

    def record(self, status: SourceStatus) -> None:
        """Add the figures of a fresh reading, at the time when it was taken."""
        found = _figures(status)
        if found is None or status.reading is None:
            return
        names, values = found
        key = (status.host, status.kind, status.name)
        ring = self._rings.get(key)
        if ring is None:
            ring = self._rings[key] = deque(maxlen=self._length)
        if ring and ring[-1].names == names:
            names = ring[-1].names  # the same tuple again: names cost memory once
        numbers = array("f", [NAN if value is None else value for value in values])
        ring.append(Sample(status.reading.taken_at.timestamp(), names, numbers))

    def series(self, target: Target, metric: str) -> Series:
        """Return one figure's known samples; empty where there are none."""
        kind = Kind(target.kind)
        place = METRICS[kind].index(metric)
        series = Series(array("d"), array("d"))
        for sample in self._ring(target, kind):
            name = target.name if kind is not Kind.SYSTEM else ""
            column = _place(sample.names, name)
            if column is None:
                continue
            value = sample.values[column * len(METRICS[kind]) + place]
            if value == value:  # NaN is the one number that differs from itself
                series.times.append(sample.at)
                series.values.append(value)
        return series

    def _ring(self, target: Target, kind: Kind) -> Sequence[Sample]:
        name = target.name if kind in _NAMED else kind.value
        return list(self._rings.get((target.host, kind, name), ()))


def _place(names: tuple[str, ...], name: str) -> int | None:
    try:
        return names.index(name)
    except ValueError:
        return None
