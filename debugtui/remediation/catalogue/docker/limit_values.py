"""Limits as numbers: what is asked for, what the engine has to be told for it, and what takes it back."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from typing import Any

from debugtui.model.text import line
from debugtui.remediation.base import PlanError
from debugtui.remediation.catalogue.docker.common import Box, size_text

#: The engine refuses less (bytes).
LEAST_MEMORY = 6 << 20

#: What the engine assumes where a quota has no period (microseconds).
DEFAULT_PERIOD = 100_000

_UNITS = {"": 1, "b": 1, "k": 1 << 10, "m": 1 << 20, "g": 1 << 30}
_SIZE = re.compile(r"(\d{1,15})([bkmg]?)(?:i?b)?", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Change:
    """A change of limits, as the engine's numbers.

    Attributes:
        before, after: what is sent, and the same fields now; 0 means none.
        back: what takes it back; empty where nothing does.
        first: a limit where there was none.
        lower_memory, lower_cpus: less than before.
        words: the new limits, to show.
    """

    before: dict[str, int]
    after: dict[str, int]
    back: dict[str, int]
    first: bool
    lower_memory: bool
    lower_cpus: bool
    words: str


def parse_size(text: str) -> int:
    """Read `512m`, `2g`, `1048576` as bytes; units are powers of 1024, as the engine has them.

    Raises:
        PlanError: it is none.
    """
    match = _SIZE.fullmatch(text.strip())
    if match is None:
        raise PlanError(f"memory is 512m, 2g or a number of bytes, not {line(text, 40)!r}")
    return int(match[1]) * _UNITS[match[2].lower()]


def text_of(size: int) -> str:
    """Return bytes as `parse_size` takes them."""
    for unit in ("g", "m", "k"):
        if size % _UNITS[unit] == 0:
            return f"{size // _UNITS[unit]}{unit}"
    return str(size)


def parse_cpus(text: str) -> int:
    """Read `1.5` as billionths of a processor.

    Raises:
        PlanError: it is none, or nothing.
    """
    try:
        value = Decimal(text.strip())
    except InvalidOperation:
        value = Decimal(0)
    if not value.is_finite() or value < Decimal("0.01") or value > 4096:
        raise PlanError(f"cpus is a number of processors such as 1.5, not {line(text, 40)!r}")
    return int(value * 1_000_000_000)


def change_of(box: Box, params: Mapping[str, str], info: Mapping[str, Any]) -> Change:
    """Return what the engine has to be told.

    Raises:
        PlanError: nothing is asked for, or something that the engine or the host cannot give.
    """
    if not params.get("memory") and not params.get("cpus"):
        raise PlanError("docker.update_limits needs memory or cpus")
    before: dict[str, int] = {}
    after: dict[str, int] = {}
    words = []
    first: list[bool] = []
    if text := params.get("memory"):
        wanted = parse_size(text)
        _memory(box, wanted, info, before, after)
        words.append(f"{size_text(wanted)} of memory")
        first.append(not before["Memory"])
    if text := params.get("cpus"):
        nano = parse_cpus(text)
        _cpus(box, nano, info, before, after)
        words.append(f"{nano / 1e9:g} processors")
        first.append(not (before.get("NanoCpus") or before.get("CpuQuota", 0) > 0))
    back = {} if all(first) else dict(before)
    lower = {name for name in after if 0 < after[name] < before[name]}
    return Change(
        before=before,
        after=after,
        back=back,
        first=any(first),
        lower_memory="Memory" in lower,
        lower_cpus=bool(lower & {"NanoCpus", "CpuQuota"}),
        words=" and ".join(words),
    )


def _memory(box: Box, wanted: int, info: Mapping[str, Any], before: dict[str, int], after: dict[str, int]) -> None:
    """Memory and swap go in one request: alone, the one is refused where it goes beyond the other."""
    if wanted < LEAST_MEMORY:
        raise PlanError(f"the engine allows no less than {size_text(LEAST_MEMORY)} of memory")
    memory, both = box.number("HostConfig", "Memory"), box.number("HostConfig", "MemorySwap")
    if both == -1:
        swap = -1  # as much swap as there is, as before
    elif memory and both >= memory:
        swap = wanted + (both - memory)  # the same amount of swap as before
    else:
        swap = 2 * wanted  # the engine's own default for a new limit
    before |= {"Memory": memory, "MemorySwap": both}
    after |= {"Memory": wanted, "MemorySwap": swap}


def _cpus(box: Box, nano: int, info: Mapping[str, Any], before: dict[str, int], after: dict[str, int]) -> None:
    """The engine refuses to mix its two ways of saying it: the one that the container was made with is kept."""
    count = info.get("NCPU")
    if isinstance(count, int) and nano > count * 1_000_000_000:
        raise PlanError(f"the host has {count} processors")
    quota, period = box.number("HostConfig", "CpuQuota"), box.number("HostConfig", "CpuPeriod")
    if quota > 0 or period > 0:
        before["CpuQuota"] = quota
        after["CpuQuota"] = nano * (period or DEFAULT_PERIOD) // 1_000_000_000
        return
    before["NanoCpus"] = box.number("HostConfig", "NanoCpus")
    after["NanoCpus"] = nano


def limits_of(box: Box, like: Mapping[str, int]) -> dict[str, int]:
    """Return the container's numbers of the same fields."""
    return {name: box.number("HostConfig", name) for name in like}


def cpus_of(limits: Mapping[str, int], box: Box) -> float | None:
    """Return the processors that limits grant; None where they do not speak of them."""
    if "NanoCpus" in limits:
        return limits["NanoCpus"] / 1e9
    if "CpuQuota" in limits:
        return max(0, limits["CpuQuota"]) / (box.number("HostConfig", "CpuPeriod") or DEFAULT_PERIOD)
    return None
