"""The tables of alerting: what an operator changes of the shipped rules, and the rules of their own."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping
from datetime import timedelta
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import BeforeValidator, Field, ValidationError, ValidationInfo, create_model, field_validator, model_validator
from pydantic_core import InitErrorDetails

from debugtui.config.alert_rules import shipped
from debugtui.config.faults import FAULT, Place, fault, nearest, raise_faults
from debugtui.config.fields import Flag, Seconds, Table, Text, parse_duration
from debugtui.model.alert_rules import RuleSpec
from debugtui.model.text import line

#: The figures that a rule of the operator's own can look at, by the kind of their source. The readings live above this room; a
#: test compares this with what the fleet keeps a history of.
METRICS: dict[str, tuple[str, ...]] = {
    "system": ("cpu", "iowait", "memory", "load", "read", "write", "rx", "tx"),
    "libvirt": ("cpu", "memory", "read", "write", "rx", "tx"),
    "docker": ("cpu", "memory", "rx", "tx"),
    "postgres": ("connections", "active", "waiting", "commits", "rollbacks", "hit"),
    "web": ("total", "first_byte"),
    "nginx": ("requests", "p95", "errors"),
    "chrome": ("lcp", "tti", "errors", "failed"),
    "groq": ("latency", "ttft"),
    "prometheus": ("up", "down", "firing", "series"),
    "alertmanager": ("active", "suppressed"),
    "loki": ("errors",),
    "grafana": ("failing",),
    "redis": ("messages", "memory", "ops", "clients"),
    "rabbitmq": ("messages", "unacked", "connections"),
    "journal": ("errors",),
    "backup": ("age", "size"),
}

SEVERITIES = ("critical", "high", "medium", "low")
_NAME = re.compile(r"[a-z][a-z0-9_]{0,63}", re.ASCII)

Word = Literal["critical", "high", "medium", "low"]


def _number(value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise fault("must be a number")
    return float(value)


def _limits(value: object) -> object:
    """Read a threshold: a number, or one for each severity."""
    if value is None or not isinstance(value, Mapping):
        return None if value is None else _number(value)
    if not value:
        raise fault("names no severity")
    for word in value:
        if word not in SEVERITIES:
            raise fault(f"there is no such severity; there are {', '.join(SEVERITIES)}", nearest(str(word), SEVERITIES))
    return {word: _number(number) for word, number in value.items()}


def _clear(value: object) -> object:
    """Read an end: a threshold, or how long it must be gone."""
    return timedelta(seconds=parse_duration(value)) if isinstance(value, str) else _limits(value)


def _rule_name(value: object) -> object:
    if isinstance(value, str) and not _NAME.fullmatch(value):
        raise fault("a rule's name has small letters, digits and underscores, and begins with a letter: api_memory")
    return value


Figure = Annotated[float, BeforeValidator(_number)]
Limits = Annotated[float | dict[str, float] | None, BeforeValidator(_limits)]
Clear = Annotated[timedelta | float | dict[str, float] | None, BeforeValidator(_clear)]
RuleName = Annotated[str, BeforeValidator(_rule_name)]


class _RuleOverride(Table):
    """What is changed of one shipped rule.

    Attributes:
        threshold: from where on it speaks: a number, or one for each severity.
        clear: where it ends: a number (or one for each severity), or how long it must be gone (text).
        severity: instead of its own.
        enabled: False: it says nothing.
        hosts, targets: patterns of what the change is about; empty: everything.
        for: how long it must last; added below, since it is a word of the language.
    """

    threshold: Limits = None
    clear: Clear = None
    severity: Word | None = None
    enabled: Flag = True
    hosts: tuple[Text, ...] = ()
    targets: tuple[Text, ...] = ()


if TYPE_CHECKING:
    RuleOverride = _RuleOverride
else:
    RuleOverride = create_model("RuleOverride", __base__=_RuleOverride, **{"for": (Seconds | None, None)})


class _OwnRule(Table):
    """One rule of the operator's own.

    Attributes:
        name: unique among all rules.
        metric: `KIND.FIGURE`, one of `METRICS`.
        prometheus: the name of a Prometheus that `query` is asked of.
        query: an instant query; each series of its answer is judged by itself.
        above, below: the threshold; one of the two.
        clear: where it ends: a number, or how long it must be gone (text).
        severity: of its alerts.
        message: how an alert words itself; `{value}`, `{threshold}` and `{target}` are filled in.
        hosts, targets: patterns of what it is about; empty: everything that has the figure.
        for: how long it must last; added below.
    """

    name: RuleName
    metric: Text | None = None
    prometheus: Text | None = None
    query: Text | None = None
    above: Figure | None = None
    below: Figure | None = None
    clear: Clear = None
    severity: Word = "medium"
    message: Text | None = Field(default=None, max_length=300)
    hosts: tuple[Text, ...] = ()
    targets: tuple[Text, ...] = ()

    @model_validator(mode="after")
    def _fits_together(self) -> _OwnRule:
        raise_faults("own", _own_faults(self))
        return self


if TYPE_CHECKING:
    OwnRuleConfig = _OwnRule
else:
    OwnRuleConfig = create_model("OwnRuleConfig", __base__=_OwnRule, **{"for": (Seconds, 0.0)})


def lasting(rule: _RuleOverride | _OwnRule) -> float | None:
    """Return the `for` of a table, in seconds; None where it names none."""
    found: float | None = getattr(rule, "for")
    return found


def _own_faults(rule: _OwnRule) -> Iterator[tuple[Place, str, str | None]]:
    if rule.name in shipped():
        yield ("name",), f"a shipped rule has this name: change it in [alerts.rules.{rule.name}]", None
    if (rule.metric is None) == (rule.query is None):
        yield (), "looks at a metric, or asks a query of a prometheus", None
    if (rule.query is None) != (rule.prometheus is None):
        yield (), "query and prometheus need each other", None
    if rule.metric is not None:
        known = [f"{kind}.{figure}" for kind, figures in METRICS.items() for figure in figures]
        if rule.metric not in known:
            yield (
                ("metric",),
                "there is no such figure: it is written KIND.FIGURE, such as system.cpu",
                nearest(rule.metric, known),
            )
    if (rule.above is None) == (rule.below is None):
        yield (), "needs a threshold: above or below, one of the two", None
    elif isinstance(rule.clear, dict):
        yield ("clear",), "must be a number, or a duration as text", None
    elif isinstance(rule.clear, float) and not _right_side(rule):
        yield ("clear",), "must lie on the other side of the threshold, where all is well", None


def _right_side(rule: _OwnRule) -> bool:
    assert isinstance(rule.clear, float)  # noqa: S101 - the caller has looked
    return rule.clear <= rule.above if rule.above is not None else rule.clear >= (rule.below or 0.0)


class AlertsConfig(Table):
    """Alerting.

    Attributes:
        rules: changes of shipped rules, by name: one table, or several with patterns of what they are about; the first that
            fits a target counts.
        own: the operator's own rules.
    """

    rules: dict[str, tuple[RuleOverride, ...]] = Field(default_factory=dict)
    own: tuple[OwnRuleConfig, ...] = ()

    @field_validator("rules", mode="before")
    @classmethod
    def _by_name(cls, value: object, info: ValidationInfo) -> object:
        if not isinstance(value, Mapping):
            raise fault("must be a table: write [alerts.rules.NAME]")
        found: dict[str, tuple[_RuleOverride, ...]] = {}
        details: list[InitErrorDetails] = []
        for name, given in value.items():
            spec = shipped().get(name)
            if spec is None:
                says = f"there is no rule of this name; debugtui alerts rules lists all {len(shipped())}"
                details.append(InitErrorDetails(type=fault(says, nearest(name, list(shipped()))), loc=(name,), input=None))
                continue
            several = isinstance(given, list | tuple)
            rows = []
            for at, row in enumerate(given if several else (given,)):
                override, faults = _override(spec, row, info)
                details += [{**one, "loc": (name, *((at,) if several else ()), *one.get("loc", ()))} for one in faults]
                rows += [override] if override is not None else []
            found[name] = tuple(rows)
        if details:
            raise ValidationError.from_exception_data("rules", details, hide_input=True)
        return found


def _override(spec: RuleSpec, given: object, info: ValidationInfo) -> tuple[_RuleOverride | None, list[InitErrorDetails]]:
    """Return the change of a rule, and what is wrong with it."""
    try:
        override = given if isinstance(given, _RuleOverride) else RuleOverride.model_validate(given, context=info.context)
    except ValidationError as error:
        return None, [_detail(one) for one in error.errors(include_url=False)]
    faults = [InitErrorDetails(type=fault(says), loc=place, input=None) for place, says in _override_faults(spec, override)]
    return override, faults


def _detail(error: Any) -> InitErrorDetails:
    context = error.get("ctx", {})
    kind = fault(context["says"], context.get("nearest")) if error["type"] == FAULT else error["type"]
    return InitErrorDetails(type=kind, loc=error["loc"], input=error["input"], ctx=context)


def _override_faults(spec: RuleSpec, override: _RuleOverride) -> Iterator[tuple[Place, str]]:
    if override.threshold is not None and not spec.counts:
        yield ("threshold",), "this rule counts nothing: it has no threshold"
    if override.clear is None or isinstance(override.clear, timedelta):
        return
    if not spec.counts:
        yield ("clear",), 'this rule counts nothing: it ends when it has been gone for a while: "30s"'
    elif spec.budget and override.threshold is None:
        yield ("clear",), "its threshold comes from elsewhere: name a threshold beside it, or a duration"
    elif not _ends_right(spec, override):
        yield ("clear",), f"must lie {'below' if spec.above else 'above'} the threshold"


def _ends_right(spec: RuleSpec, override: _RuleOverride) -> bool:
    """Tell whether every end lies on the right side of the threshold that goes with it."""
    mildest = SEVERITIES[-1] if not spec.levels else spec.levels[-1].severity.value
    shipped_ones = {level.severity.value: level.threshold for level in spec.levels}
    limits = override.threshold if isinstance(override.threshold, dict) else None
    sign = 1 if spec.above else -1
    ends = override.clear if isinstance(override.clear, dict) else {mildest: override.clear}
    for word, end in ends.items():
        threshold = limits.get(word) if limits else override.threshold if word == mildest else None
        threshold = threshold if threshold is not None else shipped_ones.get(word)
        if not isinstance(threshold, int | float) or not isinstance(end, int | float):
            return False
        if sign * end > sign * threshold:
            return False
    return True


def own_queries(alerts: AlertsConfig, prometheus: str) -> dict[str, str]:
    """Return the queries of the operator's own rules that one Prometheus is asked, by the rule's name."""
    return {rule.name: rule.query for rule in alerts.own if rule.prometheus == prometheus and rule.query}


def alert_faults(alerts: object, prometheus: list[object]) -> Iterator[tuple[Place, str, str | None]]:
    """Yield what is wrong between the operator's own rules and the rest of a configuration; works on plain data."""
    own = alerts.get("own") if isinstance(alerts, Mapping) else None
    first: dict[str, int] = {}
    for at, rule in enumerate(own if isinstance(own, list | tuple) else ()):
        if not isinstance(rule, Mapping):
            continue
        name, server = rule.get("name"), rule.get("prometheus")
        if isinstance(name, str) and first.setdefault(name, at) != at:
            yield ("alerts", "own", at, "name"), f"own[{first[name]}] has this name already", None
        if isinstance(server, str) and server not in prometheus:
            known = [line(one, 64) for one in prometheus if isinstance(one, str)]
            yield ("alerts", "own", at, "prometheus"), "no [[prometheus]] has this name", nearest(server, known)
