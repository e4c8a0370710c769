"""The supervisor of all hosts: owns links, pollers and their tasks; hands out immutable views."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass

from debugtui.fleet.history import History, Series
from debugtui.fleet.poller import Poller
from debugtui.hosts.link import Link
from debugtui.model.clock import Clock, SystemClock
from debugtui.model.source import FleetView, HostView, Kind, LinkState, SourceStatus
from debugtui.model.target import Target
from debugtui.sources.base import Source

#: Seconds that `fresh` waits where a browser looks at a page: opening one takes seconds.
FRONT_LIMIT = 15.0


@dataclass(frozen=True, slots=True)
class HostParts:
    """What the fleet is made of, for one host: its link and its sources, each with whether the configuration names it."""

    link: Link
    sources: Sequence[tuple[Source, bool]]


@dataclass(frozen=True, slots=True)
class Attention:
    """What the operator looks at, so that the rest is asked more seldom.

    Attributes:
        kinds: the kinds whose panes are visible.
        hosts: the hosts whose panes are visible; None: all.
        opened: the source whose detail screen is open: (host, kind, name).
    """

    kinds: frozenset[Kind] = frozenset(Kind)
    hosts: frozenset[str] | None = None
    opened: tuple[str, Kind, str] | None = None


class Fleet:
    """All hosts. Everything is owned: `stop` ends every task, connection and thread that `start` began."""

    def __init__(self, parts: Iterable[HostParts], *, refresh: float = 2.0, clock: Clock | None = None) -> None:
        """Prepare; `start` connects.

        Args:
            parts: the hosts, in the order of the configuration.
            refresh: seconds between two reads of a visible source.
            clock: time; the machine's where not given.
        """
        self._clock = clock or SystemClock()
        self._refresh = refresh
        self.history = History()
        self._version = 0
        self._callbacks: list[Callable[[], None]] = []
        self._tasks: list[asyncio.Task[None]] = []
        self._hosts: dict[str, tuple[Link, list[Poller]]] = {}
        for host in parts:
            pollers = [
                Poller(host.link, source, named=named, refresh=refresh, clock=self._clock, publish=self._published)
                for source, named in host.sources
            ]
            self._hosts[host.link.host] = (host.link, pollers)

    async def start(self) -> None:
        """Begin to connect and to poll; returns at once."""
        for link, pollers in self._hosts.values():
            link.on_change(self._link_changed(pollers))
            await link.start()
            for poller in pollers:
                name = f"poll {link.host}/{poller.source.name}"
                self._tasks.append(asyncio.create_task(poller.run(), name=name))

    async def stop(self) -> None:
        """End every task, source and link. Safe to call twice."""
        tasks, self._tasks = self._tasks, []
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await asyncio.gather(*(link.close() for link, _ in self._hosts.values()), return_exceptions=True)

    def _link_changed(self, pollers: list[Poller]) -> Callable[[], None]:
        def changed() -> None:
            for poller in pollers:
                poller.wake()
            self._changed()

        return changed

    def _published(self, poller: Poller) -> None:
        if poller.fresh:
            self.history.record(poller.status())
        self._changed()

    def _changed(self) -> None:
        self._version += 1
        for callback in self._callbacks:
            callback()

    def on_change(self, callback: Callable[[], None]) -> None:
        """Call `callback` on the event loop after every change; it must be quick (set a flag)."""
        self._callbacks.append(callback)

    @property
    def version(self) -> int:
        """Grows with every change."""
        return self._version

    @property
    def refresh(self) -> float:
        """Seconds between two reads of a visible source."""
        return self._refresh

    def set_refresh(self, seconds: float) -> None:
        """Change the refresh of every source."""
        self._refresh = seconds
        for _, pollers in self._hosts.values():
            for poller in pollers:
                poller.set_refresh(seconds)

    def attend(self, attention: Attention) -> None:
        """Say what the operator looks at."""
        for name, (_, pollers) in self._hosts.items():
            host_visible = attention.hosts is None or name in attention.hosts
            for poller in pollers:
                key = (name, poller.source.kind, poller.source.name)
                visible = host_visible and poller.source.kind in attention.kinds
                poller.attend(visible=visible, opened=key == attention.opened)

    def read_now(self) -> None:
        """Read every source now, and try every lost or refused link again."""
        for link, pollers in self._hosts.values():
            if link.status.state is not LinkState.UP:
                link.retry_now()
            for poller in pollers:
                poller.wake()

    def retry(self, host: str) -> None:
        """Try one host's link again without waiting."""
        self._hosts[host][0].retry_now()

    def view(self) -> FleetView:
        """Return everything known now. Freshness is judged at this moment."""
        hosts = tuple(
            HostView(name, link.address, link.status, tuple(poller.status() for poller in pollers))
            for name, (link, pollers) in self._hosts.items()
        )
        return FleetView(self._clock.now(), hosts, self._version)

    async def fresh(self, host: str, *, limit: float = 4.0) -> FleetView:
        """Have every source of a host read now, and what users see of every host; wait for the answers, return the view.

        Args:
            host: its name.
            limit: seconds; `FRONT_LIMIT` where a browser looks. What has not answered by then stays as old as it is, which its
                reading tells.
        """
        asked = self._clock.monotonic()
        wanted = [
            poller for poller in self._pollers() if poller.link.host == host or poller.source.kind in (Kind.WEB, Kind.CHROME)
        ]
        if any(poller.source.kind is Kind.CHROME for poller in wanted):
            limit = max(limit, FRONT_LIMIT)
        while self._clock.monotonic() < asked + limit:
            missing = [
                poller for poller in wanted if poller.link.status.state is LinkState.UP and not poller.asked_since(asked)
            ]
            if not missing:
                break
            for poller in missing:
                if not poller.begun_since(asked):  # one that reads just now began before we asked, and has to read once more
                    poller.wake()
            await asyncio.sleep(0.02)
        return self.view()

    def link(self, host: str) -> Link:
        """Return a host's link.

        Raises:
            KeyError: there is no such host.
        """
        return self._hosts[host][0]

    def source(self, host: str, kind: Kind, name: str | None = None) -> Source | None:
        """Return a source, for what a detail screen asks of it beyond its reading; None where there is none."""
        _, pollers = self._hosts.get(host, (None, []))
        for poller in pollers:
            if poller.source.kind is kind and name in (None, poller.source.name):
                return poller.source
        return None

    def series(self, target: Target, metric: str) -> Series:
        """Return the short history of one figure."""
        return self.history.series(target, metric)

    def statuses(self) -> list[SourceStatus]:
        """Return every source's status, host by host."""
        return [poller.status() for poller in self._pollers()]

    def _pollers(self) -> Iterator[Poller]:
        for _, pollers in self._hosts.values():
            yield from pollers

    async def read_all(self, *, full: bool) -> None:
        """Read every source once, all at the same time, as the command line does."""
        await asyncio.gather(*(poller.read_once(full=full) for poller in self._pollers()))

    async def read_rates(self) -> None:
        """Read once more what needs two samples for its rates, where the first read succeeded."""
        again = (poller for poller in self._pollers() if poller.source.has_rates and poller.fresh)
        await asyncio.gather(*(poller.read_once(full=False) for poller in again))

    async def read_again(self, sources: Collection[tuple[str, Kind, str]]) -> None:
        """Read some sources once more, by host, kind and name: what seemed wrong has to be wrong twice.

        Only an nginx is read fully: it tries its upstreams then.
        """
        again = (one for one in self._pollers() if (one.link.host, one.source.kind, one.source.name) in sources)
        await asyncio.gather(*(poller.read_once(full=poller.source.kind is Kind.NGINX) for poller in again))

    def keep(self, wanted: Callable[[Source], bool]) -> None:
        """Forget every source that is not wanted; before anything is started."""
        for link, pollers in self._hosts.values():
            self._hosts[link.host] = (link, [poller for poller in pollers if wanted(poller.source)])

    @property
    def links(self) -> tuple[Link, ...]:
        """The links, in the order of the configuration."""
        return tuple(link for link, _ in self._hosts.values())

    async def close_sources(self) -> None:
        """Close every source that was read without a polling task."""
        await asyncio.gather(*(poller.source.close() for poller in self._pollers()), return_exceptions=True)
