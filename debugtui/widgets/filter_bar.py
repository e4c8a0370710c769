"""`FilterBar`: the line that opens on `/` and filters a table or a log while one types."""

from __future__ import annotations

from typing import ClassVar, Protocol

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal
from textual.content import Content
from textual.message import Message
from textual.widget import Widget
from textual.widgets import Input, Static

from debugtui.widgets.cells import safe


class Filterable(Protocol):
    """What a filter bar can filter."""

    def filter(self, text: str) -> None:
        """Show what matches `text`."""

    @property
    def filter_text(self) -> str:
        """The filter in force, as typed."""
        ...

    @property
    def filter_error(self) -> str:
        """Why it is not valid; empty while it is."""
        ...

    @property
    def counts(self) -> tuple[int, int]:
        """How many are shown, and how many there are."""
        ...


class FilterBar(Horizontal):
    """One line, hidden until `open`. Enter keeps the filter and closes; Escape clears it and closes."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "clear", "Clear filter", id="filter.clear"),
        Binding("down", "keep", "Back", show=False, id="filter.keep"),
    ]

    DEFAULT_CSS = """
    FilterBar {
        display: none;
        height: 1;
        background: $panel;
        color: $foreground;
        & > #filter-sign { width: 10; color: $text-accent; padding: 0 1; }
        & > Input { width: 1fr; background: $panel; color: $foreground; }
        & > Input:ansi > .input--cursor { background: ansi_default; color: ansi_default; text-style: reverse; }
        & > #filter-says { width: auto; max-width: 60%; color: $text-muted; padding: 0 1; }
        & > #filter-says.-bad { color: $text-error; text-style: bold; }
    }
    """

    class Closed(Message):
        """The bar closed; `text` is the filter that stays in force."""

        def __init__(self, text: str) -> None:
            super().__init__()
            self.text = text

    def __init__(self, *, id: str | None = None) -> None:  # noqa: A002 (Textual's own name)
        """Make a closed bar."""
        super().__init__(id=id)
        self._target: Filterable | None = None
        self._back: Widget | None = None

    def compose(self) -> ComposeResult:
        """Sign, input, and what the filter finds."""
        yield Static("filter /", id="filter-sign", markup=False)
        yield Input(compact=True, select_on_focus=False)
        yield Static("", id="filter-says", markup=False)

    @property
    def target(self) -> Filterable | None:
        """What is being filtered; None while closed."""
        return self._target

    def open(self, target: Filterable, *, sign: str = "filter /", back: Widget | None = None) -> None:
        """Show the bar and filter `target`; `back` gets the focus afterwards (the target, where it is a widget)."""
        self._target = target
        self._back = back if back is not None else target if isinstance(target, Widget) else None
        self.query_one("#filter-sign", Static).update(Content(sign))
        field = self.query_one(Input)
        with field.prevent(Input.Changed):
            field.value = target.filter_text
        self.display = True
        field.focus()
        self.refresh_count()

    def refresh_count(self) -> None:
        """Say again how much is shown; call it when the target has new rows."""
        if self._target is None:
            return
        error = self._target.filter_error
        shown, total = self._target.counts
        says = self.query_one("#filter-says", Static)
        says.set_class(bool(error), "-bad")
        says.update(Content(safe(error or f"{shown} of {total}")))

    def on_input_changed(self, event: Input.Changed) -> None:
        """Filter while typing."""
        event.stop()
        if self._target is not None:
            self._target.filter(event.value)
            self.refresh_count()

    def on_input_submitted(self, event: Input.Submitted) -> None:
        """Keep the filter."""
        event.stop()
        self.action_keep()

    def action_keep(self) -> None:
        """Close, and leave the filter in force."""
        target, self._target = self._target, None
        self.display = False
        if target is None:
            return
        text = target.filter_text
        if self._back is not None:
            self._back.focus()
        self.post_message(self.Closed(text))

    def action_clear(self) -> None:
        """Remove the filter and close."""
        if self._target is not None:
            self._target.filter("")
        self.action_keep()
