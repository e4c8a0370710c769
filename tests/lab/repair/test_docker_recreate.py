"""Recreating containers on a real engine: what is copied, what is new, what comes back, and that no secret is written down."""

from __future__ import annotations

import asyncio
import json
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from debugtui.config.redaction import forget_all
from debugtui.model.execution import State
from debugtui.remediation.base import NothingToDoError, PlanError, StaleError
from tests.lab.repair.dk_desk import docker_lab
from tests.lab.repair.dk_tools import around, cls, plan, refusals, row, until
from tests.lab.repair.pg_tools import guard_of
from tests.services.docker_engine import IMAGE, DockerEngine

LOOPING = ("sh", "-c", 'test -n "$GOOD" && exec sleep 1000; exit 3')
OTHER = "lab/other:2"
HEALTH = ("--health-cmd", "test -e /tmp/well", "--health-interval", "1s", "--health-retries", "1")


@pytest.fixture
def engine(docker_engine: DockerEngine) -> Iterator[DockerEngine]:
    yield docker_engine
    docker_engine.remove_all()
    forget_all()


@pytest.fixture
def other_image(engine: DockerEngine) -> str:
    """Another image, with defaults of its own."""
    engine.docker("create", "--name", "dk-base", IMAGE, "true")
    changes = ('CMD ["sleep", "2000"]', "ENV MODE=green FLAVOUR=two", "LABEL generation=2", "WORKDIR /tmp")
    engine.docker("commit", *(word for change in changes for word in ("--change", change)), "dk-base", OTHER)
    engine.remove("dk-base")
    return OTHER


def fields(engine: DockerEngine, name: str) -> dict[str, Any]:
    """Every field that was configured, and none that moves."""
    found = engine.inspect(name)
    moving = ("NetworkID", "EndpointID", "Gateway", "IPAddress", "IPPrefixLen", "MacAddress")
    networks = {
        key: {part: one for part, one in value.items() if part not in moving}
        for key, value in found["NetworkSettings"]["Networks"].items()
    }
    kept = {key: found[key] for key in ("Id", "Name", "Config", "HostConfig", "Image", "Path", "Args")}
    kept["Mounts"] = sorted(found["Mounts"], key=lambda mount: str(mount["Destination"]))  # the engine keeps no order of them
    return {**kept, "Networks": networks, "Running": found["State"]["Running"]}


def names(engine: DockerEngine) -> set[str]:
    return set(engine.docker("ps", "-a", "--format", "{{.Names}}").split())


async def test_a_crash_loop_is_mended_and_the_old_container_is_kept(engine: DockerEngine, tmp_path: Path) -> None:
    engine.run("dk-api", *LOOPING, options=("--restart", "always", "-v", "/data"))
    await until(engine, "dk-api", "ge .RestartCount 1")
    before = engine.inspect("dk-api")
    async with docker_lab(engine, tmp_path) as lab:
        made = await lab.plan("recreate", "dk-api", env__GOOD="1")
        assert made.risk.cls == 2
        assert made.refusals == ()
        done = await lab.apply(made)
        assert (done.state, done.side_effects) == (State.VERIFIED, ()), done.says
        now = engine.inspect("dk-api")
        assert now["Id"] != before["Id"]
        assert now["State"]["Running"]
        assert now["RestartCount"] == 0
        assert "GOOD=1" in now["Config"]["Env"]
        assert now["HostConfig"]["RestartPolicy"] == before["HostConfig"]["RestartPolicy"]
        assert [one["Name"] for one in now["Mounts"]] == [one["Name"] for one in before["Mounts"]]
        assert now["Config"]["Labels"]["debugtui.plan"] == made.id
        parked = next(name for name in names(engine) if name.startswith("dk-api-old-"))
        old = engine.inspect(parked)
        assert (old["Id"], old["State"]["Running"]) == (before["Id"], False)
        assert old["HostConfig"]["RestartPolicy"]["Name"] == "no"  # an engine that starts anew does not start it
        back = await lab.back(done)
        assert back.state is State.ROLLED_BACK, back.says
    after = engine.inspect("dk-api")
    assert (after["Id"], after["HostConfig"], after["Config"]) == (before["Id"], before["HostConfig"], before["Config"])
    assert names(engine) == {"dk-api"}


