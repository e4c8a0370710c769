"""One use of the Groq API: how its probes went, how slow it is and when, what is left, what the application itself tells."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import ClassVar

from textual.widget import Widget

from debugtui.model.groq import GroqCall, GroqReading, PassiveFigures, Spread
from debugtui.model.source import FleetView, Kind, SourceStatus
from debugtui.screens.details.base import DetailScreen, table_of
from debugtui.screens.details.histogram import COLUMNS as BARS
from debugtui.screens.details.histogram import histogram_rows
from debugtui.screens.rows.common import seconds_since
from debugtui.screens.rows.groq import groq_state
from debugtui.widgets.facts import Fact, Facts
from debugtui.widgets.format import age, clock, count, latency, percent
from debugtui.widgets.plot import Plot
from debugtui.widgets.table_rows import Cell, Column, Row

#: A whole answer, or a first token, beyond this many milliseconds is slow.
SLOW_MS, SLOW_TTFT_MS = 5_000.0, 2_000.0

CALLS = (
    Column("at", "at", width=8),
    Column("outcome", "outcome", width=18),
    Column("total", "total", width=7, align="right"),
    Column("ttft", "ttft", width=7, align="right"),
    Column("queue", "queue", width=7, align="right", priority=1),
    Column("tokens", "tokens", width=9, align="right", priority=2),
    Column("status", "http", width=4, align="right", priority=1),
    Column("says", "says", min_width=16),
    Column("id", "request id", width=24, priority=3),
)
PASSIVE = (
    Column("what", "what", width=22),
    Column("value", "value", min_width=20),
)


class GroqScreen(DetailScreen):
    """Everything about one use of the API."""

    HELP = (
        "One use of the Groq API: probes and their outcomes, latency over time and spread, rate limits, cost, passive figures."
    )
    TABS: ClassVar[tuple[tuple[str, str], ...]] = (
        ("state", "State"),
        ("latency", "Latency"),
        ("calls", "Probes"),
        ("application", "Application"),
    )

    def compose_tab(self, name: str) -> Iterable[Widget]:
        """Yield the widgets of one tab."""
        if name == "state":
            yield Facts(id="facts", classes="facts")
            yield table_of(
                "faults", (Column("fault", "failures of the last hour", width=28), Column("n", "count", width=6)), "none"
            )
        elif name == "latency":
            yield Plot("latency, ms", low=0, id="plot-latency")
            yield Plot("time to first token, ms", low=0, id="plot-ttft")
            yield table_of("latency", BARS, "no probe went well yet")
        else:
            yield table_of(name, CALLS if name == "calls" else PASSIVE, "nothing yet")

    def find_status(self, view: FleetView) -> SourceStatus | None:
        """Return the source of this use."""
        return self.status_of(view, Kind.GROQ, self.target.name or None)

    def paint_tab(self, name: str, view: FleetView) -> None:
        """Paint one tab."""
        reading = self._status.reading if self._status is not None else None
        if not isinstance(reading, GroqReading):
            return
        if name == "state":
            self.query_one("#facts", Facts).show(facts_of(reading, view.taken_at))
            faults = sorted(reading.by_class.items(), key=lambda one: -one[1])
            self.table("faults").set_rows([Row(fault.value, (Cell(fault.value, "warn"), Cell(str(n)))) for fault, n in faults])
        elif name == "latency":
            self._plot(reading)
        elif name == "calls":
            self.table(name).set_rows([call_row(number, call) for number, call in reversed(list(enumerate(reading.calls)))])
        else:
            self.table(name).empty_text = "neither logs nor prometheus are configured for this use ([groq.logs], prometheus)"
            self.table(name).set_rows([row for passive in reading.passive for row in passive_rows(passive)])

    def _plot(self, reading: GroqReading) -> None:
        times = [call.at.timestamp() for call in reading.calls]
        sound = [None if call.fault is not None else call for call in reading.calls]
        self.query_one("#plot-latency", Plot).show(times, [call.total_ms if call else None for call in sound])
        self.query_one("#plot-ttft", Plot).show(times, [call.ttft_ms if call else None for call in sound])
        known = [call.total_ms for call in sound if call is not None and call.total_ms is not None]
        self.table("latency").set_rows(histogram_rows(known, SLOW_MS))


def _spread(spread: Spread | None, unit: str = "") -> str:
    if spread is None:
        return "-"
    show = latency if not unit else lambda value: f"{value:.0f}"
    values = ", ".join(
        f"{name} {show(value).strip()}" for name, value in (("p50", spread.p50), ("p95", spread.p95), ("p99", spread.p99))
    )
    return f"{values}{unit}  ({spread.count} calls)"


def facts_of(reading: GroqReading, now: datetime) -> list[Fact]:
    """Return what is known of one use of the API."""
    state, newest = groq_state(reading), reading.newest
    facts: list[Fact] = [("state", state.text.rstrip("!"), state.tone)]
    if newest is not None:
        when = f"{age(seconds_since(newest.at, now))} ago"
        facts.append(("newest probe", f"{when}: {newest.says or 'went well'}", "bad" if newest.fault else ""))
        if newest.request_id:
            facts.append(("request id", newest.request_id, "dim"))
    if reading.paused_until is not None:
        facts.append(("paused", f"until {clock(reading.paused_until.astimezone())}: {reading.paused_why}", "warn"))
    listed = {True: "listed", False: "NOT listed", None: "not known whether it is listed"}[reading.model_listed]
    facts += [
        ("API", reading.base_url, ""),
        ("probe", f"{reading.probe}" + (", free" if reading.probe == "models" else ", spends tokens"), ""),
        (
            "model",
            f"{reading.model}, {listed}" if reading.model else "none is watched",
            "bad" if reading.model_listed is False else "",
        ),
        ("models", "-" if reading.models is None else str(reading.models), ""),
        ("latency", _spread(reading.latency), "warn" if reading.latency and reading.latency.p95 > SLOW_MS else ""),
        ("first token", _spread(reading.ttft), "warn" if reading.ttft and reading.ttft.p95 > SLOW_TTFT_MS else ""),
        ("queue", _spread(reading.queue), ""),
        ("tokens/s", _spread(reading.tokens_s, " tokens/s"), ""),
    ]
    for limit in reading.limits:
        span = {"requests": "a day", "tokens": "a minute"}.get(limit.name, "")
        reset = f", reset in {age(limit.reset_s)}" if limit.reset_s is not None else ""
        words = f"{count(limit.remaining)} of {count(limit.limit)} left {span} ({percent(limit.left_percent)}){reset}"
        facts.append((f"limit {limit.name}", words, "bad" if limit.left_percent < 10 else ""))
    cost = "price not configured" if reading.cost_today is None else f"{reading.cost_today:.6f} USD"
    spent = f"{reading.tokens_today} of {reading.tokens_budget} tokens today, {cost}"
    facts.append(("our own spend", spent, "warn" if reading.tokens_today >= reading.tokens_budget > 0 else ""))
    return facts


def call_row(number: int, call: GroqCall) -> Row:
    """Return one probe's row."""
    outcome = Cell(call.fault.value, "bad") if call.fault is not None else Cell("ok", "ok")
    cells = (
        Cell(clock(call.at.astimezone())),
        outcome,
        Cell(latency(call.total_ms)),
        Cell(latency(call.ttft_ms)),
        Cell(latency(call.queue_ms)),
        Cell(f"{call.tokens_in}+{call.tokens_out}" if call.tokens_in or call.tokens_out else "", "dim"),
        Cell(str(call.status or ""), "dim"),
        Cell(call.says),
        Cell(call.request_id, "dim"),
    )
    return Row(str(number), cells, sort=(call.at.timestamp(), outcome.text, call.total_ms, call.ttft_ms, call.queue_ms))


def passive_rows(figures: PassiveFigures) -> list[Row]:
    """Return the rows of what one place says of the application's own calls."""
    failed = sum(figures.by_class.values())
    rows = [Row(figures.origin, (Cell(figures.origin, "heading"),), heading=True)]
    facts = [
        ("calls in 5 minutes", str(figures.calls), ""),
        (
            "failed",
            f"{failed}" + (f" ({100 * failed / figures.calls:.0f} %)" if figures.calls else ""),
            "bad" if failed else "",
        ),
        *((f"  {fault.value}", str(number), "warn") for fault, number in figures.by_class.items()),
        ("sent again", str(figures.retries), "warn" if figures.retries else ""),
        ("latency", _spread(figures.latency), ""),
        ("first token", _spread(figures.ttft), ""),
        ("tokens", f"{count(figures.tokens_in)} in, {count(figures.tokens_out)} out", ""),
        ("newest failure", figures.newest_failure or "none", "bad" if figures.newest_failure else "dim"),
    ]
    rows += [Row(f"{figures.origin}/{name}", (Cell(name, "dim"), Cell(value, tone))) for name, value, tone in facts]  # type: ignore[arg-type] # tones
    return rows
