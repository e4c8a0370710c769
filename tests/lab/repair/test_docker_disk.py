"""Disk space given back on a real engine: runaway logs emptied with their tail saved, and images that nothing names or uses."""

from __future__ import annotations

import gzip
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from debugtui.model.execution import State, Verdict
from debugtui.model.target import Target
from debugtui.remediation import registry
from debugtui.remediation.base import NothingToDoError, PlanError, StaleError
from tests.lab.repair.dk_desk import docker_lab
from tests.lab.repair.dk_tools import HOST, around, cls, plan, refusals, row, until, verdict
from tests.lab.repair.pg_tools import drafted, guard_of
from tests.services.docker_engine import IMAGE, DockerEngine

#: Writes 20,000 numbered lines, and then a line every second.
CHATTY = ("sh", "-c", "seq 1 20000; while :; do echo tick; sleep 1; done")


@pytest.fixture
def engine(docker_engine: DockerEngine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[DockerEngine]:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "host-state"))
    yield docker_engine
    docker_engine.remove_all()


def log_of(engine: DockerEngine, name: str) -> Path:
    return Path(engine.inspect(name)["LogPath"])


async def test_a_log_is_emptied_while_it_grows_and_its_tail_is_saved(engine: DockerEngine, tmp_path: Path) -> None:
    engine.run("dk-chatty", *CHATTY)
    await until(engine, "dk-chatty", "eq .State.Running true")
    while "20000" not in engine.docker("logs", "--tail", "3", "dk-chatty"):
        pass
    began = engine.inspect("dk-chatty")["State"]["StartedAt"]
    async with docker_lab(engine, tmp_path) as lab:
        made = await lab.plan("truncate_log", "dk-chatty")
        assert (made.risk.cls, made.refusals, made.rollback) == (2, (), ())
        done = await lab.apply(made)
        assert done.state is State.VERIFIED, done.says
    saved = list((tmp_path / "host-state" / "debugtui" / "logs").iterdir())
    assert [path.name.startswith("dk-chatty-") for path in saved] == [True]
    assert b'"log":"20000\\n"' in gzip.decompress(saved[0].read_bytes())
    assert saved[0].stat().st_mode & 0o077 == 0
    assert engine.inspect("dk-chatty")["State"]["StartedAt"] == began
    assert "20000" not in engine.docker("logs", "dk-chatty")


async def test_the_risk_of_emptying_a_log(engine: DockerEngine) -> None:
    engine.run("dk-log", *CHATTY)
    kept = await plan(around(engine), "docker.truncate_log", "dk-log")
    assert (row(kept.draft), cls(kept.draft)) == ("I0 R4 D1 B1 L0 V0 U0 C0", 2)
    lost = await plan(around(engine), "docker.truncate_log", "dk-log", {"save": "no"})
    assert (row(lost.draft), cls(lost.draft)) == ("I0 R4 D2 B1 L0 V0 U0 C0", 3)
    assert len(lost.remediation.steps(lost.now())) == 1
    await lost.steps()
    assert await verdict(lost) is Verdict.PASS


async def test_other_drivers_links_and_swapped_files_are_refused(engine: DockerEngine, tmp_path: Path) -> None:
    surroundings = around(engine)
    engine.run("dk-local", "echo", "hello", options=("--log-driver", "local"))
    run = await plan(surroundings, "docker.truncate_log", "dk-local")
    assert "json_file" in refusals(run.draft)
    engine.run("dk-swap", *CHATTY)
    log = log_of(engine, "dk-swap")
    run = await plan(surroundings, "docker.truncate_log", "dk-swap")
    elsewhere = tmp_path / "precious"
    elsewhere.write_text("do not empty me")
    log.rename(log.with_suffix(".away"))
    os.symlink(elsewhere, log)
    linked = await plan(surroundings, "docker.truncate_log", "dk-swap")
    assert guard_of(linked.draft, "regular_file") == "fail"
    with pytest.raises(StaleError):
        await run.step(run.remediation.steps(run.now())[1], "2")
    log.unlink()
    log.write_text("another file")
    with pytest.raises(StaleError):
        await run.step(run.remediation.steps(run.now())[1], "3")
    assert (elsewhere.read_text(), log.read_text()) == ("do not empty me", "another file")
    with pytest.raises(PlanError):
        await plan(surroundings, "docker.truncate_log", "dk-swap", {"save": "perhaps"})


async def test_an_empty_log_needs_no_plan(engine: DockerEngine) -> None:
    engine.run("dk-quiet", "sleep", "1000")
    with pytest.raises(NothingToDoError):
        await plan(around(engine), "docker.truncate_log", "dk-quiet")


def dangling(engine: DockerEngine, text: str, size: int) -> str:
    """Make an image without a name, of a layer of that size."""
    engine.docker(
        "run",
        "--name",
        "dk-build",
        "--network",
        "none",
        IMAGE,
        "sh",
        "-c",
        f"head -c {size} /dev/zero | tr '\\0' {text} > /big",
    )
    identity = engine.docker("commit", "dk-build")
    engine.remove("dk-build")
    return identity


async def test_images_without_a_name_go_and_those_in_use_stay(engine: DockerEngine, tmp_path: Path) -> None:
    first, second = dangling(engine, "a", 3_000_000), dangling(engine, "b", 2_000_000)
    engine.docker("create", "--name", "dk-api-old-abc", "--network", "none", second, "true")
    async with docker_lab(engine, tmp_path) as lab:
        made = await lab.plan("prune_images", "")
        assert (made.risk.cls, made.refusals) == (2, ())
        assert made.facts["images"] == [first]
        assert 2_900_000 < int(str(made.facts["bytes"])) < 3_100_000
        done = await lab.apply(made)
        assert done.state is State.VERIFIED, done.says
    left = engine.docker("images", "-aq", "--no-trunc").split()
    assert first not in left
    assert {second} < set(left)
    with pytest.raises(NothingToDoError):
        await drafted(registry.get("docker.prune_images"), around(engine), {}, Target(HOST, "docker"))
    engine.remove("dk-api-old-abc")
    engine.docker("rmi", second)


async def test_an_image_that_is_used_or_named_by_now_stays(engine: DockerEngine) -> None:
    identity = dangling(engine, "c", 1_000_000)
    entry = registry.get("docker.prune_images")
    run = await drafted(entry, around(engine), {}, Target(HOST, "docker"))
    assert await run.settle() == "not_done"
    engine.docker("tag", identity, "lab/named:1")
    with pytest.raises(StaleError):
        await run.steps()
    engine.docker("rmi", "lab/named:1")
    with pytest.raises(PlanError):
        await drafted(entry, around(engine), {}, Target(HOST, "docker", "api"))
