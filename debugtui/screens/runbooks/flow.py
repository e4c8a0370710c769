"""From a row to the runbook that fits it. Runs as a worker of the application."""

from __future__ import annotations

import asyncio
import getpass
from pathlib import Path
from typing import TYPE_CHECKING

from debugtui.model.runbook import RunbookRun
from debugtui.model.source import Kind
from debugtui.model.target import NO_HOSTS, Target
from debugtui.screens.runbooks.choose import ChooseRunbookScreen
from debugtui.screens.runbooks.screen import RunbookScreen

if TYPE_CHECKING:
    from debugtui.config.ask import Asker
    from debugtui.config.models import Config
    from debugtui.screens.console import Console

#: Where runs are kept, in the state directory.
RUNS = "runbooks.sqlite"


async def open_runbooks(
    app: Console, config: Config, asker: Asker, folder: Path | None, state: Path | None, target: Target | None, named: str = ""
) -> None:
    """Offer the runbooks that fit what the cursor stands on, and open the chosen one.

    Args:
        app: the application, connected.
        config: its configuration.
        asker: asks for secrets of monitoring servers.
        folder: of the user's own runbooks.
        state: directory that runs are kept in; the user's own where None.
        target: what the cursor stands on; None: nothing of ours.
        named: a runbook that a finding names: opened without asking, where it is there.
    """
    from debugtui.diagnosis.runbooks.aim import Aim
    from debugtui.diagnosis.runbooks.fit import fitting
    from debugtui.diagnosis.runbooks.load import load
    from debugtui.diagnosis.runbooks.run import Bench, Runner, new_run
    from debugtui.fleet.topology.build import build_topology

    shelf = await asyncio.to_thread(load, folder)
    for problem in shelf.problems:
        app.say(f"not used: {problem}", "warn")
    about = target or _first_host(app)
    if about is None or app.fleet is None:
        app.say("no host is connected that a runbook could look at")
        return
    fits = fitting(shelf, about, app.alerts, config.services, named) if target is not None else ()
    found = shelf.get(named) if named else None
    if found is None:
        others = [one for one in shelf.found if one not in fits]
        found = await app.push_screen_wait(ChooseRunbookScreen(str(about), fits, others, config.ui.language))
    if found is None or app.fleet is None:
        return
    topology = await asyncio.to_thread(build_topology, app.view, config)
    runner = Runner(Bench(app.fleet, config, asker, app.clock), found.runbook, Aim(about, topology=topology))
    run = new_run(runner, app.clock, operator=_login(), language=config.ui.language)
    app.push_screen(RunbookScreen(runner, run, lambda done: _keep(state, done)))


def _first_host(app: Console) -> Target | None:
    return next((Target(host.name, Kind.SYSTEM) for host in app.view.hosts if host.name not in NO_HOSTS), None)


def _keep(state: Path | None, run: RunbookRun) -> None:
    from debugtui.config.paths import state_dir
    from debugtui.storage.runbook_runs import RunbookRuns

    store = RunbookRuns((state or state_dir()) / RUNS)
    try:
        store.save(run)
    finally:
        store.close()


def _login() -> str:
    try:
        return getpass.getuser()
    except (OSError, KeyError):
        return ""
