"""A busy host, and who keeps it busy: one process that has done so for minutes is a fault, a busy moment is none."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace

from debugtui.diagnosis.anomaly import Anomaly, Role
from debugtui.diagnosis.own.making import span
from debugtui.diagnosis.surroundings import Process
from debugtui.model.source import FleetView, Freshness, Kind, SourceStatus
from debugtui.model.text import line
from debugtui.model.web import WebReading

#: A process counts as what keeps a host busy when it took so much of one processor over its life, and that is so long.
CPU_PERCENT, ELAPSED_S = 70.0, 300.0
#: What serves is never called a runaway: VMs, engines, databases, the machine itself.
SERVES = (
    "qemu", "kvm", "dockerd", "containerd", "libvirtd", "virtqemud", "postgres", "mysqld", "mariadbd", "redis-server",
    "beam.smp", "nginx", "systemd", "sshd", "prometheus", "grafana", "loki", "alertmanager", "java", "init",
)  # fmt: skip
_RULES = frozenset({"cpu", "overload"})
#: An address that sends its first byte within so many milliseconds does not suffer from its host.
QUICK_MS = 300.0


def with_processes(anomalies: Sequence[Anomaly], processes: Sequence[Process]) -> tuple[Anomaly, ...]:
    """Return the anomalies; a host's load with the process that causes it, where one does, and then a fault by itself."""
    busiest = {}
    for one in sorted(processes, key=lambda process: (process.cpu_percent, -process.pid)):
        if one.cpu_percent >= CPU_PERCENT and one.elapsed_s >= ELAPSED_S and not one.command.lower().startswith(SERVES):
            busiest[one.host] = one
    overloaded = {one.target.host for one in anomalies if one.rule == "overload"}
    found = []
    for anomaly in anomalies:
        busy = busiest.get(anomaly.target.host)
        if anomaly.rule not in _RULES or anomaly.target.name or busy is None or anomaly.target.host not in overloaded:
            found.append(anomaly)
            continue
        who = f"process {busy.pid} ({line(busy.command, 40)})"
        says = f"{anomaly.says}; {who} has taken {busy.cpu_percent:.0f} % of a processor for {span(busy.elapsed_s)}"
        facts = (*anomaly.facts, ("pid", str(busy.pid)), ("title", f"{anomaly.target.host}: {who} keeps the processors busy"))
        found.append(replace(anomaly, role=Role.CAUSE, says=says, facts=facts, points=max(anomaly.points, 62)))
    return tuple(found)


def with_quick(anomalies: Sequence[Anomaly], view: FleetView) -> tuple[Anomaly, ...]:
    """Return the anomalies; a host's load with the mark `quick` where most of its other addresses answer at once.

    What is served there in milliseconds proves that an address without any answer waits for something else.
    """
    quick = {host.name for host in view.hosts if _answers_quickly(host.of_kind(Kind.WEB))}
    return tuple(
        replace(one, facts=(*one.facts, ("quick", "yes"))) if one.rule in _RULES and one.target.host in quick else one
        for one in anomalies
    )


def _answers_quickly(addresses: Iterable[SourceStatus]) -> bool:
    sound = [
        one.reading for one in addresses
        if one.freshness is Freshness.LIVE and isinstance(one.reading, WebReading) and one.reading.sound
    ]  # fmt: skip
    took = [one.timing.first_byte_ms for one in sound if one.timing.first_byte_ms is not None]
    return len(took) > 0 and 2 * sum(ms <= QUICK_MS for ms in took) > len(took)
