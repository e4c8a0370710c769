"""A host: its figures, filesystems, disks, network, its sources with what is wrong with them, storage pools, engine."""

from __future__ import annotations

from collections.abc import Iterable

from textual.widget import Widget

from debugtui.model.alerts import Alert
from debugtui.model.docker import DockerReading
from debugtui.model.libvirt import LibvirtReading
from debugtui.model.source import FleetView, HostView, Kind, SourceStatus
from debugtui.model.system import SystemReading
from debugtui.model.target import Target
from debugtui.screens.details.base import DetailScreen, table_of
from debugtui.screens.details.host_state import NAMED, STATE_COLUMNS, STATE_KINDS, paint_state, repair_of, row_key, state_tabs
from debugtui.screens.rows.common import freshness_tone, freshness_words, seconds_since, tone_of_percent
from debugtui.screens.rows.stores import EVENTS, IMAGES, STORES, event_rows, image_rows, pool_rows, volume_rows
from debugtui.widgets.facts import Fact, Facts
from debugtui.widgets.format import age, count, latency, percent, rate, size
from debugtui.widgets.plot import Plot
from debugtui.widgets.table_rows import Cell, Column, Row

FILESYSTEMS = (
    Column("mount", "mount", min_width=12),
    Column("used", "used", width=6, align="right"),
    Column("free", "free", width=7, align="right"),
    Column("size", "size", width=7, align="right", priority=1),
    Column("inodes", "inodes", width=6, align="right"),
    Column("type", "type", width=8, priority=2),
    Column("device", "device", min_width=12, priority=3),
)
DEVICES = (
    Column("name", "name", min_width=10),
    Column("read", "read", width=8, align="right"),
    Column("write", "write", width=8, align="right"),
    Column("reads", "reads/s", width=8, align="right", priority=1),
    Column("writes", "writes/s", width=8, align="right", priority=1),
    Column("busy", "busy", width=6, align="right"),
)
INTERFACES = (
    Column("name", "name", min_width=10),
    Column("rx", "received", width=9, align="right"),
    Column("tx", "sent", width=9, align="right"),
    Column("errors", "errors/s", width=9, align="right"),
    Column("drops", "drops/s", width=9, align="right"),
)
SOURCES = (
    Column("source", "source", width=12),
    Column("state", "state", width=12),
    Column("took", "took", width=8, align="right"),
    Column("every", "every", width=7, align="right", priority=1),
    Column("cost", "cost", width=6, align="right", priority=1),
    Column("says", "says", min_width=20),
)


