"""What every screen may ask of the application, without knowing it."""

from __future__ import annotations

from abc import abstractmethod
from typing import TYPE_CHECKING, Any, ClassVar

from textual.app import App
from textual.binding import BindingType
from textual.screen import Screen

from debugtui.model.alerts import Alert
from debugtui.model.clock import Clock
from debugtui.model.diagnosis import Diagnosis, Offer
from debugtui.model.source import FleetView
from debugtui.model.target import Target
from debugtui.screens.faults import TellsFaults
from debugtui.screens.keys import bindings
from debugtui.themes.tones import Tone
from debugtui.widgets.filter_bar import FilterBar
from debugtui.widgets.line_table import LineTable
from debugtui.widgets.table_rows import cell_of

if TYPE_CHECKING:
    from debugtui.alerts.keeper import AlertKeeper
    from debugtui.config.models import Config
    from debugtui.fleet.fleet import Fleet


class Console(TellsFaults, App[int]):
    """The application as screens see it.

    Attributes:
        clock: time; tests give their own.
        view: the newest view of the fleet that was painted.
        alerts: what holds in that view, worst first; silenced ones too.
        fleet: the supervisor; None until the first frame is painted.
        diagnosis: what is at fault; None before the first diagnosis.
        operator_keys: keys that the configuration changed, by action id.
    """

    clock: Clock
    view: FleetView
    alerts: tuple[Alert, ...]
    fleet: Fleet | None
    diagnosis: Diagnosis | None
    operator_keys: dict[str, str]

    @property
    @abstractmethod
    def keeper(self) -> AlertKeeper:
        """The book of alerts, and its memory."""

    @property
    @abstractmethod
    def configuration(self) -> Config | None:
        """The configuration in use; None before it is read."""

    @abstractmethod
    def repaint(self) -> None:
        """Paint the screen from the newest view now."""

    @abstractmethod
    def attend(self) -> None:
        """Tell the fleet what the operator looks at now."""

    @abstractmethod
    def action_leave(self) -> None:
        """Leave; while something is executed, only when asked a second time."""

    @abstractmethod
    def action_repair(self) -> None:
        """Plan a repair of what is under the cursor."""

    @abstractmethod
    def open_target(self, target: Target, tab: str = "") -> None:
        """Open the detail screen of a target, at a tab; empty: at its first one."""

    @abstractmethod
    def say(self, text: str, tone: Tone = "") -> None:
        """Show a short message. It is plain text, never markup."""

    @abstractmethod
    def copy(self, text: str, what: str) -> None:
        """Copy text to the terminal's clipboard and to a file, and say where.

        Args:
            text: what to copy; it is redacted once more.
            what: what it is, in a word or two, for the message and the file's name.
        """


class PaintedScreen(TellsFaults, Screen[Any]):
    """A screen that is painted from views of the fleet; its tables can be filtered and turned round."""

    BINDINGS: ClassVar[list[BindingType]] = [
        binding
        for binding in bindings("table", {"filter": "filter_table", "reverse": "reverse_table"})
        if binding.id in ("table.filter", "table.reverse")
    ]

    #: True once everything that is painted is there.
    ready = False

    def _focused_table(self) -> LineTable | None:
        return self.focused if isinstance(self.focused, LineTable) else None

    def action_filter_table(self) -> None:
        """Open the filter line for the focused table."""
        table = self._focused_table()
        if table is not None:
            self.query_one(FilterBar).open(table)

    def action_reverse_table(self) -> None:
        """Reverse the order of the focused table; one that is not sorted yet is sorted by its first column."""
        table = self._focused_table()
        if table is not None:
            column, reverse = table.sorting
            table.sort_by(column or table.columns[0].id, reverse=not reverse)
            self.table_changed()

    def repair_target(self) -> Target | None:
        """Return what a repair would be planned for: what the cursor stands on; None where that is nothing of ours."""
        return None

    def repair_offer(self) -> Offer | None:
        """Return the remediation that the cursor stands on, with its parameters; None where it stands on none."""
        return None

    def alert_under_cursor(self) -> Alert | None:
        """Return the alert that the cursor stands on; None where it stands on something else."""
        return None

    def table_changed(self) -> None:
        """Say on the screen how a table is filtered or sorted now."""

    def paint(self, view: FleetView, alerts: tuple[Alert, ...]) -> None:
        """Show a view; called after every change, at most a few times a second."""

    def text_to_copy(self) -> tuple[str, str] | None:
        """Return (text, what it is) of what is under the cursor; None where there is nothing to copy."""
        return None


def row_text(table: LineTable) -> str:
    """Return the row under a table's cursor as text: its cells, hidden ones too, tab separated."""
    row = table.cursor_row
    if row is None:
        return ""
    columns = table.columns[: len(row.cells)]
    return "\t".join(text for index, column in enumerate(columns) if (text := cell_of(row, index, column).text.strip()))
