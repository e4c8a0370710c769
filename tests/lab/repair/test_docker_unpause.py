"""A paused container goes on, on a real engine; kernel and engine have both to say so."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest

from debugtui.model.execution import State, Verdict
from debugtui.remediation.base import NothingToDoError, StaleError, StepError
from debugtui.remediation.catalogue.docker import unpause
from tests.lab.repair.dk_desk import docker_lab
from tests.lab.repair.dk_tools import around, cls, plan, refusals, row, verdict
from tests.lab.repair.pg_tools import guard_of
from tests.scenarios.lab.programs import as_root
from tests.services.docker_engine import DockerEngine


@pytest.fixture
def engine(docker_engine: DockerEngine) -> Iterator[DockerEngine]:
    yield docker_engine
    docker_engine.remove_all()


def frozen_by_hand(engine: DockerEngine, name: str, word: str) -> None:
    """Write to the container's freezer past the engine, as another tool of the host may."""
    pid = engine.inspect(name)["State"]["Pid"]
    groups = dict(one.split(":", 2)[1:] for one in Path(f"/proc/{pid}/cgroup").read_text().splitlines())
    if "freezer" in groups:
        path, value = f"/sys/fs/cgroup/freezer{groups['freezer']}/freezer.state", word
    else:
        path, value = f"/sys/fs/cgroup{groups['']}/cgroup.freeze", str(int(word == "FROZEN"))
    as_root("sh", "-c", 'echo "$1" > "$2"', "sh", value, path)


async def test_it_goes_on_as_the_same_run_and_is_frozen_again_exactly(engine: DockerEngine, tmp_path: Path) -> None:
    engine.run("dk-ice", "sleep", "1000", options=("--restart", "always"))
    engine.docker("pause", "dk-ice")
    before = engine.inspect("dk-ice")
    async with docker_lab(engine, tmp_path) as lab:
        done = await lab.run("unpause", "dk-ice")
        assert (done.state, done.side_effects) == (State.VERIFIED, ()), done.says
        now = engine.inspect("dk-ice")["State"]
        assert (now["Status"], now["StartedAt"], now["Pid"]) == (
            "running",
            before["State"]["StartedAt"],
            before["State"]["Pid"],
        )
        back = await lab.back(done)
        assert back.state is State.ROLLED_BACK, back.says
    after = engine.inspect("dk-ice")
    assert (after["State"], after["Config"], after["HostConfig"]) == (before["State"], before["Config"], before["HostConfig"])


async def test_what_it_costs_and_who_paused_it(engine: DockerEngine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(unpause, "FRESH_S", 0.0)
    engine.run("dk-ice", "sleep", "1000")
    with pytest.raises(NothingToDoError):
        await plan(around(engine), "docker.unpause", "dk-ice")
    engine.docker("pause", "dk-ice")
    run = await plan(around(engine), "docker.unpause", "dk-ice")
    assert refusals(run.draft) == []
    assert (row(run.draft), cls(run.draft)) == ("I0 R1 D1 B2 L0 V0 U0 C0", 1)
    since = next(one for one in run.draft.guards if one.name == "paused_since")
    assert "ask, if it was not you" in since.why
    assert " s ago" in since.evidence


async def test_a_pause_that_the_engine_no_longer_remembers_is_said(
    engine: DockerEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(unpause, "HISTORY_S", 0)
    engine.run("dk-ice", "sleep", "1000")
    engine.docker("pause", "dk-ice")
    await asyncio.sleep(1.5)  # its second is over
    run = await plan(around(engine), "docker.unpause", "dk-ice")
    since = next(one for one in run.draft.guards if one.name == "paused_since")
    assert (since.status.value, "nor any more since when" in since.why) == ("pass", True)


async def test_a_pause_that_has_just_begun_may_be_a_backups(engine: DockerEngine) -> None:
    engine.run("dk-ice", "sleep", "1000")
    engine.docker("pause", "dk-ice")
    run = await plan(around(engine), "docker.unpause", "dk-ice")
    since = next(one for one in run.draft.guards if one.name == "paused_since")
    assert since.status.value == "unknown"
    assert "docker commit" in since.why
    assert refusals(run.draft) == []
    assert (row(run.draft), cls(run.draft)) == ("I0 R1 D1 B2 L0 V0 U2 C0", 2)


async def test_one_that_the_kernel_still_holds_is_no_success_whatever_the_engine_says(engine: DockerEngine) -> None:
    engine.run("dk-ice", "sleep", "1000")
    engine.docker("pause", "dk-ice")
    run = await plan(around(engine, dwell=0.1), "docker.unpause", "dk-ice")
    await run.steps()
    assert await run.settle() == "done"
    frozen_by_hand(engine, "dk-ice", "FROZEN")
    try:
        assert engine.inspect("dk-ice")["State"]["Paused"] is False
        assert await verdict(run) is Verdict.FAIL
    finally:
        frozen_by_hand(engine, "dk-ice", "THAWED")
    assert await verdict(run) is Verdict.PASS


async def test_one_that_somebody_started_anew_since_is_left_alone(engine: DockerEngine) -> None:
    engine.run("dk-ice", "sleep", "1000")
    engine.docker("pause", "dk-ice")
    run = await plan(around(engine), "docker.unpause", "dk-ice")
    engine.docker("unpause", "dk-ice")
    assert guard_of(run.draft, "not_being_removed") == "pass"
    with pytest.raises(StaleError):
        await run.steps()
    engine.docker("restart", "-t", "0", "dk-ice")
    engine.docker("pause", "dk-ice")
    with pytest.raises(StaleError):
        await run.steps()


async def test_a_run_that_began_since_is_never_frozen_by_the_way_back(engine: DockerEngine, tmp_path: Path) -> None:
    engine.run("dk-ice", "sleep", "1000")
    engine.docker("pause", "dk-ice")
    run = await plan(around(engine), "docker.unpause", "dk-ice")
    async with docker_lab(engine, tmp_path) as lab:
        done = await lab.run("unpause", "dk-ice")
        assert done.state is State.VERIFIED, done.says
        engine.docker("restart", "-t", "0", "dk-ice")
        back = await lab.back(done)
        assert (back.state, "started anew since" in back.says) == (State.REFUSED, True), back.says
    with pytest.raises(StepError, match="started anew since"):  # as a rollback by itself would do it
        await run.undo()
    assert engine.inspect("dk-ice")["State"]["Status"] == "running"
    engine.docker("stop", "-t", "0", "dk-ice")
    with pytest.raises(StepError, match="does not run any more"):
        await run.undo()
