"""Logs and inspect of real containers."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta

import pytest

from debugtui.hosts.local import LocalLink
from debugtui.model.logs import LogLine
from debugtui.model.text import LINE_LIMIT
from debugtui.sources.base import SourceError
from debugtui.sources.docker.source import DockerSource
from tests.lab.link_tools import make_link, nothing_left, started
from tests.services.docker_engine import Cast, DockerEngine
from tests.services.ssh_server import SshServer


@asynccontextmanager
async def source_of(engine: DockerEngine) -> AsyncIterator[DockerSource]:
    link = LocalLink("here")
    source = DockerSource(link, engine.url)
    try:
        yield source
    finally:
        await source.close()
        await link.close()


async def all_of(source: DockerSource, name: str, *, tail: int = 10_000, since: datetime | None = None) -> list[LogLine]:
    return [line async for batch in source.logs(name, tail=tail, since=since) for line in batch]


async def test_a_hostile_log_is_harmless_and_whole(docker_engine: DockerEngine, docker_cast: Cast) -> None:
    async with nothing_left(), source_of(docker_engine) as source:
        lines = await all_of(source, docker_engine.identity(docker_cast.hostile))
    texts = [line.text for line in lines if line.stream == "stdout"]
    assert texts == [
        "[@click=app.quit]x[/] [/nope]",
        "esc red osc  c1  end",
        "bidi <202E>etirw<202C> end",
        "bad \ufffd\ufffd utf",
        "x" * LINE_LIMIT + f"… (+{90_000 - LINE_LIMIT} characters)",
    ]
    secret = next(line for line in lines if line.stream == "stderr")
    assert "hunter2secret" not in secret.text
    assert secret.text.startswith("connecting with password=")
    now = datetime.now(UTC)
    assert all(line.at is not None and timedelta() <= now - line.at < timedelta(minutes=10) for line in lines)


async def test_a_terminals_log_is_raw(docker_engine: DockerEngine) -> None:
    name = docker_engine.run(
        "dt-tty", "sh", "-c", "printf 'one\\ntwo\\n'; head -c 40000 /dev/zero | tr '\\0' y; echo", options=("-t",)
    )
    try:
        docker_engine.wait_for(name, 'eq .State.Status "exited"')
        async with source_of(docker_engine) as source:
            lines = await all_of(source, name)
        assert [line.text for line in lines[:2]] == ["one", "two"]
        assert {line.stream for line in lines} == {""}
        assert all(line.at is not None for line in lines)
        assert len(lines) == 3
        assert len(lines[2].text) < LINE_LIMIT + 100
        assert lines[2].text.startswith("y" * 1000)
    finally:
        docker_engine.remove(name)


async def test_tail_and_since(docker_engine: DockerEngine) -> None:
    name = docker_engine.run("dt-seq", "sh", "-c", "seq 1 5; sleep 1.2; seq 6 10")
    try:
        docker_engine.wait_for(name, 'eq .State.Status "exited"')
        async with source_of(docker_engine) as source:
            lines = await all_of(source, name)
            assert [line.text for line in lines] == [str(number) for number in range(1, 11)]
            assert [line.text for line in await all_of(source, name, tail=3)] == ["8", "9", "10"]
            assert await all_of(source, name, tail=0) == []
            sixth = lines[5].at
            assert [line.text for line in await all_of(source, name, since=sixth)] == ["6", "7", "8", "9", "10"]
    finally:
        docker_engine.remove(name)


async def test_following_a_loop_goes_on_through_its_restarts_without_a_line_twice(docker_engine: DockerEngine) -> None:
    command = ("sh", "-c", "busybox date +%s.%N; busybox date +%s.%N; exit 1")
    name = docker_engine.run("dt-follow", *command, options=("--restart", "always"))
    found: list[LogLine] = []
    try:
        async with nothing_left(), source_of(docker_engine) as source, asyncio.timeout(20):
            async for batch in source.logs(name, tail=100, follow=True):
                found += batch
                if len(found) >= 10:
                    break
    finally:
        docker_engine.docker("stop", "-t", "0", name)
        stamps = docker_engine.docker("logs", "-t", name).splitlines()
        docker_engine.remove(name)
    written = [stamp.split(" ", 1)[1] for stamp in stamps]
    assert [line.text for line in found] == written[: len(found)]


async def test_following_ends_with_the_container(docker_engine: DockerEngine) -> None:
    name = docker_engine.run("dt-ends", "sh", "-c", "echo begin; sleep 1; printf 'end without newline'")
    try:
        async with source_of(docker_engine) as source, asyncio.timeout(10):
            texts = [line.text async for batch in source.logs(name, tail=10, follow=True) for line in batch]
        assert texts == ["begin", "end without newline"]
    finally:
        docker_engine.remove(name)


async def test_following_a_container_that_is_removed_says_so(docker_engine: DockerEngine) -> None:
    name = docker_engine.run("dt-removed", "sh", "-c", "echo begin; exec sleep 1000")
    async with source_of(docker_engine) as source, asyncio.timeout(20):
        logs = source.logs(docker_engine.identity(name), tail=10, follow=True)
        assert [line.text for line in await anext(logs)] == ["begin"]
        await asyncio.to_thread(docker_engine.remove, name)
        with pytest.raises(SourceError, match="is gone"):
            await anext(logs)


async def test_following_an_engine_that_stops_says_so(own_docker_engine: DockerEngine) -> None:
    name = own_docker_engine.run("dt-alone", "sh", "-c", "echo begin; exec sleep 1000")
    async with nothing_left(), source_of(own_docker_engine) as source, asyncio.timeout(20):
        logs = source.logs(name, tail=10, follow=True)
        assert [line.text for line in await anext(logs)] == ["begin"]
        await asyncio.to_thread(own_docker_engine.stop)
        with pytest.raises(SourceError) as raised:
            await anext(logs)
        assert "docker" in str(raised.value).lower()


async def test_a_hung_engine_gives_no_log_in_time(frozen_engine: DockerEngine) -> None:
    async with source_of(frozen_engine) as source:
        begin = time.monotonic()
        with pytest.raises(SourceError, match="no answer within"):
            await all_of(source, "any")
        assert time.monotonic() - begin < 6


async def test_a_log_that_is_not_kept_says_so(docker_engine: DockerEngine) -> None:
    name = docker_engine.run("dt-nolog", "sleep", "1000", options=("--log-driver", "none"))
    try:
        async with source_of(docker_engine) as source:
            with pytest.raises(SourceError, match="does not support reading"):
                await all_of(source, name)
    finally:
        docker_engine.remove(name)


@pytest.mark.parametrize("name", ["", "../json", "a/b", "x?y", "é"])
async def test_what_is_no_name_is_not_asked_for(docker_engine: DockerEngine, name: str) -> None:
    async with source_of(docker_engine) as source:
        with pytest.raises(SourceError, match="names no container"):
            await all_of(source, name)
        with pytest.raises(SourceError, match="names no container"):
            await source.inspect(name)


async def test_a_slow_reader_makes_the_engine_wait_and_loses_nothing(
    docker_engine: DockerEngine, ssh_server: SshServer
) -> None:
    count = 60_000
    flood = f'BEGIN {{ for (i = 1; i <= {count}; i++) print "line " i " of a flood that nobody reads quickly enough" }}'
    name = docker_engine.run("dt-flood", "awk", flood)
    try:
        docker_engine.wait_for(name, 'eq .State.Status "exited"')
        async with started(make_link(ssh_server)) as link:
            source = DockerSource(link, docker_engine.url)
            seen = 0
            async for batch in source.logs(name, tail=1_000_000):
                assert len(batch) <= 2_000
                for line in batch:
                    seen += 1
                    assert int(line.text.split()[1]) == seen
                await asyncio.sleep(0.005)
            assert seen == count
            await source.close()
    finally:
        docker_engine.remove(name)


async def test_a_line_without_end_takes_no_memory_and_shows_what_came(docker_engine: DockerEngine) -> None:
    name = docker_engine.run("dt-endless", "sh", "-c", "tr '\\0' z < /dev/zero | head -c 6000000; exec sleep 1000")
    try:
        async with source_of(docker_engine) as source, asyncio.timeout(20):
            logs = source.logs(name, tail=10_000, follow=True)
            lines: list[LogLine] = []
            while len(lines) < 4:
                lines += await anext(logs)
            await logs.aclose()  # type: ignore[attr-defined] # an async generator
    finally:
        docker_engine.remove(name)
    assert lines[0].text.startswith("z" * LINE_LIMIT)
    assert lines[0].text.endswith(" …")
    assert lines[1].text.startswith("…z")
    assert all(len(line.text) < LINE_LIMIT + 100 for line in lines)


async def test_inspect_is_redacted_and_clean(docker_engine: DockerEngine, docker_cast: Cast) -> None:
    async with source_of(docker_engine) as source:
        document = await source.inspect(docker_engine.identity(docker_cast.hostile))
    text = json.dumps(document, ensure_ascii=False)
    assert "hunter2secret" not in text
    assert "\x1b" not in text
    assert "\\u001b" not in text
    assert "\u202e" not in text
    assert "MODE=blue" in document["Config"]["Env"]
    assert any(entry.startswith("API_TOKEN=") for entry in document["Config"]["Env"])
    assert document["Config"]["Labels"]["note"].startswith("[@click=app.quit]x[/] [/nope] red")
    assert document["Id"] == docker_engine.identity(docker_cast.hostile)
    assert document["State"]["Running"] is True


async def test_inspecting_what_is_gone_says_so(docker_engine: DockerEngine) -> None:
    async with nothing_left(), source_of(docker_engine) as source:
        with pytest.raises(SourceError, match="is gone"):
            await source.inspect("0" * 64)
