"""What the operator is told of a fault of our own in something that runs beside the screen: else it would just not happen."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

from textual.app import App
from textual.worker import Worker, WorkerState

from debugtui.model.text import line

if TYPE_CHECKING:
    from debugtui.screens.console import Console

_log = logging.getLogger(__name__)


def fault_words(error: BaseException | None) -> str:
    """Return what is said of an exception that nobody expected."""
    from debugtui.config.redaction import redact

    said = redact(line(str(error), 200)) if error is not None else ""
    return f"a fault of DebugTUI: {type(error).__name__}{f': {said}' if said else ''}"


class TellsFaults:
    """A part of the application whose workers do not end it when they fail: each failure is shown, and logged."""

    def on_worker_state_changed(self, event: Worker.StateChanged) -> None:
        """Tell of a worker that failed."""
        worker: Worker[Any] = event.worker
        if event.state is not WorkerState.ERROR:
            return
        what = worker.name or worker.group
        _log.error("the worker %s", what, exc_info=worker.error)
        app: Console = self if isinstance(self, App) else self.app  # type: ignore[attr-defined, assignment]
        app.say(f"{what}: {fault_words(worker.error)}", "bad")
