"""Alerts of queues, the journal and backups: how bad, and when not."""

from __future__ import annotations

import dataclasses
from datetime import timedelta

import pytest

from debugtui.alerts import backup, journal, queues
from debugtui.alerts.book import AlertBook
from debugtui.alerts.rules import Finding
from debugtui.fleet.history import METRICS, History
from debugtui.model.backup import BackupReading
from debugtui.model.journal import JournalReading, UnitChange, UnitErrors, UnitEvent
from debugtui.model.queues import ConsumerGroup, Queue
from debugtui.model.rabbitmq import RabbitmqNode, RabbitmqReading
from debugtui.model.redis import Persistence, Primary, RedisReading
from debugtui.model.source import FleetView, Freshness, HostView, Kind, LinkState, LinkStatus, SourceStatus
from debugtui.model.target import Target
from tests.screens import state_world
from tests.unit.fakes import START

REDIS, MQ = Target("kvm-01", "redis", "cache"), Target("kvm-01", "rabbitmq", "mq")
JOURNAL, BACKUP = Target("kvm-01", "journal"), Target("kvm-01", "backup", "coach")


def of_redis(**changes: object) -> list[Finding]:
    return list(queues.of_redis(REDIS, RedisReading(START, "127.0.0.1:6379", **changes)))  # type: ignore[arg-type]


def of_mq(**changes: object) -> list[Finding]:
    return list(queues.of_rabbitmq(MQ, RabbitmqReading(START, "http://127.0.0.1:15672", **changes)))  # type: ignore[arg-type]


def of_journal(**changes: object) -> list[Finding]:
    return list(journal.findings(JOURNAL, JournalReading(START, START, **changes)))  # type: ignore[arg-type]


def names(found: list[Finding]) -> list[tuple[str, str]]:
    return [(one.rule, one.severity.value) for one in found]


@pytest.mark.parametrize(
    ("length", "severity"), [(0, None), (1_000, None), (1_001, "high"), (10_000, "high"), (10_001, "critical"), (None, None)]
)
def test_a_deep_queue_is_deeper_than_its_limit(length: int | None, severity: str | None) -> None:
    found = of_redis(queues=(Queue("jobs", "list", length),))
    assert names(found) == ([("queue_deep", severity)] if severity else [])
    assert all(str(one.target) == "kvm-01/redis/cache/jobs" for one in found)


def test_a_stream_that_keeps_its_entries_is_not_deep() -> None:
    idle = ConsumerGroup("g", 1, 0, 0)
    assert of_redis(queues=(Queue("events", "stream", 500_000, groups=(idle,)),)) == []
    behind = ConsumerGroup("h", 1, 10, 2_000)
    assert names(of_redis(queues=(Queue("events", "stream", 500_000, groups=(idle, behind)),))) == [("queue_deep", "high")]
    unknown = ConsumerGroup("u", 1, 10, None)
    assert of_redis(queues=(Queue("events", "stream", 500_000, groups=(unknown,)),)) == []


@pytest.mark.parametrize(
    ("group", "stuck"),
    [
        (ConsumerGroup("g", 1, 3, 0, oldest_idle_s=301.0), True),
        (ConsumerGroup("g", 1, 3, 0, oldest_idle_s=299.0), False),
        (ConsumerGroup("g", 0, 0, 50, stalled_s=61.0, growth_s=0.5), True),
        (ConsumerGroup("g", 0, 0, 50, stalled_s=61.0, growth_s=0.0), False),
        (ConsumerGroup("g", 0, 0, 50, stalled_s=30.0, growth_s=0.5), False),
        (ConsumerGroup("g", 0, 0, 50), False),
    ],
)
def test_a_group_is_stuck_when_it_lost_an_entry_or_does_nothing_while_more_comes(group: ConsumerGroup, stuck: bool) -> None:
    assert names(of_redis(queues=(Queue("events", "stream", 60, groups=(group,)),))) == (
        [("queue_stuck", "high")] if stuck else []
    )


@pytest.mark.parametrize(
    ("used", "policy", "expected"),
    [
        (89, "noeviction", []),
        (95, "noeviction", [("redis_memory", "high")]),
        (101, "noeviction", [("redis_memory", "critical")]),
        (95, "allkeys-lru", [("redis_memory", "medium")]),
    ],
)
def test_memory_is_judged_by_what_happens_at_its_limit(used: int, policy: str, expected: list[tuple[str, str]]) -> None:
    assert names(of_redis(memory_used_bytes=used, memory_max_bytes=100, memory_policy=policy)) == expected
    assert of_redis(memory_used_bytes=used, memory_max_bytes=None, memory_policy=policy) == []


@pytest.mark.parametrize(
    ("kept", "severity"),
    [
        (Persistence(), None),
        (Persistence(last_save_ok=True), None),
        (Persistence(last_save_ok=False), "high"),
        (Persistence(last_save_ok=False, refused="MISCONF x"), "critical"),
        (Persistence(aof=True, aof_write_ok=False), "critical"),
        (Persistence(aof=True, aof_write_ok=True, aof_rewrite_ok=False), "medium"),
        (Persistence(aof=False, aof_write_ok=False), None),
    ],
)
def test_what_is_not_kept_on_disk(kept: Persistence, severity: str | None) -> None:
    assert names(of_redis(persistence=kept)) == ([("redis_persistence", severity)] if severity else [])


