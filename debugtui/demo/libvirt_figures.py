"""What libvirt's test driver does not simulate, laid over its reading: load, disks, network, pools, a paused VM."""

from __future__ import annotations

from dataclasses import replace

from debugtui.demo import cast
from debugtui.demo.cast import GIB, MIB, HostPart, VmPart
from debugtui.demo.libvirt_node import disk_path
from debugtui.demo.scenarios import Fault, Timeline
from debugtui.demo.waves import Wave
from debugtui.model.libvirt import LibvirtReading, StoragePool, Vm, VmDisk, VmInterface

#: How full the pools are: ordinarily, and when a VM was paused because of it.
POOL_PERCENT, FULL_PERCENT = 61.0, 99.9
_IO_ERROR = "I/O error"


def overlay(reading: LibvirtReading, host: HostPart, timeline: Timeline, now: float) -> LibvirtReading:
    """Return the reading with the figures of a demo host at a time (seconds since the epoch)."""
    parts = {vm.name: vm for vm in host.vms}
    paused = timeline.since(Fault.PAUSED_VM, now) is not None and host.name == cast.PAUSED_HOST
    vms = tuple(_vm(vm, parts[vm.name], host, now, paused) if vm.name in parts else vm for vm in reading.vms)
    used = sum(vm.memory_bytes for vm in vms if vm.state == "running")
    return replace(
        reading,
        hostname=host.name,
        memory_free_bytes=max(GIB, reading.memory_total_bytes - used),
        vms=vms,
        networks=tuple(replace(network, autostart=True) for network in reading.networks),
        pools=tuple(_pool(pool, host, paused) for pool in reading.pools),
    )


def _vm(vm: Vm, part: VmPart, host: HostPart, now: float, fault: bool) -> Vm:
    interfaces = tuple(replace(interface, device=f"vnet{host.vms.index(part)}") for interface in vm.interfaces)
    vm = replace(vm, autostart=part.autostart, interfaces=interfaces)
    if vm.state not in ("running", "paused"):
        return replace(vm, reason="shutdown", disks=tuple(_disk(disk, part, 0.0, 0.0, "") for disk in vm.disks))
    stopped = vm.state == "paused" and fault and part.name == cast.PAUSED_VM
    work = 0.0 if vm.state == "paused" else 1.0
    seed = f"{host.name}/{part.name}"
    memory = part.memory_gib * GIB
    processor = Wave(part.cpu_percent, 0.7, f"{seed} cpu").at(now) * work
    read = Wave(4e4 * part.cpu_percent, 0.95, f"{seed} read").at(now) * work
    written = Wave(9e4 * part.cpu_percent, 0.9, f"{seed} written").at(now) * work
    received = Wave(5e4 * part.cpu_percent, 0.8, f"{seed} rx").at(now) * work
    used = int(memory * Wave(part.memory_percent / 100, 0.06, f"{seed} memory").at(now))
    return replace(
        vm,
        reason=_IO_ERROR if stopped else "user" if vm.state == "paused" else "booted",
        cpu_percent=min(100.0, processor),
        memory_bytes=memory,
        memory_used_bytes=used,
        rss_bytes=min(memory, used + 300 * MIB),
        disks=tuple(_disk(disk, part, read, written, "no space" if stopped else "") for disk in vm.disks),
        interfaces=tuple(_interface(interface, received) for interface in vm.interfaces),
    )


def _disk(disk: VmDisk, part: VmPart, read: float, written: float, error: str) -> VmDisk:
    return replace(
        disk,
        path=disk_path(part),
        capacity_bytes=part.disk_gib * GIB,
        allocation_bytes=part.disk_gib * GIB * 6 // 10,
        read_bytes_s=read,
        write_bytes_s=written,
        reads_s=read / 24_000,
        writes_s=written / 18_000,
        error=error,
    )


def _interface(interface: VmInterface, received: float) -> VmInterface:
    return replace(interface, rx_bytes_s=received, tx_bytes_s=received * 1.6)


def _pool(pool: StoragePool, host: HostPart, full: bool) -> StoragePool:
    capacity = host.pool_gib * GIB
    used = int(capacity * (FULL_PERCENT if full else POOL_PERCENT) / 100)
    return replace(pool, autostart=True, capacity_bytes=capacity, allocation_bytes=used, available_bytes=capacity - used)
