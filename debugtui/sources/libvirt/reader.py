"""Reads one open connection; every function here runs in the worker thread."""

from __future__ import annotations

import time
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any

import libvirt

from debugtui.model.libvirt import StoragePool, VirtualNetwork, Vm, VmDisk, VmInterface, VmSnapshot
from debugtui.model.source import Gap, Problem
from debugtui.model.text import line
from debugtui.sources.libvirt.domain_xml import DomainFacts, facts_of
from debugtui.sources.libvirt.words import DISK_ERRORS, POOL_STATES, STATES, reason_of

#: Most domains, networks, pools, or snapshots of a domain that are taken.
MOST = 2_000
#: The guest's own memory figures are believed for this long, in seconds.
BALLOON_AGE = 60.0

_STATS = (
    libvirt.VIR_DOMAIN_STATS_STATE
    | libvirt.VIR_DOMAIN_STATS_CPU_TOTAL
    | libvirt.VIR_DOMAIN_STATS_BALLOON
    | libvirt.VIR_DOMAIN_STATS_VCPU
    | libvirt.VIR_DOMAIN_STATS_INTERFACE
    | libvirt.VIR_DOMAIN_STATS_BLOCK
)
Stats = dict[str, Any]


@dataclass(slots=True)
class RawDomain:
    """One domain as libvirt gave it: its figures by libvirt's names, its XML facts, its flags."""

    domain: Any
    name: str
    uuid: str
    identity: int
    stats: Stats
    facts: DomainFacts
    autostart: bool
    persistent: bool
    errors: dict[str, str] = field(default_factory=dict)


@dataclass(slots=True)
class _Known:
    state: tuple[int, int]
    facts: DomainFacts
    autostart: bool
    persistent: bool


class Reader:
    """Keeps what lives between two reads of one connection: the last sample, and what seldom changes."""

    def __init__(self, connection: Any) -> None:
        self.connection = connection
        self._known: dict[str, _Known] = {}
        self._before: tuple[float, dict[str, Stats]] | None = None
        self._snapshots: dict[str, tuple[VmSnapshot, ...]] = {}
        self.networks: tuple[VirtualNetwork, ...] = ()
        self.pools: tuple[StoragePool, ...] = ()
        self.slow_gaps: tuple[Gap, ...] = ()

    def read(self, *, full: bool) -> tuple[tuple[Vm, ...], tuple[Gap, ...]]:
        """Return every VM with its rates since the read before."""
        raws = self.samples(full=full)
        now = time.monotonic()
        before_at, before = self._before or (0.0, {})
        if full:
            self._read_slow(raws)
        seconds = now - before_at if self._before is not None else None
        vms = tuple(self._vm(raw, before.get(raw.uuid), seconds) for raw in raws[:MOST])
        self._before = (now, {raw.uuid: raw.stats for raw in raws})
        gaps = self.slow_gaps
        if len(raws) > MOST:
            gaps = (*gaps, Gap("VMs", Problem(f"only the first {MOST} of {len(raws)} are shown")))
        return tuple(sorted(vms, key=lambda vm: vm.name)), gaps

    def samples(self, *, full: bool) -> list[RawDomain]:
        """Return every domain as libvirt gives it. A source with figures of its own overrides this."""
        raws = []
        for domain, stats in self._all_stats():
            uuid = domain.UUIDString()
            state = (int(stats.get("state.state", 0)), domain.ID())
            known = self._known.get(uuid)
            if known is None or known.state != state or full:
                known = _Known(state, facts_of(domain.XMLDesc(0)), _flag(domain.autostart), bool(domain.isPersistent()))
                self._known[uuid] = known
            raw = RawDomain(
                domain, line(domain.name(), 200), uuid, domain.ID(), stats, known.facts, known.autostart, known.persistent
            )
            if state[0] == libvirt.VIR_DOMAIN_PAUSED:
                raw.errors = _disk_errors(domain)
            raws.append(raw)
        for gone in set(self._known) - {raw.uuid for raw in raws}:
            del self._known[gone]
            self._snapshots.pop(gone, None)
        return raws

    def _all_stats(self) -> list[tuple[Any, Stats]]:
        try:
            found: list[tuple[Any, Stats]] = self.connection.getAllDomainStats(_STATS, 0)
        except libvirt.libvirtError as error:
            if error.get_error_code() not in (libvirt.VIR_ERR_NO_SUPPORT, libvirt.VIR_ERR_ARGUMENT_UNSUPPORTED):
                raise
            found = [(domain, {}) for domain in self.connection.listAllDomains(0)]
        return [(domain, stats if "vcpu.current" in stats else _by_hand(domain, stats)) for domain, stats in found]

    def _vm(self, raw: RawDomain, before: Stats | None, seconds: float | None) -> Vm:
        stats, state = raw.stats, int(raw.stats.get("state.state", 0))
        vcpus = int(stats.get("vcpu.current", 0))
        cpu = _rate(before, stats, "cpu.time", seconds)
        balloon = int(stats.get("balloon.current", 0)) * 1024
        return Vm(
            name=raw.name,
            uuid=raw.uuid,
            id=raw.identity if raw.identity >= 0 else None,
            state=STATES.get(state, "no state"),
            reason=reason_of(state, int(stats.get("state.reason", 0))),
            vcpus=vcpus,
            vcpus_max=int(stats.get("vcpu.maximum", vcpus)),
            # cpu.time counts nanoseconds of all vCPUs together.
            cpu_percent=None if cpu is None or not vcpus or raw.identity < 0 else round(min(100.0, cpu / 1e9 / vcpus * 100), 1),
            memory_bytes=balloon,
            memory_max_bytes=int(stats.get("balloon.maximum", 0)) * 1024,
            memory_used_bytes=_memory_used(stats),
            rss_bytes=int(stats["balloon.rss"]) * 1024 if "balloon.rss" in stats else None,
            disks=_disks(raw, before, seconds),
            interfaces=_cards(raw, before, seconds),
            snapshots=self._snapshots.get(raw.uuid),
            autostart=raw.autostart,
            persistent=raw.persistent,
            title=raw.facts.title,
        )

    # The slow parts

    def _read_slow(self, raws: list[RawDomain]) -> None:
        gaps: list[Gap] = []
        try:
            self._snapshots = {raw.uuid: snapshots_of(raw.domain) for raw in raws[:MOST]}
        except libvirt.libvirtError as error:
            gaps.append(Gap("snapshots", _problem(error)))
        try:
            self.networks = tuple(_network(one) for one in self.connection.listAllNetworks(0)[:MOST])
        except libvirt.libvirtError as error:
            gaps.append(Gap("networks", _problem(error)))
        try:
            self.pools = tuple(_pool(one) for one in self.connection.listAllStoragePools(0)[:MOST])
        except libvirt.libvirtError as error:
            gaps.append(Gap("storage pools", _problem(error)))
        self.slow_gaps = tuple(gaps)


