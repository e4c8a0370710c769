"""Streams of the Groq emulator: server-sent events, sound or broken in every way that clients meet."""

from __future__ import annotations

import asyncio
import json
import socket
import struct
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

from aiohttp import web

from debugtui.demo.groq_faults import Fault

#: Waits so many seconds; returns early, with an error, when the emulator is stopped.
Sleep = Callable[[float], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class Timing:
    """How quick the emulated models are, in seconds."""

    queue_s: float = 0.002
    prompt_s: float = 0.004
    token_s: float = 0.002


@dataclass(frozen=True, slots=True)
class Completion:
    """One completion that will be told."""

    request_id: str
    model: str
    words: tuple[str, ...]
    tokens_in: int
    timing: Timing
    finish: str
    tier: str
    usage_asked: bool = True

    def usage(self) -> dict[str, Any]:
        """Return Groq's usage with its times, in seconds; the total leaves the queue out."""
        spent = self.timing.token_s * len(self.words)
        return {
            "queue_time": self.timing.queue_s,
            "prompt_tokens": self.tokens_in,
            "prompt_time": self.timing.prompt_s,
            "completion_tokens": len(self.words),
            "completion_time": round(spent, 6),
            "total_tokens": self.tokens_in + len(self.words),
            "total_time": round(self.timing.prompt_s + spent, 6),
        }

    def chunk(self, delta: dict[str, Any], finish: str | None = None, **more: Any) -> dict[str, Any]:
        """Return one chunk of the stream."""
        choice = {"index": 0, "delta": delta, "logprobs": None, "finish_reason": finish}
        return {**self._head("chat.completion.chunk"), "choices": [choice], **more}

    def whole(self) -> dict[str, Any]:
        """Return the answer of a request without a stream."""
        message = {"role": "assistant", "content": "".join(self.words)}
        choice = {"index": 0, "message": message, "logprobs": None, "finish_reason": self.finish}
        x_groq = {"id": self.request_id, "seed": 7}
        return {**self._head("chat.completion"), "choices": [choice], "usage": self.usage(), "x_groq": x_groq}

    def _head(self, kind: str) -> dict[str, Any]:
        return {
            "id": f"chatcmpl-{self.request_id}",
            "object": kind,
            "created": int(time.time()),
            "model": self.model,
            "system_fingerprint": "fp_emulator",
            "service_tier": self.tier,
        }


def cut(request: web.Request, *, reset: bool) -> None:
    """End the connection at once; `reset`: with a RST instead of a FIN."""
    transport = request.transport
    if transport is None:
        return
    if reset and (sock := transport.get_extra_info("socket")) is not None:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    transport.abort()


def _event(value: object, name: str = "") -> bytes:
    return (f"event: {name}\n" if name else "").encode() + b"data: " + json.dumps(value).encode() + b"\n\n"


async def tell(
    request: web.Request, told: Completion, headers: dict[str, str], fault: Fault | None, sleep: Sleep
) -> tuple[int, web.StreamResponse]:
    """Stream a completion; return the status, 0 where the connection was ended instead, and what was sent."""
    name = fault.name if fault else ""
    delay = fault.delay if fault else 0.0
    response = web.StreamResponse(headers={**headers, "Content-Type": "text/event-stream", "Cache-Control": "no-cache"})
    await response.prepare(request)
    if name == "slow_first_token":
        await sleep(delay)
    await sleep(told.timing.queue_s + told.timing.prompt_s)
    await response.write(_event(told.chunk({"role": "assistant", "content": ""}, x_groq={"id": told.request_id})))
    for number, word in enumerate(told.words):
        await sleep(told.timing.token_s)
        await response.write(_event(told.chunk({"content": word})))
        if number == 0 and await _breaks(request, response, told, name, delay, sleep):
            return (0 if name in ("cut", "reset_stream") else 200), response
    if name != "no_finish":
        await _finish(response, told, name)
    await response.write_eof()
    return 200, response


async def _breaks(
    request: web.Request, response: web.StreamResponse, told: Completion, name: str, delay: float, sleep: Sleep
) -> bool:
    """Break a stream after its first token; return whether nothing more is said in it."""
    error = {"message": "the model stopped unexpectedly", "type": "internal_server_error", "code": "internal_error"}
    broken = {
        "error_event": _event({"error": error}, "error"),
        "error_data": _event({"error": error}),
        "x_groq_error": _event(told.chunk({}, x_groq={"id": told.request_id, "error": "over capacity"})),
        "bad_json": b'data: {"id":"chatcmpl-\n\n',
        "bad_utf8": b'data: {"id":"\xff\xfe"}\n\n',
        "no_choices": _event({"id": "chatcmpl-x", "object": "chat.completion.chunk", "created": 1, "model": told.model}),
    }
    if name in broken:
        await response.write(broken[name])
        await response.write_eof()
        return True
    if name == "stall":
        await sleep(delay)
    elif name in ("cut", "reset_stream"):
        await asyncio.sleep(0.02)  # what was written is sent first
        cut(request, reset=name == "reset_stream")
        return True
    return False


async def _finish(response: web.StreamResponse, told: Completion, name: str) -> None:
    finish = "length" if name == "length" else told.finish
    usage = None if name == "no_usage" else told.usage()
    x_groq = {"id": told.request_id, "seed": 7, **({"usage": usage} if usage else {})}
    await response.write(_event(told.chunk({}, finish, x_groq=x_groq)))
    if usage and told.usage_asked:
        last = told.chunk({})
        await response.write(_event({**last, "choices": [], "usage": usage}))
    if name != "no_done":
        await response.write(b"data: [DONE]\n\n")
