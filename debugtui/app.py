"""The Textual application: wires fleet, screens, keys and palette; everything heavy is imported after the first frame."""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import sys
from collections.abc import Iterable
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from textual.app import SystemCommand
from textual.binding import BindingType
from textual.content import Content
from textual.screen import Screen

from debugtui.config.paths import config_file, state_dir
from debugtui.model.alerts import Alert
from debugtui.model.clock import Clock, SystemClock
from debugtui.model.diagnosis import Diagnosis
from debugtui.model.source import FleetView, Kind
from debugtui.model.target import NO_HOSTS, Target
from debugtui.screens.actions import Actions
from debugtui.screens.console import PaintedScreen
from debugtui.screens.keys import bindings
from debugtui.screens.main import MainScreen
from debugtui.screens.palette import ActionProvider, TargetProvider
from debugtui.themes import DEFAULT_THEME, choose, register
from debugtui.themes.tones import Tone
from debugtui.widgets.backlog import backlog
from debugtui.widgets.bar import Bar
from debugtui.widgets.spans import economical

if TYPE_CHECKING:
    from debugtui.alerts.keeper import AlertKeeper
    from debugtui.config.ask import Asker
    from debugtui.config.models import Config
    from debugtui.fleet.fleet import Fleet
    from debugtui.fleet.log_origins import LogCatalogue
    from debugtui.remediation.desk import Desk
    from debugtui.screens.doctor import Doctor
    from debugtui.screens.repair.flow import RepairFlow

#: Seconds between two looks at whether something changed. Updates that arrive in between share one frame.
TICK = 0.5
#: Frames waiting for the terminal above which nothing more is painted: on a slow link the queue is what the operator waits for.
BACKLOG = 3

_log = logging.getLogger(__name__)


