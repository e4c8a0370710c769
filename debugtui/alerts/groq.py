"""What is wrong with a use of the Groq API."""

from __future__ import annotations

from collections.abc import Iterator

from debugtui.alerts.rules import Finding
from debugtui.model.alerts import Severity
from debugtui.model.groq import GroqFault, GroqReading
from debugtui.model.target import Target

#: A whole answer and a first token beyond this are slow for people who wait (ms); from so many probes on a percentile says it.
SLOW_MS, SLOW_TTFT_MS, LEAST = 5_000.0, 2_000.0, 5
#: Headroom below this is short (per cent); share of the application's own calls that fail.
LEFT_PERCENT, FAILING = 10.0, 0.05

#: What cuts users off now.
_CRITICAL = frozenset(
    {
        GroqFault.AUTHENTICATION, GroqFault.PERMISSION, GroqFault.NO_MODEL, GroqFault.NOT_THE_API, GroqFault.DNS,
        GroqFault.REFUSED, GroqFault.TLS, GroqFault.SERVER, GroqFault.TIMEOUT, GroqFault.RESET, GroqFault.CONNECTION,
    }
)  # fmt: skip


def findings(target: Target, reading: GroqReading) -> Iterator[Finding]:
    """Yield what is wrong."""
    newest = reading.newest
    if newest is not None and newest.fault is not None:
        severity = Severity.CRITICAL if newest.fault in _CRITICAL else Severity.HIGH
        rule = f"groq_{newest.fault.value.replace(' ', '_')}"
        yield Finding(severity, rule, target, f"{reading.base_url}: {newest.fault.value}: {newest.says}", newest.status)
    elif reading.model_listed is False:
        yield Finding(Severity.CRITICAL, "groq_model", target, f"the model {reading.model} is not listed by the API any more")
    yield from _slow(target, reading)
    for limit in reading.limits:
        if limit.left_percent < LEFT_PERCENT:
            says = f"{limit.remaining} of {limit.limit} {limit.name} are left ({limit.left_percent:.0f} %)"
            yield Finding(Severity.HIGH, f"groq_limit_{limit.name}", target, says, limit.left_percent, LEFT_PERCENT)
    if reading.probe == "completion" and any(gap.feature == "completion" for gap in reading.gaps):
        gap = next(gap for gap in reading.gaps if gap.feature == "completion")
        yield Finding(Severity.LOW, "groq_budget", target, gap.problem.says)
    for passive in reading.passive:
        failed = sum(passive.by_class.values())
        if passive.calls >= LEAST and failed / passive.calls > FAILING:
            worst = max(passive.by_class, key=lambda fault: passive.by_class[fault])
            says = f"{failed} of {passive.calls} calls of the application failed, most of them: {worst.value}"
            yield Finding(Severity.HIGH, "groq_application", target, says, failed / passive.calls, FAILING)


def _slow(target: Target, reading: GroqReading) -> Iterator[Finding]:
    newest = reading.newest
    for rule, words, found, at_once, limit in (
        ("groq_latency", "a whole answer", reading.latency, newest.total_ms if newest else None, SLOW_MS),
        ("groq_ttft", "the first token", reading.ttft, newest.ttft_ms if newest else None, SLOW_TTFT_MS),
    ):
        if found is not None and found.count >= LEAST and found.p95 > limit:
            says = f"p95 of {words} is {found.p95 / 1000:.1f} s"
            yield Finding(Severity.HIGH, rule, target, says, found.p95, limit)
        elif at_once is not None and at_once > limit and newest is not None and newest.fault is None:
            says = f"{words} took {at_once / 1000:.1f} s just now"
            yield Finding(Severity.MEDIUM, rule, target, says, at_once, limit)
