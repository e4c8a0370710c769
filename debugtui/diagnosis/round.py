"""One round of looking: read everything twice, look again at what is suspicious, decide."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from typing import TYPE_CHECKING

from debugtui.alerts.settings import rules_of
from debugtui.diagnosis.anomaly import Anomaly
from debugtui.diagnosis.engine import diagnose, suspicious
from debugtui.diagnosis.found import Memory
from debugtui.diagnosis.gather import look_again
from debugtui.diagnosis.looked import Looked
from debugtui.diagnosis.rulebook import LONG_MS
from debugtui.diagnosis.surroundings import released_of
from debugtui.fleet.topology.build import build_topology
from debugtui.model.diagnosis import Diagnosis
from debugtui.model.execution import Execution
from debugtui.model.source import FleetView, Kind

if TYPE_CHECKING:
    from debugtui.config.models import Config
    from debugtui.fleet.fleet import Fleet

#: Seconds between two readings: rates need that, and what is over by then was only a moment.
GAP_S = 1.5
#: Seconds that a second reading of what is suspicious may take; what has not answered by then stays as it was.
AGAIN_S = 12.0
#: Seconds between two rounds of a longer look.
PAUSE_S = 2.0


async def one_round(fleet: Fleet, config: Config, executions: Iterable[Execution] = (), *, watch_s: float = 0.0) -> Diagnosis:
    """Look at a fleet whose links stand; return what is at fault.

    Args:
        fleet: nothing polls it.
        config: what it was made of.
        executions: of our own, the newest.
        watch_s: how long to go on looking after the first two readings, in seconds.
    """
    rules = rules_of(config.alerts)
    memory = Memory(rules=rules)
    await fleet.read_all(full=True)
    first = memory.note(fleet.view())
    await asyncio.sleep(GAP_S)
    await _again(fleet, first)
    view = fleet.view()
    anomalies = memory.note(view)
    end = asyncio.get_running_loop().time() + watch_s
    while asyncio.get_running_loop().time() < end:
        await asyncio.sleep(PAUSE_S)
        await fleet.read_all(full=False)
        view = fleet.view()
        anomalies = memory.note(view)
    topology = await asyncio.to_thread(build_topology, view, config)
    looked = await look_again(fleet, view, config, topology, anomalies) if anomalies else Looked()
    past, released = list(executions), released_of(config)
    return await asyncio.to_thread(
        lambda: diagnose(
            view, topology, looked=looked, history=memory.seen, executions=past, released=released, rules=rules,
            standing=memory.standing,
        )
    )  # fmt: skip


async def _again(fleet: Fleet, anomalies: Iterable[Anomaly]) -> None:
    """Read once more what has rates, and what is suspicious; a browser is not opened a second time."""
    sources = _sources(fleet.view(), suspicious(anomalies))
    try:
        async with asyncio.timeout(AGAIN_S):
            await fleet.read_rates()
            await fleet.read_again(sources)
    except TimeoutError:
        return  # the first reading stays, and what could be over by now does not count


def _sources(view: FleetView, anomalies: Iterable[Anomaly]) -> set[tuple[str, Kind, str]]:
    places = {(one.source.host, one.source.kind, one.source.name.partition("/")[0]) for one in anomalies}
    whole = {Kind.SYSTEM, Kind.LIBVIRT, Kind.DOCKER, Kind.JOURNAL}
    return {
        (status.host, status.kind, status.name)
        for host in view.hosts
        for status in host.sources
        if status.kind is not Kind.CHROME
        and (status.took_ms or 0.0) < LONG_MS
        and (
            (status.host, status.kind, status.name) in places
            or (status.kind in whole and _of_kind(places, status.host, status.kind))
        )
    }


def _of_kind(places: set[tuple[str, str, str]], host: str, kind: Kind) -> bool:
    return any(one == host and other == kind for one, other, _ in places)
