"""The diagnosis: what is at fault, the chain from the symptom to the cause, what answers it, what is not known."""

from __future__ import annotations

from typing import ClassVar

from textual import getters
from textual.app import ComposeResult
from textual.binding import BindingType

from debugtui.model.alerts import Alert
from debugtui.model.diagnosis import Diagnosis, Finding, Offer
from debugtui.model.source import FleetView
from debugtui.model.target import Target
from debugtui.screens.console import Console, PaintedScreen, row_text
from debugtui.screens.keys import bindings, hints
from debugtui.screens.rows.diagnosis import CAUSES, STORY, cause_rows, story_rows
from debugtui.widgets.bar import Bar, Word
from debugtui.widgets.filter_bar import FilterBar
from debugtui.widgets.line_table import LineTable
from debugtui.widgets.pane import Pane

KEY_LINE = ("detail.back", "table.select", "app.repair", "table.filter", "app.copy", "app.read_now")
KEY_LINE_RIGHT = ("app.palette", "app.help")

#: What an operator who finds nothing here is told.
NOTHING = "nothing found: all is well, as far as is watched"
WAITING = "looking…"


class DiagnosisScreen(PaintedScreen):
    """Causes above, the story of the one under the cursor below."""

    app = getters.app(Console)
    CSS_PATH = "diagnosis.tcss"
    AUTO_FOCUS = "#table-causes"
    BINDINGS: ClassVar[list[BindingType]] = [one for one in bindings("detail") if one.id == "detail.back"]
    HELP = "Causes above, the story of one below: enter on a link opens what it rests on, p plans what answers it."

    def compose(self) -> ComposeResult:
        """Header, causes, story, filter line, key line."""
        yield Bar(id="header")
        yield Pane("Causes", LineTable(CAUSES, id="table-causes", empty_text=WAITING), id="pane-causes")
        yield Pane("Evidence", LineTable(STORY, id="table-story", empty_text=""), id="pane-story")
        yield FilterBar(id="filter")
        yield Bar(id="keys")

    def on_mount(self) -> None:
        """Show the keys and what is known."""
        self.ready = True
        words: list[Word] = [(f"{key} {label}", "") for key, label in hints(KEY_LINE, self.app.operator_keys)]
        always: list[Word] = [(f"{key} {label}", "") for key, label in hints(KEY_LINE_RIGHT, self.app.operator_keys)]
        self.query_one("#keys", Bar).show(words, always)
        self.app.repaint()

    @property
    def _found(self) -> Diagnosis | None:
        return self.app.diagnosis

    def paint(self, view: FleetView, alerts: tuple[Alert, ...]) -> None:
        """Show the newest diagnosis."""
        found = self._found
        if found is None:
            return
        causes = self._table("causes")
        causes.empty_text = NOTHING
        causes.set_rows(cause_rows(found))
        self._tell()

    def _tell(self) -> None:
        found = self._found
        if found is None:
            return
        self._table("story").set_rows(story_rows(found, self.chosen()))

    def chosen(self) -> Finding | None:
        """Return the cause under the cursor, the first where none is; None where there is none at all."""
        findings = self._found.findings if self._found is not None else ()
        key = self._table("causes").cursor_key
        return next((one for one in findings if one.id == key), findings[0] if findings else None)

    def _table(self, name: str) -> LineTable:
        return self.query_one(f"#table-{name}", LineTable)

    def on_line_table_highlighted(self, event: LineTable.Highlighted) -> None:
        """Tell the story of another cause."""
        if event.table.id == "table-causes":
            self._tell()

    def on_line_table_selected(self, event: LineTable.Selected) -> None:
        """Open what a link rests on; plan a remediation; go from a cause to its story."""
        event.stop()
        if event.table.id == "table-causes":
            self.set_focus(self._table("story"))
            return
        word, _, number = event.key.partition(" ")
        chosen = self.chosen()
        if word == "link" and chosen is not None:
            self.app.open_target(chosen.evidence[int(number)].source)
        elif word == "change" and self._found is not None:
            self.app.open_target(self._found.changes[int(number)].source)
        elif word == "offer":
            self.app.action_repair()

    def repair_offer(self) -> Offer | None:
        """Return the remediation under the cursor, else the best of the chosen cause."""
        chosen, story = self.chosen(), self._table("story")
        if chosen is None or not chosen.remediations:
            return None
        word, _, number = (story.cursor_key or "").partition(" ")
        return chosen.remediations[int(number) if word == "offer" and self.focused is story else 0]

    def repair_target(self) -> Target | None:
        """Return what is at fault, where nothing of ours is known to answer it."""
        chosen = self.chosen()
        return chosen.target if chosen is not None else None

    def text_to_copy(self) -> tuple[str, str] | None:
        """Return the row under the cursor."""
        table = self.focused
        if isinstance(table, LineTable) and table.cursor_row is not None:
            return row_text(table), "diagnosis"
        return None

    def action_back(self) -> None:
        """Go back."""
        self.dismiss(None)
