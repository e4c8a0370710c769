"""As much of the Groq API as the repairs ask: the list of models, and one-token completions; with keys, and with faults."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator
from dataclasses import dataclass, field

from aiohttp import web

MODELS = ("llama-3.1-8b-instant", "llama-3.3-70b-versatile", "openai/gpt-oss-20b")


@dataclass
class GroqStub:
    """A server on a free port of loopback.

    Attributes:
        url: as `base_url` names it.
        keys: the keys that it takes.
        models: the ids that it lists.
        fail: status of every answer; 0: it answers as it should.
        completion_fails: the same for completions alone.
        html: answers with a page, as a proxy does.
        seen: the paths that were asked for, with the key of each.
    """

    url: str = ""
    keys: set[str] = field(default_factory=set)
    models: list[str] = field(default_factory=lambda: list(MODELS))
    fail: int = 0
    completion_fails: int = 0
    html: bool = False
    seen: list[tuple[str, str]] = field(default_factory=list)

    def asked(self, path: str) -> int:
        """How often a path was asked for."""
        return sum(1 for one, _ in self.seen if one == path)

    def _refusal(self, request: web.Request) -> web.Response | None:
        key = request.headers.get("Authorization", "").removeprefix("Bearer ")
        self.seen.append((request.path.removeprefix("/openai/v1/"), key))
        if self.html:
            return web.Response(text="<html>Sign in to the network</html>", content_type="text/html")
        if self.fail:
            return _error(self.fail, "it is not well today")
        return None if key in self.keys else _error(401, "Invalid API Key", "invalid_api_key")

    async def _models(self, request: web.Request) -> web.Response:
        entry = {"object": "model", "created": 1, "owned_by": "lab"}
        listed = {"object": "list", "data": [{"id": name, **entry} for name in self.models]}
        return self._refusal(request) or web.json_response(listed)

    async def _completion(self, request: web.Request) -> web.Response:
        if refusal := self._refusal(request):
            return refusal
        asked = await request.json()
        if self.completion_fails:
            return _error(self.completion_fails, "no room")
        if asked["model"] not in self.models:
            return _error(404, f"The model `{asked['model']}` does not exist", "model_not_found")
        message = {"role": "assistant", "content": "ok"}
        return web.json_response(
            {
                "id": "chatcmpl-1",
                "object": "chat.completion",
                "created": 1,
                "model": asked["model"],
                "choices": [{"index": 0, "message": message, "finish_reason": "length", "logprobs": None}],
                "usage": {"prompt_tokens": 8, "completion_tokens": 1, "total_tokens": 9},
            }
        )


def _error(status: int, says: str, code: str = "") -> web.Response:
    return web.json_response({"error": {"message": says, "type": "lab", "code": code}}, status=status)


@contextlib.asynccontextmanager
async def groq_stub(*keys: str) -> AsyncIterator[GroqStub]:
    """Serve it, in this event loop, until the block ends."""
    stub = GroqStub(keys=set(keys))
    app = web.Application()
    app.router.add_get("/openai/v1/models", stub._models)
    app.router.add_post("/openai/v1/chat/completions", stub._completion)
    runner = web.AppRunner(app)
    await runner.setup()
    try:
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        assert site._server is not None
        port = site._server.sockets[0].getsockname()[1]  # type: ignore[attr-defined]
        stub.url = f"http://127.0.0.1:{port}"
        yield stub
    finally:
        await runner.cleanup()
