"""The Loki that tests and demo use answers as the documented API does."""

from __future__ import annotations

import asyncio
import time

import aiohttp
import pytest

from debugtui.demo.logql import LogQlError, parse
from tests.services.loki_server import loki_server

API = "/loki/api/v1"


async def test_lines_that_are_pushed_are_found_newest_first_and_counted_by_label() -> None:
    async with loki_server() as loki, aiohttp.ClientSession(loki.url) as client:
        now = time.time_ns()
        values = [[str(now - 3_000_000_000 + number * 1_000_000), f"line {number} ERROR"] for number in range(5)]
        pushed = {"streams": [{"stream": {"app": "api", "level": "error"}, "values": values}]}
        assert (await client.post(f"{API}/push", json=pushed)).status == 204
        loki.push({"app": "worker"}, ["calm"])
        params = {"query": '{app=~".+"} |= "line"', "limit": "3", "start": str(now - 10**10), "end": str(now + 10**9)}
        document = await (await client.get(f"{API}/query_range", params=params)).json()
        (stream,) = document["data"]["result"]
        assert [text for _, text in stream["values"]] == ["line 4 ERROR", "line 3 ERROR", "line 2 ERROR"]
        query = 'topk(5, sum by (app) (count_over_time({app=~".+"} |~ "(?i)error" [5m])))'
        answer = await (await client.get(f"{API}/query", params={"query": query})).json()
        assert [(one["metric"], one["value"][1]) for one in answer["data"]["result"]] == [({"app": "api"}, "5")]
        assert (await (await client.get(f"{API}/labels")).json())["data"] == ["app", "level"]
        assert (await (await client.get(f"{API}/label/app/values")).json())["data"] == ["api", "worker"]
        matrix = {"query": 'sum(rate({app="api"}[1m]))', "start": str(now - 60 * 10**9), "end": str(now), "step": "30"}
        document = await (await client.get(f"{API}/query_range", params=matrix)).json()
        assert document["data"]["resultType"] == "matrix"
        assert document["data"]["result"][0]["values"][-1][1] == "0.08333333333"


async def test_who_follows_gets_what_was_there_and_what_comes() -> None:
    async with loki_server() as loki, aiohttp.ClientSession(loki.url) as client:
        loki.push({"app": "api"}, ["before"])
        async with client.ws_connect(f"{API}/tail", params={"query": '{app="api"}'}) as socket:
            assert (await socket.receive_json(timeout=5))["streams"][0]["values"][0][1] == "before"
            loki.push({"app": "worker"}, ["of somebody else"])
            loki.push({"app": "api"}, ["after"])
            assert (await socket.receive_json(timeout=5))["streams"][0]["values"][0][1] == "after"
        await asyncio.sleep(0.05)
        assert loki._tails == []


async def test_it_refuses_in_lokis_words() -> None:
    async with loki_server(token="t0ken") as loki, aiohttp.ClientSession(loki.url) as client:
        assert (await client.get(f"{API}/labels")).status == 401
        client.headers["Authorization"] = "Bearer t0ken"
        refused = await client.get(f"{API}/query_range", params={"query": '{app="api"'})
        assert (refused.status, await refused.text()) == (400, "parse error at line 1, col 11: syntax error: unexpected $end")
        many = await client.get(f"{API}/query_range", params={"query": '{app="api"}', "limit": "9999"})
        assert "max entries limit per query exceeded" in await many.text()
        assert (await client.get("/ready")).status == 200
        loki.not_ready = "Ingester not ready: waiting for 15s after being ready"
        late = await client.get("/ready")
        assert (late.status, await late.text()) == (503, "Ingester not ready: waiting for 15s after being ready\n")


@pytest.mark.parametrize(
    "query", ["{}", '{app=~".*"}', '{app="x"} | json', "rate({app='x'}[5m])", "sum(", '{a="b"} |~ "("', "up"]
)
def test_what_it_does_not_understand_is_an_error(query: str) -> None:
    with pytest.raises(LogQlError, match="parse error"):
        parse(query)
