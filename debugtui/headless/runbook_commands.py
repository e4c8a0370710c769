"""The runbooks from the command line: list, show, run, check, and what earlier runs left."""

from __future__ import annotations

import asyncio
import getpass
import json
import signal
import sys
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any, NoReturn, TypeVar

import click

from debugtui.config import paths
from debugtui.config.load import ConfigError, ConfigIssue, load, render_key
from debugtui.config.models import Config
from debugtui.config.redaction import hide, redact
from debugtui.diagnosis.runbooks import load as loading
from debugtui.diagnosis.runbooks.aim import Aim, AimError, Around, aim_at
from debugtui.diagnosis.runbooks.markdown import markdown
from debugtui.diagnosis.runbooks.models import Runbook
from debugtui.diagnosis.runbooks.needs import needs
from debugtui.diagnosis.runbooks.run import Bench, Runner, new_run, with_step
from debugtui.fleet.build import build_fleet
from debugtui.headless import runbook_text
from debugtui.headless.asker import terminal_asker
from debugtui.headless.check import read_once
from debugtui.model.clock import SystemClock
from debugtui.model.jsonable import jsonable
from debugtui.model.runbook import RunbookRun, StepRun, exit_code
from debugtui.storage.problems import StorageError
from debugtui.storage.runbook_runs import RunbookRuns

T = TypeVar("T")

#: Exit codes: how a command was called is wrong; nothing could be read or kept. `run` only ends with the second one, since 2
#: says "critical" there.
USAGE, UNREADABLE = 2, 3
#: Where the user's own lie, beside the configuration file; where the runs are kept, in the state directory.
FOLDER, RUNS = "runbooks", "runbooks.sqlite"


def _end(says: str, code: int) -> NoReturn:
    click.echo(redact(says), err=True)
    sys.exit(code)


def _print_json(document: object) -> None:
    click.echo(hide(json.dumps(document, ensure_ascii=False)))


def _config_file(context: click.Context) -> Path:
    file: Path = context.obj["config"] or paths.config_file()
    return file


def _shelf(context: click.Context) -> loading.Shelf:
    shelf = loading.load(_config_file(context).parent / FOLDER)
    for problem in shelf.problems:
        click.echo(redact(f"not used: {problem}"), err=True)
    return shelf


def _found(context: click.Context, name: str, code: int = USAGE) -> loading.Found:
    shelf = _shelf(context)
    found = shelf.get(name)
    if found is None:
        near = shelf.nearest(name)
        _end(f"there is no runbook {name!r}" + (f"; did you mean {near!r}?" if near else ""), code)
    return found


def _config(context: click.Context) -> Config:
    try:
        return load(context.obj["config"])
    except ConfigError as error:
        _end(str(error), UNREADABLE)


def _run(work: Coroutine[Any, Any, T]) -> T:
    try:
        return asyncio.run(work)
    except (asyncio.CancelledError, KeyboardInterrupt):
        _end("stopped", UNREADABLE)
    except StorageError as error:
        _end(str(error.problem), UNREADABLE)


@click.group(invoke_without_command=True)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document and nothing else.")
@click.pass_context
def runbooks(context: click.Context, as_json: bool) -> None:
    """List the runbooks: what to look at when something is wrong, in which order."""
    if context.invoked_subcommand is not None:
        return
    shelf = _shelf(context)
    if as_json:
        _print_json({"version": 1, "runbooks": [runbook_text.summary(one) for one in shelf.found]})
        return
    for line in runbook_text.listed(shelf.found):
        click.echo(line)


@runbooks.command("show")
@click.argument("name")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document and nothing else.")
@click.pass_context
def show(context: click.Context, name: str, as_json: bool) -> None:
    """Show the steps of a runbook, what each verdict means, and typical causes."""
    found = _found(context, name)
    if as_json:
        _print_json({"version": 1, **runbook_text.document(found)})
        return
    for line in runbook_text.shown(found):
        click.echo(line)


@runbooks.command("check")
@click.argument("file", type=click.Path(path_type=Path))
def check(file: Path) -> None:
    """See whether a file is a sound runbook: keys, paths, commands, SQL, names of remediations."""
    try:
        runbook = loading.read(file)
    except loading.RunbookError as error:
        _end(str(error), USAGE)
    issues = list(_unknown_remediations(runbook, str(file)))
    if issues:
        _end("\n".join(str(issue) for issue in issues), USAGE)
    click.echo(f"{file}: {runbook.name}, {len(runbook.steps)} steps, sound")


def _unknown_remediations(runbook: Runbook, file: str) -> list[ConfigIssue]:
    """Return what names no remediation. Own ones are not looked at: their files are another folder's business."""
    from debugtui.config.faults import nearest
    from debugtui.remediation.registry import CATALOGUE

    return [
        ConfigIssue(file, None, render_key(place), f"there is no remediation {name}", nearest(name, tuple(CATALOGUE)))
        for place, name in runbook.remediations()
        if name not in CATALOGUE and not name.startswith("own.")
    ]