class DebugTui(Actions):
    """The application."""

    TITLE = "DebugTUI"
    CSS = """
    Toast { background: $panel; color: $foreground; }
    Input:ansi > .input--cursor { background: ansi_default; color: ansi_default; text-style: reverse; }
    """
    MODES: ClassVar[dict[str, Any]] = {"fleet": MainScreen}
    DEFAULT_MODE = "fleet"
    ENABLE_COMMAND_PALETTE = True
    COMMAND_PALETTE_BINDING = "ctrl+p"
    COMMANDS: ClassVar[set[Any]] = {ActionProvider, TargetProvider}
    BINDINGS: ClassVar[list[BindingType]] = [
        binding for binding in bindings("app", {"help": "show_help"}) if binding.id != "app.palette"
    ]

    def __init__(
        self,
        *,
        config_path: Path | None = None,
        config: Config | None = None,
        fleet: Fleet | None = None,
        clock: Clock | None = None,
        demo: Any = None,
        state: Path | None = None,
    ) -> None:
        """Prepare; nothing is read or connected before the first frame.

        Args:
            config_path: the configuration file; None: the user's own.
            config: a configuration that is there already (the demo's).
            fleet: a fleet that is there already (tests).
            clock: time; the machine's where not given.
            demo: the demo's handle, closed at the end; None outside the demo.
            state: where alerts are remembered, for a fleet that is there already; None: nowhere.
        """
        super().__init__()
        self.clock = clock or SystemClock()
        self.fleet = fleet
        self.view = FleetView(self.clock.now())
        self.alerts: tuple[Alert, ...] = ()
        self.diagnosis: Diagnosis | None = None
        self.operator_keys: dict[str, str] = {}
        self.desk: Desk | None = None
        self.repairs: RepairFlow | None = None
        self.doctor: Doctor | None = None
        self._warned = False
        self._catalogue: LogCatalogue | None = None
        self._asker: Asker | None = None
        self._config_path = config_path
        self._config = config
        self._demo = demo
        self._memory_folder = state
        self._keeper: AlertKeeper | None = None
        self._problems_said = 0
        self._paused = False
        self._painted_version = -1
        self._painted_second = -1
        self._header_words: tuple[tuple[str, Tone], ...] = ()
        register(self)
        self.theme = choose(DEFAULT_THEME, no_color=self.no_color)

    # Start and end

    def on_mount(self) -> None:
        """Paint the empty screen first; everything else comes after it."""
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGHUP):
            loop.add_signal_handler(number, self._ended_by, number)
        self.set_interval(TICK, self._tick)
        self.call_after_refresh(self._begin)

    def _ended_by(self, number: signal.Signals) -> None:
        self.exit(return_code=128 + number)

    def _begin(self) -> None:
        self._header()
        self.run_worker(self._connect(), name="connect", exit_on_error=False)

    async def _connect(self) -> None:
        try:
            if self.fleet is None:
                self.fleet = await self._build()
            elif self._memory_folder is not None:
                await self.keeper.open(self._memory_folder)
            if self.fleet is not None:
                self._keep_alerts()
                self.attend()
                await self.fleet.start()
        except Exception as error:  # noqa: BLE001 - a fault of ours: say so on the screen instead of dying without a word
            _log.exception("starting")
            await self._trouble("DebugTUI could not start", [f"{type(error).__name__}: {error}"])

    async def _build(self) -> Fleet | None:
        """Load the configuration and build the fleet; None where the operator must mend something first."""
        from debugtui.screens.ask import ScreenAsker

        load_module, build_module = await asyncio.to_thread(_heavy_imports)
        config = self._config
        if config is None:
            try:
                config = await asyncio.to_thread(load_module.load_or_none, self._config_path)
            except load_module.ConfigError as error:
                await self._trouble("The configuration has errors", str(error).splitlines())
                return None
        if config is None:
            await self._first_start()
            return None
        self._apply(config)
        await self._open_alerts(config)
        factory = getattr(self._demo, "libvirt_factory", None)
        asker = self._asker = ScreenAsker(self)
        fleet: Fleet = build_module.build_fleet(
            config, asker, libvirt_factory=factory, state=getattr(self._demo, "state", None)
        )
        await self._open_desk(config, asker, fleet)
        await self._open_doctor(config, fleet)
        return fleet

    @property
    def keeper(self) -> AlertKeeper:
        """The book of alerts, and its memory; made when it is first asked for: the first frame does not wait for it."""
        if self._keeper is None:
            from debugtui.alerts.keeper import AlertKeeper

            self._keeper = AlertKeeper(clock=self.clock)
        return self._keeper

    def _keep_alerts(self) -> None:
        from debugtui.alerts.keeper import LOOK_EVERY

        self.set_interval(LOOK_EVERY, self._remember)

    async def _open_alerts(self, config: Config) -> None:
        """Take the rules of the configuration, and what earlier runs remember."""
        from debugtui.alerts.keeper import AlertKeeper
        from debugtui.alerts.settings import rules_of

        if self._keeper is not None:
            await self._keeper.close()
        self._keeper = AlertKeeper(rules_of(config.alerts), self.clock)
        self._problems_said = 0
        folder: Path | None = getattr(self._demo, "state", None)
        if folder is None:
            folder = await asyncio.to_thread(state_dir)
        await self.keeper.open(folder)
        self._say_problems()

    def _remember(self) -> None:
        self.run_worker(self._write_alerts(), name="remember", group="remember", exit_on_error=False)

    async def _write_alerts(self) -> None:
        await self.keeper.flush()
        self._say_problems()

    def _say_problems(self) -> None:
        """Say once what is wrong with the memory of alerts; alerts go on without it."""
        for problem in self.keeper.problems[self._problems_said :]:
            self.say(problem, "warn")
        self._problems_said = len(self.keeper.problems)

    async def _open_doctor(self, config: Config, fleet: Fleet) -> None:
        module = await asyncio.to_thread(import_module, "debugtui.screens.doctor")
        desk = self.desk
        assert desk is not None  # noqa: S101 - it was opened right before
        self.doctor = module.Doctor(fleet, config, self._diagnosed, desk.executions, self.clock.monotonic)

    def _diagnosed(self) -> None:
        self.diagnosis = self.doctor.diagnosis if self.doctor is not None else None
        self.repaint()

    async def _open_desk(self, config: Config, asker: Asker, fleet: Fleet) -> None:
        desk_module = await asyncio.to_thread(import_module, "debugtui.remediation.desk")
        previous, self.desk = self.desk, None
        if previous is not None:
            await previous.close()
        self.desk = desk_module.Desk(
            config,
            asker,
            fleet.link,
            fleet.fresh,
            state=getattr(self._demo, "state", None),  # what is repaired in the demo is no business of the user's own records
            clock=self.clock,
            libvirt=getattr(self._demo, "libvirt_opener", None),
        )
        if self._demo is None:
            folder = (self._config_path or config_file()).parent / "remediations"
            for problem in await asyncio.to_thread(import_module("debugtui.remediation.registry").load_own, folder):
                self.say(f"not used: {problem}", "warn")
        flow_module = await asyncio.to_thread(import_module, "debugtui.screens.repair.flow")
        self.repairs = flow_module.RepairFlow(self, self.desk)
        self.run_worker(self._tell_unended(), name="unended", exit_on_error=False)

    async def _tell_unended(self) -> None:
        """Say at the start what an earlier run left open."""
        if self.repairs is None:
            return
        found = await self.repairs.unended()
        if found:
            what = f"{found[0].remediation} on {found[0].target}" if len(found) == 1 else f"{len(found)} executions"
            self.say(f"{what} did not end: E shows what to do", "warn")

    def _apply(self, config: Config) -> None:
        """Take theme and keys from the configuration."""
        self._config = config
        self.operator_keys = dict(config.ui.keys)
        self.set_keymap(self.operator_keys)
        wanted = config.ui.theme if config.ui.theme in self.available_themes else DEFAULT_THEME
        self.theme = choose(wanted, no_color=self.no_color)
        if not config.ui.mouse:
            # The configuration is read after the first frame, when the driver has asked for the mouse already.
            give_back = getattr(self._driver, "_disable_mouse_support", None)
            if give_back is not None:
                give_back()

    async def _trouble(self, title: str, issues: list[str]) -> None:
        from debugtui.screens.trouble import TroubleScreen

        await self.push_screen(TroubleScreen(title, issues))

    async def _first_start(self) -> None:
        from debugtui.screens.connect import ConnectScreen

        await self.push_screen(ConnectScreen(self._config_path), self._configured)

    def _configured(self, saved: bool | None) -> None:
        if saved:
            self._config = None
            self.run_worker(self._connect(), name="connect", exit_on_error=False)
        else:
            self.exit()

    async def action_reload(self) -> None:
        """Read the configuration again, after the operator mended it."""
        self.pop_screen()
        self._config = None
        await self._connect()

    async def on_unmount(self) -> None:
        """End every task, connection and thread."""
        if self.repairs is not None:
            await self.repairs.leave()
        if self.doctor is not None:
            await self.doctor.stop()
        if self.desk is not None:
            await self.desk.close()
        if self._keeper is not None:
            await self._keeper.close()
        if self._catalogue is not None:
            await self._catalogue.close()
        if self.fleet is not None:
            await self.fleet.stop()

    def _fatal_error(self) -> None:
        # Textual's own prints the local variables of every frame, and those may hold a password. Ours goes to the log, which
        # redacts; the terminal gets one sentence.
        _log.error("the screen crashed", exc_info=True)
        error = sys.exc_info()[1]
        name = type(error).__name__ if error is not None else "an unknown error"
        self._exit_renderables.append(Content(f"DebugTUI crashed ({name}). {_log_place()}").plain)
        self.bell()
        self._close_messages_no_wait()

    # Painting

    def _display(self, screen: Screen[Any], renderable: Any) -> None:
        # A private hook of the pinned Textual: the one place where updates go to the terminal.
        super()._display(screen, economical(renderable))

    def _tick(self) -> None:
        second = int(self.clock.now().timestamp())
        changed = self.fleet is not None and self.fleet.version != self._painted_version
        if not changed and second == self._painted_second:
            return
        if backlog(self) > BACKLOG:
            return
        self._painted_second = second
        self.repaint()

    def repaint(self) -> None:
        """Paint the screen from the newest view now."""
        if not self.is_running:  # the screens are being taken apart, and a timer may fire between two of their widgets
            return
        if self.fleet is not None and not self._paused:
            self._painted_version = self.fleet.version
            self.view = self.fleet.view()
            self.alerts = self.keeper.judge(self.view)
            if self.doctor is not None:
                self.doctor.look(self.view, self.alerts)
            for screen in self.screen_stack:
                if isinstance(screen, MainScreen):
                    self._header_words = tuple(screen.header_words(self.view))
            if isinstance(self.screen, PaintedScreen) and self.screen.ready:
                self.screen.paint(self.view, self.alerts)
        self._header()

    def _header(self) -> None:
        left: list[tuple[str, Tone]] = [("DebugTUI", "heading")]
        if self._demo is not None:
            left.append(("DEMO: nothing here is real", "accent"))
        left += self._header_words
        right: list[tuple[str, Tone]] = []
        if self.repairs is not None and self.repairs.under_way:
            right.append(("EXECUTING e shows it", "accent"))
        if self._paused:
            right.append(("PAUSED", "warn"))
        if self.fleet is not None:
            right.append((f"every {self.fleet.refresh:g} s", "dim"))
        right.append((f"{self.clock.now().astimezone():%H:%M:%S}", ""))
        for bar in self.screen.query("#header").results(Bar):
            bar.show(left, right)

    def attend(self) -> None:
        """Tell the fleet what the operator looks at now."""
        if self.fleet is None:
            return
        from debugtui.fleet.fleet import Attention

        screen = self.screen
        opened = getattr(screen, "opened_source", None)
        if isinstance(screen, MainScreen):
            only = screen.only_host
            self.fleet.attend(Attention(kinds=screen.visible_kinds, hosts=NO_HOSTS | {only} if only else None))
        elif opened is not None:
            self.fleet.attend(Attention(kinds=frozenset({Kind.SYSTEM}), hosts=frozenset({opened[0]}), opened=opened))

    # What screens ask for

    @property
    def configuration(self) -> Config | None:
        """The configuration in use; None before it is read."""
        return self._config

    def open_target(self, target: Target, tab: str = "") -> None:
        """Open the detail screen of a target, at a tab; empty: at its first one."""
        from debugtui.screens.details import detail_screen

        screen = detail_screen(target, self.view)
        if screen is None:
            self.say(f"nothing more is known of {target}")
            return
        screen.begin_at(tab)
        self.push_screen(screen, lambda _: self._returned())
        self.call_after_refresh(self._opened)

    def say(self, text: str, tone: Tone = "") -> None:
        """Show a short message, as plain text."""
        severity = {"bad": "error", "warn": "warning"}.get(tone, "information")
        self.notify(text, markup=False, severity=severity, timeout=6)  # type: ignore[arg-type] # one of the three

    def copy(self, text: str, what: str) -> None:
        """Copy text to the terminal's clipboard and to a file, and say where."""
        from debugtui.config.redaction import redact

        safe = redact(text)
        folder = state_dir() / "copies"
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        name = "".join(letter if letter.isalnum() or letter in "-_." else "-" for letter in what)[:60]
        path = folder / f"{self.clock.now():%Y%m%d-%H%M%S}-{name}.txt"
        path.write_text(safe, encoding="utf-8")
        path.chmod(0o600)
        if len(safe) < 100_000:
            self.copy_to_clipboard(safe)
            self.say(f"copied to {path}, and to the terminal's clipboard if it allows that")
        else:
            self.say(f"copied to {path} (too long for the terminal's clipboard)")

    # The end

    def action_leave(self) -> None:
        """Leave; while something is executed, only when asked a second time."""
        if self.repairs is None or not self.repairs.under_way or self._warned:
            self.exit()
            return
        self._warned = True
        self.say("an execution is under way (e shows it); leave again to stop it after its step and leave it open", "warn")

    async def action_quit(self) -> None:
        """Leave."""
        self.action_leave()

    def get_system_commands(self, screen: Screen[Any]) -> Iterable[SystemCommand]:
        """Textual's own commands are in the action table already."""
        return ()


