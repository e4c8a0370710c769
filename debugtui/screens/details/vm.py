"""A VM: its resources over time, disks, network, snapshots, XML and serial console."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, ClassVar, cast

from textual.widget import Widget

from debugtui.model.libvirt import LibvirtReading, Vm
from debugtui.model.logs import LogLine
from debugtui.model.source import FleetView, Kind, Problem, SourceStatus
from debugtui.model.target import Target
from debugtui.screens.details.base import table_of
from debugtui.screens.details.texts import TextScreen
from debugtui.screens.rows.common import seconds_since, tone_of_percent
from debugtui.screens.rows.vms import state_cell
from debugtui.sources.base import SourceError
from debugtui.sources.loglines import level_of
from debugtui.widgets.facts import Fact, Facts
from debugtui.widgets.format import age, count, percent, rate, size
from debugtui.widgets.log_view import LogView
from debugtui.widgets.plot import Plot
from debugtui.widgets.table_rows import Cell, Column, Row

if TYPE_CHECKING:
    from debugtui.sources.libvirt.source import LibvirtSource

DISKS = (
    Column("device", "disk", width=8),
    Column("read", "read", width=8, align="right"),
    Column("write", "write", width=8, align="right"),
    Column("reads", "reads/s", width=8, align="right", priority=2),
    Column("writes", "writes/s", width=8, align="right", priority=2),
    Column("allocated", "used", width=7, align="right"),
    Column("size", "size", width=7, align="right"),
    Column("error", "error", width=10),
    Column("path", "path", min_width=16, priority=1),
)
NETWORK = (
    Column("device", "device", width=10),
    Column("rx", "received", width=9, align="right"),
    Column("tx", "sent", width=9, align="right"),
    Column("network", "network", min_width=12),
    Column("mac", "MAC", width=17, priority=1),
)
SNAPSHOTS = (
    Column("name", "snapshot", min_width=16),
    Column("age", "age", width=7, align="right"),
    Column("state", "state", width=10),
    Column("current", "", width=8),
    Column("description", "description", min_width=12, priority=1),
)


class VmScreen(TextScreen):
    """Everything about one VM."""

    HELP = "One VM: resources over time, disks, network, snapshots, its XML, and what it wrote to its serial console."
    TABS: ClassVar[tuple[tuple[str, str], ...]] = (
        ("resources", "Resources"),
        ("disks", "Disks"),
        ("network", "Network"),
        ("snapshots", "Snapshots"),
        ("xml", "XML"),
        ("console", "Console"),
    )

    def compose_tab(self, name: str) -> Iterable[Widget]:
        """Yield the widgets of one tab."""
        if name == "resources":
            yield Facts(id="facts", classes="facts")
            yield Plot("cpu % of its vCPUs", low=0, high=100, id="plot-cpu")
            yield Plot("disk, MiB/s", low=0, id="plot-disk")
        elif name in ("xml", "console"):
            yield LogView(level_of if name == "console" else None, id=f"log-{name}", follow=name == "console")
        else:
            columns, nothing = {
                "disks": (DISKS, "no disks"),
                "network": (NETWORK, "no network card"),
                "snapshots": (SNAPSHOTS, "no snapshots"),
            }[name]
            yield table_of(name, columns, nothing)

    def find_status(self, view: FleetView) -> SourceStatus | None:
        """Return the hypervisor's source."""
        return self.status_of(view, Kind.LIBVIRT)

    @property
    def vm(self) -> Vm | None:
        """The VM as last read; None where it is gone."""
        reading = self._status.reading if self._status is not None else None
        if not isinstance(reading, LibvirtReading):
            return None
        return next((one for one in reading.vms if one.name == self.target.name), None)

    def _source(self) -> LibvirtSource:
        source = self.app.fleet.source(self.target.host, Kind.LIBVIRT) if self.app.fleet is not None else None
        if source is None or not hasattr(source, "domain_xml"):
            raise SourceError(Problem("this source has no XML and no console"))
        return cast("LibvirtSource", source)

    def _uuid(self) -> str:
        vm = self.vm
        if vm is None:
            raise SourceError(Problem(f"there is no VM {self.target.name} now", "r reads again"))
        return vm.uuid

    def tab_shown(self, name: str) -> None:
        """Start reading what the tab shows."""
        if name == "xml":
            self.load(name, self._xml)
        elif name == "console" and not self.view_of(name).counts[1]:
            self.follow(name, self._console_lines)

    async def _xml(self) -> str:
        return await self._source().domain_xml(self._uuid())

    async def _console_lines(self) -> AsyncIterator[Sequence[LogLine]]:
        async for batch in self._source().console_follow(self._uuid()):
            yield batch

    def paint_tab(self, name: str, view: FleetView) -> None:
        """Paint one tab."""
        vm = self.vm
        if name == "resources":
            read = self._status is not None and self._status.reading is not None
            gone: list[Fact] = [("state", "gone: libvirt does not list it any more", "bad")]
            self.query_one("#facts", Facts).show(facts_of(vm) if vm is not None else gone if read else [])
            self._plot()
        elif vm is not None and name in ("disks", "network", "snapshots"):
            table = self.table(name)
            if name == "snapshots" and vm.snapshots is None:
                table.empty_text = "not read yet"
            table.set_rows(
                {"disks": disk_rows, "network": network_rows}.get(name, lambda one: snapshot_rows(one, view.taken_at))(vm)
            )

    def _plot(self) -> None:
        if self.app.fleet is None:
            return
        target = Target(self.target.host, Kind.LIBVIRT, self.target.name)
        cpu = self.app.fleet.series(target, "cpu")
        self.query_one("#plot-cpu", Plot).show(cpu.times, cpu.values)
        reads, writes = (self.app.fleet.series(target, metric) for metric in ("read", "write"))
        both = [(read + write) / (1 << 20) for read, write in zip(reads.values, writes.values, strict=False)]
        self.query_one("#plot-disk", Plot).show(reads.times[: len(both)], both)


