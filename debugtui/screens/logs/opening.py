"""Which logs the operator asks for: of the alert or the row under the cursor, of the open screen, else a choice of all."""

from __future__ import annotations

from typing import TYPE_CHECKING

from debugtui.fleet.log_origins import MOST, LogCatalogue
from debugtui.model.alerts import Alert
from debugtui.screens.console import Console, PaintedScreen
from debugtui.screens.logs.choose import Choice, ChooseScreen, Name
from debugtui.screens.logs.screen import LogsScreen

if TYPE_CHECKING:
    from debugtui.sources.logs.origin import LogOrigin


def open_logs(console: Console, catalogue: LogCatalogue) -> None:
    """Open the viewer for what the operator looks at."""
    screen = console.screen
    if isinstance(screen, LogsScreen):
        screen.read_anew()
        return
    alert = screen.alert_under_cursor() if isinstance(screen, PaintedScreen) else None
    target = alert.target if alert is not None else screen.repair_target() if isinstance(screen, PaintedScreen) else None
    origins = catalogue.about(console.view, target) if target is not None else []
    if target is not None and origins:
        _show(console, catalogue, origins, str(target), alert)
    else:
        _choose(console, catalogue)


def _show(console: Console, catalogue: LogCatalogue, origins: list[LogOrigin], about: str, alert: Alert | None = None) -> None:
    shown = origins[:MOST]
    console.push_screen(LogsScreen(catalogue, shown, about=about, alert=alert, left_out=len(origins) - len(shown)))


def _choose(console: Console, catalogue: LogCatalogue) -> None:
    everything = catalogue.everything(console.view)
    if not everything:
        console.say("no log is known yet")
        return

    def chosen(names: frozenset[Name] | None) -> None:
        if names:
            origins = [one for one in everything if (one.target, one.title) in names]
            about = ", ".join(dict.fromkeys(one.target.host for one in origins))
            _show(console, catalogue, origins, about)

    console.push_screen(ChooseScreen([Choice(one.target, one.title, one.kind) for one in everything], frozenset()), chosen)