def _heavy_imports() -> tuple[Any, Any]:
    """Import what connects and polls, in a thread, while the first frame is on the screen."""
    from debugtui.config import load
    from debugtui.fleet import build

    import_module("debugtui.alerts.keeper")
    return load, build


def _log_place() -> str:
    from debugtui.config.logfile import log_file

    return f"Its log is {log_file()}."


def unusable_terminal() -> str | None:
    """Return why a full screen cannot be drawn here; None where it can."""
    if not (sys.stdin.isatty() and sys.stderr.isatty()):
        return "debugtui needs a terminal; for scripts there is: debugtui check --json"
    if os.environ.get("TERM", "dumb") in ("dumb", ""):
        return "this terminal (TERM=dumb) cannot draw a full screen; there is: debugtui check"
    return None


def run(config_path: Path | None = None, demo: Any = None) -> int:
    """Open the screen; return the exit code of the process."""
    reason = unusable_terminal()
    if reason is not None:
        sys.stderr.write(f"{reason}\n")
        return 2
    from debugtui.config.logfile import log_to_file

    folder = getattr(demo, "folder", None)
    log_to_file(folder / "screen.log" if folder is not None else None)  # a demo leaves nothing behind, not even a log
    app = DebugTui(config_path=config_path, config=getattr(demo, "config", None), demo=demo)
    app.run(mouse=True)
    return app.return_code or 0
