"""What was executed, newest first; and what to do with an execution that did not end."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.content import Content
from textual.screen import ModalScreen
from textual.widgets import Button, Input, OptionList, Static
from textual.widgets.option_list import Option

from debugtui.model.execution import Decision, Execution
from debugtui.screens.repair import words
from debugtui.screens.repair.box import CSS
from debugtui.widgets.cells import safe


class ExecutionsScreen(ModalScreen["Execution | None"]):
    """The list; those that need a person stand first. Dismissed with the one that was chosen."""

    DEFAULT_CSS = f"""
    ExecutionsScreen {{ {CSS}
        & > Vertical {{ width: 140; }}
        & OptionList {{ height: auto; max-height: 24; background: $surface; }}
    }}
    """
    AUTO_FOCUS = "OptionList"
    BINDINGS: ClassVar[list[BindingType]] = [Binding("escape,q", "leave", "Back", id="ask.no")]

    def __init__(self, executions: Sequence[Execution]) -> None:
        super().__init__()
        self._executions = sorted(executions, key=lambda one: one.ended)

    def compose(self) -> ComposeResult:
        """One line for each."""
        box = Vertical()
        box.border_title = Content("Executions")
        with box:
            if self._executions:
                yield OptionList(*(Option(entry_text(one), id=one.id) for one in self._executions), compact=True)
            else:
                yield Static(Content("Nothing was executed yet."))
            yield Static(Content("enter open   esc back"), classes="keys")

    def on_option_list_option_selected(self, event: OptionList.OptionSelected) -> None:
        """Open it."""
        event.stop()
        self.dismiss(next(one for one in self._executions if one.id == event.option.id))

    def action_leave(self) -> None:
        """Back."""
        self.dismiss(None)


def entry_text(one: Execution) -> Content:
    """Return one execution on two lines."""
    word, style = words.OUTCOME.get(one.state, (f"▸ {one.state.value}: not ended", "bold $text-warning"))
    return Content.assemble(
        (f"{one.started_at.astimezone():%Y-%m-%d %H:%M:%S}  ", "$text-muted"),
        (word, style),
        f"  {safe(one.remediation)}  {safe(str(one.target))}",
        (f"  {safe(one.operator)}", "$text-muted"),
        "\n  ",
        (safe(one.says), "$text-muted"),
    )


class UnendedScreen(ModalScreen["Decision | str | None"]):
    """An execution that did not end: look at the target and go on, roll back, or close it with a note.

    Dismissed with a decision, with the note of closing it, or with None.
    """

    DEFAULT_CSS = f"""
    UnendedScreen {{ {CSS}
        & > Vertical {{ width: 100; }}
        & Button {{ width: 1fr; margin-top: 1; background: $panel; color: $foreground; }}
        & Button:focus {{ background: $block-cursor-background; color: $block-cursor-foreground; text-style: bold; }}
        & Input {{ background: $panel; margin-top: 1; }}
    }}
    """
    AUTO_FOCUS = "#look"
    BINDINGS: ClassVar[list[BindingType]] = [Binding("escape", "leave", "Back", id="ask.no")]

    def __init__(self, execution: Execution) -> None:
        super().__init__()
        self._execution = execution

    def compose(self) -> ComposeResult:
        """What is known, and the ways on."""
        one = self._execution
        box = Vertical()
        box.border_title = Content(f"{safe(one.remediation)}  {safe(str(one.target))}")
        with box:
            yield Static(entry_text(one))
            yield Static(
                Content("It did not end. Nothing is sent twice: the target itself is looked at first."), classes="muted"
            )
            yield Button(Content("Look at the target, and leave it open"), id="look", compact=True)
            yield Button(Content("Look, then watch whether it holds"), id="watch", compact=True)
            yield Button(Content("Look, then roll back"), id="back", compact=True)
            yield Input(placeholder="or close it: what you found at the target", id="note", compact=True)

    def on_button_pressed(self, event: Button.Pressed) -> None:
        """Hand the decision over."""
        event.stop()
        decisions = {"look": Decision.LEAVE, "watch": Decision.WATCH_ON, "back": Decision.ROLL_BACK}
        self.dismiss(decisions[event.button.id or "look"])

    def on_input_submitted(self, event: Input.Submitted) -> None:
        """Close it with the note."""
        event.stop()
        if event.value.strip():
            self.dismiss(event.value.strip())

    def action_leave(self) -> None:
        """Back."""
        self.dismiss(None)
