"""Starting, stopping and restart policies on a real engine, each taken back."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from debugtui.model.execution import Verdict
from debugtui.remediation.base import NothingToDoError, PlanError
from debugtui.remediation.catalogue.docker.policy import policy_step
from tests.lab.repair.dk_tools import around, cls, plan, refusals, row, until, verdict
from tests.lab.repair.pg_tools import eyes_of, guard_of
from tests.services.docker_engine import DockerEngine

COMPOSE = ("--label", "com.docker.compose.project=shop", "--label", "com.docker.compose.service=web")


@pytest.fixture
def engine(docker_engine: DockerEngine) -> Iterator[DockerEngine]:
    yield docker_engine
    docker_engine.remove_all()


def fields(engine: DockerEngine, name: str) -> tuple[object, ...]:
    found = engine.inspect(name)
    return found["Id"], found["Config"], found["HostConfig"], found["Mounts"], found["State"]["Running"]


async def test_a_container_is_started_and_stopped_again(engine: DockerEngine) -> None:
    engine.run("dk-down", "sleep", "1000")
    engine.docker("stop", "-t", "0", "dk-down")
    before = fields(engine, "dk-down")
    run = await plan(around(engine), "docker.start", "dk-down")
    assert refusals(run.draft) == []
    assert (row(run.draft), cls(run.draft)) == ("I0 R1 D1 B2 L0 V2 U0 C0", 1)
    await run.steps()
    assert await verdict(run) is Verdict.PASS
    assert await run.settle() == "done"
    await run.undo()
    assert await verdict(run, run.remediation.undo_checks(run.now())) is Verdict.PASS
    assert fields(engine, "dk-down") == before
    await run.undo()  # nothing is left to undo


async def test_a_container_that_dies_at_once_is_not_verified(engine: DockerEngine) -> None:
    engine.run("dk-dies", "sh", "-c", "exit 7")
    await until(engine, "dk-dies", 'eq .State.Status "exited"')
    run = await plan(around(engine, dwell=0.1), "docker.start", "dk-dies")
    await run.steps()
    assert await verdict(run) is Verdict.FAIL


async def test_the_sole_healthy_replica_is_not_stopped(engine: DockerEngine) -> None:
    engine.run("shop-web-1", "sleep", "1000", options=COMPOSE)
    sole = await plan(around(engine), "docker.stop", "shop-web-1")
    assert sole.draft.stop
    assert cls(sole.draft) == 4
    assert [way.remediation for way in sole.draft.mitigations][:1] == ["docker.restart"]
    engine.run("shop-web-2", "sleep", "1000", options=COMPOSE)
    twin = await plan(around(engine), "docker.stop", "shop-web-1")
    assert (row(twin.draft), cls(twin.draft)) == ("I2 R1 D1 B1 L0 V0 U0 C0", 2)
    before = fields(engine, "shop-web-1")
    await twin.steps()
    assert await verdict(twin) is Verdict.PASS
    await twin.undo()
    assert await verdict(twin, twin.remediation.undo_checks(twin.now())) is Verdict.PASS
    assert fields(engine, "shop-web-1") == before


async def test_a_process_that_ignores_the_signal_is_killed_in_time(engine: DockerEngine) -> None:
    engine.run("shop-web-1", "sh", "-c", "trap '' TERM; while :; do sleep 1; done", options=COMPOSE)
    engine.run("shop-web-2", "sleep", "1000", options=COMPOSE)
    run = await plan(around(engine), "docker.stop", "shop-web-1")
    await run.steps()
    assert engine.inspect("shop-web-1")["State"]["ExitCode"] == 137
    assert await verdict(run) is Verdict.PASS


async def test_a_loop_is_ended_by_its_policy_and_begins_again_exactly(engine: DockerEngine) -> None:
    engine.run("dk-loop", "sh", "-c", "exit 3", options=("--restart", "on-failure:90"))
    await until(engine, "dk-loop", "ge .RestartCount 2")
    stop = await plan(around(engine), "docker.stop", "dk-loop")
    assert guard_of(stop.draft, "not_looping") == "fail"
    before = fields(engine, "dk-loop")[:4]
    run = await plan(around(engine), "docker.restart_policy", "dk-loop", {"policy": "no"})
    assert refusals(run.draft) == []
    assert (row(run.draft), cls(run.draft)) == ("I1 R1 D1 B2 L0 V0 U0 C0", 1)
    await run.steps()
    await until(engine, "dk-loop", 'eq .State.Status "exited"')
    assert await verdict(run) is Verdict.PASS
    assert engine.inspect("dk-loop")["HostConfig"]["RestartPolicy"]["Name"] == "no"
    assert await run.settle() == "done"
    await run.undo()
    assert await verdict(run, run.remediation.undo_checks(run.now())) is Verdict.PASS
    await until(engine, "dk-loop", "ge .RestartCount 1")  # it loops as before
    assert fields(engine, "dk-loop")[:4] == before


async def test_updates_that_meet_the_end_of_a_process_get_through(engine: DockerEngine) -> None:
    """A fresh loop has the engine refuse about 1 update in 200, and take it back; sent again, each of these holds."""
    for number in range(2):
        name = engine.run(f"dk-race-{number}", "sh", "-c", "sleep 0.1; exit 3", options=("--restart", "always"))
        run = await plan(around(engine), "docker.restart_policy", name, {"policy": "no"})
        for turn in range(60):
            step = policy_step(
                engine.identity(name), {"Name": ("unless-stopped", "always")[turn % 2]}, "Set the restart policy"
            )
            await run.step(step, "1")
        assert engine.inspect(name)["HostConfig"]["RestartPolicy"]["Name"] == "always"
        await run.step(policy_step(engine.identity(name), {"Name": "no"}, "End the loop"), "1")
        await until(engine, name, 'eq .State.Status "exited"')
        assert engine.inspect(name)["HostConfig"]["RestartPolicy"]["Name"] == "no"


async def test_a_policy_is_changed_and_set_back(engine: DockerEngine) -> None:
    engine.run("dk-policy", "sleep", "1000")
    before = fields(engine, "dk-policy")
    run = await plan(around(engine), "docker.restart_policy", "dk-policy", {"policy": "on-failure:5"})
    await run.steps()
    policy = engine.inspect("dk-policy")["HostConfig"]["RestartPolicy"]
    assert policy == {"Name": "on-failure", "MaximumRetryCount": 5}
    assert await verdict(run) is Verdict.PASS
    await run.undo()
    assert await verdict(run, run.remediation.undo_checks(run.now())) is Verdict.PASS
    assert fields(engine, "dk-policy") == before
    engine.run("dk-rm", "sleep", "1000", options=("--rm",))
    refused = await plan(around(engine), "docker.restart_policy", "dk-rm", {"policy": "always"})
    assert refusals(refused.draft) == ["not_auto_remove"]


async def test_what_is_so_already_needs_no_plan(engine: DockerEngine) -> None:
    engine.run("dk-up", "sleep", "1000")
    surroundings = around(engine)
    for name, params in (("docker.start", {}), ("docker.restart_policy", {"policy": "no"})):
        with pytest.raises(NothingToDoError):
            await plan(surroundings, name, "dk-up", params)
    engine.docker("stop", "-t", "0", "dk-up")
    with pytest.raises(NothingToDoError):
        await plan(surroundings, "docker.stop", "dk-up")
    with pytest.raises(PlanError, match="on-failure"):
        await plan(surroundings, "docker.restart_policy", "dk-up", {"policy": "sometimes"})
    async with eyes_of(surroundings) as eyes:
        assert await eyes.docker() is not None
