"""The libvirt source: opens read-only through the link, calls from a thread of its own, drops the connection on any failure."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, TypeVar

from debugtui.hosts.link import Link
from debugtui.model.libvirt import LibvirtReading, StoragePool, VirtualNetwork, Vm, VmSnapshot
from debugtui.model.logs import LogLine
from debugtui.model.source import Gap, Kind, Problem
from debugtui.model.text import line
from debugtui.sources.base import READ_LIMIT_S, SourceError
from debugtui.sources.libvirt import console
from debugtui.sources.libvirt.dial import Way, dial
from debugtui.sources.libvirt.problems import no_answer, not_loaded, problem_of
from debugtui.sources.libvirt.stats import Rates, RawDomain
from debugtui.sources.libvirt.worker import BusyError, CallError, HungError, Worker

if TYPE_CHECKING:
    from debugtui.sources.libvirt.reader import About, Reader, Sample

T = TypeVar("T")

#: Seconds for opening, for one look at every domain, for one of the slow parts, for a request of a detail screen, for closing.
OPEN_LIMIT, SAMPLE_LIMIT, PART_LIMIT, DETAIL_LIMIT, CLOSE_LIMIT = 5.0, 6.0, 4.0, 5.0, 1.0
#: Calls that may hang at the same time before nothing more is tried; each keeps a thread.
HUNG = 3
_IO_ERROR = 5


class LibvirtSource:
    """One hypervisor, read only."""

    kind = Kind.LIBVIRT
    name = "libvirt"
    has_rates = True
    period_s = 0.0
    limit_s = READ_LIMIT_S

    def __init__(self, link: Link, uri: str) -> None:
        """Read `uri`, as seen from the link's host."""
        self._link = link
        self._uri = uri
        self._worker: Worker[Reader] | None = None
        self._opening = asyncio.Lock()
        self._hung: list[Worker[Reader]] = []
        #: The slow parts that hang, and the worker that waits for each.
        self._stuck: dict[str, Worker[Reader]] = {}
        self._about: About | None = None
        self._socket = ""
        self._rates = Rates()
        self._snapshots: dict[str, tuple[VmSnapshot, ...]] = {}
        self._networks: tuple[VirtualNetwork, ...] | None = None
        self._pools: tuple[StoragePool, ...] | None = None
        #: What the last full read could not get; ordinary reads repeat it.
        self._slow_gaps: tuple[Gap, ...] = ()

    # Reading

    async def read(self, *, full: bool) -> LibvirtReading:
        """Read now; `full` reads snapshots, networks and pools too.

        Raises:
            SourceError: libvirt does not answer, or is not there.
            LinkError: the link is not up.
        """
        sample = await self._ask(lambda reader: reader.sample(full=full), SAMPLE_LIMIT)
        domains, gaps = await self._with_errors(sample.domains)
        if full:
            self._slow_gaps = await self._read_slow()
        vms = self._rates.vms(sample.at, domains, time.time())
        about = self._about
        assert about is not None  # noqa: S101 - set where the connection was opened
        return LibvirtReading(
            taken_at=datetime.now(UTC),
            uri=line(self._uri, 300),
            hostname=about.hostname,
            libvirt_version=about.libvirt_version,
            hypervisor=about.hypervisor,
            read_only=True,
            cpus=about.cpus,
            memory_total_bytes=about.memory_total_bytes,
            memory_free_bytes=sample.memory_free,
            vms=tuple(sorted((self._with_snapshots(vm) for vm in vms), key=lambda vm: vm.name)),
            networks=self._networks or (),
            pools=self._pools or (),
            gaps=(*_sample_gaps(sample), *gaps, *self._slow_gaps, *self._not_yet()),
        )

    def _with_snapshots(self, vm: Vm) -> Vm:
        return replace(vm, snapshots=self._snapshots.get(vm.uuid))

    async def _with_errors(self, domains: list[RawDomain]) -> tuple[list[RawDomain], tuple[Gap, ...]]:
        """Add the disk errors of domains that an I/O error paused. Asking needs the emulator, so only these are asked."""
        paused = [raw.uuid for raw in domains if raw.stats.get("state.reason") == _IO_ERROR and raw.stats["state.state"] == 3]
        if not paused:
            return domains, ()
        errors, gap = await self._optional("disk errors", lambda reader: reader.disk_errors(paused))
        known = errors or {}
        return [replace(raw, errors=known.get(raw.uuid, {})) for raw in domains], (gap,) if gap else ()

    async def _read_slow(self) -> tuple[Gap, ...]:
        gaps: list[Gap | None] = []
        snapshots, gap = await self._optional("snapshots", lambda reader: reader.snapshots())
        gaps.append(gap)
        if snapshots is not None:
            self._snapshots, unread = snapshots
            if unread:
                gaps.append(Gap("snapshots", Problem(f"of {unread} VMs not read yet", "the next reads go on")))
        networks, gap = await self._optional("networks", _networks)
        gaps.append(gap)
        pools, gap = await self._optional("storage pools", _pools)
        gaps.append(gap)
        # What could not be read keeps its last state; the gap says that it is old.
        self._networks = networks if networks is not None else self._networks
        self._pools = pools if pools is not None else self._pools
        return tuple(gap for gap in gaps if gap is not None)

    async def _optional(self, feature: str, function: Callable[[Reader], T]) -> tuple[T | None, Gap | None]:
        """Return one part of a reading, or the gap that it leaves. What hangs here must not cost the VMs' figures."""
        stuck = self._stuck.get(feature)
        if stuck is not None and stuck.alive:
            return None, Gap(
                feature, Problem("libvirt has not answered an earlier request", "it is asked again when that ends")
            )
        self._stuck.pop(feature, None)
        worker = self._worker
        if worker is None:
            return None, Gap(feature, Problem("not asked: the connection was given up before"))
        try:
            return await worker.call(function, PART_LIMIT), None
        except CallError as error:
            return None, Gap(feature, problem_of(error, modular="virtqemud" in self._socket))
        except HungError:
            self._give_up(worker)
            self._stuck[feature] = worker
            return None, Gap(feature, no_answer(PART_LIMIT))
        except BusyError:
            return None, Gap(feature, Problem("libvirt is busy with other requests"))

    def _not_yet(self) -> tuple[Gap, ...]:
        """Return what was never read: an empty list must not be taken for "none"."""
        named = {gap.feature for gap in self._slow_gaps}
        unread = {"networks": self._networks, "storage pools": self._pools}
        return tuple(
            Gap(feature, Problem("not read yet")) for feature, read in unread.items() if read is None and feature not in named
        )

    # The connection

    async def _ask(self, function: Callable[[Reader], T], limit: float) -> T:
        """Call in the thread, opening the connection where there is none. A failure costs the connection."""
        worker = await self._connected()
        try:
            return await worker.call(function, limit)
        except BusyError:
            raise SourceError(Problem("libvirt is busy with other requests", "it is asked again")) from None
        except HungError:
            self._give_up(worker)
            raise SourceError(no_answer(limit)) from None
        except CallError as error:
            await self._drop(worker)
            raise SourceError(problem_of(error, modular="virtqemud" in self._socket)) from None

    async def _detail(self, function: Callable[[Reader], T]) -> T:
        """Call for a detail screen: what libvirt refuses here says nothing of the connection."""
        worker = await self._connected()
        try:
            return await worker.call(function, DETAIL_LIMIT)
        except BusyError:
            raise SourceError(Problem("libvirt is busy with other requests", "try again")) from None
        except HungError:
            self._give_up(worker)
            raise SourceError(no_answer(DETAIL_LIMIT)) from None
        except CallError as error:
            raise SourceError(problem_of(error)) from None

    async def _connected(self) -> Worker[Reader]:
        async with self._opening:
            if self._worker is not None:
                return self._worker
            self._hung = [worker for worker in self._hung if worker.alive]
            if len(self._hung) >= HUNG:
                raise SourceError(
                    Problem(f"{HUNG} requests to libvirt hang", "is libvirtd, or one VM, hung? systemctl status libvirtd")
                )
            way = await dial(self._link, self._uri)
            self._worker, self._about = await self._open(way)
            self._socket = way.socket
            return self._worker

    async def _open(self, way: Way) -> tuple[Worker[Reader], About]:
        worker = Worker(lambda: self.make(way.uri), _release)
        try:
            return worker, await worker.call(lambda reader: reader.about, OPEN_LIMIT)
        except (BusyError, HungError):
            self._give_up(worker)
            raise SourceError(no_answer(OPEN_LIMIT)) from None
        except ImportError as error:
            worker.end()
            raise SourceError(not_loaded(error)) from None
        except CallError as error:
            worker.end()
            raise SourceError(problem_of(error)) from None
        except BaseException:
            worker.end()
            raise

    @staticmethod
    def make(uri: str) -> Reader:
        """Open a connection, in the thread that owns it."""
        return _make(uri)

    def _give_up(self, worker: Worker[Reader]) -> None:
        """Leave a thread to its call: it releases the connection when that returns."""
        worker.end()
        self._hung.append(worker)
        if self._worker is worker:
            self._worker = None

    async def _drop(self, worker: Worker[Reader]) -> None:
        if self._worker is worker:
            self._worker = None
        if not await worker.close(CLOSE_LIMIT):
            self._hung.append(worker)

    async def close(self) -> None:
        """Close the connection and end the thread."""
        if self._worker is not None:
            await self._drop(self._worker)

    # What detail screens ask for

    async def domain_xml(self, uuid: str, *, inactive: bool = False) -> str:
        """Return a domain's XML, cleaned and redacted; its secrets are never asked for.

        Args:
            uuid: of the domain.
            inactive: what the next boot will use, instead of what runs.

        Raises:
            SourceError, LinkError: it cannot be read.
        """
        return await self._detail(lambda reader: reader.xml(uuid, inactive))

    async def snapshots(self, uuid: str) -> tuple[VmSnapshot, ...]:
        """Return a domain's snapshots now, oldest first."""
        return await self._detail(lambda reader: reader.snapshots_of(uuid))

    async def console_log(self, uuid: str, limit_bytes: int = console.TAIL) -> tuple[str, list[LogLine]]:
        """Return where the serial console is logged on the host, and the last lines of at most `limit_bytes` bytes.

        Raises:
            SourceError: it is logged nowhere, or may not be read; the hint names the XML element, or the permission.
        """
        path = await self._console_path(uuid)
        return line(path, 500), await console.last_lines(self._link, path, limit_bytes)

    async def console_follow(self, uuid: str) -> AsyncIterator[list[LogLine]]:
        """Yield the serial console's last lines, then lines as they come, for as long as it is asked."""
        path = await self._console_path(uuid)
        async for lines in console.follow(self._link, path):
            yield lines

    async def _console_path(self, uuid: str) -> str:
        path = await self._detail(lambda reader: reader.console_log(uuid))
        if not path.startswith("/"):
            raise SourceError(console.NOWHERE)
        return path


def _sample_gaps(sample: Sample) -> tuple[Gap, ...]:
    gaps = []
    if sample.total > len(sample.domains):
        gaps.append(Gap("VMs", Problem(f"only {len(sample.domains)} of {sample.total} are shown")))
    if sample.unread:
        gaps.append(Gap("definitions", Problem(f"of {sample.unread} VMs not read yet", "the next reads go on")))
    if sample.unreadable:
        gaps.append(Gap("definitions", Problem(f"of {sample.unreadable} VMs cannot be read")))
    return tuple(gaps)


# The library, and all that uses it, is loaded in the thread, when it is first needed.


def _make(uri: str) -> Reader:
    from debugtui.sources.libvirt.reader import Reader

    return Reader(uri)


def _release(reader: Reader) -> None:
    reader.close()


def _networks(reader: Reader) -> Any:
    from debugtui.sources.libvirt import stores

    return stores.networks(reader)


def _pools(reader: Reader) -> Any:
    from debugtui.sources.libvirt import stores

    return stores.pools(reader)
