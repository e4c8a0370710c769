"""A service changed through the real docker-compose on a real engine: one service, one file, and both back."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from debugtui.model.execution import State
from debugtui.remediation.base import NothingToDoError, PlanError, StaleError
from tests.lab.repair.dk_desk import docker_lab
from tests.lab.repair.dk_tools import around, plan, refusals
from tests.lab.repair.pg_tools import PrefixLink, guard_of
from tests.services.docker_engine import IMAGE, DockerEngine

FILE = f"""version: "3"
services:
  web:
    image: {IMAGE}
    command: sleep 1000
    network_mode: none
    stop_grace_period: 1s
    environment:
      MODE: blue
      DB_PASSWORD: hunter2secret
  db:
    image: {IMAGE}
    command: sleep 1000
    network_mode: none
    stop_grace_period: 1s
"""


@dataclass(frozen=True)
class Shop:
    """A project that runs."""

    engine: DockerEngine
    folder: Path

    @property
    def file(self) -> Path:
        return self.folder / "docker-compose.yml"

    def corrected(self, old: str, new: str) -> str:
        path = self.folder.parent / "corrected.yml"
        path.write_text(FILE.replace(old, new, 1))
        return str(path)

    def env(self, service: str) -> list[str]:
        return list(self.engine.inspect(f"shop_{service}_1")["Config"]["Env"])


@pytest.fixture
def shop(docker_engine: DockerEngine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Shop]:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "host-state"))
    found = Shop(docker_engine, tmp_path / "shop")
    found.folder.mkdir()
    found.file.write_text(FILE)
    found.file.chmod(0o640)
    assert shutil.which("docker-compose"), "docker-compose is missing: apt install docker-compose"
    environment = {**os.environ, "DOCKER_HOST": docker_engine.url}
    subprocess.run(
        ["docker-compose", "up", "-d"], cwd=found.folder, env=environment, check=True, capture_output=True, timeout=60
    )
    yield found
    docker_engine.remove_all()


async def test_one_service_is_made_anew_and_taken_back(shop: Shop, tmp_path: Path) -> None:
    others = shop.engine.inspect("shop_db_1")["Id"], shop.engine.inspect("shop_db_1")["State"]["StartedAt"]
    async with docker_lab(shop.engine, tmp_path, dwell=0.1) as lab:
        made = await lab.plan("compose_up", "shop_web_1", file=shop.corrected("blue", "green"))
        assert made.refusals == ()
        assert "--no-deps --no-build" in made.steps[1].command
        assert "hunter2secret" not in str(made.to_json())
        done = await lab.apply(made)
        assert done.state is State.VERIFIED, done.says
        assert "MODE=green" in shop.env("web")
        assert "green" in shop.file.read_text()
        assert shop.file.stat().st_mode & 0o777 == 0o640
        back = await lab.back(done)
        assert back.state is State.ROLLED_BACK, back.says
    assert shop.file.read_text() == FILE
    assert "MODE=blue" in shop.env("web")
    assert (shop.engine.inspect("shop_db_1")["Id"], shop.engine.inspect("shop_db_1")["State"]["StartedAt"]) == others


async def test_a_change_that_does_not_hold_is_taken_back_by_itself(shop: Shop, tmp_path: Path) -> None:
    async with docker_lab(shop.engine, tmp_path, dwell=0.1) as lab:
        done = await lab.run("compose_up", "shop_web_1", file=shop.corrected("sleep 1000", "sleep 0.3"), service="web")
    assert done.state is State.ROLLED_BACK, done.says
    assert shop.file.read_text() == FILE
    assert shop.engine.inspect("shop_web_1")["State"]["Running"]
    assert shop.engine.inspect("shop_web_1")["Config"]["Cmd"] == ["sleep", "1000"]


async def test_what_touches_more_than_one_service_is_refused(shop: Shop) -> None:
    surroundings = around(shop.engine)
    wrong = {
        "one_service": FILE.replace("sleep 1000", "sleep 2000"),
        "renders": FILE + "   nonsense: [",
        "image_local": FILE.replace(IMAGE, "no/such:1", 1),
    }
    for guard, text in wrong.items():
        path = shop.folder.parent / "wrong.yml"
        path.write_text(text)
        run = await plan(surroundings, "docker.compose_up", "shop_web_1", {"file": str(path)})
        assert guard in refusals(run.draft), guard
    path.write_text(FILE + "volumes:\n  more: {}\n")
    run = await plan(surroundings, "docker.compose_up", "shop_web_1", {"file": str(path)})
    assert guard_of(run.draft, "one_service") == "fail"


async def test_a_file_that_changed_since_is_stale(shop: Shop) -> None:
    corrected = shop.corrected("blue", "green")
    run = await plan(around(shop.engine), "docker.compose_up", "shop_web_1", {"file": corrected})
    shop.file.write_text(FILE + "# by somebody else\n")
    with pytest.raises(StaleError):
        await run.step(run.remediation.steps(run.now())[0], "1")
    shop.file.write_text(FILE)
    Path(corrected).write_text(FILE.replace("blue", "red"))
    with pytest.raises(StaleError):
        await run.step(run.remediation.steps(run.now())[0], "2")
    assert shop.file.read_text() == FILE
    assert await run.settle(1) == "not_done"
    assert await run.settle(2) == "done"  # the service is as the file says: nothing was changed


async def test_what_compose_did_not_make_and_a_host_without_compose(shop: Shop, tmp_path: Path) -> None:
    shop.engine.run("dk-alone", "sleep", "1000")
    corrected = shop.corrected("blue", "green")
    for name, params in (
        ("dk-alone", {"file": corrected}),
        ("shop_web_1", {"file": "/no/such/file"}),
        ("shop_web_1", {"file": corrected, "service": "db"}),
    ):
        with pytest.raises(PlanError):
            await plan(around(shop.engine), "docker.compose_up", name, params)
    with pytest.raises(NothingToDoError):
        await plan(around(shop.engine), "docker.compose_up", "shop_web_1", {"file": str(shop.file)})
    bare = tmp_path / "bin"
    bare.mkdir()
    for program in ("sh", "cat", "test", "env"):
        found = shutil.which(program)
        assert found is not None
        (bare / program).symlink_to(found)
    link = PrefixLink(prefix=("env", f"PATH={bare}"))
    run = await plan(around(shop.engine, link=link), "docker.compose_up", "shop_web_1", {"file": corrected})
    assert "compose_tool" in refusals(run.draft)
