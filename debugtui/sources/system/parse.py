"""From the script's output to counters and figures. Pure: garbage raises ValueError and nothing else."""

from __future__ import annotations

import re
from dataclasses import dataclass

from debugtui.model.system import Filesystem
from debugtui.model.text import line

_OCTAL = re.compile(r"\\([0-7]{3})")
#: Partitions, and devices that stand for no disk of their own.
_NOT_A_DISK = re.compile(r"(?:(?:[shv]|xv)d[a-z]+|nvme\d+n\d+p|mmcblk\d+p)\d+$|(?:loop|ram|zram|fd|sr)\d+$|.*boot\d$")
_VIRTUAL_CARD = re.compile(r"lo$|veth|vnet|tap|docker\d|br-|virbr")
_LIMIT = 64
_DF_ROW = re.compile(r"(.{1,500}?)\s+(\d{1,18})\s+(-?\d{1,18})\s+(-?\d{1,18})\s+(?:\d{1,9}%|-)\s+(/.*)$", re.ASCII)


@dataclass(frozen=True, slots=True)
class DiskCounters:
    """One line of /proc/diskstats: operations, bytes, and milliseconds with I/O in flight, since boot."""

    reads: int
    read_bytes: int
    writes: int
    write_bytes: int
    busy_ms: int


@dataclass(frozen=True, slots=True)
class CardCounters:
    """One line of /proc/net/dev, since boot."""

    rx_bytes: int
    tx_bytes: int
    errors: int
    drops: int


def sections(text: str) -> dict[str, list[str]]:
    """Split the output at its `==name` lines.

    Raises:
        ValueError: the output has no end mark: it is not whole.
    """
    found: dict[str, list[str]] = {}
    name = ""
    for row in text.splitlines():
        if row.startswith("=="):
            name = row[2:]
            found[name] = []
        elif name:
            found[name].append(row)
    if "end" not in found and "not-linux" not in found:
        raise ValueError("the answer is not whole")
    return found


def facts(rows: list[str]) -> dict[str, str]:
    """Return `name value` lines as a mapping."""
    return {name: line(value, 200) for name, _, value in (row.partition(" ") for row in rows)}


def cpu_times(rows: list[str]) -> tuple[list[int], int]:
    """Return the jiffies of all processors together (user nice system idle iowait irq softirq steal), and how many there are.

    Source: proc(5), /proc/stat. Guest time is contained in user time already.
    """
    total = next((row.split()[1:9] for row in rows if row.startswith("cpu ")), None)
    if total is None or len(total) < 4:
        raise ValueError("no processor line in /proc/stat")
    times = [int(text) for text in total]
    return times + [0] * (8 - len(times)), max(1, len(rows) - 1)


def memory(rows: list[str]) -> dict[str, int]:
    """Return /proc/meminfo in bytes."""
    found: dict[str, int] = {}
    for row in rows:
        name, colon, rest = row.partition(":")
        words = rest.split()
        if colon and words and words[0].isdecimal() and words[-1] == "kB":
            found[name] = int(words[0]) * 1024
    if "MemTotal" not in found:
        raise ValueError("no MemTotal in /proc/meminfo")
    return found


def disk_counters(rows: list[str]) -> dict[str, DiskCounters]:
    """Return /proc/diskstats, whole disks only. Its sectors are 512 bytes whatever the disk says (kernel: iostats.rst)."""
    found: dict[str, DiskCounters] = {}
    for row in rows:
        words = row.split()
        if len(words) < 14 or not (words[0].isdecimal() and words[1].isdecimal()) or len(found) >= _LIMIT:
            continue
        name = line(words[2], 32)
        if _NOT_A_DISK.match(name):
            continue
        numbers = [int(text) for text in words[3:14]]
        counters = DiskCounters(numbers[0], numbers[2] * 512, numbers[4], numbers[6] * 512, numbers[9])
        if counters.reads or counters.writes:
            found[name] = counters
    return found


def card_counters(rows: list[str]) -> dict[str, CardCounters]:
    """Return /proc/net/dev without the cards that stand for VMs, containers and the loopback."""
    found: dict[str, CardCounters] = {}
    for row in rows:
        name, colon, rest = row.partition(":")
        words = rest.split()
        if not colon or len(words) < 16 or not all(word.isdecimal() for word in words[:16]) or len(found) >= _LIMIT:
            continue
        card = line(name.strip(), 32)
        if not _VIRTUAL_CARD.match(card):
            n = [int(word) for word in words[:16]]
            found[card] = CardCounters(n[0], n[8], n[2] + n[10], n[3] + n[11])
    return found


def _unescape(text: str) -> str:
    return _OCTAL.sub(lambda match: chr(int(match.group(1), 8)), text)


def _df(rows: list[str]) -> dict[str, tuple[str, int, int, int]]:
    """Return {mount: (device, size, used, available)} of `df -P`, whose last column may hold spaces."""
    found: dict[str, tuple[str, int, int, int]] = {}
    for row in rows:
        match = _DF_ROW.match(row)
        if match:
            found[match.group(5)] = (match.group(1), int(match.group(2)), int(match.group(3)), int(match.group(4)))
    return found


def filesystems(mounts: list[str], df: list[str], inodes: list[str]) -> tuple[Filesystem, ...]:
    """Return the file systems, each device once (the first mount of it), fullest first."""
    sizes, nodes = _df(df), _df(inodes)
    found: dict[str, Filesystem] = {}
    for row in mounts:
        words = row.split(" ")
        if len(words) < 5 or words[0] != "mount":
            continue
        device, mount, fstype, options = (_unescape(words[1]), _unescape(words[2]), words[3], words[4])
        if mount not in sizes or device in found:
            continue
        _, size, used, available = sizes[mount]
        _, count, count_used, _ = nodes.get(mount, ("", 0, 0, 0))
        usable = used + available
        found[device] = Filesystem(
            mount=line(mount, 200),
            device=line(device, 200),
            fstype=line(fstype, 32),
            size_bytes=size * 1024,
            used_bytes=used * 1024,
            available_bytes=available * 1024,
            used_percent=round(100 * used / usable, 1) if usable > 0 else 0.0,
            inodes=count,
            inodes_used=count_used,
            inodes_percent=round(100 * count_used / count, 1) if count > 0 else None,
            read_only="ro" in options.split(","),
        )
    return tuple(sorted(found.values(), key=lambda one: (-one.used_percent, one.mount)))


def failed_units(rows: list[str] | None) -> tuple[str, ...] | None:
    """Return the names of failed units; None where systemd was not asked."""
    if rows is None:
        return None
    names = (row.replace("●", " ").split() for row in rows)
    return tuple(line(words[0], 200) for words in names if words)[:100]
