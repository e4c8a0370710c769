"""What INFO says, of whatever server, and what no command of ours is."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from debugtui.hosts.link import Endpoint
from debugtui.sources.redis.info import Info, moment, persistence, primary, replicas
from debugtui.sources.redis.queues import _oldest, _pairs
from debugtui.sources.redis.wire import COMMANDS, RedisAddress, Wire, parse_url


@pytest.mark.parametrize(
    ("url", "address"),
    [
        ("redis://10.0.0.5", RedisAddress(host="10.0.0.5")),
        ("redis://[::1]:6380/3", RedisAddress(host="::1", port=6380, database=3)),
        ("unix:///run/r.sock?db=2", RedisAddress(path="/run/r.sock", database=2)),
        ("unix:///run/r.sock", RedisAddress(path="/run/r.sock")),
    ],
)
def test_addresses(url: str, address: RedisAddress) -> None:
    assert parse_url(url) == address


def test_a_replica_and_its_primary() -> None:
    info = Info(
        b"# Replication\r\nrole:slave\r\nmaster_host:10.0.0.1\r\nmaster_port:6379\r\nmaster_link_status:down\r\n"
        b"master_last_io_seconds_ago:-1\r\nmaster_sync_in_progress:0\r\nmaster_link_down_since_seconds:42\r\n"
    )
    found = primary(info)
    assert found is not None
    assert (found.address, found.link_up, found.down_s, found.last_io_s) == ("10.0.0.1:6379", False, 42.0, None)
    assert primary(Info(b"role:master\r\n")) is None


def test_the_replicas_of_a_primary() -> None:
    info = Info(
        b"connected_slaves:2\r\nmaster_repl_offset:500\r\nslave0:ip=10.0.0.2,port=6379,state=online,offset=420,lag=1\r\n"
    )
    first, second = replicas(info)
    assert (first.address, first.state, first.lag_s, first.behind_bytes) == ("10.0.0.2:6379", "online", 1.0, 80)
    assert (second.address, second.lag_s, second.behind_bytes) == ("?:?", None, None)


def test_what_is_not_said_is_not_known() -> None:
    found = persistence(Info(b"redis_version:7\r\n"), None, "")
    assert (found.last_save_ok, found.last_save_at, found.changes, found.aof) == (None, None, None, None)
    assert moment(0) is None
    assert moment(10**30) is None
    assert moment(1) == datetime(1970, 1, 1, 0, 0, 1, tzinfo=UTC)


@given(st.binary(max_size=300))
def test_no_answer_ends_the_reading(data: bytes) -> None:
    info = Info(b"role:slave\r\nconnected_slaves:99999999\r\n" + data)
    persistence(info, True, "")
    primary(info)
    assert len(replicas(info)) <= 50


@given(
    st.recursive(st.none() | st.integers() | st.binary(max_size=5), lambda inner: st.lists(inner, max_size=5), max_leaves=20)
)
def test_answers_of_another_form_are_not_known(answer: object) -> None:
    assert isinstance(_pairs(answer), dict)
    idle, deliveries = _oldest(answer)
    assert idle is None or isinstance(idle, float)
    assert deliveries is None or isinstance(deliveries, int)


def test_only_commands_that_read_are_on_the_list() -> None:
    writing = {
        "set",
        "del",
        "lpush",
        "xadd",
        "xack",
        "xclaim",
        "xgroup",
        "flushall",
        "config",
        "config|set",
        "eval",
        "keys",
        "monitor",
    }
    assert not COMMANDS & writing


async def test_another_command_is_never_sent() -> None:
    class Deaf:
        async def send_packed_command(self, *_: object) -> None:
            raise AssertionError("it was sent")

    with pytest.raises(ValueError, match="only read"):
        await Wire(Deaf()).ask("keys", "*")  # type: ignore[arg-type]
    assert Endpoint() == Endpoint()