def _problem(error: libvirt.libvirtError) -> Problem:
    return Problem(line(error.get_error_message() or str(error), 300))


def _flag(function: Any) -> bool:
    try:
        return bool(function())
    except libvirt.libvirtError:
        return False  # a transient domain has no such flag


def _by_hand(domain: Any, stats: Stats) -> Stats:
    """Return figures of a driver that gives no stats in one call (the test driver)."""
    state, maximum, current, vcpus, cpu_time = domain.info()
    _, reason = domain.state(0)
    return {
        **stats,
        "state.state": state,
        "state.reason": reason,
        "vcpu.current": vcpus,
        "vcpu.maximum": vcpus,
        "balloon.current": current,
        "balloon.maximum": maximum,
        **({"cpu.time": cpu_time} if state == libvirt.VIR_DOMAIN_RUNNING else {}),
    }


def _rate(before: Stats | None, now: Stats, name: str, seconds: float | None) -> float | None:
    if before is None or not seconds or name not in before or name not in now:
        return None
    spent = int(now[name]) - int(before[name])
    return round(spent / seconds, 1) if spent >= 0 else None


def _memory_used(stats: Stats) -> int | None:
    """Return what the guest uses, by its own balloon driver; None where it does not tell, or told too long ago."""
    available = stats.get("balloon.available")
    free = stats.get("balloon.usable", stats.get("balloon.unused"))
    told = stats.get("balloon.last-update")
    if available is None or free is None or (told and time.time() - int(told) > BALLOON_AGE):
        return None
    return max(0, int(available) - int(free)) * 1024


def _disk_errors(domain: Any) -> dict[str, str]:
    """Return the disks that failed. libvirt keeps an error after it was mended, so it counts for paused domains only."""
    try:
        return {line(disk, 64): DISK_ERRORS.get(code, "error") for disk, code in (domain.diskErrors(0) or {}).items()}
    except libvirt.libvirtError:
        return {}


