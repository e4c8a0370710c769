"""Which runbooks fit what an operator looks at, the best first."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from debugtui.config.models import ServiceConfig
from debugtui.diagnosis.runbooks.load import Found, Shelf
from debugtui.diagnosis.runbooks.models import When
from debugtui.model.alerts import Alert
from debugtui.model.source import Kind
from debugtui.model.target import Target
from debugtui.model.topology import Layer

#: Where a cause of a kind of target lies.
LAYERS: dict[str, Layer] = {
    Kind.LIBVIRT: Layer.KVM,
    Kind.SYSTEM: Layer.HOST,
    Kind.JOURNAL: Layer.HOST,
    Kind.DOCKER: Layer.DOCKER,
    Kind.POSTGRES: Layer.POSTGRES,
    Kind.GROQ: Layer.GROQ,
    **dict.fromkeys((Kind.WEB, Kind.NGINX, Kind.TLS, Kind.CHROME), Layer.WEB),
    **dict.fromkeys((Kind.PROMETHEUS, Kind.LOKI, Kind.ALERTMANAGER, Kind.GRAFANA), Layer.MONITORING),
}


def fitting(
    shelf: Shelf, target: Target, alerts: Iterable[Alert] = (), services: Sequence[ServiceConfig] = (), named: str = ""
) -> tuple[Found, ...]:
    """Return the runbooks that fit a target, the best first; empty where none does.

    Args:
        shelf: every runbook.
        target: what the operator looks at.
        alerts: what holds now; those of the target count most.
        services: of the catalogue; a runbook that a service of the target names comes first.
        named: a runbook that a finding names.
    """
    rules = {alert.rule for alert in alerts if _concerns(alert.target, target)}
    wanted = {named, *(one.runbook for one in services if one.runbook and str(target) in one.resources)}
    scored = [(_score(one, target, rules, wanted), one) for one in shelf.found]
    return tuple(one for score, one in sorted(scored, key=lambda pair: -pair[0]) if score > 0)


def _concerns(about: Target, target: Target) -> bool:
    same = (about.host, about.kind) == (target.host, target.kind)
    return same and (not target.name or about.name == target.name or about.name.startswith(f"{target.name}/"))


def _score(found: Found, target: Target, rules: set[str], wanted: set[str]) -> int:
    when = found.runbook.when
    score = 100 if found.runbook.name in wanted else 0
    score += 20 * _rules_met(when, rules)
    if target.kind in when.kinds:
        score += 10
    if LAYERS.get(target.kind) in when.layers:
        score += 4
    return 2 * score + (found.own and score > 0)


def _rules_met(when: When, rules: set[str]) -> int:
    exact = {rule for rule in when.rules if not rule.endswith("*")}
    beginnings = tuple(rule[:-1] for rule in when.rules if rule.endswith("*"))
    return sum(rule in exact or rule.startswith(beginnings) for rule in rules)
