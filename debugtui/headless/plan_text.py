"""A plan, an execution and the catalogue as lines of text."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Iterator

from debugtui.model.execution import Execution, Progress, State
from debugtui.model.plan import Plan, RiskClass
from debugtui.remediation import risk
from debugtui.remediation.approvals import HOLD_S
from debugtui.remediation.base import Spec

_DIFF_LINES = 400


def plan_lines(plan: Plan) -> Iterator[str]:
    """Yield everything that the approval shows."""
    yield f"{plan.remediation}  {plan.target}  {plan.id}"
    yield f"Problem   {plan.problem}"
    yield f"Solution  {plan.solution}"
    yield f"Risk      {risk.one_line(plan.risk)}"
    yield ""
    yield "Diff"
    for part in plan.diff:
        yield f"  {part.title}"
        yield from (f"    {line}" for line in _diff(part.before, part.after))
    yield "Steps (what is sent)"
    for number, step in enumerate(plan.steps, 1):
        yield f"  {number}. {step.name} (at most {step.timeout_s} s)"
        yield from (f"       {line}" for line in step.command.splitlines())
    yield "Rollback"
    for undo in plan.rollback:
        yield f"  {undo.name}"
        yield from (f"       {line}" for line in undo.command.splitlines())
    if not plan.rollback:
        yield "  none"
    for text in plan.irreversible:
        yield f"  cannot be undone: {text}"
    yield "Guards"
    for guard in plan.guards:
        yield f"  {guard.status.value:<7}  {guard.name}: {guard.why}"
        if guard.evidence:
            yield from (f"           {line}" for line in guard.evidence.splitlines())
    yield "Checks"
    for check in plan.checks:
        yield f"  {check.name} (watched for {check.watch_s} s): {check.why}"
    if plan.mitigations:
        yield "What would lower the risk"
        yield from (f"  {item.remediation + ': ' if item.remediation else ''}{item.why}" for item in plan.mitigations)
    yield ""
    yield f"Digest    {plan.digest}"
    yield f"Expires   {plan.expires_at:%Y-%m-%d %H:%M:%S} UTC"
    yield how_to_approve(plan)


def _diff(before: str, after: str) -> Iterator[str]:
    lines = list(difflib.unified_diff(before.splitlines(), after.splitlines(), lineterm="", n=3))[2:]
    yield from lines[:_DIFF_LINES]
    if len(lines) > _DIFF_LINES:
        yield f"... and {len(lines) - _DIFF_LINES} more lines"


def how_to_approve(plan: Plan) -> str:
    """Return one sentence: what an approval of this plan takes."""
    if plan.risk.cls >= RiskClass.STOP:
        return "Approval  none exists: class 4 (stop)"
    if plan.refusals:
        return "Approval  refused: " + "; ".join(f"{guard.name} is {guard.status.value}" for guard in plan.refusals)
    takes = f"Approval  --approve {plan.digest}"
    if plan.risk.cls >= RiskClass.CAREFUL:
        takes += f" --confirm {plan.short_name}"
    if plan.risk.cls >= RiskClass.SEVERE:
        takes += f" --reason TEXT --second-approval FILE (or --break-glass, held for {HOLD_S:.0f} s)"
    return takes


def progress_lines(progress: Progress) -> Iterator[str]:
    """Yield how an execution ended."""
    yield f"{progress.state.value.upper()}: {progress.says}"
    yield from (f"  moved: {line}" for line in progress.moved)
    for step in (*progress.steps, *progress.rollback):
        took = f"  {step.took_s:.1f} s" if step.took_s is not None else ""
        yield f"  {step.state.value:<8} {step.name}{took}{'  ' + step.says if step.says else ''}"
    for check in (*progress.checks, *progress.undo_checks):
        verdict = check.verdict.value if check.verdict else "not finished"
        newest = f": {check.samples[-1].value}" if check.samples else ""
        yield f"  {verdict:<12} {check.name}, held {check.held_s:.0f} of {check.watch_s:.0f} s{newest}"
    yield from (f"  side effect: {line}" for line in progress.side_effects)
    for one in progress.compared:
        yield f"  {'worse' if one.worse else 'seen':<12} {one.name}: {one.before} before, {one.after} now"
    if progress.record:
        yield f"  record: {progress.record}"
    if progress.state is State.UNKNOWN:
        yield f"  look at the target, then: debugtui executions close {progress.execution} --note TEXT"


def execution_line(execution: Execution) -> str:
    """Return one execution on one line."""
    return (
        f"{execution.started_at:%Y-%m-%d %H:%M:%S}  {execution.id}  {execution.state.value:<12}  "
        f"{execution.remediation}  {execution.target}  {execution.operator}  {execution.says}"
    )


def spec_lines(specs: Iterable[Spec]) -> Iterator[str]:
    """Yield the catalogue."""
    for spec in specs:
        low, high = spec.risk
        yield f"{spec.name}  class {low}" + (f"-{high}" if high != low else "") + f"  undo {spec.undo.value}"
        yield f"    {spec.summary}"
        yield f"    target {spec.target}"
        for parameter in spec.parameters:
            need = "" if parameter.required else f" (default {parameter.default})" if parameter.default else " (optional)"
            yield f"    -p {parameter.name}{'.KEY' if parameter.prefix else ''}=...  {parameter.help}{need}"
