"""The repair commands: the same engine as behind the screen, with JSON and exit codes."""

from __future__ import annotations

import json
import os
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import click

from debugtui.config.models import Config
from debugtui.headless import plan_text
from debugtui.headless.asker import terminal_asker
from debugtui.headless.repair_parts import (
    REFUSED,
    UNREADABLE,
    USAGE,
    config_of,
    end,
    execute,
    finish,
    leave_it,
    load_own,
    print_json,
    run,
    stored_plan,
    teller,
)
from debugtui.headless.workbench import workbench
from debugtui.model.execution import Progress, State
from debugtui.model.jsonable import jsonable
from debugtui.model.plan import Plan, PlanFormatError, RiskClass, plan_from_json
from debugtui.model.target import Target
from debugtui.remediation import registry
from debugtui.remediation.approvals import HOLD_S, ApprovalError, current_person, make_second
from debugtui.remediation.base import PlanError
from debugtui.remediation.desk import Desk
from debugtui.remediation.place import hosts_of

_PLAN_LIMIT = 4_000_000


def _read_plan(path: Path) -> Plan:
    try:
        with path.open("rb") as file:
            data = file.read(_PLAN_LIMIT + 1)
    except OSError as error:
        end(f"{path} cannot be read: {error.strerror}", USAGE)
    if len(data) > _PLAN_LIMIT:
        end(f"{path} is no plan: it is larger than {_PLAN_LIMIT // 1_000_000} MB", REFUSED)
    try:
        return plan_from_json(json.loads(data))
    except (PlanFormatError, ValueError, RecursionError) as error:
        end(f"refused: {path}: {error}", REFUSED)


