"""What must hold between tables: names that are unique, names that exist, keys that need each other.

Works on plain data, of the right types or not, so that a file's other errors do not hide these.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from debugtui.config.alerts import alert_faults
from debugtui.config.faults import Place, nearest
from debugtui.config.fields import parse_duration
from debugtui.model.target import GROQ, MONITORING
from debugtui.model.text import line

Fault = tuple[Place, str, str | None]

_SERVERS = ("prometheus", "loki", "alertmanager", "grafana")


def cross_faults(data: Mapping[str, Any]) -> Iterator[Fault]:
    """Yield what is wrong between the tables of a configuration."""
    hosts = list(_rows(data, "hosts"))
    yield from _unique(data, ("hosts",))
    for kind in ("groq", *_SERVERS, "services"):
        yield from _unique(data, (kind,))
    for at, host in hosts:
        yield from _host(at, host)
    names = [host["name"] for _, host in hosts if isinstance(host.get("name"), str)]
    for kind in (*_SERVERS, "groq"):
        yield from _via(data, kind, names)
    metrics = [row.get("name") for _, row in _rows(data, "prometheus")]
    for at, use in _rows(data, "groq"):
        if use.get("prometheus") is not None and use["prometheus"] not in metrics:
            yield ("groq", at, "prometheus"), "no [[prometheus]] has this name", None
        if use.get("probe") == "completion" and use.get("model") is None:
            yield ("groq", at, "probe"), 'a completion needs a model: name it, or write probe = "models"', None
    yield from alert_faults(data.get("alerts"), metrics)
    yield from _rising(data)
    yield from _services(data)


def _host(at: int, host: Mapping[str, Any]) -> Iterator[Fault]:
    if host.get("name") == GROQ:
        yield ("hosts", at, "name"), "no host may have this name: groq/NAME is the target of a use of the Groq API", None
    if host.get("name") == MONITORING:
        says = "no host may have this name: monitoring/KIND/NAME is the target of a server that no host leads to"
        yield ("hosts", at, "name"), says, None
    yield from _unique(host, ("hosts", at, "postgres"))
    for table in ("web", "redis", "rabbitmq"):
        yield from _unique(host, ("hosts", at, table))
    for number, database in _rows(host, "postgres"):
        if database.get("repair_password") is not None and database.get("repair_dsn") is None:
            yield ("hosts", at, "postgres", number, "repair_password"), "needs repair_dsn beside it", None


def _services(data: Mapping[str, Any]) -> Iterator[Fault]:
    services = [row.get("name") for _, row in _rows(data, "services")]
    for at, service in _rows(data, "services"):
        needs = service.get("depends_on")
        for number, name in enumerate(needs if isinstance(needs, list | tuple) else ()):
            if name not in services:
                yield ("services", at, "depends_on", number), "no [[services]] has this name", None


def _rows(table: Mapping[str, Any], key: str) -> Iterator[tuple[int, Mapping[str, Any]]]:
    rows = table.get(key)
    if isinstance(rows, list | tuple):
        yield from ((at, row) for at, row in enumerate(rows) if isinstance(row, Mapping))


def _unique(table: Mapping[str, Any], place: Place) -> Iterator[Fault]:
    first: dict[str, int] = {}
    for at, row in _rows(table, str(place[-1])):
        name = row.get("name")
        if isinstance(name, str) and first.setdefault(name, at) != at:
            yield (*place, at, "name"), f"{place[-1]}[{first[name]}] has this name already", None


def _via(data: Mapping[str, Any], kind: str, names: list[str]) -> Iterator[Fault]:
    for at, server in _rows(data, kind):
        via = server.get("via")
        if isinstance(via, str) and via not in names:
            there = f"there are {', '.join(line(name, 64) for name in names[:10])}" if names else "there are none"
            yield (kind, at, "via"), f"no host has this name; {there}", nearest(via, names)


def _rising(data: Mapping[str, Any]) -> Iterator[Fault]:
    escalation = data.get("escalation")
    last = 0.0
    for at, level in _rows(escalation, "levels") if isinstance(escalation, Mapping) else ():
        try:
            within = parse_duration(level.get("within"))
        except ValueError:
            continue
        if within <= last:
            yield ("escalation", "levels", at, "within"), "must be longer than the level before", None
        last = within