class HostScreen(DetailScreen):
    """Everything about one host that is not a VM, a container or a database."""

    HELP = "One host: its own figures, its sources and what they lack, storage and networks, images and engine events."
    TABS = (
        ("overview", "Overview"),
        ("sources", "Sources"),
        ("filesystems", "Filesystems"),
        ("devices", "Disks"),
        ("interfaces", "Network"),
        ("stores", "Storage & networks"),
        ("images", "Images"),
        ("events", "Events"),
    )

    def __init__(self, target: Target, view: FleetView | None = None, *, tab: str = "") -> None:
        """Make the screen of a host.

        Args:
            target: the host's system, or what an alert is about; its row is looked for in `tab`.
            view: tells which sources the host has; tabs of sources that it lacks are left out.
            tab: the tab to begin with.
        """
        self._more = state_tabs(view, target.host, tab)
        super().__init__(Target(target.host, Kind.SYSTEM))
        self._tab = tab or self._tab
        self._wanted = row_key(target) if tab else ""
        self._about = target

    @property
    def tabs(self) -> tuple[tuple[str, str], ...]:
        """Those of every host, and those of the sources that this one has."""
        return (*self.TABS, *self._more)

    def compose_tab(self, name: str) -> Iterable[Widget]:
        """Yield the widgets of one tab."""
        if name in STATE_COLUMNS:
            yield table_of(name, STATE_COLUMNS[name], "reading…", folds=False)
            return
        if name == "overview":
            yield Facts(id="facts", classes="facts")
            yield Plot("cpu %", low=0, high=100, id="plot-cpu")
            yield Plot("memory %", low=0, high=100, id="plot-memory")
            return
        columns = {
            "sources": SOURCES,
            "filesystems": FILESYSTEMS,
            "devices": DEVICES,
            "interfaces": INTERFACES,
            "stores": STORES,
            "images": IMAGES,
            "events": EVENTS,
        }[name]
        yield table_of(name, columns, "nothing here")

    def find_status(self, view: FleetView) -> SourceStatus | None:
        """Return the host's own source."""
        return self.status_of(view, Kind.SYSTEM)

    def repair_target(self) -> Target | None:
        """Return what the row under the cursor is about, where that can be repaired; else the host."""
        if self.tab in STATE_KINDS:
            return repair_of(self.target.host, self.tab, self.table(self.tab)) or self.target
        return self.target

    @property
    def opened_source(self) -> tuple[str, Kind, str] | None:
        """The source that was asked for is read more often, too."""
        kind = Kind(self._about.kind)
        return (self._about.host, kind, self._about.name.partition("/")[0] if kind in NAMED else kind.value)

    def concerns(self, alert: Alert) -> bool:
        """Every alert of the host's own figures is meant, and on a tab of its own sources those of that tab."""
        kinds = STATE_KINDS.get(self.tab, (Kind.SYSTEM,))
        return alert.target.host == self.target.host and alert.target.kind in kinds

    def paint_tab(self, name: str, view: FleetView) -> None:
        """Paint one tab."""
        host = next((host for host in view.hosts if host.name == self.target.host), None)
        if host is None:
            return
        system = self._status.reading if self._status is not None else None
        reading = system if isinstance(system, SystemReading) else None
        if name in STATE_COLUMNS:
            if paint_state(self.table(name), name, host, view, self._wanted):
                self._wanted = ""
        elif name == "overview":
            self._paint_overview(host, reading, view)
        elif name == "sources":
            self.table(name).set_rows(source_rows(host, view))
        elif name in ("stores", "images", "events"):
            self.table(name).set_rows(_stored(name, host, view))
        elif reading is not None:
            self.table(name).set_rows(_MAKERS[name](reading))

    def _paint_overview(self, host: HostView, reading: SystemReading | None, view: FleetView) -> None:
        facts: list[Fact] = [("link", f"{host.link.state} ({host.address})", "" if host.link.state == "up" else "bad")]
        if host.link.problem is not None:
            facts.append(("why", str(host.link.problem), "bad"))
            if host.link.retry_at is not None:
                facts.append(("next attempt in", age(seconds_since(view.taken_at, host.link.retry_at)), "dim"))
        if reading is not None:
            facts += system_facts(reading)
        self.query_one("#facts", Facts).show(facts)
        if self.app.fleet is not None:
            target = Target(host.name, Kind.SYSTEM)
            for metric in ("cpu", "memory"):
                series = self.app.fleet.series(target, metric)
                self.query_one(f"#plot-{metric}", Plot).show(series.times, series.values)


def system_facts(reading: SystemReading) -> list[Fact]:
    """Return a host's figures as facts."""
    swap = f"{size(reading.swap_used_bytes)} of {size(reading.swap_total_bytes)}" if reading.swap_total_bytes else "none"
    cpu = (
        f"{percent(reading.cpu_percent)} of {reading.cpus} cores, waiting for I/O {percent(reading.iowait_percent)}, "
        f"stolen {percent(reading.steal_percent)}"
    )
    memory = (
        f"{percent(reading.memory_percent)} of {size(reading.memory_total_bytes)}, "
        f"{size(reading.memory_available_bytes)} available, swap {swap}"
    )
    facts: list[Fact] = [
        ("host name", f"{reading.hostname}, Linux {reading.kernel}, up {age(reading.uptime_s)}", ""),
        ("cpu", cpu, tone_of_percent(reading.cpu_percent, 70, 90)),
        ("load", f"{reading.load1:.2f}  {reading.load5:.2f}  {reading.load15:.2f}", ""),
        ("memory", memory, tone_of_percent(reading.memory_percent, 85, 95)),
    ]
    if reading.failed_units is not None:
        units = ", ".join(reading.failed_units[:6]) or "none"
        facts.append(("failed units", units, "bad" if reading.failed_units else ""))
    return facts


