"""The diagnosis' own conditions: what no alert rule says, and what may only explain something else."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

from debugtui.diagnosis.anomaly import Anomaly
from debugtui.model.docker import DockerReading
from debugtui.model.libvirt import LibvirtReading
from debugtui.model.nginx import NginxReading
from debugtui.model.postgres import PostgresReading
from debugtui.model.source import SourceStatus
from debugtui.model.system import SystemReading


def conditions(status: SourceStatus, now: datetime) -> Iterator[Anomaly]:
    """Yield what the diagnosis itself finds in one source."""
    from debugtui.diagnosis.own import containers, database, guests, machine, proxy, watchers

    reading = status.reading
    if isinstance(reading, DockerReading):
        yield from containers.found(status, reading, now)
    elif isinstance(reading, LibvirtReading):
        yield from guests.found(status, reading)
    elif isinstance(reading, PostgresReading):
        yield from database.found(status, reading, now)
    elif isinstance(reading, SystemReading):
        yield from machine.found(status, reading)
    elif isinstance(reading, NginxReading):
        yield from proxy.found(status, reading)
    elif isinstance(reading, watchers.Watcher):
        yield from watchers.found(status, reading)
