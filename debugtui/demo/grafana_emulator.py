"""A small server that speaks as much of the HTTP API of Grafana as is read: health, datasources, dashboards, alerts."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from aiohttp import web

VERSION = "10.4.2"

#: What a token may read; the names are Grafana's own permissions.
ALL = ("datasources:read", "dashboards:read", "alert.instances:read")


@dataclass
class EmulatedSource:
    """One datasource.

    Attributes:
        uid, name, kind, url: as Grafana tells them.
        fails: what its check says; empty: it succeeds.
        checkable: False: its kind has no check.
        slow_s: seconds that its check takes.
    """

    uid: str
    name: str
    kind: str = "prometheus"
    url: str = ""
    fails: str = ""
    checkable: bool = True
    slow_s: float = 0.0


class GrafanaEmulator:
    """One server on loopback. `start` listens, `stop` ends every request.

    Attributes:
        sources: the datasources.
        dashboards: title and folder.
        alerts: what its own alerting holds, as the Alertmanager's API writes it.
        database: `ok`, or what is wrong with it.
        tokens: what each token may read; a request without one of these is refused, but for its health.
        unified: False: its alerting is switched off.
        seen: the paths that were asked for.
    """

    def __init__(self, sources: Iterable[EmulatedSource] = (), *, tokens: dict[str, tuple[str, ...]] | None = None) -> None:
        self.sources = list(sources)
        self.dashboards: list[tuple[str, str]] = []
        self.alerts: list[dict[str, Any]] = []
        self.database = "ok"
        self.tokens = {"glsa_of_the_emulator": ALL} if tokens is None else tokens
        self.unified = True
        self.seen: list[str] = []
        self.port = 0
        self._runner: web.AppRunner | None = None

    @property
    def url(self) -> str:
        """Where it is."""
        return f"http://127.0.0.1:{self.port}"

    async def start(self, port: int = 0) -> None:
        """Listen on loopback; port 0: any that is free."""
        app = web.Application(middlewares=[self._guard])
        app.router.add_get("/api/health", self._health)
        app.router.add_get("/api/datasources", self._datasources)
        app.router.add_get("/api/datasources/uid/{uid}/health", self._check)
        app.router.add_get("/api/search", self._search)
        app.router.add_get("/api/alertmanager/grafana/api/v2/alerts", self._alerts)
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", port).start()
        self.port = int(self._runner.addresses[0][1])

    async def stop(self) -> None:
        """End every request and stop listening. Safe to call twice."""
        runner, self._runner = self._runner, None
        if runner is not None:
            await runner.cleanup()

    @web.middleware
    async def _guard(self, request: web.Request, handler: Any) -> web.StreamResponse:
        self.seen.append(request.path)
        needs = {"/api/datasources": ALL[0], "/api/search": ALL[1], "/api/alertmanager": ALL[2]}
        need = next((permission for path, permission in needs.items() if request.path.startswith(path)), "")
        if need:
            token = request.headers.get("Authorization", "").removeprefix("Bearer ")
            if token not in self.tokens:
                return web.json_response({"message": "Unauthorized"}, status=401)
            if need not in self.tokens[token]:
                says = f"You'll need additional permissions to perform this action. Permissions needed: {need}"
                return web.json_response({"accessErrorId": "ACE1", "message": says, "title": "Access denied"}, status=403)
        answer: web.StreamResponse = await handler(request)
        return answer

    async def _health(self, _request: web.Request) -> web.Response:
        well = self.database == "ok"
        return web.json_response(
            {"commit": "701c851be7", "database": self.database, "version": VERSION}, status=200 if well else 503
        )

    async def _datasources(self, _request: web.Request) -> web.Response:
        return web.json_response(
            [
                {
                    "id": number,
                    "uid": one.uid,
                    "orgId": 1,
                    "name": one.name,
                    "type": one.kind,
                    "access": "proxy",
                    "url": one.url,
                    "isDefault": number == 1,
                    "readOnly": False,
                }
                for number, one in enumerate(self.sources, 1)
            ]
        )

    async def _check(self, request: web.Request) -> web.Response:
        one = next((source for source in self.sources if source.uid == request.match_info["uid"]), None)
        if one is None or not one.checkable:
            return web.json_response({"message": "Plugin health check not implemented"}, status=404)
        if one.slow_s:
            await asyncio.sleep(one.slow_s)
        if one.fails:
            return web.json_response({"message": one.fails, "status": "ERROR"}, status=400)
        return web.json_response({"message": "Successfully queried the API.", "status": "OK"})

    async def _search(self, request: web.Request) -> web.Response:
        most = int(request.query.get("limit", "1000"))
        found = [
            {
                "id": number,
                "uid": f"board{number}",
                "title": title,
                "url": f"/d/board{number}/{title.lower().replace(' ', '-')}",
                "type": "dash-db",
                "folderTitle": folder,
            }
            for number, (title, folder) in enumerate(self.dashboards, 1)
        ]
        return web.json_response(found[:most])

    async def _alerts(self, _request: web.Request) -> web.Response:
        if not self.unified:
            return web.json_response({"message": "Not found"}, status=404)
        return web.json_response(self.alerts)
