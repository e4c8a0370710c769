"""A repair desk for one command: it connects the hosts that are needed, and nothing else."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

from debugtui.config.ask import Asker
from debugtui.config.models import Config
from debugtui.fleet.build import build_fleet
from debugtui.fleet.fleet import Fleet
from debugtui.hosts.link import Link
from debugtui.model.source import FleetView
from debugtui.remediation.base import PlanError
from debugtui.remediation.desk import Desk

#: A link that does not stand after this many seconds is given up.
CONNECT_LIMIT = 20.0
#: Readings may be this old, in seconds, before the host is read again.
READ_AGAIN = 1.5


class _Hosts:
    """Reads the hosts when their readings are asked for."""

    def __init__(self, fleet: Fleet) -> None:
        self._fleet = fleet
        self._read_at = float("-inf")

    async def view(self, _host: str) -> FleetView:
        """Return readings that are not older than `READ_AGAIN` seconds."""
        if time.monotonic() - self._read_at > READ_AGAIN:
            await self._fleet.read_all(full=False)
            self._read_at = time.monotonic()
        return self._fleet.view()


@asynccontextmanager
async def workbench(config: Config, needed: Sequence[str], asker: Asker, *, operator: str = "") -> AsyncIterator[Desk]:
    """Yield a desk for some hosts; each link is up, or has failed for a reason that the first use says.

    Args:
        config: the whole configuration.
        needed: the hosts' names: of what is repaired (`place.hosts_of`); empty: no host is needed.
        asker: who asks the operator.
        operator: what the operator calls themselves.

    Raises:
        PlanError: there is no such host.
    """
    hosts = tuple(one for one in config.hosts if one.name in needed)
    for missing in set(needed) - {one.name for one in hosts}:
        names = ", ".join(one.name for one in config.hosts) or "none"
        raise PlanError(f"there is no host {missing!r} in the configuration (there are: {names})")
    # A repair asks the API itself where it has to know; nothing else of it is probed for a command about a host.
    fleet = build_fleet(config.model_copy(update={"hosts": hosts, "groq": ()}), asker)
    links: dict[str, Link] = {link.host: link for link in fleet.links}
    desk = Desk(config, asker, lambda name: links[name], _Hosts(fleet).view, operator=operator)
    try:
        for link in fleet.links:
            await link.start()
        for link in fleet.links:
            await link.wait_settled(CONNECT_LIMIT)
        yield desk
    finally:
        await desk.close()
        await fleet.close_sources()
        await fleet.stop()
