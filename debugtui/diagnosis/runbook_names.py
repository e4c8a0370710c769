"""Which shipped runbook goes with a cause, as data."""

from __future__ import annotations

from debugtui.diagnosis.anomaly import MONITORS, Anomaly, Aspect
from debugtui.model.source import Kind

_BY_KIND: dict[str, str] = {
    Kind.GROQ: "ai-agent",
    Kind.POSTGRES: "database",
    Kind.WEB: "user-interface",
    Kind.CHROME: "user-interface",
    Kind.TLS: "user-interface",
    Kind.NGINX: "service-down",
    Kind.DOCKER: "service-down",
    Kind.LIBVIRT: "service-down",
    Kind.SYSTEM: "service-down",
    **dict.fromkeys(MONITORS, "monitoring"),
}
_PRESSURE = frozenset({"cpu", "memory", "overload", "memory_exhausted", "oom_killed", "container_memory", "process_busy"})


def runbook_of(cause: Anomaly) -> str:
    """Return the name of the runbook; empty where none goes with it."""
    if cause.rule in _PRESSURE or (
        cause.target.kind == Kind.SYSTEM and not cause.target.name and cause.aspect is Aspect.RESOURCE
    ):
        return "high-cpu-memory"
    return _BY_KIND.get(cause.target.kind, "")
