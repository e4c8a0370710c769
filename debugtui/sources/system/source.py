"""The system source: one command per read, rates from the sample before."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, datetime
from math import isfinite

from debugtui.hosts.link import CommandTimeoutError, Link
from debugtui.model.clock import Clock, SystemClock
from debugtui.model.source import Gap, Kind, Problem
from debugtui.model.system import BlockDevice, HostNetwork, NetworkInterface, SystemReading
from debugtui.model.text import decode, line
from debugtui.sources.base import READ_LIMIT_S, SourceError
from debugtui.sources.system import parse
from debugtui.sources.system.network import SocketMemory, parse_network
from debugtui.sources.system.script import COMMAND

#: Seconds that one read may take; `df` alone may take four of them.
LIMIT = 7.0
#: Seconds for which the file systems are left alone after a read that did not end: a disk that hangs holds up `df`, whatever
#: signal it gets.
DF_REST = 300.0
#: Most bytes of the answer; a host with thousands of disks is cut.
SIZE = 1_000_000


@dataclass(frozen=True, slots=True)
class Sample:
    """Counters at one moment of the host's own clock (seconds since it started)."""

    uptime: float
    cpu: tuple[int, ...]
    disks: dict[str, parse.DiskCounters]
    cards: dict[str, parse.CardCounters]


_RESTING = Gap("filesystems", Problem("df did not end the last time", f"tried again within {DF_REST / 60:g} minutes"))


class SystemSource:
    """A host's own figures."""

    kind = Kind.SYSTEM
    name = "system"
    has_rates = True
    period_s = 0.0
    limit_s = READ_LIMIT_S

    def __init__(self, link: Link, *, clock: Clock | None = None) -> None:
        """Read through `link`."""
        self._link = link
        self._clock = clock or SystemClock()
        self._df_rest_until = 0.0
        self._before: Sample | None = None
        self._units: tuple[str, ...] | None = None
        self._network: HostNetwork | None = None
        self._sockets = SocketMemory()

    async def read(self, *, full: bool) -> SystemReading:
        """Read now; `full` asks systemd for failed units too, and who talks with whom."""
        resting = self._clock.monotonic() < self._df_rest_until
        arguments = [*COMMAND, "full" if full else "fast", *(["no-df"] if resting else [])]
        try:
            done = await self._link.run(arguments, timeout=LIMIT, limit=SIZE)
        except CommandTimeoutError:
            self._df_rest_until = self._clock.monotonic() + DF_REST
            raise
        text = decode(done.stdout)
        if done.status != 0 and "==end" not in text:
            says = line(done.stderr, 200) or f"exit status {done.status}"
            raise SourceError(Problem(f"cannot read /proc: {says}", "the login needs a POSIX shell on a Linux host"))
        try:
            found = parse.sections(text)
            if "not-linux" in found:
                raise SourceError(Problem("this host has no /proc: only Linux hosts have these figures", "system = false"))
            reading, sample = _reading(found, self._before)
        except ValueError as error:
            raise SourceError(Problem(f"the host's answer cannot be understood: {line(str(error), 200)}")) from error
        self._before = sample
        if full:
            self._units = parse.failed_units(found.get("units"))
            if "network" in found:
                self._network = self._sockets.with_gone(parse_network(found["network"]), self._clock.monotonic())
        gaps = (*reading.gaps, _RESTING) if resting else reading.gaps
        return replace(reading, failed_units=self._units, network=self._network, gaps=gaps)

    async def close(self) -> None:
        """Forget the last sample: after a break its rates would be of another time."""
        self._before = None


