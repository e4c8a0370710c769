"""Real Redis servers, read directly and through a real sshd: queues, memory, persistence, replication, and every refusal."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import pytest

from debugtui.alerts.queues import of_redis
from debugtui.config.hosts import RedisConfig
from debugtui.config.secrets import SecretRef
from debugtui.hosts.link import Link, LinkError
from debugtui.model.redis import RedisReading
from debugtui.model.target import Target
from debugtui.sources.base import SourceError
from debugtui.sources.redis import queues as queue_module
from debugtui.sources.redis.source import RedisSource
from tests.lab.outer_tools import answering, hang, local
from tests.lab.repair.remote_tools import linked
from tests.services.redis_server import RedisServer
from tests.services.ssh_server import HOST, SshServer, free_port
from tests.unit.fakes import FakeClock

MakeRedis = Callable[..., RedisServer]
SECRET = "redis-S3cret"


def rules(reading: RedisReading) -> dict[str, str]:
    return {finding.rule: finding.message for finding in of_redis(Target("kvm-01", "redis", "cache"), reading)}


@asynccontextmanager
async def source(link: Link, url: str, *names: str, secret: str = "", clock: FakeClock | None = None, **more: object):
    async def password() -> str | None:
        return secret or None

    ref = SecretRef(env="REDIS_PASSWORD") if secret else None
    config = RedisConfig(name="cache", url=url, queues=names, password=ref, **more)  # type: ignore[arg-type]
    made = RedisSource(link, config, password, clock=clock)
    try:
        yield made
    finally:
        await made.close()


async def read(url: str, *names: str, secret: str = "", **more: object) -> RedisReading:
    async with local() as link, source(link, url, *names, secret=secret, **more) as redis:
        return await redis.read(full=True)


async def refused(url: str, *names: str, secret: str = "", **more: object) -> SourceError | LinkError:
    with pytest.raises((SourceError, LinkError)) as caught:
        await read(url, *names, secret=secret, **more)
    return caught.value


@pytest.fixture(params=["local", "ssh"])
async def link(request: pytest.FixtureRequest, make_ssh_server: Callable[..., SshServer]) -> AsyncIterator[Link]:
    async with local() if request.param == "local" else linked(make_ssh_server()) as made:
        yield made


@pytest.mark.parametrize("way", ["tcp", "unix"])
async def test_every_kind_of_queue_is_counted_over_every_way(link: Link, way: str, make_redis: MakeRedis) -> None:
    server = make_redis("maxmemory 20mb")
    server.send("LPUSH", "jobs:mail", "a", "b", "c")
    server.send("ZADD", "delayed", 1, "a", 2, "b")
    server.send("SADD", "unique", "a")
    server.send("XADD", "events", "*", "k", "v")
    server.send("SET", "jobs:note", "no queue")
    url = server.url if way == "tcp" else server.socket_url
    async with source(link, url, "jobs:*", "delayed", "unique", "events", "empty") as redis:
        reading = await redis.read(full=True)
    assert {queue.name: (queue.kind, queue.length) for queue in reading.queues or ()} == {
        "jobs:mail": ("list", 3),
        "delayed": ("sorted set", 2),
        "unique": ("set", 1),
        "events": ("stream", 1),
        "empty": ("none", 0),
    }
    assert (reading.version.split(".")[0], reading.role, reading.keys) == ("7", "primary", 5)
    assert reading.memory_max_bytes == 20 << 20
    assert reading.memory_policy == "noeviction"
    assert reading.max_clients is not None
    assert reading.persistence.saves is False
    assert reading.gaps == ()
    assert rules(reading) == {}


async def test_growth_is_known_from_the_second_read_on_and_a_deep_queue_alerts(make_redis: MakeRedis) -> None:
    server, clock = make_redis(), FakeClock()
    server.send_all([("LPUSH", "jobs", "x")] * 50)
    async with local() as link, source(link, server.url, "jobs", clock=clock, limit=100) as redis:
        first = await redis.read(full=True)
        server.send_all([("LPUSH", "jobs", "x")] * 60)
        clock.move(10)
        second = await redis.read(full=False)
    assert first.queues is not None
    assert second.queues is not None
    assert (first.queues[0].growth_s, second.queues[0].growth_s) == (None, 6.0)
    assert rules(first) == {}
    assert rules(second) == {"queue_deep": "110 messages wait in jobs, more than 100, growing by 6.0/s"}


async def test_a_streams_backlog_is_what_its_groups_have_before_them(make_redis: MakeRedis) -> None:
    server, clock = make_redis(), FakeClock()
    server.send("XGROUP", "CREATE", "events", "mailer", "$", "MKSTREAM")
    server.send_all([("XADD", "events", "*", "k", "v")] * 40)
    server.send("XREADGROUP", "GROUP", "mailer", "worker-1", "COUNT", 10, "STREAMS", "events", ">")
    async with local() as link, source(link, server.url, "ev*", clock=clock, limit=35) as redis:
        reading = await redis.read(full=True)
        (queue,) = reading.queues or ()
        (group,) = queue.groups
        assert (queue.length, queue.backlog) == (40, 40)
        assert (group.name, group.consumers, group.pending, group.lag, group.oldest_deliveries) == ("mailer", 1, 10, 30, 1)
        assert group.oldest_idle_s is not None
        assert group.oldest_idle_s < 5
        assert "queue_deep" in rules(reading)
        # Everything is acknowledged: the stream keeps its entries, and is no deep queue.
        server.send("XREADGROUP", "GROUP", "mailer", "worker-1", "COUNT", 100, "STREAMS", "events", ">")
        ids = [part for part in server.send("XRANGE", "events", "-", "+").split(b"\r\n") if b"-" in part]
        server.send("XACK", "events", "mailer", *ids)
        clock.move(5)
        after = await redis.read(full=False)
    assert [(queue.length, queue.backlog) for queue in after.queues or ()] == [(40, 0)]
    assert rules(after) == {}


async def test_a_group_that_does_nothing_while_its_stream_grows_is_stuck(make_redis: MakeRedis) -> None:
    server, clock = make_redis(), FakeClock()
    server.send("XGROUP", "CREATE", "events", "mailer", "$", "MKSTREAM")
    found = []
    async with local() as link, source(link, server.url, "events", clock=clock) as redis:
        for _ in range(4):
            server.send_all([("XADD", "events", "*", "k", "v")] * 5)
            found.append(rules(await redis.read(full=False)))
            clock.move(31)
        assert found[:2] == [{}, {}]
        assert "group mailer of events has done nothing for 93 s, and it grows" in found[3]["queue_stuck"]
        server.send("XREADGROUP", "GROUP", "mailer", "worker-1", "COUNT", 5, "STREAMS", "events", ">")
        assert rules(await redis.read(full=False)) == {}


async def test_many_keys_are_gone_through_in_bounded_steps_and_none_is_missed(
    make_redis: MakeRedis, monkeypatch: pytest.MonkeyPatch
) -> None:
    server = make_redis()
    server.send_all([("SET", f"session:{number}", "x") for number in range(30_000)])
    server.send("LPUSH", "jobs:hidden", "a")
    monkeypatch.setattr(queue_module, "STEPS", 2)
    async with local() as link, source(link, server.url, "jobs:*") as redis:
        first = await redis.read(full=True)
        assert [gap.feature for gap in first.gaps] == ["all queues"]
        for _ in range(40):
            reading = await redis.read(full=False)
        assert reading.gaps == ()
        assert [(queue.name, queue.length) for queue in reading.queues or ()] == [("jobs:hidden", 1)]
        # A queue that is worked off is no key any more; it stays in sight, since it will be one again.
        server.send("LPOP", "jobs:hidden")
        assert [queue.length for queue in (await redis.read(full=False)).queues or ()] == [0]


async def test_too_many_matches_are_said(make_redis: MakeRedis, monkeypatch: pytest.MonkeyPatch) -> None:
    server = make_redis()
    server.send_all([("LPUSH", f"jobs:{number}", "x") for number in range(30)])
    monkeypatch.setattr(queue_module, "KEYS", 10)
    reading = await read(server.url, "jobs:*")
    assert len(reading.queues or ()) == 10
    assert [gap.feature for gap in reading.gaps] == ["further queues"]


async def test_signs_of_other_patterns_stand_for_themselves(make_redis: MakeRedis) -> None:
    server = make_redis()
    for key in ("q[1]:a", "q1:a", "q?:a"):
        server.send("LPUSH", key, "x")
    reading = await read(server.url, "q[1]:*", "q?:*")
    assert sorted(queue.name for queue in reading.queues or ()) == ["q?:a", "q[1]:a"]


async def test_hostile_keys_are_shown_as_plain_text(make_redis: MakeRedis) -> None:
    server = make_redis()
    server.send("LPUSH", b"jobs:\x1b[31m\xff\n[@click=app.quit]", "x")
    (queue,) = (await read(server.url, "jobs:*")).queues or ()
    assert queue.length == 1
    assert queue.name.isprintable()
    assert "\x1b" not in queue.name


async def test_what_is_named_and_is_no_queue_is_said(make_redis: MakeRedis) -> None:
    server = make_redis()
    server.send("SET", "counter", "1")
    reading = await read(server.url, "counter")
    assert reading.queues == ()
    assert [(gap.feature, gap.problem.says) for gap in reading.gaps] == [
        ("queue counter", "counter is a string, which has no length")
    ]


async def test_a_wrong_password_is_not_tried_over_and_over(make_redis: MakeRedis) -> None:
    server, clock = make_redis(f"requirepass {SECRET}"), FakeClock()
    asked = []

    async def password() -> str | None:
        asked.append(1)
        return "wrong" if len(asked) < 2 else SECRET

    config = RedisConfig(name="cache", url=server.url, password=SecretRef(ask=True))
    async with local() as link:
        redis = RedisSource(link, config, password, clock=clock)
        for _ in range(3):
            with pytest.raises(SourceError, match="wrong password") as caught:
                await redis.read(full=False)
        assert len(asked) == 1
        assert SECRET not in str(caught.value)
        clock.move(31)
        assert (await redis.read(full=False)).version
        await redis.close()


async def test_a_missing_password_says_where_it_belongs(make_redis: MakeRedis) -> None:
    server = make_redis(f"requirepass {SECRET}")
    error = await refused(server.url)
    assert "wants a password" in error.problem.says
    assert "[[hosts.redis]]" in error.problem.hint
    assert (await read(server.url, secret=SECRET)).version


async def test_a_password_that_the_server_does_not_have_is_said(make_redis: MakeRedis) -> None:
    error = await refused(make_redis().url, secret=SECRET)
    assert "has no password" in error.problem.says


async def test_a_user_of_an_acl_reads_with_the_documented_rights(make_redis: MakeRedis) -> None:
    rights = "~* +@connection +info +type +llen +xlen +zcard +scard +scan +xinfo|groups +xpending +config|get"
    server = make_redis(f"user watcher on >{SECRET} {rights}")
    server.send("LPUSH", "jobs", "x")
    server.send("XGROUP", "CREATE", "events", "mailer", "$", "MKSTREAM")
    reading = await read(server.url, "jobs", "ev*", secret=SECRET, user="watcher")
    assert reading.gaps == ()
    assert {queue.name: queue.length for queue in reading.queues or ()} == {"jobs": 1, "events": 0}
    assert b"empty" not in server.send("ACL", "LOG")  # nothing else was tried
    assert server.send("ACL", "LOG") == b"*0\r\n"


async def test_what_an_acl_refuses_is_a_gap_and_the_rest_is_read(make_redis: MakeRedis) -> None:
    server = make_redis(f"user watcher on >{SECRET} ~* +info +ping +type +llen")
    server.send("LPUSH", "jobs", "x")
    server.send("XGROUP", "CREATE", "events", "mailer", "$", "MKSTREAM")
    reading = await read(server.url, "jobs", "events", "more:*", secret=SECRET, user="watcher")
    assert {gap.feature for gap in reading.gaps} == {"settings", "patterns", "length of events", "groups", "all queues"}
    assert all("NOPERM" in gap.problem.says for gap in reading.gaps if gap.feature != "all queues")
    assert {queue.name: queue.length for queue in reading.queues or ()} == {"jobs": 1, "events": None}


async def test_a_user_that_may_see_nothing_is_a_failure_with_a_hint(make_redis: MakeRedis) -> None:
    server = make_redis(f"user watcher on >{SECRET} ~* +ping")
    error = await refused(server.url, secret=SECRET, user="watcher")
    assert "NOPERM" in error.problem.says
    assert "docs/queues.md" in error.problem.hint


async def test_memory_near_its_limit_alerts_by_what_happens_there(make_redis: MakeRedis) -> None:
    server = make_redis("maxmemory 3mb")
    number = 0
    while b"OOM" not in server.send("SET", f"key:{number}", "x" * 50_000):
        number += 1
    reading = await read(server.url)
    assert reading.memory_percent is not None
    assert reading.memory_percent > 90
    assert "writes are refused at the limit" in rules(reading)["redis_memory"]
    server.send("CONFIG", "SET", "maxmemory-policy", "allkeys-lru")
    assert "keys are thrown away" in rules(await read(server.url))["redis_memory"]


async def test_a_snapshot_that_fails_and_the_writes_that_it_refuses_are_seen(make_redis: MakeRedis) -> None:
    server = make_redis("save 900 1")
    server.send("SET", "a", "b")
    sound = await read(server.url)
    assert (sound.persistence.saves, sound.persistence.last_save_ok, sound.persistence.refused) == (True, True, "")
    # A folder where the temporary file belongs: the snapshot cannot be put in its place.
    (server.folder / "dump.rdb").mkdir()
    server.send("BGSAVE")
    end = time.monotonic() + 10
    while b"rdb_last_bgsave_status:err" not in server.send("INFO", "persistence") and time.monotonic() < end:
        time.sleep(0.05)
    reading = await read(server.url)
    assert reading.persistence.last_save_ok is False
    assert reading.persistence.refused.startswith("MISCONF")
    assert "writes are refused" in rules(reading)["redis_persistence"]
    server.send("CONFIG", "SET", "stop-writes-on-bgsave-error", "no")
    assert "the last snapshot failed" in rules(await read(server.url))["redis_persistence"]


async def test_a_replica_that_lost_its_primary_is_seen_from_both_sides(make_redis: MakeRedis) -> None:
    primary = make_redis("repl-diskless-sync-delay 0")
    primary.send("LPUSH", "jobs", "x")
    replica = make_redis(f"replicaof {HOST} {primary.port}", "replica-serve-stale-data no")
    end = time.monotonic() + 20
    while b"state=online" not in primary.send("INFO", "replication") and time.monotonic() < end:
        await asyncio.sleep(0.05)
    above, below = await read(primary.url, "jobs"), await read(replica.url, "jobs")
    assert [one.state for one in above.replicas] == ["online"]
    assert (below.role, below.primary is not None and below.primary.link_up, rules(below)) == ("replica", True, {})
    primary.stop()
    while b"master_link_status:down" not in replica.send("INFO", "replication") and time.monotonic() < end:
        await asyncio.sleep(0.05)
    lost = await read(replica.url, "jobs")
    assert lost.primary is not None
    assert not lost.primary.link_up
    assert f"no connection to its primary {HOST}:{primary.port}" in rules(lost)["redis_replica"]
    assert any("MASTERDOWN" in gap.problem.says for gap in lost.gaps)


async def test_a_server_that_reads_its_data_says_so(make_redis: MakeRedis) -> None:
    server = make_redis("key-load-delay 2000", "loading-process-events-interval-bytes 1024")
    server.send_all([("SET", f"key:{number}", "x" * 500) for number in range(3_000)])
    server.send("SAVE")
    server.stop()
    server.start()
    reading = await read(server.url, "jobs")
    assert reading.loading
    assert reading.queues is None
    assert [gap.feature for gap in reading.gaps] == ["queues"]
    assert "reads its data" in rules(reading)["redis_loading"]


async def test_a_script_that_does_not_end_is_named(make_redis: MakeRedis) -> None:
    server = make_redis("busy-reply-threshold 100")
    hanging = asyncio.create_task(asyncio.to_thread(server.send, "EVAL", "while true do end", 0))
    await asyncio.sleep(0.5)
    error = await refused(server.url)
    assert "BUSY" in error.problem.says
    assert "SCRIPT KILL" in error.problem.hint
    server.send("SCRIPT", "KILL")
    await hanging


async def test_no_more_clients_is_said_as_that(make_redis: MakeRedis) -> None:
    server = make_redis("maxclients 1")
    reader, writer = await asyncio.open_connection(HOST, server.port)
    writer.write(b"PING\r\n")
    await reader.readline()
    error = await refused(server.socket_url)
    assert "maxclients" in error.problem.hint  # the server's own words may get lost with the connection
    writer.close()


async def test_it_heals_by_itself_after_a_restart(make_redis: MakeRedis) -> None:
    server = make_redis()
    async with local() as link, source(link, server.url) as redis:
        assert (await redis.read(full=True)).version
        server.stop()
        with pytest.raises((SourceError, LinkError)):
            await redis.read(full=False)
        server.start()
        assert (await redis.read(full=False)).version


async def test_nothing_there_and_something_else_there_are_said() -> None:
    error = await refused(f"redis://{HOST}:{free_port()}")
    assert "cannot be reached" in error.problem.says

    async def http(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(10)
        writer.write(b"HTTP/1.1 400 Bad Request\r\n\r\n")
        await writer.drain()

    async with answering(http) as url:
        error = await refused(f"redis://{url.removeprefix('http://').rstrip('/')}")
        assert "does not answer like Redis" in error.problem.says


async def test_a_server_that_never_answers_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("debugtui.sources.redis.wire.LIMIT_S", 0.3)
    async with answering(hang) as url:
        error = await refused(f"redis://{url.removeprefix('http://').rstrip('/')}")
        assert "does not answer within" in error.problem.says
