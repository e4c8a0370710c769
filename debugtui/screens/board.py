"""From a view of the fleet to the rows of every pane; pure, with a cache so that only what changed is made again."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from debugtui.model.alerts import Alert
from debugtui.model.source import FleetView, Freshness, HostView, Kind, LinkState, SourceStatus
from debugtui.model.target import NO_HOSTS
from debugtui.screens.panes import BY_KIND
from debugtui.screens.rows.alerts import alert_rows
from debugtui.screens.rows.common import empty_words, freshness_tone, freshness_words, problem_rows
from debugtui.screens.rows.containers import container_rows
from debugtui.screens.rows.groq import groq_rows
from debugtui.screens.rows.hosts import host_row
from debugtui.screens.rows.locks import lock_rows
from debugtui.screens.rows.vms import vm_rows
from debugtui.screens.rows.web import KINDS as WEB_KINDS
from debugtui.screens.rows.web import web_rows
from debugtui.themes.tones import Tone
from debugtui.widgets.table_rows import Cell, Row, cell_of

_SourceKey = tuple[str, Kind, str]


class Board:
    """Makes the rows of the main screen."""

    def __init__(self) -> None:
        self._cache: dict[_SourceKey, tuple[tuple[int, Freshness, bool], list[Row]]] = {}
        self._lists: dict[Kind, tuple[list[list[Row]], list[Row]]] = {}
        self._web: tuple[object, list[Row]] | None = None

    def hosts(self, view: FleetView) -> list[Row]:
        """Return the rows of the hosts pane."""
        return [host_row(host, view.taken_at) for host in view.hosts if host.name not in NO_HOSTS]

    def web(self, hosts: Sequence[HostView]) -> list[Row]:
        """Return the rows of the web pane, for the hosts shown; the very same list where nothing changed."""
        version = tuple(
            (host.name, source.name, source.sequence, source.freshness)
            for host in hosts
            for source in host.sources
            if source.kind in WEB_KINDS
        )
        if self._web is None or self._web[0] != version:
            self._web = (version, web_rows(hosts))
        return self._web[1]

    def alerts(self, alerts: Sequence[Alert], now: datetime) -> list[Row]:
        """Return the rows of the alert pane."""
        return alert_rows(alerts, now)

    def of_kind(self, kind: Kind, hosts: Sequence[HostView]) -> list[Row]:
        """Return the rows of one kind's pane, for the hosts shown."""
        statuses = [source for host in hosts for source in host.of_kind(kind)]
        several = len({status.host for status in statuses if status.freshness is not Freshness.OFF}) > 1
        parts: list[list[Row]] = []
        for status in statuses:
            problem = problem_rows(status)
            made = self._rows(status, several)
            if problem and (made or len(statuses) > 1):
                parts.append(problem)
            parts.append(made)
        return self._joined(kind, parts)

    def _joined(self, kind: Kind, parts: list[list[Row]]) -> list[Row]:
        """Return one list of all parts; the very same list as before where no part changed, so that nothing is done twice."""
        before = self._lists.get(kind)
        if before is not None and len(before[0]) == len(parts) and all(map(_same, before[0], parts)):
            return before[1]
        rows = [row for part in parts for row in part]
        self._lists[kind] = (parts, rows)
        return rows

    def _rows(self, status: SourceStatus, several: bool) -> list[Row]:
        key = (status.host, status.kind, status.name)
        version = (status.sequence, status.freshness, several)
        cached = self._cache.get(key)
        if cached is not None and cached[0] == version:
            return cached[1]
        rows = _make(status, several)
        if status.freshness is Freshness.LOST:
            rows = [_faded(row, status.kind) for row in rows]
        self._cache[key] = (version, rows)
        return rows


def _same(one: list[Row], other: list[Row]) -> bool:
    return one is other or (len(one) == len(other) <= 2 and one == other)


def _make(status: SourceStatus, several: bool) -> list[Row]:
    if status.kind is Kind.LIBVIRT:
        rows = vm_rows(status)
        if several and rows:
            rows.insert(0, Row(f"host:{status.host}", (Cell(f"{status.host}  {len(rows)}", "heading"),), heading=True))
        return rows
    if status.kind is Kind.DOCKER:
        return container_rows(status, several_hosts=several)
    if status.kind is Kind.POSTGRES:
        return lock_rows(status, several=several)
    if status.kind is Kind.GROQ:
        return groq_rows(status)
    return []


def _faded(row: Row, kind: Kind) -> Row:
    """Return the row as what is no longer known to be true: every cell dim."""
    if row.heading:
        return Row(row.key, tuple(Cell(cell.text, "dim") for cell in row.cells), heading=True)
    columns = BY_KIND[kind].columns
    cells = tuple(Cell(cell_of(row, index, column).text, "dim") for index, column in enumerate(columns))
    return Row(row.key, cells, row.sort, row.heading, row.indent, "dim")


def pane_status(kind: Kind, hosts: Sequence[HostView], now: datetime) -> tuple[str, Tone]:
    """Return what a pane's border says: how fresh the worst of its sources is."""
    kinds = (kind, *BY_KIND[kind].also)
    statuses = [
        source for host in hosts for source in host.sources if source.kind in kinds and source.freshness is not Freshness.OFF
    ]
    if not statuses:
        return "", "dim"
    order = [Freshness.LOST, Freshness.STALE, Freshness.LIVE]
    worst = min(statuses, key=lambda status: order.index(status.freshness))
    if worst.freshness is Freshness.LOST and worst.problem is None and worst.reading is None:
        return "reading…", "dim"
    words = freshness_words(worst, now)
    affected = [status for status in statuses if status.freshness is worst.freshness]
    if worst.freshness is not Freshness.LIVE and len(statuses) > 1:
        words = f"{len(affected)} of {len(statuses)} {words}"
    return words, freshness_tone(worst.freshness)


def empty_text(kind: Kind, hosts: Sequence[HostView]) -> str:
    """Return what an empty pane of this kind says."""
    statuses = [source for host in hosts for source in host.of_kind(kind)]
    link_problems = [host for host in hosts if host.link.state is not LinkState.UP and host.link.problem is not None]
    if len(hosts) == 1 and link_problems and link_problems[0].link.problem is not None:
        return str(link_problems[0].link.problem)
    return empty_words(statuses, kind, BY_KIND[kind].nothing)
