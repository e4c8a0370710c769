"""The main screen: every pane at once, live."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from textual import getters
from textual.app import ComposeResult
from textual.binding import BindingType
from textual.containers import Container, Horizontal, Vertical

from debugtui.model.alerts import Alert
from debugtui.model.docker import DockerReading
from debugtui.model.libvirt import LibvirtReading
from debugtui.model.source import FleetView, Freshness, HostView, Kind
from debugtui.model.target import NO_HOSTS, Target
from debugtui.screens.board import Board, empty_text, pane_status
from debugtui.screens.console import Console, PaintedScreen, row_text
from debugtui.screens.keys import bindings, hints
from debugtui.screens.panes import BY_ID, PANES, PaneSpec
from debugtui.screens.rows.common import PROBLEM
from debugtui.screens.rows.diagnosis import line_words, more_words
from debugtui.themes.tones import Tone
from debugtui.widgets.bar import Bar, Word
from debugtui.widgets.filter_bar import FilterBar
from debugtui.widgets.line_table import LineTable
from debugtui.widgets.pane import Pane

#: What the key line shows, most useful first.
KEY_LINE = (
    "table.select", "app.repair", "table.filter", "table.sort", "main.zoom", "main.zoom_host", "app.pause", "app.jump",
    "main.databases",
)  # fmt: skip
#: And what it always has room for.
KEY_LINE_RIGHT = ("app.palette", "app.help")


#: The panes whose rows come from sources of one kind.
_OF_KIND = (
    ("vms", Kind.LIBVIRT),
    ("locks", Kind.POSTGRES),
    ("containers", Kind.DOCKER),
    ("groq", Kind.GROQ),
    ("web", Kind.WEB),
)


class MainScreen(PaintedScreen):
    """Hosts, VMs, lock tree, alerts, containers, Groq and web, side by side."""

    app = getters.app(Console)
    CSS_PATH = "main.tcss"
    AUTO_FOCUS = "#table-hosts"
    HORIZONTAL_BREAKPOINTS: ClassVar[list[tuple[int, str]] | None] = [  # type: ignore[misc] # Textual declares them without ClassVar
        (0, "-narrow"),
        (100, "-normal"),
        (160, "-wide"),
    ]
    VERTICAL_BREAKPOINTS: ClassVar[list[tuple[int, str]] | None] = [  # type: ignore[misc] # as above
        (0, "-tiny"),
        (14, "-short"),
        (30, "-tall"),
    ]
    BINDINGS: ClassVar[list[BindingType]] = list(bindings("main"))
    HELP = "Every pane at once. 1 to 7 go to a pane, enter opens the row under the cursor."

    def __init__(self) -> None:
        super().__init__()
        self._board = Board()
        self._only_host: str | None = None
        self._zoomed: str | None = None

    def compose(self) -> ComposeResult:
        """Header, two rows of panes, filter line, diagnosis line, key line."""
        yield Bar(id="header")
        with Vertical(id="panes"):
            with Horizontal(id="top", classes="row"):
                for name in ("hosts", "vms", "locks"):
                    yield _pane(BY_ID[name])
            with Horizontal(id="bottom", classes="row"):
                for name in ("alerts", "containers"):
                    yield _pane(BY_ID[name])
                with Container(id="outer"):
                    for name in ("groq", "web"):
                        yield _pane(BY_ID[name])
        yield FilterBar(id="filter")
        line = Bar(id="diagnosis")
        line.display = False  # until there is a diagnosis
        yield line
        yield Bar(id="keys")

    def on_mount(self) -> None:
        """Show the keys."""
        self.ready = True
        self._show_keys()

    # Painting

    def paint(self, view: FleetView, alerts: Sequence[Alert]) -> None:
        """Show a view of the fleet; only the cells that differ reach the terminal."""
        hosts = self._shown_hosts(view)
        with self.app.batch_update():
            self._paint_diagnosis()
            self._table("hosts").set_rows(self._board.hosts(view))
            self._paint_pane("hosts", Kind.SYSTEM, view.hosts, view)
            for name, kind in _OF_KIND:
                table = self._table(name)
                table.empty_text = empty_text(kind, hosts)
                table.set_rows(self._board.web(hosts) if kind is Kind.WEB else self._board.of_kind(kind, hosts))
                self._paint_pane(name, kind, hosts, view)
            shown = {host.name for host in hosts}
            self._paint_alerts(view, [alert for alert in alerts if alert.target.host in shown])
            if self.query_one(FilterBar).display:
                self.query_one(FilterBar).refresh_count()

    def _paint_diagnosis(self) -> None:
        words = line_words(self.app.diagnosis)
        line = self.query_one("#diagnosis", Bar)
        line.display = bool(words)
        found = self.app.diagnosis
        key, label = hints(("app.diagnosis",), self.app.operator_keys)[0]
        fix = ", p plans the fix" if found is not None and found.findings else ""
        line.show(words, [*more_words(found), (f"{key} {label}{fix}", "dim")])

    def _paint_pane(self, name: str, kind: Kind, hosts: Sequence[HostView], view: FleetView) -> None:
        pane = self.query_one(f"#pane-{name}", Pane)
        pane.set_status(*pane_status(kind, hosts, view.taken_at))
        self._note(pane, self._table(name))

    def _paint_alerts(self, view: FleetView, alerts: Sequence[Alert]) -> None:
        pane, table = self.query_one("#pane-alerts", Pane), self._table("alerts")
        table.empty_text = BY_ID["alerts"].nothing
        table.set_rows(self._board.alerts(alerts, view.taken_at))
        critical = sum(alert.severity == "critical" for alert in alerts)
        tone: Tone = "bad" if critical else "warn" if alerts else "dim"
        pane.set_status(f"{len(alerts)}" if alerts else "", tone)
        self._note(pane, table)

    def _note(self, pane: Pane, table: LineTable) -> None:
        shown, total = table.counts
        column, reverse = table.sorting
        words = []
        if table.filter_text:
            words.append(f"/{table.filter_text}  {shown} of {total}")
        if column is not None:
            words.append(f"by {column}{' ↓' if reverse else ' ↑'}")
        pane.set_note("  ".join(words), "accent")

    def header_words(self, view: FleetView) -> list[Word]:
        """Return what the header says of a view: counts, and what is zoomed."""
        vms = _count(view, Kind.LIBVIRT)
        containers = _count(view, Kind.DOCKER)
        lost = sum(any(source.freshness is Freshness.LOST for source in host.sources) for host in view.hosts)
        words: list[Word] = [
            (f"{_plural(sum(host.name not in NO_HOSTS for host in view.hosts), 'host')}", ""),
            (_plural(vms, "VM"), ""),
            (_plural(containers, "container"), ""),
        ]
        if lost:
            words.append((f"{lost} with lost sources", "bad"))
        if self._only_host:
            words.append((f"only {self._only_host}", "accent"))
        return words

    def _show_keys(self) -> None:
        words: list[Word] = [("1-7 pane", "")]
        words += [(f"{key} {label}", "") for key, label in hints(KEY_LINE, self.app.operator_keys)]
        always: list[Word] = [(f"{key} {label}", "") for key, label in hints(KEY_LINE_RIGHT, self.app.operator_keys)]
        self.query_one("#keys", Bar).show(words, always)

    def table_changed(self) -> None:
        """Say on the pane's border how its table is filtered or sorted."""
        for spec in PANES:
            self._note(self.query_one(f"#pane-{spec.id}", Pane), self._table(spec.id))

    def text_to_copy(self) -> tuple[str, str] | None:
        """Return the row under the cursor."""
        table = self.focused
        if not isinstance(table, LineTable) or table.cursor_row is None:
            return None
        return row_text(table), table.cursor_row.key

    # What is shown

    def _shown_hosts(self, view: FleetView) -> tuple[HostView, ...]:
        if self._only_host is None:
            return view.hosts
        return tuple(host for host in view.hosts if host.name == self._only_host or host.name in NO_HOSTS)

    @property
    def only_host(self) -> str | None:
        """The one host shown; None: all."""
        return self._only_host

    @property
    def visible_kinds(self) -> frozenset[Kind]:
        """The kinds whose panes are on screen now."""
        return frozenset(
            kind
            for spec in PANES
            if spec.kind is not None and (self._zoomed in (None, spec.id) or spec.kind is Kind.SYSTEM)
            for kind in (spec.kind, *spec.also)
        )

    def tables(self) -> list[LineTable]:
        """Return every table of the screen."""
        return list(self.query(LineTable))

    def _table(self, name: str) -> LineTable:
        return self.query_one(f"#table-{name}", LineTable)

    # Actions

    def _go(self, name: str) -> None:
        if self._zoomed not in (None, name):
            self._zoom(name)
        # Set at once, not when the loop comes to it: keys that are typed ahead belong to the new pane.
        self.set_focus(self.query_one(f"#table-{name}"))

    def action_pane_1(self) -> None:
        """Go to the hosts."""
        self._go("hosts")

    def action_pane_2(self) -> None:
        """Go to the VMs."""
        self._go("vms")

    def action_pane_3(self) -> None:
        """Go to the locks."""
        self._go("locks")

    def action_pane_4(self) -> None:
        """Go to the alerts."""
        self._go("alerts")

    def action_pane_5(self) -> None:
        """Go to the containers."""
        self._go("containers")

    def action_pane_6(self) -> None:
        """Go to the Groq pane."""
        self._go("groq")

    def action_pane_7(self) -> None:
        """Go to the web pane."""
        self._go("web")

    def _focused_pane(self) -> str | None:
        widget = self.focused
        while widget is not None and not isinstance(widget, Pane):
            widget = widget.parent  # type: ignore[assignment] # the parents of a widget on a screen are widgets
        return widget.id.removeprefix("pane-") if widget is not None and widget.id else None

    def action_zoom(self) -> None:
        """Give the whole screen to the focused pane, or take it back."""
        self._zoom(None if self._zoomed else self._focused_pane())

    def _zoom(self, name: str | None) -> None:
        self._zoomed = name
        for pane in self.query(Pane):
            pane.set_class(pane.id == f"pane-{name}", "-zoom")
        for holder in self.query(".row, #outer"):
            holder.set_class(name is not None and bool(holder.query(f"#pane-{name}")), "-holds")
        self.set_class(name is not None, "-zoomed")
        self.app.attend()

    def action_zoom_host(self) -> None:
        """Show only the host under the cursor, or all again."""
        self._show_host(None if self._only_host else self._host_under_cursor())

    def action_next_host(self) -> None:
        """Show only the next host; after the last one all again."""
        self._step_host(1)

    def action_previous_host(self) -> None:
        """Show only the previous host."""
        self._step_host(-1)

    def _step_host(self, step: int) -> None:
        names: list[str | None] = [None, *(host.name for host in self.app.view.hosts if host.name not in NO_HOSTS)]
        self._show_host(names[(names.index(self._only_host) + step) % len(names)])

    def _show_host(self, name: str | None) -> None:
        self._only_host = name
        if name is not None:
            self._table("hosts").move_to(name)
        self.app.attend()
        self.app.repaint()

    def _host_under_cursor(self) -> str | None:
        target = self.target_under_cursor()
        return target.host if target else None

    def target_under_cursor(self) -> Target | None:
        """Return what the cursor of the focused table stands on; None where that is nothing of ours."""
        table = self.focused
        if not isinstance(table, LineTable) or table.cursor_key is None:
            return None
        return target_of(table.id or "", table.cursor_key)

    def repair_target(self) -> Target | None:
        """Return the row under the cursor."""
        return self.target_under_cursor()

    def action_databases(self) -> None:
        """Open the first database of the host under the cursor."""
        host = self._host_under_cursor()
        found = [source for view in self.app.view.hosts if host in (None, view.name) for source in view.of_kind(Kind.POSTGRES)]
        if found:
            self.app.open_target(Target(found[0].host, Kind.POSTGRES, found[0].name))
        else:
            self.app.say(f"no database is configured on {host}" if host else "no database is configured")

    def action_quit(self) -> None:
        """Leave."""
        self.app.action_leave()

    def on_line_table_selected(self, event: LineTable.Selected) -> None:
        """Open the row."""
        event.stop()
        target = target_of(event.table.id or "", event.key)
        if target is not None:
            self.app.open_target(target)

    def on_filter_bar_closed(self, event: FilterBar.Closed) -> None:
        """Say on the pane which filter stays."""
        event.stop()
        self.app.repaint()


