"""The libvirt source of a demo host: the real one on libvirt's test driver, with the demo's figures laid over what it reads.

A test driver lives in one connection, so the repair desk calls through this one too, and it takes changes.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar

from debugtui.demo import cast
from debugtui.demo.cast import HostPart
from debugtui.demo.libvirt_figures import overlay
from debugtui.demo.scenarios import Fault, Timeline
from debugtui.hosts.link import Link
from debugtui.model.libvirt import LibvirtReading
from debugtui.sources.libvirt.source import LibvirtSource

if TYPE_CHECKING:
    from debugtui.sources.libvirt.reader import Reader

T = TypeVar("T")

_LIMIT = 5.0
_RUNNING, _PAUSED = 1, 3


class DemoLibvirtSource(LibvirtSource):
    """See the module."""

    def __init__(self, link: Link, uri: str, host: HostPart, timeline: Timeline) -> None:
        super().__init__(link, uri)
        self._part, self._timeline = host, timeline
        self._faulty = False

    @staticmethod
    def make(uri: str) -> Reader:
        """Open a connection that takes changes."""
        import libvirt

        from debugtui.sources.libvirt.reader import Reader

        class Writable(Reader):
            @staticmethod
            def open(uri: str) -> Any:
                return libvirt.open(uri)

        return Writable(uri)

    async def read(self, *, full: bool) -> LibvirtReading:
        """Read, and lay the figures over it."""
        await self._play()
        return overlay(await super().read(full=full), self._part, self._timeline, time.time())

    async def _play(self) -> None:
        """Pause the VM of the scenario once, when its store is full; let it run when the scenario mends that."""
        faulty = self._part.name == cast.PAUSED_HOST and self._timeline.since(Fault.PAUSED_VM, time.time()) is not None
        if faulty is not self._faulty:
            self._faulty = faulty
            await self.call(_suspend if faulty else _resume, _LIMIT)

    async def call(self, function: Callable[[Any], T], limit: float) -> T:
        """Call libvirt for the repair desk; see `remediation.libvirt_calls.LibvirtCalls`."""
        worker = await self._connected()
        return await worker.call(lambda reader: function(reader.connection), limit)


class SharedCalls:
    """The repair desk's calls, through the source's own connection, which stays open."""

    def __init__(self, source: DemoLibvirtSource) -> None:
        self._source = source

    async def call(self, function: Callable[[Any], T], limit: float) -> T:
        """Return what `function(connection)` returns."""
        return await self._source.call(function, limit)

    async def close(self) -> None:
        """Nothing to close."""


def _suspend(connection: Any) -> None:
    domain = connection.lookupByName(cast.PAUSED_VM)
    if domain.state()[0] == _RUNNING:
        domain.suspend()


def _resume(connection: Any) -> None:
    domain = connection.lookupByName(cast.PAUSED_VM)
    if domain.state()[0] == _PAUSED:
        domain.resume()