async def test_a_fix_that_does_not_hold_is_rolled_back_field_by_field(engine: DockerEngine, tmp_path: Path) -> None:
    options = (
        "--restart",
        "on-failure:99",
        "-v",
        "/data",
        "-v",
        "dk-named:/more:ro",
        "--memory",
        "64m",
        "--ulimit",
        "nofile=99:99",
    )
    engine.run("dk-bad", *LOOPING, options=(*options, "-e", "MODE=blue"))
    await until(engine, "dk-bad", "ge .RestartCount 1")
    before = fields(engine, "dk-bad")
    async with docker_lab(engine, tmp_path) as lab:
        done = await lab.run("recreate", "dk-bad", env__OTHER="1")
    assert done.state is State.ROLLED_BACK, done.says
    assert fields(engine, "dk-bad") == before
    assert names(engine) == {"dk-bad"}


async def test_a_healthy_container_comes_back_when_the_new_one_cannot_even_start(
    engine: DockerEngine, other_image: str, tmp_path: Path
) -> None:
    engine.run("dk-fine", "sleep", "1000", options=("--restart", "unless-stopped", "-v", "/data"))
    before = fields(engine, "dk-fine")
    engine.docker("create", "--name", "dk-base", IMAGE, "true")
    engine.docker("commit", "--change", 'ENTRYPOINT ["/no/such/program"]', "dk-base", "lab/broken:1")
    engine.remove("dk-base")
    async with docker_lab(engine, tmp_path) as lab:
        done = await lab.run("recreate", "dk-fine", image="lab/broken:1")
    assert done.state is State.ROLLED_BACK, done.says
    assert "/no/such/program" in done.says
    assert fields(engine, "dk-fine") == before


async def test_a_new_image_gives_its_own_defaults_and_what_was_said_stays(
    engine: DockerEngine, other_image: str, tmp_path: Path
) -> None:
    engine.docker("create", "--name", "dk-base", IMAGE, "true")
    engine.docker("commit", "--change", 'CMD ["sleep", "1000"]', "--change", "ENV MODE=blue OLD=1", "dk-base", "lab/first:1")
    engine.remove("dk-base")
    engine.docker(
        "run", "-d", "--name", "dk-plain", "--network", "none", "-e", "OWN=kept", "--label", "team=blue", "lab/first:1"
    )
    engine.docker("run", "-d", "--name", "dk-said", "--network", "none", "-e", "MODE=red", "lab/first:1", "sleep", "3000")
    async with docker_lab(engine, tmp_path) as lab:
        for name in ("dk-plain", "dk-said"):
            done = await lab.run("recreate", name, image=other_image)
            assert done.state is State.VERIFIED, done.says
    plain, said = engine.inspect("dk-plain")["Config"], engine.inspect("dk-said")["Config"]
    assert plain["Cmd"] == ["sleep", "2000"]
    assert plain["WorkingDir"] == "/tmp"
    assert {"OWN=kept", "MODE=green", "FLAVOUR=two"} <= set(plain["Env"])
    assert "OLD=1" not in plain["Env"]
    assert (plain["Labels"]["team"], plain["Labels"]["generation"]) == ("blue", "2")
    assert said["Cmd"] == ["sleep", "3000"]
    assert {"MODE=red", "FLAVOUR=two"} <= set(said["Env"])
    assert plain["Image"] == said["Image"] == other_image


