"""`debugtui query`: ask a configured Prometheus, over its host's link where it has one. Read only."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from datetime import UTC, datetime

import click

from debugtui.config.ask import Asker
from debugtui.config.fields import parse_duration
from debugtui.config.load import ConfigError, load
from debugtui.config.models import Config, HttpConfig
from debugtui.config.redaction import hide, redact
from debugtui.fleet.monitoring import way_of
from debugtui.headless.asker import terminal_asker
from debugtui.hosts.link import Link, LinkError
from debugtui.hosts.open import open_link
from debugtui.model.jsonable import jsonable
from debugtui.model.monitoring import QueryResult, label_text, value_text
from debugtui.model.source import LinkState, Problem
from debugtui.model.target import MONITORING, Target
from debugtui.model.text import line
from debugtui.sources.base import SourceError
from debugtui.sources.prometheus import PrometheusQueries, QueryRefusedError

#: Exit codes beside 0: the server refuses the expression; it could not be asked.
REFUSED, UNREADABLE = 1, 3
#: Seconds until the link to its host has to stand.
CONNECT_LIMIT = 20.0
#: Points of a range where no step is given.
POINTS = 240


def _duration(_context: click.Context, _option: click.Parameter, value: str | None) -> float | None:
    """Return seconds of a duration as the configuration writes it: `15s`, `1h30m`, or a number of seconds."""
    if value is None:
        return None
    try:
        seconds = parse_duration(float(value) if value.isdecimal() else value)
    except ValueError:
        seconds = 0.0
    if seconds <= 0:
        raise click.BadParameter('must be a duration such as "15s", "5m" or "1h"')
    return seconds


@click.command()
@click.argument("expr")
@click.option("--prometheus", "name", help="The name of a [[prometheus]]; needed where there are several.")
@click.option("--range", "span", callback=_duration, help="Values over this time until now, such as 1h, instead of the newest.")
@click.option("--step", callback=_duration, help="Between two values of a range; else there are about 240.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document and nothing else.")
@click.pass_context
def query(context: click.Context, expr: str, name: str | None, span: float | None, step: float | None, as_json: bool) -> None:
    """Ask a Prometheus for an expression of PromQL; nothing is changed.

    Exit code: 0 answered, 1 the server refuses the expression, 3 it could not be asked.
    """
    if step is not None and span is None:
        raise click.UsageError("--step needs --range")
    try:
        config = load(context.obj["config"])
    except ConfigError as error:
        click.echo(str(error), err=True)
        context.exit(UNREADABLE)
    server = _server(config, name)
    try:
        result = asyncio.run(_ask(config, server, expr, span, step, terminal_asker()))
    except QueryRefusedError as error:
        click.echo(redact(str(error.problem)), err=True)
        context.exit(REFUSED)
    except (SourceError, LinkError) as error:
        click.echo(redact(str(error.problem)), err=True)
        context.exit(UNREADABLE)
    except Exception as error:  # noqa: BLE001 - a traceback's exit code would read as "refused"
        click.echo(redact(f"a fault of DebugTUI: {type(error).__name__}: {error}"), err=True)
        context.exit(UNREADABLE)
    if as_json:
        click.echo(hide(json.dumps(document(server, expr, result), ensure_ascii=False)))
        return
    for text in report(result):
        click.echo(hide(text))


def _server(config: Config, name: str | None) -> HttpConfig:
    """Return the server that is meant."""
    known = {server.name: server for server in config.prometheus}
    there = f"there are: {', '.join(known)}" if known else "no [[prometheus]] is configured"
    if name is not None and name not in known:
        raise click.UsageError(f"no Prometheus has this name; {there}")
    if name is None and len(known) != 1:
        raise click.UsageError(f"--prometheus NAME is needed; {there}" if known else there)
    return known[name] if name is not None else next(iter(known.values()))


async def _ask(
    config: Config, server: HttpConfig, expr: str, span: float | None, step: float | None, asker: Asker
) -> QueryResult:
    link = await _link(config, server, asker)
    way = way_of("prometheus", server, link, asker)
    queries = PrometheusQueries(way.api)
    try:
        if span is None:
            return await queries.query(expr)
        now = datetime.now(UTC).timestamp()
        return await queries.query_range(expr, now - span, now, step or max(1.0, span / POINTS))
    finally:
        await way.login.close()
        if link is not None:
            await link.close()


async def _link(config: Config, server: HttpConfig, asker: Asker) -> Link | None:
    """Return the link that leads to a server, once it stands; None: it needs none.

    Raises:
        LinkError: it does not stand.
    """
    if server.via is None:
        return None
    link = open_link(next(host for host in config.hosts if host.name == server.via), asker)
    await link.start()
    status = await link.wait_settled(CONNECT_LIMIT)
    if status.state is not LinkState.UP:
        await link.close()
        raise LinkError(status.problem or Problem(f"no connection to {server.via} within {CONNECT_LIMIT:.0f} s"))
    return link


def document(server: HttpConfig, expr: str, result: QueryResult) -> dict[str, object]:
    """Return the answer as a JSON document, version 1; values are texts, as in the API, since JSON knows no NaN."""
    return {
        "version": 1,
        "taken_at": jsonable(datetime.now(UTC)),
        "target": str(Target(server.via or MONITORING, "prometheus", server.name)),
        "query": expr,
        "kind": result.kind,
        "series": [
            {
                "labels": one.labels,
                "values": [[at, value_text(value)] for at, value in zip(one.times, one.values, strict=True)],
            }
            for one in result.series
        ],
        "text": result.text,
        "more": result.more,
        "warnings": list(result.warnings),
    }


def report(result: QueryResult) -> Iterator[str]:
    """Yield the answer as lines: a line for each series; of a range, a line for each value below it."""
    if result.kind == "string":
        yield result.text
    elif not result.series:
        yield "no series"
    for one in result.series:
        name = label_text(one.labels)
        if result.kind == "matrix":
            yield f"{name}  {len(one.values)} values, {value_text(min(one.values))} to {value_text(max(one.values))}"
            for at, value in zip(one.times, one.values, strict=True):
                yield f"  {datetime.fromtimestamp(at, UTC):%Y-%m-%dT%H:%M:%SZ}  {value_text(value)}"
        else:
            yield f"{value_text(one.values[-1]):>14}  {name}"
    if result.more:
        yield f"and more: these are the first {len(result.series)} series"
    for warning in result.warnings:
        yield f"warning: {line(warning)}"
