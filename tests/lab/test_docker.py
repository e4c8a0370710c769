"""The Docker source against a real engine."""

from __future__ import annotations

import asyncio
import itertools
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import pytest

from debugtui.hosts.link import Link
from debugtui.hosts.local import LocalLink
from debugtui.model.docker import Container, DockerReading
from debugtui.sources.base import SourceError
from debugtui.sources.docker.source import DockerSource
from tests.lab.link_tools import make_link, nothing_left, started
from tests.services.docker_engine import Cast, DockerEngine
from tests.services.ssh_server import SshServer


@asynccontextmanager
async def reading_of(link: Link, engine: DockerEngine) -> AsyncIterator[DockerSource]:
    source = DockerSource(link, engine.url)
    try:
        yield source
    finally:
        await source.close()


@asynccontextmanager
async def source_of(engine: DockerEngine) -> AsyncIterator[DockerSource]:
    link = LocalLink("here")
    async with reading_of(link, engine) as source:
        yield source
    await link.close()


async def read_until(source: DockerSource, true: Callable[[DockerReading], object], timeout: float = 10) -> DockerReading:
    """Read every half second until `true(reading)`."""
    end = time.monotonic() + timeout
    while True:
        reading = await source.read(full=False)
        if true(reading):
            return reading
        assert time.monotonic() < end, f"not within {timeout} s: {reading}"
        await asyncio.sleep(0.5)


def named(reading: DockerReading, name: str) -> Container:
    return next(one for one in reading.containers if one.name == name)


async def test_the_containers_of_an_engine(docker_engine: DockerEngine, docker_cast: Cast) -> None:
    async with source_of(docker_engine) as source:
        await source.read(full=False)
        await asyncio.sleep(1)
        reading = await source.read(full=False)
    assert reading.version.startswith("20.10") or int(reading.version.split(".")[0]) > 20
    healthy, limited = named(reading, docker_cast.healthy), named(reading, docker_cast.limited)
    assert (healthy.state, healthy.health, healthy.restarts, healthy.looping) == ("running", "healthy", 0, False)
    assert healthy.memory_limit_bytes is None
    assert healthy.started_at is not None
    assert healthy.finished_at is None
    assert limited.memory_limit_bytes == 20 << 20
    assert limited.restart_policy == "unless-stopped"
    assert limited.cpu_percent is not None
    assert 0 < limited.cpu_percent < 50  # --cpus 0.1 of a busy loop; a busy machine gives it less
    assert limited.memory_bytes is not None
    assert 0 < limited.memory_bytes < 20 << 20
    assert limited.pids == 1
    assert limited.mounts == ("dt-volume:/data:ro",)
    web = named(reading, docker_cast.web)
    assert (web.project, web.service, web.networks) == ("shop", "web", ("host",))
    failed = named(reading, docker_cast.failed)
    assert (failed.state, failed.exit_code, failed.looping) == ("exited", 7, False)
    assert failed.finished_at is not None
    assert failed.cpu_percent is None
    assert not reading.gaps


async def test_a_full_reading_has_images_volumes_networks_and_disk_use(docker_engine: DockerEngine, docker_cast: Cast) -> None:
    async with source_of(docker_engine) as source:
        reading = await source.read(full=True)
        again = await source.read(full=False)
    image = next(one for one in reading.images if "lab/busybox:1" in one.tags)
    assert image.containers == len(reading.containers)
    assert image.size_bytes > 500_000
    volume = next(one for one in reading.volumes if one.name == "dt-volume")
    assert (volume.driver, volume.users) == ("local", 1)
    assert {"host", "none"} <= {network.name for network in reading.networks}
    assert reading.disk_use is not None
    assert reading.disk_use.layers_bytes > 500_000
    assert reading.root_dir == str(docker_engine.folder / "data")
    assert reading.storage_driver == "vfs"
    assert (again.images, again.networks, again.disk_use) == (reading.images, reading.networks, reading.disk_use)


async def test_a_crash_loop_is_found_by_a_fresh_start_and_lasts_between_the_ends(
    docker_engine: DockerEngine, docker_cast: Cast
) -> None:
    async with source_of(docker_engine) as source:
        reading = await read_until(source, lambda found: named(found, docker_cast.looping).looping)
        looping = named(reading, docker_cast.looping)
        assert looping.exit_code == 3
        assert looping.restarts >= 1
        assert looping.restart_policy == "always"
        assert [one.name for one in reading.containers if one.looping] == [docker_cast.looping]
        reading = await read_until(source, lambda found: any(event.action == "die" for event in found.events))
        died = next(event for event in reading.events if event.action == "die" and event.name == docker_cast.looping)
        assert died.detail == "exit code 3"
        assert died.type == "container"


async def test_a_new_loop_shows_within_ten_seconds_and_ends_with_the_container(docker_engine: DockerEngine) -> None:
    async with source_of(docker_engine) as source:
        await source.read(full=False)
        name = docker_engine.run("dt-new-loop", "sh", "-c", "exit 3", options=("--restart", "always"))
        try:
            await read_until(source, lambda found: named(found, name).looping, timeout=10)
            docker_engine.docker("stop", "-t", "0", name)
            reading = await source.read(full=False)
            assert not named(reading, name).looping
        finally:
            docker_engine.remove(name)
        reading = await source.read(full=False)
        assert name not in [one.name for one in reading.containers]


