"""The hosts pane: link, processor, memory, fullest filesystem, and what polling costs."""

from __future__ import annotations

from datetime import datetime

from debugtui.model.source import Freshness, HostView, Kind, LinkState
from debugtui.model.system import SystemReading
from debugtui.screens.rows.common import seconds_since, tone_of_percent
from debugtui.widgets.format import age, percent
from debugtui.widgets.table_rows import Cell, Column, Row

COLUMNS = (
    Column("host", "host", min_width=7),
    Column("cpu", "cpu", width=7, align="right"),
    Column("mem", "mem", width=6, align="right", priority=1),
    Column("disk", "disk", width=5, align="right", priority=2),
    Column("load", "load", width=5, align="right", priority=4),
    Column("poll", "poll", width=6, align="right", priority=3),
)

_MARKS = {
    LinkState.UP: ("●", "ok"),
    LinkState.CONNECTING: ("◌", "dim"),
    LinkState.LOST: ("✖", "bad"),
    LinkState.REFUSED: ("✖", "bad"),
}


def host_row(host: HostView, now: datetime) -> Row:
    """Return one host's row; its key is the host's name."""
    reading, freshness = _system(host)
    mark, tone = _MARKS[LinkState.LOST if host.link.down else host.link.state]
    if host.link.state is LinkState.UP and any(
        source.freshness in (Freshness.STALE, Freshness.LOST) for source in host.sources
    ):
        mark, tone = "◐", "warn"
    name = Cell(f"{mark} {host.name}", tone if tone == "bad" else "")  # type: ignore[arg-type]
    if host.link.state is not LinkState.UP:
        since = Cell(age(seconds_since(host.link.since, now)) if host.link.since else "", "dim")
        return Row(host.name, (name, _link_cell(host), since, "", "", ""), sort=(host.name, -1.0))
    if reading is None:
        return Row(host.name, (name, Cell(freshness.value, "dim"), "", "", "", _cost(host)), sort=(host.name, -1.0))
    disk = max((filesystem.used_percent for filesystem in reading.filesystems), default=None)
    cells = (
        name,
        Cell(percent(reading.cpu_percent), tone_of_percent(reading.cpu_percent, 70, 90)),
        Cell(percent(reading.memory_percent), tone_of_percent(reading.memory_percent, 85, 95)),
        Cell(percent(disk), tone_of_percent(disk, 90, 97)),
        Cell(f"{reading.load1:.1f}", tone_of_percent(100 * reading.load1 / max(reading.cpus, 1), 100, 200)),
        _cost(host),
    )
    sort = (host.name, reading.cpu_percent, reading.memory_percent, disk, reading.load1, _milliseconds(host))
    return Row(host.name, cells, sort=sort)


def _system(host: HostView) -> tuple[SystemReading | None, Freshness]:
    for source in host.of_kind(Kind.SYSTEM):
        return (source.reading if isinstance(source.reading, SystemReading) else None), source.freshness
    return None, Freshness.OFF


def _link_cell(host: HostView) -> Cell:
    if host.link.state is LinkState.REFUSED:
        return Cell("refused", "bad")
    return Cell("lost", "bad") if host.link.down else Cell("connect", "dim")


def _milliseconds(host: HostView) -> float:
    return sum(source.took_ms or 0.0 for source in host.sources if source.freshness is not Freshness.OFF)


def _cost(host: HostView) -> Cell:
    """What one round of polling costs: how long this host's sources took to answer, added up."""
    took = _milliseconds(host)
    return Cell(f"{took:.0f}ms" if took < 10_000 else f"{took / 1000:.0f}s", "dim")
