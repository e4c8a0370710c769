"""A use of a runbook as Markdown: for the incident's record."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import datetime

from debugtui.model.runbook import RunbookRun, StepRun
from debugtui.model.text import line

_SIGNS = re.compile(r"([\\`*_\[\]<>#|!])")
#: Most lines of output that are kept of a step.
LINES = 200


def markdown(run: RunbookRun) -> str:
    """Return the whole document."""
    return "\n".join(_lines(run)).rstrip() + "\n"


def _lines(run: RunbookRun) -> Iterator[str]:
    yield f"# {_plain(run.title)}: {run.verdict.value}"
    yield ""
    yield f"- runbook: `{run.runbook}`"
    yield f"- target: {_code(str(run.target))}"
    if run.service:
        yield f"- service: {_plain(run.service)}"
    if run.operator:
        yield f"- operator: {_plain(run.operator)}"
    yield f"- began: {_time(run.started_at)}"
    yield f"- run: `{run.id}`"
    yield ""
    yield "| step | verdict | |"
    yield "|---|---|---|"
    for step in run.steps:
        yield f"| {step.number}. {_plain(step.title)} | {step.verdict.value} | {_plain(step.says)} |"
    for step in run.steps:
        yield ""
        yield from _step(step)


def _step(step: StepRun) -> Iterator[str]:
    yield f"## {step.number}. {_plain(step.title)}: {step.verdict.value}"
    yield ""
    yield f"{_time(step.at)}, {step.took_ms:.0f} ms. {_plain(step.says)}".rstrip()
    if step.means:
        yield ""
        yield _plain(step.means)
    for todo in step.todo:
        yield f"- {_plain(todo)}"
    for offer in step.offers:
        yield f"- would answer it: `{offer.name}` on {_code(str(offer.target))}"
    body = [*step.ran, *step.output.splitlines()]
    if body:
        yield ""
        yield from _fenced(body)


def _fenced(body: list[str]) -> Iterator[str]:
    """Yield lines between fences that none of them can close."""
    longest = max((len(run) for row in body for run in re.findall(r"`+", row)), default=0)
    fence = "`" * max(3, longest + 1)
    yield f"{fence}text"
    yield from body[:LINES]
    if len(body) > LINES:
        yield f"… ({len(body) - LINES} more lines)"
    yield fence


def _plain(text: str) -> str:
    return _SIGNS.sub(r"\\\1", line(text))


def _code(text: str) -> str:
    return f"`{line(text).replace('`', ' ')}`"


def _time(at: datetime) -> str:
    return f"{at:%Y-%m-%d %H:%M:%S} UTC"
