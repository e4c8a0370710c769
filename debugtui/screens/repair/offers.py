"""The remediations for a row: those that apply first, the others with the reason why they do not."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.content import Content
from textual.screen import ModalScreen
from textual.widgets import OptionList, Static
from textual.widgets.option_list import Option

from debugtui.model.target import Target
from debugtui.screens.repair.box import CSS
from debugtui.widgets.cells import safe

if TYPE_CHECKING:
    from debugtui.remediation.base import Offer, Spec

_WORDS = ("observe", "routine", "careful", "severe", "stop")


class OffersScreen(ModalScreen["Offer | None"]):
    """Choose what to plan. Planning only looks."""

    DEFAULT_CSS = f"""
    OffersScreen {{ {CSS}
        & OptionList {{ height: auto; max-height: 20; background: $surface; }}
    }}
    """
    AUTO_FOCUS = "OptionList"
    BINDINGS: ClassVar[list[BindingType]] = [Binding("escape,q", "refuse", "Back", id="ask.no")]

    def __init__(self, target: Target, offers: Sequence[Offer], spec: Callable[[str], Spec]) -> None:
        super().__init__()
        self._target, self._offers, self._spec = target, offers, spec

    def compose(self) -> ComposeResult:
        """The list, and what the keys do."""
        box = Vertical()
        box.border_title = Content(f"Repair {safe(str(self._target))}")
        with box:
            if self._offers:
                yield OptionList(*(self._option(number, offer) for number, offer in enumerate(self._offers)), compact=True)
            else:
                yield Static(Content("No remediation is known for this row."))
            yield Static(Content("enter plan it (only looks, changes nothing)   esc back"), classes="keys")

    def _option(self, number: int, offer: Offer) -> Option:
        spec = self._spec(offer.remediation)
        low, high = spec.risk
        risk = f"class {low}" + (f"-{high}" if high != low else f" {_WORDS[low]}")
        undo = {"exact": "exact rollback", "compensating": "rollback compensates", "none": "no rollback"}[spec.undo.value]
        other = f" → {offer.target}" if offer.target != self._target else ""
        title = Content.assemble(
            (safe(spec.title), "bold" if offer.applies else "$text-muted"),
            (f"  {risk}, {undo}{safe(other)}", "$text-muted"),
            "\n  ",
            (safe(offer.why), "" if offer.applies else "$text-muted"),
        )
        return Option(title, id=str(number), disabled=not offer.applies)

    def on_option_list_option_selected(self, event: OptionList.OptionSelected) -> None:
        """Plan it."""
        event.stop()
        self.dismiss(self._offers[int(event.option.id or 0)])

    def action_refuse(self) -> None:
        """Plan nothing."""
        self.dismiss(None)
