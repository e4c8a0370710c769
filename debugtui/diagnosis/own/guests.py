"""Conditions of VMs, networks and storage pools that no alert rule names."""

from __future__ import annotations

from collections.abc import Iterator

from debugtui.diagnosis.anomaly import Anomaly, Aspect, Role
from debugtui.diagnosis.own.making import anomaly
from debugtui.model.alerts import Severity
from debugtui.model.libvirt import LibvirtReading, Vm
from debugtui.model.source import SourceStatus
from debugtui.model.target import Target

#: A pool with less than this share free stops what writes to it, in per cent; and at least so many bytes.
POOL_LEFT_PERCENT, POOL_LEFT_BYTES = 2.0, 64 << 20
#: libvirt's words for a VM that did not shut down by itself.
FORCED = ("destroyed", "crashed", "failed")


def found(status: SourceStatus, reading: LibvirtReading) -> Iterator[Anomaly]:
    """Yield the conditions of one connection."""
    source = Target(status.host, "libvirt")
    for vm in reading.vms:
        yield from _vm(Target(status.host, "libvirt", vm.name), vm, reading)
    for pool in reading.pools:
        about = Target(status.host, "libvirt", f"pool/{pool.name}")
        left = pool.available_bytes
        if not pool.active and pool.autostart:
            yield anomaly(
                "pool_inactive", about, Aspect.DOWN, Role.CAUSE,
                f"storage pool {pool.name} is not active, though it is set to start by itself",
                reading=f"pools[{pool.name}].active", at=reading.taken_at, source=source,
            )  # fmt: skip
        elif pool.active and pool.capacity_bytes and left < _least(pool.capacity_bytes):
            yield anomaly(
                "pool_full", about, Aspect.RESOURCE, Role.CAUSE,
                f"storage pool {pool.name} is full: {left >> 20} MiB of {pool.capacity_bytes >> 20} MiB left",
                reading=f"pools[{pool.name}].available_bytes", at=reading.taken_at, source=source,
                severity=Severity.CRITICAL, points=70, path=pool.path,
            )  # fmt: skip
    for network in reading.networks:
        if network.autostart and not network.active:
            yield anomaly(
                "network_inactive", Target(status.host, "libvirt", f"network/{network.name}"), Aspect.DOWN, Role.CAUSE,
                f"virtual network {network.name} is not active, though it is set to start by itself",
                reading=f"networks[{network.name}].active", at=reading.taken_at, source=source, points=68,
            )  # fmt: skip


def _least(capacity: int) -> float:
    return min(capacity * POOL_LEFT_PERCENT / 100, float(10 * POOL_LEFT_BYTES))


def _vm(target: Target, vm: Vm, reading: LibvirtReading) -> Iterator[Anomaly]:
    if vm.state != "shut off" or vm.autostart:
        return  # the rules say the rest
    forced = vm.reason in FORCED
    yield anomaly(
        "vm_forced_off" if forced else "vm_stopped", target, Aspect.DOWN, Role.CAUSE if forced else Role.SUPPORT,
        f"{vm.name} is shut off ({vm.reason})" + (": it did not shut down by itself" if forced else ""),
        reading=f"vms[{vm.name}].state", at=reading.taken_at, severity=Severity.HIGH if forced else Severity.LOW, points=62,
    )  # fmt: skip