async def test_restarting_by_hand_is_no_loop(docker_engine: DockerEngine) -> None:
    name = docker_engine.run("dt-by-hand", "sleep", "1000", options=("--restart", "always"))
    try:
        async with source_of(docker_engine) as source:
            await source.read(full=False)
            for _ in range(4):
                docker_engine.docker("restart", "-t", "0", name)
                assert not named(await source.read(full=False), name).looping
    finally:
        docker_engine.remove(name)


async def test_running_out_of_memory_is_told(docker_engine: DockerEngine) -> None:
    command = ("sh", "-c", "awk 'BEGIN { s = \"x\"; while (1) s = s s }'; exit $?")
    name = docker_engine.run("dt-oom", *command, options=("--memory", "8m", "--memory-swap", "8m"))
    try:
        docker_engine.wait_for(name, 'eq .State.Status "exited"')
        async with source_of(docker_engine) as source:
            assert named(await source.read(full=False), name).oom_killed
    finally:
        docker_engine.remove(name)


async def test_health_that_changes_is_seen_at_the_next_read_and_told_once(
    docker_engine: DockerEngine, docker_cast: Cast
) -> None:
    async with source_of(docker_engine) as source:
        await source.read(full=False)
        docker_engine.docker("exec", docker_cast.healthy, "busybox", "rm", "/tmp/well")
        try:
            reading = await read_until(source, lambda found: named(found, docker_cast.healthy).health == "unhealthy")
            await asyncio.sleep(2.5)  # more failed checks, which are no news
            reading = await source.read(full=False)
        finally:
            docker_engine.docker("exec", docker_cast.healthy, "sh", "-c", "echo well > /tmp/well")
        news = [
            event.detail for event in reading.events if event.name == docker_cast.healthy and event.action == "health_status"
        ]
        assert news[-1] == "unhealthy"
        assert all(one != other for one, other in itertools.pairwise(news))
        assert not any(event.action.startswith("exec") for event in reading.events)


async def test_a_stopped_engine_is_told_and_heals(own_docker_engine: DockerEngine) -> None:
    async with source_of(own_docker_engine) as source:
        assert (await source.read(full=True)).containers == ()
        own_docker_engine.stop()
        begin = time.monotonic()
        for _ in range(2):
            with pytest.raises(SourceError) as raised:
                await source.read(full=False)
            assert not raised.value.absent  # it was there before
            assert "docker" in str(raised.value.problem)
        assert time.monotonic() - begin < 5
        own_docker_engine.start()
        own_docker_engine.run("dt-after", "sleep", "1000")
        reading = await read_until(source, lambda found: len(found.events) > 0)
        assert [one.name for one in reading.containers] == ["dt-after"]


async def test_a_hung_engine_fails_within_five_seconds(frozen_engine: DockerEngine) -> None:
    async with nothing_left(), source_of(frozen_engine) as source:
        begin = time.monotonic()
        with pytest.raises(SourceError) as raised:
            await source.read(full=False)
        assert time.monotonic() - begin < 5
        assert "no answer within" in raised.value.problem.says
        assert "systemctl status docker" in raised.value.problem.hint
        frozen_engine.thaw()
        assert (await source.read(full=False)).containers == ()


async def test_an_absent_engine_is_absent() -> None:
    link = LocalLink("here")
    source = DockerSource(link, "unix:///nowhere/docker.sock")
    with pytest.raises(SourceError) as raised:
        await source.read(full=False)
    assert raised.value.absent
    assert "/nowhere/docker.sock" in raised.value.problem.says
    await source.close()


async def test_without_the_right_the_group_is_named(
    own_docker_engine: DockerEngine, make_ssh_server: Callable[..., SshServer]
) -> None:
    own_docker_engine.give_to("daemon")
    server = make_ssh_server(drop=("dac_override", "dac_read_search"))
    async with started(make_link(server)) as link, reading_of(link, own_docker_engine) as source:
        with pytest.raises(SourceError) as raised:
            await source.read(full=False)
    assert "permission denied" in raised.value.problem.says
    assert "to the group daemon" in raised.value.problem.hint
    assert not raised.value.absent


async def test_everything_works_over_ssh_and_leaves_nothing(
    docker_engine: DockerEngine, docker_cast: Cast, ssh_server: SshServer
) -> None:
    async with nothing_left(), started(make_link(ssh_server)) as link, reading_of(link, docker_engine) as source:
        await source.read(full=True)
        reading = await source.read(full=False)
        assert named(reading, docker_cast.healthy).health == "healthy"
        logs = source.logs(docker_engine.identity(docker_cast.hostile), tail=100)
        lines = [line.text async for batch in logs for line in batch]
        assert "[@click=app.quit]x[/] [/nope]" in lines


async def test_closing_in_the_middle_leaves_nothing(docker_engine: DockerEngine, docker_cast: Cast) -> None:
    async with nothing_left(), source_of(docker_engine) as source:
        reading = asyncio.create_task(source.read(full=True))
        await asyncio.sleep(0.02)
        reading.cancel()
        await asyncio.gather(reading, return_exceptions=True)
        assert (await source.read(full=False)).containers
