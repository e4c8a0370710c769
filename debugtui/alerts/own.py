"""The operator's own rules: figures of readings, and answers of a Prometheus, against thresholds."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping

from debugtui.alerts.finding import Finding
from debugtui.alerts.settings import Rules
from debugtui.fleet.history import METRICS, figures_of
from debugtui.model.alert_rules import OwnRule
from debugtui.model.queries import HasAnswers, QueryAnswer, QuerySample
from debugtui.model.source import Freshness, Kind, SourceStatus
from debugtui.model.target import Target
from debugtui.model.text import line

#: Series of one answer that are judged, and characters of a message and of a series in a target.
MOST_SERIES, MESSAGE, LABELS = 200, 99, 120


def own_findings(status: SourceStatus, rules: Rules) -> Iterator[Finding]:
    """Yield what the operator's own rules find in one source; what is lost is not judged."""
    if not rules.own or status.reading is None or status.freshness in (Freshness.LOST, Freshness.OFF):
        return
    figures = None
    for rule in rules.own:
        if rule.metric:
            kind, _, figure = rule.metric.partition(".")
            if kind == status.kind:
                figures = figures_of(status) if figures is None else figures
                yield from _of_figures(status, rule, figure, figures, rules)
        elif status.kind is Kind.PROMETHEUS and rule.prometheus == status.name:
            yield from _of_answer(status, rule, rules)


def unanswered(status: SourceStatus, rules: Rules) -> frozenset[str]:
    """Return the own rules whose query this source did not answer: whether they hold is not known."""
    if status.kind is not Kind.PROMETHEUS:
        return frozenset()
    answers = _answers(status.reading)
    asked = [rule.spec.name for rule in rules.own if rule.query and rule.prometheus == status.name]
    return frozenset(name for name in asked if name not in answers or answers[name].problem is not None)


def _of_figures(
    status: SourceStatus, rule: OwnRule, figure: str, figures: tuple[tuple[str, ...], list[float | None]], rules: Rules
) -> Iterator[Finding]:
    names, values = figures
    metrics = METRICS[status.kind]
    for number, name in enumerate(names):
        target = Target(status.host, status.kind, name)
        if rule.is_about(target):
            value = values[number * len(metrics) + metrics.index(figure)]
            yield from _judged(rule, target, value, f"{figure} of {name or status.host}", rules)


def _of_answer(status: SourceStatus, rule: OwnRule, rules: Rules) -> Iterator[Finding]:
    answer = _answers(status.reading).get(rule.spec.name)
    if answer is None or answer.problem is not None:
        return
    for sample in answer.samples[:MOST_SERIES]:
        series = _series(sample)
        target = Target(status.host, status.kind, f"{status.name}/{series}" if series else status.name)
        if rule.is_about(target):
            yield from _judged(rule, target, sample.value, rule.spec.name + (f" of {series}" if series else ""), rules)


def _answers(reading: object) -> Mapping[str, QueryAnswer]:
    return reading.answers if isinstance(reading, HasAnswers) else {}


def _series(sample: QuerySample) -> str:
    words = ",".join(f"{name}={value}" for name, value in sample.labels if name != "__name__")
    return line(words)[:LABELS]


def _judged(rule: OwnRule, target: Target, value: float | None, what: str, rules: Rules) -> Iterator[Finding]:
    known = value if value is not None and math.isfinite(value) else None

    def says(number: float, threshold: float) -> str:
        # Not str.format: a message may not reach into objects.
        words = rule.message or f"{what} is {{value}}, {'above' if rule.spec.above else 'below'} {{threshold}}"
        words = (
            words.replace("{value}", f"{number:g}").replace("{threshold}", f"{threshold:g}").replace("{target}", str(target))
        )
        words = line(words)
        return words if len(words) <= MESSAGE else f"{words[: MESSAGE - 1]}…"

    yield from rules.counted(rule.spec.name, target, known, says)
