"""`debugtui audit-log`: show it, and prove that nobody changed it."""

from __future__ import annotations

import json
import sys
from collections import deque

import click

from debugtui.config import paths
from debugtui.model.jsonable import jsonable
from debugtui.model.text import line
from debugtui.storage.audit import AuditEntry, AuditLog
from debugtui.storage.problems import StorageError

UNREADABLE = 3


def _log() -> AuditLog:
    return AuditLog(paths.state_dir() / "audit.jsonl")


@click.group()
def audit_log() -> None:
    """Show the audit log, or prove that nobody changed it."""


@audit_log.command()
@click.option("--last", default=50, show_default=True, type=click.IntRange(1), help="Only so many, the newest.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document and nothing else.")
def show(last: int, as_json: bool) -> None:
    """Show the newest entries, oldest first."""
    log = _log()
    try:
        entries = deque(log.entries(), maxlen=last) if log.path.exists() else deque[AuditEntry]()
    except StorageError as error:
        click.echo(str(error.problem), err=True)
        sys.exit(UNREADABLE)
    if as_json:
        rows = [{**_row(entry), "fields": json.loads(entry.fields)} for entry in entries]
        click.echo(json.dumps({"version": 1, "path": str(log.path), "entries": rows}, ensure_ascii=False))
        return
    for entry in entries:
        fields = "  ".join(f"{key}={value}" for key, value in json.loads(entry.fields).items())
        click.echo(f"{entry.sequence:>6}  {entry.at:%Y-%m-%d %H:%M:%S}  {entry.event:<12}  {line(fields, 400)}")


def _row(entry: AuditEntry) -> dict[str, object]:
    return {
        "sequence": entry.sequence,
        "at": jsonable(entry.at),
        "event": entry.event,
        "previous": entry.previous,
        "hash": entry.hash,
    }


@audit_log.command()
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document and nothing else.")
def verify(as_json: bool) -> None:
    """Walk the whole chain. Exit code: 0 intact, 1 broken (names the first broken entry), 3 cannot be read."""
    log = _log()
    try:
        report = log.verify()
    except StorageError as error:
        click.echo(str(error.problem), err=True)
        sys.exit(UNREADABLE)
    if as_json:
        document = {"version": 1, "path": str(log.path), "intact": report.broken is None, **_report(report)}
        click.echo(json.dumps(document, ensure_ascii=False))
    elif report.broken is None:
        click.echo(f"intact: {report.entries} entries, head {report.head}")
    else:
        click.echo(f"broken at entry {report.broken}: {report.why} ({report.entries} entries before it are intact)")
    sys.exit(0 if report.broken is None else 1)


def _report(report: object) -> dict[str, object]:
    value = jsonable(report)
    assert isinstance(value, dict)  # noqa: S101 - a dataclass becomes a dict
    return value
