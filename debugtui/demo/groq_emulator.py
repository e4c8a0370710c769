"""A server that speaks Groq's API, with faults on demand: what tests and the demo watch instead of the third party."""

from __future__ import annotations

import asyncio
import json
import ssl
import time
import uuid
from collections.abc import Callable, Iterable
from contextlib import suppress
from typing import Any

from aiohttp import web

from debugtui.demo.groq_buckets import Bucket, go_duration, headers
from debugtui.demo.groq_faults import STATUS, Fault, Faults, Statistics
from debugtui.demo.groq_stream import Completion, Timing, cut, tell

#: Models of the emulator; the names are Groq's.
MODELS = ("llama-3.1-8b-instant", "llama-3.3-70b-versatile", "openai/gpt-oss-20b")

#: Tokens that a chat's frame takes beside its text.
_FRAME = 16

_PAGE = "<!DOCTYPE html><html><head><title>502 Bad Gateway</title></head><body><h1>502 Bad Gateway</h1></body></html>"
_Answer = tuple[int, dict[str, Any], dict[str, str]]


class GroqEmulator:
    """One server on loopback. `start` listens, `stop` ends every request.

    Attributes:
        faults: those that wait to be shown; `fail` and `heal` are shorter.
        statistics: what it has seen.
        models: what it lists; may be changed while it runs.
        timing: how quick it is; may be changed while it runs.
        requests: the bucket of requests of a day.
        tokens: the bucket of tokens of a minute.
        keys: the API keys that it accepts; None: any. May be changed while it runs.
        flex_full: True: the service tier flex has no room (498).
    """

    def __init__(
        self,
        *,
        keys: Iterable[str] | None = None,
        models: Iterable[str] = MODELS,
        requests_a_day: int = 14_400,
        tokens_a_minute: int = 6_000,
        timing: Timing | None = None,
        tls: ssl.SSLContext | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.keys = None if keys is None else set(keys)
        self.models = list(models)
        self.timing = timing or Timing()
        self.requests = Bucket(requests_a_day, 86_400.0, clock)
        self.tokens = Bucket(tokens_a_minute, 60.0, clock)
        self.faults = Faults()
        self.statistics = Statistics()
        self.flex_full = False
        self.port = 0
        self._tls = tls
        self._runner: web.AppRunner | None = None
        self._stopping = asyncio.Event()

    @property
    def url(self) -> str:
        """The base URL."""
        return f"{'https' if self._tls else 'http'}://127.0.0.1:{self.port}"

    async def start(self, port: int = 0) -> None:
        """Listen on loopback; port 0: any that is free."""
        self._stopping.clear()
        app = web.Application(client_max_size=4_000_000)
        app.router.add_get("/openai/v1/models", self._serve)
        app.router.add_get("/openai/v1/models/{id:.+}", self._serve)
        app.router.add_post("/openai/v1/chat/completions", self._serve)
        app.router.add_route("*", "/{rest:.*}", self._serve)
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", port, ssl_context=self._tls)
        await site.start()
        self.port = int(self._runner.addresses[0][1])

    async def stop(self) -> None:
        """End every request and stop listening. Safe to call twice."""
        self._stopping.set()
        if self._runner is not None:
            await self._runner.cleanup()
            self._runner = None

    def fail(
        self, name: str, *, count: int | None = None, delay: float = 30.0, retry_after: float | None = None, where: str = ""
    ) -> None:
        """Show a fault to the next `count` requests, or until `heal`.

        Args:
            name: one of `groq_faults.FAULTS`.
            count: how many requests meet it; None: all.
            delay: seconds, of those that wait.
            retry_after: seconds in the header, of those with a status.
            where: `models` or `chat`: requests whose path holds this; empty: all.
        """
        self.faults.add(Fault(name, delay, retry_after, where, count))

    def heal(self) -> None:
        """Show no more faults."""
        self.faults.heal()
        self.flex_full = False

    async def _sleep(self, seconds: float) -> None:
        """Wait, but no longer than the emulator runs."""
        if seconds <= 0:
            return
        with suppress(TimeoutError):
            await asyncio.wait_for(self._stopping.wait(), seconds)
        if self._stopping.is_set():
            raise ConnectionResetError

    async def _serve(self, request: web.Request) -> web.StreamResponse:
        seen = self.statistics
        seen.requests[request.path] += 1
        if int(request.headers.get("x-stainless-retry-count") or 0) > 0:
            seen.retries += 1
        try:
            fault = self.faults.choose(request.path, request.headers)
        except ValueError as error:
            return self._plain((400, _error(400, str(error)), {}))
        if fault:
            seen.by_fault[fault.name] += 1
        try:
            return await self._answer(request, fault)
        except ConnectionResetError:
            seen.by_status[0] += 1
            cut(request, reset=False)
            return web.Response(status=499)

    async def _answer(self, request: web.Request, fault: Fault | None) -> web.StreamResponse:
        if fault and fault.name.isdigit():
            status = int(fault.name)
            more = {} if fault.retry_after is None else {"retry-after": f"{fault.retry_after:g}"}
            return self._plain((status, _error(status), {**headers(self.requests, self.tokens), **more}))
        broken = await self._broken(request, fault) if fault else None
        if broken is not None:
            return broken
        refused = self._refused(request)
        if refused is not None:
            return self._plain(refused)
        if request.path.startswith("/openai/v1/models"):
            return self._models(request)
        if request.path == "/openai/v1/chat/completions" and request.method == "POST":
            return await self._chat(request, fault)
        message = f"Unknown request URL: {request.method} {request.path}"
        body = {"error": {"message": message, "type": "invalid_request_error", "code": "unknown_url"}}
        return self._plain((404, body, {}))

    def _plain(self, answer: _Answer) -> web.Response:
        status, body, more = answer
        self.statistics.by_status[status] += 1
        said = {"x-request-id": _request_id(), **more}
        return web.Response(status=status, body=json.dumps(body).encode(), content_type="application/json", headers=said)

    def _raw(self, status: int, text: str, kind: str, more: dict[str, str] | None = None) -> web.Response:
        self.statistics.by_status[status] += 1
        return web.Response(status=status, body=text.encode(), headers={"Content-Type": kind, **(more or {})})

    async def _broken(self, request: web.Request, fault: Fault) -> web.StreamResponse | None:
        """Answer wrongly as a whole; None: this fault is one of streams."""
        page = _PAGE.replace("502 Bad Gateway", "Log in")
        json_kind = "application/json"
        answers: dict[str, Callable[[], web.Response]] = {
            "bad_gateway": lambda: self._raw(502, _PAGE, "text/html"),
            "no_content": self._no_content,
            "html": lambda: self._raw(200, page, "text/html; charset=utf-8"),
            "cut_json": lambda: self._raw(200, '{"id":"chatcmpl-1","object":"chat.comp', json_kind),
            "empty_json": lambda: self._raw(200, "", json_kind),
            "other_shape": lambda: self._raw(200, '{"status":"ok","version":"1.4.2"}', json_kind),
            "redirect": lambda: self._raw(301, "", "text/plain", {"Location": "https://api.example.org/"}),
        }
        if fault.name in answers:
            return answers[fault.name]()
        if fault.name in ("reset", "closed"):
            await request.read()
            self.statistics.by_status[0] += 1
            cut(request, reset=fault.name == "reset")
            return web.Response(status=499)
        if fault.name == "late_headers":
            await self._sleep(fault.delay)
            return None
        if fault.name in ("cut_body", "drip"):
            return await self._half_body(request, fault)
        return None

    def _no_content(self) -> web.Response:
        self.statistics.by_status[204] += 1
        return web.Response(status=204)

    async def _half_body(self, request: web.Request, fault: Fault) -> web.StreamResponse:
        body = json.dumps(self._listing()).encode()
        response = web.StreamResponse(headers={"Content-Type": "application/json", "Content-Length": str(len(body))})
        await response.prepare(request)
        if fault.name == "cut_body":
            await response.write(body[: len(body) // 2])
            await asyncio.sleep(0.02)
            self.statistics.by_status[0] += 1
            cut(request, reset=False)
            return response
        for at in range(len(body)):
            await self._sleep(fault.delay / len(body))
            await response.write(body[at : at + 1])
        self.statistics.by_status[200] += 1
        return response

    def _refused(self, request: web.Request) -> _Answer | None:
        scheme, _, key = request.headers.get("Authorization", "").partition(" ")
        if scheme.lower() != "bearer" or not key or (self.keys is not None and key not in self.keys):
            return 401, _error(401), {}
        return None

    def _listing(self) -> dict[str, Any]:
        return {"object": "list", "data": [_model(name) for name in self.models]}

    def _models(self, request: web.Request) -> web.StreamResponse:
        name = request.match_info.get("id", "")
        if not name:
            return self._plain((200, self._listing(), {}))
        if name not in self.models:
            return self._plain((404, _error(404, f"The model `{name}` does not exist"), {}))
        return self._plain((200, _model(name), {}))

    async def _chat(self, request: web.Request, fault: Fault | None) -> web.StreamResponse:
        try:
            asked = json.loads(await request.text())
            text = "".join(str(message.get("content") or "") for message in asked["messages"])
            most = int(asked.get("max_completion_tokens") or asked.get("max_tokens") or 24)
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            return self._plain((400, _error(400, f"the request body cannot be read: {type(error).__name__}"), {}))
        model = str(asked.get("model"))
        if model not in self.models:
            return self._plain((404, _error(404, f"The model `{model}` does not exist"), {}))
        tier = str(asked.get("service_tier") or "on_demand")
        if tier == "flex" and self.flex_full:
            return self._plain((498, _error(498), {}))
        if asked.get("stream_options") and not asked.get("stream"):
            return self._plain((400, _error(400, "stream_options needs stream"), {}))
        tokens_in = _FRAME + max(1, len(text) // 4)
        limited = self._limited(model, tokens_in + most)
        if limited is not None:
            return self._plain(limited)
        words = tuple((["Sound", *(f" word{number}" for number in range(1, 24))])[:most])
        told = Completion(
            request_id=_request_id(),
            model=model,
            words=words,
            tokens_in=tokens_in,
            timing=self.timing,
            finish="length" if len(words) == most else "stop",
            tier=tier,
            usage_asked=bool((asked.get("stream_options") or {}).get("include_usage")),
        )
        return await self._tell(request, told, fault, stream=bool(asked.get("stream")))

    def _limited(self, model: str, tokens: int) -> _Answer | None:
        """Take from the buckets, or refuse: 413 where it can never fit, 429 where it does not fit now."""
        limits = headers(self.requests, self.tokens)
        if tokens > self.tokens.limit:
            says = f"Request too large for model `{model}` on tokens per minute (TPM): Limit {self.tokens.limit}"
            return 413, _error(413, f"{says}, Requested {tokens}"), limits
        for bucket, amount, word in (
            (self.requests, 1, "requests per day (RPD)"),
            (self.tokens, tokens, "tokens per minute (TPM)"),
        ):
            wait = bucket.wait_s(amount)
            if wait > 0:
                says = f"Rate limit reached for model `{model}` on {word}: Limit {bucket.limit}"
                says += f", Used {bucket.limit - bucket.remaining}, Requested {amount}. Please try again in {go_duration(wait)}"
                body = _error(429, says)
                body["error"]["type"] = word.split(" ")[0]
                return 429, body, {**limits, "retry-after": str(max(1, -int(-wait // 1)))}
        self.requests.take(1)
        return None

    async def _tell(self, request: web.Request, told: Completion, fault: Fault | None, *, stream: bool) -> web.StreamResponse:
        used = told.tokens_in + len(told.words)
        self.tokens.take(used)
        self.statistics.tokens += used
        said = {"x-request-id": told.request_id, **headers(self.requests, self.tokens)}
        if not stream:
            await self._sleep(told.timing.queue_s + told.timing.prompt_s + told.timing.token_s * len(told.words))
            return self._plain((200, told.whole(), said))
        self.statistics.streams += 1
        try:
            status, response = await tell(request, told, said, fault, self._sleep)
        finally:
            self.statistics.streams -= 1
        self.statistics.by_status[status] += 1
        return response


def _request_id() -> str:
    return f"req_{uuid.uuid4().hex[:24]}"


def _model(name: str) -> dict[str, Any]:
    return {
        "id": name,
        "object": "model",
        "created": 1_700_000_000,
        "owned_by": "Groq",
        "active": True,
        "context_window": 131_072,
        "max_completion_tokens": 32_768,
    }


def _error(status: int, message: str = "") -> dict[str, Any]:
    kind, code, says = STATUS[status]
    return {"error": {"message": message or says, "type": kind, "code": code}}