def target_of(table: str, key: str) -> Target | None:
    """Return the target behind a row's key; None for headings."""
    if table == "table-hosts":
        return Target(key, Kind.SYSTEM)
    if key.startswith(PROBLEM):
        about = Target.parse(key.removeprefix(PROBLEM).partition("#")[0])
        return about if about.host in NO_HOSTS else Target(about.host, Kind.SYSTEM)
    if key.startswith(("project:", "host:")):
        host = key.partition(":")[2].partition("/")[0]
        return Target(host, Kind.SYSTEM)
    text = key.partition(" ")[2] if table == "table-alerts" else key
    return Target.parse(text.partition("@")[0] if table == "table-locks" else text)


def _pane(spec: PaneSpec) -> Pane:
    table = LineTable(spec.columns, id=f"table-{spec.id}", empty_text="connecting…")
    return Pane(f"{spec.number} {spec.title}", table, id=f"pane-{spec.id}")


def _plural(number: int, word: str) -> str:
    return f"{number} {word}{'' if number == 1 else 's'}"


def _count(view: FleetView, kind: Kind) -> int:
    readings = (source.reading for host in view.hosts for source in host.of_kind(kind))
    return sum(
        len(reading.vms) if isinstance(reading, LibvirtReading) else len(reading.containers)
        for reading in readings
        if isinstance(reading, (LibvirtReading, DockerReading))
    )
