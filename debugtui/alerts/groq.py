"""Rules about a use of the Groq API. The newest probe names what is wrong now; the last hour's figures name what is slow."""

from __future__ import annotations

from collections.abc import Iterator

from debugtui.alerts.finding import Finding
from debugtui.alerts.settings import DEFAULT, Rules
from debugtui.model.alerts import Severity
from debugtui.model.groq import GroqCall, GroqFault, GroqReading
from debugtui.model.target import Target
from debugtui.model.text import line

#: So many failed probes one after the other are no accident.
IN_A_ROW = 3
#: Longest message, in characters.
MESSAGE = 99

_CRITICAL, _HIGH, _MEDIUM = Severity.CRITICAL, Severity.HIGH, Severity.MEDIUM
_SAYS: dict[GroqFault, tuple[Severity, str]] = {
    GroqFault.AUTHENTICATION: (_CRITICAL, "authentication fails"),
    GroqFault.PERMISSION: (_CRITICAL, "permission denied"),
    GroqFault.NO_MODEL: (_CRITICAL, "model not found"),
    GroqFault.BAD_REQUEST: (_MEDIUM, "bad request"),
    GroqFault.TOO_LARGE: (_MEDIUM, "request too large"),
    GroqFault.RATE_LIMITED: (_HIGH, "rate limited"),
    GroqFault.CAPACITY: (_HIGH, "capacity exceeded"),
    GroqFault.CANCELLED: (_MEDIUM, "request cancelled"),
    GroqFault.SERVER: (_HIGH, "server error"),
    GroqFault.NOT_THE_API: (_CRITICAL, "not the API's answer"),
    GroqFault.TIMEOUT: (_HIGH, "timeout"),
    GroqFault.DNS: (_CRITICAL, "DNS fails"),
    GroqFault.REFUSED: (_CRITICAL, "connection refused"),
    GroqFault.RESET: (_HIGH, "connection reset"),
    GroqFault.TLS: (_CRITICAL, "TLS fails"),
    GroqFault.CONNECTION: (_CRITICAL, "connection fails"),
    GroqFault.SLOW_FIRST_TOKEN: (_HIGH, "slow first token"),
    GroqFault.STALLED: (_HIGH, "stream stalled"),
    GroqFault.CUT: (_HIGH, "answer cut off"),
    GroqFault.STREAM_ERROR: (_HIGH, "error in the stream"),
    GroqFault.MALFORMED: (_HIGH, "malformed answer"),
    GroqFault.INCOMPLETE: (_HIGH, "incomplete stream"),
}


def rule_of(fault: GroqFault) -> str:
    """Return the name of the rule of a fault: `groq_no_model`."""
    return f"groq_{fault.name.lower()}"


def findings(target: Target, reading: GroqReading, rules: Rules = DEFAULT) -> Iterator[Finding]:
    """Yield what is wrong with one use of the API."""
    newest = reading.newest
    if newest is not None and newest.fault is not None:
        yield _fault(target, reading, newest, newest.fault)
    elif newest is not None:
        yield from _slow(target, newest, rules)
    yield from _percentiles(target, reading, rules)
    yield from _responses(target, reading, rules)
    yield from _headroom(target, reading, rules)
    if reading.model_listed is False and not (newest is not None and newest.fault is GroqFault.NO_MODEL):
        message = line(f"model {reading.model} is not among the {reading.models} that the API lists", MESSAGE)
        yield Finding(_HIGH, "groq_model_not_listed", target, message)
    if reading.budget_spent:
        message = f"probe budget spent: {reading.tokens_today:,} of {reading.tokens_budget:,} tokens; no completion is sent"
        yield Finding(
            Severity.LOW, "groq_budget_spent", target, message, float(reading.tokens_today), float(reading.tokens_budget)
        )
    yield from _own_calls(target, reading, rules)


