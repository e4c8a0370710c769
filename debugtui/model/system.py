"""What a host says of itself: processor, memory, filesystems, disks, network."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from debugtui.model.source import Gap


@dataclass(frozen=True, slots=True)
class Filesystem:
    """One mounted filesystem, in bytes and inodes. `used_percent` is df's: used / (used + available to users)."""

    mount: str
    device: str
    fstype: str
    size_bytes: int
    used_bytes: int
    available_bytes: int
    used_percent: float
    inodes: int
    inodes_used: int
    inodes_percent: float | None
    read_only: bool = False


@dataclass(frozen=True, slots=True)
class BlockDevice:
    """Rates of one disk; None until two samples exist. `busy_percent` is the share of time with I/O in flight."""

    name: str
    read_bytes_s: float | None
    write_bytes_s: float | None
    reads_s: float | None
    writes_s: float | None
    busy_percent: float | None


@dataclass(frozen=True, slots=True)
class NetworkInterface:
    """Rates of one network interface; None until two samples exist."""

    name: str
    rx_bytes_s: float | None
    tx_bytes_s: float | None
    errors_s: float | None
    drops_s: float | None


@dataclass(frozen=True, slots=True)
class Socket:
    """One TCP socket of a host that listens or is connected.

    Attributes:
        address, port: its own end; `*` or a zero address: every one.
        peer, peer_port: the other end; empty and 0 where it listens.
        program, pid: who holds it; empty and 0 where the login may not see that.
        container: id of the container that the process is in; empty: none, or not known.
        vm: name of the VM whose process it is; empty: none.
        open: whether it was there at the newest look; False: it was at an earlier one.
    """

    address: str
    port: int
    peer: str = ""
    peer_port: int = 0
    program: str = ""
    pid: int = 0
    container: str = ""
    vm: str = ""
    open: bool = True


@dataclass(frozen=True, slots=True)
class HostNetwork:
    """How a host is reached, and who talks with whom on it.

    Attributes:
        addresses: its own, without those of the loopback.
        macs: hardware addresses of its interfaces.
        neighbours: address and hardware address of those it talked with lately, guests among them.
        sockets: those that listen, and those of containers that are connected; None where `ss` is missing.
    """

    addresses: tuple[str, ...] = ()
    macs: tuple[str, ...] = ()
    neighbours: tuple[tuple[str, str], ...] = ()
    sockets: tuple[Socket, ...] | None = None


@dataclass(frozen=True, slots=True)
class SystemReading:
    """A host's own figures. Percentages 0-100; None until two samples exist or where the kernel does not tell.

    `network` is read more seldom than the rest: None until then.
    """

    taken_at: datetime
    hostname: str
    kernel: str
    cpus: int
    uptime_s: float
    load1: float
    load5: float
    load15: float
    cpu_percent: float | None
    iowait_percent: float | None
    steal_percent: float | None
    memory_total_bytes: int
    memory_available_bytes: int
    memory_percent: float
    swap_total_bytes: int
    swap_used_bytes: int
    filesystems: tuple[Filesystem, ...] = ()
    disks: tuple[BlockDevice, ...] = ()
    interfaces: tuple[NetworkInterface, ...] = ()
    failed_units: tuple[str, ...] | None = None
    network: HostNetwork | None = None
    gaps: tuple[Gap, ...] = ()
