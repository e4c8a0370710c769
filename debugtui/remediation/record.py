"""The Markdown record of an execution, for people: who changed what, why, and what came of it."""

from __future__ import annotations

import difflib
import os
import re
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

from debugtui.config.redaction import redact
from debugtui.model.execution import Approval, CheckProgress, Compared, Execution, Progress, StepProgress
from debugtui.model.plan import Plan
from debugtui.model.text import clean, line
from debugtui.remediation.risk import one_line

#: Seconds that git may take.
GIT_LIMIT = 20.0
_DIFF_LINES = 400
_SLUG = re.compile(r"[^a-z0-9]+")
_SPECIAL = re.compile(r"([\\`*_{}\[\]<>()#+!|~])")
_TICKS = re.compile(r"`+")


def write_record(
    folder: Path, execution: Execution, plan: Plan, approval: Approval, progress: Progress, *, head: str = ""
) -> Path:
    """Write the record of an ended execution; return its path. An existing file is never written over.

    Args:
        folder: where to; made where absent.
        execution: with its journal.
        plan: what was executed.
        approval: of whom.
        progress: how it ended.
        head: newest hash of the audit log.

    Raises:
        OSError: it could not be written.
    """
    folder.mkdir(parents=True, exist_ok=True)
    text = "\n".join(_lines(execution, plan, approval, progress, head)) + "\n"
    slug = _SLUG.sub("-", f"{plan.remediation} {plan.target}".lower()).strip("-")[:80]
    name = f"{execution.started_at:%Y-%m-%d-%H-%M}-{slug}"
    handle, temporary = tempfile.mkstemp(dir=folder, prefix=f".{name}.")
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            file.write(redact(text))
            file.flush()
            os.fsync(file.fileno())
        for number in range(1, 1_000):
            path = folder / (f"{name}.md" if number == 1 else f"{name}-{number}.md")
            try:
                os.link(temporary, path)
            except FileExistsError:
                continue
            return path
        raise FileExistsError(f"{folder} holds a thousand records of that name")
    finally:
        Path(temporary).unlink(missing_ok=True)


def commit_record(path: Path, says: str) -> str:
    """Commit one record to the git work tree that it lies in; return what git said where it failed, empty where it did not."""
    for words in (("add", "--", path.name), ("commit", "--quiet", "--only", "-m", line(says, 200), "--", path.name)):
        try:
            done = subprocess.run(
                ["git", *words],
                cwd=path.parent,
                env={**os.environ, "GIT_TERMINAL_PROMPT": "0"},
                stdin=subprocess.DEVNULL,
                capture_output=True,
                timeout=GIT_LIMIT,
                check=False,
            )
        except (OSError, subprocess.TimeoutExpired) as error:
            return f"git {words[0]}: {type(error).__name__}"
        if done.returncode:
            return redact(line(f"git {words[0]}: {clean(done.stderr, 400)}", 500))
    return ""


def _text(value: str) -> str:
    """Return a text on one line, with nothing in it that Markdown would read."""
    return _SPECIAL.sub(r"\\\1", line(value, 2_000))


def _block(language: str, value: str) -> Iterator[str]:
    """Yield a code block whose fence is longer than any run of ticks in it."""
    value = clean(value)
    fence = "`" * max(3, 1 + max((len(ticks) for ticks in _TICKS.findall(value)), default=0))
    yield f"{fence}{language}"
    yield from value.rstrip("\n").split("\n")
    yield fence


def _lines(execution: Execution, plan: Plan, approval: Approval, progress: Progress, head: str) -> Iterator[str]:
    yield f"# {_text(plan.remediation)} on {_text(str(plan.target))}"
    yield ""
    yield f"- Outcome: **{progress.state.value}**: {_text(progress.says)}"
    yield f"- Begun: {execution.started_at:%Y-%m-%d %H:%M:%S} UTC, ended: {execution.changed_at:%Y-%m-%d %H:%M:%S} UTC"
    yield f"- Approved by: {_text(approval.person.name)} (login {_text(approval.person.login)}, {_text(approval.person.where)})"
    if approval.second is not None:
        second = approval.second.person
        yield f"- Second person: {_text(second.name)} (login {_text(second.login)}, {_text(second.where)})"
    if approval.break_glass and approval.second is None:
        yield "- **Break-glass**: approved alone"
    if approval.reason:
        yield f"- Reason: {_text(approval.reason)}"
    yield f"- Risk: {_text(one_line(plan.risk))}"
    yield f"- Execution {execution.id}, plan {plan.id}, digest `{plan.digest}`"
    if head:
        yield f"- Audit log head: `{head}`"
    yield ""
    yield f"**Problem** {_text(plan.problem)} > **Solution** {_text(plan.solution)}"
    yield from _diff(plan)
    yield from _guards(plan)
    yield from _steps("Steps", progress.steps)
    yield from _checks("Checks", progress.checks)
    if progress.rollback or progress.undo_checks:
        yield from _steps("Rollback", progress.rollback)
        yield from _checks("Checks of the rollback", progress.undo_checks)
    yield from _list("Side effects", progress.side_effects)
    yield from _compared(progress.compared)
    yield from _list("Moved since the plan", progress.moved)
    yield from _list("Cannot be undone", plan.irreversible)


def _diff(plan: Plan) -> Iterator[str]:
    if plan.diff:
        yield ""
        yield "## Diff"
    for part in plan.diff:
        yield ""
        yield _text(part.title)
        yield ""
        found = list(difflib.unified_diff(part.before.splitlines(), part.after.splitlines(), lineterm=""))[2:]
        more = [f"... and {len(found) - _DIFF_LINES} more lines"] if len(found) > _DIFF_LINES else []
        yield from _block("diff", "\n".join([*found[:_DIFF_LINES], *more]))


def _guards(plan: Plan) -> Iterator[str]:
    yield ""
    yield "## Guards"
    yield ""
    for guard in plan.guards:
        evidence = f" ({_text(guard.evidence)})" if guard.evidence else ""
        yield f"- {guard.status.value} {_text(guard.name)}: {_text(guard.why)}{evidence}"


def _steps(title: str, steps: tuple[StepProgress, ...]) -> Iterator[str]:
    yield ""
    yield f"## {title}"
    for number, step in enumerate(steps, 1):
        took = f", {step.took_s:.1f} s" if step.took_s is not None else ""
        yield ""
        yield f"{number}. {_text(step.name)}: {step.state.value}{took}. {_text(step.says)}"
        yield ""
        yield from _block("", step.command)


def _checks(title: str, checks: tuple[CheckProgress, ...]) -> Iterator[str]:
    yield ""
    yield f"## {title}"
    yield ""
    for check in checks:
        verdict = check.verdict.value if check.verdict else "not finished"
        newest = f": {_text(check.samples[-1].value)}" if check.samples else ""
        yield f"- {verdict} {_text(check.name)}, held {check.held_s:.0f} of {check.watch_s:.0f} s{newest}"


def _compared(compared: tuple[Compared, ...]) -> Iterator[str]:
    if compared:
        yield from ("", "## Before and after", "", "| what users see | before | after | |", "|---|---|---|---|")
        for one in compared:
            yield f"| {_text(one.name)} | {_text(one.before)} | {_text(one.after)} | {'worse' if one.worse else ''} |"


def _list(title: str, lines: tuple[str, ...]) -> Iterator[str]:
    if lines:
        yield ""
        yield f"## {title}"
        yield ""
        yield from (f"- {_text(text)}" for text in lines)
