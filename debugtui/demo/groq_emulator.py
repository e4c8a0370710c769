"""A Groq-compatible API on loopback with faults on demand, for the demo and the tests: the real one cannot run here."""

from __future__ import annotations

import asyncio
import json
import time
from collections import Counter
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web

#: Every fault that can be asked for. Those of a stream are ignored by calls that do not stream.
PLAIN = (
    "400", "401", "403", "404", "413", "422", "424", "429", "498", "499", "500", "502", "503",
    "empty", "html", "not_json", "cut_json", "other_shape", "reset", "late",
)  # fmt: skip
STREAM = (
    "late_first_token", "stall", "cut", "silent_end", "no_done", "error_event", "error_data", "x_groq_error", "not_json_chunk",
    "bad_utf8", "no_choices",
)  # fmt: skip
FAULTS = (*PLAIN, *STREAM)

_TYPES = {"401": "invalid_request_error", "413": "tokens", "429": "tokens"}
_CODES = {"401": "invalid_api_key", "404": "model_not_found", "413": "rate_limit_exceeded", "429": "rate_limit_exceeded",
          "498": "capacity_exceeded"}  # fmt: skip
_WORDS = {
    "401": "Invalid API Key",
    "404": "The model does not exist or you do not have access to it.",
    "413": "Request too large for model on tokens per minute (TPM): Limit 6000, Requested 9000",
    "429": "Rate limit reached for model in organization on tokens per minute (TPM): Limit 6000. Please try again in 4.77s.",
    "498": "Flex tier capacity exceeded",
}


@dataclass
class Bucket:
    """A token bucket: `limit` in `per_s` seconds."""

    limit: int
    per_s: float
    level: float = field(init=False)
    at: float = field(init=False)

    def __post_init__(self) -> None:
        self.level, self.at = float(self.limit), time.monotonic()

    def take(self, amount: int) -> bool:
        """Take an amount, where there is enough."""
        now = time.monotonic()
        self.level = min(self.limit, self.level + (now - self.at) * self.limit / self.per_s)
        self.at = now
        if amount > self.level:
            return False
        self.level -= amount
        return True

    @property
    def reset_s(self) -> float:
        """Seconds until it is full again."""
        return (self.limit - self.level) * self.per_s / self.limit


