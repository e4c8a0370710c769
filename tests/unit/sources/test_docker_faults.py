"""The Docker source and an engine that misbehaves in ways a real one only does on its worst day."""

from __future__ import annotations

import asyncio
import json
import tempfile
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from debugtui.hosts.local import LocalLink
from debugtui.sources.base import SourceError
from debugtui.sources.docker import events
from debugtui.sources.docker.source import DockerSource
from tests.unit.sources.test_docker_parts import listed, sample

Answer = Callable[[web.Request], Awaitable[web.StreamResponse]]
VERSION = {"Version": "27.0", "ApiVersion": "1.46", "MinAPIVersion": "1.24", "Os": "linux", "KernelVersion": "6.1"}


def gives(value: Any, status: int = 200) -> Answer:
    async def answer(_: web.Request) -> web.StreamResponse:
        return web.json_response(value, status=status)

    return answer


async def hangs(_: web.Request) -> web.StreamResponse:
    await asyncio.sleep(60)
    return web.Response()


async def silent_events(request: web.Request) -> web.StreamResponse:
    response = web.StreamResponse()
    await response.prepare(request)
    await asyncio.sleep(60)
    return response


class Engine:
    """Answers what the test put in `answers`, by path without the version."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.answers: dict[str, Answer] = {
            "version": gives(VERSION),
            "containers/json": gives([listed("a" * 64), listed("b" * 64)]),
            "containers/*/json": gives({"State": {"Status": "running"}, "HostConfig": {"RestartPolicy": {"Name": "always"}}}),
            "containers/*/stats": gives(sample(1, 1, system_s=10)),
            "events": silent_events,
            "info": gives({"OperatingSystem": "Linux"}),
            "images/json": gives([]),
            "volumes": gives({"Volumes": []}),
            "networks": gives([]),
            "system/df": gives({"LayersSize": 5}),
        }

    async def handle(self, request: web.Request) -> web.StreamResponse:
        path = request.path.lstrip("/")
        if path.startswith("v1."):
            path = path.partition("/")[2]
        self.asked.append(request.path)
        for name in (path, "/".join("*" if len(part) == 64 else part for part in path.split("/"))):
            if name in self.answers:
                return await self.answers[name](request)
        return web.json_response({"message": "page not found"}, status=404)


@asynccontextmanager
async def source_of(engine: Engine) -> AsyncIterator[DockerSource]:
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", engine.handle)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.05)
    await runner.setup()
    with tempfile.TemporaryDirectory(prefix="dt-") as folder:
        path = Path(folder) / "docker.sock"
        await web.UnixSite(runner, str(path)).start()
        link = LocalLink("here")
        source = DockerSource(link, f"unix://{path}")
        try:
            yield source
        finally:
            await source.close()
            await link.close()
            await runner.cleanup()


@pytest.fixture
def engine() -> Engine:
    return Engine()


async def test_an_ordinary_engine(engine: Engine) -> None:
    async with source_of(engine) as source:
        reading = await source.read(full=True)
    assert (len(reading.containers), reading.api_version, reading.os, reading.gaps) == (2, "1.46", "Linux", ())
    assert reading.disk_use is not None


async def test_a_newer_engine_is_spoken_to_in_a_known_version(engine: Engine) -> None:
    engine.answers["version"] = gives({**VERSION, "ApiVersion": "1.60"})
    async with source_of(engine) as source:
        assert (await source.read(full=False)).api_version == "1.47"
    engine.answers["version"] = gives({**VERSION, "ApiVersion": "1.99", "MinAPIVersion": "1.52"})
    async with source_of(engine) as source:
        assert (await source.read(full=False)).api_version == "1.52"


async def test_an_old_engine_lacks_figures_and_says_which_version_has_them(engine: Engine) -> None:
    engine.answers["version"] = gives({"Version": "19.03.1", "ApiVersion": "1.40"})
    async with source_of(engine) as source:
        reading = await source.read(full=False)
    assert [gap.feature for gap in reading.gaps] == ["figures"]
    assert "20.10" in reading.gaps[0].problem.hint
    assert not any("stats" in path for path in engine.asked)


@pytest.mark.parametrize("answer", [gives("hello"), gives([]), gives({"ApiVersion": 7}), gives({}, 404)])
async def test_what_is_no_engine_says_so(engine: Engine, answer: Answer) -> None:
    engine.answers["version"] = answer
    async with source_of(engine) as source:
        with pytest.raises(SourceError, match="is no Docker engine"):
            await source.read(full=False)


async def test_one_container_that_hangs_holds_up_nothing_for_long(engine: Engine) -> None:
    ordinary = engine.answers["containers/*/json"]
    engine.answers[f"containers/{'a' * 64}/json"] = hangs
    engine.answers[f"containers/{'b' * 64}/json"] = ordinary
    async with source_of(engine) as source:
        begin = time.monotonic()
        reading = await source.read(full=False)
        assert time.monotonic() - begin < 3
        assert [one.restart_policy for one in reading.containers] == ["", "always"]
        assert {gap.feature for gap in reading.gaps} == {"inspect"}
        begin = time.monotonic()
        await source.read(full=False)  # it is left alone for a while
        assert time.monotonic() - begin < 1


async def test_figures_that_hang_hold_up_nothing(engine: Engine) -> None:
    engine.answers["containers/*/stats"] = hangs
    async with source_of(engine) as source:
        begin = time.monotonic()
        reading = await source.read(full=False)
        assert time.monotonic() - begin < 1
        assert [one.cpu_percent for one in reading.containers] == [None, None]


async def test_a_list_that_hangs_is_a_fault_in_time(engine: Engine) -> None:
    engine.answers["containers/json"] = hangs
    async with source_of(engine) as source:
        begin = time.monotonic()
        with pytest.raises(SourceError, match="no answer within"):
            await source.read(full=False)
        assert time.monotonic() - begin < 5


async def test_refusals_are_in_the_engines_words_and_parts_are_gaps(engine: Engine) -> None:
    engine.answers["system/df"] = gives({"message": "a disk usage operation is \x1b[31malready running"}, 409)
    engine.answers["images/json"] = gives({"message": "layer store is broken"}, 500)
    async with source_of(engine) as source:
        reading = await source.read(full=True)
        gaps = {gap.feature: gap.problem.says for gap in reading.gaps}
        assert gaps["disk use"] == "the engine refuses: a disk usage operation is already running"
        assert gaps["images"] == "the engine refuses: layer store is broken"
        assert len(reading.containers) == 2
        engine.answers["containers/json"] = gives({"message": "database is locked"}, 500)
        with pytest.raises(SourceError, match="database is locked"):
            await source.read(full=False)


async def test_an_answer_without_end_is_refused(engine: Engine) -> None:
    async def endless(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        for _ in range(40):
            await response.write(b" " * 1_000_000)
        return response

    engine.answers["containers/json"] = endless
    async with source_of(engine) as source:
        with pytest.raises(SourceError, match="larger than"):
            await source.read(full=False)


async def test_a_long_inspect_answer_is_refused(engine: Engine) -> None:
    engine.answers["containers/*/json"] = gives({"Config": {"Env": ["A=" + "x" * 2_000_000]}})
    async with source_of(engine) as source:
        with pytest.raises(SourceError, match="larger than"):
            await source.inspect("a" * 64)


async def test_events_survive_garbage_and_breaks(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(events, "PAUSES", (0.05,))
    streams = 0

    def event(number: int) -> bytes:
        actor = {"ID": "a" * 64, "Attributes": {"name": f"n{number}", "exitCode": "1"}}
        return json.dumps({"Type": "container", "Action": "die", "Actor": actor, "timeNano": 10**18 + number}).encode() + b"\n"

    async def broken(request: web.Request) -> web.StreamResponse:
        nonlocal streams
        streams += 1
        response = web.StreamResponse()
        await response.prepare(request)
        await response.write(event(streams)[:10])
        await asyncio.sleep(0.01)
        await response.write(
            event(streams)[10:] + b"garbage\n\n" + b"x" * 600_000 + b"\n" + b'{"Type": "container", "Action": "exec'
        )
        return response

    engine.answers["events"] = broken
    async with source_of(engine) as source:
        await source.read(full=False)
        async with asyncio.timeout(5):
            while len((reading := await source.read(full=False)).events) < 3:
                await asyncio.sleep(0.05)
    assert [event.name for event in reading.events[:3]] == ["n1", "n2", "n3"]
    assert any(gap.feature == "events" for gap in reading.gaps)


async def test_the_ring_of_events_is_bounded(engine: Engine) -> None:
    async def many(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        for number in range(1, 1001):
            actor = {"ID": "x", "Attributes": {"name": str(number)}}
            one = {"Type": "image", "Action": "pull", "Actor": actor, "time": number}
            await response.write(json.dumps(one).encode() + b"\n")
        await asyncio.sleep(60)
        return response

    engine.answers["events"] = many
    async with source_of(engine) as source:
        async with asyncio.timeout(5):
            while not (reading := await source.read(full=False)).events or reading.events[-1].name != "1000":
                await asyncio.sleep(0.02)
    assert len(reading.events) == events.KEPT
