"""What the kernel holds a container to, and what it uses: out of its cgroup, or else as the engine tells it."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from debugtui.remediation.catalogue.docker.common import Box, refused
from debugtui.remediation.eyes import Eyes
from debugtui.sources.base import SourceError

_ROOT = "/sys/fs/cgroup"
_LINE = re.compile(r"\d+:([^:]*):(/.*)")

#: Above this a memory limit of cgroup v1 means none (it is the largest page-aligned number).
_NO_LIMIT = 1 << 60


@dataclass(frozen=True, slots=True)
class Held:
    """What a cgroup says.

    Attributes:
        memory: the limit in bytes, 0 for none; None: not readable.
        cpus: the limit in processors, 0.0 for none; None: not readable.
        kills: how many processes were ended for want of memory; None: not readable.
        where: the files, for the evidence.
    """

    memory: int | None
    cpus: float | None
    kills: int | None
    where: str


async def held(eyes: Eyes, pid: int) -> Held | None:
    """Read the limits out of the cgroup of a process of the host; None where it cannot be seen.

    Raises:
        LinkError: the link is not up.
    """
    if pid <= 0:
        return None
    paths = await _paths(eyes, pid)
    if "" in paths and "memory" not in paths:
        return await _version_two(eyes, f"{_ROOT}{paths['']}")
    if "memory" not in paths:
        return None
    memory, cpu = f"{_ROOT}/memory{paths['memory']}", f"{_ROOT}/cpu{paths.get('cpu', '')}"
    limit = _number(await _cat(eyes, f"{memory}/memory.limit_in_bytes"))
    quota = _number(await _cat(eyes, f"{cpu}/cpu.cfs_quota_us"))
    period = _number(await _cat(eyes, f"{cpu}/cpu.cfs_period_us"))
    kills = re.search(r"^oom_kill (\d+)$", await _cat(eyes, f"{memory}/memory.oom_control") or "", re.MULTILINE)
    cpus = None if quota is None or not period else max(0, quota) / period
    if limit is None and cpus is None:
        return None
    shown = None if limit is None else 0 if limit >= _NO_LIMIT else limit
    return Held(shown, cpus, int(kills[1]) if kills else None, memory)


async def frozen(eyes: Eyes, pid: int) -> bool | None:
    """Return whether the kernel holds the processes of a container still; None where its cgroup cannot be read.

    Raises:
        LinkError: the link is not up.
    """
    if pid <= 0:
        return None
    paths = await _paths(eyes, pid)
    if "freezer" in paths:
        state = (await _cat(eyes, f"{_ROOT}/freezer{paths['freezer']}/freezer.state") or "").strip()
        return {"FROZEN": True, "THAWED": False}.get(state)
    if "" not in paths:
        return None
    found = re.search(r"^frozen ([01])$", await _cat(eyes, f"{_ROOT}{paths['']}/cgroup.events") or "", re.MULTILINE)
    return found[1] == "1" if found else None


async def _version_two(eyes: Eyes, folder: str) -> Held | None:
    limit, cpu = await _cat(eyes, f"{folder}/memory.max"), await _cat(eyes, f"{folder}/cpu.max")
    kills = re.search(r"^oom_kill (\d+)$", await _cat(eyes, f"{folder}/memory.events") or "", re.MULTILINE)
    if limit is None and cpu is None:
        return None
    memory = None if limit is None else 0 if limit.strip() == "max" else _number(limit)
    return Held(memory, parse_cpu_max(cpu), int(kills[1]) if kills else None, folder)


def parse_cpu_max(text: str | None) -> float | None:
    """Read `cpu.max` of cgroup v2: `150000 100000`, or `max 100000` for none."""
    words = (text or "").split()
    if len(words) != 2 or not words[1].isdigit() or not int(words[1]):
        return None
    if words[0] == "max":
        return 0.0
    return int(words[0]) / int(words[1]) if words[0].isdigit() else None


async def _paths(eyes: Eyes, pid: int) -> dict[str, str]:
    """Return the cgroup of a process by controller; the empty name is the one of version 2."""
    found: dict[str, str] = {}
    for text in (await _cat(eyes, f"/proc/{pid}/cgroup") or "").splitlines():
        match = _LINE.fullmatch(text)
        if match and ".." not in match[2]:
            found |= dict.fromkeys(match[1].split(","), match[2])
    return found


async def _cat(eyes: Eyes, path: str) -> str | None:
    done = await eyes.run(["cat", "--", path], limit=65_536)
    return None if done.status else done.stdout.decode("utf-8", "replace")


def _number(text: str | None) -> int | None:
    text = (text or "").strip()
    return int(text) if re.fullmatch(r"-?\d{1,20}", text) else None


@dataclass(frozen=True, slots=True)
class Used:
    """What the engine's figures say: bytes in use without the file cache that can be dropped, and the limit it applies."""

    working_set: int | None
    usage: int | None
    limit: int | None


async def used(eyes: Eyes, box: Box) -> Used:
    """Read the engine's figures of a running container."""
    from debugtui.sources.docker.client import AnswerError

    client = await eyes.docker()
    try:
        answer = await client.get_json(f"containers/{box.id}/stats", {"stream": "0", "one-shot": "1"})
    except AnswerError as error:
        if error.status in (404, 409):
            return Used(None, None, None)
        raise refused(error) from None
    if not isinstance(answer, dict):
        raise SourceError(refused(ValueError("its figures are not understood")).problem)
    return parse_used(answer)


def parse_used(answer: dict[str, Any]) -> Used:
    """Read an answer of `/stats`."""
    memory = answer.get("memory_stats")
    memory = memory if isinstance(memory, dict) else {}
    details = memory.get("stats")
    details = details if isinstance(details, dict) else {}
    usage, limit = memory.get("usage"), memory.get("limit")
    if not isinstance(usage, int):
        return Used(None, None, limit if isinstance(limit, int) else None)
    cache = details.get("total_inactive_file", details.get("inactive_file", 0))
    cache = cache if isinstance(cache, int) else 0
    return Used(max(0, usage - cache), usage, limit if isinstance(limit, int) else None)