async def test_everything_else_is_as_it_was(engine: DockerEngine, tmp_path: Path) -> None:
    options = (
        "-v", "/data", "-v", "dk-named:/more:ro", "--mount", "type=volume,target=/third", "--tmpfs", "/scratch:size=1m",
        "--memory", "64m", "--cpus", "0.5", "--ulimit", "nofile=99:99", "--hostname", "api.lab", "--label", "team=blue",
        "--cap-drop", "NET_RAW", "--read-only", "--user", "65534", "--stop-signal", "USR1", "-w", "/tmp", "--dns", "192.0.2.1",
        "--add-host", "db:192.0.2.7", "--pids-limit", "50", "--log-opt", "max-size=1m", *HEALTH,
    )  # fmt: skip
    engine.run("dk-rich", "sh", "-c", "sleep 1000", options=options, network="none")
    engine.docker("exec", "-u", "0", "dk-rich", "sh", "-c", "true")
    before = engine.inspect("dk-rich")
    run = await plan(around(engine), "docker.recreate", "dk-rich", {"env.MODE": "blue"})
    await run.steps()
    after = engine.inspect("dk-rich")
    binds = after["HostConfig"].pop("Binds")
    mounts = after["HostConfig"].pop("Mounts")
    assert "dk-named:/more:ro" in binds
    assert before["HostConfig"].pop("Binds") != binds  # the volumes without a name are said by name
    assert mounts[0]["Source"] == next(one["Name"] for one in before["Mounts"] if one["Destination"] == "/third")
    del before["HostConfig"]["Mounts"]
    assert after["HostConfig"] == before["HostConfig"]
    volumes = [{one["Destination"]: one.get("Name") for one in found["Mounts"]} for found in (before, after)]
    assert volumes[0] == volumes[1]
    for found in (before, after):
        found["Config"].pop("Volumes", None)
    labels = {key: value for key, value in after["Config"]["Labels"].items() if not key.startswith("debugtui.")}
    assert {**after["Config"], "Labels": labels} == {**before["Config"], "Env": ["MODE=blue"]}


