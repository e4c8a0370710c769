"""The libvirt source of a demo host: the real one on libvirt's test driver, with the demo's figures laid over what it reads."""

from __future__ import annotations

import time

from debugtui.demo.cast import HostPart
from debugtui.demo.libvirt_figures import overlay
from debugtui.demo.scenarios import Timeline
from debugtui.hosts.link import Link
from debugtui.model.libvirt import LibvirtReading
from debugtui.sources.libvirt.source import LibvirtSource


class DemoLibvirtSource(LibvirtSource):
    """See the module."""

    def __init__(self, link: Link, uri: str, host: HostPart, timeline: Timeline) -> None:
        super().__init__(link, uri)
        self._part, self._timeline = host, timeline

    async def read(self, *, full: bool) -> LibvirtReading:
        """Read, and lay the figures over it."""
        return overlay(await super().read(full=full), self._part, self._timeline, time.time())
