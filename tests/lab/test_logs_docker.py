"""Logs of real containers as origins, and several at once."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta

from debugtui.hosts.local import LocalLink
from debugtui.model.logs import OriginState
from debugtui.model.target import Target
from debugtui.sources.docker.source import DockerSource
from debugtui.sources.logs.docker import DockerOrigin
from debugtui.sources.logs.session import LogSession, Wanted
from tests.lab.link_tools import nothing_left
from tests.lab.log_tools import all_of, followed
from tests.services.docker_engine import DockerEngine


@asynccontextmanager
async def source_of(engine: DockerEngine) -> AsyncIterator[DockerSource]:
    link = LocalLink("kvm-01")
    source = DockerSource(link, engine.url)
    try:
        yield source
    finally:
        await source.close()
        await link.close()


def origin(source: DockerSource, name: str) -> DockerOrigin:
    return DockerOrigin(source, Target("kvm-01", "docker", name))


async def test_lines_that_come_while_it_is_opened_come_once(docker_engine: DockerEngine) -> None:
    docker_engine.run("dt-fast", "sh", "-c", "i=0; while [ $i -lt 4000 ]; do echo line $i; i=$((i+1)); done; sleep 60")
    async with nothing_left(), source_of(docker_engine) as source, followed(origin(source, "dt-fast"), tail=None) as follower:
        await follower.until("line 3999")
        await asyncio.sleep(0.3)
        assert follower.texts == [f"line {number}" for number in range(4000)]


async def test_a_span_of_a_log(docker_engine: DockerEngine) -> None:
    docker_engine.run("dt-span", "sh", "-c", "echo one; sleep 1.2; echo two; sleep 1.2; echo three; sleep 60")
    await asyncio.sleep(3)
    async with source_of(docker_engine) as source:
        everything = await all_of(origin(source, "dt-span"))
        assert [line.text for line in everything] == ["one", "two", "three"]
        middle = everything[1].at
        assert middle is not None
        near = timedelta(milliseconds=100)
        span = await all_of(origin(source, "dt-span"), since=middle - near, until=middle + near)
        assert [line.text for line in span] == ["two"]
        assert [line.text for line in await all_of(origin(source, "dt-span"), tail=1)] == ["three"]


async def test_a_container_that_is_missing_says_so_while_the_other_goes_on_and_is_found_once_it_is_made(
    docker_engine: DockerEngine,
) -> None:
    docker_engine.run("dt-there", "sh", "-c", "while true; do echo here; sleep 0.3; done")
    async with nothing_left(), source_of(docker_engine) as source:
        session = LogSession([origin(source, "dt-there"), origin(source, "dt-later")], Wanted(tail=10), window=0.2)
        texts: list[list[str]] = [[], []]
        notes: list[str] = []
        async with asyncio.timeout(40):
            async for part in session.batches():
                for place, (at, line) in enumerate(zip(part.origins, part.lines, strict=True)):
                    (notes if place in part.notes else texts[at]).append(line.text)
                if notes and session.statuses[1].state is OriginState.FAILED and len(texts[0]) > 2:
                    docker_engine.run("dt-later", "sh", "-c", "echo made; sleep 60")
                    break
        await session.close()
        assert "dt-later" in notes[0]
        session = LogSession([origin(source, "dt-there"), origin(source, "dt-later")], Wanted(tail=10), window=0.2)
        async with asyncio.timeout(20):
            async for part in session.batches():
                if any(line.text == "made" for line in part.lines):
                    break
        await session.close()


async def test_a_container_that_is_made_anew_is_followed_on(docker_engine: DockerEngine) -> None:
    docker_engine.run("dt-anew", "sh", "-c", "echo first life; sleep 600")
    async with nothing_left(), source_of(docker_engine) as source:
        session = LogSession([origin(source, "dt-anew")], Wanted(tail=10))
        seen: list[str] = []
        began = datetime.now(UTC)
        async with asyncio.timeout(60):
            async for part in session.batches():
                seen += [line.text for line in part.lines]
                if "first life" in seen and "second life" not in seen and not any("second" in text for text in seen):
                    docker_engine.docker("rm", "-f", "dt-anew")
                    docker_engine.run("dt-anew", "sh", "-c", "echo second life; sleep 600")
                if "second life" in seen:
                    break
        await session.close()
        assert seen.count("first life") == seen.count("second life") == 1
        assert datetime.now(UTC) - began < timedelta(seconds=40)
