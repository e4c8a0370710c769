"""The two probes: the list of models, which costs nothing, and a streamed completion of one token."""

from __future__ import annotations

import asyncio
import json
import ssl
import time
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import TYPE_CHECKING, Any

from debugtui.config.redaction import redact
from debugtui.hosts.link import Link
from debugtui.model.groq import GroqCall, GroqFault, Limit
from debugtui.model.text import line
from debugtui.sources.groq.classify import Progress, ShapeError, classify, page
from debugtui.sources.groq.client import open_client, reach
from debugtui.sources.groq.headers import limits, retry_after

if TYPE_CHECKING:
    import groq
    import httpx

MODELS, COMPLETION = "models", "completion"

#: What the completion asks: as short as can be; the model's own frame around it takes most of the tokens.
PROMPT = "ping"
#: Most models of a list that are kept.
MOST_MODELS = 1_000


@dataclass(slots=True)
class Outcome:
    """What a probe came to.

    Attributes:
        call: as the screens show it.
        limits: the rate limits that the answer told.
        models: ids of the list of models; None: it was not asked for, or did not come.
        used: tokens in and out, where the API told them.
        generated: False: surely no token was spent, since the API refused or was not reached.
    """

    call: GroqCall
    limits: tuple[Limit, ...] = ()
    models: frozenset[str] | None = None
    used: tuple[int, int] | None = None
    generated: bool = True


@dataclass(slots=True)
class _Seen:
    """What is known of a call while it runs."""

    began: float = field(default_factory=time.perf_counter)
    stream: bool = False
    headers: Mapping[str, str] | None = None
    chunks: int = 0
    last_chunk: float = 0.0
    gap_s: float = 0.0
    first_token_s: float | None = None
    finished: bool = False
    usage: Any = None
    request_id: str = ""
    models: frozenset[str] | None = None

    def since(self) -> float:
        return time.perf_counter() - self.began

    def progress(self) -> Progress:
        return Progress(self.stream, self.headers is not None, self.chunks, self.since())


@dataclass(frozen=True, slots=True)
class Way:
    """How to reach the API: everything about it but the key."""

    base_url: str
    timeout: float
    context: ssl.SSLContext
    link: Link | None = None


async def probe(way: Way, key: str, kind: str, model: str, now: datetime) -> Outcome:
    """Make one probe; every fault of the API is a part of the outcome.

    Args:
        way: how to reach it.
        key: the API key.
        kind: `MODELS` or `COMPLETION`.
        model: for a completion.
        now: the time (UTC) that it bears.

    Raises:
        LinkError: the link is down, or does not allow it.
    """
    import groq
    import httpx

    from debugtui.sources.groq.classify import AnswerTooBigError

    faults = (groq.GroqError, httpx.HTTPError, OSError, AnswerTooBigError, ShapeError)
    shapes = (ValueError, TypeError, AttributeError, LookupError)  # what reading a strange answer raises in the SDK
    seen = _Seen(stream=kind == COMPLETION)
    try:
        async with asyncio.timeout(way.timeout):
            endpoint = await reach(way.link, way.base_url) if way.link is not None else None
            seen.began = time.perf_counter()
            async with open_client(way.base_url, key, timeout=way.timeout, context=way.context, endpoint=endpoint) as client:
                await (_completion(client, model, seen) if seen.stream else _models(client, seen))
    except (*faults, *shapes) as error:
        return _failed(error, seen, kind, now)
    return _went_well(seen, kind, now)


def _failed(error: BaseException, seen: _Seen, kind: str, now: datetime) -> Outcome:
    verdict = classify(error, seen.progress())
    response = getattr(error, "response", None)
    headers: Mapping[str, str] = seen.headers or (response.headers if response is not None else {})
    outcome = _outcome(seen, kind, now, headers)
    status = verdict.status or (200 if seen.headers is not None else None)
    call = replace(
        outcome.call,
        fault=verdict.fault,
        says=verdict.says,
        status=status,
        total_ms=_ms(seen.since()) if status is not None and verdict.fault not in _ENDLESS else None,
        retry_after_s=retry_after(headers, now),
    )
    refused = status is not None and not 200 <= status < 300
    reached = verdict.fault not in (GroqFault.DNS, GroqFault.REFUSED, GroqFault.TLS)
    return replace(outcome, call=call, generated=reached and not refused)


#: Faults of calls that did not end by themselves.
_ENDLESS = frozenset({GroqFault.TIMEOUT, GroqFault.STALLED, GroqFault.SLOW_FIRST_TOKEN})


def _went_well(seen: _Seen, kind: str, now: datetime) -> Outcome:
    outcome = _outcome(seen, kind, now, seen.headers or {})
    return replace(outcome, call=replace(outcome.call, status=200, total_ms=_ms(seen.since())))


def _outcome(seen: _Seen, kind: str, now: datetime, headers: Mapping[str, str]) -> Outcome:
    usage = seen.usage
    tokens_in, tokens_out = _count(usage, "prompt_tokens"), _count(usage, "completion_tokens")
    call = GroqCall(
        at=now,
        kind=kind,
        ttft_ms=None if seen.first_token_s is None else _ms(seen.first_token_s),
        longest_gap_ms=_ms(seen.gap_s) if seen.chunks > 1 else None,
        queue_ms=_time(usage, "queue_time"),
        prompt_ms=_time(usage, "prompt_time"),
        completion_ms=_time(usage, "completion_time"),
        tokens_in=tokens_in or 0,
        tokens_out=tokens_out or 0,
        request_id=seen.request_id or line(redact(headers.get("x-request-id", "")), 100),
    )
    used = (tokens_in, tokens_out) if tokens_in is not None and tokens_out is not None else None
    return Outcome(call, limits(headers), seen.models, used)


