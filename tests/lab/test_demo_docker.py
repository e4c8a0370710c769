"""The simulated engine, asked by aiodocker and by the docker command itself."""

from __future__ import annotations

import asyncio
import json
import shutil
import struct
import tempfile
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import aiodocker
import pytest

from debugtui.demo import cast
from debugtui.demo.docker_api import DockerApi
from debugtui.demo.docker_engine import SimEngine
from debugtui.demo.scenarios import SCENARIOS, Scenario, Timeline

START = 1_790_000_000.0


class HandClock:
    """A clock that moves when told."""

    def __init__(self) -> None:
        self.now = START

    def __call__(self) -> float:
        return self.now


def engine(clock: HandClock, scenario: Scenario, host: str = "kvm-02") -> SimEngine:
    return SimEngine(cast.BY_NAME[host], Timeline(scenario, START), clock)


def pass_time(sim: SimEngine, clock: HandClock, seconds: float) -> None:
    for _ in range(int(seconds * 2)):
        clock.now += 0.5
        sim.tick()


def actions(sim: SimEngine, name: str) -> list[str]:
    return [event["Action"] for _, event in sim.events if event["Actor"]["Attributes"]["name"] == name]


def test_a_crash_loop_restarts_with_growing_delays_and_heals() -> None:
    clock = HandClock()
    sim = engine(clock, SCENARIOS["tour"])
    worker = sim.find("shop-worker-1")
    assert worker is not None
    act = SCENARIOS["tour"].acts[1]
    pass_time(sim, clock, act.starts - 1)
    assert (worker.state, worker.restarts) == ("running", 0)
    pass_time(sim, clock, act.lasts - 5)
    assert worker.restarts >= 5
    assert worker.exit_code in (0, 3)
    assert actions(sim, worker.name)[:4] == ["die", "start", "die", "start"]
    assert any("QUEUE_PREFETCH must be between" in line.text for line in worker.log)
    pass_time(sim, clock, 30)
    assert worker.state == "running"
    restarts = worker.restarts
    pass_time(sim, clock, 20)
    assert (worker.state, worker.restarts) == ("running", restarts)


def test_a_container_stopped_by_hand_stays_down_and_one_without_a_policy_is_not_restarted() -> None:
    clock = HandClock()
    sim = engine(clock, SCENARIOS["crash-loop"])
    worker = sim.find("shop-worker-1")
    assert worker is not None
    pass_time(sim, clock, 6)
    assert worker.restarts >= 1
    assert worker.stop(clock.now)
    pass_time(sim, clock, 90)
    assert worker.state == "exited"
    worker.restart_policy = "no"
    assert worker.start(clock.now)
    pass_time(sim, clock, 10)
    assert (worker.state, worker.exit_code) == ("exited", 3)


def test_the_lock_chain_makes_the_api_unhealthy_and_its_log_says_why() -> None:
    clock = HandClock()
    sim = engine(clock, SCENARIOS["tour"], "kvm-01")
    api = sim.find("coach-api-1")
    assert api is not None
    pass_time(sim, clock, 40)
    assert api.health == "unhealthy"
    assert any("lock timeout" in line.text for line in api.log)
    assert "health_status: unhealthy" in actions(sim, api.name)
    pass_time(sim, clock, 70)
    assert api.health == "healthy"


def test_counters_grow_and_are_the_same_for_the_same_times() -> None:
    def run() -> list[tuple[float, float, int]]:
        clock = HandClock()
        sim = engine(clock, SCENARIOS["calm"])
        pass_time(sim, clock, 20)
        return [(c.cpu_s, c.rx, c.logged) for c in sim.containers.values()]

    first, second = run(), run()
    assert first == second


@pytest.fixture
def folder() -> Iterator[Path]:
    path = Path(tempfile.mkdtemp(prefix="dtui-test-", dir="/tmp"))
    yield path
    shutil.rmtree(path)


@pytest.fixture
async def api(folder: Path) -> AsyncIterator[DockerApi]:
    import time

    served = DockerApi(SimEngine(cast.BY_NAME["kvm-02"], Timeline(SCENARIOS["crash-loop"], time.time())), folder / "d.sock")
    await served.start()
    yield served
    await served.stop()


@pytest.fixture
async def docker(api: DockerApi, folder: Path) -> AsyncIterator[aiodocker.Docker]:
    client = aiodocker.Docker(f"unix://{folder}/d.sock")
    yield client
    await client.close()