def test_a_replica_may_be_without_its_primary_for_a_restart() -> None:
    lost = of_redis(role="replica", primary=Primary("p:1", link_up=False, down_s=20.0))
    assert (names(lost), lost[0].for_s) == ([("redis_replica", "high")], 0.0)
    (just_lost,) = of_redis(role="replica", primary=Primary("p:1", link_up=False, down_s=3.0))
    assert just_lost.for_s > 0
    assert of_redis(role="replica", primary=Primary("p:1", link_up=True)) == []
    assert of_redis(role="replica", primary=Primary("p:1", link_up=False, down_s=3.0, syncing=True)) == []


def test_while_redis_loads_nothing_else_is_judged() -> None:
    assert names(of_redis(loading=True, persistence=Persistence(last_save_ok=False))) == [("redis_loading", "critical")]


def test_messages_without_a_consumer_are_worse_when_they_grow() -> None:
    def found(**more: object) -> list[tuple[str, str]]:
        return names(of_mq(queues=(dataclasses.replace(Queue("q", "classic", 5, 0.0, consumers=0), **more),)))  # type: ignore[arg-type]

    assert found() == [("queue_no_consumers", "medium")]
    assert found(growth_s=0.3) == [("queue_no_consumers", "high")]
    assert found(consumers=1) == []
    assert found(consumers=None) == []
    assert found(length=0) == []
    assert found(state="down", consumers=None) == [("queue_down", "critical")]


def test_alarms_partitions_and_nodes_that_are_down() -> None:
    nodes = (
        RabbitmqNode("a", True, memory_alarm=True, memory_used_bytes=2 << 30, memory_limit_bytes=1 << 30),
        RabbitmqNode("b", False, memory_alarm=True),
        RabbitmqNode("c", True, partitions=("a",)),
        RabbitmqNode("d", True),
    )
    found = of_mq(nodes=nodes)
    assert names(found) == [
        ("rabbitmq_alarm", "critical"),
        ("rabbitmq_node_down", "critical"),
        ("rabbitmq_partition", "critical"),
    ]
    assert "memory 2.0 GiB of 1.0 GiB" in found[0].message
    assert of_mq(nodes=None) == []


def errors(count: int, before: float | None) -> list[tuple[str, str]]:
    return names(of_journal(lines=count, units=(UnitErrors("u", count, before, "x", START),)))


def test_a_burst_is_many_times_what_was_usual() -> None:
    assert errors(19, 0.0) == []
    assert errors(20, 0.0) == [("log_errors", "medium")]
    assert errors(100, 20.0) == []
    assert errors(101, 20.0) == [("log_errors", "medium")]
    assert errors(499, None) == []
    assert errors(500, None) == [("log_errors", "medium")]


def test_old_events_are_no_news() -> None:
    def failing(ago: float) -> list[tuple[str, str]]:
        at = START - timedelta(seconds=ago)
        return names(of_journal(events=tuple(UnitEvent(at, "u", UnitChange.FAILED, "x") for _ in range(3))))

    assert failing(500) == [("unit_failing", "high")]
    assert failing(700) == []


def test_one_failure_with_its_three_lines_is_one() -> None:
    lines = [UnitEvent(START, "u", change, "x") for change in (UnitChange.EXITED, UnitChange.FAILED, UnitChange.RESTARTING)]
    assert of_journal(events=tuple(lines)) == []
    assert names(of_journal(events=tuple(lines * 3))) == [("unit_failing", "high")]


def test_backups() -> None:
    def found(reading: BackupReading) -> list[tuple[str, str]]:
        return names(list(backup.findings(BACKUP, reading)))

    assert found(state_world.no_backups()) == [("backup_missing", "critical")]
    broken = state_world.backups()
    assert found(broken) == [("backup_old", "high"), ("backup_incomplete", "high"), ("backup_small", "medium")]
    assert broken.newest is not None
    sound = dataclasses.replace(
        broken, newest=dataclasses.replace(broken.newest, whole=None), rpo_s=10_000.0, previous_bytes=broken.newest.size_bytes
    )
    assert found(sound) == []


READINGS = {
    Kind.REDIS: ("cache", state_world.redis()),
    Kind.RABBITMQ: ("mq", state_world.rabbitmq()),
    Kind.JOURNAL: ("journal", state_world.journal()),
    Kind.BACKUP: ("coach", state_world.backups()),
}


@pytest.mark.parametrize("kind", READINGS)
def test_the_book_judges_every_kind_and_not_what_is_lost(kind: Kind) -> None:
    name, reading = READINGS[kind]
    status = SourceStatus("kvm-01", name, kind, Freshness.LIVE, reading=reading, sequence=1)

    def alerts(source: SourceStatus) -> tuple[str, ...]:
        view = FleetView(START, (HostView("kvm-01", "local", LinkStatus(LinkState.UP), (source,)),))
        return tuple(str(alert.target) for alert in AlertBook().update(view))

    assert alerts(status)
    assert all(target.startswith(f"kvm-01/{kind}") for target in alerts(status))
    assert f"kvm-01/{kind}/{kind}" not in alerts(status)
    assert alerts(dataclasses.replace(status, freshness=Freshness.LOST)) == ()


@pytest.mark.parametrize("kind", READINGS)
def test_every_figure_has_a_history(kind: Kind) -> None:
    name, reading = READINGS[kind]
    history = History()
    history.record(SourceStatus("kvm-01", name, kind, Freshness.LIVE, reading=reading))
    target = Target("kvm-01", kind, "" if name == kind else name)
    found = {metric: list(history.series(target, metric).values) for metric in METRICS[kind]}
    assert all(len(series) == 1 for series in found.values()), found
