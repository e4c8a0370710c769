"""`debugtui check`: read everything once, judge it, say it in text or JSON, end with a monitoring plugin's exit code."""

from __future__ import annotations

import asyncio
import json
import signal
from collections.abc import Iterator
from datetime import datetime
from enum import StrEnum

import click

from debugtui.alerts.keeper import AlertKeeper
from debugtui.alerts.rules import UNREADABLE
from debugtui.alerts.settings import rules_of
from debugtui.config import paths
from debugtui.config.ask import Asker
from debugtui.config.load import ConfigError, load
from debugtui.config.models import Config
from debugtui.config.redaction import hide, redact
from debugtui.fleet.build import build_fleet
from debugtui.fleet.fleet import Fleet
from debugtui.fleet.monitoring import only_through
from debugtui.headless.asker import terminal_asker
from debugtui.model.alerts import Alert, Severity, alert_json
from debugtui.model.clock import SystemClock
from debugtui.model.jsonable import jsonable
from debugtui.model.source import FleetView, Freshness, HostView, Kind, LinkState, SourceStatus

#: A link that does not stand after this many seconds counts as unreadable.
CONNECT_LIMIT = 20.0
#: Seconds between the two reads that rates need.
RATE_GAP = 1.0


class Status(StrEnum):
    """The answer of a check, with the exit codes of monitoring plugins."""

    OK = "ok"
    WARNING = "warning"
    CRITICAL = "critical"
    UNKNOWN = "unknown"

    @property
    def exit_code(self) -> int:
        """0, 1, 2 or 3."""
        return list(Status).index(self)


@click.command()
@click.option("--host", "hosts", multiple=True, help="Only this host; may be given several times.")
@click.option("--source", "sources", multiple=True, help="Only this source: its kind (docker) or its name (coach).")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document and nothing else.")
@click.pass_context
def check(context: click.Context, hosts: tuple[str, ...], sources: tuple[str, ...], as_json: bool) -> None:
    """Read every source once and say what is wrong.

    Exit code: 0 ok, 1 warning, 2 critical, 3 unknown (something could not be read).
    """
    try:
        config = load(context.obj["config"])
        require_hosts(config, hosts)
    except ConfigError as error:
        click.echo(str(error), err=True)
        context.exit(Status.UNKNOWN.exit_code)
    try:
        view, alerts = asyncio.run(read_config(config, terminal_asker(), frozenset(hosts), frozenset(sources)))
    except asyncio.CancelledError:
        click.echo("stopped before everything was read", err=True)
        context.exit(Status.UNKNOWN.exit_code)
    except Exception as error:  # noqa: BLE001 - a traceback's exit code would read as "warning" to a monitoring system
        click.echo(redact(f"a fault of DebugTUI: {type(error).__name__}: {error}"), err=True)
        context.exit(Status.UNKNOWN.exit_code)
    if sources and not any(host.sources for host in view.hosts):
        click.echo(f"no such source: {', '.join(sources)}", err=True)
        context.exit(Status.UNKNOWN.exit_code)
    status = judge(view, alerts)
    if as_json:
        click.echo(hide(json.dumps(document(view, alerts, status), ensure_ascii=False)))
    else:
        for line in report(view, alerts, status):
            click.echo(line)
    context.exit(status.exit_code)


def require_hosts(config: Config, hosts: tuple[str, ...]) -> None:
    """Refuse names of hosts that are not configured."""
    known = {host.name for host in config.hosts}
    unknown = [host for host in hosts if host not in known]
    if unknown:
        raise click.UsageError(f"no such host: {', '.join(unknown)} (there are: {', '.join(sorted(known)) or 'none'})")


async def read_config(
    config: Config, asker: Asker, hosts: frozenset[str] = frozenset(), sources: frozenset[str] = frozenset()
) -> tuple[FleetView, tuple[Alert, ...]]:
    """Read everything that is configured once; return what was read, and what the rules find in it.

    Args:
        config: the configuration.
        asker: who asks the operator.
        hosts: only these; empty: all.
        sources: only these, by kind or name; empty: all.
    """
    if hosts:
        kept = tuple(host for host in config.hosts if host.name in hosts)
        config = config.model_copy(update={"hosts": kept, "groq": (), **only_through(config, sorted(hosts))})
    fleet = build_fleet(config, asker)
    if sources:
        fleet.keep(lambda source: source.kind in sources or source.name in sources)
    task = asyncio.current_task()
    loop = asyncio.get_running_loop()
    if task is not None:
        for number in (signal.SIGTERM, signal.SIGHUP):
            loop.add_signal_handler(number, task.cancel)
    try:
        await read_once(fleet)
        return await remembered(config, fleet.view())
    finally:
        await fleet.close_sources()
        await fleet.stop()


