"""The parameters of a remediation that are not known yet."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical, VerticalScroll
from textual.content import Content
from textual.screen import ModalScreen
from textual.widgets import Input, Label, Static

from debugtui.screens.repair.box import CSS
from debugtui.widgets.cells import safe

if TYPE_CHECKING:
    from debugtui.remediation.base import Parameter, Spec


class FormScreen(ModalScreen[dict[str, str] | None]):
    """Ask for parameters; empty optional ones are left out."""

    DEFAULT_CSS = f"""
    FormScreen {{ {CSS}
        & VerticalScroll {{ height: auto; max-height: 16; }}
        & Input {{ background: $panel; margin-bottom: 1; }}
        & Label {{ color: $text-primary; }}
    }}
    """
    AUTO_FOCUS = "Input"
    BINDINGS: ClassVar[list[BindingType]] = [Binding("escape", "refuse", "Back", id="ask.no")]

    def __init__(self, spec: Spec, known: Mapping[str, str], says: str = "") -> None:
        """Make the form of a remediation.

        Args:
            spec: of the remediation.
            known: what is known already.
            says: why what was given before would not do.
        """
        super().__init__()
        self._spec, self._known, self._says = spec, dict(known), says

    @property
    def _fields(self) -> list[Parameter]:
        return list(self._spec.parameters)

    def compose(self) -> ComposeResult:
        """One field for each parameter."""
        box = Vertical()
        box.border_title = Content(safe(self._spec.title))
        with box:
            yield Static(Content(safe(self._spec.summary)), classes="muted")
            with VerticalScroll(can_focus=False):
                for number, parameter in enumerate(self._fields):
                    yield Label(Content(_question(parameter)))
                    yield Input(self._value(parameter), id=f"field-{number}", compact=True)
            yield Static(Content(safe(self._says)), id="says", classes="error")
            yield Static(Content("enter plan it   tab next field   esc back"), classes="keys")

    def _value(self, parameter: Parameter) -> str:
        if parameter.prefix:
            given = {name: value for name, value in self._known.items() if name.startswith(f"{parameter.name}.")}
            return " ".join(f"{name.partition('.')[2]}={value}" for name, value in given.items())
        return self._known.get(parameter.name, parameter.default)

    def on_input_submitted(self, event: Input.Submitted) -> None:
        """Hand the parameters over, or say what is missing."""
        event.stop()
        found: dict[str, str] = {}
        for number, parameter in enumerate(self._fields):
            text = self.query_one(f"#field-{number}", Input).value.strip()
            if parameter.prefix:
                for word in text.split():
                    key, equals, value = word.partition("=")
                    if not key or not equals:
                        self._complain(f"{parameter.name}: KEY=VALUE, several with spaces between them")
                        return
                    found[f"{parameter.name}.{key}"] = value
            elif text:
                found[parameter.name] = text
            elif parameter.required:
                self._complain(f"{parameter.name} is needed: {parameter.help}")
                self.query_one(f"#field-{number}", Input).focus()
                return
        self.dismiss(found)

    def _complain(self, text: str) -> None:
        self.query_one("#says", Static).update(Content(safe(text)))

    def action_refuse(self) -> None:
        """Plan nothing."""
        self.dismiss(None)


def _question(parameter: Parameter) -> str:
    name = f"{parameter.name} (KEY=VALUE ...)" if parameter.prefix else parameter.name
    need = "" if parameter.required else "  optional"
    return safe(f"{name}: {parameter.help}{need}")
