"""A small site with every fault that a browser can see, served by a real HTTP server on loopback, and counters of what came."""

from __future__ import annotations

import asyncio
import contextlib
import os
import ssl
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path

from aiohttp import web

SECRET = "gsk_planted0123456789abcdef"

HTML = """<!doctype html><html lang="en"><head><title>{title}</title><link rel="icon" href="data:,">{head}</head>
<body><h1>{title}</h1><p>What users see.</p><button>Send</button>{body}</body></html>"""

BROKEN = """\
function render() {
  const data = null;
  return data.items;
}
setTimeout(render, 20);
setTimeout(() => Promise.reject(new Error("order 17 lost")), 30);
console.error("cart is broken");
console.warn("an old interface");
console.log("nothing to see");
fetch("/api/boom", {method: "POST"});
fetch("/api/slow");
fetch("/api/gone?token=%(secret)s&page=2");
fetch("http://127.0.0.1:%(refused)d/api/refused").catch(() => 0);
fetch("http://cdn.invalid/lib.js").catch(() => 0);
fetch("http://localhost:%(other)d/api/other", {mode: "no-cors"}).catch(() => 0);
fetch("/api/reset").catch(() => 0);
console.error("api_key=%(secret)s is wrong");
"""


@dataclass
class Site:
    """One running site. `hits`: how often each path was asked for."""

    port: int
    other: int
    refused: int
    hits: Counter[str] = field(default_factory=Counter)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"


def page(title: str, head: str = "", body: str = "", **headers: str) -> web.Response:
    return web.Response(text=HTML.format(title=title, head=head, body=body), content_type="text/html", headers=headers)


@contextlib.asynccontextmanager
async def site(refused: int, certificate: tuple[Path, Path] | None = None) -> AsyncIterator[Site]:
    """Serve every page on a free port of loopback, and the same on a second one (`other`)."""
    found = Site(0, 0, refused)
    handlers: dict[str, Callable[[web.Request], Awaitable[web.StreamResponse]]] = {
        "/": lambda _: _now(page("Coach")),
        "/broken": lambda _: _now(page("Broken", '<script src="/app.js"></script>', '<img src="/img/a.png" alt="a">')),
        "/app.js": lambda _: _now(_script(found)),
        "/blocked": lambda _: _now(
            page("Blocked", "<script src='/never.js'></script>", **{"Content-Security-Policy": "script-src 'none'"})
        ),
        "/hangs": lambda _: _now(page("Hangs", body="<script>setTimeout(() => { while (true); }, 100)</script>")),
        "/stream": lambda _: _now(page("Stream", "<script>new EventSource('/events')</script>")),
        "/waits": lambda _: _now(page("Waits", "<script>fetch('/never')</script>")),
        "/moved": lambda _: _now(web.Response(status=302, headers={"Location": "http://login.example.org/"})),
        "/api/boom": lambda _: _now(web.Response(status=500, text="it broke")),
        "/api/other": lambda _: _now(web.Response(text="here")),
        "/api/slow": _slow,
        "/api/reset": _reset,
        "/never": _never,
        "/silent": _never,
        "/events": _events,
    }

    async def answer(request: web.Request) -> web.StreamResponse:
        found.hits[request.path] += 1
        handler = handlers.get(request.path)
        return web.Response(status=404, text="no such page") if handler is None else await handler(request)

    runner = web.ServerRunner(web.Server(answer), handle_signals=False, shutdown_timeout=0.1)
    await runner.setup()
    context = None
    if certificate is not None:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(*certificate)
    try:
        for name in ("port", "other"):
            listener = web.TCPSite(runner, "127.0.0.1", 0, ssl_context=context)
            await listener.start()
            setattr(found, name, runner.addresses[-1][1])
        yield found
    finally:
        await runner.cleanup()


async def _now(answer: web.StreamResponse) -> web.StreamResponse:
    return answer


def _script(found: Site) -> web.Response:
    text = BROKEN % {"secret": SECRET, "refused": found.refused, "other": found.other}
    return web.Response(text=text, content_type="text/javascript")


async def _slow(_: web.Request) -> web.StreamResponse:
    await asyncio.sleep(1.3)
    return web.json_response({})


async def _never(_: web.Request) -> web.StreamResponse:
    await asyncio.sleep(120)
    return web.Response()


async def _reset(request: web.Request) -> web.StreamResponse:
    assert request.transport is not None
    request.transport.abort()
    return web.Response()


async def _events(request: web.Request) -> web.StreamResponse:
    stream = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
    await stream.prepare(request)
    with contextlib.suppress(ConnectionError):
        while True:
            await stream.write(b"data: 1\n\n")
            await asyncio.sleep(0.2)
    return stream


def standing_in(folder: Path) -> list[str]:
    """Every process, whoever started it, that works below a folder, even one that is gone: browsers and servers do."""
    found = []
    for entry in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            if os.readlink(entry / "cwd").startswith(str(folder)):
                found.append((entry / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")[:100])
    return found
