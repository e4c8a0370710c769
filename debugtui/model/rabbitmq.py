"""One RabbitMQ cluster, as one of its management APIs sees it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from debugtui.model.queues import Queue
from debugtui.model.source import Gap


@dataclass(frozen=True, slots=True)
class RabbitmqNode:
    """One node. Figures are None where it is down, or does not tell.

    Attributes:
        name: `rabbit@mq-1`.
        running: whether it runs.
        memory_alarm, disk_alarm: it blocks every publisher, because memory or disk ran short.
        memory_used_bytes, memory_limit_bytes: the limit is where the alarm is raised.
        disk_free_bytes, disk_limit_bytes: as above.
        files_used, files_max: file descriptors, each connection takes one.
        uptime_s: seconds.
        partitions: names of the nodes that it lost sight of while both went on.
    """

    name: str
    running: bool
    memory_alarm: bool = False
    disk_alarm: bool = False
    memory_used_bytes: int | None = None
    memory_limit_bytes: int | None = None
    disk_free_bytes: int | None = None
    disk_limit_bytes: int | None = None
    files_used: int | None = None
    files_max: int | None = None
    uptime_s: float | None = None
    partitions: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class RabbitmqReading:
    """One cluster.

    Attributes:
        taken_at: when (UTC).
        url: of the management API, as seen from the host.
        version, erlang: of the node that answered.
        cluster: its name.
        nodes: None: the user may not see them.
        queues: those that are watched, the deepest first; None: they could not be read.
        queues_total: how many there are, watched or not; None: not told.
        connections, channels, consumers: counts; None: not told.
        ready, unacked: messages in every queue that the user may see.
        publish_s, deliver_s, ack_s: messages a second, by RabbitMQ's own count; None before anything was counted.
        limit: messages in one queue above which it alerts.
        gaps: what could not be read.
    """

    taken_at: datetime
    url: str
    version: str = ""
    erlang: str = ""
    cluster: str = ""
    nodes: tuple[RabbitmqNode, ...] | None = None
    queues: tuple[Queue, ...] | None = None
    queues_total: int | None = None
    connections: int | None = None
    channels: int | None = None
    consumers: int | None = None
    ready: int | None = None
    unacked: int | None = None
    publish_s: float | None = None
    deliver_s: float | None = None
    ack_s: float | None = None
    limit: int = 1_000
    gaps: tuple[Gap, ...] = ()