def facts_of(vm: Vm) -> list[Fact]:
    """Return what is known of a VM."""
    state = state_cell(vm)
    used = (
        f", guest uses {size(vm.memory_used_bytes)} ({percent(vm.memory_percent)})" if vm.memory_used_bytes is not None else ""
    )
    errors = ", ".join(f"{disk.device}: {disk.error}" for disk in vm.disks if disk.error)
    facts: list[Fact] = [
        ("state", f"{vm.state} ({vm.reason})" if vm.reason else vm.state, state.tone),
        (
            "vCPUs",
            f"{vm.vcpus} of at most {vm.vcpus_max}, {percent(vm.cpu_percent)} busy",
            tone_of_percent(vm.cpu_percent, 80, 95),
        ),
        (
            "memory",
            f"{size(vm.memory_bytes)} of at most {size(vm.memory_max_bytes)}{used}",
            tone_of_percent(vm.memory_percent, 85, 95),
        ),
        ("on the host", f"{size(vm.rss_bytes)} resident", ""),
        ("starts by itself", "yes" if vm.autostart else "no", ""),
        ("persistent", "yes" if vm.persistent else "no: it is gone when it stops", "" if vm.persistent else "warn"),
        ("snapshots", "not read yet" if vm.snapshots is None else str(len(vm.snapshots)), ""),
        ("UUID", vm.uuid, "dim"),
    ]
    if errors:
        facts.insert(1, ("disk errors", errors, "bad"))
    if vm.title:
        facts.insert(0, ("title", vm.title, ""))
    return facts


def disk_rows(vm: Vm) -> list[Row]:
    """Return a row for each disk."""
    rows = []
    for disk in vm.disks:
        share = 100 * disk.allocation_bytes / disk.capacity_bytes if disk.allocation_bytes and disk.capacity_bytes else None
        cells = (
            disk.device,
            rate(disk.read_bytes_s),
            rate(disk.write_bytes_s),
            count(disk.reads_s),
            count(disk.writes_s),
            Cell(size(disk.allocation_bytes), tone_of_percent(share, 95, 100)),
            size(disk.capacity_bytes),
            Cell(disk.error, "bad"),
            Cell(f"{disk.format} {disk.path}".strip(), "dim"),
        )
        rows.append(Row(disk.device, cells))
    return rows


def network_rows(vm: Vm) -> list[Row]:
    """Return a row for each network card."""
    rows = []
    for one in vm.interfaces:
        cells = (one.device, rate(one.rx_bytes_s), rate(one.tx_bytes_s), one.network, Cell(one.mac, "dim"))
        rows.append(Row(one.mac or one.device, cells))
    return rows


def snapshot_rows(vm: Vm, now: datetime) -> list[Row]:
    """Return a row for each snapshot, newest first."""
    ordered = sorted(vm.snapshots or (), key=lambda one: one.created_at.timestamp() if one.created_at else 0.0, reverse=True)
    rows = []
    for one in ordered:
        mark = Cell("current" if one.current else "", "accent")
        cells = (one.name, age(seconds_since(one.created_at, now)), one.state, mark, Cell(one.description, "dim"))
        rows.append(Row(one.name, cells))
    return rows
