"""What the keys of the whole application do: open its screens, copy, pause, read now."""

from __future__ import annotations

import asyncio
from abc import abstractmethod
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

from textual.widget import Widget

from debugtui.config.paths import config_file, state_dir
from debugtui.model.target import Target
from debugtui.screens.console import Console, PaintedScreen
from debugtui.themes import THEMES

if TYPE_CHECKING:
    from debugtui.config.ask import Asker
    from debugtui.config.models import Config
    from debugtui.fleet.log_origins import LogCatalogue
    from debugtui.screens.repair.flow import RepairFlow

#: Fastest and slowest refresh that keys reach, in seconds.
REFRESH_RANGE = (0.5, 60.0)
#: In the order in which help shows their keys.
HELP_SCOPES = ("main", "detail", "alerts", "monitoring", "runbook", "table", "log", "app")


class Actions(Console):
    """The application's actions. What they need of it is set where it starts.

    Attributes:
        repairs: plans and shows repairs; None before there is a fleet.
    """

    repairs: RepairFlow | None
    _config: Config | None
    _config_path: Path | None
    _demo: Any
    _asker: Asker | None
    _catalogue: LogCatalogue | None
    _paused: bool

    @abstractmethod
    def _header(self) -> None:
        """Paint the header line."""

    def action_show_help(self) -> None:
        """Show the keys of this screen."""
        from debugtui.screens.help import HelpScreen

        if isinstance(self.screen, HelpScreen):
            return
        bound = {(binding.binding.id or "").partition(".")[0] for binding in self.screen.active_bindings.values()}
        scopes = [scope for scope in HELP_SCOPES if scope in bound]
        self.push_screen(HelpScreen(scopes, self.operator_keys, self.screen.HELP or ""))

    def action_pause(self) -> None:
        """Freeze the tables, or let them go on."""
        self._paused = not self._paused
        self.repaint()

    def action_read_now(self) -> None:
        """Read every source now."""
        if self.fleet is not None:
            self.fleet.read_now()
            self.say("reading everything now")

    def _set_refresh(self, factor: float) -> None:
        if self.fleet is not None:
            low, high = REFRESH_RANGE
            self.fleet.set_refresh(min(high, max(low, self.fleet.refresh * factor)))
            self._header()

    def action_slower(self) -> None:
        """Read half as often."""
        self._set_refresh(2)

    def action_faster(self) -> None:
        """Read twice as often."""
        self._set_refresh(0.5)

    def action_copy(self) -> None:
        """Copy what is under the cursor."""
        found = self.screen.text_to_copy() if isinstance(self.screen, PaintedScreen) else None
        if found is None:
            self.say("nothing under the cursor to copy")
        else:
            self.copy(*found)

    def action_repair(self) -> None:
        """Plan a repair of what is under the cursor."""
        target = self.screen.repair_target() if isinstance(self.screen, PaintedScreen) else None
        offer = self.screen.repair_offer() if isinstance(self.screen, PaintedScreen) else None
        if self.repairs is None:
            self.say("not connected yet")
        elif offer is not None:
            self.run_worker(self.repairs.plan(offer), name="repair", group="repair", exclusive=True, exit_on_error=False)
        elif target is None:
            self.say("nothing under the cursor to repair")
        else:
            self.run_worker(self.repairs.repair(target), name="repair", group="repair", exclusive=True, exit_on_error=False)

    def action_diagnosis(self) -> None:
        """Show what is at fault."""
        from debugtui.screens.diagnosis import DiagnosisScreen

        if not isinstance(self.screen, DiagnosisScreen):
            self.push_screen(DiagnosisScreen(), lambda _: self._returned())

    def action_execution(self) -> None:
        """Show the newest execution."""
        if self.repairs is not None:
            self.repairs.show()

    def action_executions(self) -> None:
        """List the executions."""
        if self.repairs is not None:
            self.run_worker(self.repairs.list(), name="executions", group="repair", exclusive=True, exit_on_error=False)

    def action_alerts(self) -> None:
        """Show every alert."""
        from debugtui.screens.alerts.screen import AlertsScreen

        if not isinstance(self.screen, AlertsScreen):
            self.push_screen(AlertsScreen(), lambda _: self._returned())
            self.call_after_refresh(self._opened)

    def action_topology(self) -> None:
        """Show what hangs together how."""
        from debugtui.screens.topology.screen import TopologyScreen

        if not isinstance(self.screen, TopologyScreen):
            self.push_screen(TopologyScreen(), lambda _: self._returned())
            self.call_after_refresh(self._opened)

    def log_catalogue(self) -> LogCatalogue | None:
        """Return every log that can be read; None before there is a fleet."""
        from debugtui.config.models import Config
        from debugtui.fleet.log_origins import LogCatalogue
        from debugtui.screens.ask import ScreenAsker

        if self._catalogue is None and self.fleet is not None:
            self._catalogue = LogCatalogue(self._config or Config(), self.fleet, self._asker or ScreenAsker(self))
        return self._catalogue

    def action_logs(self) -> None:
        """Open the merged logs of what is under the cursor."""
        from debugtui.screens.logs.opening import open_logs

        catalogue = self.log_catalogue()
        if catalogue is None:
            self.say("not connected yet")
        else:
            open_logs(self, catalogue)

    def action_runbooks(self) -> None:
        """Open the runbooks that fit what is under the cursor."""
        if self.fleet is None:
            self.say("not connected yet")
            return
        target = self.screen.repair_target() if isinstance(self.screen, PaintedScreen) else None
        self.run_worker(self._open_runbooks(target), name="runbooks", group="runbooks", exclusive=True, exit_on_error=False)

    async def _open_runbooks(self, target: Target | None) -> None:
        from debugtui.screens.ask import ScreenAsker

        models, flow = await asyncio.to_thread(
            lambda: [import_module(name) for name in ("debugtui.config.models", "debugtui.screens.runbooks.flow")]
        )
        folder = (self._config_path or config_file()).parent / "runbooks" if self._demo is None else None
        config, state = self._config or models.Config(), getattr(self._demo, "state", None)
        await flow.open_runbooks(self, config, ScreenAsker(self), folder, state, target)

    def action_monitoring(self) -> None:
        """Open what the monitoring servers tell."""
        from debugtui.screens.details.monitoring import MonitoringScreen

        if not isinstance(self.screen, MonitoringScreen):
            self.push_screen(MonitoringScreen(), lambda _: self._returned())
            self.call_after_refresh(self._opened)

    def action_jump(self) -> None:
        """Show a letter over each place one can go to."""
        from debugtui.screens.jump import JumpScreen

        def jumped(widget: Widget | None) -> None:
            if widget is not None:
                widget.focus()

        self.push_screen(JumpScreen([widget for widget in self.screen.focus_chain if widget.region]), jumped)

    def action_theme(self) -> None:
        """Switch to the next of our themes."""
        names = [theme.name for theme in THEMES]
        place = names.index(self.theme) if self.theme in names else -1
        self.theme = names[(place + 1) % len(names)]
        self.say(f"theme {self.theme}")

    def action_screenshot(self, filename: str | None = None, path: str | None = None) -> None:
        """Save the screen as an SVG file."""
        from debugtui.screens.picture import picture

        folder = state_dir() / "pictures"
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        file = folder / f"{self.clock.now():%Y%m%d-%H%M%S}.svg"
        file.write_text(picture(self), encoding="utf-8")
        self.say(f"saved {file}")

    def _opened(self) -> None:
        self.attend()
        self.repaint()

    def _returned(self) -> None:
        self.attend()
        self.repaint()
