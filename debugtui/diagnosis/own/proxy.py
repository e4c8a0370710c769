"""Conditions of an nginx: errors towards its upstreams, read from its own log."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

from debugtui.diagnosis.anomaly import Anomaly, Aspect, Role
from debugtui.diagnosis.own.making import anomaly, plural
from debugtui.diagnosis.patterns import upstream_of
from debugtui.model.nginx import NginxReading
from debugtui.model.source import SourceStatus
from debugtui.model.target import Target

#: An error of the log older than this, with nothing since, is over.
FRESH = timedelta(seconds=60)


def found(status: SourceStatus, reading: NginxReading) -> Iterator[Anomaly]:
    """Yield what the newest line of each level says of an upstream, where it is fresh."""
    source = Target(status.host, "nginx", status.name)
    for number, group in enumerate(reading.errors):
        failing = upstream_of(group.newest)
        if failing is None or group.newest_at is None or reading.taken_at - group.newest_at > FRESH:
            continue
        often = f"{plural(group.count, 'line')} of [{group.level}] in five minutes"
        says = f"{failing.words} {failing.address or 'an upstream'}, {often}"
        yield anomaly(
            "nginx_passing", source, Aspect.SLOW if failing.slow else Aspect.DOWN, Role.SUPPORT, says,
            reading=f"errors[{number}].newest", at=reading.taken_at, since=group.newest_at, points=50,
            address=failing.address, changed=reading.config_changed_at.isoformat() if reading.config_changed_at else "",
        )  # fmt: skip
