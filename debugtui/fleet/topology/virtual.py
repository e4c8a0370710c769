"""VMs: what they rest on, and which watched hosts are VMs of other watched hosts."""

from __future__ import annotations

import posixpath

from debugtui.fleet.topology.draft import Draft
from debugtui.fleet.topology.facts import Facts, HostFacts
from debugtui.fleet.topology.places import Places, names_of
from debugtui.fleet.topology.things import add_filesystem, pool_target
from debugtui.model.libvirt import StoragePool, Vm, VmDisk
from debugtui.model.source import Kind
from debugtui.model.target import Target


def add_virtual(draft: Draft, facts: Facts, places: Places) -> None:
    """Add what VMs and pools rest on, and the hosts that are VMs."""
    for host in facts.hosts.values():
        for vm in host.vms:
            target = Target(host.name, Kind.LIBVIRT.value, vm.name)
            draft.edge(target, Target(host.name, Kind.LIBVIRT.value), f"libvirt of {host.name} runs it")
            draft.edge(target, host.target, f"it runs on {host.name}")
            for disk in vm.disks:
                _disk(draft, host, target, disk)
        for pool in host.libvirt.pools if host.libvirt is not None else ():
            _pool(draft, host, pool)
    for host in facts.hosts.values():
        _is_vm(draft, facts, places, host)


def _disk(draft: Draft, host: HostFacts, vm: Target, disk: VmDisk) -> None:
    pools = host.libvirt.pools if host.libvirt is not None else ()
    folder = posixpath.dirname(disk.path)
    for pool in sorted(pools, key=lambda one: one.name):
        if (pool.path and pool.path == folder) or disk.path.partition("/")[0] == pool.name:
            draft.edge(vm, pool_target(host.name, pool.name), f"its disk {disk.device} is {disk.path}")
            return
    below = add_filesystem(draft, host, disk.path)
    if below is not None:
        draft.edge(vm, below, f"its disk {disk.device} is {disk.path}")


def _pool(draft: Draft, host: HostFacts, pool: StoragePool) -> None:
    target = pool_target(host.name, pool.name)
    draft.edge(target, host.target, f"it is a pool of {host.name}")
    below = add_filesystem(draft, host, pool.path) if pool.path else None
    if below is not None:
        draft.edge(target, below, f"the pool {pool.name} is {pool.path}")


def _is_vm(draft: Draft, facts: Facts, places: Places, host: HostFacts) -> None:
    """Say of which VM a host is the inside: by its hardware address, by its address, else by a name that is alike."""
    macs = {mac.lower() for mac in host.network.macs}
    addresses = set(names_of(host))
    alike: list[tuple[Target, str]] = []
    for other in facts.hosts.values():
        if other is host:
            continue
        neighbours = {mac.lower(): address for address, mac in other.network.neighbours}
        for vm in other.vms:
            target = Target(other.name, Kind.LIBVIRT.value, vm.name)
            cards = [card.mac.lower() for card in vm.interfaces if card.mac]
            same = next((mac for mac in cards if mac in macs), None)
            reached = next((neighbours[mac] for mac in cards if neighbours.get(mac, "").lower() in addresses), None)
            if same is not None:
                draft.edge(
                    host.target, target, f"an interface of {host.name} has the hardware address {same} of the VM {vm.name}"
                )
                return
            if reached is not None:
                draft.edge(
                    host.target, target, f"{other.name} reaches the VM {vm.name} at {reached}, the address of {host.name}"
                )
                return
            if _named(vm, host):
                alike.append((target, vm.name))
    if len(alike) == 1:
        target, name = alike[0]
        draft.edge(host.target, target, f"the VM {name} of {target.host} is called as {host.name} is", certain=False)


def _named(vm: Vm, host: HostFacts) -> bool:
    hostname = host.system.hostname.lower() if host.system is not None else ""
    names = {host.name.lower(), hostname, hostname.partition(".")[0]}
    return vm.name.lower() in names - {"", "localhost"}
