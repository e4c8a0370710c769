"""Conditions of a host that one look proves: load averages stand for the minutes before."""

from __future__ import annotations

from collections.abc import Iterator

from debugtui.diagnosis.anomaly import Anomaly, Aspect, Role
from debugtui.diagnosis.own.making import anomaly
from debugtui.model.alerts import Severity
from debugtui.model.source import SourceStatus
from debugtui.model.system import SystemReading
from debugtui.model.target import Target

#: A host whose processors were this much overcommitted for five minutes, and still are, is short of them.
LOAD_PER_CPU, BUSY_PERCENT = 2.0, 90.0
#: So much memory in use leaves nothing for what comes next, whatever lasts.
MEMORY_PERCENT, SWAP_PERCENT = 97.0, 90.0
#: Errors and drops of a link each second that users feel.
LINK_ERRORS_S = 10.0


def found(status: SourceStatus, reading: SystemReading) -> Iterator[Anomaly]:
    """Yield the conditions of one host."""
    target = Target(status.host, "system")
    overcommitted = reading.cpus and min(reading.load1, reading.load5) >= LOAD_PER_CPU * reading.cpus
    if overcommitted and (reading.cpu_percent or 0.0) >= BUSY_PERCENT:
        yield anomaly(
            "overload", target, Aspect.RESOURCE, Role.SUPPORT,
            f"CPU {reading.cpu_percent:.0f} %, load {reading.load5:.1f} over five minutes on {reading.cpus} processors",
            reading="load5", at=reading.taken_at, points=55,
        )  # fmt: skip
    swap = 100 * reading.swap_used_bytes / reading.swap_total_bytes if reading.swap_total_bytes else 100.0
    if reading.memory_percent >= MEMORY_PERCENT and swap >= SWAP_PERCENT:
        yield anomaly(
            "memory_exhausted", target, Aspect.RESOURCE, Role.CAUSE,
            f"memory {reading.memory_percent:.0f} % used, {reading.memory_available_bytes >> 20} MiB available",
            reading="memory_available_bytes", at=reading.taken_at, severity=Severity.CRITICAL, points=65,
        )  # fmt: skip
    for card in reading.interfaces:
        lost = (card.errors_s or 0.0) + (card.drops_s or 0.0)
        if lost >= LINK_ERRORS_S:
            yield anomaly(
                "interface_errors", target, Aspect.RESOURCE, Role.SUPPORT,
                f"interface {card.name} loses {lost:.0f} packets a second", reading=f"interfaces[{card.name}].errors_s",
                at=reading.taken_at, points=50,
            )  # fmt: skip
