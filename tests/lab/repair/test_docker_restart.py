"""Restarts on a real engine: what they need, what they cost, and that a return code is no success."""

from __future__ import annotations

import asyncio

import pytest

from debugtui.model.execution import Verdict
from debugtui.remediation import registry
from debugtui.remediation.base import PlanError, StaleError
from tests.lab.repair.dk_tools import around, cls, plan, refusals, row, target, until, verdict
from tests.lab.repair.pg_tools import eyes_of, guard_of
from tests.services.docker_engine import DockerEngine

HEALTH = ("--health-cmd", "test -e /tmp/well", "--health-interval", "1s", "--health-retries", "1")
WELL = ("sh", "-c", "echo hello from the log; echo well > /tmp/well; exec sleep 1000")


def compose(service: str, *more: str) -> tuple[str, ...]:
    labels = ("com.docker.compose.project=shop", f"com.docker.compose.service={service}", *more)
    return tuple(word for label in labels for word in ("--label", label))


@pytest.fixture
def engine(docker_engine: DockerEngine):  # type: ignore[no-untyped-def]
    yield docker_engine
    docker_engine.remove_all()


async def test_a_healthy_container_is_restarted_and_verified(engine: DockerEngine) -> None:
    engine.run("dk-api", *WELL, options=HEALTH)
    await until(engine, "dk-api", 'eq .State.Health.Status "healthy"')
    before = engine.inspect("dk-api")["State"]["StartedAt"]
    run = await plan(around(engine, dwell=0.1), "docker.restart", "dk-api")
    assert refusals(run.draft) == []
    logs = next(guard for guard in run.draft.guards if guard.name == "logs_read")
    assert "hello from the log" in logs.evidence
    assert "exit code 0" in logs.evidence
    done = await run.steps()
    assert "restarted" in done[0].says
    assert engine.inspect("dk-api")["State"]["StartedAt"] != before
    assert await verdict(run) is Verdict.PASS
    assert await run.settle() == "done"


async def test_the_risk_follows_who_else_serves(engine: DockerEngine) -> None:
    surroundings = around(engine)
    engine.run("shop-web-1", *WELL, options=(*HEALTH, *compose("web")))
    engine.run(
        "shop-front-1", "sleep", "1000", options=compose("front", "com.docker.compose.depends_on=db:service_started:false,web")
    )
    await until(engine, "shop-web-1", 'eq .State.Health.Status "healthy"')
    sole = await plan(surroundings, "docker.restart", "shop-web-1")
    assert (row(sole.draft), cls(sole.draft)) == ("I3 R2 D1 B2 L0 V0 U0 C0", 3)
    dependants = next(guard for guard in sole.draft.guards if guard.name == "dependants")
    assert "shop-front-1 (depends_on)" in dependants.why
    engine.run("shop-web-2", *WELL, options=(*HEALTH, *compose("web")))
    await until(engine, "shop-web-2", 'eq .State.Health.Status "healthy"')
    twin = await plan(surroundings, "docker.restart", "shop-web-1")
    assert (row(twin.draft), cls(twin.draft)) == ("I2 R2 D1 B1 L0 V0 U0 C0", 2)
    engine.remove("shop-web-2")
    engine.docker("exec", "shop-web-1", "sh", "-c", "busybox rm /tmp/well")
    await until(engine, "shop-web-1", 'eq .State.Health.Status "unhealthy"')
    failing = await plan(surroundings, "docker.restart", "shop-web-1")
    assert (row(failing.draft), cls(failing.draft)) == ("I1 R2 D1 B2 L0 V0 U0 C0", 2)
    unseen = await plan(surroundings, "docker.restart", "shop-front-1")
    assert row(unseen.draft) == "I3 R2 D1 B2 L0 V2 U0 C0"


