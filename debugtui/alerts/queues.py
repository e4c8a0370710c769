"""What is wrong with queues, and with the Redis or RabbitMQ that holds them. Pure; no memory, no clock."""

from __future__ import annotations

from collections.abc import Iterator

from debugtui.alerts.finding import Finding
from debugtui.model.alerts import Severity
from debugtui.model.amounts import size_text, span
from debugtui.model.queues import ConsumerGroup, Queue
from debugtui.model.rabbitmq import RabbitmqNode, RabbitmqReading
from debugtui.model.redis import RedisReading
from debugtui.model.target import Target

#: So many times its limit is a queue that nobody will work off soon.
VERY_DEEP = 10
#: A consumer that keeps an entry for so long has lost it; nothing moved for so long although there is something to do.
OLDEST_S, STALLED_S = 300.0, 60.0
REDIS_MEMORY_PERCENT = 90.0
#: Seconds for which a replica may be without its primary: a restart takes that long.
REPLICA_DOWN_S = 15.0
#: Most names in one message.
_NAMES = 3


def of_redis(target: Target, reading: RedisReading) -> Iterator[Finding]:
    """Yield what is wrong with one Redis."""
    if reading.loading:
        share = f", {reading.loading_percent:.0f} % done" if reading.loading_percent is not None else ""
        yield Finding(
            Severity.CRITICAL, "redis_loading", target, f"Redis reads its data from the disk and answers nothing{share}"
        )
        return
    yield from _memory(target, reading)
    yield from _persistence(target, reading)
    yield from _replication(target, reading)
    for queue in reading.queues or ():
        yield from _queue(target, queue, reading.limit)


def of_rabbitmq(target: Target, reading: RabbitmqReading) -> Iterator[Finding]:
    """Yield what is wrong with one RabbitMQ."""
    for node in reading.nodes or ():
        yield from _node(target, node)
    for queue in reading.queues or ():
        yield from _queue(target, queue, reading.limit)
        if queue.length and queue.consumers == 0:
            # Messages may be parked on purpose (dead letters): what grows or is deep is not.
            worse = queue.length > reading.limit or (queue.growth_s or 0.0) > 0
            severity = Severity.HIGH if worse else Severity.MEDIUM
            says = f"{queue.length} messages lie in {queue.name}, and nobody consumes it"
            yield Finding(severity, "queue_no_consumers", _below(target, queue.name), says, float(queue.length), 0.0)
        if queue.state in ("down", "crashed", "stopped"):
            says = f"the queue {queue.name} is {queue.state}: what lies in it cannot be reached"
            yield Finding(Severity.CRITICAL, "queue_down", _below(target, queue.name), says)


def _below(target: Target, name: str) -> Target:
    return Target(target.host, target.kind, f"{target.name}/{name}")


def _queue(target: Target, queue: Queue, limit: int) -> Iterator[Finding]:
    about, backlog = _below(target, queue.name), queue.backlog
    if backlog is not None and backlog > limit:
        severity = Severity.CRITICAL if backlog > VERY_DEEP * limit > 0 else Severity.HIGH
        growing = f", growing by {queue.growth_s:.1f}/s" if queue.growth_s is not None and queue.growth_s >= 0.1 else ""
        says = f"{backlog} messages wait in {queue.name}, more than {limit}{growing}"
        yield Finding(severity, "queue_deep", about, says, float(backlog), float(limit))
    for group in queue.groups:
        yield from _group(about, queue, group)
    if queue.consumers and (queue.stalled_s or 0.0) >= STALLED_S and (queue.growth_s or 0.0) > 0:
        says = f"{queue.consumers} consumers of {queue.name} have done nothing for {span(queue.stalled_s or 0.0)}, and it grows"
        yield Finding(Severity.HIGH, "queue_stuck", about, says, queue.stalled_s, STALLED_S)


