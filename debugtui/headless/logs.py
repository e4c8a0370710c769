"""`debugtui logs`: the lines of several logs, merged by time, as text or as JSON lines."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

import click

from debugtui.config.load import ConfigError, load
from debugtui.config.models import Config
from debugtui.config.redaction import hide, redact
from debugtui.fleet.build import build_fleet
from debugtui.fleet.fleet import Fleet
from debugtui.fleet.log_origins import LogCatalogue
from debugtui.headless.asker import terminal_asker
from debugtui.headless.check import CONNECT_LIMIT
from debugtui.model.jsonable import jsonable
from debugtui.model.logs import Level, LogLine, Merged, OriginState
from debugtui.model.matching import Matcher
from debugtui.model.moments import parse_moment
from debugtui.model.source import Kind
from debugtui.model.target import NO_HOSTS, Target
from debugtui.sources.loglines import level_of
from debugtui.sources.logs.origin import LogOrigin
from debugtui.sources.logs.session import LogSession, Wanted

#: Exit codes: a target that is none; an origin that could not be read.
USAGE, UNREADABLE = 2, 3
#: Lines that are printed at most, unless it follows.
LIMIT = 100_000

#: What has to be read before the origins are known.
_NEEDED = (Kind.DOCKER, Kind.NGINX)
_RANKS = {Level.DEBUG: 0, Level.UNKNOWN: 1, Level.INFO: 1, Level.WARNING: 2, Level.ERROR: 3}
_LETTERS = {Level.ERROR: "E", Level.WARNING: "W", Level.INFO: "I", Level.DEBUG: "D", Level.UNKNOWN: "-"}


@dataclass(frozen=True, slots=True)
class Options:
    """What is asked for."""

    wanted: Wanted
    floor: Level | None
    matcher: Matcher
    as_json: bool
    limit: int | None
    query: str


@click.command()
@click.argument("targets", nargs=-1, required=True, metavar="TARGET...")
@click.option("--since", default="10m", show_default=True, help="From this time on: 10m (ago), 14:03, 2026-03-14T14:03.")
@click.option("--until", default=None, help="Until this time.")
@click.option("--tail", type=click.IntRange(0), default=None, help="At most so many lines of each log, the newest.")
@click.option(
    "--level",
    type=click.Choice([level.value for level in Level if level is not Level.UNKNOWN]),
    default=None,
    help="Only lines of this level and worse.",
)
@click.option("--grep", default="", metavar="TEXT", help="Only lines that hold a text; !text: that do not; /regex/.")
@click.option("--query", default="", metavar="LOGQL", help="For a Loki: which lines.")
@click.option("--follow", "-f", is_flag=True, help="Go on with what comes, until it is interrupted.")
@click.option(
    "--limit", type=click.IntRange(1), default=LIMIT, show_default=True, help="Print at most so many lines, unless it follows."
)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document a line.")
@click.pass_context
def logs(context: click.Context, /, targets: tuple[str, ...], since: str, until: str | None, **given: object) -> None:
    """Print the lines of logs, merged by time.

    TARGET: HOST (all of its logs), HOST/docker/NAME, HOST/journal, HOST/journal/UNIT, HOST/nginx, HOST/postgres/NAME,
    HOST/loki/NAME, monitoring/loki/NAME.

    Exit code: 0; 2 for a target that is none; 3 where one of the logs could not be read.
    """
    try:
        config = load(context.obj["config"])
    except ConfigError as error:
        _end(context, str(error), USAGE)
    options = _options(since, until, given)
    try:
        code = asyncio.run(_run(config, [_target(text) for text in targets], options))
    except click.UsageError:
        raise
    except (asyncio.CancelledError, KeyboardInterrupt):
        code = 0  # interrupted: that is how following ends
    except BrokenPipeError:
        # Whoever read has enough. What is still to be flushed at the end of the process goes nowhere.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        code = 0
    context.exit(code)


def _end(context: click.Context, says: str, code: int) -> None:
    click.echo(redact(says), err=True)
    context.exit(code)


def _options(since: str, until: str | None, given: dict[str, object]) -> Options:
    now = datetime.now(UTC)
    follow, tail, limit, level = bool(given["follow"]), given["tail"], given["limit"], given["level"]
    try:
        wanted = Wanted(
            parse_moment(since, now),
            parse_moment(until, now) if until is not None else None,
            tail if isinstance(tail, int) else None,
            follow,
        )
    except ValueError as error:
        raise click.UsageError(str(error)) from None
    if wanted.until is not None and (follow or (wanted.since is not None and wanted.until <= wanted.since)):
        raise click.UsageError("--until is before --since" if not follow else "--follow has no --until")
    matcher = Matcher(str(given["grep"]))
    if matcher.error:
        raise click.UsageError(f"--grep: {matcher.error}")
    floor = Level(level) if isinstance(level, str) else None
    bound = limit if isinstance(limit, int) and not follow else None
    return Options(wanted, floor, matcher, bool(given["as_json"]), bound, str(given["query"]))


def _target(text: str) -> Target:
    """Read a target; a host alone stands for all of its logs."""
    if "/" not in text:
        return Target(text, Kind.SYSTEM)
    try:
        return Target.parse(text)
    except ValueError as error:
        raise click.UsageError(str(error)) from None


async def _run(config: Config, targets: Sequence[Target], options: Options) -> int:
    hosts = {target.host for target in targets}
    known = {host.name for host in config.hosts} | NO_HOSTS
    for missing in sorted(hosts - known):
        raise click.UsageError(f"no such host: {missing} (there are: {', '.join(sorted(known - NO_HOSTS)) or 'none'})")
    kept = tuple(host for host in config.hosts if host.name in hosts)
    small = config.model_copy(update={"hosts": kept, "groq": (), "prometheus": (), "alertmanager": (), "grafana": ()})
    asker = terminal_asker()
    fleet = build_fleet(small, asker)
    catalogue = LogCatalogue(small, fleet, asker)
    task = asyncio.current_task()
    loop = asyncio.get_running_loop()
    if task is not None:
        for number in (signal.SIGTERM, signal.SIGHUP, signal.SIGINT):
            loop.add_signal_handler(number, task.cancel)
    try:
        origins = await _origins(fleet, catalogue, targets, options.query)
        return await _print(LogSession(origins, options.wanted), options)
    finally:
        await catalogue.close()
        await fleet.close_sources()
        await fleet.stop()


async def _origins(fleet: Fleet, catalogue: LogCatalogue, targets: Sequence[Target], query: str) -> list[LogOrigin]:
    """Connect, read what tells which logs there are, and return those of the targets."""
    for link in fleet.links:
        await link.start()
    await asyncio.gather(*(link.wait_settled(CONNECT_LIMIT) for link in fleet.links))
    whole = any(target.kind == Kind.SYSTEM or not target.name for target in targets)
    kinds = {target.kind for target in targets}
    await asyncio.gather(
        *(
            fleet.read_one(status.host, status.kind, status.name)
            for status in fleet.statuses()
            if status.kind in _NEEDED and (whole or status.kind in kinds)
        )
    )
    view = fleet.view()
    found: dict[tuple[Target, str], LogOrigin] = {}
    for target in targets:
        origins = catalogue.named(view, target, query)
        if not origins:
            problem = next((str(one.problem) for one in fleet.statuses() if one.kind == target.kind and one.problem), "")
            raise click.UsageError(f"{target} has no log that is known{f': {redact(problem)}' if problem else ''}")
        found.update({(one.target, one.title): one for one in origins})
    return list(found.values())


async def _print(session: LogSession, options: Options) -> int:
    printer = _Printer(session, options)
    try:
        async for part in session.batches():
            lines = list(printer.chosen(part))
            if lines:
                await asyncio.to_thread(_write, lines)
            if printer.full:
                click.echo(f"more lines than --limit {options.limit}", err=True)
                break
    finally:
        await session.close()
    failed = [status for status in session.statuses if status.state is OriginState.FAILED]
    return UNREADABLE if failed else 0


def _write(lines: Sequence[str]) -> None:
    sys.stdout.write(hide("\n".join(lines)) + "\n")
    sys.stdout.flush()


class _Printer:
    """Chooses lines and writes them as text or JSON. Notes about an origin go to standard error."""

    def __init__(self, session: LogSession, options: Options) -> None:
        self._session, self._options = session, options
        self._left = options.limit
        self._last: dict[int, Level] = {}

    @property
    def full(self) -> bool:
        """Whether as many lines were printed as may be."""
        return self._left is not None and self._left <= 0

    def chosen(self, part: Merged) -> Iterator[str]:
        for place, (origin, line) in enumerate(zip(part.origins, part.lines, strict=True)):
            if place in part.notes:
                click.echo(redact(line.text), err=True)
                continue
            level = self._level(origin, line)
            floor = self._options.floor
            if floor is not None and _RANKS[level] < _RANKS[floor]:
                continue
            if not self._options.matcher.matches(line.text):
                continue
            if self._left is not None:
                if self._left <= 0:
                    return
                self._left -= 1
            yield (
                self._json(origin, line, level, place in part.late)
                if self._options.as_json
                else self._text(origin, line, level)
            )

    def _level(self, origin: int, line: LogLine) -> Level:
        """Return a line's level; a line that is indented has that of the one before it."""
        level = line.level or level_of(line.text)
        if level is Level.UNKNOWN and line.text[:1] == " ":
            level = self._last.get(origin, level)
        self._last[origin] = level
        return level

    def _text(self, origin: int, line: LogLine, level: Level) -> str:
        status = self._session.statuses[origin]
        at = line.at.isoformat(timespec="milliseconds").replace("+00:00", "Z") if line.at is not None else "-"
        return f"{at} {status.target.host} {status.title} {_LETTERS[level]} {line.text}"

    def _json(self, origin: int, line: LogLine, level: Level, late: bool) -> str:
        status = self._session.statuses[origin]
        document = {
            "at": jsonable(line.at),
            "target": str(status.target),
            "kind": status.kind,
            "origin": status.title,
            "level": level.value,
            "stream": line.stream,
            "late": late,
            "text": line.text,
        }
        return json.dumps(document, ensure_ascii=False)
