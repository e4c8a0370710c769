"""What Prometheus knows of the application's calls: the metrics that OpenTelemetry's conventions for generative AI name."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from debugtui.config.redaction import redact
from debugtui.model.groq import GroqFault, PassiveFigures, Spread
from debugtui.model.text import line
from debugtui.sources.groq.classify import of_status

Ask = Callable[[str], Awaitable[object]]

WINDOW = "5m"
_DURATION = "gen_ai_client_operation_duration_seconds"
#: Where the time to the first token may be, best first: what the client saw, what the server said.
_FIRST_TOKEN = (
    "gen_ai_client_operation_time_to_first_chunk_seconds",
    "gen_ai_client_time_to_first_chunk_seconds",
    "gen_ai_server_time_to_first_token_seconds",
)
_TOKENS = "gen_ai_client_token_usage"
_SHARES = (0.50, 0.95, 0.99)


def _rates(metric: str, function: str, model: str, more: str = "") -> str:
    """Return the part of a query that selects the series: by the model where one is watched, else by the provider's label.

    The label was renamed: `gen_ai_system` became `gen_ai_provider_name`; a series has either.
    """
    extra = f",{more}" if more else ""
    if model:
        escaped = model.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
        return f'{function}({metric}{{gen_ai_request_model="{escaped}"{extra}}}[{WINDOW}])'
    labels = ("gen_ai_provider_name", "gen_ai_system")
    return " or ".join(f'{function}({metric}{{{label}="groq"{extra}}}[{WINDOW}])' for label in labels)


def _quantile(metric: str, share: float, model: str) -> str:
    return f"histogram_quantile({share:g}, sum by (le) ({_rates(f'{metric}_bucket', 'rate', model)}))"


def _sum(metric: str, model: str, by: str = "") -> str:
    return f"sum {f'by ({by}) ' if by else ''}({_rates(metric, 'increase', model)})"


async def of_metrics(ask: Ask, origin: str, model: str) -> PassiveFigures | None:
    """Return what the metrics tell of the last five minutes; None: there are none of these.

    Raises:
        Whatever `ask` raises.
    """
    calls = _one(await ask(_sum(f"{_DURATION}_count", model)))
    if calls is None:
        return None
    queries = (_sum(f"{_DURATION}_count", model, "error_type"), _sum(f"{_TOKENS}_sum", model, "gen_ai_token_type"))
    errors, tokens = [await ask(query) for query in queries]
    latency = await _spread(ask, _DURATION, model, calls)
    ttft = None
    for metric in _FIRST_TOKEN:
        ttft = await _spread(ask, metric, model, None)
        if ttft is not None:
            break
    by_class: Counter[GroqFault] = Counter()
    words = []
    for labels, value in _vector(errors):
        word = labels.get("error_type", "")
        if word and round(value) > 0:
            by_class[of_error_type(word)] += round(value)
            words.append(f"{line(redact(word), 80)} × {value:.0f}")
    spent = {labels.get("gen_ai_token_type", ""): round(value) for labels, value in _vector(tokens)}
    return PassiveFigures(
        origin=origin,
        calls=round(calls),
        by_class=dict(by_class),
        latency=latency,
        ttft=ttft,
        tokens_in=spent.get("input", spent.get("prompt")),
        tokens_out=spent.get("output", spent.get("completion")),
        newest_failure=line(", ".join(words), 240),
    )


async def _spread(ask: Ask, metric: str, model: str, calls: float | None) -> Spread | None:
    """Return the percentiles of a histogram of seconds, in milliseconds."""
    count = calls if calls is not None else _one(await ask(_sum(f"{metric}_count", model)))
    if not count or round(count) < 1:
        return None
    found = [_one(await ask(_quantile(metric, share, model))) for share in _SHARES]
    known = [round(value * 1000, 1) for value in found if value is not None]
    if len(known) != len(_SHARES):
        return None
    p50, p95, p99 = known
    return Spread(p50, p95, p99, round(count))


def of_error_type(word: str) -> GroqFault:
    """Return the class of an `error.type`: a status, or the name of an exception."""
    if word.isascii() and word.isdigit() and len(word) == 3:
        return of_status(int(word))
    low = word.lower()
    known = {
        "timeout": GroqFault.TIMEOUT,
        "ratelimit": GroqFault.RATE_LIMITED,
        "authentication": GroqFault.AUTHENTICATION,
        "permission": GroqFault.PERMISSION,
        "notfound": GroqFault.NO_MODEL,
        "badrequest": GroqFault.BAD_REQUEST,
        "unprocessable": GroqFault.BAD_REQUEST,
        "internalserver": GroqFault.SERVER,
        "remoteprotocol": GroqFault.CUT,
        "jsondecode": GroqFault.MALFORMED,
        "unicodedecode": GroqFault.MALFORMED,
    }
    return next((fault for part, fault in known.items() if part in low.replace("_", "")), GroqFault.CONNECTION)


def _vector(answer: object) -> list[tuple[Mapping[str, str], float]]:
    """Read an instant vector; whatever is not one is left out."""
    found: list[tuple[Mapping[str, str], float]] = []
    for row in answer if isinstance(answer, list) else ():
        metric = row.get("metric") if isinstance(row, dict) else None
        value = _value(row.get("value")) if isinstance(row, dict) else None
        if isinstance(metric, dict) and value is not None:
            found.append(({str(name): str(text) for name, text in metric.items()}, value))
    return found


def _one(answer: object) -> float | None:
    """Return the only figure of an answer; None: there is none."""
    rows = _vector(answer)
    return rows[0][1] if rows else None


def _value(pair: Any) -> float | None:
    """Read `[time, "figure"]`; NaN and infinity are no figures."""
    if not isinstance(pair, (list, tuple)) or len(pair) != 2:
        return None
    try:
        value = float(pair[1])
    except (TypeError, ValueError):
        return None
    return value if math.isfinite(value) and value >= 0 else None
