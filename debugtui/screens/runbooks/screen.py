"""One runbook on one target: its steps with their verdicts, and below what the one under the cursor found."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from typing import ClassVar

from textual import getters
from textual.app import ComposeResult
from textual.binding import BindingType
from textual.containers import Vertical

from debugtui.diagnosis.runbooks.markdown import markdown
from debugtui.diagnosis.runbooks.run import Runner, with_step
from debugtui.model.alerts import Alert
from debugtui.model.diagnosis import Offer
from debugtui.model.logs import LogLine
from debugtui.model.runbook import RunbookRun, StepRun
from debugtui.model.source import FleetView
from debugtui.model.target import Target
from debugtui.screens.console import Console, PaintedScreen
from debugtui.screens.keys import bindings, hints, keys_of, shown_key
from debugtui.screens.runbooks import words
from debugtui.storage.problems import StorageError
from debugtui.widgets.bar import Bar, Word
from debugtui.widgets.filter_bar import FilterBar
from debugtui.widgets.line_table import LineTable
from debugtui.widgets.log_view import LogView
from debugtui.widgets.pane import Pane

#: Cells of a log view that are not text: its scroll bar and a margin.
_MARGIN = 3

_log = logging.getLogger(__name__)

#: Keeps a run; it blocks, and is called in a thread.
Keep = Callable[[RunbookRun], None]


class RunbookScreen(PaintedScreen):
    """See the module. Enter runs a step, one key runs all; each only looks, so none is asked for."""

    app = getters.app(Console)
    HELP = (
        "A runbook: enter runs the step under the cursor, a runs all of them. Every step only looks. p plans what answers it."
    )
    AUTO_FOCUS = "#table-steps"
    CSS_PATH = "runbooks.tcss"
    BINDINGS: ClassVar[list[BindingType]] = [
        *(binding for binding in bindings("detail") if binding.id == "detail.back"),
        *bindings("runbook"),
    ]

    def __init__(self, runner: Runner, run: RunbookRun, keep: Keep) -> None:
        """Make the screen.

        Args:
            runner: of the runbook, on the target; closed with the screen.
            run: that begins now.
            keep: keeps it.
        """
        super().__init__()
        self._runner, self._so_far, self._keep = runner, run, keep
        self._busy: set[int] = set()
        self._shown: tuple[object, ...] = ()

    def compose(self) -> ComposeResult:
        """Header, title, steps, details, filter line, key line."""
        yield Bar(id="header")
        yield Bar(id="title")
        with Vertical(id="parts"):
            yield Pane("Steps", LineTable(words.STEPS, id="table-steps", collapsible=False, keep_cursor=True), id="pane-steps")
            yield Pane("What it found", LogView(id="log-step", empty_text="nothing was found yet"), id="pane-step")
        yield FilterBar(id="filter")
        yield Bar(id="keys")

    def on_mount(self) -> None:
        """Show the steps; none was run yet."""
        self.ready = True
        self._show_keys()
        self._show()
        self.app.repaint()  # the header

    async def on_unmount(self) -> None:
        """Close what the steps opened."""
        await self._runner.close()

    def _show_keys(self) -> None:
        enter = shown_key(keys_of("table.select", self.app.operator_keys))
        ids = ("runbook.run_all", "app.repair", "runbook.causes", "app.copy", "detail.back")
        left: list[Word] = [(f"{enter} run step", "")]
        left += [(f"{key} {label}", "") for key, label in hints(ids, self.app.operator_keys)]
        right: list[Word] = [
            (f"{key} {label}", "") for key, label in hints(("app.palette", "app.help"), self.app.operator_keys)
        ]
        self.query_one("#keys", Bar).show(left, right)

    # Painting

    @property
    def so_far(self) -> RunbookRun:
        """What was found so far."""
        return self._so_far

    def paint(self, view: FleetView, alerts: tuple[Alert, ...]) -> None:
        """Nothing here is live: what a step found stays what it found."""

    def on_resize(self) -> None:
        """Wrap the details anew."""
        if self.ready:
            self.call_after_refresh(self._show_step)

    def _show(self) -> None:
        book = self._runner.runbook
        about = f"{self._so_far.service} ({self._so_far.target})" if self._so_far.service else str(self._so_far.target)
        title: list[Word] = [(self._so_far.title, "heading"), (about, "")]
        self.query_one("#title", Bar).show(title, words.counts(self._so_far, len(self._busy)))
        self.query_one("#table-steps", LineTable).set_rows(words.rows(book, self._so_far, self._busy))
        self._show_step()

    def _show_step(self) -> None:
        """Show the details of the step under the cursor."""
        number = words.number_of(self.query_one("#table-steps", LineTable).cursor_key) or 1
        log = self.query_one("#log-step", LogView)
        width = (log.size.width or 80) - _MARGIN
        done = self._so_far.step(number)
        if self._shown == (number, done, width):
            return
        self._shown = (number, done, width)
        lines = words.detail(self._runner.runbook, number, done, width)
        self.query_one("#pane-step", Pane).title = f"{number}. {self._runner.runbook.steps[number - 1].title}"
        log.replace([LogLine(line) for line in lines])

    def on_line_table_highlighted(self, event: LineTable.Highlighted) -> None:
        """Show the step that the cursor came to."""
        event.stop()
        self._show_step()

    # Running

    def on_line_table_selected(self, event: LineTable.Selected) -> None:
        """Run the step under the cursor; on a remediation: plan it."""
        event.stop()
        number = words.number_of(event.key)
        if words.offer_of(event.key, self._so_far) is not None:
            self.app.simulate_key(keys_of("app.repair", self.app.operator_keys).split(",")[0].strip())
        elif number is not None and number not in self._busy:
            self.run_worker(self._one(number), name=f"step {number}", exit_on_error=False)

    async def _one(self, number: int) -> None:
        self._begin({number})
        try:
            self._ended(await self._runner.step(number))
        finally:
            self._over({number})
        await self._keep_it()

    def action_run_all(self) -> None:
        """Run every step; none of them changes anything."""
        if not self._busy:
            self.run_worker(self._all(), name="all steps", group="all", exclusive=True, exit_on_error=False)

    async def _all(self) -> None:
        every = set(range(1, len(self._runner.runbook.steps) + 1))
        self._begin(every)
        try:
            await self._runner.all(self._ended)
        finally:
            self._over(every)
        await self._keep_it()

    def _begin(self, numbers: set[int]) -> None:
        self._busy |= numbers
        self._show()

    def _ended(self, step: StepRun) -> None:
        self._so_far = with_step(self._so_far, step)
        self._busy.discard(step.number)
        if self.is_running:
            self._show()

    def _over(self, numbers: set[int]) -> None:
        self._busy -= numbers

    async def _keep_it(self) -> None:
        try:
            await asyncio.to_thread(self._keep, self._so_far)
        except (StorageError, OSError) as error:
            _log.warning("a run of a runbook is not kept: %s", error)
            self.app.say(f"this run is not kept: {error}", "warn")

    # What others ask

    def action_causes(self) -> None:
        """Show typical causes, and when to call somebody."""
        log = self.query_one("#log-step", LogView)
        self._shown = ()
        self.query_one("#pane-step", Pane).title = "Typical causes, and when to call somebody"
        lines = words.ways_out(self._runner.runbook, (log.size.width or 80) - _MARGIN)
        log.replace([LogLine(line) for line in lines])

    def repair_offer(self) -> Offer | None:
        """Return the remediation under the cursor, or the first one of the step there."""
        key = self.query_one("#table-steps", LineTable).cursor_key
        offer = words.offer_of(key, self._so_far)
        step = self._so_far.step(words.number_of(key) or 0)
        return offer or (step.offers[0] if step is not None and step.offers else None)

    def repair_target(self) -> Target | None:
        """Return what the runbook is used on."""
        return self._so_far.target

    def text_to_copy(self) -> tuple[str, str] | None:
        """Return the whole run as Markdown."""
        return markdown(self._so_far), f"runbook-{self._so_far.runbook}"

    def action_back(self) -> None:
        """Go back."""
        self.dismiss(None)