def _reading(found: dict[str, list[str]], before: Sample | None) -> tuple[SystemReading, Sample]:
    said = parse.facts(found.get("facts", []))
    times, processors = parse.cpu_times(found.get("cpu", []))
    rows = found.get("proc", [])
    memory = parse.memory(rows)
    sample = Sample(
        float(said.get("uptime", "").split(" ")[0]),
        tuple(times),
        parse.disk_counters(rows),
        parse.card_counters(rows),
    )
    load = [float(text) for text in said.get("loadavg", "").split(" ")[:3]]
    if len(load) != 3 or not all(isfinite(figure) for figure in (*load, sample.uptime)):
        raise ValueError("no load in /proc/loadavg")
    filesystems = parse.filesystems(rows, found.get("df", []), found.get("inodes", []))
    mounts = sum(row.startswith("mount ") for row in rows)
    gaps: tuple[Gap, ...] = ()
    if mounts and not filesystems:
        gaps = (Gap("filesystems", Problem("df did not answer within 2 s", "a file system of the host hangs")),)
    busy, waiting, stolen = _cpu(before, sample)
    total = memory["MemTotal"]
    available = memory.get("MemAvailable", memory.get("MemFree", 0))
    swap = memory.get("SwapTotal", 0)
    reading = SystemReading(
        taken_at=datetime.now(UTC),
        hostname=said.get("hostname", ""),
        kernel=said.get("kernel", ""),
        cpus=processors,
        uptime_s=sample.uptime,
        load1=load[0],
        load5=load[1],
        load15=load[2],
        cpu_percent=busy,
        iowait_percent=waiting,
        steal_percent=stolen,
        memory_total_bytes=total,
        memory_available_bytes=available,
        memory_percent=round(100 * (total - available) / total, 1) if total else 0.0,
        swap_total_bytes=swap,
        swap_used_bytes=max(0, swap - memory.get("SwapFree", swap)),
        filesystems=filesystems,
        disks=_disks(before, sample),
        interfaces=_cards(before, sample),
        gaps=gaps,
    )
    return reading, sample


def _cpu(before: Sample | None, now: Sample) -> tuple[float | None, float | None, float | None]:
    """Return the shares of time busy, waiting for I/O and stolen, in per cent, since the sample before."""
    if before is None:
        return None, None, None
    spent = [new - old for old, new in zip(before.cpu, now.cpu, strict=True)]
    total = sum(spent)
    if total <= 0 or min(spent) < -total:
        return None, None, None
    share = [100 * max(0, part) / total for part in spent]
    return round(max(0.0, 100 - share[3] - share[4]), 1), round(share[4], 1), round(share[7], 1)


def _seconds(before: Sample | None, now: Sample) -> float | None:
    """Return the seconds between two samples; None where the host restarted in between."""
    if before is None or now.uptime <= before.uptime:
        return None
    return now.uptime - before.uptime


def _rate(old: int, new: int, seconds: float) -> float | None:
    return round((new - old) / seconds, 1) if new >= old else None


def _disks(before: Sample | None, now: Sample) -> tuple[BlockDevice, ...]:
    seconds = _seconds(before, now)
    devices = []
    for name, new in now.disks.items():
        old = before.disks.get(name) if before is not None else None
        if old is None or seconds is None:
            devices.append(BlockDevice(name, None, None, None, None, None))
            continue
        busy = _rate(old.busy_ms, new.busy_ms, seconds)
        devices.append(
            BlockDevice(
                name,
                _rate(old.read_bytes, new.read_bytes, seconds),
                _rate(old.write_bytes, new.write_bytes, seconds),
                _rate(old.reads, new.reads, seconds),
                _rate(old.writes, new.writes, seconds),
                None if busy is None else min(100.0, round(busy / 10, 1)),
            )
        )
    return tuple(devices)


def _cards(before: Sample | None, now: Sample) -> tuple[NetworkInterface, ...]:
    seconds = _seconds(before, now)
    cards = []
    for name, new in now.cards.items():
        old = before.cards.get(name) if before is not None else None
        if old is None or seconds is None:
            cards.append(NetworkInterface(name, None, None, None, None))
            continue
        cards.append(
            NetworkInterface(
                name,
                _rate(old.rx_bytes, new.rx_bytes, seconds),
                _rate(old.tx_bytes, new.tx_bytes, seconds),
                _rate(old.errors, new.errors, seconds),
                _rate(old.drops, new.drops, seconds),
            )
        )
    return tuple(cards)
