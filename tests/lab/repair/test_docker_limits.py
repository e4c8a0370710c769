"""Limits of running containers on a real engine: what is sent, what the kernel holds, and what cannot be taken back."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from debugtui.model.execution import Verdict
from debugtui.remediation.base import NothingToDoError, PlanError, StepError
from tests.lab.repair.dk_tools import around, cls, plan, refusals, row, until, verdict
from tests.lab.repair.pg_tools import Run, eyes_of, guard_of
from tests.services.docker_engine import DockerEngine

MIB = 1 << 20

#: Holds about 20 MB in its heap, and goes on.
HUNGRY = ("sh", "-c", 'exec awk \'BEGIN { s = sprintf("%10000000s", "x"); t = s s; while (1) system("sleep 1") }\'')


@pytest.fixture
def engine(docker_engine: DockerEngine) -> Iterator[DockerEngine]:
    yield docker_engine
    docker_engine.remove_all()


def fields(engine: DockerEngine, name: str) -> tuple[object, ...]:
    found = engine.inspect(name)
    return found["Id"], found["Config"], found["HostConfig"], found["State"]["Pid"], found["State"]["StartedAt"]


def kernel_limit(engine: DockerEngine, name: str) -> int:
    """The memory limit out of the cgroup itself, of either version."""
    identity = engine.identity(name)
    for pattern in (f"memory/docker/{identity}/memory.limit_in_bytes", f"**/*{identity}*/memory.max"):
        for path in Path("/sys/fs/cgroup").glob(pattern):
            return int(path.read_text())
    raise AssertionError("the container's cgroup was not found")


async def test_a_memory_limit_is_raised_while_it_runs_and_set_back_exactly(engine: DockerEngine) -> None:
    engine.run("dk-mem", "sleep", "1000", options=("--memory", "64m"))
    before = fields(engine, "dk-mem")
    run = await plan(around(engine), "docker.update_limits", "dk-mem", {"memory": "256m"})
    assert refusals(run.draft) == []
    assert (row(run.draft), cls(run.draft)) == ("I0 R1 D1 B1 L0 V0 U0 C0", 1)
    assert guard_of(run.draft, "kernel_limits") == "pass"
    body = run.draft.data["body"]
    assert body == {"Memory": 256 * MIB, "MemorySwap": 320 * MIB}  # alone, memory would be refused
    await run.steps()
    assert kernel_limit(engine, "dk-mem") == 256 * MIB
    assert fields(engine, "dk-mem")[3:] == before[3:]
    assert await verdict(run) is Verdict.PASS
    assert await run.settle() == "done"
    await undone(run)
    assert fields(engine, "dk-mem") == before
    assert kernel_limit(engine, "dk-mem") == 64 * MIB


async def undone(run: Run) -> None:
    async with eyes_of(run.around) as eyes:
        assert [guard.status.value for guard in await run.remediation.undo_guards(eyes, run.now())] == ["pass"]
    await run.undo()
    assert await verdict(run, run.remediation.undo_checks(run.now())) is Verdict.PASS


async def test_a_first_limit_cannot_be_taken_back_and_says_so(engine: DockerEngine) -> None:
    engine.run("dk-free", "sleep", "1000")
    run = await plan(around(engine), "docker.update_limits", "dk-free", {"memory": "64m"})
    assert (row(run.draft), cls(run.draft)) == ("I1 R2 D1 B1 L0 V0 U0 C0", 2)
    assert "only recreating" in run.draft.irreversible[0]
    assert run.remediation.undo(run.now()) == ()
    await run.steps()
    assert kernel_limit(engine, "dk-free") == 64 * MIB
    assert await verdict(run) is Verdict.PASS
    # What an undo would have to send: the engine says that all is well, and changes nothing.
    engine.docker("update", "--memory", "0", "--memory-swap", "0", "dk-free")
    assert engine.inspect("dk-free")["HostConfig"]["Memory"] == 64 * MIB


async def test_success_without_effect_is_not_verified(engine: DockerEngine) -> None:
    engine.run("dk-void", "sleep", "1000", options=("--memory", "64m"))
    run = await plan(around(engine, dwell=0.02), "docker.update_limits", "dk-void", {"memory": "128m"})
    assert await verdict(run) is Verdict.FAIL  # nothing was sent


async def test_processors_are_said_the_way_the_container_was_made(engine: DockerEngine) -> None:
    engine.run("dk-nano", "sleep", "1000", options=("--cpus", "0.5"))
    engine.run("dk-quota", "sleep", "1000", options=("--cpu-quota", "50000", "--cpu-period", "100000"))
    for name, key, value in (("dk-nano", "NanoCpus", 1_500_000_000), ("dk-quota", "CpuQuota", 150_000)):
        before = fields(engine, name)
        run = await plan(around(engine), "docker.update_limits", name, {"cpus": "1.5"})
        assert run.draft.data["body"] == {key: value}
        assert cls(run.draft) == 1
        await run.steps()
        assert await verdict(run) is Verdict.PASS
        await undone(run)
        assert fields(engine, name) == before


async def test_memory_and_processors_in_one_request(engine: DockerEngine) -> None:
    engine.run("dk-both", "sleep", "1000", options=("--memory", "64m", "--memory-swap", "-1", "--cpus", "0.5"))
    before = fields(engine, "dk-both")
    run = await plan(around(engine), "docker.update_limits", "dk-both", {"memory": "128m", "cpus": "1"})
    assert run.draft.data["body"] == {"Memory": 128 * MIB, "MemorySwap": -1, "NanoCpus": 1_000_000_000}
    await run.steps()
    assert await verdict(run) is Verdict.PASS
    await undone(run)
    assert fields(engine, "dk-both") == before


async def test_a_limit_near_or_below_what_is_in_use_is_refused(engine: DockerEngine) -> None:
    engine.run("dk-hungry", *HUNGRY, options=("--memory", "128m"))
    await until(engine, "dk-hungry", "eq .State.Running true")
    for _ in range(50):
        if "MiB" in engine.docker("stats", "--no-stream", "--format", "{{.MemUsage}}", "dk-hungry").split("/")[0]:
            break
    run = await plan(around(engine), "docker.update_limits", "dk-hungry", {"memory": "8m"})
    assert guard_of(run.draft, "not_below_use") == "fail"
    assert refusals(run.draft) == ["not_below_use"]
    lower = await plan(around(engine), "docker.update_limits", "dk-hungry", {"memory": "100m"})
    assert refusals(lower.draft) == []
    assert cls(lower.draft) == 3


async def test_more_than_the_host_has_is_refused(engine: DockerEngine) -> None:
    engine.run("dk-greedy", "sleep", "1000", options=("--memory", "64m"))
    run = await plan(around(engine), "docker.update_limits", "dk-greedy", {"memory": "900000g"})
    assert guard_of(run.draft, "host_headroom") == "fail"
    with pytest.raises(PlanError, match="processors"):
        await plan(around(engine), "docker.update_limits", "dk-greedy", {"cpus": "999"})


async def test_parameters_that_make_no_sense(engine: DockerEngine) -> None:
    engine.run("dk-odd", "sleep", "1000", options=("--memory", "64m"))
    for params in ({}, {"memory": "lots"}, {"memory": "1m"}, {"cpus": "-1"}, {"cpus": "nan"}, {"memory": "128m", "cpus": "1"}):
        with pytest.raises(PlanError):
            await plan(around(engine), "docker.update_limits", "dk-odd", params)
    with pytest.raises(NothingToDoError):
        await plan(around(engine), "docker.update_limits", "dk-odd", {"memory": "64m"})


async def test_what_the_engine_refuses_changes_nothing(engine: DockerEngine) -> None:
    engine.run("dk-no", "sleep", "1000", options=("--memory", "64m"))
    run = await plan(around(engine), "docker.update_limits", "dk-no", {"memory": "128m"})
    run.job.data["body"] = {"Memory": 256 * MIB}  # type: ignore[index] # as if swap had been forgotten
    with pytest.raises(StepError) as caught:
        await run.steps()
    assert "memoryswap" in caught.value.says
    assert engine.inspect("dk-no")["HostConfig"]["Memory"] == 64 * MIB


async def test_a_container_that_ran_out_of_memory_gets_more_and_stays_up(engine: DockerEngine) -> None:
    eats = ("sh", "-c", 'awk \'BEGIN { s = sprintf("%12000000s", "x"); t = s s; system("sleep 1000") }\'; exit $?')
    engine.run("dk-oom", *eats, options=("--memory", "16m", "--memory-swap", "16m", "--restart", "always"))
    await until(engine, "dk-oom", "ge .RestartCount 2")
    run = await plan(around(engine, dwell=0.1), "docker.update_limits", "dk-oom", {"memory": "256m"})
    await run.steps()
    await until(engine, "dk-oom", "and (eq .State.Running true) (eq .State.Restarting false)")
    assert await verdict(run) is Verdict.PASS