@runbooks.command("run")
@click.argument("name")
@click.argument("target")
@click.option("--step", "wanted", help="Only this step: its number or its id.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document and nothing else.")
@click.option("--markdown", "as_markdown", is_flag=True, help="Print it as Markdown.")
@click.option("--operator", default="", help="What you call yourself.")
@click.pass_context
def run(
    context: click.Context, name: str, target: str, wanted: str | None, as_json: bool, as_markdown: bool, operator: str
) -> None:
    """Run a runbook on a target (HOST/KIND/NAME, a host, or a service of the catalogue). Every step only looks.

    Exit code: 0 ok, 1 warning, 2 critical, 3 unknown.
    """
    runbook = _found(context, name, UNREADABLE).runbook
    config = _config(context)
    try:
        aim = aim_at(target, config)
    except AimError as error:
        _end(str(error), UNREADABLE)
    number = _number(runbook, wanted) if wanted is not None else None
    tell = None if as_json or as_markdown else _InOrder(number or 1)
    done = _run(_run_on(config, runbook, aim, number, operator or _login(), tell))
    if as_json:
        _print_json({"version": 1, **run_document(done)})
    elif as_markdown:
        click.echo(markdown(done), nl=False)
    else:
        for line in runbook_text.ending(done):
            click.echo(line)
    context.exit(exit_code(done.verdict))


def _number(runbook: Runbook, wanted: str) -> int:
    ids = [step.id for step in runbook.steps]
    if wanted in ids:
        return ids.index(wanted) + 1
    if wanted.isdecimal() and 1 <= int(wanted) <= len(ids):
        return int(wanted)
    _end(f"{runbook.name} has no step {wanted!r} (there are 1 to {len(ids)}: {', '.join(ids)})", UNREADABLE)


def _login() -> str:
    try:
        return getpass.getuser()
    except (OSError, KeyError):
        return ""


class _InOrder:
    """Prints steps in the order of the runbook, whichever ends first."""

    def __init__(self, first: int = 1) -> None:
        self._next = first
        self._waiting: dict[int, StepRun] = {}

    def __call__(self, step: StepRun) -> None:
        self._waiting[step.number] = step
        while self._next in self._waiting:
            for line in runbook_text.step_lines(self._waiting.pop(self._next)):
                click.echo(line)
            self._next += 1


async def _run_on(
    config: Config, runbook: Runbook, aim: Aim, number: int | None, operator: str, tell: Callable[[StepRun], None] | None
) -> RunbookRun:
    clock = SystemClock()
    asker = terminal_asker()
    kept, kinds = needs(config, runbook, Around(config, aim))
    fleet = build_fleet(kept, asker)
    fleet.keep(lambda source: source.kind in kinds)
    bench = Bench(fleet, config, asker, clock)
    runner = Runner(bench, runbook, aim)
    task = asyncio.current_task()
    if task is not None:
        for number_of_signal in (signal.SIGTERM, signal.SIGHUP):
            asyncio.get_running_loop().add_signal_handler(number_of_signal, task.cancel)
    try:
        await read_once(fleet)
        done = new_run(runner, clock, operator=operator, language=config.ui.language)
        steps = await runner.all(tell) if number is None else (await runner.step(number),)
        for step in steps:
            done = with_step(done, step)
        if number is not None and tell is not None:
            tell(steps[0])
        await asyncio.to_thread(_keep, done)
        return done
    finally:
        await runner.close()
        await fleet.close_sources()
        await fleet.stop()


def _keep(done: RunbookRun) -> None:
    """Keep the run; where that is not possible it is said, and the run is shown all the same."""
    try:
        store = RunbookRuns(paths.state_dir() / RUNS)
    except (StorageError, OSError) as error:
        click.echo(redact(f"not kept: {error}"), err=True)
        return
    try:
        store.save(done)
    except StorageError as error:
        click.echo(redact(f"not kept: {error}"), err=True)
    finally:
        store.close()


def run_document(done: RunbookRun) -> dict[str, object]:
    """Return a run as JSON: everything that is kept of it, and its verdict."""
    body = jsonable(done)
    assert isinstance(body, dict)  # noqa: S101 - of a dataclass
    return {**body, "verdict": done.verdict.value, "exit_code": exit_code(done.verdict)}


@runbooks.command("runs")
@click.option("--target", default="", help="Only those of this target.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document and nothing else.")
def runs(target: str, as_json: bool) -> None:
    """List the runs that are kept, newest first."""
    found = _stored(lambda store: store.newest(target=target))
    if as_json:
        _print_json({"version": 1, "runs": [runbook_text.run_summary(one) for one in found]})
        return
    for one in found:
        click.echo(redact(runbook_text.run_line(one)))


@runbooks.command("export")
@click.argument("number")
@click.option("--json", "as_json", is_flag=True, help="Print JSON instead of Markdown.")
def export(number: str, as_json: bool) -> None:
    """Print a kept run as Markdown, for the incident's record."""
    found = _stored(lambda store: store.get(number))
    if found is None:
        _end(f"there is no run {number!r}; debugtui runbooks runs lists them", USAGE)
    if as_json:
        _print_json({"version": 1, **run_document(found)})
    else:
        click.echo(redact(markdown(found)), nl=False)


def _stored(read: Callable[[RunbookRuns], T]) -> T:
    try:
        store = RunbookRuns(paths.state_dir() / RUNS)
    except StorageError as error:
        _end(str(error.problem), UNREADABLE)
    try:
        return read(store)
    except StorageError as error:
        _end(str(error.problem), UNREADABLE)
    finally:
        store.close()