def _write_new(path: Path, text: str) -> None:
    """Write a file that only its owner reads, whole or not at all."""
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        Path(name).replace(path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise


# --- remediations, plan, show


@click.command()
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document and nothing else.")
@click.option("--layer", help="Only this layer: postgres, docker, libvirt, system...")
@click.pass_context
def remediations(context: click.Context, /, as_json: bool, layer: str | None) -> None:
    """List what can be repaired: parameters, risk, what is exact to undo, guards."""
    load_own(context)
    specs = [remediation.spec for remediation in registry.everything(layer)]
    if not as_json:
        for line in plan_text.spec_lines(specs):
            click.echo(line)
        return
    rows = [
        {
            "name": spec.name,
            "layer": spec.layer,
            "title": spec.title,
            "summary": spec.summary,
            "target": spec.target,
            "parameters": [jsonable(parameter) for parameter in spec.parameters],
            "risk": {"lowest": spec.risk[0], "highest": spec.risk[1]},
            "undo": spec.undo.value,
            "undo_exact": spec.undo.value == "exact",
            "undo_says": spec.undo_says,
            "guards": list(spec.guards),
        }
        for spec in specs
    ]
    print_json({"version": 1, "remediations": rows})


@click.command()
@click.argument("remediation")
@click.argument("target")
@click.option("-p", "--param", "params", multiple=True, metavar="KEY=VALUE", help="A parameter; may be given several times.")
@click.option("--out", type=click.Path(path_type=Path, dir_okay=False), help="Write the plan to this file.")
@click.option("--json", "as_json", is_flag=True, help="Print the plan as one JSON document and nothing else.")
@click.pass_context
def plan(
    context: click.Context, remediation: str, target: str, params: tuple[str, ...], out: Path | None, as_json: bool
) -> None:
    """Look at TARGET (HOST/KIND/NAME) and plan REMEDIATION for it. Nothing is changed.

    Exit code: 0 planned, 2 unknown or ambiguous target or parameter, 3 the target could not be read.
    """
    config = config_of(context)
    made = run(_make(config, remediation, target, params))
    document = json.dumps(made.to_json(), ensure_ascii=False, indent=2) + "\n"
    if out is not None:
        try:
            _write_new(out, document)
        except OSError as error:
            end(f"{out} cannot be written: {error.strerror}", UNREADABLE)
    if as_json:
        print_json(made.to_json())
    else:
        for line in plan_text.plan_lines(made):
            click.echo(line)
    for guard in made.refusals:
        click.echo(f"cannot be approved: {guard.name} is {guard.status.value}: {guard.why}", err=True)


async def _make(config: Config, remediation: str, target: str, params: Sequence[str]) -> Plan:
    registry.get(remediation)
    try:
        parsed = Target.parse(target)
    except ValueError as error:
        raise PlanError(str(error)) from None
    async with workbench(config, hosts_of(config, parsed), terminal_asker()) as desk:
        return await desk.plan(remediation, parsed, _params(params))


def _params(params: Sequence[str]) -> dict[str, str]:
    found: dict[str, str] = {}
    for text in params:
        name, equals, value = text.partition("=")
        if not equals or not name:
            raise PlanError(f"a parameter is KEY=VALUE, not {text!r}")
        if name in found:
            raise PlanError(f"the parameter {name} is given twice")
        found[name] = value
    return found


@click.command()
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--json", "as_json", is_flag=True, help="Print the plan as one JSON document and nothing else.")
def show(file: Path, as_json: bool) -> None:
    """Show a plan, after checking that it is what was made.

    Exit code: 0 it is, 2 it cannot be read, 5 it was changed or is none.
    """
    found = _read_plan(file)
    if as_json:
        print_json(found.to_json())
        return
    for line in plan_text.plan_lines(found):
        click.echo(line)


# --- approve, apply, rollback


@click.command()
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--out", required=True, type=click.Path(path_type=Path, dir_okay=False), help="Where to write the approval.")
@click.option("--operator", default="", help="What you call yourself.")
def approve(file: Path, out: Path, operator: str) -> None:
    """Approve a plan as the second person, on your own login.

    Exit code: 0 written, 2 the plan cannot be read, 5 refused.
    """
    from datetime import UTC, datetime

    from debugtui.model.approval_json import second_to_json

    found = _read_plan(file)
    try:
        second = make_second(found, current_person(operator), datetime.now(UTC))
    except ApprovalError as error:
        end(f"refused: {error}", REFUSED)
    try:
        _write_new(out, json.dumps(second_to_json(second), ensure_ascii=False, indent=2) + "\n")
        out.chmod(0o644)  # the first person has to read it; it holds no secret
    except OSError as error:
        end(f"{out} cannot be written: {error.strerror}", UNREADABLE)
    click.echo(f"{second.person.login} approves {found.remediation} on {found.target}, {found.digest}", err=True)


def _approval_options(command: Callable[..., None]) -> Callable[..., None]:
    for option in (
        click.option("--json", "as_json", is_flag=True, help="Print one JSON document and nothing else."),
        click.option("--operator", default="", help="What you call yourself; the login is recorded as well."),
        click.option("--break-glass", is_flag=True, help=f"Class 3, alone on call: held for {HOLD_S:.0f} s, and recorded."),
        click.option("--second-approval", type=click.Path(path_type=Path), help="Class 3: a second person's approval."),
        click.option("--reason", default="", help="Class 3: why."),
        click.option("--confirm", default="", metavar="TARGET", help="Class 2 and 3: the target's name, typed."),
        click.option("--approve", "digest", required=True, metavar="DIGEST", help="The digest of exactly this plan."),
    ):
        command = option(command)
    return command


@click.command()
@click.argument("file", type=click.Path(path_type=Path))
@_approval_options
@click.pass_context
def apply(context: click.Context, /, file: Path, as_json: bool, operator: str, digest: str, **words: Any) -> None:
    """Apply an approved plan: guards and target are read again, then its steps run, are verified, and rolled back if they fail.

    Exit code: 0 verified, 1 failed and nothing changed, 4 rolled back, 5 refused, 6 unknown.
    """
    found = _read_plan(file)
    _require_digest(found, digest)
    config = config_of(context)

    async def work(desk: Desk) -> Progress:
        approval = desk.approve(found, **_words(words))
        return await desk.apply(found, approval, teller(), leave_it)

    if found.risk.cls is RiskClass.SEVERE and words["break_glass"] and words["second_approval"] is None:
        _hold(found)
    finish(execute(config, found.target, operator, work), as_json)


@click.command()
@click.argument("execution")
@click.option("--approve", "digest", required=True, metavar="DIGEST", help="The digest of the plan that was executed.")
@click.option("--confirm", default="", metavar="TARGET", help="Where the rollback is not exact: the target's name, typed.")
@click.option("--reason", default="", help="Where the rollback is not exact and the plan was class 3: why.")
@click.option("--operator", default="", help="What you call yourself; the login is recorded as well.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document and nothing else.")
@click.pass_context
def rollback(context: click.Context, /, execution: str, as_json: bool, operator: str, digest: str, **words: Any) -> None:
    """Take back EXECUTION, by the rollback that its plan showed. DIGEST is that plan's.

    Exit code: 0 rolled back and verified, 1 failed and nothing changed, 2 no such execution, 5 refused, 6 unknown.
    """
    config = config_of(context)
    found = run(stored_plan(config, execution))
    _require_digest(found, digest)

    async def work(desk: Desk) -> Progress:
        approval = desk.approve_rollback(found, confirmed=words["confirm"], reason=words["reason"])
        return await desk.rollback(execution, approval, teller(), leave_it)

    progress = execute(config, found.target, operator, work)
    finish(progress, as_json, code=0 if progress.state is State.ROLLED_BACK else progress.exit_code)


def _require_digest(found: Plan, digest: str) -> None:
    if digest.removeprefix("sha256:") != found.digest.removeprefix("sha256:"):
        end(f"refused: {digest} is not the digest of this plan, which is {found.digest}", REFUSED)


def _words(words: dict[str, Any]) -> dict[str, Any]:
    return {
        "confirmed": words["confirm"],
        "reason": words["reason"],
        "second": words["second_approval"],
        "break_glass": words["break_glass"],
    }


def _hold(found: Plan) -> None:
    """Hold a break-glass confirmation: time enough to think again."""
    click.echo(f"break-glass: {found.solution} on {found.target}. Ctrl+C within {HOLD_S:.0f} s stops it.", err=True)
    until = time.monotonic() + HOLD_S
    try:
        while (left := until - time.monotonic()) > 0:
            time.sleep(min(left, 1.0))
    except KeyboardInterrupt:
        end("refused: not held to the end", REFUSED)
