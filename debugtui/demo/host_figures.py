"""The kernel's files and df's answers of a demo host: pure functions of the scenario and of time."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from debugtui.demo import cast
from debugtui.demo.cast import GIB, HostPart
from debugtui.demo.scenarios import Fault, Timeline
from debugtui.demo.waves import Wave, share

#: Kernel counters are in hundredths of a second (USER_HZ); disk counters in sectors of 512 bytes.
HZ, SECTOR = 100, 512
KERNEL = "6.1.0-27-amd64"
#: When the hosts booted (seconds since the epoch).
BOOTED = 1_760_000_000

#: A full disk fills up within this many seconds, to this percentage.
FILL_S, FULL_PERCENT = 30.0, 98.6
#: Once mended it is cleaned within this many seconds.
CLEAN_S = 6.0


@dataclass(frozen=True, slots=True)
class Mount:
    """One filesystem; sizes in bytes."""

    device: str
    mount: str
    fstype: str
    size: int
    used: int
    available: int
    inodes: int
    inodes_used: int


class HostFigures:
    """One host. Every method takes the time in seconds since the epoch."""

    def __init__(self, host: HostPart, timeline: Timeline) -> None:
        self.host, self._timeline = host, timeline
        seed = host.name
        self._user = Wave(host.cpu_percent / 100 * 0.72, 0.6, f"{seed} user")
        self._system = Wave(host.cpu_percent / 100 * 0.24, 0.5, f"{seed} system")
        self._iowait = Wave(0.011, 0.9, f"{seed} iowait")
        self._steal = Wave(0.0004, 0.9, f"{seed} steal")
        self._memory = Wave(host.memory_percent / 100, 0.05, f"{seed} memory")
        self._read = Wave(9e6 * host.cpus / 16, 0.9, f"{seed} read")
        self._written = Wave(22e6 * host.cpus / 16, 0.8, f"{seed} written")
        self._received = Wave(14e6, 0.8, f"{seed} received")
        self._sent = Wave(19e6, 0.8, f"{seed} sent")

    def uptime(self, now: float) -> str:
        """`/proc/uptime`."""
        up = now - BOOTED
        return f"{up:.2f} {up * self.host.cpus * 0.6:.2f}\n"

    def loadavg(self, now: float) -> str:
        """`/proc/loadavg`."""
        busy = self._user.base + self._system.base
        loads = [
            self.host.cpus * (busy * (1 - near) + (self._user.at(now) + self._system.at(now)) * near) for near in (1, 0.5, 0.2)
        ]
        blocked = 3.0 if self._timeline.since(Fault.DISK_FULL, now) is not None and self.host.name == cast.DISK_HOST else 0.0
        one, five, fifteen = (load + blocked for load in loads)
        return f"{one:.2f} {five:.2f} {fifteen:.2f} 3/912 {20_000 + int(now) % 9_000}\n"

    def stat(self, now: float) -> str:
        """`/proc/stat`."""
        up, cpus = now - BOOTED, self.host.cpus
        parts = [wave.total(up) for wave in (self._user, self._system, self._iowait, self._steal)]
        lines = [self._cpu_line("cpu ", up, parts, cpus)]
        lines += [self._cpu_line(f"cpu{n}", up, parts, 1) for n in range(cpus)]
        lines += [
            f"ctxt {int(up * 21_000)}",
            f"btime {BOOTED}",
            f"processes {int(up * 3)}",
            "procs_running 2",
            "procs_blocked 0",
        ]
        return "\n".join(lines) + "\n"

    @staticmethod
    def _cpu_line(name: str, up: float, parts: list[float], cpus: int) -> str:
        user, system, iowait, steal = (int(part * cpus * HZ) for part in parts)
        idle = int(up * cpus * HZ) - user - system - iowait - steal
        return f"{name} {user} 0 {system} {idle} {iowait} 0 0 {steal} 0 0"

    def meminfo(self, now: float) -> str:
        """`/proc/meminfo`."""
        total = self.host.memory_gib << 20
        available = int(total * (1 - self._memory.at(now)))
        swap = 8 << 20
        values = {
            "MemTotal": total,
            "MemFree": available // 3,
            "MemAvailable": available,
            "Buffers": total // 50,
            "Cached": available // 2,
            "SwapCached": 0,
            "SwapTotal": swap,
            "SwapFree": swap - (swap >> 5),
        }
        return "".join(f"{name}:{value:>16} kB\n" for name, value in values.items())

    def diskstats(self, now: float) -> str:
        """`/proc/diskstats`."""
        up = now - BOOTED
        lines = []
        for number, (name, weight) in enumerate((("nvme0n1", 0.5), ("nvme1n1", 0.5))):
            read, written = int(self._read.total(up) * weight), int(self._written.total(up) * weight)
            busy = int(up * 1000 * 0.07 + written / 90_000)
            fields = (
                read // 24_000,
                0,
                read // SECTOR,
                read // 60_000,
                written // 18_000,
                0,
                written // SECTOR,
                written // 40_000,
            )
            lines.append(f" 259 {number:>7} {name} {' '.join(map(str, fields))} 0 {busy} {busy}")
        return "\n".join(lines) + "\n"

    def net_dev(self, now: float) -> str:
        """`/proc/net/dev`."""
        up = now - BOOTED
        received, sent = int(self._received.total(up)), int(self._sent.total(up))
        local = int(up * 90_000)
        receive = "bytes    packets errs drop fifo frame compressed multicast"
        transmit = "bytes    packets errs drop fifo colls carrier compressed"
        head = f"Inter-|   {'Receive':<55}|  Transmit\n face |{receive}|{transmit}"
        rows = ((("lo", local, local)), ("eno1", received, sent), ("br0", received, sent))
        lines = [f"{name:>6}: {rx} {rx // 900} 0 0 0 0 0 0 {tx} {tx // 900} 0 0 0 0 0 0" for name, rx, tx in rows]
        return "\n".join([head, *lines]) + "\n"

    def mounts(self, now: float) -> Iterator[Mount]:
        """Yield the filesystems."""
        for mount, device, fstype, gib, percent in self.host.filesystems:
            size = gib * GIB
            usable = size * 95 // 100 if fstype == "ext4" else size  # ext4 keeps 5 % for root
            used = int(usable * self._percent(mount, percent, now) / 100)
            inodes = gib * 65_536
            inodes_used = int(inodes * (0.02 + 0.1 * share(self.host.name, mount)))
            yield Mount(device, mount, fstype, size, used, usable - used, inodes, inodes_used)

    def disk_is_full(self, now: float) -> bool:
        """Whether the scenario has filled the disk."""
        since = self._timeline.since(Fault.DISK_FULL, now)
        return since is not None and since > FILL_S

    def _percent(self, mount: str, ordinary: float, now: float) -> float:
        if (self.host.name, mount) != (cast.DISK_HOST, cast.DISK_MOUNT):
            return ordinary
        since = self._timeline.since(Fault.DISK_FULL, now)
        if since is not None:
            return ordinary + (FULL_PERCENT - ordinary) * min(1.0, since / FILL_S)
        ends = [end for _, end in self._timeline.spans(Fault.DISK_FULL, now)]
        if ends and now - ends[-1] < CLEAN_S:
            return FULL_PERCENT - (FULL_PERCENT - ordinary) * (now - ends[-1]) / CLEAN_S
        return ordinary
