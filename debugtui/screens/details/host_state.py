"""The tabs of a host's own sources: queues, the journal, backups; each only where the host has such a source."""

from __future__ import annotations

from collections.abc import Callable

from debugtui.model.source import FleetView, Freshness, HostView, Kind
from debugtui.model.target import Target
from debugtui.screens.rows import backups, journal, queues
from debugtui.screens.rows.common import empty_words
from debugtui.widgets.line_table import LineTable
from debugtui.widgets.table_rows import Column, Row

#: Tab, to its title, the kinds whose sources stand on it, and what it says where nothing does.
_TABS = {
    "queues": ("Queues", queues.KINDS, "no queue"),
    "journal": ("Journal", (Kind.JOURNAL,), "the journal holds nothing to tell"),
    "backups": ("Backups", (Kind.BACKUP,), "no backup"),
}
STATE_KINDS: dict[str, tuple[Kind, ...]] = {name: kinds for name, (_, kinds, _) in _TABS.items()}
STATE_COLUMNS: dict[str, tuple[Column, ...]] = {
    "queues": queues.COLUMNS,
    "journal": journal.COLUMNS,
    "backups": backups.COLUMNS,
}
_ROWS: dict[str, Callable[[HostView, FleetView], list[Row]]] = {
    "queues": queues.queue_rows,
    "journal": journal.journal_rows,
    "backups": backups.backup_rows,
}

#: The kinds of which a host may have several sources: a target's name begins with the source's.
NAMED = frozenset({Kind.REDIS, Kind.RABBITMQ, Kind.BACKUP})


def tab_of(kind: str) -> str:
    """Return the tab on which the sources of a kind stand; empty: none of these."""
    return next((name for name, kinds in STATE_KINDS.items() if kind in kinds), "")


def state_tabs(view: FleetView | None, name: str, wanted: str) -> tuple[tuple[str, str], ...]:
    """Return the tabs of the sources that a host has and that are not off; the one that is wanted in any case."""
    hosts = [host for host in view.hosts if host.name == name] if view is not None else []
    found = []
    for tab, (title, kinds, _) in _TABS.items():
        statuses = [status for host in hosts for kind in kinds for status in host.of_kind(kind)]
        if tab == wanted or any(status.freshness is not Freshness.OFF for status in statuses):
            found.append((tab, title))
    return tuple(found)


def paint_state(table: LineTable, name: str, host: HostView, view: FleetView, wanted: str) -> bool:
    """Paint one of these tabs; return whether the row that is `wanted` was found, and has the cursor now."""
    _, kinds, nothing = _TABS[name]
    statuses = [status for kind in kinds for status in host.of_kind(kind)]
    table.empty_text = empty_words(statuses, kinds[0], nothing)
    table.set_rows(_ROWS[name](host, view))
    return bool(wanted) and table.move_to(wanted)


def repair_of(host: str, name: str, table: LineTable) -> Target | None:
    """Return what may repair the row under the cursor: the unit that failed, the database without a backup; None: nothing."""
    row = table.cursor_row
    if row is None or row.heading or row.indent:
        return None
    what = str(row.cells[0])
    if name == "backups":
        return Target(host, Kind.POSTGRES, what)
    if name == "journal" and what.endswith(".service"):
        return Target(host, Kind.SYSTEM, what)
    return None


def row_key(target: Target) -> str:
    """Return the key of the row that an alert is about."""
    if target.kind in queues.KINDS:
        return f"{target.kind}/{target.name}"
    if target.kind == Kind.JOURNAL:
        return f"error/{target.name}"
    return target.name
