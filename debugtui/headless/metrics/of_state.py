"""What queues, the journal and backups say, as metrics."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

from debugtui.headless.metrics.samples import Samples, counter, gauge, ratio
from debugtui.model.backup import BackupReading
from debugtui.model.journal import FAILURES, JournalReading, KernelFault
from debugtui.model.queues import Queue
from debugtui.model.rabbitmq import RabbitmqReading
from debugtui.model.redis import RedisReading

_SERVER = ("host", "kind", "server")
MESSAGES = gauge("queue_messages", "Messages that wait to be worked off.", *_SERVER, "queue", own=3)
LENGTH = gauge("queue_length", "Everything that lies in a queue; a stream keeps what is done.", *_SERVER, "queue", own=3)
GROWTH = gauge(
    "queue_growth_per_second", "Messages a second by which a queue grows; below 0 it shrinks.", *_SERVER, "queue", own=3
)
CONSUMERS = gauge("queue_consumers", "Consumers of a queue; none where that is not known.", *_SERVER, "queue", own=3)
UNACKED = gauge("queue_unacknowledged", "Messages that were handed out and not acknowledged.", *_SERVER, "queue", own=3)
LIMIT = gauge("queue_limit", "Messages in one queue above which it alerts.", *_SERVER, own=3)
PENDING = gauge("queue_group_pending", "Entries of a stream that a group has in work.", *_SERVER, "queue", "group", own=3)
LAG = gauge("queue_group_lag", "Entries of a stream that a group was not handed yet.", *_SERVER, "queue", "group", own=3)
OLDEST = gauge(
    "queue_group_oldest_pending_seconds", "Since the oldest entry in work was handed out.", *_SERVER, "queue", "group", own=3
)

_ONE = ("host", "server")
MEMORY = gauge("redis_memory_bytes", "Memory that Redis uses.", *_ONE, own=2)
MEMORY_MAX = gauge("redis_memory_limit_bytes", "Memory that Redis may use; none without a limit.", *_ONE, own=2)
MEMORY_SHARE = gauge("redis_memory_ratio", "Share of its limit that Redis uses; none without a limit.", *_ONE, own=2)
CLIENTS = gauge("redis_clients", "Connections to Redis.", *_ONE, own=2)
BLOCKED = gauge("redis_blocked_clients", "Connections that wait in a blocking command.", *_ONE, own=2)
COMMANDS = gauge("redis_commands_per_second", "Commands a second.", *_ONE, own=2)
EVICTED = counter("redis_evicted_keys_total", "Keys that Redis threw away for want of memory.", *_ONE, own=2)
EXPIRED = counter("redis_expired_keys_total", "Keys whose time was up.", *_ONE, own=2)
REJECTED = counter("redis_rejected_connections_total", "Connections that were one too many.", *_ONE, own=2)
LOADING = gauge("redis_loading", "Whether Redis reads its data from the disk.", *_ONE, own=2)
SAVED = gauge("redis_last_save_success", "Whether the last snapshot went well.", *_ONE, own=2)
SAVE_AGE = gauge("redis_last_save_age_seconds", "Since the last good snapshot.", *_ONE, own=2)
REFUSED = gauge("redis_writes_refused", "Whether writes are refused because a snapshot failed.", *_ONE, own=2)
PRIMARY = gauge(
    "redis_primary_link_up", "Whether a replica's connection to its primary stands; none on a primary.", *_ONE, own=2
)

NODE_UP = gauge("rabbitmq_node_running", "Whether a node runs.", *_ONE, "node", own=2)
ALARM = gauge("rabbitmq_node_alarm", "Whether an alarm of a node blocks publishers.", *_ONE, "node", "alarm", own=2)
NODE_MEMORY = gauge("rabbitmq_node_memory_bytes", "Memory that a node uses.", *_ONE, "node", own=2)
NODE_DISK = gauge("rabbitmq_node_disk_free_bytes", "Disk space that a node has left.", *_ONE, "node", own=2)
MQ_CONNECTIONS = gauge("rabbitmq_connections", "Connections to the cluster.", *_ONE, own=2)
MQ_CHANNELS = gauge("rabbitmq_channels", "Channels of the cluster.", *_ONE, own=2)
READY = gauge("rabbitmq_messages_ready", "Messages of every queue that wait for a consumer.", *_ONE, own=2)
MQ_UNACKED = gauge("rabbitmq_messages_unacknowledged", "Messages of every queue that are in work.", *_ONE, own=2)

LINES = gauge("journal_error_lines", "Lines of priority err and worse in five minutes.", "host")
UNIT_LINES = gauge("journal_unit_error_lines", "The same by unit, of the units that wrote the most.", "host", "unit")
KILLS = gauge("journal_oom_kills", "Processes that the kernel killed for want of memory in the last hour.", "host")
FAULTS = gauge("journal_kernel_faults", "Complaints of the kernel in the last hour, by kind.", "host", "fault")
UNIT_FAILURES = gauge("journal_unit_failures", "Failures of units in the last hour, by unit.", "host", "unit")
BOOTED = gauge("journal_boot_timestamp_seconds", "When the host booted, in UNIX time.", "host")

_BACKUP = ("host", "database")
AGE = gauge("backup_age_seconds", "Age of what the newest backup holds; none where there is no backup.", *_BACKUP, own=2)
RPO = gauge("backup_age_limit_seconds", "The greatest age of a backup that is allowed.", *_BACKUP, own=2)
EXISTS = gauge("backup_exists", "Whether there is any backup.", *_BACKUP, own=2)
SIZE = gauge("backup_size_bytes", "Size of the newest backup.", *_BACKUP, own=2)
CHANGE = gauge("backup_size_change_ratio", "By what share the newest backup differs from the one before.", *_BACKUP, own=2)
WHOLE = gauge(
    "backup_complete", "Whether the newest backup begins and ends as it should; none where not known.", *_BACKUP, own=2
)
FILES = gauge("backup_files", "Backups that lie there.", *_BACKUP, own=2)
FILES_SIZE = gauge("backup_files_bytes", "Size of all backups that lie there.", *_BACKUP, own=2)

#: Most units that have a series of their own.
UNITS = 50


def _queues(samples: Samples, server: tuple[str, str, str], queues: Iterable[Queue], limit: int) -> None:
    samples.add(LIMIT, limit, *server)
    for queue in queues:
        one = (*server, queue.name)
        samples.add(MESSAGES, queue.backlog, *one)
        samples.add(LENGTH, queue.length, *one)
        samples.add(GROWTH, queue.growth_s, *one)
        samples.add(CONSUMERS, queue.consumers, *one)
        samples.add(UNACKED, queue.unacked, *one)
        for group in queue.groups:
            samples.add(PENDING, group.pending, *one, group.name)
            samples.add(LAG, group.lag, *one, group.name)
            samples.add(OLDEST, group.oldest_idle_s, *one, group.name)


def of_redis(samples: Samples, host: str, name: str, reading: RedisReading) -> None:
    """Add one Redis and its queues."""
    _queues(samples, (host, "redis", name), reading.queues or (), reading.limit)
    kept = reading.persistence
    saved = kept.last_save_at
    for metric, value in (
        (MEMORY, reading.memory_used_bytes),
        (MEMORY_MAX, reading.memory_max_bytes),
        (MEMORY_SHARE, ratio(reading.memory_percent)),
        (CLIENTS, reading.clients),
        (BLOCKED, reading.blocked_clients),
        (COMMANDS, reading.ops_s),
        (EVICTED, reading.evicted),
        (EXPIRED, reading.expired),
        (REJECTED, reading.rejected),
        (LOADING, reading.loading),
        (SAVED, kept.last_save_ok),
        (SAVE_AGE, (reading.taken_at - saved).total_seconds() if saved is not None else None),
        (REFUSED, bool(kept.refused)),
        (PRIMARY, reading.primary.link_up if reading.primary is not None else None),
    ):
        samples.add(metric, value, host, name)


def of_rabbitmq(samples: Samples, host: str, name: str, reading: RabbitmqReading) -> None:
    """Add one RabbitMQ and its queues."""
    _queues(samples, (host, "rabbitmq", name), reading.queues or (), reading.limit)
    for node in reading.nodes or ():
        one = (host, name, node.name)
        samples.add(NODE_UP, node.running, *one)
        samples.add(NODE_MEMORY, node.memory_used_bytes, *one)
        samples.add(NODE_DISK, node.disk_free_bytes, *one)
        if node.running:
            samples.add(ALARM, node.memory_alarm, *one, "memory")
            samples.add(ALARM, node.disk_alarm, *one, "disk")
    samples.add(MQ_CONNECTIONS, reading.connections, host, name)
    samples.add(MQ_CHANNELS, reading.channels, host, name)
    samples.add(READY, reading.ready, host, name)
    samples.add(MQ_UNACKED, reading.unacked, host, name)


def of_journal(samples: Samples, host: str, _: str, reading: JournalReading) -> None:
    """Add one journal. One that may not be read has no figures."""
    if reading.lines is None:
        return
    samples.add(LINES, reading.lines, host)
    for unit in reading.units[:UNITS]:
        samples.add(UNIT_LINES, unit.count, host, unit.unit)
    samples.add(KILLS, len(reading.oom_kills), host)
    faults = Counter(event.fault for event in reading.faults)
    for fault in KernelFault:
        samples.add(FAULTS, faults[fault], host, fault.value)
    failures = Counter(event.unit for event in reading.events if event.change in FAILURES)
    for unit_name, count in failures.most_common(UNITS):
        samples.add(UNIT_FAILURES, count, host, unit_name)
    samples.add(BOOTED, reading.booted_at.timestamp() if reading.booted_at else None, host)


def of_backup(samples: Samples, host: str, name: str, reading: BackupReading) -> None:
    """Add the backups of one database."""
    newest = reading.newest
    for metric, value in (
        (EXISTS, newest is not None),
        (AGE, reading.age_s),
        (RPO, reading.rpo_s),
        (SIZE, newest.size_bytes if newest is not None else None),
        (CHANGE, reading.size_change),
        (WHOLE, newest.whole if newest is not None else None),
        (FILES, reading.count),
        (FILES_SIZE, reading.total_bytes),
    ):
        samples.add(metric, value, host, name)
