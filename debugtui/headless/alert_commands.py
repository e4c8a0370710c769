"""`debugtui alerts`: what is remembered of alerts; acknowledge, silence, and list the rules. Writes our own state only."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from datetime import datetime, timedelta

import click

from debugtui.alerts.describe import RuleWords, words_of
from debugtui.alerts.keeper import acknowledge, add_silence, end_silence, make_silence
from debugtui.alerts.settings import DEFAULT, Rules, rules_of
from debugtui.config import paths
from debugtui.config.faults import nearest
from debugtui.config.load import ConfigError, load_or_none
from debugtui.config.redaction import hide, redact
from debugtui.model.alert_memory import Ended, Held, Memory
from debugtui.model.alerts import Acknowledgement, Silence
from debugtui.model.clock import SystemClock
from debugtui.model.duration import seconds_of
from debugtui.model.jsonable import jsonable
from debugtui.model.source import Problem
from debugtui.model.target import Target
from debugtui.model.text import line
from debugtui.remediation.approvals import current_person
from debugtui.storage.alerts import NAME, AlertStore
from debugtui.storage.audit import AuditLog
from debugtui.storage.problems import StorageError

UNREADABLE = 3


@contextmanager
def _memory() -> Iterator[tuple[AlertStore, AuditLog]]:
    """Open the memory; what cannot be read or written is said, and ends the command."""
    try:
        folder = paths.state_dir()
        store = AlertStore(folder / NAME)
    except StorageError as error:
        raise _ended(error.problem) from error
    except OSError as error:
        raise _ended(Problem(f"the state directory: {error.strerror}")) from error
    try:
        if store.said:
            click.echo(store.said, err=True)
        yield store, AuditLog(folder / "audit.jsonl")
    except StorageError as error:
        raise _ended(error.problem) from error
    finally:
        store.close()


def _ended(problem: Problem) -> SystemExit:
    click.echo(redact(str(problem)), err=True)
    return SystemExit(UNREADABLE)


@click.group(invoke_without_command=True)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document and nothing else.")
@click.pass_context
def alerts(context: click.Context, as_json: bool) -> None:
    """Show the alerts that the last run of `check` or of the screen saw; acknowledge and silence them.

    No host is asked. Exit code: 0, or 3 where the memory of alerts cannot be read.
    """
    if context.invoked_subcommand is not None:
        return
    now = SystemClock().now()
    with _memory() as (store, _):
        memory = store.load()
    for said in memory.said:
        if said != store.said:
            click.echo(said, err=True)
    if as_json:
        click.echo(hide(json.dumps(document(memory, now), ensure_ascii=False)))
    else:
        for row in report(memory, now):
            click.echo(row)


def document(memory: Memory, now: datetime) -> dict[str, object]:
    """Return what is remembered as a JSON document, version 1."""
    return {
        "version": 1,
        "taken_at": jsonable(now),
        "alerts": [_alert(held, memory, now) for held in _open(memory)],
        "silences": [jsonable(silence) for silence in memory.marks.silences if silence.active(now)],
        "recent": [_over(over) for over in reversed(memory.ended)],
    }


def _open(memory: Memory) -> list[Held]:
    found = [held for held in memory.held if held.opened_at is not None]
    return sorted(found, key=lambda held: (held.severity.rank, held.since, str(held.target), held.rule))


def _silence_of(held: Held, memory: Memory, now: datetime) -> Silence | None:
    covering = [one for one in memory.marks.silences if one.active(now) and one.covers(held.rule, held.target)]
    return max(covering, key=lambda one: one.until, default=None)


def _alert(held: Held, memory: Memory, now: datetime) -> dict[str, object]:
    said, silence = memory.marks.acknowledged.get(held.key), _silence_of(held, memory, now)
    spec = DEFAULT.specs.get(held.rule)
    return {
        "severity": held.severity.value,
        "rule": held.rule,
        "target": str(held.target),
        "since": jsonable(held.since),
        "value": held.value,
        "threshold": held.threshold,
        "message": held.message,
        "acknowledged": jsonable(said),
        "silenced_until": jsonable(silence.until) if silence else None,
        "silence": silence.id if silence else None,
        "opened_at": jsonable(held.opened_at),
        "seen_at": jsonable(held.seen.wall),
        "worst": held.worst.value,
        "rule_description": spec.says if spec else None,
        "trail": [{"at": at, "value": value} for at, value in held.trail],
    }


def _over(over: Ended) -> dict[str, object]:
    return {
        "rule": over.rule,
        "target": str(over.target),
        "worst": over.worst.value,
        "message": over.message,
        "since": jsonable(over.since),
        "opened_at": jsonable(over.opened_at),
        "ended_at": jsonable(over.ended_at),
    }


def report(memory: Memory, now: datetime) -> Iterator[str]:
    """Yield what is remembered as lines of text."""
    found = _open(memory)
    if not found:
        yield "no alerts are remembered"
    for held in found:
        said, silence = memory.marks.acknowledged.get(held.key), _silence_of(held, memory, now)
        words = [f"seen {_ago(held.seen.wall, now)} ago"]
        words += [f"acknowledged by {said.who}: {said.note}"] if said else []
        words += [f"silenced until {silence.until:%Y-%m-%d %H:%M} UTC ({silence.id})"] if silence else []
        yield redact(f"{held.severity.value:<8}  {held.rule}  {held.target}  {held.message}  [{'; '.join(words)}]")
    for silence in memory.marks.silences:
        if silence.active(now):
            until = f"until {silence.until:%Y-%m-%d %H:%M} UTC by {silence.who}"
            yield redact(f"silence {silence.id}  {silence.rule}  {silence.target}  {until}: {silence.reason}")


def _ago(then: datetime, now: datetime) -> str:
    seconds = max(0, int((now - then).total_seconds()))
    for unit, length in (("d", 86_400), ("h", 3_600), ("m", 60)):
        if seconds >= length:
            return f"{seconds // length} {unit}"
    return f"{seconds} s"


@alerts.command()
@click.argument("rule")
@click.argument("target")
@click.option("--note", required=True, help="What you found or do; it is shown beside the alert.")
@click.option("--operator", default="", help="Who you are; the login where not given.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document and nothing else.")
def ack(rule: str, target: str, note: str, operator: str, as_json: bool) -> None:
    """Acknowledge an alert: somebody has seen it. It speaks up again when it gets worse.

    Exit code: 0, 2 no such alert, 3 it could not be written.
    """
    if not note.strip():
        raise click.UsageError("an acknowledgement takes a note: what you found or do")
    clock = SystemClock()
    with _memory() as (store, audit):
        found = {(held.rule, str(held.target)): held for held in _open(store.load())}
        held = found.get((rule, target))
        if held is None:
            near = nearest(f"{rule} {target}", [" ".join(key) for key in found])
            hint = f"; did you mean {near}?" if near else "" if found else "; none is remembered: run debugtui check"
            raise click.UsageError(line(f"there is no alert {rule} on {target}{hint}", 500))
        said = Acknowledgement(_who(operator), clock.now(), note.strip(), held.severity)
        acknowledge(store, audit, held.rule, held.target, said)
    row = {"rule": rule, "target": target, "acknowledged": jsonable(said)}
    _answer(row, f"acknowledged: {rule} on {target}", as_json)


@alerts.command()
@click.argument("rule")
@click.argument("target")
@click.option("--for", "lasts", required=True, help="How long: 30m, 2h, 1d; at most 30d.")
@click.option("--reason", required=True, help="Why.")
@click.option("--operator", default="", help="Who you are; the login where not given.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document and nothing else.")
@click.pass_context
def silence(context: click.Context, rule: str, target: str, lasts: str, reason: str, operator: str, as_json: bool) -> None:
    """Silence alerts for a while: RULE and TARGET are names, or patterns with * for any number of characters.

    Silenced alerts are still listed and counted; they do not speak, and `check` does not answer for them.
    Exit code: 0, 2 no such rule or duration, 3 it could not be written.
    """
    rules = _rules(context)
    if "*" not in rule and "?" not in rule and rule not in rules.specs:
        near = nearest(rule, list(rules.specs))
        raise click.UsageError(line(f"there is no rule {rule}" + (f"; did you mean {near}?" if near else ""), 300))
    if not reason.strip():
        raise click.UsageError("a silence takes a reason")
    if "*" not in target:
        _require_target(target)
    try:
        seconds = seconds_of(lasts)
    except ValueError:
        raise click.UsageError("--for is a duration: 30m, 2h, 1d") from None
    with _memory() as (store, audit):
        try:
            made = make_silence(rule, target, timedelta(seconds=seconds), _who(operator), reason.strip(), SystemClock().now())
        except StorageError as error:
            raise click.UsageError(str(error.problem)) from error
        add_silence(store, audit, made)
    _answer({"silence": jsonable(made)}, f"{made.id}: {rule} on {target}, until {made.until:%Y-%m-%d %H:%M} UTC", as_json)


def _require_target(target: str) -> None:
    try:
        Target.parse(target)
    except ValueError as error:
        raise click.UsageError(f"{line(str(error), 300)}; a pattern holds a *: 'kvm-01/*'") from None


@alerts.command()
@click.argument("number", metavar="ID")
@click.option("--operator", default="", help="Who you are; the login where not given.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document and nothing else.")
def unsilence(number: str, operator: str, as_json: bool) -> None:
    """End a silence before its time.

    Exit code: 0, 2 no silence of this ID holds, 3 it could not be written.
    """
    now = SystemClock().now()
    with _memory() as (store, audit):
        held = [one.id for one in store.marks().silences if one.active(now)]
        if number not in held:
            there = f"there are: {', '.join(held)}" if held else "there are none"
            raise click.UsageError(line(f"no silence {number} holds ({there})", 500))
        end_silence(store, audit, number, _who(operator), now)
    _answer({"id": number, "ended_at": jsonable(now)}, f"ended: {number}", as_json)


@alerts.command()
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document and nothing else.")
@click.pass_context
def rules(context: click.Context, as_json: bool) -> None:
    """List every rule as it counts here: the shipped ones, what the configuration changes of them, and your own."""
    found = words_of(_rules(context))
    if as_json:
        click.echo(json.dumps({"version": 1, "rules": [asdict(one) for one in found]}, ensure_ascii=False))
        return
    for one in found:
        click.echo(rule_line(one))


def rule_line(one: RuleWords) -> str:
    """Return a rule on one line."""
    words = [one.begins or "at once"] if not one.lasts else [f"{one.begins} for {one.lasts}".strip()]
    words += [f"until {one.ends}"] if one.ends else []
    words += [one.least] if one.least else []
    words += [one.changed] if one.changed else []
    return line(f"{one.name:<24}{one.severity:<24}{'; '.join(words):<56}  {one.says}", 500)


def _rules(context: click.Context) -> Rules:
    try:
        config = load_or_none(context.obj["config"])
    except ConfigError as error:
        click.echo(str(error), err=True)
        sys.exit(2)
    return DEFAULT if config is None else rules_of(config.alerts)


def _who(operator: str) -> str:
    person = current_person(operator)
    return person.login if person.name in ("", person.login) else f"{person.name} ({person.login})"


def _answer(row: dict[str, object], words: str, as_json: bool) -> None:
    click.echo(hide(json.dumps({"version": 1, **row}, ensure_ascii=False)) if as_json else redact(words))
