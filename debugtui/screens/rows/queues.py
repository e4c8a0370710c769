"""Rows of queues: each server with how it stands, its queues below, and what could not be read."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from debugtui.model.queues import ConsumerGroup, Queue
from debugtui.model.rabbitmq import RabbitmqNode, RabbitmqReading
from debugtui.model.redis import RedisReading
from debugtui.model.source import FleetView, Freshness, HostView, Kind, SourceStatus
from debugtui.screens.rows.common import freshness_tone, freshness_words, seconds_since
from debugtui.themes.tones import Tone
from debugtui.widgets.format import UNKNOWN, age, count, percent, size
from debugtui.widgets.table_rows import Cell, Column, Row

COLUMNS = (
    Column("queue", "queue, group", min_width=18, weight=2),
    Column("kind", "kind", width=10, priority=2),
    Column("waits", "waiting", width=8, align="right"),
    Column("growth", "growth/s", width=8, align="right"),
    Column("unacked", "in work", width=8, align="right", priority=1),
    Column("consumers", "consumers", width=9, align="right", priority=1),
    Column("state", "state", min_width=20, weight=2),
)

#: The kinds whose sources stand on this tab.
KINDS = (Kind.REDIS, Kind.RABBITMQ)


def queue_rows(host: HostView, view: FleetView) -> list[Row]:
    """Return the queues of a host, server by server."""
    rows: list[Row] = []
    for kind in KINDS:
        for status in host.of_kind(kind):
            rows += _server(status, view)
    return rows


def _server(status: SourceStatus, view: FleetView) -> Iterator[Row]:
    key = f"{status.kind}/{status.name}"
    reading = status.reading
    words = f"{status.kind} {status.name}"
    if status.freshness is not Freshness.LIVE:
        words += f"  {freshness_words(status, view.taken_at)}"
    yield Row(key, (Cell(words, "heading"),), heading=True)
    if status.problem is not None:
        yield _note(f"{key}#problem", str(status.problem), freshness_tone(status.freshness))
    if isinstance(reading, RedisReading):
        yield from _notes(key, _redis(reading, view))
    elif isinstance(reading, RabbitmqReading):
        yield from _notes(key, _rabbitmq(reading))
    else:
        return
    for gap in reading.gaps:
        yield _note(f"{key}#{gap.feature}", f"without {gap.feature}: {gap.problem}", "warn")
    for queue in reading.queues or ():
        yield from _queue(key, queue, reading.limit)
    if reading.queues == ():
        yield _note(f"{key}#none", "no queue is watched here: queues = [...] in the configuration names them", "dim")


def _note(key: str, text: str, tone: Tone) -> Row:
    return Row(key, (Cell(f"  {text}", tone),), heading=True)


def _notes(key: str, notes: Iterable[tuple[str, Tone]]) -> Iterator[Row]:
    for number, (text, tone) in enumerate(notes):
        yield _note(f"{key}#{number}", text, tone)


def _redis(reading: RedisReading, view: FleetView) -> Iterator[tuple[str, Tone]]:
    of = f" of {size(reading.memory_max_bytes)} ({percent(reading.memory_percent)})" if reading.memory_max_bytes else ""
    used = reading.memory_percent
    clients = f"{count(reading.clients)} clients, {count(reading.blocked_clients)} of them blocked"
    yield (
        f"Redis {reading.version}, {reading.role}, up {age(reading.uptime_s)}, {count(reading.ops_s)} commands/s, {clients}",
        "dim",
    )
    memory = f"memory {size(reading.memory_used_bytes)}{of}, {reading.memory_policy or UNKNOWN}"
    yield f"{memory}, {count(reading.evicted)} keys evicted", "bad" if used is not None and used > 90 else "dim"
    yield from _kept(reading, view)
    primary = reading.primary
    if primary is not None and not primary.link_up:
        yield f"primary {primary.address}: no connection for {age(primary.down_s)}", "bad"
    elif primary is not None:
        yield f"primary {primary.address}: connected", "dim"
    for replica in reading.replicas:
        yield f"replica {replica.address}: {replica.state}, {size(replica.behind_bytes)} behind", "dim"


def _kept(reading: RedisReading, view: FleetView) -> Iterator[tuple[str, Tone]]:
    kept = reading.persistence
    if reading.loading:
        yield f"it reads its data from the disk: {percent(reading.loading_percent)} done", "bad"
        return
    if kept.refused:
        yield f"writes are refused: {kept.refused}", "bad"
    saved = f"{age(seconds_since(kept.last_save_at, view.taken_at))} ago" if kept.last_save_at else UNKNOWN
    if kept.saves is False and not kept.aof:
        yield "nothing is kept on disk: neither snapshots nor the append-only file are on", "dim"
    else:
        word, tone = {True: ("good", "dim"), False: ("the last one failed", "bad"), None: (UNKNOWN, "dim")}[kept.last_save_ok]
        aof = "" if not kept.aof else ", append-only file " + ("written" if kept.aof_write_ok else "not written")
        yield f"last good snapshot {saved}, {word}, {count(kept.changes)} writes since{aof}", tone  # type: ignore[misc]


def _rabbitmq(reading: RabbitmqReading) -> Iterator[tuple[str, Tone]]:
    clients = f"{count(reading.connections)} connections, {count(reading.channels)} channels"
    rates = f"{count(reading.publish_s)} in/s, {count(reading.deliver_s)} out/s, {count(reading.ack_s)} acknowledged/s"
    yield f"RabbitMQ {reading.version}, {clients}, {rates}", "dim"
    for node in reading.nodes or ():
        yield _node(node)


def _node(node: RabbitmqNode) -> tuple[str, Tone]:
    if not node.running:
        return f"node {node.name}: down", "bad"
    alarms = [name for name, raised in (("memory alarm", node.memory_alarm), ("disk alarm", node.disk_alarm)) if raised]
    figures = (
        f"memory {size(node.memory_used_bytes)} of {size(node.memory_limit_bytes)}, "
        f"disk {size(node.disk_free_bytes)} free, files {count(node.files_used)} of {count(node.files_max)}"
    )
    lost = f", lost sight of {', '.join(node.partitions)}" if node.partitions else ""
    words = f"node {node.name}: {', '.join(alarms) or 'running'}, {figures}{lost}"
    return words, "bad" if alarms or lost else "dim"


def _queue(key: str, queue: Queue, limit: int) -> Iterator[Row]:
    waits = queue.backlog
    deep = waits is not None and waits > limit
    forgotten = bool(queue.length) and queue.consumers == 0
    name = f"{key}/{queue.name}"
    yield Row(
        name,
        (
            queue.name,
            Cell(queue.kind, "dim"),
            Cell(UNKNOWN if waits is None else count(waits), "bad" if deep else ""),
            _growth(queue.growth_s),
            UNKNOWN if queue.unacked is None else count(queue.unacked),
            Cell(UNKNOWN if queue.consumers is None else str(queue.consumers), "bad" if forgotten else ""),
            _state(queue, limit, deep=deep, forgotten=forgotten),
        ),
        sort=(queue.name, queue.kind, waits, queue.growth_s, queue.unacked, queue.consumers, queue.state),
    )
    for group in queue.groups:
        yield _group(name, group, limit)


def _growth(growth: float | None) -> Cell:
    return Cell(UNKNOWN if growth is None else f"{growth:+.1f}", "dim" if not growth else "")


def _state(queue: Queue, limit: int, *, deep: bool, forgotten: bool) -> Cell:
    if queue.state and queue.state not in ("running", "idle"):
        return Cell(queue.state, "bad")
    words = [f"more than {limit}"] if deep else []
    words += ["nobody consumes it"] if forgotten else []
    if (queue.stalled_s or 0.0) >= 60:
        words.append(f"nothing done for {age(queue.stalled_s)}")
    if queue.groups and queue.length is not None:
        words.append(f"{count(queue.length)} entries kept")
    if queue.kind == "none":
        return Cell("empty, or not there", "dim")
    return Cell(", ".join(words) or queue.state, "bad" if deep or forgotten else "")


def _group(name: str, group: ConsumerGroup, limit: int) -> Row:
    lost = (group.oldest_idle_s or 0.0) > 300
    stuck = (group.stalled_s or 0.0) >= 60
    words = [f"oldest in work {age(group.oldest_idle_s)}"] if group.oldest_idle_s is not None else []
    if (group.oldest_deliveries or 0) > 1:
        words.append(f"handed out {group.oldest_deliveries} times")
    if stuck:
        words.append(f"nothing done for {age(group.stalled_s)}")
    waits = group.backlog
    return Row(
        f"{name}/{group.name}",
        (
            group.name,
            Cell("group", "dim"),
            Cell(UNKNOWN if waits is None else count(waits), "bad" if waits is not None and waits > limit else ""),
            _growth(group.growth_s),
            count(group.pending),
            str(group.consumers),
            Cell(", ".join(words), "bad" if lost or stuck else ""),
        ),
        indent="  ",
    )
