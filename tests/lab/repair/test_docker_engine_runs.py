"""Container repairs carried through by the engine itself: verified, taken back, refused, and never a false success."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest

from debugtui.model.execution import State
from tests.lab.repair.dk_desk import docker_lab
from tests.lab.repair.dk_tools import until
from tests.services.docker_engine import DockerEngine


@pytest.fixture
def engine(docker_engine: DockerEngine) -> Iterator[DockerEngine]:
    yield docker_engine
    docker_engine.remove_all()


async def test_restarted_and_verified_limited_and_taken_back(engine: DockerEngine, tmp_path: Path) -> None:
    engine.run("dk-one", "sleep", "1000", options=("--memory", "64m"))
    before = engine.inspect("dk-one")["HostConfig"]
    async with docker_lab(engine, tmp_path) as lab:
        restarted = await lab.run("restart", "dk-one")
        assert (restarted.state, restarted.side_effects) == (State.VERIFIED, ()), restarted.says
        limited = await lab.run("update_limits", "dk-one", memory="128m")
        assert limited.state is State.VERIFIED, limited.says
        back = await lab.back(limited)
        assert back.state is State.ROLLED_BACK, back.says
        assert engine.inspect("dk-one")["HostConfig"] == before
        policy = await lab.run("restart_policy", "dk-one", policy="always")
        assert policy.state is State.VERIFIED, policy.says
        back = await lab.back(policy)
        assert back.state is State.ROLLED_BACK, back.says
    assert engine.inspect("dk-one")["HostConfig"] == before


async def test_a_restart_of_a_loop_is_no_success_and_has_no_rollback(engine: DockerEngine, tmp_path: Path) -> None:
    engine.run("dk-loop", "sh", "-c", "exit 3", options=("--restart", "always"))
    await until(engine, "dk-loop", "ge .RestartCount 1")
    async with docker_lab(engine, tmp_path) as lab:
        done = await lab.run("restart", "dk-loop")
        assert done.state is State.UNKNOWN, done.says
        assert "there is no rollback" in done.says


async def test_what_was_restarted_or_relimited_since_is_refused_with_what_moved(engine: DockerEngine, tmp_path: Path) -> None:
    engine.run("dk-moved", "sleep", "1000", options=("--memory", "64m"))
    async with docker_lab(engine, tmp_path) as lab:
        made = await lab.plan("restart", "dk-moved")
        await asyncio.to_thread(engine.docker, "restart", "-t", "0", "dk-moved")
        began = engine.inspect("dk-moved")["State"]["StartedAt"]
        done = await lab.apply(made)
        assert (done.state, bool(done.moved)) == (State.REFUSED, True), done.says
        made = await lab.plan("update_limits", "dk-moved", memory="128m")
        engine.docker("update", "--memory", "48m", "dk-moved")
        done = await lab.apply(made)
        assert (done.state, bool(done.moved)) == (State.REFUSED, True), done.says
    assert engine.inspect("dk-moved")["State"]["StartedAt"] == began
    assert engine.inspect("dk-moved")["HostConfig"]["Memory"] == 48 << 20


async def test_a_loop_is_ended_and_begun_again_on_demand(engine: DockerEngine, tmp_path: Path) -> None:
    engine.run("dk-round", "sh", "-c", "exit 3", options=("--restart", "always"))
    await until(engine, "dk-round", "ge .RestartCount 2")
    async with docker_lab(engine, tmp_path, dwell=0.1) as lab:
        done = await lab.run("restart_policy", "dk-round", policy="no")
        assert done.state is State.VERIFIED, done.says
        assert engine.inspect("dk-round")["State"]["Status"] == "exited"
        back = await lab.back(done)
        assert back.state is State.ROLLED_BACK, back.says
    await until(engine, "dk-round", "ge .RestartCount 1")