def _fault(target: Target, reading: GroqReading, newest: GroqCall, fault: GroqFault) -> Finding:
    severity, words = _SAYS[fault]
    row = reading.calls[-IN_A_ROW:]
    if severity is _HIGH and len(row) == IN_A_ROW and all(call.fault is not None for call in row):
        severity = _CRITICAL
    status = f" ({newest.status})" if newest.status is not None and newest.status != 200 else ""
    wait = f", retry after {newest.retry_after_s:.0f} s" if newest.retry_after_s is not None else ""
    said = newest.says.removeprefix(f"{newest.status} ").removeprefix(f"answers {newest.status}")
    message = f"Groq: {words}{status}{wait}{': ' if said else ''}{said}"
    return Finding(severity, rule_of(fault), target, _cut(message), since=newest.at)


def _cut(message: str) -> str:
    return message if len(message) <= MESSAGE else message[: MESSAGE - 1] + "…"


def _slow(target: Target, newest: GroqCall, rules: Rules) -> Iterator[Finding]:
    """What was slow about a probe that went well; of several the first is named.

    A person who waits for an answer loses the thread after some seconds; at 10 s attention ends (Nielsen, "Response Times").
    Groq's models begin to answer within some hundred milliseconds: ten times that is felt as a hang, and so is such a pause.
    """
    stalled, first, slow = rule_of(GroqFault.STALLED), rule_of(GroqFault.SLOW_FIRST_TOKEN), "groq_slow"
    kinds = (
        (stalled, newest.longest_gap_ms, lambda ms, _: f"Groq: stream stalled for {ms / 1000:.1f} s, then went on"),
        (first, newest.ttft_ms, lambda ms, _: f"Groq: slow first token, after {ms / 1000:.1f} s"),
        (slow, newest.total_ms, lambda ms, _: f"Groq: slow answer, {ms / 1000:.1f} s"),
    )
    named = False
    for rule, value, says in kinds:
        if value is None:
            continue  # a probe that lists models has no stream
        for finding in rules.counted(rule, target, value, says, since=newest.at):
            if not (named and finding.raised):
                yield finding
            named |= finding.raised


def _percentiles(target: Target, reading: GroqReading, rules: Rules) -> Iterator[Finding]:
    pairs = (("groq_latency", "latency", reading.latency), ("groq_first_token", "first token", reading.ttft))
    for rule, words, spread in pairs:
        if spread is not None and spread.count >= rules.least(rule):
            says = f"{words} p95 {spread.p95 / 1000:.1f} s over the last {spread.count} probes"
            yield from rules.counted(rule, target, spread.p95, says)


def _responses(target: Target, reading: GroqReading, rules: Rules) -> Iterator[Finding]:
    """How long answers take: the newest probe that was answered, or the application's own calls, whichever is worse."""
    newest, least = reading.newest, rules.least("groq_response")
    found: list[tuple[float, str]] = []
    if newest is not None and newest.total_ms is not None:
        found.append((newest.total_ms, "the newest probe"))
    found += (
        (one.latency.p95, f"p95 of {one.latency.count} calls of the application ({one.origin})")
        for one in reading.passive
        if one.latency is not None and one.latency.count >= least
    )
    if found:
        slowest, whose = max(found)
        yield from rules.counted(
            "groq_response", target, slowest, lambda ms, _: _cut(f"an answer of the AI takes {ms / 1000:.1f} s: {whose}")
        )


def _headroom(target: Target, reading: GroqReading, rules: Rules) -> Iterator[Finding]:
    for limit in reading.limits:
        if limit.limit and limit.name in ("requests", "tokens"):
            per = "day" if limit.name == "requests" else "minute"
            message = f"{limit.remaining:,} of {limit.limit:,} {limit.name} a {per} left"
            yield from rules.counted(f"groq_headroom_{limit.name}", target, limit.left_percent, message)


def _own_calls(target: Target, reading: GroqReading, rules: Rules) -> Iterator[Finding]:
    for figures in reading.passive:
        if figures.calls < rules.least("groq_application"):
            continue
        failed = sum(figures.by_class.values())
        worst = max(figures.by_class, key=lambda fault: figures.by_class[fault]) if failed else ""
        message = f"{failed} of {figures.calls} calls of the application fail, most: {worst} ({figures.origin})"
        yield from rules.counted("groq_application", target, 100.0 * failed / figures.calls, _cut(message))
