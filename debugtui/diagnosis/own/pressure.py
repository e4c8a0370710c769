"""A busy host, and who keeps it busy: one process that has done so for minutes is a fault, a busy moment is none."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from debugtui.diagnosis.anomaly import Anomaly, Role
from debugtui.diagnosis.own.making import span
from debugtui.diagnosis.surroundings import Process
from debugtui.model.text import line

#: A process counts as what keeps a host busy when it took so much of one processor over its life, and that is so long.
CPU_PERCENT, ELAPSED_S = 70.0, 300.0
#: What serves is never called a runaway: VMs, engines, databases, the machine itself.
SERVES = (
    "qemu", "kvm", "dockerd", "containerd", "libvirtd", "virtqemud", "postgres", "mysqld", "mariadbd", "redis-server",
    "beam.smp", "nginx", "systemd", "sshd", "prometheus", "grafana", "loki", "alertmanager", "java", "init",
)  # fmt: skip
_RULES = frozenset({"cpu", "overload"})


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