async def test_a_restart_that_only_starts_the_loop_again_is_not_verified(engine: DockerEngine) -> None:
    engine.run("dk-loop", "sh", "-c", "echo dying; exit 3", options=("--restart", "on-failure:3"))
    await until(engine, "dk-loop", 'and (eq .State.Status "exited") (eq .RestartCount 3)')
    run = await plan(around(engine, dwell=0.1), "docker.restart", "dk-loop")
    assert "dying" in next(guard for guard in run.draft.guards if guard.name == "logs_read").evidence
    await run.steps()  # the engine says that all is well
    assert await verdict(run) is Verdict.FAIL


async def test_a_loop_that_goes_on_while_it_is_planned_is_the_same_target(engine: DockerEngine) -> None:
    engine.run("dk-round", "sh", "-c", "exit 3", options=("--restart", "always"))
    await until(engine, "dk-round", "ge .RestartCount 1")
    run = await plan(around(engine), "docker.restart", "dk-round")
    first = engine.inspect("dk-round")["RestartCount"]
    await until(engine, "dk-round", f"gt .RestartCount {first}")
    again = await plan(around(engine), "docker.restart", "dk-round")
    assert again.draft.identity == run.draft.identity
    assert again.draft.data == run.draft.data
    assert row(again.draft) == "I1 R2 D1 B2 L0 V2 U0 C0"
    assert "docker.recreate" in [way.remediation for way in again.draft.mitigations]


async def test_what_was_restarted_by_somebody_else_is_refused(engine: DockerEngine) -> None:
    engine.run("dk-moved", "sleep", "1000")
    run = await plan(around(engine), "docker.restart", "dk-moved")
    await asyncio.to_thread(engine.docker, "restart", "-t", "0", "dk-moved")
    after = engine.inspect("dk-moved")["State"]["StartedAt"]
    with pytest.raises(StaleError):
        await run.steps()
    assert engine.inspect("dk-moved")["State"]["StartedAt"] == after
    run = await plan(around(engine), "docker.restart", "dk-moved")
    engine.remove("dk-moved")
    engine.run("dk-moved", "sleep", "1000")
    with pytest.raises(StaleError):
        await run.steps()


async def test_what_vanishes_when_it_ends_and_what_is_frozen_are_refused(engine: DockerEngine) -> None:
    engine.run("dk-rm", "sleep", "1000", options=("--rm",))
    run = await plan(around(engine), "docker.restart", "dk-rm")
    assert refusals(run.draft) == ["not_auto_remove"]
    engine.run("dk-ice", "sleep", "1000")
    engine.docker("pause", "dk-ice")
    run = await plan(around(engine), "docker.restart", "dk-ice")
    assert refusals(run.draft) == ["not_paused"]


async def test_a_log_that_cannot_be_read_raises_the_risk(engine: DockerEngine) -> None:
    engine.run("dk-mute", "sleep", "1000", options=("--log-driver", "none"))
    run = await plan(around(engine), "docker.restart", "dk-mute")
    assert guard_of(run.draft, "logs_read") == "unknown"
    assert "U2" in row(run.draft)
    assert refusals(run.draft) == []


async def test_names_and_beginnings_of_ids(engine: DockerEngine) -> None:
    engine.run("dk-named", "sleep", "1000")
    identity = engine.identity("dk-named")
    run = await plan(around(engine), "docker.restart", identity[:12])
    assert run.draft.target == target("dk-named")
    entry = registry.get("docker.restart")
    async with eyes_of(around(engine)) as eyes:
        for wrong in ("dk-nam", identity[:3], "dk-named/x", "../info", ""):
            with pytest.raises(PlanError):
                await entry.draft(eyes, target(wrong), {})


async def test_secrets_and_hostile_text_of_the_log_stay_out_of_the_plan(engine: DockerEngine) -> None:
    engine.run("dk-leaky", "sh", "-c", r"printf 'password=hunter2secret \033[31mred\033[0m\n'; exec sleep 1000")
    run = await plan(around(engine), "docker.restart", "dk-leaky")
    text = repr(run.draft)
    assert "hunter2secret" not in text
    assert "\x1b" not in text
    assert "•••" in text
