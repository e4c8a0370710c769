"""`debugtui topology`: read everything once, and say how it hangs together and which service owns what."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator

import click

from debugtui.alerts.placed import placed
from debugtui.config.load import ConfigError, load
from debugtui.config.redaction import hide, redact
from debugtui.fleet.topology.tree import Branch, alone, tree_of
from debugtui.headless.asker import terminal_asker
from debugtui.headless.check import Status, judge, read_config
from debugtui.model.catalogue import Catalogue, Service
from debugtui.model.jsonable import jsonable
from debugtui.model.topology import Edge, Topology


@click.command()
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document and nothing else.")
@click.pass_context
def topology(context: click.Context, as_json: bool) -> None:
    """Read every source once and show what cannot do without what, with the reason of each relation.

    Exit code: 0, or 3 where something could not be read.
    """
    try:
        config = load(context.obj["config"])
    except ConfigError as error:
        click.echo(str(error), err=True)
        context.exit(Status.UNKNOWN.exit_code)
    try:
        view, alerts = asyncio.run(read_config(config, terminal_asker()))
    except asyncio.CancelledError:
        click.echo("stopped before everything was read", err=True)
        context.exit(Status.UNKNOWN.exit_code)
    found, catalogue = placed(view, config, alerts)
    if as_json:
        click.echo(hide(json.dumps(document(found, catalogue), ensure_ascii=False)))
    else:
        for line in report(found, catalogue):
            click.echo(hide(line))
    context.exit(Status.UNKNOWN.exit_code if judge(view, ()) is Status.UNKNOWN else 0)


def document(found: Topology, catalogue: Catalogue) -> dict[str, object]:
    """Return the JSON document, version 1."""
    return {
        "version": 1,
        "taken_at": jsonable(found.taken_at),
        "nodes": [{**_object(node), "title": redact(node.title), "says": redact(node.says)} for node in found.nodes],
        "edges": [_edge(edge) for edge in found.edges],
        "services": [_object(service) for service in catalogue.services],
        "unplaced": jsonable(catalogue.unplaced),
    }


def _edge(edge: Edge) -> dict[str, object]:
    """Return one relation; how requests pass through a proxy is the diagnosis' own business."""
    return {"above": str(edge.above), "below": str(edge.below), "why": redact(edge.why), "certain": edge.certain}


def _object(value: object) -> dict[str, object]:
    made = jsonable(value)
    assert isinstance(made, dict)  # noqa: S101 - of a dataclass
    return made


def report(found: Topology, catalogue: Catalogue) -> Iterator[str]:
    """Yield the topology as a tree of text, then the services."""
    yield f"{len(found.nodes)} things, {len(found.edges)} relations"
    for branch in tree_of(found):
        yield _row(branch)
    for service in catalogue.services:
        yield ""
        yield from _service(service)
    if catalogue.unplaced:
        yield ""
        yield f"in no service: {', '.join(str(target) for target in catalogue.unplaced)}"
    if single := alone(found):
        yield ""
        yield f"alone: {', '.join(f'{node.target} ({node.state.value})' for node in single)}"


def _row(branch: Branch) -> str:
    node, edge = branch.node, branch.edge
    says = f"  {redact(node.says)}" if node.says and not branch.again else ""
    why = f"  ({'' if edge.certain else 'guess: '}{redact(edge.why)})" if edge is not None else ""
    return f"{'  ' * branch.depth}{node.target}  {'see above' if branch.again else node.state.value}{says}{why}"


def _service(service: Service) -> Iterator[str]:
    yield f"service {service.name}  {service.state.value}" + (f"  {redact(service.says)}" if service.says else "")
    for word, text in (
        ("owner", service.owner),
        ("contact", service.contact),
        ("runbook", service.runbook),
        ("dashboard", service.dashboard),
        ("resources", ", ".join(str(target) for target in service.resources)),
        ("depends on", ", ".join(service.depends_on)),
        ("from", ", ".join(service.origins)),
    ):
        if text:
            yield f"  {word:<10}  {redact(text)}"