async def test_aiodocker_reads_it_all(docker: aiodocker.Docker) -> None:
    assert (await docker.version())["ApiVersion"] == "1.43"
    assert (await docker.system.info())["Name"] == "kvm-02"
    listed = await docker.containers.list(all=True)
    assert len(listed) == len(cast.BY_NAME["kvm-02"].containers)
    container = await docker.containers.get("shop-web-1")
    shown = await container.show()
    assert shown["State"]["Status"] == "running"
    assert shown["Config"]["Labels"]["com.docker.compose.project"] == "shop"
    stats = await docker._query_json(f"containers/{shown['Id']}/stats", params={"stream": "0", "one-shot": "1"})
    assert stats["cpu_stats"]["cpu_usage"]["total_usage"] > 0
    assert stats["cpu_stats"]["system_cpu_usage"] < 2**63
    assert 0 < stats["memory_stats"]["usage"] < stats["memory_stats"]["limit"]
    assert len(await docker.images.list()) > 5
    assert any(network["Name"] == "shop_default" for network in await docker.networks.list())
    assert any(volume["Name"] == "shop_search" for volume in (await docker.volumes.list())["Volumes"])
    use = await docker._query_json("system/df")
    assert use["LayersSize"] > 0


async def test_logs_are_framed_followed_and_cut(docker: aiodocker.Docker) -> None:
    container = await docker.containers.get("shop-web-1")
    assert len(await container.log(stdout=True, stderr=True, tail=7)) == 7
    stamped = await container.log(stdout=True, stderr=True, tail=1, timestamps=True)
    assert stamped[0][:3] == "202"
    query = {"stdout": "1", "stderr": "1", "tail": "0", "follow": "1"}
    async with asyncio.timeout(10), docker._query(f"containers/{container.id}/logs", params=query) as response:
        for _ in range(3):
            stream, length = struct.unpack(">BxxxL", await response.content.readexactly(8))
            text = await response.content.readexactly(length)
            assert stream in (1, 2)
            assert text.endswith(b"\n")
        response.close()  # aiodocker leaves it open


async def test_events_come_as_they_happen(docker: aiodocker.Docker) -> None:
    subscriber = docker.events.subscribe()
    seen = []
    async with asyncio.timeout(15):
        while len(seen) < 2:
            event = await subscriber.get()
            if event["Actor"]["Attributes"].get("name") == "shop-worker-1":
                seen.append(event["Action"])
    assert seen in (["die", "start"], ["start", "die"])
    await docker.events.stop()


async def test_errors_are_the_engines(docker: aiodocker.Docker) -> None:
    with pytest.raises(aiodocker.DockerError) as missing:
        await docker.containers.get("nobody")
    assert (missing.value.status, missing.value.message) == (404, "No such container: nobody")
    with pytest.raises(aiodocker.DockerError) as wrong:
        await docker._query_json("containers/json", params={"filters": '{"shape": ["round"]}'})
    assert wrong.value.status == 400
    with pytest.raises(aiodocker.DockerError) as nowhere:
        await docker._query_json("secrets")
    assert nowhere.value.status == 404


async def run(folder: Path, *arguments: str, fails: bool = False) -> str:
    process = await asyncio.create_subprocess_exec(
        "docker",
        "-H",
        f"unix://{folder}/d.sock",
        *arguments,
        env={"PATH": "/usr/local/bin:/usr/bin:/bin", "HOME": str(folder), "DOCKER_CONFIG": str(folder)},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    async with asyncio.timeout(20):
        output, error = await process.communicate()
    assert (process.returncode != 0) is fails, error
    return (error if fails else output).decode()


async def test_the_docker_command_works(api: DockerApi, folder: Path) -> None:
    assert "shop-web-1" in await run(folder, "ps", "-a")
    assert json.loads(await run(folder, "inspect", "shop-web-1"))[0]["Name"] == "/shop-web-1"
    stats = await run(folder, "stats", "--no-stream", "--format", "{{.Name}} {{.CPUPerc}} {{.MemPerc}}")
    _, cpu, memory = next(line for line in stats.splitlines() if line.startswith("shop-web-1")).split()
    assert 0 < float(cpu.rstrip("%")) < 200
    assert 10 < float(memory.rstrip("%")) < 100
    assert len((await run(folder, "logs", "--tail", "3", "shop-mailer-1")).splitlines()) <= 3
    assert "shop_search" in await run(folder, "volume", "ls")
    assert "Images" in await run(folder, "system", "df")


async def test_what_an_operator_does_is_done(api: DockerApi, folder: Path) -> None:
    await run(folder, "pause", "shop-web-1")
    assert "already paused" in await run(folder, "pause", "shop-web-1", fails=True)
    await run(folder, "unpause", "shop-web-1")
    await run(folder, "update", "--memory", "1g", "--memory-swap", "2g", "--restart", "on-failure:3", "shop-web-1")
    shown = json.loads(await run(folder, "inspect", "shop-web-1"))[0]["HostConfig"]
    assert (shown["Memory"], shown["RestartPolicy"]["Name"]) == (1 << 30, "on-failure")
    await run(folder, "rename", "shop-web-1", "shop-web-old")
    assert "shop-web-old" in await run(folder, "ps")
    await run(folder, "restart", "shop-web-old")
    await run(folder, "stop", "shop-web-old")
    assert "shop-web-old" not in await run(folder, "ps")