class GroqEmulator:
    """The server. `fault` holds until it is changed, `faults` are taken one for each request, oldest first."""

    def __init__(self, *, key: str = "gsk_emulated", models: tuple[str, ...] = ("llama-3.1-8b-instant", "gpt-oss-20b")) -> None:
        self.key, self.models = key, models
        self.fault = ""
        self.faults: list[str] = []
        self.delay_s = 30.0
        self.retry_after = "7"
        self.first_token_s = 0.02
        self.requests = Bucket(14_400, 86_400.0)
        self.tokens = Bucket(6_000, 60.0)
        self.seen: Counter[str] = Counter()
        self.keys: list[str] = []
        self._runner: web.AppRunner | None = None
        self.port = 0

    @property
    def url(self) -> str:
        """Its base URL."""
        return f"http://127.0.0.1:{self.port}"

    async def start(self, port: int = 0) -> None:
        """Listen on loopback."""
        app = web.Application()
        app.router.add_get("/openai/v1/models", self._models)
        app.router.add_get("/openai/v1/models/{name}", self._model)
        app.router.add_post("/openai/v1/chat/completions", self._chat)
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.2)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", port)
        await site.start()
        self.port = self._runner.addresses[0][1]

    async def stop(self) -> None:
        """End it. Safe to call twice."""
        runner, self._runner = self._runner, None
        if runner is not None:
            await runner.cleanup()

    # --- what is asked

    def _next(self, request: web.Request) -> str:
        asked = request.headers.get("x-emulate-fault", "")
        fault = asked or (self.faults.pop(0) if self.faults else self.fault)
        self.seen[f"{request.method} {fault or 'ok'}"] += 1
        self.keys.append(request.headers.get("authorization", ""))
        return fault

    async def _models(self, request: web.Request) -> web.StreamResponse:
        if (answer := await self._faulty(request, self._next(request))) is not None:
            return answer
        data = [{"id": name, "object": "model", "created": 1, "owned_by": "emulator", "active": True} for name in self.models]
        return web.json_response({"object": "list", "data": data})

    async def _model(self, request: web.Request) -> web.StreamResponse:
        if (answer := await self._faulty(request, self._next(request))) is not None:
            return answer
        name = request.match_info["name"]
        if name not in self.models:
            return self._error("404")
        return web.json_response({"id": name, "object": "model", "created": 1, "owned_by": "emulator"})

    async def _chat(self, request: web.Request) -> web.StreamResponse:
        fault = self._next(request)
        if (answer := await self._faulty(request, fault)) is not None:
            return answer
        body: dict[str, Any] = await request.json()
        if body.get("model") not in self.models:
            return self._error("404")
        wanted = 20 + int(body.get("max_completion_tokens") or 16)
        if wanted > self.tokens.limit:
            return self._error("413")
        if not self.requests.take(1) or not self.tokens.take(wanted):
            return self._error("429")
        if body.get("stream"):
            return await self._stream(request, body, fault)
        return web.json_response(self._completion(body), headers=self._limits())

    async def _faulty(self, request: web.Request, fault: str) -> web.StreamResponse | None:
        if request.headers.get("authorization") != f"Bearer {self.key}":
            return self._error("401")
        if fault.isdigit():
            return self._error(fault)
        if fault == "late":
            await asyncio.sleep(self.delay_s)
        if fault == "reset" and request.transport is not None:
            request.transport.abort()
        texts = {"empty": ("", 204), "html": ("<html><body>Sign in to the Wi-Fi</body></html>", 200)}
        if fault in texts:
            return web.Response(text=texts[fault][0], status=texts[fault][1], content_type="text/html")
        bodies = {"not_json": "", "cut_json": '{"object": "list", "da', "other_shape": '{"message": "hello"}'}
        if fault in bodies:
            return web.Response(text=bodies[fault], content_type="application/json")
        return None

    def _error(self, status: str) -> web.Response:
        if status == "502":
            return web.Response(status=502, text="<html><h1>502 Bad Gateway</h1></html>", content_type="text/html")
        error = {"message": _WORDS.get(status, f"error {status}"), "type": _TYPES.get(status, "server_error")}
        if status in _CODES:
            error["code"] = _CODES[status]
        headers = {**self._limits(), **({"retry-after": self.retry_after} if status == "429" and self.retry_after else {})}
        headers["x-request-id"] = "req_emulated"
        return web.json_response({"error": error}, status=int(status), headers=headers)

    def _limits(self) -> dict[str, str]:
        found = {}
        for name, bucket in (("requests", self.requests), ("tokens", self.tokens)):
            found[f"x-ratelimit-limit-{name}"] = str(bucket.limit)
            found[f"x-ratelimit-remaining-{name}"] = str(int(bucket.level))
            found[f"x-ratelimit-reset-{name}"] = f"{bucket.reset_s:.2f}s"
        return found

    # --- answers

    @staticmethod
    def _usage() -> dict[str, Any]:
        return {
            "queue_time": 0.021, "prompt_tokens": 20, "prompt_time": 0.004, "completion_tokens": 1, "completion_time": 0.003,
            "total_tokens": 21, "total_time": 0.007,
        }  # fmt: skip

    def _completion(self, body: dict[str, Any]) -> dict[str, Any]:
        message = {"role": "assistant", "content": "ok"}
        return {
            "id": "chatcmpl-1", "object": "chat.completion", "created": 1, "model": body["model"], "usage": self._usage(),
            "choices": [{"index": 0, "message": message, "finish_reason": "stop"}], "x_groq": {"id": "req_emulated"},
        }  # fmt: skip

    async def _stream(self, request: web.Request, body: dict[str, Any], fault: str) -> web.StreamResponse:
        response = web.StreamResponse(headers={"content-type": "text/event-stream", **self._limits()})
        await response.prepare(request)
        try:
            async for part in self._parts(body, fault):
                if part is None:
                    if request.transport is not None:
                        request.transport.abort()
                    return response
                await response.write(part)
        except (ConnectionError, asyncio.CancelledError):
            return response
        await response.write_eof()
        return response

    async def _parts(self, body: dict[str, Any], fault: str) -> AsyncIterator[bytes | None]:
        def chunk(delta: dict[str, Any], finish: str | None = None, **more: Any) -> bytes:
            document = {
                "id": "chatcmpl-1", "object": "chat.completion.chunk", "created": 1, "model": body["model"],
                "choices": [{"index": 0, "delta": delta, "finish_reason": finish}], **more,
            }  # fmt: skip
            return f"data: {json.dumps(document)}\n\n".encode()

        yield chunk({"role": "assistant", "content": ""}, x_groq={"id": "req_emulated"})
        await asyncio.sleep(self.delay_s if fault == "late_first_token" else self.first_token_s)
        yield chunk({"content": "ok"})
        special = {
            "not_json_chunk": b"data: {not json\n\n",
            "bad_utf8": b'data: {"id": "\xff\xfe"}\n\n',
            "no_choices": b'data: {"id": "chatcmpl-1", "object": "chat.completion.chunk"}\n\n',
            "error_event": b'event: error\ndata: {"error": {"message": "the model crashed", "type": "server_error"}}\n\n',
            "error_data": b'data: {"error": {"message": "the model crashed", "type": "server_error"}}\n\n',
        }
        if fault in special:
            yield special[fault]
        if fault == "stall":
            await asyncio.sleep(self.delay_s)
        if fault == "cut":
            yield None
            return
        if fault == "silent_end":
            return
        more: dict[str, Any] = {"usage": self._usage()}
        x_groq: dict[str, Any] = {"id": "req_emulated", "usage": self._usage()}
        if fault == "x_groq_error":
            x_groq["error"] = "over capacity"
        yield chunk({}, "stop", x_groq=x_groq, **more)
        if fault != "no_done":
            yield b"data: [DONE]\n\n"