def _disks(raw: RawDomain, before: Stats | None, seconds: float | None) -> tuple[VmDisk, ...]:
    stats, disks = raw.stats, []
    for number in range(min(int(stats.get("block.count", 0)), 64)):
        key = f"block.{number}"
        device = line(str(stats.get(f"{key}.name", "")), 64)
        form, path = raw.facts.disks.get(device, ("", ""))
        disks.append(
            VmDisk(
                device=device,
                path=line(str(stats.get(f"{key}.path", path)), 500),
                format=form,
                capacity_bytes=stats.get(f"{key}.capacity"),
                allocation_bytes=stats.get(f"{key}.allocation"),
                read_bytes_s=_rate(before, stats, f"{key}.rd.bytes", seconds),
                write_bytes_s=_rate(before, stats, f"{key}.wr.bytes", seconds),
                reads_s=_rate(before, stats, f"{key}.rd.reqs", seconds),
                writes_s=_rate(before, stats, f"{key}.wr.reqs", seconds),
                error=raw.errors.get(device, ""),
            )
        )
    if not disks:
        disks = [
            VmDisk(device, path, form, None, None, None, None, None, None, raw.errors.get(device, ""))
            for device, (form, path) in list(raw.facts.disks.items())[:64]
        ]
    return tuple(disks)


def _cards(raw: RawDomain, before: Stats | None, seconds: float | None) -> tuple[VmInterface, ...]:
    stats, cards = raw.stats, []
    for number in range(min(int(stats.get("net.count", 0)), 64)):
        key = f"net.{number}"
        device = line(str(stats.get(f"{key}.name", "")), 64)
        mac, network = raw.facts.cards.get(device, ("", ""))
        received = _rate(before, stats, f"{key}.rx.bytes", seconds)
        cards.append(VmInterface(device, mac, network, received, _rate(before, stats, f"{key}.tx.bytes", seconds)))
    if not cards:
        cards = [VmInterface(device, mac, network, None, None) for device, mac, network in raw.facts.macs[:64]]
    return tuple(cards)


def snapshots_of(domain: Any) -> tuple[VmSnapshot, ...]:
    """Return the snapshots of a domain, oldest first."""
    found = []
    for snapshot in domain.listAllSnapshots(0)[:MOST]:
        facts = _snapshot_facts(snapshot.getXMLDesc(0))
        found.append(replace(facts, name=line(snapshot.getName(), 200), current=bool(snapshot.isCurrent(0))))
    return tuple(sorted(found, key=lambda one: one.created_at.timestamp() if one.created_at else 0.0))


def _snapshot_facts(xml: str) -> VmSnapshot:
    import xml.etree.ElementTree as ET

    try:
        root = ET.fromstring(xml[:1_000_000])  # noqa: S314
    except ET.ParseError:
        return VmSnapshot("", None, "", current=False)
    created = root.findtext("creationTime", "")
    at = datetime.fromtimestamp(int(created), UTC) if created.isdecimal() and len(created) < 12 else None
    return VmSnapshot("", at, line(root.findtext("state", ""), 32), False, line(root.findtext("description", ""), 300))


def _network(network: Any) -> VirtualNetwork:
    import xml.etree.ElementTree as ET

    forward = ""
    try:
        found = ET.fromstring(network.XMLDesc(0)[:1_000_000]).find("forward")  # noqa: S314
        forward = found.get("mode", "nat") if found is not None else "isolated"
    except ET.ParseError:
        forward = "?"
    try:
        bridge = network.bridgeName()
    except libvirt.libvirtError:
        bridge = ""
    return VirtualNetwork(
        name=line(network.name(), 200),
        uuid=network.UUIDString(),
        active=bool(network.isActive()),
        autostart=_flag(network.autostart),
        persistent=bool(network.isPersistent()),
        bridge=line(bridge, 64),
        forward=line(forward, 32),
    )


def _pool(pool: Any) -> StoragePool:
    import xml.etree.ElementTree as ET

    state, capacity, allocation, available = pool.info()
    kind = path = ""
    try:
        root = ET.fromstring(pool.XMLDesc(0)[:1_000_000])  # noqa: S314
        kind, path = root.get("type", ""), root.findtext("./target/path", "")
    except ET.ParseError:
        kind = "?"
    return StoragePool(
        name=line(pool.name(), 200),
        uuid=pool.UUIDString(),
        active=bool(pool.isActive()),
        state=POOL_STATES.get(state, "unknown"),
        autostart=_flag(pool.autostart),
        type=line(kind, 32),
        path=line(path, 300),
        capacity_bytes=capacity,
        allocation_bytes=allocation,
        available_bytes=available,
    )
