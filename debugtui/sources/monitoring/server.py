"""What the sources of the four monitoring servers share: how each is reached, and how often it is read."""

from __future__ import annotations

from pathlib import Path

from debugtui.hosts.link import Link
from debugtui.model.clock import Clock, SystemClock
from debugtui.model.source import Kind
from debugtui.sources.base import READ_LIMIT_S
from debugtui.sources.http_api import HttpApi
from debugtui.sources.monitoring.login import Login

#: Seconds between two reads where the configuration names none.
PERIOD_S = 15.0


class Way:
    """How one server is reached."""

    def __init__(self, what: str, url: str, link: Link | None, *, login: Login | None = None, ca: Path | None = None) -> None:
        """Prepare; nothing is sent.

        Args:
            what: what it is called in problems: `prometheus`.
            url: where its API is, as seen from the host, or from here where `link` is None.
            link: of the host in between; None: reached from this machine.
            login: how it is told who asks.
            ca: file of the authorities that its certificate is judged by.
        """
        self.what, self.url = what, url.rstrip("/")
        self.login = login or Login(what)
        self._link, self._ca = link, ca

    def api(self) -> HttpApi:
        """Return something that asks it, with a connection of its own."""
        return HttpApi(self.what, self.url, self._link, headers=self.login.headers, ca=self._ca)


class ServerSource:
    """A source of one monitoring server; its connection is kept between two reads."""

    kind: Kind
    has_rates = False

    def __init__(self, name: str, way: Way, *, every: float | None = None, clock: Clock | None = None) -> None:
        """Watch one server.

        Args:
            name: as the configuration calls it.
            way: how it is reached.
            every: seconds between two reads.
            clock: time.
        """
        self.name = name
        self.period_s = every or PERIOD_S
        self.limit_s = READ_LIMIT_S
        self._way, self._clock = way, clock or SystemClock()
        self._api = way.api()

    async def close(self) -> None:
        """Close the connection, and withdraw a question for a secret. Safe to call twice."""
        await self._api.close()
        await self._way.login.close()
