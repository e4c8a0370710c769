"""While a plan is made: what is being looked at, and the way back."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.content import Content
from textual.screen import ModalScreen
from textual.widgets import Static

from debugtui.model.plan import Plan
from debugtui.screens.faults import fault_words
from debugtui.screens.repair.box import CSS
from debugtui.widgets.cells import safe

_log = logging.getLogger(__name__)


class PlanningScreen(ModalScreen["Plan | str | None"]):
    """Makes a plan; dismissed with it, with a sentence where it cannot be made, or with None where the operator went back."""

    DEFAULT_CSS = f"PlanningScreen {{ {CSS} & > Vertical {{ width: 80; }} }}"
    BINDINGS: ClassVar[list[BindingType]] = [Binding("escape", "refuse", "Back", id="ask.no")]

    def __init__(self, title: str, about: str, make: Callable[[], Awaitable[Plan]]) -> None:
        super().__init__()
        self._title, self._about, self._make = title, about, make

    def compose(self) -> ComposeResult:
        """What is looked at."""
        box = Vertical()
        box.border_title = Content(safe(self._title))
        with box:
            yield Static(Content(f"Looking at {safe(self._about)}. Nothing is changed."))
            yield Static(Content("esc back"), classes="keys")

    def on_mount(self) -> None:
        """Begin."""
        self.run_worker(self._work(), name="plan", exit_on_error=False)

    async def _work(self) -> None:
        from debugtui.config.secrets import SecretError
        from debugtui.hosts.link import LinkError
        from debugtui.remediation.base import PlanError
        from debugtui.remediation.registry import UnknownRemediationError
        from debugtui.sources.base import SourceError
        from debugtui.storage.problems import StorageError

        try:
            made: Plan | str = await self._make()
        except (PlanError, UnknownRemediationError) as error:
            made = str(error)
        except (SourceError, LinkError, SecretError, StorageError) as error:
            made = str(error.problem)
        except TimeoutError:
            made = "no answer in time"
        except Exception as error:  # noqa: BLE001 - a fault of ours: it is said where the plan would be
            _log.exception("the plan of %s", self._about)
            made = fault_words(error)
        if self.is_current:
            self.dismiss(made)

    def action_refuse(self) -> None:
        """Leave it."""
        self.workers.cancel_node(self)
        self.dismiss(None)
