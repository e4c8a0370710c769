"""The query tab of the monitoring screen: an expression of PromQL, its newest values as a table, one of them as a plot."""

from __future__ import annotations

import asyncio
import math
from typing import Protocol, runtime_checkable

from textual import getters
from textual.app import ComposeResult
from textual.containers import Vertical
from textual.widgets import Input

from debugtui.hosts.link import LinkError
from debugtui.model.monitoring import QueryResult, QuerySeries, label_text, value_text
from debugtui.model.source import FleetView, Kind, SourceStatus
from debugtui.screens.console import Console
from debugtui.screens.rows.monitoring import source_target
from debugtui.sources.base import SourceError
from debugtui.themes.tones import Tone
from debugtui.widgets.bar import Bar, Word
from debugtui.widgets.line_table import LineTable
from debugtui.widgets.plot import Plot
from debugtui.widgets.table_rows import Cell, Column, Row

#: Seconds that a query may take; the spans of time of the plot; points of a series in it.
LIMIT_S, SPANS, POINTS = 12.0, (300.0, 900.0, 3_600.0), 200

COLUMNS = (
    Column("value", "value", width=24, align="right"),
    Column("series", "series", min_width=20),
)


@runtime_checkable
class Queried(Protocol):
    """A source that can be asked for an expression."""

    async def query(self, expr: str) -> QueryResult:
        """Return the newest values."""
        ...

    async def query_range(self, expr: str, start: float, end: float, step: float) -> QueryResult:
        """Return the values over a span of time."""
        ...


class QueryPane(Vertical):
    """Asks one Prometheus at a time; the question runs in a worker, and the newest one replaces the one before."""

    app = getters.app(Console)

    DEFAULT_CSS = """
    QueryPane {
        height: 1fr;
        & > Input { background: $panel; color: $foreground; margin-bottom: 1; }
        & > Bar { background: $background; }
        & > LineTable { height: 1fr; }
        & > Plot { height: 40%; min-height: 6; max-height: 16; }
    }
    """

    def __init__(self) -> None:
        super().__init__(id="query")
        self._servers: list[SourceStatus] = []
        self._server = ""
        self._span = SPANS[-1]
        self._asked = ""
        self._says: Word = ("", "")
        self._over_time: dict[str, QuerySeries] = {}

    def compose(self) -> ComposeResult:
        """Where it is asked, the expression, the table, the plot."""
        yield Bar(id="query-on")
        yield Input(placeholder="an expression of PromQL; enter asks", compact=True, id="query-input", select_on_focus=False)
        yield Bar(id="query-says")
        yield LineTable(COLUMNS, id="table-query", empty_text="nothing was asked yet")
        yield Bar(id="query-series")
        yield Plot("value", id="plot-query")

    # What is asked, and where

    def show_servers(self, view: FleetView) -> None:
        """Know the servers that may be asked."""
        self._servers = [source for host in view.hosts for source in host.of_kind(Kind.PROMETHEUS)]
        names = [str(source_target(one)) for one in self._servers]
        if self._server not in names:
            self._server = names[0] if names else ""
        others = f"{names.index(self._server) + 1} of {len(names)}" if len(names) > 1 else ""
        left: list[Word] = [(f"asks {self._server}" if names else "no Prometheus is configured", "accent" if names else "warn")]
        self.query_one("#query-on", Bar).show([*left, (others, "dim")], [(f"plot of {self._span / 60:.0f} min", "dim")])
        self.query_one("#query-says", Bar).show([self._says])

    def next_server(self) -> None:
        """Ask the next server from now on, the same expression at once."""
        names = [str(source_target(one)) for one in self._servers]
        if names:
            self._server = names[(names.index(self._server) + 1) % len(names)]
            self.ask(self._asked)

    def next_span(self) -> None:
        """Plot the next span of time."""
        self._span = SPANS[(SPANS.index(self._span) + 1) % len(SPANS)]
        self.ask(self._asked)

    def edit(self) -> None:
        """Put the cursor into the expression."""
        self.query_one("#query-input", Input).focus()

    def on_input_submitted(self, event: Input.Submitted) -> None:
        """Ask."""
        event.stop()
        self.ask(event.value.strip())

    def ask(self, expr: str) -> None:
        """Ask for an expression; the answer comes when it comes."""
        self._asked = expr
        if expr and self._server:
            self._say("asking…", "dim")
            self.run_worker(self._ask(expr), name="query", group="query", exclusive=True, exit_on_error=False)
        self.app.repaint()

    def _say(self, text: str, tone: Tone) -> None:
        self._says = (text, tone)
        self.query_one("#query-says", Bar).show([self._says])

    async def _ask(self, expr: str) -> None:
        source = self._source()
        if source is None:
            self._show(None, "this source cannot be asked")
            return
        now = self.app.clock.now().timestamp()
        try:
            async with asyncio.timeout(LIMIT_S):
                result = await source.query(expr)
                self._show(result, "")
                await self._ask_range(source, expr, now)
        except (SourceError, LinkError) as error:
            self._show(None, str(error.problem))
        except TimeoutError:
            self._show(None, f"no answer within {LIMIT_S:.0f} s")

    def _source(self) -> Queried | None:
        """Return what is asked; None: it is not there any more, or knows no queries."""
        status = next((one for one in self._servers if str(source_target(one)) == self._server), None)
        if status is None or self.app.fleet is None:
            return None
        source: object = self.app.fleet.source(status.host, Kind.PROMETHEUS, status.name)
        return source if isinstance(source, Queried) else None

    async def _ask_range(self, source: Queried, expr: str, now: float) -> None:
        try:
            ranged = await source.query_range(expr, now - self._span, now, self._span / POINTS)
        except SourceError as error:  # a string, or a range itself, has no values over time
            self.query_one("#query-series", Bar).show([(f"no plot: {error.problem.says}", "dim")])
            return
        self._over_time = {label_text(one.labels): one for one in ranged.series}
        self._plot()

    # What comes back

    def _show(self, result: QueryResult | None, problem: str) -> None:
        table = self.query_one("#table-query", LineTable)
        table.empty_text = problem or "no series"
        self._over_time = {}
        if result is None:
            table.set_rows([])
            self._say(problem, "bad")
        else:
            table.set_rows(result_rows(result))
            self._say(*_summary(result))
        self._plot()
        self.app.repaint()

    def on_line_table_highlighted(self, event: LineTable.Highlighted) -> None:
        """Plot the series under the cursor."""
        event.stop()
        self._plot()

    def _plot(self) -> None:
        key = self.query_one("#table-query", LineTable).cursor_key
        series = self._over_time.get(key or "")
        self.query_one("#query-series", Bar).show([(key or "", "dim")])
        plot = self.query_one("#plot-query", Plot)
        if series is None:
            plot.show((), ())
        else:
            plot.show(series.times, [value if math.isfinite(value) else None for value in series.values])


def result_rows(result: QueryResult) -> list[Row]:
    """Return a row for each series, with its newest value."""
    if result.kind == "string":
        return [Row("string", (Cell(result.text), Cell("a string", "dim")))]
    rows: dict[str, Row] = {}
    for one in result.series:
        value, name = one.values[-1], label_text(one.labels)
        known = math.isfinite(value)
        rows.setdefault(name, Row(name, (Cell(value_text(value), "" if known else "warn"), Cell(name)), sort=(value, name)))
    return list(rows.values())


def _summary(result: QueryResult) -> Word:
    words = [f"{result.kind}, {len(result.series)} series"]
    if result.more:
        words.append("and more: these are the first ones")
    words += list(result.warnings)
    return "; ".join(words), "warn" if result.more or result.warnings else "dim"
