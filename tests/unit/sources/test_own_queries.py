"""Queries of own rules: each is answered or has a problem of its own, in time, and what comes back is safe."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping

import pytest

from debugtui.hosts.link import LinkError
from debugtui.model.queries import QueryAnswer, QuerySample
from debugtui.model.source import Problem
from debugtui.sources import own_queries
from debugtui.sources.base import SourceError
from debugtui.sources.own_queries import own_answers
from tests.unit.fakes import START

Series = list[tuple[Mapping[str, str], float]]


class Server:
    def __init__(self) -> None:
        self.at_once = self.most_at_once = 0

    async def ask(self, query: str) -> Series:
        self.at_once += 1
        self.most_at_once = max(self.most_at_once, self.at_once)
        try:
            await asyncio.sleep(0)
            if query == "broken":
                raise SourceError(Problem("parse error"))
            if query == "lost":
                raise LinkError(Problem("no link"))
            if query == "hangs":
                await asyncio.Event().wait()
            if query == "many":
                return [({"n": str(number)}, 1.0) for number in range(10_000)]
            if query == "odd":
                return [({"b": "\x1b[2J\n", "a": "x" * 9_999}, 1.0), ({}, float("nan")), ({}, float("inf"))]
            return [({"job": "n", "instance": "a:1"}, 2.0)]
        finally:
            self.at_once -= 1


async def test_each_query_has_its_own_answer_or_problem(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(own_queries, "LIMIT_S", 0.05)
    queries = {"fine": "up", "bad": "broken", "gone": "lost", "slow": "hangs"}
    found = await own_answers(Server().ask, queries, START)
    assert list(found) == list(queries)
    assert found["fine"] == QueryAnswer(START, (QuerySample((("instance", "a:1"), ("job", "n")), 2.0),))
    assert [str(found[name].problem) for name in ("bad", "gone", "slow")] == [
        "parse error",
        "no link",
        "no answer to a query within 0.05 s",
    ]


async def test_answers_are_bounded_and_safe() -> None:
    found = await own_answers(Server().ask, {"many": "many", "odd": "odd"}, START)
    assert len(found["many"].samples) == own_queries.MOST
    (sample,) = found["odd"].samples
    labels = dict(sample.labels)
    assert len(labels["a"]) < 300
    assert "\x1b" not in labels["b"]
    assert "\n" not in labels["b"]


async def test_a_few_are_asked_at_the_same_time() -> None:
    server = Server()
    await own_answers(server.ask, {f"r{number}": "up" for number in range(30)}, START)
    assert server.most_at_once == own_queries.AT_ONCE
