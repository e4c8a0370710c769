"""Rows of backups: one for each database, with what is wrong below it."""

from __future__ import annotations

from collections.abc import Iterator

from debugtui.model.amounts import span
from debugtui.model.backup import BackupReading
from debugtui.model.source import FleetView, Freshness, HostView, Kind, SourceStatus
from debugtui.screens.rows.common import freshness_tone, freshness_words
from debugtui.themes.tones import Tone
from debugtui.widgets.format import UNKNOWN, age, size
from debugtui.widgets.table_rows import Cell, Column, Row

COLUMNS = (
    Column("database", "database", min_width=12),
    Column("age", "age", width=7, align="right"),
    Column("allowed", "allowed", width=8, align="right", priority=1),
    Column("size", "size", width=7, align="right"),
    Column("change", "change", width=7, align="right", priority=1),
    Column("whole", "whole", width=8),
    Column("files", "files", width=6, align="right", priority=2),
    Column("path", "newest file", min_width=24, weight=3),
)


def backup_rows(host: HostView, view: FleetView) -> list[Row]:
    """Return the backups of a host's databases."""
    rows: list[Row] = []
    for status in host.of_kind(Kind.BACKUP):
        rows += _database(status, view)
    return rows


def _database(status: SourceStatus, view: FleetView) -> Iterator[Row]:
    reading = status.reading
    if isinstance(reading, BackupReading):
        yield _row(status.name, reading)
        notes: list[tuple[str, Tone]] = [(note, "bad") for note in reading.missing]
        if reading.newest is not None and reading.newest.says:
            notes.append((reading.newest.says, "bad" if reading.newest.whole is False else "warn"))
        if reading.newest is not None and reading.newest.database:
            of = f"of the database {reading.newest.database}, server {reading.newest.server or UNKNOWN}, {reading.newest.form}"
            notes.append((of, "dim"))
        notes += [(f"without {gap.feature}: {gap.problem}", "warn") for gap in reading.gaps]
    else:
        yield Row(status.name, (status.name, UNKNOWN, "", UNKNOWN, UNKNOWN, Cell(UNKNOWN, "dim"), "", ""))
        notes = []
    if status.problem is not None:
        tone = freshness_tone(status.freshness) if status.freshness is not Freshness.LIVE else "warn"
        notes.append((f"{freshness_words(status, view.taken_at)}: {status.problem}", tone))
    for number, (note, tone) in enumerate(notes):
        # A note stands under the last column, which has the room for it.
        yield Row(f"{status.name}/{number}", (*[""] * (len(COLUMNS) - 1), Cell(note, tone)), indent="  ")


def _row(name: str, reading: BackupReading) -> Row:
    newest, seconds, change = reading.newest, reading.age_s, reading.size_change
    late = seconds is None or seconds > reading.rpo_s
    whole = Cell(UNKNOWN, "dim")
    if newest is not None and newest.whole is not None:
        whole = Cell("yes", "ok") if newest.whole else Cell("no!", "bad")
    cells = (
        name,
        Cell("none" if newest is None else age(seconds), "bad" if late else ""),
        span(reading.rpo_s),
        size(newest.size_bytes) if newest is not None else UNKNOWN,
        Cell(UNKNOWN if change is None else f"{change:+.0%}", "bad" if change is not None and abs(change) > 0.4 else ""),
        whole,
        str(reading.count),
        Cell(newest.path if newest is not None else "", "dim"),
    )
    sort = (name, seconds, reading.rpo_s, newest.size_bytes if newest is not None else None, change)
    return Row(name, cells, sort=sort)