async def remembered(config: Config, view: FleetView) -> tuple[FleetView, tuple[Alert, ...]]:
    """Judge a view by the rules of a configuration, with what earlier runs remember: only so is anything known to last.

    Where the memory fails, that is said on standard error, and judged is what this view alone shows.
    """
    keeper = AlertKeeper(rules_of(config.alerts), SystemClock())
    try:
        await keeper.open(await asyncio.to_thread(paths.state_dir))
    except OSError as error:
        click.echo(f"alerts are not remembered: {error.strerror}", err=True)
    alerts = keeper.judge(view)
    await keeper.close()
    for problem in keeper.problems:
        click.echo(redact(problem), err=True)
    return view, alerts


async def read_once(fleet: Fleet) -> None:
    """Connect every link, then read every source twice: fully, and again for the rates."""
    for link in fleet.links:
        await link.start()
    await asyncio.gather(*(link.wait_settled(CONNECT_LIMIT) for link in fleet.links))
    await fleet.read_all(full=True)
    if any(status.reading is not None for status in fleet.statuses()):
        await asyncio.sleep(RATE_GAP)
        await fleet.read_rates()


def judge(view: FleetView, alerts: tuple[Alert, ...]) -> Status:
    """Return the answer: critical before unknown before warning; what could not be read is never ok.

    What is silenced does not count, and neither does what is only remembered, since it cannot be seen whether it still holds.
    """
    counted = [alert for alert in alerts if alert.silence is None and alert.unknown_since is None]
    found = {alert.severity for alert in counted if alert.rule not in UNREADABLE}
    if Severity.CRITICAL in found:
        return Status.CRITICAL
    if any(_unreadable(host) for host in view.hosts):
        return Status.UNKNOWN
    if found & {Severity.HIGH, Severity.MEDIUM}:
        return Status.WARNING
    return Status.OK


def _unreadable(host: HostView) -> bool:
    if host.link.state is not LinkState.UP:
        return True
    return any(source.freshness in (Freshness.LOST, Freshness.STALE) for source in host.sources)


def document(view: FleetView, alerts: tuple[Alert, ...], status: Status) -> dict[str, object]:
    """Return the JSON document of DESIGN's contract, version 1."""
    return {
        "version": 1,
        "taken_at": jsonable(view.taken_at),
        "status": status.value,
        "hosts": [
            {
                "name": host.name,
                "link": {
                    "state": host.link.state.value,
                    "error": redact(str(host.link.problem)) if host.link.problem else None,
                },
                "sources": [_source(source) for source in _listed(host)],
            }
            for host in view.hosts
        ],
        "alerts": [alert_json(alert) for alert in alerts],
    }


def _listed(host: HostView) -> list[SourceStatus]:
    """Return the sources that are told of: a journal that was looked for on a host that has none is no source of it."""
    return [one for one in host.sources if one.kind is not Kind.JOURNAL or one.freshness is not Freshness.OFF]


def _source(status: SourceStatus) -> dict[str, object]:
    return {
        "name": status.name,
        "kind": status.kind.value,
        "freshness": status.freshness.value,
        "error": redact(str(status.problem)) if status.problem else None,
        "took_ms": status.took_ms,
        "reading": jsonable(status.reading),
    }


def report(view: FleetView, alerts: tuple[Alert, ...], status: Status) -> Iterator[str]:
    """Yield the answer as lines of text: the verdict first, then alerts, then each host's sources."""
    counted = [alert for alert in alerts if alert.severity is not Severity.LOW and alert.silence is None]
    silenced = sum(alert.silence is not None for alert in alerts)
    more = f", {silenced} silenced" if silenced else ""
    yield f"DEBUGTUI {status.value.upper()}: {len(view.hosts)} hosts, {len(counted)} alerts{more}"
    for alert in alerts:
        words = f"{redact(alert.message)}{_since(alert.since, view.taken_at)}{_said(alert)}"
        yield f"  {alert.severity.value:<8}  {alert.target}  {words}"
    for host in view.hosts:
        problem = f"  {redact(str(host.link.problem))}" if host.link.problem else ""
        yield f"{host.name}  link {host.link.state.value}{problem}"
        for source in _listed(host):
            took = f"{source.took_ms:.0f} ms" if source.took_ms is not None else "-"
            note = f"  {redact(str(source.problem))}" if source.problem else ""
            yield f"  {source.name:<16}  {source.freshness.value:<5}  {took:>8}{note}"
            for gap in source.reading.gaps if source.reading else ():
                yield f"    without {gap.feature}: {redact(str(gap.problem))}"


def _said(alert: Alert) -> str:
    """Return what is to be known of an alert besides that it holds."""
    words = []
    if alert.unknown_since is not None:
        words.append(f"unknown since {alert.unknown_since:%H:%M:%S} UTC")
    if alert.acknowledged is not None:
        words.append(redact(f"acknowledged by {alert.acknowledged.who}: {alert.acknowledged.note}"))
    if alert.silence is not None:
        words.append(redact(f"silenced until {alert.silence.until:%Y-%m-%d %H:%M} UTC: {alert.silence.reason}"))
    return f"  [{'; '.join(words)}]" if words else ""


def _since(since: datetime, now: datetime) -> str:
    seconds = int((now - since).total_seconds())
    return f"  since {seconds} s" if seconds > 0 else ""
