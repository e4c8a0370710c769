"""The commands of what was executed: list it, look at it, settle what did not end."""

from __future__ import annotations

import json
from typing import Any

import click

from debugtui.config.models import Config
from debugtui.config.redaction import redact
from debugtui.headless import plan_text
from debugtui.headless.asker import terminal_asker
from debugtui.headless.repair_parts import (
    config_of,
    execute,
    finish,
    leave_it,
    print_json,
    run,
    stored_plan,
    teller,
)
from debugtui.headless.workbench import workbench
from debugtui.model.execution import EXIT_CODES, Decision, Execution, Progress
from debugtui.model.jsonable import jsonable
from debugtui.remediation.desk import Desk


@click.group(invoke_without_command=True)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document and nothing else.")
@click.pass_context
def executions(context: click.Context, as_json: bool) -> None:
    """List what was executed, newest first; look at what did not end."""
    if context.invoked_subcommand is not None:
        return
    found = run(_list(config_of(context)))
    if as_json:
        print_json({"version": 1, "executions": [_row(execution) for execution in found]})
        return
    for execution in found:
        click.echo(redact(plan_text.execution_line(execution)))


async def _list(config: Config) -> tuple[Execution, ...]:
    async with workbench(config, (), terminal_asker()) as desk:
        return await desk.executions()


def _row(execution: Execution) -> dict[str, object]:
    return {
        "id": execution.id,
        "plan": execution.plan,
        "digest": execution.digest,
        "remediation": execution.remediation,
        "target": str(execution.target),
        "state": execution.state.value,
        "ended": execution.ended,
        "exit_code": EXIT_CODES.get(execution.state),
        "started_at": jsonable(execution.started_at),
        "changed_at": jsonable(execution.changed_at),
        "operator": execution.operator,
        "says": redact(execution.says),
    }


@executions.command("show")
@click.argument("execution")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document and nothing else.")
@click.pass_context
def show_execution(context: click.Context, execution: str, as_json: bool) -> None:
    """Show the journal of one execution."""
    config = config_of(context)

    async def work() -> Execution:
        async with workbench(config, (), terminal_asker()) as desk:
            return await desk.execution(execution)

    found = run(work())
    if as_json:
        entries = [{**_entry(entry), "detail": json.loads(entry.detail)} for entry in found.entries]
        print_json({"version": 1, **_row(found), "journal": entries})
        return
    click.echo(redact(plan_text.execution_line(found)))
    for entry in found.entries:
        step = f" step {entry.step}" if entry.step is not None else ""
        click.echo(redact(f"  {entry.at:%H:%M:%S}  {entry.state.value}{step}  {entry.detail}"))


def _entry(entry: Any) -> dict[str, object]:
    return {"sequence": entry.sequence, "state": entry.state.value, "at": jsonable(entry.at), "step": entry.step}


@executions.command("close")
@click.argument("execution")
@click.option("--note", required=True, help="What you found at the target.")
@click.option("--operator", default="", help="What you call yourself.")
@click.pass_context
def close_execution(context: click.Context, execution: str, note: str, operator: str) -> None:
    """Close an execution that did not end, after you looked at its target."""
    config = config_of(context)

    async def work() -> None:
        async with workbench(config, (), terminal_asker(), operator=operator) as desk:
            await desk.close_unknown(execution, note)

    run(work())
    click.echo(f"{execution} is closed", err=True)


@executions.command("resume")
@click.argument("execution")
@click.option(
    "--decide",
    "decision",
    type=click.Choice([decision.value for decision in Decision]),
    default=Decision.LEAVE.value,
    show_default=True,
    help="After looking at the target: watch on (and verify), roll back, or leave it.",
)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document and nothing else.")
@click.option("--operator", default="", help="What you call yourself.")
@click.pass_context
def resume_execution(context: click.Context, execution: str, decision: str, as_json: bool, operator: str) -> None:
    """Look at the target of an execution that did not end, and settle it. Nothing is ever sent twice."""
    config = config_of(context)
    found = run(stored_plan(config, execution))

    async def work(desk: Desk) -> Progress:
        return await desk.resume(execution, Decision(decision), teller(), leave_it)

    finish(execute(config, found.target, operator, work), as_json)
