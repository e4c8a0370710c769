"""`debugtui diagnose`: read everything twice, look again at what is suspicious, name the root causes with their evidence."""

from __future__ import annotations

import asyncio
import json
import logging
import signal
from collections.abc import Iterator
from enum import IntEnum
from pathlib import Path

import click

from debugtui.config.load import ConfigError, load
from debugtui.config.models import Config
from debugtui.config.paths import state_dir
from debugtui.config.redaction import hide, redact
from debugtui.diagnosis.own.making import span
from debugtui.diagnosis.round import one_round
from debugtui.fleet.build import build_fleet
from debugtui.headless.asker import terminal_asker
from debugtui.headless.check import CONNECT_LIMIT, require_hosts
from debugtui.model.alerts import Severity
from debugtui.model.diagnosis import Diagnosis, Evidence, Finding
from debugtui.model.execution import Execution
from debugtui.model.jsonable import jsonable
from debugtui.storage.problems import StorageError

_log = logging.getLogger(__name__)


class Answer(IntEnum):
    """The exit codes of a diagnosis."""

    NOTHING = 0
    FINDINGS = 1
    CRITICAL = 2
    UNDECIDED = 3


@click.command()
@click.option("--host", "hosts", multiple=True, help="Only this host; may be given several times.")
@click.option("--watch", type=click.FloatRange(0, 3600), default=0.0, help="Look on for so many seconds before deciding.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document and nothing else.")
@click.pass_context
def diagnose(context: click.Context, hosts: tuple[str, ...], watch: float, as_json: bool) -> None:
    """Name the root cause of what is wrong: its layer, what is at fault, the evidence, what answers it.

    Exit code: 0 nothing found, 1 findings, 2 critical findings, 3 nothing found but something could not be decided.
    """
    try:
        config = load(context.obj["config"])
        require_hosts(config, hosts)
    except ConfigError as error:
        click.echo(str(error), err=True)
        context.exit(Answer.UNDECIDED)
    try:
        found = asyncio.run(_look(config, frozenset(hosts), watch))
    except asyncio.CancelledError:
        click.echo("stopped before everything was read", err=True)
        context.exit(Answer.UNDECIDED)
    except Exception as error:  # noqa: BLE001 - a traceback's exit code would read as "findings" to a script
        click.echo(redact(f"a fault of DebugTUI: {type(error).__name__}: {error}"), err=True)
        context.exit(Answer.UNDECIDED)
    if as_json:
        click.echo(hide(json.dumps(document(found), ensure_ascii=False)))
    else:
        for row in report(found):
            click.echo(redact(row))
    context.exit(answer_of(found))


async def _look(config: Config, hosts: frozenset[str], watch: float) -> Diagnosis:
    if hosts:
        config = config.model_copy(update={"hosts": tuple(one for one in config.hosts if one.name in hosts)})
        config = config.model_copy(update={"groq": tuple(one for one in config.groq if one.via in hosts)})
    fleet = build_fleet(config, terminal_asker())
    task, loop = asyncio.current_task(), asyncio.get_running_loop()
    if task is not None:
        for number in (signal.SIGTERM, signal.SIGHUP):
            loop.add_signal_handler(number, task.cancel)
    try:
        for link in fleet.links:
            await link.start()
        await asyncio.gather(*(link.wait_settled(CONNECT_LIMIT) for link in fleet.links))
        executions = await asyncio.to_thread(newest_executions, state_dir() / "journal.db")
        return await one_round(fleet, config, executions, watch_s=watch)
    finally:
        await fleet.close_sources()
        await fleet.stop()


def newest_executions(path: Path) -> tuple[Execution, ...]:
    """Return our own newest executions; none where nothing was ever executed. A journal that cannot be read changes nothing."""
    if not path.exists():
        return ()
    from debugtui.storage.journal import Journal

    try:
        journal = Journal(path)
    except StorageError as error:
        _log.warning("%s", error)
        return ()
    try:
        return journal.executions(50)
    except StorageError as error:
        _log.warning("%s", error)
        return ()
    finally:
        journal.close()


def answer_of(found: Diagnosis) -> Answer:
    """Return the exit code."""
    if any(one.severity is Severity.CRITICAL for one in found.findings):
        return Answer.CRITICAL
    if found.findings:
        return Answer.FINDINGS
    return Answer.UNDECIDED if found.undecided else Answer.NOTHING


def document(found: Diagnosis) -> dict[str, object]:
    """Return the JSON document of DESIGN's contract, version 1; what is beyond it comes after it."""
    return {
        "version": 1,
        "findings": [_finding(one) for one in found.findings],
        "undecided": [{"question": redact(one.question), "reading": one.reading} for one in found.undecided],
        "taken_at": jsonable(found.taken_at),
    }


def _finding(one: Finding) -> dict[str, object]:
    return {
        "id": one.id,
        "layer": one.layer.value,
        "target": str(one.target),
        "title": redact(one.title),
        "confidence": one.confidence,
        "evidence": [_evidence(row) for row in one.evidence],
        "impact": [redact(row) for row in one.impact],
        "remediations": [
            {"name": offer.name, "target": str(offer.target), "params": dict(offer.params)} for offer in one.remediations
        ],
        "severity": one.severity.value,
        "since": jsonable(one.since),
        "runbook": one.runbook,
    }


def _evidence(row: Evidence) -> dict[str, object]:
    return {"source": str(row.source), "reading": row.reading, "at": jsonable(row.at), "says": redact(row.says)}


def report(found: Diagnosis) -> Iterator[str]:
    """Yield the diagnosis as lines of text: each cause with its chain, from the symptom to the cause."""
    if not found.findings and not found.undecided:
        yield "Nothing found: all is well, as far as is watched."
    for number, one in enumerate(found.findings, 1):
        since = f", for {span((found.taken_at - one.since).total_seconds())}" if one.since is not None else ""
        yield f"{number}. {one.title}"
        yield f"   {one.layer.value}  {one.target}  {one.severity.value}, {one.confidence:.0%} sure{since}"
        for place, row in enumerate(one.evidence):
            arrow = "   " if not place else " < "
            yield f"   {arrow}{row.says}"
            yield f"        {row.source}  {row.reading}"
        for text in one.impact:
            yield f"   suffers: {text}"
        for offer in one.remediations:
            params = "".join(f" -p {name}={value}" for name, value in offer.params)
            yield f"   answers it: debugtui plan {offer.name} {offer.target}{params}"
        if one.runbook:
            yield f"   runbook: {one.runbook}"
    for question in found.undecided:
        yield f"? {question.question}"
        yield f"   would decide it: {question.reading}"
