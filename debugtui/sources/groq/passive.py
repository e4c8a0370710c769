"""What an application's own log and metrics say of its calls. Pure but for the time limit of a configured expression."""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from urllib.parse import urlsplit

from debugtui.config.redaction import redact
from debugtui.model.groq import GroqFault, PassiveFigures, Spread
from debugtui.model.text import line
from debugtui.sources.groq.classify import of_status
from debugtui.sources.groq.spread import spread

#: Most lines and longest line that are looked at.
LINES, LONGEST = 5_000, 1_000

# What httpx and groq log at INFO.
_REQUEST = re.compile(r'HTTP Request: [A-Z]+ (https?://\S+) "HTTP/[\d.]+ (\d{3})[^"]*"')
_RETRY = re.compile(r"Retrying request to \S+ in [\d.]+ seconds")
_TIMEOUT = re.compile(r"\bAPITimeoutError\b|\bgroq\.\S*Timeout|Request timed out", re.IGNORECASE)


def from_log(lines: Sequence[str], origin: str, base_url: str, pattern: str | None) -> PassiveFigures:
    """Return the figures of a log.

    Args:
        lines: of it, of the last minutes.
        origin: what it is called.
        base_url: of the API; requests to other hosts are not counted.
        pattern: a regular expression with the groups `status`, `ms`, `retry_s`; None: the lines of httpx and groq.
    """
    rows = [row[:LONGEST] for row in lines[-LINES:]]
    return _by_pattern(rows, origin, pattern) if pattern else _by_sdk(rows, origin, urlsplit(base_url).netloc)


def _by_sdk(rows: Sequence[str], origin: str, netloc: str) -> PassiveFigures:
    calls, retries, newest = 0, 0, ""
    failed: Counter[GroqFault] = Counter()
    for row in rows:
        match = _REQUEST.search(row)
        if match and urlsplit(match[1]).netloc == netloc:
            calls += 1
            if int(match[2]) >= 400:
                failed[of_status(int(match[2]))] += 1
                newest = row
        elif _RETRY.search(row):
            retries += 1
        elif _TIMEOUT.search(row):
            calls += 1
            failed[GroqFault.TIMEOUT] += 1
            newest = row
    return PassiveFigures(origin, calls, dict(failed), retries, newest_failure=redact(line(newest, 300)))


def _by_pattern(rows: Sequence[str], origin: str, pattern: str) -> PassiveFigures:
    wanted = re.compile(pattern)
    calls, retries, newest = 0, 0, ""
    failed: Counter[GroqFault] = Counter()
    times: list[float] = []
    for row in rows:
        match = wanted.search(row)
        if match is None:
            continue
        values = match.groupdict()
        calls += 1
        retries += values.get("retry_s") is not None
        if (took := _number(values.get("ms"))) is not None:
            times.append(took)
        status = values.get("status") or ""
        if status.isascii() and status.isdigit() and int(status) >= 400:
            failed[of_status(int(status))] += 1
            newest = row
    return PassiveFigures(origin, calls, dict(failed), retries, spread(times), newest_failure=redact(line(newest, 300)))


def _number(text: str | None) -> float | None:
    try:
        value = float(text or "")
    except ValueError:
        return None
    return value if math.isfinite(value) and value >= 0 else None


#: OpenTelemetry's names for calls of language models, as Prometheus has them; histograms in seconds, the last five minutes.
QUERIES = {
    "latency": "histogram_quantile({q}, sum by (le) (rate(gen_ai_client_operation_duration_seconds_bucket[5m])))",
    "ttft": "histogram_quantile({q}, sum by (le) (rate(gen_ai_server_time_to_first_token_seconds_bucket[5m])))",
    "calls": "sum(increase(gen_ai_client_operation_duration_seconds_count[5m]))",
    "in": 'sum(increase(gen_ai_client_token_usage_sum{gen_ai_token_type="input"}[5m]))',
    "out": 'sum(increase(gen_ai_client_token_usage_sum{gen_ai_token_type="output"}[5m]))',
}


async def from_metrics(ask: Callable[[str], Awaitable[object]], origin: str) -> PassiveFigures:
    """Return the figures of a Prometheus; what it does not have is None.

    Raises:
        SourceError, LinkError: it cannot be asked.
    """
    calls = int(await _one(ask, QUERIES["calls"]) or 0)
    tokens_in, tokens_out = await _one(ask, QUERIES["in"]), await _one(ask, QUERIES["out"])
    return PassiveFigures(
        origin,
        calls,
        latency=await _quantiles(ask, "latency", calls),
        ttft=await _quantiles(ask, "ttft", calls),
        tokens_in=None if tokens_in is None else int(tokens_in),
        tokens_out=None if tokens_out is None else int(tokens_out),
    )


async def _quantiles(ask: Callable[[str], Awaitable[object]], name: str, calls: int) -> Spread | None:
    found = [await _one(ask, QUERIES[name].replace("{q}", quantile)) for quantile in ("0.5", "0.95", "0.99")]
    if any(value is None for value in found):
        return None
    p50, p95, p99 = (1000 * (value or 0.0) for value in found)
    return Spread(p50, p95, p99, calls)


async def _one(ask: Callable[[str], Awaitable[object]], query: str) -> float | None:
    answer = await ask(query)
    try:
        value = float(answer[0]["value"][1])  # type: ignore[index] # anything else is caught below
    except (TypeError, KeyError, IndexError, ValueError):
        return None
    return value if math.isfinite(value) else None
