"""What the kernel says when it kills, when a disk fails, when a process crashes; other words are error lines like any other."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

from debugtui.config.redaction import redact
from debugtui.model.journal import KernelEvent, KernelFault, OomKill
from debugtui.model.text import line
from debugtui.sources.journal.entries import Entry

_KILLED = re.compile(r"Kill(?:ed)? process (\d+) \((.*?)\)(?=,| total-vm| score|$)(?:.*?anon-rss:(\d+)kB)?")
_GROUP = re.compile(r"oom-kill:constraint=(\w+),.*?task_memcg=([^,]*),task=(.*),pid=(\d+),")
_CONTAINER = re.compile(r"(?:^|[/-])([0-9a-f]{64})(?:\.scope)?(?:/|$)")
_VM = re.compile(r"machine-qemu-\d+-(.+?)\.scope")
_ESCAPED = re.compile(r"\\x([0-9a-f]{2})")

_FAULTS: tuple[tuple[KernelFault, re.Pattern[str]], ...] = (
    (KernelFault.READ_ONLY, re.compile(r"EXT\d-fs \((\S+?)\): Remounting filesystem read-only")),
    (KernelFault.READ_ONLY, re.compile(r"XFS \((\S+?)\): .*(?:Shutting down filesystem|Filesystem has been shut down)")),
    (KernelFault.READ_ONLY, re.compile(r"BTRFS\b.* \(device ([^\s:)]+)[^)]*\).* forced readonly")),
    (KernelFault.IO, re.compile(r"(?:I/O|critical \w+(?: \w+)?) error, dev (\S+?),")),
    (KernelFault.IO, re.compile(r"Buffer I/O error on dev(?:ice)? (\S+?),")),
    (KernelFault.IO, re.compile(r"EXT\d-fs (?:error|warning) \(device (\S+?)\): .*(?:I/O|IO) error")),
    (KernelFault.IO, re.compile(r"EXT\d-fs error \(device (\S+?)\)")),
    (KernelFault.IO, re.compile(r"XFS \((\S+?)\): .*(?:I/O error|[Cc]orruption)")),
    (KernelFault.IO, re.compile(r"BTRFS (?:error|critical) \(device ([^\s:)]+)[^)]*\)")),
    (KernelFault.SEGFAULT, re.compile(r"(\S.*?)\[\d+\]: segfault at ")),
    (KernelFault.SEGFAULT, re.compile(r"traps: (\S.*?)\[\d+\] (?:trap|general protection)")),
    (KernelFault.HUNG, re.compile(r"INFO: task (.+?):\d+ blocked for more than \d+ seconds")),
    (KernelFault.HARDWARE, re.compile(r"(?:mce: )?\[Hardware Error\]()")),
)


def kills(found: Iterable[Entry], names: Mapping[str, str]) -> list[OomKill]:
    """Return the processes that the kernel killed for want of memory.

    Args:
        found: lines of the kernel, in any order.
        names: of containers, by the first twelve letters of their ids.
    """
    rows = [entry for entry in found if entry.kernel]
    groups = {int(match[4]): match for entry in rows if (match := _GROUP.search(entry.message))}
    result = []
    for entry in rows:
        match = _KILLED.search(entry.message)
        if match is None:
            continue
        group = groups.get(int(match[1]))
        cgroup = group[2] if group else ""
        by_limit = group[1] == "CONSTRAINT_MEMCG" if group else True if "Memory cgroup" in entry.message else None
        result.append(
            OomKill(
                at=entry.at,
                process=line(match[2], 80),
                pid=int(match[1]),
                cgroup=line(cgroup, 300),
                container=_container(cgroup, names),
                vm=_vm(cgroup),
                memory_bytes=int(match[3]) * 1024 if match[3] else None,
                limit=by_limit,
            )
        )
    return result


def _container(cgroup: str, names: Mapping[str, str]) -> str:
    match = _CONTAINER.search(cgroup)
    return names.get(match[1][:12], match[1][:12]) if match else ""


def _vm(cgroup: str) -> str:
    match = _VM.search(_ESCAPED.sub(lambda found: chr(int(found[1], 16)), cgroup))
    return line(match[1], 100) if match else ""


def faults(found: Iterable[Entry]) -> list[KernelEvent]:
    """Return what else the kernel complains about."""
    result = []
    for entry in found:
        if not entry.kernel:
            continue
        for fault, form in _FAULTS:
            match = form.search(entry.message)
            if match is not None:
                about = line(match[1], 80)
                result.append(KernelEvent(entry.at, fault, about, redact(line(entry.message, 300))))
                break
    return result
