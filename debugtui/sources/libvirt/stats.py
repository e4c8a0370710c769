"""From libvirt's counters to a VM's figures. No libvirt here: plain data in, plain data out."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from debugtui.model.libvirt import Vm, VmDisk, VmInterface
from debugtui.model.text import line
from debugtui.sources.libvirt.domain_xml import DomainFacts
from debugtui.sources.libvirt.words import STATES, reason_of

Stats = Mapping[str, Any]

#: Most disks, and most cards, of one VM.
DEVICES = 256
#: The guest's own memory figures are believed for so many seconds after they last moved.
BALLOON_AGE = 60.0
#: Two samples closer together than this, in seconds, give no rates worth having: the older one is kept for the next.
SHORTEST = 0.25


@dataclass(frozen=True, slots=True)
class RawDomain:
    """One domain as libvirt gave it.

    Attributes:
        name, uuid: cleaned.
        id: libvirt's number of the running domain, another one after each start; None while it is off.
        stats: its counters, by the names of virConnectGetAllDomainStats.
        facts: from its XML; None where they are not read yet.
        autostart, persistent: its flags.
        errors: disk errors by device, of a domain that an I/O error paused.
    """

    name: str
    uuid: str
    id: int | None
    stats: Stats
    facts: DomainFacts | None = None
    autostart: bool = False
    persistent: bool = True
    errors: Mapping[str, str] = field(default_factory=dict)


class Rates:
    """Keeps the sample before, and turns each new one into VMs."""

    def __init__(self) -> None:
        self._at: float | None = None
        self._before: dict[str, RawDomain] = {}
        self._told: dict[str, tuple[int, float | None]] = {}

    def vms(self, at: float, domains: list[RawDomain], wall: float) -> list[Vm]:
        """Return the VMs, with their rates since the sample before.

        Args:
            at: the moment of the sample, by the monotonic clock, in seconds.
            domains: the sample.
            wall: the time of day here, in seconds since 1970.
        """
        seconds = None if self._at is None else at - self._at
        found = [_vm(raw, self._same(raw), seconds, self._memory_used(raw, at, wall)) for raw in domains]
        if seconds is None or seconds >= SHORTEST:
            self._at, self._before = at, {raw.uuid: raw for raw in domains}
        here = {raw.uuid for raw in domains}
        self._told = {uuid: told for uuid, told in self._told.items() if uuid in here}
        return found

    def _same(self, raw: RawDomain) -> Stats | None:
        """Return the counters before, of the same run of the domain: another run counts from zero again."""
        before = self._before.get(raw.uuid)
        return before.stats if before is not None and before.id == raw.id and raw.id is not None else None

    def _memory_used(self, raw: RawDomain, at: float, wall: float) -> int | None:
        """Return what the guest uses, by its balloon driver; None where it does not tell, or has not told for long.

        libvirt repeats the last figures for ever. They are believed while their time moves; before that was seen once, while
        their time is near our own, which may be set wrongly.
        """
        available = raw.stats.get("balloon.available")
        free = raw.stats.get("balloon.usable", raw.stats.get("balloon.unused"))
        if available is None or free is None or raw.id is None:
            return None
        told = raw.stats.get("balloon.last-update")
        if told is not None:
            before, moved = self._told.get(raw.uuid, (int(told), None))
            if int(told) != before:
                moved = at
            self._told[raw.uuid] = (int(told), moved)
            age = abs(wall - int(told)) if moved is None else at - moved
            if age > BALLOON_AGE:
                return None
        return max(0, int(available) - int(free)) * 1024


def _vm(raw: RawDomain, before: Stats | None, seconds: float | None, used: int | None) -> Vm:
    stats, facts = raw.stats, raw.facts or DomainFacts()
    state, vcpus = int(stats.get("state.state", 0)), int(stats.get("vcpu.current", 0))
    return Vm(
        name=raw.name,
        uuid=raw.uuid,
        id=raw.id,
        state=STATES.get(state, "no state"),
        reason=reason_of(state, int(stats.get("state.reason", 0))),
        vcpus=vcpus,
        vcpus_max=int(stats.get("vcpu.maximum", vcpus)),
        cpu_percent=_cpu(before, stats, vcpus, seconds),
        memory_bytes=int(stats.get("balloon.current", 0)) * 1024,
        memory_max_bytes=int(stats.get("balloon.maximum", 0)) * 1024,
        memory_used_bytes=used,
        rss_bytes=int(stats["balloon.rss"]) * 1024 if raw.id is not None and "balloon.rss" in stats else None,
        disks=_disks(raw, facts, before, seconds),
        interfaces=_cards(raw, facts, before, seconds),
        autostart=raw.autostart,
        persistent=raw.persistent,
        title=facts.title,
    )


def _cpu(before: Stats | None, stats: Stats, vcpus: int, seconds: float | None) -> float | None:
    """Return the share of its own vCPUs that a domain used: cpu.time counts nanoseconds of all of them together.

    It counts the emulator's threads too, so the sum may pass what the vCPUs alone could use.
    """
    spent = _rate(before, stats, "cpu.time", "cpu.time", seconds)
    return None if spent is None or not vcpus else round(min(100.0, spent / 1e9 / vcpus * 100), 1)


def _rate(before: Stats | None, now: Stats, key_before: str, key: str, seconds: float | None) -> float | None:
    if before is None or not seconds or key_before not in before or key not in now:
        return None
    grown = int(now[key]) - int(before[key_before])
    return round(grown / seconds, 1) if grown >= 0 else None


def _numbered(stats: Stats | None, group: str) -> dict[str, str]:
    """Return the key of each device by its name: their numbers change when one is plugged in or out."""
    if stats is None:
        return {}
    found: dict[str, str] = {}
    for number in range(min(int(stats.get(f"{group}.count", 0)), DEVICES)):
        found.setdefault(str(stats.get(f"{group}.{number}.name", "")), f"{group}.{number}")
    return found


def _size(stats: Stats, key: str) -> int | None:
    return int(stats[key]) if key in stats else None


def _disks(raw: RawDomain, facts: DomainFacts, before: Stats | None, seconds: float | None) -> tuple[VmDisk, ...]:
    stats, earlier, disks = raw.stats, _numbered(before, "block"), []
    for name, key in _numbered(stats, "block").items():
        device, then = line(name, 64), earlier.get(name, "")
        form, path = facts.disks.get(device, ("", ""))
        read, wrote, reads, writes = (_rate(before, stats, f"{then}.{one}", f"{key}.{one}", seconds) for one in _COUNTERS)
        capacity, allocation = _size(stats, f"{key}.capacity"), _size(stats, f"{key}.allocation")
        path = line(str(stats.get(f"{key}.path", "")), 500) or path
        error = raw.errors.get(device, "")
        disks.append(VmDisk(device, path, form, capacity, allocation, read, wrote, reads, writes, error))
    if disks:
        return tuple(disks)
    return tuple(
        VmDisk(device, path, form, None, None, None, None, None, None, raw.errors.get(device, ""))
        for device, (form, path) in list(facts.disks.items())[:DEVICES]
    )


_COUNTERS = ("rd.bytes", "wr.bytes", "rd.reqs", "wr.reqs")


def _cards(raw: RawDomain, facts: DomainFacts, before: Stats | None, seconds: float | None) -> tuple[VmInterface, ...]:
    stats, earlier, cards = raw.stats, _numbered(before, "net"), []
    known = {device: (mac, network) for device, mac, network in facts.cards}
    for name, key in _numbered(stats, "net").items():
        device, then = line(name, 64), earlier.get(name, "")
        received, sent = (_rate(before, stats, f"{then}.{one}", f"{key}.{one}", seconds) for one in ("rx.bytes", "tx.bytes"))
        cards.append(VmInterface(device, *known.get(device, ("", "")), received, sent))
    if cards:
        return tuple(cards)
    return tuple(VmInterface(device, mac, network, None, None) for device, mac, network in facts.cards[:DEVICES])
