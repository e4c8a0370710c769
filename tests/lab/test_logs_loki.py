"""Lines of a Loki, read in pages and followed."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta

import pytest

from debugtui.demo.loki_emulator import LokiEmulator
from debugtui.model.logs import Level
from debugtui.model.target import Target
from debugtui.sources.base import SourceError
from debugtui.sources.http_api import HttpApi
from debugtui.sources.logs import loki as module
from debugtui.sources.logs.loki import LokiOrigin, selector
from tests.lab.log_tools import all_of, followed
from tests.services.loki_server import loki_server

TARGET = Target("monitoring", "loki", "main")
API = {"app": "api"}
WORKER = {"app": "worker", "level": "warn"}
SECRET = "hunter2hunter2"


def origin(server: LokiEmulator, query: str = "") -> LokiOrigin:
    return LokiOrigin(lambda: HttpApi("loki", server.url, None), TARGET, query=query)


def numbered(count: int, start: datetime, step: float = 0.1) -> list[tuple[datetime, str]]:
    return [(start + timedelta(seconds=step * number), f"line {number}") for number in range(count)]


async def test_lines_of_every_stream_come_in_order_with_their_stream_and_level() -> None:
    now = datetime.now(UTC)
    async with loki_server() as server:
        server.push(API, [(now - timedelta(seconds=3), "ERROR one"), (now - timedelta(seconds=1), "three")])
        server.push(WORKER, [(now - timedelta(seconds=2), "two")])
        found = await all_of(origin(server))
    assert [line.text for line in found] == ["api: ERROR one", "worker: two", "api: three"]
    assert [line.level for line in found] == [Level.ERROR, Level.WARNING, Level.UNKNOWN]


@pytest.mark.parametrize("tail", [None, 2_500])
async def test_pages_lose_and_double_nothing_even_at_their_edges(tail: int | None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "PAGE", 100)
    start = datetime.now(UTC) - timedelta(hours=1)
    lines = [(start + timedelta(seconds=number // 7), f"line {number}") for number in range(3_000)]
    async with loki_server() as server:
        server.push(API, lines[::2])
        server.push(WORKER, lines[1::2])
        found = await all_of(origin(server), tail=tail)
    texts = [line.text.split(": ")[1] for line in found]
    assert len(texts) == len(set(texts)) == (tail or 3_000)
    assert texts[-1].startswith("line 29")
    times = [line.at for line in found if line.at is not None]
    assert times == sorted(times)


async def test_a_query_and_a_span() -> None:
    start = datetime.now(UTC) - timedelta(hours=2)
    async with loki_server() as server:
        server.push(API, numbered(100, start, 1))
        server.push(WORKER, numbered(100, start, 1))
        query = f'{selector(API)} |= "line 5"'
        found = await all_of(origin(server, query), since=start + timedelta(seconds=40), until=start + timedelta(seconds=55))
    assert [line.text for line in found] == [f"api: line {number}" for number in range(50, 55)]


async def test_it_is_followed_and_a_late_line_is_not_lost() -> None:
    async with loki_server() as server:
        server.push(API, [(datetime.now(UTC) - timedelta(seconds=30), "before")])
        async with followed(origin(server)) as follower:
            server.push(API, ["after"])
            await follower.until("after")
            server.push(WORKER, [(datetime.now(UTC) - timedelta(seconds=5), "late")])
            await follower.until("late")
            await asyncio.sleep(1.6)
    assert sorted(follower.texts) == ["api: after", "api: before", "worker: late"]


async def test_hostile_lines_are_made_safe_and_bounded() -> None:
    now = datetime.now(UTC)
    async with loki_server() as server:
        server.push(
            {"app": "\x1b[31mred"},
            [(now, "\x1b]52;c;aGk=\x07x"), (now, f"password={SECRET}"), (now, "y" * 1_000_000), (now, "a\nb")],
        )
        text = "\n".join(line.text for line in await all_of(origin(server)))
    assert not set(text) & {"\x1b", "\x07"}
    assert SECRET not in text
    assert "a\u240ab" in text
    assert len(text) < 10_000


@pytest.mark.parametrize(
    "answer",
    [
        {"data": {"resultType": "matrix", "result": []}},
        {"data": None},
        [],
        {"data": {"resultType": "streams", "result": "x"}},
    ],
)
def test_what_is_no_answer_of_a_loki_says_so(answer: object) -> None:
    with pytest.raises(SourceError, match="no answer of a Loki"):
        module._entries(answer, False)


def test_pieces_of_the_wrong_shape_are_left_out() -> None:
    values = [["1", "ok"], ["x", "y"], ["2"], [3, "z"], None, ["9" * 30, "w"], ["4", "more", {"structured": "1"}]]
    result = [{"stream": {"app": 3}, "values": values}, {"stream": None, "values": None}, "x"]
    found = module._entries({"data": {"resultType": "streams", "result": result}}, False)
    assert [(entry.at, entry.text) for entry in found] == [(1, "ok"), (4, "more")]


async def test_a_loki_that_is_gone_says_so() -> None:
    async with loki_server() as server:
        gone = origin(server)
    with pytest.raises(SourceError, match="cannot be reached"):
        await all_of(gone)
