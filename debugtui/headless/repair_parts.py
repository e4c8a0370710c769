"""What the repair commands share: sentences and exit codes, the run of one execution, and how its end is told."""

from __future__ import annotations

import asyncio
import json
import signal
import sys
from collections.abc import Awaitable, Callable, Coroutine
from pathlib import Path
from typing import Any, NoReturn, TypeVar

import click

from debugtui.config import paths
from debugtui.config.load import ConfigError, load
from debugtui.config.models import Config
from debugtui.config.redaction import redact
from debugtui.config.secrets import SecretError
from debugtui.headless import plan_text
from debugtui.headless.asker import terminal_asker
from debugtui.headless.workbench import workbench
from debugtui.hosts.link import LinkError
from debugtui.model.execution import EXIT_CODES, Decision, Progress, State
from debugtui.model.jsonable import jsonable
from debugtui.model.plan import Plan
from debugtui.model.target import Target
from debugtui.remediation import registry
from debugtui.remediation.approvals import ApprovalError
from debugtui.remediation.base import PlanError
from debugtui.remediation.desk import Desk
from debugtui.remediation.place import hosts_of
from debugtui.sources.base import SourceError
from debugtui.storage.problems import StorageError

T = TypeVar("T")

#: Exit codes beside those of `model.execution.EXIT_CODES`.
USAGE, UNREADABLE, REFUSED = 2, 3, EXIT_CODES[State.REFUSED]


def end(says: str, code: int) -> NoReturn:
    """Say why on standard error; a script that asked for JSON gets a refusal as JSON, too."""
    says = redact(says)
    click.echo(says, err=True)
    context = click.get_current_context(silent=True)
    if code == REFUSED and context is not None and context.params.get("as_json"):
        print_json({"version": 1, "state": State.REFUSED.value, "exit_code": code, "says": says.removeprefix("refused: ")})
    sys.exit(code)


def config_of(context: click.Context) -> Config:
    """Return the configuration, with the user's own remediations read; end where it has errors."""
    load_own(context)
    try:
        return load(context.obj["config"])
    except ConfigError as error:
        end(str(error), USAGE)


def load_own(context: click.Context) -> None:
    """Read the user's own remediations, beside the configuration file; name the broken ones."""
    file: Path = context.obj["config"] or paths.config_file()
    for problem in registry.load_own(file.parent / "remediations"):
        click.echo(redact(f"not used: {problem}"), err=True)


def run(work: Coroutine[Any, Any, T]) -> T:
    """Run to the end; what production can do becomes a sentence and an exit code."""
    try:
        return asyncio.run(work)
    except (PlanError, registry.UnknownRemediationError) as error:
        end(str(error), USAGE)
    except ApprovalError as error:
        end(f"refused: {error}", REFUSED)
    except (SourceError, LinkError, SecretError, StorageError) as error:
        end(str(error.problem), UNREADABLE)
    except (asyncio.CancelledError, KeyboardInterrupt):
        end("stopped", UNREADABLE)
    except TimeoutError:
        end("no answer in time", UNREADABLE)
    except OSError as error:
        end(f"{error.filename or 'the system'}: {error.strerror}", UNREADABLE)


def print_json(document: object) -> None:
    """Print one JSON document on standard output."""
    click.echo(json.dumps(document, ensure_ascii=False))


async def stored_plan(config: Config, execution: str) -> Plan:
    """Return the plan of an execution, from the journal."""
    async with workbench(config, (), terminal_asker()) as desk:
        return await desk.plan_of(execution)


def execute(config: Config, target: Target, operator: str, work: Callable[[Desk], Awaitable[Progress]]) -> Progress:
    """Do the work at a desk on the host of a target; signals stop it after the step under way."""

    async def work_at_desk() -> Progress:
        async with workbench(config, hosts_of(config, target), terminal_asker(), operator=operator) as desk:
            loop = asyncio.get_running_loop()
            for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
                loop.add_signal_handler(number, _stop, desk)
            return await work(desk)

    return run(work_at_desk())


def _stop(desk: Desk) -> None:
    click.echo("stopping after this step", err=True)
    desk.stop_after_step()


def teller() -> Callable[[Progress], None]:
    """Return what says on standard error how an execution goes on, each state once."""
    said = ""

    def tell(progress: Progress) -> None:
        nonlocal said
        text = f"{progress.state.value}: {progress.says}"
        if text != said:
            said = text
            click.echo(redact(text), err=True)

    return tell


async def leave_it(_progress: Progress) -> Decision:
    """Nobody is there to ask: what is inconclusive is left, as unknown."""
    return Decision.LEAVE


def finish(progress: Progress, as_json: bool, *, code: int | None = None) -> NoReturn:
    """Tell how an execution ended, and end with its exit code, or with `code`."""
    code = progress.exit_code if code is None else code
    if as_json:
        print_json(_document(progress, code))
    else:
        for line in plan_text.progress_lines(progress):
            click.echo(redact(line))
    sys.exit(code)


def _document(progress: Progress, code: int) -> dict[str, object]:
    return {
        "version": 1,
        "execution": progress.execution,
        "plan": progress.plan.id,
        "digest": progress.plan.digest,
        "remediation": progress.plan.remediation,
        "target": str(progress.plan.target),
        "state": progress.state.value,
        "exit_code": code,
        "says": progress.says,
        "moved": list(progress.moved),
        "steps": jsonable(progress.steps),
        "checks": jsonable(progress.checks),
        "rollback": jsonable(progress.rollback),
        "rollback_checks": jsonable(progress.undo_checks),
        "side_effects": list(progress.side_effects),
        "compared": jsonable(progress.compared),
        "record": progress.record or None,
    }
