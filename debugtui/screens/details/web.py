"""One web address: the probe, the certificate, and what a browser saw: console, requests, page, and whether logs agree."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import ClassVar

from textual.widget import Widget

from debugtui.model.alerts import Alert
from debugtui.model.chrome import ChromeReading, PageRequest
from debugtui.model.source import FleetView, Kind, SourceStatus
from debugtui.screens.details import web_facts
from debugtui.screens.details.base import DetailScreen, table_of
from debugtui.screens.rows.common import freshness_words
from debugtui.screens.rows.web import Address, address_of
from debugtui.widgets.facts import Fact, Facts
from debugtui.widgets.format import latency, size
from debugtui.widgets.pixels import Pixels
from debugtui.widgets.plot import Plot
from debugtui.widgets.table_rows import Cell, Column, Row

CONSOLE = (
    Column("kind", "kind", width=10),
    Column("text", "message", min_width=24, weight=3),
    Column("where", "where", min_width=14),
    Column("count", "n", width=3, align="right", priority=1),
)
REQUESTS = (
    Column("outcome", "outcome", width=17),
    Column("time", "time", width=7, align="right"),
    Column("wait", "wait", width=7, align="right", priority=1),
    Column("size", "size", width=7, align="right", priority=2),
    Column("kind", "kind", width=9, priority=1),
    Column("request", "request", min_width=24),
)
STORIES = (
    Column("verdict", "verdict", width=12),
    Column("says", "says", min_width=20),
    Column("request", "request", min_width=16),
)
TREE = (Column("node", "accessibility tree", min_width=30, sortable=False),)


class WebScreen(DetailScreen):
    """Everything about one web address."""

    HELP = "One web address: answer and certificate, console, failed and slow requests, the page as a picture and as a tree."
    TABS: ClassVar[tuple[tuple[str, str], ...]] = (
        ("state", "State"),
        ("certificate", "Certificate"),
        ("console", "Console"),
        ("requests", "Requests"),
        ("stories", "Logs agree?"),
        ("page", "Page"),
        ("tree", "Tree"),
    )

    def compose_tab(self, name: str) -> Iterable[Widget]:
        """Yield the widgets of one tab."""
        if name == "state":
            yield Facts(id="facts", classes="facts")
            yield Plot("answer, ms", low=0, id="plot-total")
        elif name == "certificate":
            yield Facts(id="facts-certificate", classes="facts")
        elif name == "page":
            yield Facts(id="facts-page", classes="facts")
            yield Pixels(id="pixels")
        else:
            columns = {"console": CONSOLE, "requests": REQUESTS, "stories": STORIES, "tree": TREE}[name]
            yield table_of(name, columns, "the browser is not configured for this address (chrome = true)")

    def find_status(self, view: FleetView) -> SourceStatus | None:
        """Return the source of the shown tab: the probe, the certificate's, or the browser's."""
        kind = {"state": Kind.WEB, "certificate": Kind.TLS}.get(self.tab, Kind.CHROME)
        return self.status_of(view, kind, self.target.name) or self.status_of(view, Kind.WEB, self.target.name)

    def concerns(self, alert: Alert) -> bool:
        """Alerts of the address, its certificate and its page are meant."""
        about = alert.target
        same = about.host == self.target.host and about.name.partition("/")[0] == self.target.name
        return same and about.kind in (Kind.WEB, Kind.TLS, Kind.CHROME)

    def paint_tab(self, name: str, view: FleetView) -> None:
        """Paint one tab."""
        host = next((host for host in view.hosts if host.name == self.target.host), None)
        if host is None:
            return
        address = address_of(host, self.target.name)
        if name == "state":
            self.query_one("#facts", Facts).show(web_facts.web_facts(address))
            self._plot()
        elif name == "certificate":
            self.query_one("#facts-certificate", Facts).show(web_facts.tls_facts(address.tls))
        elif name == "page":
            self._page(address, view.taken_at)
        elif address.chrome is not None:
            self.table(name).empty_text = {"console": "the console is empty", "tree": "no tree was read"}.get(
                name, "none failed"
            )
            self.table(name).set_rows(_ROWS[name](address.chrome))

    def _page(self, address: Address, now: datetime) -> None:
        facts: list[Fact] = web_facts.page_facts(address.chrome, now)
        if self._status is not None and self._status.problem is not None:
            facts.append(("browser", f"{freshness_words(self._status, now)}: {self._status.problem}", "bad"))
        self.query_one("#facts-page", Facts).show(facts)
        self.query_one("#pixels", Pixels).show(address.chrome.picture if address.chrome else None)

    def _plot(self) -> None:
        if self.app.fleet is not None:
            series = self.app.fleet.series(self.target, "total")
            self.query_one("#plot-total", Plot).show(series.times, series.values)


def _outcome(request: PageRequest, budget_ms: float) -> Cell:
    if request.failure:
        return Cell(request.failure.removeprefix("net::ERR_").lower().replace("_", " ")[:17], "bad")
    if request.failed:
        return Cell(str(request.status), "bad" if (request.status or 0) >= 500 else "warn")
    return Cell("slow", "warn") if (request.ms or 0.0) > budget_ms else Cell(str(request.status or "-"), "dim")


def console_rows(reading: ChromeReading) -> list[Row]:
    """Return the console's messages; the frames of a stack stand under their message."""
    rows: list[Row] = []
    for number, message in enumerate(reading.console):
        tone = "warn" if message.kind in ("warning", "issue") else "bad"
        where = f"{message.source}:{message.line}:{message.column}" if message.line else message.source
        cells = (Cell(message.kind, tone), Cell(message.text), Cell(where, "dim"), Cell(str(message.count)))  # type: ignore[arg-type] # tones
        rows.append(Row(str(number), cells))
        for frame, text in enumerate(message.stack.splitlines()[:20]):
            rows.append(Row(f"{number}/{frame}", (Cell(""), Cell(text.strip(), "dim")), indent="  "))
    return rows