def _group(about: Target, queue: Queue, group: ConsumerGroup) -> Iterator[Finding]:
    oldest = group.oldest_idle_s
    if oldest is not None and oldest > OLDEST_S:
        often = f", handed out {group.oldest_deliveries} times" if (group.oldest_deliveries or 0) > 1 else ""
        says = f"group {group.name} of {queue.name} has an entry in work for {span(oldest)}{often}: {group.pending} pending"
        yield Finding(Severity.HIGH, "queue_stuck", about, says, oldest, OLDEST_S)
    elif (group.stalled_s or 0.0) >= STALLED_S and (group.growth_s or 0.0) > 0:
        says = f"group {group.name} of {queue.name} has done nothing for {span(group.stalled_s or 0.0)}, and it grows"
        yield Finding(Severity.HIGH, "queue_stuck", about, says, group.stalled_s, STALLED_S)


def _memory(target: Target, reading: RedisReading) -> Iterator[Finding]:
    used = reading.memory_percent
    if used is None or used <= REDIS_MEMORY_PERCENT:
        return
    refuses = reading.memory_policy == "noeviction"
    then = "writes are refused at the limit" if refuses else f"keys are thrown away at the limit ({reading.memory_policy})"
    says = f"{used:.0f} % of {size_text(reading.memory_max_bytes or 0)} used: {then}"
    severity = Severity.CRITICAL if refuses and used >= 100 else Severity.HIGH if refuses else Severity.MEDIUM
    yield Finding(severity, "redis_memory", target, says, used, REDIS_MEMORY_PERCENT)


def _persistence(target: Target, reading: RedisReading) -> Iterator[Finding]:
    kept = reading.persistence
    if kept.refused:
        yield Finding(Severity.CRITICAL, "redis_persistence", target, f"writes are refused: {kept.refused}")
    elif kept.aof and kept.aof_write_ok is False:
        yield Finding(Severity.CRITICAL, "redis_persistence", target, "the last write to the append-only file failed")
    elif kept.last_save_ok is False:
        says = "the last snapshot failed: what came since is lost with the process"
        yield Finding(Severity.HIGH, "redis_persistence", target, says)
    elif kept.aof and kept.aof_rewrite_ok is False:
        yield Finding(Severity.MEDIUM, "redis_persistence", target, "the last rewrite of the append-only file failed")


def _replication(target: Target, reading: RedisReading) -> Iterator[Finding]:
    primary = reading.primary
    if primary is None or primary.link_up or (primary.syncing and (primary.down_s or 0.0) < STALLED_S):
        return
    down = f" for {span(primary.down_s)}" if primary.down_s is not None else ""
    says = f"the replica has no connection to its primary {primary.address}{down}: what it answers is old"
    wait = 0.0 if primary.down_s is not None and primary.down_s >= REPLICA_DOWN_S else REPLICA_DOWN_S
    yield Finding(Severity.HIGH, "redis_replica", target, says, primary.down_s, REPLICA_DOWN_S, for_s=wait)


def _node(target: Target, node: RabbitmqNode) -> Iterator[Finding]:
    about = _below(target, node.name)
    if not node.running:
        yield Finding(Severity.CRITICAL, "rabbitmq_node_down", about, f"the node {node.name} does not run")
        return
    alarms = [word for word, raised in (("memory", node.memory_alarm), ("disk", node.disk_alarm)) if raised]
    if alarms:
        figures = []
        if node.memory_alarm and node.memory_used_bytes is not None and node.memory_limit_bytes is not None:
            figures.append(f"memory {size_text(node.memory_used_bytes)} of {size_text(node.memory_limit_bytes)}")
        if node.disk_alarm and node.disk_free_bytes is not None and node.disk_limit_bytes is not None:
            figures.append(f"disk {size_text(node.disk_free_bytes)} free, at least {size_text(node.disk_limit_bytes)} wanted")
        says = f"{' and '.join(alarms)} alarm on {node.name}: every publisher is blocked"
        yield Finding(Severity.CRITICAL, "rabbitmq_alarm", about, f"{says} ({'; '.join(figures)})" if figures else says)
    if node.partitions:
        names = ", ".join(node.partitions[:_NAMES])
        yield Finding(Severity.CRITICAL, "rabbitmq_partition", about, f"{node.name} lost sight of {names} while both went on")
