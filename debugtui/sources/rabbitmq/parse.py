"""What the management API says, as figures; what is missing or of another form is not known."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from debugtui.model.queues import Queue
from debugtui.model.rabbitmq import RabbitmqNode
from debugtui.model.text import line

#: Longest name, and most nodes and partitions that are kept.
NAME, NODES = 300, 100


def table(value: object) -> Mapping[str, Any]:
    """Return a JSON object; an empty one where it is something else."""
    return value if isinstance(value, Mapping) else {}


def rows(value: object) -> Sequence[Mapping[str, Any]]:
    """Return the objects of a JSON array."""
    return [row for row in value if isinstance(row, Mapping)] if isinstance(value, list) else []


def count(value: object) -> int | None:
    """Return a number of things; None where it is none."""
    return value if isinstance(value, int) and not isinstance(value, bool) and value >= 0 else None


def text(value: object, limit: int = NAME) -> str:
    """Return a text, safe to show; empty where it is none."""
    return line(value, limit) if isinstance(value, str) else ""


def rate(stats: Mapping[str, Any], *names: str) -> float | None:
    """Return the sum of the rates of some counters; None where none of them was counted."""
    found = []
    for name in names:
        value = table(stats.get(f"{name}_details")).get("rate")
        if isinstance(value, (int, float)) and not isinstance(value, bool):
            found.append(float(value))
    return sum(found) if found else None


def node(row: Mapping[str, Any]) -> RabbitmqNode:
    """Return one node."""
    running = row.get("running") is True
    return RabbitmqNode(
        name=text(row.get("name")),
        running=running,
        memory_alarm=row.get("mem_alarm") is True,
        disk_alarm=row.get("disk_free_alarm") is True,
        memory_used_bytes=count(row.get("mem_used")),
        memory_limit_bytes=count(row.get("mem_limit")),
        disk_free_bytes=count(row.get("disk_free")),
        disk_limit_bytes=count(row.get("disk_free_limit")),
        files_used=count(row.get("fd_used")),
        files_max=count(row.get("fd_total")),
        uptime_s=None if (uptime := count(row.get("uptime"))) is None else uptime / 1000,
        partitions=tuple(text(name) for name in row.get("partitions", ())[:NODES])
        if isinstance(row.get("partitions"), list)
        else (),
    )


def queue_name(row: Mapping[str, Any]) -> str:
    """Return `VHOST/NAME`, without the virtual host where it is `/`."""
    host, name = text(row.get("vhost")), text(row.get("name"))
    return name if host in ("", "/") else f"{host}/{name}"


def queue(row: Mapping[str, Any], growth_s: float | None, stalled_s: float | None) -> Queue:
    """Return one queue."""
    return Queue(
        name=queue_name(row),
        kind=text(row.get("type"), 40) or "classic",
        length=count(row.get("messages")),
        growth_s=growth_s,
        ready=count(row.get("messages_ready")),
        unacked=count(row.get("messages_unacknowledged")),
        consumers=count(row.get("consumers")),
        state=text(row.get("state"), 40),
        stalled_s=stalled_s,
    )


def progress(row: Mapping[str, Any]) -> tuple[int | None, ...]:
    """Return what changes whenever a consumer takes or finishes something."""
    stats = table(row.get("message_stats"))
    return tuple(count(stats.get(name)) for name in ("ack", "deliver_get", "deliver_no_ack", "get_no_ack"))
