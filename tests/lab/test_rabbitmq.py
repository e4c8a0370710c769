"""A real RabbitMQ, read through a real sshd and directly: queues, consumers, alarms, and what each kind of user may see."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager

import pytest

from debugtui.alerts.queues import of_rabbitmq
from debugtui.config.hosts import RabbitmqConfig
from debugtui.config.secrets import SecretRef
from debugtui.hosts.link import Link, LinkError
from debugtui.model.rabbitmq import RabbitmqReading
from debugtui.model.target import Target
from debugtui.sources.base import SourceError
from debugtui.sources.rabbitmq import source as source_module
from debugtui.sources.rabbitmq.source import RabbitmqSource
from tests.lab.outer_tools import answering, local
from tests.lab.repair.remote_tools import linked
from tests.services.rabbitmq_server import RabbitmqServer
from tests.services.ssh_server import SshServer, free_port
from tests.unit.fakes import FakeClock


def rules(reading: RabbitmqReading) -> dict[str, str]:
    return {finding.rule: finding.message for finding in of_rabbitmq(Target("kvm-01", "rabbitmq", "mq"), reading)}


@asynccontextmanager
async def source(
    link: Link, url: str, *names: str, user: str = "monitor", clock: FakeClock | None = None, limit: int = 1_000
) -> AsyncIterator[RabbitmqSource]:
    async def password() -> str | None:
        return f"{user}-secret"

    ref = SecretRef(env="MQ_PASSWORD") if user != "guest" else None
    made = RabbitmqSource(
        link, RabbitmqConfig(name="mq", url=url, user=user, password=ref, queues=names, limit=limit), password, clock=clock
    )
    try:
        yield made
    finally:
        await made.close()


async def read(url: str, *names: str, user: str = "monitor", limit: int = 1_000) -> RabbitmqReading:
    async with local() as link, source(link, url, *names, user=user, limit=limit) as rabbitmq:
        return await rabbitmq.read(full=True)


async def until(
    rabbitmq: RabbitmqSource, done: Callable[[RabbitmqReading], bool], clock: FakeClock | None = None, seconds: float = 15
) -> RabbitmqReading:
    """Read until it is so: RabbitMQ counts in its own time."""
    end = time.monotonic() + seconds
    while True:
        reading = await rabbitmq.read(full=False)
        if done(reading):
            return reading
        assert time.monotonic() < end, reading
        await asyncio.sleep(0.2)
        if clock is not None:
            clock.move(5)


def length(reading: RabbitmqReading, name: str) -> int | None:
    return next((queue.length for queue in reading.queues or () if queue.name == name), None)


@pytest.fixture
def queue(rabbitmq_server: RabbitmqServer, request: pytest.FixtureRequest) -> Iterator[str]:
    name = f"q.{abs(hash(request.node.name)) % 10_000}"
    rabbitmq_server.declare(name)
    yield name
    rabbitmq_server.delete(name)


@pytest.mark.parametrize("way", ["local", "ssh"])
async def test_depth_consumers_and_the_node_are_read_over_every_way(
    way: str, rabbitmq_server: RabbitmqServer, queue: str, make_ssh_server: Callable[..., SshServer]
) -> None:
    rabbitmq_server.publish(queue, 12)
    async with (
        local() if way == "local" else linked(make_ssh_server()) as link,
        source(link, rabbitmq_server.url, queue, limit=10) as rabbitmq,
    ):
        reading = await until(rabbitmq, lambda seen: length(seen, queue) == 12)
    (found,) = reading.queues or ()
    assert (found.kind, found.ready, found.unacked, found.consumers, found.state) == ("classic", 12, 0, 0, "running")
    assert reading.version.startswith("3.")
    assert [node.running for node in reading.nodes or ()] == [True]
    assert (reading.connections, reading.gaps) == (0, ())
    assert rules(reading) == {
        "queue_deep": f"12 messages wait in {queue}, more than 10",
        "queue_no_consumers": f"12 messages lie in {queue}, and nobody consumes it",
    }


async def test_growth_and_consumers_that_do_nothing_are_seen(rabbitmq_server: RabbitmqServer, queue: str) -> None:
    clock = FakeClock()
    with rabbitmq_server.consumer(queue):
        async with local() as link, source(link, rabbitmq_server.url, queue, clock=clock) as rabbitmq:
            rabbitmq_server.publish(queue, 5)
            await until(rabbitmq, lambda seen: length(seen, queue) == 5 and seen.connections == 1)
            await until(rabbitmq, lambda seen: (seen.queues or ())[0].unacked == 1)
            clock.move(61)
            rabbitmq_server.publish(queue, 5)
            reading = await until(rabbitmq, lambda seen: length(seen, queue) == 10, clock)
            (found,) = reading.queues or ()
            assert (found.consumers, found.unacked) == (1, 1)
            assert found.stalled_s is not None
            assert found.stalled_s >= 60
            assert "1 consumers" in rules(reading)["queue_stuck"]


async def test_names_patterns_and_virtual_hosts_choose_the_queues(rabbitmq_server: RabbitmqServer) -> None:
    rabbitmq_server.call("PUT", "/api/vhosts/shop")
    rabbitmq_server.call("PUT", "/api/permissions/shop/guest", {"configure": ".*", "write": ".*", "read": ".*"})
    rabbitmq_server.let_in("monitor", "shop")
    for name, vhost in (("orders.in", "/"), ("orders.in", "shop"), ("ordersXin", "/"), ("other", "/")):
        rabbitmq_server.declare(name, vhost)

    async def names(*wanted: str) -> list[str]:
        return sorted(queue.name for queue in (await read(rabbitmq_server.url, *wanted)).queues or ())

    assert await names("orders.*") == ["orders.in", "shop/orders.in"]
    assert await names("shop/*") == ["shop/orders.in"]
    assert await names("orders.in", "other") == ["orders.in", "other", "shop/orders.in"]
    assert {"orders.in", "shop/orders.in", "ordersXin", "other"} <= set(await names())
    missing = await read(rabbitmq_server.url, "nobody")
    assert (missing.queues, [gap.feature for gap in missing.gaps]) == ((), ["queue nobody"])
    rabbitmq_server.call("DELETE", "/api/vhosts/shop")
    for name in ("orders.in", "ordersXin", "other"):
        rabbitmq_server.delete(name)


async def test_only_the_deepest_of_very_many_are_looked_at_and_that_is_said(
    rabbitmq_server: RabbitmqServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(5):
        rabbitmq_server.declare(f"many.{number}")
    rabbitmq_server.publish("many.3", 2)
    monkeypatch.setattr(source_module, "QUEUES", 2)
    async with local() as link, source(link, rabbitmq_server.url, "many.*") as rabbitmq:
        reading = await until(rabbitmq, lambda seen: length(seen, "many.3") == 2)
    assert len(reading.queues or ()) == 2
    assert [gap.problem.says for gap in reading.gaps] == ["5 queues: only the 2 deepest are looked at"]
    for number in range(5):
        rabbitmq_server.delete(f"many.{number}")


async def test_a_memory_alarm_blocks_publishers_and_is_critical(rabbitmq_server: RabbitmqServer) -> None:
    async with local() as link, source(link, rabbitmq_server.url) as rabbitmq:
        rabbitmq_server.control("set_vm_memory_high_watermark", "0.00001")
        try:
            reading = await until(rabbitmq, lambda seen: any(node.memory_alarm for node in seen.nodes or ()))
            assert "memory alarm" in rules(reading)["rabbitmq_alarm"]
            assert "every publisher is blocked" in rules(reading)["rabbitmq_alarm"]
        finally:
            rabbitmq_server.control("set_vm_memory_high_watermark", "0.4")
        await until(rabbitmq, lambda seen: not any(node.memory_alarm for node in seen.nodes or ()))


async def test_what_a_user_may_not_see_is_a_gap(rabbitmq_server: RabbitmqServer, queue: str) -> None:
    reading = await read(rabbitmq_server.url, user="manager")
    assert (reading.nodes, [gap.feature for gap in reading.gaps]) == (None, ["nodes"])
    assert "set_user_tags" in reading.gaps[0].problem.hint
    rabbitmq_server.call("PUT", "/api/users/newcomer", {"password": "newcomer-secret", "tags": "monitoring"})
    reading = await read(rabbitmq_server.url, user="newcomer")
    assert (reading.queues, [gap.feature for gap in reading.gaps]) == ((), ["every queue"])
    assert "set_permissions" in reading.gaps[0].problem.hint


async def test_a_user_without_the_tag_is_told_which(rabbitmq_server: RabbitmqServer) -> None:
    with pytest.raises(SourceError, match="see nothing") as caught:
        await read(rabbitmq_server.url, user="stranger")
    assert "monitoring" in caught.value.problem.hint


async def test_a_wrong_password_is_not_tried_over_and_over(rabbitmq_server: RabbitmqServer) -> None:
    clock, asked = FakeClock(), []

    async def password() -> str | None:
        asked.append(1)
        return "wrong" if len(asked) < 2 else "monitor-secret"

    config = RabbitmqConfig(name="mq", url=rabbitmq_server.url, user="monitor", password=SecretRef(ask=True))
    async with local() as link:
        rabbitmq = RabbitmqSource(link, config, password, clock=clock)
        for _ in range(3):
            with pytest.raises(SourceError, match="wrong password"):
                await rabbitmq.read(full=True)
        assert len(asked) == 1
        clock.move(31)
        assert (await rabbitmq.read(full=True)).version
        await rabbitmq.close()


async def test_without_a_password_the_hint_says_where_it_belongs(rabbitmq_server: RabbitmqServer) -> None:
    config = RabbitmqConfig(name="mq", url=rabbitmq_server.url, user="monitor")
    async with local() as link:
        rabbitmq = RabbitmqSource(link, config, _nothing)
        with pytest.raises(SourceError, match="does not let monitor in") as caught:
            await rabbitmq.read(full=True)
        assert "[[hosts.rabbitmq]]" in caught.value.problem.hint
        await rabbitmq.close()
    assert (await read(rabbitmq_server.url, user="guest")).version  # its own first user, from the machine itself


async def _nothing() -> str | None:
    return None


@pytest.mark.parametrize("body", [b"{}", b"[]", b'"x"', b"null", b'{"rabbitmq_version": 3}', b"not json", b"[" * 100_000])
async def test_answers_of_another_form_end_nothing(body: bytes) -> None:
    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if not await reader.read(10_000):
            return
        head = f"HTTP/1.1 200 OK\r\nContent-Length: {len(body)}\r\nConnection: close\r\n\r\n"
        writer.write(head.encode() + body)
        await writer.drain()

    async with answering(answer) as url:
        try:
            reading = await read(url)
        except SourceError:
            return
        assert (reading.version, reading.nodes, reading.queues) == ("", (), ())


async def test_nothing_there_is_said() -> None:
    with pytest.raises((SourceError, LinkError), match="cannot be reached"):
        await read(f"http://127.0.0.1:{free_port()}")
