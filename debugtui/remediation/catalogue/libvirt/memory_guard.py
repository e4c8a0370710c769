"""Whether the host has memory for what a VM is to get."""

from __future__ import annotations

from typing import Any

from debugtui.model.plan import Guard
from debugtui.remediation.catalogue.libvirt import common
from debugtui.remediation.catalogue.libvirt.domain import Seen
from debugtui.remediation.eyes import Eyes
from debugtui.sources.libvirt.domain_xml import parse
from debugtui.sources.libvirt.problems import NO_SUPPORT

#: What memory sizes in a domain's XML are multiples of, in bytes (libvirt: formatdomain, memory).
UNITS = {
    "b": 1, "bytes": 1, "kb": 10**3, "k": 1 << 10, "kib": 1 << 10, "mb": 10**6, "m": 1 << 20, "mib": 1 << 20,
    "gb": 10**9, "g": 1 << 30, "gib": 1 << 30, "tb": 10**12, "t": 1 << 40, "tib": 1 << 40,
}  # fmt: skip


async def enough(eyes: Eyes, seen: Seen, need: int | None = None) -> Guard:
    """Return the guard `host_memory`.

    Args:
        eyes: read access.
        seen: the VM.
        need: bytes that it is to get in addition; None: all that it is defined with.
    """
    if need is None:
        need = memory_of(seen.inactive)
    free = await common.ask(eyes, _free)
    if free is None or need is None:
        return common.guard("host_memory", None, "the host's free memory is not known", critical=False)
    evidence = f"{free / common.MIB:.0f} MiB free or reclaimable, {need / common.MIB:.0f} MiB asked for; {common.NOW}"
    if free < need:
        return common.guard("host_memory", False, "the host has too little memory: it would swap or end a guest", evidence)
    return common.guard("host_memory", True, "the host has the memory", evidence)


def memory_of(xml: str) -> int | None:
    """Return the memory that a definition gives at most, in bytes."""
    root = parse(xml)
    found = root.find("memory") if root is not None else None
    return None if found is None else size_of(found.text or "", found.get("unit", "KiB"))


def size_of(text: str, unit: str) -> int | None:
    """Return a size in bytes; None where it is none."""
    text = text.strip()
    if not (text.isascii() and text.isdecimal()) or len(text) > 18 or unit.lower() not in UNITS:
        return None
    return int(text) * UNITS[unit.lower()]


def _free(connection: Any) -> int | None:
    """Bytes that the host can give, in libvirt's thread: free memory, buffers and caches."""
    import libvirt

    try:
        found = connection.getMemoryStats(libvirt.VIR_NODE_MEMORY_STATS_ALL_CELLS, 0)
        return 1024 * int(sum(found.get(key, 0) for key in ("free", "buffers", "cached")))
    except libvirt.libvirtError as error:
        if error.get_error_code() != NO_SUPPORT:
            raise
    try:
        return int(connection.getFreeMemory())
    except libvirt.libvirtError as error:
        if error.get_error_code() != NO_SUPPORT:
            raise
        return None
