"""Readings of queues, the journal and backups that stand still, for the pictures: one of everything that can be wrong there."""

from __future__ import annotations

from datetime import timedelta

from debugtui.model.backup import BackupFile, BackupReading
from debugtui.model.journal import (
    JournalReading,
    KernelEvent,
    KernelFault,
    OomKill,
    UnitChange,
    UnitErrors,
    UnitEvent,
)
from debugtui.model.queues import ConsumerGroup, Queue
from debugtui.model.rabbitmq import RabbitmqNode, RabbitmqReading
from debugtui.model.redis import Persistence, Primary, RedisReading, RedisReplica
from debugtui.model.source import Gap, Problem
from tests.unit.fakes import START

MIB, GIB = 1 << 20, 1 << 30


def ago(seconds: float):
    return START - timedelta(seconds=seconds)


def redis() -> RedisReading:
    mailer = ConsumerGroup("mailer", 2, 14, 3_120, oldest_idle_s=812.0, oldest_deliveries=7, stalled_s=70.0, growth_s=4.2)
    audit = ConsumerGroup("audit", 1, 0, 0, stalled_s=0.0, growth_s=0.0)
    return RedisReading(
        taken_at=START,
        address="127.0.0.1:6379",
        version="7.0.15",
        uptime_s=864_000.0,
        memory_used_bytes=246 * MIB,
        memory_max_bytes=256 * MIB,
        memory_policy="noeviction",
        evicted=0,
        expired=81_220,
        clients=41,
        max_clients=10_000,
        blocked_clients=6,
        rejected=3,
        ops_s=1_840.0,
        keys=20_114,
        persistence=Persistence(True, ago(5_400), False, 18_020, aof=False, refused="MISCONF Errors writing to the disk"),
        primary=Primary("10.0.0.12:6379", link_up=False, down_s=42.0),
        replicas=(RedisReplica("10.0.0.13:6379", "online", 1.0, 0),),
        queues=(
            Queue("events", "stream", 9_000, 4.2, groups=(mailer, audit)),
            Queue("jobs:mail", "list", 1_240, 12.5),
            Queue("jobs:[@click=app.quit]thumbs[/]", "list", 3, -0.4),
            Queue("delayed", "sorted set", 0, 0.0),
            Queue("jobs:report", "none", 0),
        ),
        limit=1_000,
        gaps=(
            Gap("settings", Problem("NOPERM this user has no permissions to run the 'config|get' command", "docs/queues.md")),
        ),
    )


def rabbitmq() -> RabbitmqReading:
    return RabbitmqReading(
        taken_at=START,
        url="http://127.0.0.1:15672",
        version="3.10.8",
        erlang="25.2.3",
        cluster="rabbit@mq-1",
        nodes=(
            RabbitmqNode("rabbit@mq-1", True, True, False, 1_700 * MIB, 1_600 * MIB, 40 * GIB, 50 * MIB, 210, 65_000, 86_400.0),
            RabbitmqNode("rabbit@mq-2", False),
        ),
        queues=(
            Queue("orders", "quorum", 5_120, 31.0, 5_000, 120, 4, "running", stalled_s=0.0),
            Queue("shop/mails", "classic", 88, 0.5, 88, 0, 0, "running"),
            Queue("dead", "classic", None, None, None, None, None, "down"),
        ),
        queues_total=3,
        connections=12,
        channels=30,
        consumers=4,
        ready=5_088,
        unacked=120,
        publish_s=40.0,
        deliver_s=9.0,
        ack_s=9.0,
        limit=1_000,
    )


def journal() -> JournalReading:
    killed = "api[4711]: segfault at 0 ip 000055d0 sp 00007ffd error 4 in api"
    return JournalReading(
        taken_at=START,
        host_at=START,
        lines=143,
        before=6.5,
        units=(
            UnitErrors("container coach-api-1", 120, 4.0, "ERROR upstream timed out: [@click=app.quit]x[/]", ago(4)),
            UnitErrors("kernel", 20, 0.0, "I/O error, dev sdb, sector 2048", ago(30)),
            UnitErrors("cron.service", 3, None, "(root) AUTH (crontab not found)", ago(200)),
        ),
        oom_kills=(OomKill(ago(45), "python", 4711, "/docker/5f5f", "coach-worker-1", "", 512 * MIB, True),),
        faults=(
            KernelEvent(ago(30), KernelFault.IO, "sdb", "I/O error, dev sdb, sector 2048 op 0x0:(READ)"),
            KernelEvent(ago(90), KernelFault.SEGFAULT, "api", killed),
        ),
        events=(
            UnitEvent(
                ago(20), "api.service", UnitChange.RESTARTING, "api.service: Scheduled restart job, restart counter is at 7."
            ),
            UnitEvent(ago(21), "api.service", UnitChange.FAILED, "api.service: Failed with result 'exit-code'."),
            UnitEvent(ago(22), "api.service", UnitChange.EXITED, "api.service: Main process exited, status=1/FAILURE"),
            UnitEvent(ago(80), "api.service", UnitChange.FAILED, "api.service: Failed with result 'exit-code'."),
            UnitEvent(ago(140), "api.service", UnitChange.FAILED, "api.service: Failed with result 'exit-code'."),
            UnitEvent(ago(900), "nginx.service", UnitChange.STARTED, "Started nginx.service - web server."),
        ),
        booted_at=ago(864_000),
        oldest_at=ago(2_592_000),
    )


def backups() -> BackupReading:
    newest = BackupFile(
        "/var/backups/coach/2026-03-14-0726.dump",
        14 * MIB,
        ago(7_190),
        ago(7_200),
        "archive",
        "coach",
        "15.18",
        False,
        "it does not end as an archive does: it was cut short",
    )
    return BackupReading(START, START, "coach", ("/var/backups/coach/*.dump",), 3_600.0, newest, 31 * MIB, 12, 360 * MIB)


def no_backups() -> BackupReading:
    where = "/var/backups/shop/*.dump"
    return BackupReading(START, START, "shop", (where,), 3_600.0, missing=(f"no file matches {where}",))
