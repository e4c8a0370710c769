"""What libvirt says: VMs, virtual networks, storage pools."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from debugtui.model.source import Gap


@dataclass(frozen=True, slots=True)
class VmDisk:
    """One disk of a VM. Rates None until two samples exist; `error` is libvirt's disk error (`no space`, `unspecified`)."""

    device: str
    path: str
    format: str
    capacity_bytes: int | None
    allocation_bytes: int | None
    read_bytes_s: float | None
    write_bytes_s: float | None
    reads_s: float | None
    writes_s: float | None
    error: str = ""


@dataclass(frozen=True, slots=True)
class VmInterface:
    """One network interface of a VM."""

    device: str
    mac: str
    network: str
    rx_bytes_s: float | None
    tx_bytes_s: float | None


@dataclass(frozen=True, slots=True)
class VmSnapshot:
    """One snapshot of a VM."""

    name: str
    created_at: datetime | None
    state: str
    current: bool
    description: str = ""


@dataclass(frozen=True, slots=True)
class Vm:
    """One domain.

    Attributes:
        state: libvirt's word: `running`, `idle`, `paused`, `in shutdown`, `shut off`, `crashed`, `pmsuspended`, `no state`.
        reason: libvirt's word for why (`booted`, `I/O error`, `user`...), as `virsh domstate --reason` prints it.
        cpu_percent: of the VM's own vCPUs, 0-100; None until two samples exist.
        memory_bytes: the balloon's current size; memory_max_bytes: the most it may grow to.
        memory_used_bytes: what the guest itself uses, from its balloon statistics; None where the guest does not tell.
        rss_bytes: what the host's process holds.
    """

    name: str
    uuid: str
    id: int | None
    state: str
    reason: str
    vcpus: int
    vcpus_max: int
    cpu_percent: float | None
    memory_bytes: int
    memory_max_bytes: int
    memory_used_bytes: int | None
    rss_bytes: int | None
    disks: tuple[VmDisk, ...] = ()
    interfaces: tuple[VmInterface, ...] = ()
    snapshots: tuple[VmSnapshot, ...] | None = None
    autostart: bool = False
    persistent: bool = True
    title: str = ""

    @property
    def paused_for_io_error(self) -> bool:
        """True where the hypervisor stopped the guest because its storage failed (often: the store is full)."""
        return self.state == "paused" and self.reason == "I/O error"

    @property
    def memory_percent(self) -> float | None:
        """Share of the balloon that the guest uses, 0-100; None where the guest does not tell."""
        if self.memory_used_bytes is None or not self.memory_bytes:
            return None
        return 100 * self.memory_used_bytes / self.memory_bytes


@dataclass(frozen=True, slots=True)
class VirtualNetwork:
    """One virtual network."""

    name: str
    uuid: str
    active: bool
    autostart: bool
    persistent: bool
    bridge: str
    forward: str


@dataclass(frozen=True, slots=True)
class StoragePool:
    """One storage pool; sizes in bytes, 0 while inactive."""

    name: str
    uuid: str
    active: bool
    state: str
    autostart: bool
    type: str
    path: str
    capacity_bytes: int
    allocation_bytes: int
    available_bytes: int


@dataclass(frozen=True, slots=True)
class LibvirtReading:
    """One libvirt connection. `read_only` says whether the read-only socket or flag was used."""

    taken_at: datetime
    uri: str
    hostname: str
    libvirt_version: str
    hypervisor: str
    read_only: bool
    cpus: int
    memory_total_bytes: int
    memory_free_bytes: int | None
    vms: tuple[Vm, ...] = ()
    networks: tuple[VirtualNetwork, ...] = ()
    pools: tuple[StoragePool, ...] = ()
    gaps: tuple[Gap, ...] = ()