def request_rows(reading: ChromeReading) -> list[Row]:
    """Return the failed requests, then the slowest ones."""
    rows: list[Row] = []
    slowest = [request for request in reading.slowest if not request.failed]
    for title, requests in (("failed", reading.failed), ("slowest", slowest)):
        rows.append(Row(title, (Cell(f"{title}  {len(requests)}", "heading"),), heading=True))
        for number, request in enumerate(requests):
            cells = (
                _outcome(request, reading.request_budget_ms),
                Cell(latency(request.ms)),
                Cell(latency(request.waited_ms), "dim"),
                Cell(size(request.size_bytes), "dim"),
                Cell(request.kind, "dim"),
                Cell(f"{request.method} {request.url}"),
            )
            rows.append(
                Row(f"{title}/{number}", cells, sort=(cells[0].text, request.ms, request.waited_ms, request.size_bytes))
            )
    return rows


def story_rows(reading: ChromeReading) -> list[Row]:
    """Return each failed request beside what the logs say of it."""
    rows: list[Row] = []
    for number, story in enumerate(reading.stories):
        verdict = {
            True: Cell("agree", "ok"),
            False: Cell("CONTRADICT", "bad"),
            None: Cell("not known", "dim"),
        }[story.agrees]
        rows.append(Row(str(number), (verdict, Cell(story.says), Cell(f"{story.request.method} {story.request.url}", "dim"))))
        for name, text in (("nginx", story.nginx), ("container", story.container)):
            if text:
                rows.append(Row(f"{number}/{name}", (Cell(name, "dim"), Cell(text, "dim")), indent="  "))
    return rows


def tree_rows(reading: ChromeReading) -> list[Row]:
    """Return the accessibility tree, in reading order."""
    return [
        Row(str(number), (Cell(f"{'  ' * min(node.depth, 20)}{node.role}  {node.name}", "" if node.name else "dim"),))
        for number, node in enumerate(reading.tree)
    ]


_ROWS = {"console": console_rows, "requests": request_rows, "stories": story_rows, "tree": tree_rows}
