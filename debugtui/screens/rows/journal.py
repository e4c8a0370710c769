"""Rows of a journal: error lines by unit, what the kernel killed or complained about, which units changed."""

from __future__ import annotations

from collections.abc import Iterator

from debugtui.model.journal import FAILURES, JournalReading, KernelFault, UnitChange
from debugtui.model.source import FleetView, Freshness, HostView, Kind, SourceStatus
from debugtui.screens.rows.common import freshness_tone, freshness_words, seconds_since
from debugtui.themes.tones import Tone
from debugtui.widgets.format import UNKNOWN, age, size
from debugtui.widgets.table_rows import Cell, Column, Row

COLUMNS = (
    Column("what", "unit, process, device", min_width=20, weight=1),
    Column("count", "in 5 min", width=12, align="right"),
    Column("before", "usual", width=7, align="right", priority=1),
    Column("age", "ago", width=7, align="right"),
    Column("says", "says", min_width=24, weight=3),
)

_BAD_FAULTS = frozenset({KernelFault.IO, KernelFault.READ_ONLY, KernelFault.HARDWARE})


def journal_rows(host: HostView, view: FleetView) -> list[Row]:
    """Return what the journal of a host says."""
    rows: list[Row] = []
    for status in host.of_kind(Kind.JOURNAL):
        rows += _journal(status, view)
    return rows


def _journal(status: SourceStatus, view: FleetView) -> Iterator[Row]:
    reading = status.reading
    if status.problem is not None:
        words = f"{freshness_words(status, view.taken_at)}: {status.problem}"
        tone = freshness_tone(status.freshness) if status.freshness is not Freshness.LIVE else "warn"
        yield Row("#problem", (Cell(words, tone),), heading=True)
    if not isinstance(reading, JournalReading):
        return
    for gap in reading.gaps:
        yield Row(f"#{gap.feature}", (Cell(f"without {gap.feature}: {gap.problem}", "warn"),), heading=True)
    yield from _errors(reading)
    yield from _kernel(reading)
    yield from _changes(reading)


def _heading(key: str, text: str) -> Row:
    return Row(f"={key}", (Cell(text, "heading"),), heading=True)


def _errors(reading: JournalReading) -> Iterator[Row]:
    if reading.lines is None:
        return
    usual = f"{reading.before:.1f} usual in the hour before" if reading.before is not None else "what is usual is not known"
    more = "at least " if reading.limited else ""
    yield _heading("errors", f"error lines in five minutes: {more}{reading.lines} ({usual})")
    for unit in reading.units:
        burst = unit.before is not None and unit.count >= 20 and unit.count > 5 * unit.before
        cells = (
            unit.unit,
            Cell(str(unit.count), "bad" if burst else ""),
            UNKNOWN if unit.before is None else f"{unit.before:.1f}",
            age(seconds_since(unit.newest_at, reading.host_at)),
            unit.newest,
        )
        sort = (unit.unit, unit.count, unit.before, seconds_since(unit.newest_at, reading.host_at))
        yield Row(f"error/{unit.unit}", cells, sort=sort)


def _kernel(reading: JournalReading) -> Iterator[Row]:
    if reading.oom_kills or reading.faults:
        yield _heading("kernel", "the kernel, in the last hour")
    for number, kill in enumerate(reading.oom_kills):
        victim = kill.vm or kill.container or kill.process
        who = f"{kill.process} ({kill.pid})" + (f" held {size(kill.memory_bytes)}" if kill.memory_bytes else "")
        why = {True: "the limit of its group", False: "the host's memory", None: UNKNOWN}[kill.limit]
        cells = (
            victim,
            Cell("OOM kill", "bad"),
            "",
            age(seconds_since(kill.at, reading.host_at)),
            Cell(f"{who}; ran out: {why}", "bad"),
        )
        yield Row(f"kill/{number}", cells, sort=(victim, 0, None, seconds_since(kill.at, reading.host_at)))
    for number, fault in enumerate(reading.faults):
        tone: Tone = "bad" if fault.fault in _BAD_FAULTS else "warn"
        cells = (
            fault.about or UNKNOWN,
            Cell(fault.fault.value, tone),
            "",
            age(seconds_since(fault.at, reading.host_at)),
            Cell(fault.says),
        )
        yield Row(f"fault/{number}", cells, sort=(fault.about, 0, None, seconds_since(fault.at, reading.host_at)))


def _changes(reading: JournalReading) -> Iterator[Row]:
    booted = f", booted {age(seconds_since(reading.booted_at, reading.host_at))} ago" if reading.booted_at else ""
    yield _heading("units", f"units that changed in the last hour{booted}")
    for number, event in enumerate(reading.events):
        tone: Tone = "bad" if event.change in FAILURES else "warn" if event.change is UnitChange.RESTARTING else ""
        cells = (event.unit, Cell(event.change.value, tone), "", age(seconds_since(event.at, reading.host_at)), event.says)
        yield Row(f"unit/{number}", cells, sort=(event.unit, 0, None, seconds_since(event.at, reading.host_at)))
    if not reading.events and reading.lines is not None:
        yield Row("unit/none", (Cell("  none", "dim"),), heading=True)
