"""The demo's outer layers: a Groq-compatible API, and a small site with a page for its users, each on loopback."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable

from aiohttp import web

from debugtui.demo.groq_emulator import GroqEmulator
from debugtui.demo.scenarios import Fault, Timeline

#: The key that the demo's configuration gives; it opens nothing anywhere.
KEY = "gsk_of_the_demo_0000000000"
MODEL = "llama-3.1-8b-instant"

_PAGE = """<!doctype html><html lang="en"><head><title>Coach</title><link rel="icon" href="data:,"></head>
<body><h1>Coach</h1><p>Your plan of this week.</p><button>Start</button></body></html>"""
#: Seconds that the site's API takes, at least and at most; and when the database does not answer it.
QUICK, STUCK = (0.02, 0.12), 1.4


class Outer:
    """Starts and stops both; the scenario decides how they are."""

    def __init__(self, timeline: Timeline, stuck: Callable[[], bool]) -> None:
        """Prepare.

        Args:
            timeline: of the scenario.
            stuck: whether the database keeps the site's API waiting.
        """
        self.groq = GroqEmulator(keys=[KEY])
        self.web_port = 0
        self._timeline, self._stuck = timeline, stuck
        self._runner: web.AppRunner | None = None
        self._limited = False

    @property
    def ports(self) -> dict[str, int]:
        """Where they listen."""
        return {"groq": int(self.groq.url.rpartition(":")[2]), "web": self.web_port}

    async def start(self) -> None:
        """Listen on loopback."""
        await self.groq.start()
        app = web.Application()
        app.router.add_get("/", self._page)
        app.router.add_get("/api/plan", self._plan)
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.2)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", 0).start()
        self.web_port = self._runner.addresses[0][1]

    async def stop(self) -> None:
        """End both. Safe to call twice."""
        runner, self._runner = self._runner, None
        if runner is not None:
            await runner.cleanup()
            await self.groq.stop()

    def turn(self, now: float) -> None:
        """Be as the scenario says at a time (seconds since the epoch)."""
        limited = self._timeline.since(Fault.GROQ_LIMIT, now) is not None
        if limited and not self._limited:
            self.groq.fail("429", retry_after=20.0)
        elif self._limited and not limited:
            self.groq.heal()
        self._limited = limited

    async def _page(self, _request: web.Request) -> web.Response:
        return web.Response(text=_PAGE, content_type="text/html")

    async def _plan(self, _request: web.Request) -> web.Response:
        # The API waits for the lock that the chain holds: its users see that first.
        if self._stuck():
            await asyncio.sleep(STUCK)
            return web.json_response({"error": "statement timeout"}, status=504)
        await asyncio.sleep(random.uniform(*QUICK))  # noqa: S311 - a figure that moves
        return web.json_response({"title": "Intervals, rest, long run"})
