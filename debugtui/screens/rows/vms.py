"""The VM pane: state and why, processor, memory, disk and network rates."""

from __future__ import annotations

from collections.abc import Iterable

from debugtui.model.libvirt import LibvirtReading, Vm
from debugtui.model.source import SourceStatus
from debugtui.screens.rows.common import tone_of_percent
from debugtui.themes.tones import Tone
from debugtui.widgets.format import percent, rate, size
from debugtui.widgets.table_rows import Cell, Column, Row

COLUMNS = (
    Column("name", "name", min_width=8),
    Column("state", "state", width=9),
    Column("cpu", "cpu", width=5, align="right", priority=1),
    Column("mem", "mem", width=6, align="right", priority=2),
    Column("disk", "disk", width=7, align="right", priority=3),
    Column("net", "net", width=7, align="right", priority=4),
    Column("snaps", "snap", width=4, align="right", priority=5),
    Column("auto", "auto", width=4, priority=6),
)

_WORDS: dict[str, tuple[str, Tone]] = {
    "running": ("running", ""),
    "idle": ("idle", ""),
    "paused": ("paused", "warn"),
    "in shutdown": ("stopping", "warn"),
    "shut off": ("off", "dim"),
    "crashed": ("crashed!", "bad"),
    "pmsuspended": ("asleep", "dim"),
}


def state_cell(vm: Vm) -> Cell:
    """Return a VM's state in one word; `paused!` means an I/O error."""
    if vm.paused_for_io_error:
        return Cell("paused!", "bad")
    word, tone = _WORDS.get(vm.state, (vm.state, "warn"))
    return Cell(word, tone)


def total(rates: Iterable[float | None]) -> float | None:
    """Return the sum of the known rates; None where none is known."""
    known = [value for value in rates if value is not None]
    return sum(known) if known else None


def vm_rows(status: SourceStatus) -> list[Row]:
    """Return a row for each VM of one libvirt source; the key is its target."""
    reading = status.reading
    if not isinstance(reading, LibvirtReading):
        return []
    return [_row(status.host, vm) for vm in reading.vms]


def _row(host: str, vm: Vm) -> Row:
    disk = total(rate for disk in vm.disks for rate in (disk.read_bytes_s, disk.write_bytes_s))
    net = total(rate for interface in vm.interfaces for rate in (interface.rx_bytes_s, interface.tx_bytes_s))
    snapshots = None if vm.snapshots is None else len(vm.snapshots)
    alive = vm.state not in ("shut off", "crashed")
    state = state_cell(vm)
    # A paused guest's reason says more than rates that are zero anyway.
    errors = [disk.error for disk in vm.disks if disk.error]
    cells = (
        Cell(vm.name, "bad" if state.tone == "bad" else "" if alive else "dim"),
        state,
        Cell(percent(vm.cpu_percent), tone_of_percent(vm.cpu_percent, 80, 95)) if alive else "",
        _memory(vm) if alive else Cell(size(vm.memory_max_bytes), "dim"),
        Cell(errors[0][:7], "bad") if errors and vm.paused_for_io_error else Cell(rate(disk)) if alive else "",
        Cell(rate(net)) if alive else "",
        "" if snapshots is None else Cell(str(snapshots), "" if snapshots else "dim"),
        Cell("auto" if vm.autostart else "", "dim"),
    )
    sort = (vm.name, vm.state, vm.cpu_percent, vm.memory_percent or vm.memory_bytes, disk, net, snapshots, vm.autostart)
    return Row(f"{host}/libvirt/{vm.name}", cells, sort=sort)


def _memory(vm: Vm) -> Cell:
    used = vm.memory_percent
    if used is None:
        return Cell(size(vm.memory_bytes))
    return Cell(percent(used), tone_of_percent(used, 85, 95))
