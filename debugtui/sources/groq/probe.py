"""One call of the API through its own SDK: the models that it lists, or a streamed completion of one token."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from debugtui.config.models import GroqConfig
from debugtui.hosts.link import Link
from debugtui.model.clock import Clock
from debugtui.model.groq import GroqCall, GroqFault
from debugtui.model.text import line
from debugtui.sources.groq import classify, headers

#: The prompt, what it costs at worst (the answer and the template of the model included), and what it may answer.
PROMPT, WORST, ANSWER = "Say ok.", 100, 1


@dataclass(slots=True)
class Answer:
    """What a call gave beside itself: the models that are listed, the answer's headers."""

    call: GroqCall
    models: list[str] | None = None
    headers: Mapping[str, str] = field(default_factory=dict)


class Probe:
    """Makes calls for one use of the API. A client lives for one call: each measures connecting too, and nothing leaks."""

    def __init__(self, config: GroqConfig, via: Link | None, clock: Clock) -> None:
        self._config, self._via, self._clock = config, via, clock

    async def models(self, key: str) -> Answer:
        """List the models; costs nothing."""
        answer = Answer(GroqCall(self._clock.now()))

        async def ask(client: Any) -> None:
            raw = await client.models.with_raw_response.list()
            answer.headers = dict(raw.headers)
            answer.call = replace(answer.call, status=raw.status_code)
            found, why = classify.of_models(await raw.parse())
            if why:
                answer.call = replace(answer.call, fault=GroqFault.NOT_THE_API, says=why)
            else:
                answer.models = found

        return await self._timed(key, answer, ask, _Stream())

    async def completion(self, key: str, model: str) -> Answer:
        """Have one token made; the caller has reserved `WORST` tokens."""
        answer, stream = Answer(GroqCall(self._clock.now())), _Stream()

        async def ask(client: Any) -> None:
            began = self._clock.monotonic()
            chunks = await client.chat.completions.create(
                model=model,
                messages=[{"role": "user", "content": PROMPT}],
                max_completion_tokens=ANSWER,
                stream=True,
                extra_body={"stream_options": {"include_usage": True}},
            )
            if isinstance(chunks, str):
                answer.call = replace(answer.call, fault=GroqFault.NOT_THE_API, says=classify.of_models(chunks)[1])
                return
            stream.begun = True
            answer.headers = dict(chunks.response.headers)
            answer.call = replace(answer.call, status=chunks.response.status_code)
            try:
                async for chunk in chunks:
                    stream.take(chunk, 1000 * (self._clock.monotonic() - began))
            finally:
                await chunks.close()

        answer = await self._timed(key, answer, ask, stream)
        answer.call = stream.judged(answer.call)
        return answer

    async def _timed(self, key: str, answer: Answer, ask: Any, stream: _Stream) -> Answer:
        began = self._clock.monotonic()
        try:
            async with asyncio.timeout(self._config.timeout):
                async with await self._client(key) as client:
                    await ask(client)
        except Exception as error:  # noqa: BLE001 - everything that a far side makes the SDK raise has a class
            fault, says = classify.of_error(error, streaming=stream.begun, tokens=stream.tokens)
            sent = getattr(getattr(error, "response", None), "headers", None)
            answer.headers = dict(sent) if sent is not None else answer.headers
            status = getattr(error, "status_code", None)
            answer.call = replace(
                answer.call,
                fault=fault,
                says=says,
                status=status if isinstance(status, int) else answer.call.status,
                retry_after_s=headers.retry_after(answer.headers) if status == 429 else None,
            )
        total = 1000 * (self._clock.monotonic() - began)
        number = line(answer.headers.get("x-request-id", ""), 80)
        answer.call = replace(answer.call, total_ms=total, request_id=answer.call.request_id or number)
        return answer

    async def _client(self, key: str) -> Any:
        from debugtui.sources.groq.client import make_client

        return await make_client(self._config, key, self._via)


class _Stream:
    """What came of a stream so far."""

    def __init__(self) -> None:
        self.begun = False
        self.tokens = 0
        self.first_ms: float | None = None
        self.finish: str | None = None
        self.error = ""
        self.shapeless = 0
        self.usage: Any = None
        self.request_id = ""

    def take(self, chunk: Any, at_ms: float) -> None:
        """Take one chunk."""
        x_groq = getattr(chunk, "x_groq", None)
        if x_groq is not None:
            self.request_id = getattr(x_groq, "id", None) or self.request_id
            self.error = getattr(x_groq, "error", None) or self.error
            self.usage = getattr(x_groq, "usage", None) or self.usage
        self.usage = getattr(chunk, "usage", None) or self.usage
        choices = getattr(chunk, "choices", None)
        if choices is None:
            self.shapeless += 1
            return
        for choice in choices:
            if getattr(getattr(choice, "delta", None), "content", None):
                self.tokens += 1
                if self.first_ms is None:
                    self.first_ms = at_ms
            self.finish = getattr(choice, "finish_reason", None) or self.finish

    def judged(self, call: GroqCall) -> GroqCall:
        """Return the call with the API's own figures, and with the faults that raise nothing."""
        call = replace(call, ttft_ms=self.first_ms, request_id=line(self.request_id, 80) or call.request_id)
        call = self._with_usage(call)
        if call.fault is not None or not self.begun:
            return call
        if self.error:
            return replace(call, fault=GroqFault.STREAM_ERROR, says=f"the stream says: {line(str(self.error), 150)}")
        if self.shapeless:
            return replace(call, fault=GroqFault.MALFORMED, says="a chunk of the stream has another shape")
        if self.finish is None:
            says = f"the stream ended after {self.tokens} tokens without saying that it is finished"
            return replace(call, fault=GroqFault.INCOMPLETE, says=says)
        return call

    def _with_usage(self, call: GroqCall) -> GroqCall:
        usage = self.usage
        if usage is None:
            return call

        def ms(name: str) -> float | None:
            value = getattr(usage, name, None)
            return 1000.0 * value if isinstance(value, (int, float)) and value >= 0 else None

        return replace(
            call,
            queue_ms=ms("queue_time"),
            prompt_ms=ms("prompt_time"),
            completion_ms=ms("completion_time"),
            tokens_in=_count(usage, "prompt_tokens"),
            tokens_out=_count(usage, "completion_tokens"),
        )


def _count(usage: Any, name: str) -> int:
    value = getattr(usage, name, 0)
    return value if isinstance(value, int) and 0 <= value < 1_000_000 else 0
