"""Guards of a change of limits: not below what it uses, the host has that much, the kernel agrees with the engine."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from debugtui.model.plan import Guard
from debugtui.remediation.catalogue.docker.cgroup import Held, Used
from debugtui.remediation.catalogue.docker.common import Box, size_text
from debugtui.remediation.catalogue.docker.guards import FAIL, PASS, UNKNOWN
from debugtui.remediation.catalogue.docker.limit_values import Change, cpus_of
from debugtui.remediation.eyes import Eyes

#: A memory limit stands at least so much above what is in use.
MARGIN = 1.3


def not_below_use(box: Box, change: Change, now: Used | None) -> Guard:
    """A memory limit close to what is in use ends the container at its next peak."""
    name, wanted = "not_below_use", change.after.get("Memory")
    if wanted is None:
        return Guard(name, PASS, "memory is not changed")
    if now is None or now.working_set is None:
        if not change.lower_memory and not change.first:
            return Guard(name, PASS, "the limit is raised", "it does not run now: what it uses is not known")
        why = "what it uses is not known: it does not run now" if not box.running else "the engine does not tell what it uses"
        return Guard(name, UNKNOWN, why, f"{size_text(wanted)} are wanted")
    least = int(now.working_set * MARGIN)
    says = f"{size_text(now.working_set)} in use without the cache, {size_text(now.usage or 0)} with it, read just now"
    if wanted < least:
        why = f"{size_text(wanted)} is less than {MARGIN} times what it uses now ({size_text(least)})"
        return Guard(name, FAIL, why, says)
    return Guard(name, PASS, f"it uses less than {size_text(wanted)} by a margin of {MARGIN}", says)


async def headroom(eyes: Eyes, change: Change, info: Mapping[str, Any]) -> Guard:
    """The host has the memory that is promised."""
    name, wanted = "host_headroom", change.after.get("Memory")
    if wanted is None:
        return Guard(name, PASS, "memory is not changed", f"{info.get('NCPU')} processors")
    total = info.get("MemTotal")
    if not isinstance(total, int) or not total:
        return Guard(name, UNKNOWN, "the engine does not tell how much memory the host has")
    if wanted > total:
        return Guard(name, FAIL, "the host has less memory than that", f"{size_text(total)} in all")
    before = change.before["Memory"]
    if not before or wanted <= before:
        return Guard(name, PASS, "it may take no more of the host than before", f"{size_text(total)} in all")
    done = await eyes.run(["cat", "/proc/meminfo"], limit=65_536)
    match = re.search(rb"^MemAvailable:\s+(\d+) kB$", done.stdout, re.MULTILINE)
    if done.status or match is None:
        return Guard(name, UNKNOWN, "how much memory is available on the host is not known", critical=False)
    available, more = int(match[1]) * 1024, wanted - before
    says = f"{size_text(available)} of {size_text(total)} available, {size_text(more)} more are promised, read just now"
    if more > available:
        return Guard(name, FAIL, "the host has not that much left: others would run out of memory", says)
    return Guard(name, PASS, "the host has that much left", says)


def kernel_says(box: Box, change: Change, kernel: Held | None) -> Guard:
    """The kernel's own limits can be read, and are what the engine says: then they can prove the change."""
    name = "kernel_limits"
    if not box.running:
        return Guard(name, PASS, "it does not run now: the kernel holds no limits for it yet", f"State.Status is {box.status}")
    if kernel is None:
        why = "its cgroup cannot be read: the engine's word alone says what is applied"
        return Guard(name, UNKNOWN, why, critical=False)
    memory, cpus = change.before.get("Memory"), cpus_of(change.before, box)
    says = f"{kernel.where}: memory {kernel.memory}, processors {kernel.cpus}, read just now"
    if memory is not None and kernel.memory is not None and kernel.memory != memory:
        return Guard(name, FAIL, "the kernel holds another memory limit than the engine tells", says)
    if cpus is not None and kernel.cpus is not None and abs(kernel.cpus - cpus) > 0.01:
        return Guard(name, FAIL, "the kernel holds another processor limit than the engine tells", says)
    return Guard(name, PASS, "the kernel's limits are those that the engine tells", says)


def swap_counted(change: Change, info: Mapping[str, Any]) -> Guard:
    """Where the kernel does not count swap, the engine ignores that part."""
    name = "swap_counted"
    if "Memory" not in change.after:
        return Guard(name, PASS, "memory is not changed", critical=False)
    if info.get("MemoryLimit") is False:
        return Guard(name, FAIL, "this kernel cannot limit memory", "MemoryLimit is false in /info")
    if info.get("SwapLimit") is False:
        return Guard(name, PASS, "swap is not counted here: the memory limit alone holds", "SwapLimit is false in /info")
    return Guard(name, PASS, "memory and swap are changed in one request", "SwapLimit is true in /info", critical=False)
