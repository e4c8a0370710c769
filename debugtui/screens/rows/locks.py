"""The lock pane: each database, and under it who blocks whom, for how long, with what."""

from __future__ import annotations

from debugtui.model.postgres import LockNode, PostgresReading
from debugtui.model.source import SourceStatus
from debugtui.screens.rows.common import source_key
from debugtui.widgets.format import age
from debugtui.widgets.table_rows import Cell, Column, Row

COLUMNS = (
    Column("session", "session", min_width=12),
    Column("what", "what", min_width=8, weight=3),
    Column("time", "time", width=7, align="right"),
)


def lock_rows(status: SourceStatus, *, several: bool) -> list[Row]:
    """Return the rows of one database: a line about it, then its lock tree. Keys: its target, and a session's below it."""
    reading = status.reading
    if not isinstance(reading, PostgresReading):
        return []
    return [_database(status, reading, several), *_tree(source_key(status), reading.locks)]


def _database(status: SourceStatus, reading: PostgresReading, several: bool) -> Row:
    active = sum(session.state == "active" for session in reading.sessions)
    waiting = len({node.pid for node in reading.locks if node.depth})
    usable = reading.max_connections - reading.reserved_connections
    full = usable > 0 and reading.connections > 0.8 * usable
    name = f"{status.host}/{status.name}" if several else status.name
    words = f"{reading.connections}/{usable} sessions, {active} active"
    if reading.in_recovery:
        words += ", standby"
    note = Cell(f"{waiting} wait", "bad") if waiting else Cell("", "dim")
    sort = (name, waiting, waiting)
    return Row(source_key(status), (Cell(f"◆ {name}", "heading"), Cell(words, "bad" if full else "dim"), note), sort=sort)


def tree_prefix(nodes: tuple[LockNode, ...], index: int) -> str:
    """Return the guides in front of a node: `├ `, `└ `, with `│ ` for each level that goes on below."""
    depth = nodes[index].depth
    parts: list[str] = []
    for level in range(1, depth + 1):
        later = next((node.depth for node in nodes[index + 1 :] if node.depth <= level), 0)
        goes_on = later == level
        if level == depth:
            parts.append("├ " if goes_on else "└ ")
        else:
            parts.append("│ " if goes_on else "  ")
    return "".join(parts)


def _tree(database: str, nodes: tuple[LockNode, ...]) -> list[Row]:
    return [_node(database, nodes, index) for index in range(len(nodes))]


def _node(database: str, nodes: tuple[LockNode, ...], index: int) -> Row:
    node = nodes[index]
    who = f"prepared {node.gid}" if node.gid else f"{node.pid} {node.application or node.user}".rstrip()
    # The same waiter may stand under several blockers: its key says under which.
    key = f"{database}/{node.gid or node.pid}" + (f"@{index}" if node.repeated else "")
    indent = " " + tree_prefix(nodes, index)
    if node.depth == 0:
        what = Cell(_root_words(node), "bad")
        time = Cell(age(node.age_s), "warn")
        return Row(key, (Cell(who, "bad"), what, time), indent=indent)
    again = " (also above)" if node.repeated else ""
    what = Cell(f"{_mode(node.lock_mode)} {node.lock_on}{again}  {node.query}".strip(), "dim" if node.repeated else "")
    return Row(key, (Cell(who, "warn"), what, Cell(age(node.waits_s), "warn")), indent=indent)


def _root_words(node: LockNode) -> str:
    if node.gid:
        return f"prepared, holds {node.held}" if node.held else "prepared transaction"
    return f"{node.state}, holds {node.held}" if node.held else f"{node.state}  {node.query}".rstrip()


def _mode(mode: str) -> str:
    """Return the lock mode without its common ending: `AccessExclusive`."""
    return mode.removesuffix("Lock")