async def test_secrets_are_copied_and_never_written_down(
    engine: DockerEngine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NEW_TOKEN", "correct-horse-battery")
    file = tmp_path / "password"
    file.write_text("staple-from-a-file\n")
    secrets = ("-e", "DB_PASSWORD=hunter2secret", "-e", "API_TOKEN=oldtokenvalue", "-e", "URL=postgres://u:pa55word@db/x")
    engine.run("dk-secret", "sleep", "1000", options=secrets)
    params = {"env.API_TOKEN": "@env:NEW_TOKEN", "env.MAIL_PASSWORD": f"@file:{file}", "env.MODE": "blue"}
    async with docker_lab(engine, tmp_path) as lab:
        made = await lab.desk.plan(
            "docker.recreate", (await plan(around(engine), "docker.recreate", "dk-secret", params)).draft.target, params
        )
        text = json.dumps(made.to_json())
        assert "API_TOKEN" in text
        diff = made.diff[0]
        assert diff.before != diff.after
        done = await lab.apply(made)
        assert done.state is State.VERIFIED, done.says
        back = await lab.back(done)
        assert back.state is State.ROLLED_BACK, back.says
    written = b"".join(path.read_bytes() for path in (tmp_path / "desk").rglob("*") if path.is_file())
    for secret in ("hunter2secret", "oldtokenvalue", "pa55word", "correct-horse-battery", "staple-from-a-file"):
        assert secret not in text
        assert secret.encode() not in written
        assert secret not in repr(lab.told)


async def test_read_secrets_really_reach_the_new_container(
    engine: DockerEngine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NEW_TOKEN", "correct-horse-battery")
    engine.run("dk-set", "sleep", "1000", options=("-e", "DB_PASSWORD=hunter2secret"))
    run = await plan(around(engine), "docker.recreate", "dk-set", {"env.API_TOKEN": "@env:NEW_TOKEN", "env.EMPTY": ""})
    assert "correct-horse-battery" not in repr(run.draft) + run.remediation.steps(run.now())[0].command
    await run.steps()
    env = set(engine.inspect("dk-set")["Config"]["Env"])
    assert {"API_TOKEN=correct-horse-battery", "DB_PASSWORD=hunter2secret", "EMPTY="} <= env
    await run.undo()
    run = await plan(around(engine), "docker.recreate", "dk-set", {"env.API_TOKEN": "@env:NEW_TOKEN"})
    monkeypatch.setenv("NEW_TOKEN", "another-horse-battery")
    with pytest.raises(StaleError) as caught:
        await run.steps()
    assert "another value" in caught.value.says
    assert names(engine) == {"dk-set"}


async def test_a_secret_in_plain_sight_and_an_image_that_is_not_there_are_refused(engine: DockerEngine) -> None:
    engine.run("dk-ref", "sleep", "1000", options=("-e", "MODE=blue"))
    surroundings = around(engine)
    wrong = {
        "env.DB_PASSWORD": "hunter2secret", "env.URL": "postgres://u:hunter2secret@db/x", "env.A B": "x", "image": "no/such:1",
        "watch_s": "soon", "env.X_TOKEN": "@env:NO_SUCH_VARIABLE", "env.Y": "@file:/no/such/file",
    }  # fmt: skip
    for name, value in wrong.items():
        with pytest.raises(PlanError) as caught:
            await plan(surroundings, "docker.recreate", "dk-ref", {name: value})
        assert "hunter2secret" not in str(caught.value)
        if name == "image":
            assert "docker pull" in str(caught.value)
        if name == "env.DB_PASSWORD":
            assert "@env:NAME" in str(caught.value)
    with pytest.raises(NothingToDoError):
        await plan(surroundings, "docker.recreate", "dk-ref", {"env.MODE": "blue"})


async def test_what_cannot_be_recreated_is_refused(engine: DockerEngine, other_image: str) -> None:
    surroundings = around(engine)
    engine.run("dk-rm", "sleep", "1000", options=("--rm",))
    engine.run("dk-swarm", "sleep", "1000", options=("--label", "com.docker.swarm.service.id=x"))
    engine.run("dk-net", "sleep", "1000")
    engine.run("dk-lodger", "sleep", "1000", network=f"container:{engine.identity('dk-net')}")
    for name, guard in (("dk-rm", "not_auto_remove"), ("dk-swarm", "not_managed"), ("dk-net", "network_shared")):
        run = await plan(surroundings, "docker.recreate", name, {"env.MODE": "blue"})
        assert refusals(run.draft) == [guard]
    engine.docker("tag", IMAGE, "postgres:15")
    engine.docker("run", "-d", "--name", "dk-pg", "--network", "none", "-v", "dk-pgdata:/data", "postgres:15", "sleep", "1000")
    run = await plan(surroundings, "docker.recreate", "dk-pg", {"image": other_image})
    assert run.draft.stop
    assert cls(run.draft) == 4
    run = await plan(surroundings, "docker.recreate", "dk-pg", {"env.MODE": "blue"})
    assert not run.draft.stop
    assert row(run.draft) == "I3 R2 D1 B2 L0 V2 U0 C0"


async def test_a_setting_that_changed_since_is_stale_and_nothing_is_left(engine: DockerEngine, other_image: str) -> None:
    engine.run("dk-drift", "sleep", "1000", options=("--memory", "64m"))
    run = await plan(around(engine), "docker.recreate", "dk-drift", {"image": other_image})
    engine.docker("update", "--memory", "32m", "dk-drift")
    with pytest.raises(StaleError):
        await run.steps()
    run = await plan(around(engine), "docker.recreate", "dk-drift", {"image": other_image})
    engine.docker("tag", IMAGE, OTHER)
    with pytest.raises(StaleError):
        await run.steps()
    assert names(engine) == {"dk-drift"}


async def test_a_crash_after_each_step_is_settled_by_looking_and_undone(engine: DockerEngine, tmp_path: Path) -> None:
    engine.run("dk-cut", "sleep", "1000", options=("--restart", "always"))
    before = fields(engine, "dk-cut")
    for done in range(1, 5):
        run = await plan(
            around(engine), "docker.recreate", "dk-cut", {"env.MODE": "blue"}, number=f"pln_01KAHFGXYQ7Z8W5V4T3S2R1QP{done}"
        )
        assert [await run.settle(number) for number in (1, 2, 3)] == ["not_done", "not_done", "not_done"]
        for number, step in enumerate(run.remediation.steps(run.now())[:done], 1):
            await run.step(step, str(number))
            assert await run.settle(number) == "done"
        await run.undo()
        await run.undo()  # twice is no harm
        assert fields(engine, "dk-cut") == before


@pytest.mark.parametrize("program", ["docker", "curl"])
async def test_the_host_brings_the_old_container_back_by_itself(engine: DockerEngine, program: str) -> None:
    engine.run("dk-dead", "sleep", "1000", options=("--restart", "on-failure:7", "-v", "/data"))
    before = fields(engine, "dk-dead")
    for done in (2, 3, 4):
        number = f"pln_01KAHFGXYQ7Z8W5V4T3S2R1QD{done}"
        run = await plan(around(engine), "docker.recreate", "dk-dead", {"env.MODE": "blue"}, number=number)
        assert guard_of(run.draft, "dead_man") == "pass"
        assert run.draft.data["revert_by"] == "docker"
        run.job.data["revert_by"] = program  # type: ignore[index] # the host has both
        steps = run.remediation.steps(run.now())
        for at, step in enumerate(steps[:done], 1):
            await run.step(step, str(at))
        dead_man = steps[1].dead_man
        assert dead_man is not None
        fired = await asyncio.to_thread(subprocess.run, dead_man.argv, capture_output=True, timeout=60, text=True)
        assert fired.returncode == 0, fired.stderr
        assert fields(engine, "dk-dead") == before
        assert names(engine) == {"dk-dead"}
    again = await asyncio.to_thread(subprocess.run, dead_man.argv, capture_output=True, timeout=60, text=True)
    assert again.returncode == 0, again.stderr
    assert fields(engine, "dk-dead") == before


async def test_on_demand_it_is_not_taken_back_over_somebody_elses_container(engine: DockerEngine, tmp_path: Path) -> None:
    engine.run("dk-later", "sleep", "1000")
    async with docker_lab(engine, tmp_path) as lab:
        done = await lab.run("recreate", "dk-later", env__MODE="blue")
        assert done.state is State.VERIFIED, done.says
        engine.remove("dk-later")
        engine.run("dk-later", "sleep", "3000")
        identity = engine.identity("dk-later")
        refused = await lab.back(done)
        assert refused.state is State.REFUSED or "made anew" in refused.says
        assert engine.identity("dk-later") == identity


async def test_networks_addresses_and_aliases_are_the_same(engine: DockerEngine) -> None:
    engine.docker("network", "create", "--internal", "--subnet", "10.99.7.0/24", "dk-front")
    engine.docker("network", "create", "--internal", "--subnet", "10.99.8.0/24", "dk-back")
    try:
        options = ("--network-alias", "api", "--ip", "10.99.7.9")
        engine.run("dk-net", "sleep", "1000", network="dk-front", options=options)
        engine.docker("network", "connect", "--alias", "store", "--ip", "10.99.8.9", "dk-back", "dk-net")
        before = engine.inspect("dk-net")
        run = await plan(around(engine), "docker.recreate", "dk-net", {"env.MODE": "blue"})
        await run.steps()
        after = engine.inspect("dk-net")
        told = []
        for found in (before, after):
            networks = found["NetworkSettings"]["Networks"]
            told.append(
                {
                    name: (
                        one["IPAddress"],
                        one["IPAMConfig"],
                        [alias for alias in one["Aliases"] if alias != found["Id"][:12]],
                    )
                    for name, one in networks.items()
                }
            )
        assert told[0] == told[1]
        assert told[1]["dk-front"] == ("10.99.7.9", {"IPv4Address": "10.99.7.9"}, ["api"])
        await run.undo()
        assert fields(engine, "dk-net") == {**fields(engine, "dk-net"), "Id": before["Id"]}
        assert engine.inspect("dk-net")["NetworkSettings"]["Networks"]["dk-back"]["IPAddress"] == "10.99.8.9"
    finally:
        engine.remove_all()
        engine.docker("network", "rm", "dk-front", "dk-back")
