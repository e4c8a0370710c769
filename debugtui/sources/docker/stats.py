"""A container's figures: from two samples of the engine's counters to rates."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from debugtui.sources.docker.fields import Object, items, moment, number, obj

#: Two samples closer together than this (seconds) give no rate: the engine counts its processor time in steps of 10 ms.
CLOSEST = 0.2


@dataclass(frozen=True, slots=True)
class Sample:
    """Counters since the container started, but memory and pids, which are as they are now; None: not told."""

    at: datetime
    cpu_ns: int
    system_ns: int
    cpus: int
    memory_bytes: int | None
    pids: int | None
    rx_bytes: int | None
    tx_bytes: int | None
    read_bytes: int | None
    write_bytes: int | None


@dataclass(frozen=True, slots=True)
class Rates:
    """What two samples tell; see `model.docker.Container` for units."""

    cpu_percent: float | None = None
    rx_bytes_s: float | None = None
    tx_bytes_s: float | None = None
    read_bytes_s: float | None = None
    write_bytes_s: float | None = None


def parse_sample(answer: Any) -> Sample | None:
    """Read an answer of `containers/{id}/stats`; None where the container is not running (the engine then sends zeros)."""
    root = obj(answer)
    at = moment(root.get("read"))
    cpu = obj(root.get("cpu_stats"))
    usage = obj(cpu.get("cpu_usage"))
    used, system = number(usage.get("total_usage")), number(cpu.get("system_cpu_usage"))
    if at is None or used is None or not system:
        return None
    received, sent = _network(root.get("networks"))
    read, written = _disk(obj(root.get("blkio_stats")).get("io_service_bytes_recursive"))
    return Sample(
        at=at,
        cpu_ns=used,
        system_ns=system,
        cpus=number(cpu.get("online_cpus")) or len(items(usage.get("percpu_usage"))) or 1,
        memory_bytes=_memory(obj(root.get("memory_stats"))),
        pids=number(obj(root.get("pids_stats")).get("current")),
        rx_bytes=received,
        tx_bytes=sent,
        read_bytes=read,
        write_bytes=written,
    )


def _memory(memory: Object) -> int | None:
    """Return the working set as `docker stats` does: what is used, less the file cache that can go at any time."""
    usage = number(memory.get("usage"))
    if usage is None:
        return None
    details = obj(memory.get("stats"))
    # cgroup v1 counts the children in total_inactive_file; v2 has inactive_file alone.
    cache = number(details.get("total_inactive_file"))
    if cache is None:
        cache = number(details.get("inactive_file")) or 0
    return usage - cache if cache < usage else usage


def _network(networks: Any) -> tuple[int | None, int | None]:
    """Sum the interfaces; None where the container has none of its own (`--network host` or `none`)."""
    if not isinstance(networks, dict) or not networks:
        return None, None
    each = [obj(one) for one in networks.values()]
    return sum(number(one.get("rx_bytes")) or 0 for one in each), sum(number(one.get("tx_bytes")) or 0 for one in each)


def _disk(entries: Any) -> tuple[int | None, int | None]:
    """Sum the devices; None where the kernel counts nothing."""
    read = written = 0
    listed = items(entries)
    for entry in listed:
        one = obj(entry)
        operation = one.get("op")
        if operation in ("Read", "read"):
            read += number(one.get("value")) or 0
        elif operation in ("Write", "write"):
            written += number(one.get("value")) or 0
    return (read, written) if listed else (None, None)


def rates_between(before: Sample, after: Sample) -> Rates | None:
    """Return the rates between two samples; None where they are too close, or the container was started in between."""
    seconds = (after.at - before.at).total_seconds()
    if seconds < CLOSEST or after.cpu_ns < before.cpu_ns or after.system_ns <= before.system_ns:
        return None
    # As `docker stats`: the container's share of all processors' time, times their number, so that 100 is one core.
    cpu = (after.cpu_ns - before.cpu_ns) / (after.system_ns - before.system_ns) * after.cpus * 100

    def rate(old: int | None, new: int | None) -> float | None:
        return (new - old) / seconds if old is not None and new is not None and new >= old else None

    return Rates(
        cpu_percent=cpu,
        rx_bytes_s=rate(before.rx_bytes, after.rx_bytes),
        tx_bytes_s=rate(before.tx_bytes, after.tx_bytes),
        read_bytes_s=rate(before.read_bytes, after.read_bytes),
        write_bytes_s=rate(before.write_bytes, after.write_bytes),
    )
