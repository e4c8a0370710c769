"""Virtual networks and storage pools; like the reader, in the worker's thread."""

from __future__ import annotations

from typing import Any

import libvirt

from debugtui.model.libvirt import StoragePool, VirtualNetwork
from debugtui.model.text import line
from debugtui.sources.libvirt.domain_xml import parse
from debugtui.sources.libvirt.problems import NO_NETWORK, NO_POOL
from debugtui.sources.libvirt.reader import MOST, Reader
from debugtui.sources.libvirt.words import POOL_STATES


def networks(reader: Reader) -> tuple[VirtualNetwork, ...]:
    """Return the virtual networks."""
    return tuple(_there(reader.connection.listAllNetworks(0)[:MOST], _network, NO_NETWORK))


def pools(reader: Reader) -> tuple[StoragePool, ...]:
    """Return the storage pools."""
    return tuple(_there(reader.connection.listAllStoragePools(0)[:MOST], _pool, NO_POOL))


def _there(listed: Any, read: Any, gone: int) -> Any:
    for one in listed:
        try:
            yield read(one)
        except libvirt.libvirtError as error:
            if error.get_error_code() != gone:  # removed between the list and the question
                raise


def _network(network: Any) -> VirtualNetwork:
    root = parse(network.XMLDesc(0))
    forward = root.find("forward") if root is not None else None
    bridge = root.find("bridge") if root is not None else None
    persistent = bool(network.isPersistent())
    return VirtualNetwork(
        name=line(network.name(), 200),
        uuid=network.UUIDString(),
        active=bool(network.isActive()),
        autostart=persistent and bool(network.autostart()),
        persistent=persistent,
        bridge=line(bridge.get("name", ""), 64) if bridge is not None else "",
        forward="?" if root is None else line(forward.get("mode", "nat"), 32) if forward is not None else "isolated",
    )


def _pool(pool: Any) -> StoragePool:
    state, capacity, allocation, available = pool.info()
    root = parse(pool.XMLDesc(0))
    return StoragePool(
        name=line(pool.name(), 200),
        uuid=pool.UUIDString(),
        active=bool(pool.isActive()),
        state=POOL_STATES.get(state, "unknown"),
        autostart=bool(pool.isPersistent()) and bool(pool.autostart()),
        type=line(root.get("type", ""), 32) if root is not None else "?",
        path=line(root.findtext("./target/path", ""), 300) if root is not None else "",
        capacity_bytes=capacity,
        allocation_bytes=allocation,
        available_bytes=available,
    )
