"""Rules about a use of the Groq API. The newest probe names what is wrong now; the last hour's figures name what is slow."""

from __future__ import annotations

from collections.abc import Iterator

from debugtui.alerts.rules import Finding
from debugtui.model.alerts import Severity
from debugtui.model.groq import GroqCall, GroqFault, GroqReading
from debugtui.model.target import Target
from debugtui.model.text import line

#: A person who waits for an answer loses the thread after some seconds; at 10 s attention ends (Nielsen, "Response Times").
LATENCY_MS = 5_000.0
#: Fewer calls make no 95th percentile.
LEAST_CALLS = 5
#: Groq's models answer within some hundred milliseconds; ten times that is felt as a hang.
FIRST_TOKEN_MS = 2_000.0
#: A stream that pauses this long between two chunks reads as if it hung.
GAP_MS = 2_000.0
#: Share of a rate limit that is left, in per cent.
HEADROOM_PERCENT = 10.0
#: Share of the application's own calls that fail, in per cent; fewer calls than that are an accident.
FAILURES_PERCENT = 5.0
LEAST_OWN_CALLS = 10
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


def findings(target: Target, reading: GroqReading) -> Iterator[Finding]:
    """Yield what is wrong with one use of the API."""
    newest = reading.newest
    if newest is not None and newest.fault is not None:
        yield _fault(target, reading, newest, newest.fault)
    elif newest is not None:
        yield from _slow(target, newest)
    yield from _percentiles(target, reading)
    yield from _headroom(target, reading)
    if reading.model_listed is False and not (newest is not None and newest.fault is GroqFault.NO_MODEL):
        message = line(f"model {reading.model} is not among the {reading.models} that the API lists", MESSAGE)
        yield Finding(_HIGH, "groq_model_not_listed", target, message)
    if reading.budget_spent:
        message = f"probe budget spent: {reading.tokens_today:,} of {reading.tokens_budget:,} tokens; no completion is sent"
        yield Finding(
            Severity.LOW, "groq_budget_spent", target, message, float(reading.tokens_today), float(reading.tokens_budget)
        )
    yield from _own_calls(target, reading)


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


def _slow(target: Target, newest: GroqCall) -> Iterator[Finding]:
    """What was slow about a probe that went well."""
    gap, first, total = newest.longest_gap_ms, newest.ttft_ms, newest.total_ms
    if gap is not None and gap > GAP_MS:
        message = f"Groq: stream stalled for {gap / 1000:.1f} s, then went on"
        yield Finding(_MEDIUM, rule_of(GroqFault.STALLED), target, message, gap, GAP_MS, newest.at)
    elif first is not None and first > FIRST_TOKEN_MS:
        message = f"Groq: slow first token, after {first / 1000:.1f} s"
        yield Finding(_MEDIUM, rule_of(GroqFault.SLOW_FIRST_TOKEN), target, message, first, FIRST_TOKEN_MS, newest.at)
    elif total is not None and total > LATENCY_MS:
        message = f"Groq: slow answer, {total / 1000:.1f} s"
        yield Finding(_MEDIUM, "groq_slow", target, message, total, LATENCY_MS, newest.at)


def _percentiles(target: Target, reading: GroqReading) -> Iterator[Finding]:
    latency, first = reading.latency, reading.ttft
    if latency is not None and latency.count >= LEAST_CALLS and latency.p95 > LATENCY_MS:
        message = f"latency p95 {latency.p95 / 1000:.1f} s over the last {latency.count} probes"
        yield Finding(_HIGH, "groq_latency", target, message, latency.p95, LATENCY_MS)
    if first is not None and first.count >= LEAST_CALLS and first.p95 > FIRST_TOKEN_MS:
        message = f"first token p95 {first.p95 / 1000:.1f} s over the last {first.count} probes"
        yield Finding(_HIGH, "groq_first_token", target, message, first.p95, FIRST_TOKEN_MS)


def _headroom(target: Target, reading: GroqReading) -> Iterator[Finding]:
    for limit in reading.limits:
        if limit.limit and limit.left_percent < HEADROOM_PERCENT:
            per = "day" if limit.name == "requests" else "minute"
            message = f"{limit.remaining:,} of {limit.limit:,} {limit.name} a {per} left"
            severity = _HIGH if limit.name == "requests" else _MEDIUM
            yield Finding(severity, f"groq_headroom_{limit.name}", target, message, limit.left_percent, HEADROOM_PERCENT)


def _own_calls(target: Target, reading: GroqReading) -> Iterator[Finding]:
    for figures in reading.passive:
        failed = sum(figures.by_class.values())
        if figures.calls < LEAST_OWN_CALLS or not failed:
            continue
        percent = 100.0 * failed / figures.calls
        if percent > FAILURES_PERCENT:
            worst = max(figures.by_class, key=lambda fault: figures.by_class[fault])
            message = f"{failed} of {figures.calls} calls of the application fail, most: {worst} ({figures.origin})"
            yield Finding(_HIGH, "groq_application", target, _cut(message), percent, FAILURES_PERCENT)