async def _models(client: groq.AsyncGroq, seen: _Seen) -> None:
    """Read the list of models."""
    answer = await client.models.with_raw_response.list()
    seen.headers = answer.headers
    if answer.status_code == 204:
        raise ShapeError(GroqFault.NOT_THE_API, "204 an empty answer", 204)
    found: object = await answer.parse()
    if isinstance(found, str):
        raise ShapeError(GroqFault.NOT_THE_API, f"{answer.status_code} {page(found)} instead of the list", answer.status_code)
    data = getattr(found, "data", None)
    if not isinstance(data, list):
        raise ShapeError(GroqFault.NOT_THE_API, "JSON of another shape than the list of models", answer.status_code)
    ids = (getattr(one, "id", None) for one in data[:MOST_MODELS])
    seen.models = frozenset(one for one in ids if isinstance(one, str))


async def _completion(client: groq.AsyncGroq, model: str, seen: _Seen) -> None:
    """Stream one token, to the end of the stream, as an application would."""
    ask = client.chat.completions.create
    stream = await ask(
        model=model,
        messages=[{"role": "user", "content": PROMPT}],
        max_completion_tokens=1,
        stream=True,
        extra_body={"stream_options": {"include_usage": True}},
    )
    if not hasattr(stream, "response"):
        raise ShapeError(GroqFault.NOT_THE_API, page(str(stream)) + " instead of a stream")
    try:
        response = stream.response
        seen.headers = response.headers
        kind = response.headers.get("content-type", "").partition(";")[0].strip().lower()
        if response.status_code == 204 or kind in ("text/html", "application/json"):
            await _no_stream(response, kind, seen)
        async for chunk in stream:
            _look_at(chunk, seen)
        if not seen.chunks and kind != "text/event-stream":
            raise ShapeError(GroqFault.NOT_THE_API, f"an answer of type {kind or 'unknown'} instead of a stream", 200)
        if not seen.finished:
            said = f"the stream ended after {seen.chunks} chunks without saying that it is finished"
            raise ShapeError(GroqFault.INCOMPLETE, said, 200)
    finally:
        await stream.close()


async def _no_stream(response: httpx.Response, kind: str, seen: _Seen) -> None:
    """Read an answer that is no stream, and say what it is instead.

    Raises:
        ShapeError: always, but for JSON that cannot be read.
    """
    seen.stream = False
    body = await response.aread()
    status = response.status_code
    if kind != "application/json":
        text = body.decode("utf-8", errors="replace")
        raise ShapeError(GroqFault.NOT_THE_API, f"{status} {page(text)} instead of a stream", status)
    found = await asyncio.to_thread(json.loads, body.decode("utf-8"))
    if isinstance(found, dict) and found.get("error"):
        raise ShapeError(GroqFault.STREAM_ERROR, f"instead of a stream: {found['error']}", status)
    raise ShapeError(GroqFault.NOT_THE_API, "JSON instead of a stream", status)


def _look_at(chunk: Any, seen: _Seen) -> None:
    """Take from a chunk what it tells.

    Raises:
        ShapeError: it tells of an error, or is not a chunk.
    """
    now = seen.since()
    event = getattr(chunk, "event", None)
    if event == "error":
        raise ShapeError(GroqFault.STREAM_ERROR, f"the stream says: {getattr(chunk, 'data', '')}", 200)
    if isinstance(event, str):
        return  # an event of another kind, such as a ping
    choices = getattr(chunk, "choices", None)
    own = getattr(chunk, "x_groq", None)
    usage = getattr(chunk, "usage", None) or getattr(own, "usage", None)
    if (error := getattr(own, "error", None)) is not None:
        raise ShapeError(GroqFault.STREAM_ERROR, f"the stream was stopped early: {error}", 200)
    if not isinstance(choices, list) and usage is None:
        raise ShapeError(GroqFault.MALFORMED, f"a chunk without choices, after {seen.chunks} sound ones", 200)
    seen.gap_s = max(seen.gap_s, now - seen.last_chunk) if seen.chunks else 0.0
    seen.chunks, seen.last_chunk = seen.chunks + 1, now
    seen.usage = usage or seen.usage
    if isinstance(request := getattr(own, "id", None), str):
        seen.request_id = line(redact(request), 100)
    for choice in choices or ():
        delta = getattr(choice, "delta", None)
        tokens = any(getattr(delta, name, None) for name in ("content", "reasoning", "tool_calls"))
        finished = bool(getattr(choice, "finish_reason", None))
        if seen.first_token_s is None and (tokens or finished):
            seen.first_token_s = now
        seen.finished = seen.finished or finished


def _ms(seconds: float) -> float:
    return round(seconds * 1000, 1)


def _time(usage: Any, name: str) -> float | None:
    """Return one of the API's own times, in milliseconds."""
    value = getattr(usage, name, None)
    if not isinstance(value, (int, float)) or isinstance(value, bool) or not 0 <= value < 86_400:
        return None
    return round(value * 1000, 3)


def _count(usage: Any, name: str) -> int | None:
    value = getattr(usage, name, None)
    return value if isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 10_000_000 else None
