"""Reads one open connection. Everything here is made, used and released in the worker's thread, and returns plain data.

What takes one call for each domain is spread over several reads: each spends a bounded time on it, the oldest first, so that
a host with thousands of domains behind a slow line is read too.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import partial
from typing import Any, TypeVar

import libvirt

from debugtui.config.redaction import redact
from debugtui.model.libvirt import VmSnapshot
from debugtui.model.text import clean, line
from debugtui.sources.libvirt.domain_xml import DomainFacts, facts_of
from debugtui.sources.libvirt.problems import ARGUMENT_UNSUPPORTED, NO_DOMAIN, NO_SUPPORT
from debugtui.sources.libvirt.snapshots import snapshots_of
from debugtui.sources.libvirt.stats import RawDomain, Stats
from debugtui.sources.libvirt.words import DISK_ERRORS, version_of

T = TypeVar("T")

#: Most domains, networks, pools, or snapshots of a domain that are taken.
MOST = 2_000
#: Seconds that one read spends on XML, and on snapshots.
BUDGET = 1.5

_STATS = (
    libvirt.VIR_DOMAIN_STATS_STATE
    | libvirt.VIR_DOMAIN_STATS_CPU_TOTAL
    | libvirt.VIR_DOMAIN_STATS_BALLOON
    | libvirt.VIR_DOMAIN_STATS_VCPU
    | libvirt.VIR_DOMAIN_STATS_INTERFACE
    | libvirt.VIR_DOMAIN_STATS_BLOCK
)
#: A domain that is busy (a migration, a hung emulator) gives what it can at once instead of keeping all the others waiting.
_NOWAIT = libvirt.VIR_CONNECT_GET_ALL_DOMAINS_STATS_NOWAIT


@dataclass(frozen=True, slots=True)
class About:
    """What a connection says of itself once, when it is opened."""

    hostname: str
    libvirt_version: str
    hypervisor: str
    cpus: int
    memory_total_bytes: int


@dataclass(frozen=True, slots=True)
class Sample:
    """One look at every domain.

    Attributes:
        at: its moment, by the monotonic clock, in seconds.
        domains: at most `MOST`.
        total: how many there are.
        unread: how many of them have XML that is not read yet.
        unreadable: how many have XML that cannot be looked into, or that libvirt refuses.
        memory_free: of the host, in bytes; None where the driver does not tell.
    """

    at: float
    domains: list[RawDomain]
    total: int
    unread: int
    unreadable: int
    memory_free: int | None


@dataclass(slots=True)
class _Known:
    """What seldom changes of one domain: asked again when its state changed, and with each full read."""

    state: tuple[int, int]
    facts: DomainFacts
    round: int


class Reader:
    """One connection, and what is kept between two reads of it."""

    def __init__(self, uri: str) -> None:
        """Open `uri` read-only."""
        libvirt.registerErrorHandler(_silent, None)  # by default the C library writes to the terminal
        self._connection = self.open(uri)
        self._round = 0
        self._known: dict[str, _Known] = {}
        self._autostart: set[str] = set()
        self._persistent: set[str] | None = None
        self._snapshots: dict[str, tuple[float, tuple[VmSnapshot, ...]]] = {}
        self.about = self._about()

    @staticmethod
    def open(uri: str) -> Any:
        """Return the connection."""
        return libvirt.openReadOnly(uri)

    def close(self) -> None:
        """Close the connection; it may be broken already."""
        try:
            self._connection.close()
        except libvirt.libvirtError:
            return

    def _about(self) -> About:
        info = self._connection.getInfo()
        number = self._connection.getVersion()
        return About(
            hostname=line(self._connection.getHostname(), 200),
            libvirt_version=version_of(self._connection.getLibVersion()),
            hypervisor=line(f"{self._connection.getType()} {version_of(number) if number else ''}".strip(), 100),
            cpus=int(info[2]),
            memory_total_bytes=int(info[1]) << 20,
        )

    @property
    def connection(self) -> Any:
        """The `virConnect`, for this thread alone."""
        return self._connection

    # Domains

    def sample(self, *, full: bool) -> Sample:
        """Look at every domain; `full` asks again for what seldom changes."""
        began = time.monotonic()
        everything = self._all_stats()
        at = (began + time.monotonic()) / 2  # the call takes as long as the line is slow
        self._round += full
        completed = [(domain, _complete(domain, stats)) for domain, stats in everything[:MOST]]
        found = [(domain, stats) for domain, stats in completed if stats is not None]
        gone = self._learn(found, full)
        raws = [self._raw(domain, stats) for domain, stats in found if domain.UUIDString() not in gone]
        here = {raw.uuid for raw in raws}
        self._known = {uuid: known for uuid, known in self._known.items() if uuid in here}
        return Sample(
            at=at,
            domains=raws,
            total=len(everything),
            unread=sum(raw.facts is None for raw in raws),
            unreadable=sum(raw.facts is not None and not raw.facts.readable for raw in raws),
            memory_free=self._unless(lambda: int(self._connection.getFreeMemory()), None),
        )

    def _all_stats(self) -> list[tuple[Any, Stats]]:
        try:
            found: list[tuple[Any, Stats]] = self._connection.getAllDomainStats(_STATS, _NOWAIT)
        except libvirt.libvirtError as error:
            if error.get_error_code() not in (NO_SUPPORT, ARGUMENT_UNSUPPORTED):
                raise
            found = [(domain, {}) for domain in self._connection.listAllDomains(0)]
        return found

    def _raw(self, domain: Any, stats: Stats) -> RawDomain:
        uuid, identity = domain.UUIDString(), domain.ID()
        known = self._known.get(uuid)
        return RawDomain(
            name=line(domain.name(), 200),
            uuid=uuid,
            id=identity if identity >= 0 else None,
            stats=stats,
            facts=known.facts if known is not None else None,
            autostart=uuid in self._autostart,
            persistent=self._persistent is None or uuid in self._persistent,
        )

    def _learn(self, found: list[tuple[Any, Stats]], full: bool) -> set[str]:
        """Read the XML of the domains that need it, new ones first, then those not asked for longest, for a bounded time.

        Returns:
            The domains that are gone meanwhile.
        """
        due: list[tuple[int, int, tuple[int, int], Any]] = []
        for domain, stats in found:
            state = (int(stats.get("state.state", 0)), domain.ID())
            known = self._known.get(domain.UUIDString())
            if known is None or known.state != state or known.round < self._round:
                due.append((-1 if known is None else known.round, len(due), state, domain))
        if full or any(order < 0 for order, *_ in due):
            self._learn_flags()
        gone: set[str] = set()
        until = time.monotonic() + BUDGET
        for _, _, state, domain in sorted(due, key=lambda one: one[:2]):
            if time.monotonic() > until:
                break
            facts = self._facts(domain)
            if facts is None:
                gone.add(domain.UUIDString())
            else:
                self._known[domain.UUIDString()] = _Known(state, facts, self._round)
        return gone

    def _facts(self, domain: Any) -> DomainFacts | None:
        """Return what a domain's XML tells; None where the domain is gone."""
        try:
            return facts_of(domain.XMLDesc(0))
        except libvirt.libvirtError as error:
            if error.get_error_code() == NO_DOMAIN:
                return None
            self._still_there(error)
            return DomainFacts(readable=False)

    def _still_there(self, error: libvirt.libvirtError) -> None:
        """Raise the error again where the whole connection broke, and not one request was refused."""
        if not self._connection.isAlive():
            raise error

    def _unless(self, ask: Callable[[], T], otherwise: T) -> T:
        """Return what `ask` returns, or `otherwise` where libvirt refuses this one request."""
        try:
            return ask()
        except libvirt.libvirtError as error:
            self._still_there(error)
            return otherwise

    def _learn_flags(self) -> None:
        """Ask for autostart and persistence in two calls for all domains, not two for each."""
        listed = self._connection.listAllDomains
        self._autostart = self._unless(lambda: _uuids(listed(libvirt.VIR_CONNECT_LIST_DOMAINS_AUTOSTART)), self._autostart)
        self._persistent = self._unless(lambda: _uuids(listed(libvirt.VIR_CONNECT_LIST_DOMAINS_PERSISTENT)), self._persistent)

    def disk_errors(self, uuids: Iterable[str]) -> dict[str, dict[str, str]]:
        """Return the disks that failed, by domain. Ask for paused domains only: an error is kept after it was mended."""
        found = {}
        for uuid in uuids:
            failed: dict[str, int] = self._unless(partial(_disk_errors, self._connection, uuid), {})
            found[uuid] = {line(disk, 64): DISK_ERRORS.get(code, "error") for disk, code in failed.items()}
        return found

    # Snapshots

    def snapshots(self) -> tuple[dict[str, tuple[VmSnapshot, ...]], int]:
        """Return the snapshots by domain, and how many domains' are not read yet."""
        listed = self._connection.listAllDomains
        having = {one.UUIDString(): one for one in listed(libvirt.VIR_CONNECT_LIST_DOMAINS_HAS_SNAPSHOT)[:MOST]}
        without: set[str] = _uuids(listed(libvirt.VIR_CONNECT_LIST_DOMAINS_NO_SNAPSHOT)[:MOST])
        until = time.monotonic() + BUDGET
        kept = {uuid: earlier for uuid, earlier in self._snapshots.items() if uuid in having}
        for uuid in sorted(having, key=lambda one: kept[one][0] if one in kept else 0.0):
            if time.monotonic() > until:
                break
            told = self._unless(partial(snapshots_of, having[uuid]), None)
            if told is not None:
                kept[uuid] = (time.monotonic(), told)
        self._snapshots = kept
        found = {uuid: snapshots for uuid, (_, snapshots) in kept.items()}
        return {**dict.fromkeys(without, ()), **found}, len(having) - len(kept)

    def snapshots_of(self, uuid: str) -> tuple[VmSnapshot, ...]:
        """Return the snapshots of one domain now."""
        return snapshots_of(self._connection.lookupByUUIDString(uuid))

    # One domain

    def xml(self, uuid: str, inactive: bool) -> str:
        """Return a domain's XML, cleaned and redacted; libvirt leaves its secrets out unless asked."""
        flags = libvirt.VIR_DOMAIN_XML_INACTIVE if inactive else 0
        return redact(clean(self._connection.lookupByUUIDString(uuid).XMLDesc(flags)))

    def console_log(self, uuid: str) -> str:
        """Return where a domain's serial console is logged; empty where it is not."""
        return facts_of(self._connection.lookupByUUIDString(uuid).XMLDesc(0)).console_log


def _silent(_context: object, _error: object) -> None:
    """Say nothing: every error comes back as an exception too."""


def _uuids(domains: Iterable[Any]) -> set[str]:
    return {domain.UUIDString() for domain in domains}


def _complete(domain: Any, stats: Stats) -> Stats | None:
    """Add what a driver without such statistics tells otherwise (the test driver). None: the domain is gone meanwhile."""
    if "vcpu.current" in stats:
        return stats
    try:
        state, maximum, current, vcpus, cpu_time = domain.info()
        _, reason = domain.state(0)
    except libvirt.libvirtError as error:
        if error.get_error_code() == NO_DOMAIN:
            return None
        raise
    return {
        "state.state": state,
        "state.reason": reason,
        "vcpu.current": vcpus,
        "vcpu.maximum": vcpus,
        "balloon.current": current,
        "balloon.maximum": maximum,
        "cpu.time": cpu_time,
        **stats,
    }


def _disk_errors(connection: Any, uuid: str) -> dict[str, int]:
    return connection.lookupByUUIDString(uuid).diskErrors(0) or {}
