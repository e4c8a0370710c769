"""The configured monitoring servers and web addresses, as a step asks them: by GET, with their own authentication."""

from __future__ import annotations

import base64
from collections.abc import Awaitable, Callable, Mapping

from debugtui.config.ask import Asker
from debugtui.config.hosts import WebConfig
from debugtui.config.models import Config, HttpConfig
from debugtui.config.secrets import SecretRef, resolve
from debugtui.hosts.link import Link
from debugtui.model.source import Kind, Problem
from debugtui.model.target import Target
from debugtui.sources.base import SourceError
from debugtui.sources.http_api import HttpApi


class Servers:
    """Opens each server once, and keeps it."""

    def __init__(self, config: Config, asker: Asker, link_of: Callable[[str], Link]) -> None:
        """Prepare; nothing is connected.

        Args:
            config: names the servers.
            asker: asks for a secret.
            link_of: the link of a host; KeyError where there is none.
        """
        self._config, self._asker, self._link_of = config, asker, link_of
        self._open: dict[str, HttpApi] = {}
        self._secrets: dict[SecretRef, str] = {}

    async def close(self) -> None:
        """Close every connection. Safe to call twice."""
        opened, self._open = list(self._open.values()), {}
        for one in opened:
            await one.close()

    def address(self, url: str, host: str) -> HttpApi:
        """Return an address as seen from a host."""
        key = f"{host} {url}"
        if key not in self._open:
            self._open[key] = HttpApi("the address", url, self._link_of(host))
        return self._open[key]

    def of(self, target: Target) -> HttpApi:
        """Return a configured server.

        Raises:
            SourceError: there is none of that name.
            KeyError: its host has no link.
        """
        key = str(target)
        if key not in self._open:
            if target.kind == Kind.WEB:
                self._open[key] = self._web(target)
            else:
                self._open[key] = self._monitor(target)
        return self._open[key]

    def _web(self, target: Target) -> HttpApi:
        host = next((one for one in self._config.hosts if one.name == target.host), None)
        web: WebConfig | None = next((one for one in host.web if one.name == target.name), None) if host else None
        if web is None:
            raise SourceError(Problem(f"there is no {target} in the configuration"))
        return HttpApi(f"web {web.name}", web.url, None if web.direct else self._link_of(target.host), ca=web.ca)

    def _monitor(self, target: Target) -> HttpApi:
        servers: tuple[HttpConfig, ...] = getattr(self._config, target.kind, ())
        server = next((one for one in servers if one.name == target.name), None)
        if server is None:
            raise SourceError(Problem(f"there is no {target} in the configuration"))
        link = self._link_of(server.via) if server.via else None
        return HttpApi(target.kind, server.url, link, headers=self._headers(target, server), ca=server.ca)

    def _headers(self, target: Target, server: HttpConfig) -> Callable[[], Awaitable[Mapping[str, str]]]:
        async def headers() -> Mapping[str, str]:
            if server.token is not None:
                return {"Authorization": f"Bearer {await self._secret(target, server.token, 'token')}"}
            if server.user is not None:
                password = await self._secret(target, server.password, "password") if server.password else ""
                pair = base64.b64encode(f"{server.user}:{password}".encode()).decode("ascii")
                return {"Authorization": f"Basic {pair}"}
            return {}

        return headers

    async def _secret(self, target: Target, ref: SecretRef, what: str) -> str:
        if ref not in self._secrets:
            found = await resolve(ref, name=f"{what} of {target}", purpose=f"to ask {target}", asker=self._asker)
            self._secrets[ref] = "".join(found or "")
        return self._secrets[ref]
