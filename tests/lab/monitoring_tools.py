"""What the tests of the monitoring servers share."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from typing import Any

from debugtui.alerts.outer import of_outer
from debugtui.alerts.rules import Finding
from debugtui.config.models import HttpConfig
from debugtui.fleet.monitoring import source_of
from debugtui.hosts.link import Link
from debugtui.model.source import Freshness, Kind, Reading, SourceStatus
from tests.lab.link_tools import Answers

RULES = """\
groups:
- name: hosts
  rules:
  - alert: TargetDown
    expr: up == 0
    labels: {severity: critical}
    annotations: {summary: "{{ $labels.instance }} is down"}
  - alert: Calm
    expr: vector(0) > 1
  - record: job:up:sum
    expr: sum(up) by (job)
"""
#: Two series would get the same labels: it is read without a fault, and fails whenever it is evaluated.
FAILING = """\
- name: odd
  rules:
  - alert: Twins
    expr: label_replace(up{job="node"}, "instance", "same", "", "") > 5
"""


def server(kind: str, url: str, link: Link | None = None, *, asker: Any = None, **options: Any) -> Any:
    """Return the source of a server, as the fleet makes it."""
    config = HttpConfig(name={"prometheus": "prom", "alertmanager": "am"}.get(kind, kind), url=url, **options)
    return source_of(kind, config, link, asker or Answers())


async def once(source: Any, *, full: bool = True) -> Any:
    try:
        return await source.read(full=full)
    finally:
        await source.close()


def findings(kind: str, reading: Reading) -> list[Finding]:
    """What the rules find in a reading."""
    name = {"prometheus": "prom", "alertmanager": "am"}.get(kind, kind)
    return list(of_outer(SourceStatus("monitoring", name, Kind(kind), Freshness.LIVE, reading=reading)))


def told(found: Iterable[Finding]) -> dict[str, list[str]]:
    """The names of targets by rule."""
    by_rule: dict[str, list[str]] = {}
    for finding in found:
        by_rule.setdefault(finding.rule, []).append(str(finding.target))
    return by_rule


async def read_until(source: Any, true: Callable[[Any], object], limit: float = 20) -> Any:
    """Read until a reading is as wanted; return it."""
    end = asyncio.get_running_loop().time() + limit
    while True:
        reading = await source.read(full=True)
        if true(reading):
            return reading
        assert asyncio.get_running_loop().time() < end, reading
        await asyncio.sleep(0.3)
