"""VMs: what they rest on, and which watched hosts are VMs of other watched hosts."""

from __future__ import annotations

import posixpath
from collections import defaultdict

from debugtui.fleet.topology.draft import Draft
from debugtui.fleet.topology.facts import Facts, HostFacts
from debugtui.fleet.topology.places import Places, names_of
from debugtui.fleet.topology.things import add_filesystem, pool_target
from debugtui.model.libvirt import StoragePool, VmDisk
from debugtui.model.target import Target


def add_virtual(draft: Draft, facts: Facts, _places: Places) -> None:
    """Add what VMs and pools rest on, and the hosts that are VMs."""
    for host in facts.hosts.values():
        for vm in host.vms:
            target = Target(host.name, "libvirt", vm.name)
            draft.edge(target, Target(host.name, "libvirt"), f"libvirt of {host.name} runs it")
            draft.edge(target, host.target, f"it runs on {host.name}")
            for disk in vm.disks:
                _disk(draft, host, target, disk)
        for pool in host.libvirt.pools if host.libvirt is not None else ():
            _pool(draft, host, pool)
    guests = _Guests(facts)
    for host in facts.hosts.values():
        _is_vm(draft, guests, host)


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


class _Guests:
    """The VMs of all hosts, by what a host can be recognised by as the inside of one."""

    def __init__(self, facts: Facts) -> None:
        self.by_mac: dict[str, set[Target]] = defaultdict(set)
        self.by_address: dict[str, set[Target]] = defaultdict(set)
        self.by_name: dict[str, set[Target]] = defaultdict(set)
        for host in facts.hosts.values():
            addresses = {mac.lower(): address for address, mac in host.network.neighbours}
            for vm in host.vms:
                target = Target(host.name, "libvirt", vm.name)
                self.by_name[vm.name.lower()].add(target)
                for mac in (card.mac.lower() for card in vm.interfaces if card.mac):
                    self.by_mac[mac].add(target)
                    if mac in addresses:
                        self.by_address[addresses[mac].lower()].add(target)


def _is_vm(draft: Draft, guests: _Guests, host: HostFacts) -> None:
    """Say of which VM a host is the inside: by its hardware address, by its address, else by a name that is alike."""
    hostname = host.system.hostname.lower() if host.system is not None else ""
    alike = {host.name.lower(), hostname, hostname.partition(".")[0]} - {"", "localhost"}
    ways = (
        (
            guests.by_mac,
            {mac.lower() for mac in host.network.macs},
            "an interface of {host} has {sign}, the hardware address of {vm}",
        ),
        (guests.by_address, set(names_of(host)), "{host} has the address {sign}, at which {vm} is reached"),
        (guests.by_name, alike, "{host} is called {sign}, as {vm} is"),
    )
    for found, signs, why in ways:
        fitting = {(target, sign) for sign in signs for target in found.get(sign, ()) if target.host != host.name}
        if len({target for target, _ in fitting}) == 1:
            target, sign = min(fitting)
            reason = why.format(host=host.name, sign=sign, vm=f"the VM {target.name} of {target.host}")
            draft.edge(host.target, target, reason, certain=found is not guests.by_name)
            return