def source_rows(host: HostView, view: FleetView) -> list[Row]:
    """Return a row for each source, and one for each thing that it could not read."""
    rows: list[Row] = []
    for source in host.sources:
        says = source.problem.says if source.problem else ""
        cells = (
            source.name,
            Cell(freshness_words(source, view.taken_at), freshness_tone(source.freshness)),
            latency(source.took_ms),
            f"{source.interval_s:g} s",
            percent(100 * source.cost_share),
            Cell(says, "bad" if says else ""),
        )
        rows.append(Row(source.name, cells))
        notes: list[Cell] = [Cell(source.problem.hint)] if source.problem and source.problem.hint else []
        for gap in source.reading.gaps if source.reading else ():
            notes.append(Cell(f"without {gap.feature}: {gap.problem.says}", "warn"))
            if gap.problem.hint:
                notes.append(Cell(f"  {gap.problem.hint}"))
        rows += [Row(f"{source.name}/{index}", ("", "", "", "", "", note), indent="  ") for index, note in enumerate(notes)]
    return rows


def filesystem_rows(reading: SystemReading) -> list[Row]:
    """Return a row for each filesystem."""
    return [
        Row(
            one.mount,
            (
                one.mount,
                Cell(percent(one.used_percent), tone_of_percent(one.used_percent, 90, 97)),
                size(one.available_bytes),
                size(one.size_bytes),
                Cell(percent(one.inodes_percent), tone_of_percent(one.inodes_percent, 90, 97)),
                Cell(one.fstype + (" ro" if one.read_only else ""), "dim"),
                Cell(one.device, "dim"),
            ),
            sort=(one.mount, one.used_percent, one.available_bytes, one.size_bytes, one.inodes_percent, one.fstype, one.device),
        )
        for one in reading.filesystems
    ]


def device_rows(reading: SystemReading) -> list[Row]:
    """Return a row for each disk."""
    return [
        Row(
            one.name,
            (one.name, rate(one.read_bytes_s), rate(one.write_bytes_s), count(one.reads_s), count(one.writes_s),
             Cell(percent(one.busy_percent), tone_of_percent(one.busy_percent, 80, 95))),
            sort=(one.name, one.read_bytes_s, one.write_bytes_s, one.reads_s, one.writes_s, one.busy_percent),
        )
        for one in reading.disks
    ]  # fmt: skip


def interface_rows(reading: SystemReading) -> list[Row]:
    """Return a row for each network interface."""
    return [
        Row(
            one.name,
            (one.name, rate(one.rx_bytes_s), rate(one.tx_bytes_s), Cell(count(one.errors_s), "bad" if one.errors_s else ""),
             Cell(count(one.drops_s), "warn" if one.drops_s else "")),
            sort=(one.name, one.rx_bytes_s, one.tx_bytes_s, one.errors_s, one.drops_s),
        )
        for one in reading.interfaces
    ]  # fmt: skip


_MAKERS = {"filesystems": filesystem_rows, "devices": device_rows, "interfaces": interface_rows}


def _stored(name: str, host: HostView, view: FleetView) -> list[Row]:
    rows: list[Row] = []
    for source in host.sources:
        if isinstance(source.reading, LibvirtReading) and name == "stores":
            rows += pool_rows(source.reading)
        elif isinstance(source.reading, DockerReading):
            if name == "stores":
                rows += volume_rows(source.reading)
            elif name == "images":
                rows += image_rows(source.reading, view)
            else:
                rows += event_rows(source.reading.events, view)
    return rows
