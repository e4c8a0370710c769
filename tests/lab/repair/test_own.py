"""A user's own remediation, from its file to a changed file on the host, and back."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from debugtui.config.ask import NobodyToAsk
from debugtui.config.hosts import HostConfig
from debugtui.config.models import Config
from debugtui.hosts.local import LocalLink
from debugtui.model.execution import Decision, Person, Progress, State
from debugtui.model.plan import GuardStatus, RiskClass
from debugtui.model.source import FleetView, HostView, LinkState, LinkStatus
from debugtui.model.target import Target
from debugtui.remediation import registry
from debugtui.remediation.approvals import make_approval
from debugtui.remediation.base import PlanError
from debugtui.remediation.engine import Engine
from debugtui.remediation.eyes import Eyes, Surroundings
from debugtui.remediation.planner import make_plan
from debugtui.storage.audit import AuditLog
from debugtui.storage.journal import Journal
from tests.unit.fakes import START

TARGET = Target("own-host", "system", "cache")
ALICE = Person("alice", 1001, "Alice", "bastion")

FILE = """
name = "set_size"
title = "Set the size"
summary = "Writes the size of the cache."
resource = "cache"
problem = "the cache is too small"
solution = "set its size to {size}"
undo = "exact"
undo_says = "the file from before"
[[parameters]]
name = "size"
help = "megabytes"
pattern = "[0-9]+|bad"
[risk]
interruption = {level = 0, why = "nothing stops"}
reversibility = {level = 1, why = "the old file"}
durable_data = {level = 1, why = "configuration"}
blast_radius = {level = 1, why = "one service"}
blocking = {level = 0, why = "no lock"}
verifiability = {level = 0, why = "the file is read"}
[[identity]]
label = "the file"
argv = ["sha256sum", "FOLDER/cache.conf"]
[[guards]]
name = "there"
argv = ["test", "-f", "FOLDER/cache.conf"]
why = "the file is there"
[[diff]]
title = "cache.conf"
before = ["cat", "FOLDER/cache.conf"]
after = "size={size}\\n"
language = "ini"
[[steps]]
name = "keep the old one"
argv = ["cp", "-p", "FOLDER/cache.conf", "FOLDER/cache.old"]
undo = ["rm", "-f", "FOLDER/cache.old"]
[[steps]]
name = "write"
argv = ["sed", "-i", "s/size=.*/size={size}/", "FOLDER/cache.conf"]
undo = ["cp", "-p", "FOLDER/cache.old", "FOLDER/cache.conf"]
dead_man = "60s"
[[checks]]
name = "a number"
argv = ["cat", "FOLDER/cache.conf"]
matches = "size=[0-9]+"
why = "the cache reads numbers only"
watch = "1s"
within = "1s"
"""


@pytest.fixture
def conf(tmp_path: Path) -> Path:
    path = tmp_path / "cache.conf"
    path.write_text("# by hand\nsize=1\n")
    return path


@pytest.fixture
def own(tmp_path: Path, conf: Path) -> Iterator[None]:
    folder = tmp_path / "remediations"
    folder.mkdir()
    (folder / "size.toml").write_text(FILE.replace("FOLDER", str(tmp_path)))
    assert registry.load_own(folder) == ()
    yield
    registry.load_own(tmp_path / "nothing")


@pytest.fixture
def around() -> Surroundings:
    host = HostConfig(name="own-host", address="local")

    async def view() -> FleetView:
        return FleetView(START, (HostView("own-host", "local", LinkStatus(LinkState.UP)),))

    return Surroundings(Config(hosts=(host,)), host, LocalLink("own-host"), NobodyToAsk(), view, dwell=0.3)


async def apply(around: Surroundings, folder: Path, size: str) -> Progress:
    eyes = Eyes(around)
    plan = await make_plan(eyes, "own.set_size", TARGET, {"size": size})
    approval = make_approval(plan, ALICE, around.clock.now(), confirmed="cache")
    journal = Journal(folder / "journal.db")
    engine = Engine(around, journal, AuditLog(folder / "audit.jsonl"), records=folder / "operations")

    async def decide(_: Progress) -> Decision:
        return Decision.LEAVE

    try:
        return await engine.apply(plan, approval, lambda _: None, decide)
    finally:
        journal.close()


async def test_it_changes_the_file_and_is_verified(own: None, around: Surroundings, conf: Path, tmp_path: Path) -> None:
    progress = await apply(around, tmp_path, "512")
    assert progress.state is State.VERIFIED, progress.says
    assert conf.read_text() == "# by hand\nsize=512\n"


async def test_what_does_not_hold_is_taken_back_to_the_byte(
    own: None, around: Surroundings, conf: Path, tmp_path: Path
) -> None:
    before = conf.read_bytes()
    progress = await apply(around, tmp_path, "bad")
    assert progress.state is State.ROLLED_BACK, progress.says
    assert conf.read_bytes() == before
    assert not (tmp_path / "cache.old").exists()


async def test_a_file_that_was_changed_since_is_stale(own: None, around: Surroundings, conf: Path, tmp_path: Path) -> None:
    eyes = Eyes(around)
    plan = await make_plan(eyes, "own.set_size", TARGET, {"size": "5"})
    conf.write_text("size=3\n")
    journal = Journal(tmp_path / "journal.db")
    engine = Engine(around, journal, AuditLog(tmp_path / "audit.jsonl"), records=tmp_path)

    async def decide(_: Progress) -> Decision:
        return Decision.LEAVE

    approval = make_approval(plan, ALICE, around.clock.now(), confirmed="cache")
    progress = await engine.apply(plan, approval, lambda _: None, decide)
    journal.close()
    assert (progress.state, conf.read_text()) == (State.REFUSED, "size=3\n")


async def test_a_parameter_stays_inside_its_argument(own: None, around: Surroundings) -> None:
    with pytest.raises(PlanError, match="size has to match"):
        await make_plan(Eyes(around), "own.set_size", TARGET, {"size": "1; rm -rf /"})


async def test_the_plan_shows_what_is_sent(own: None, around: Surroundings, tmp_path: Path) -> None:
    plan = await make_plan(Eyes(around), "own.set_size", TARGET, {"size": "7"})
    assert plan.steps[1].command == f"sed -i 's/size=.*/size=7/' {tmp_path}/cache.conf"
    assert plan.rollback[0].command == f"cp -p {tmp_path}/cache.old {tmp_path}/cache.conf"
    assert plan.risk.cls is RiskClass.ROUTINE
    assert plan.diff[0].after == "size=7\n"


async def test_a_factor_that_the_file_does_not_name_is_the_worst(tmp_path: Path, conf: Path, around: Surroundings) -> None:
    folder = tmp_path / "remediations"
    folder.mkdir()
    text = FILE.replace("FOLDER", str(tmp_path)).replace('blocking = {level = 0, why = "no lock"}\n', "")
    (folder / "size.toml").write_text(text)
    registry.load_own(folder)
    plan = await make_plan(Eyes(around), "own.set_size", TARGET, {"size": "7"})
    registry.load_own(tmp_path / "nothing")
    assert plan.risk.cls is RiskClass.STOP


async def test_a_guard_whose_command_cannot_be_run_is_unknown(tmp_path: Path, conf: Path, around: Surroundings) -> None:
    folder = tmp_path / "remediations"
    folder.mkdir()
    text = FILE.replace("FOLDER", str(tmp_path)).replace('argv = ["test", "-f"', 'argv = ["no-such-program"')
    (folder / "size.toml").write_text(text)
    registry.load_own(folder)
    plan = await make_plan(Eyes(around), "own.set_size", TARGET, {"size": "7"})
    registry.load_own(tmp_path / "nothing")
    assert [guard.status for guard in plan.guards if guard.name == "there"] == [GuardStatus.UNKNOWN]
    assert plan.refusals


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (("name =", "nam ="), "nam"),
        (('undo = "exact"', 'undo = "perhaps"'), "undo"),
        (("{size}", "{sise}"), "{sise} is no parameter"),
        (('argv = ["cat"', 'argv = [""'), "argv"),
        (("interruption", "interuption"), "no factor"),
        (("level = 1", "level = 7"), "risk"),
        (("[[checks]]", "[[chekcs]]"), "checks"),
        (('pattern = "[0-9]+|bad"', 'pattern = "["'), "regular expression"),
        (("name =", "name == "), "Invalid"),
    ],
)
def test_a_file_that_is_wrong_is_named_and_breaks_no_other(tmp_path: Path, change: tuple[str, str], says: str) -> None:
    (tmp_path / "good.toml").write_text(FILE)
    (tmp_path / "wrong.toml").write_text(FILE.replace('"set_size"', '"other"').replace(*change))
    problems = registry.load_own(tmp_path)
    names = [remediation.spec.name for remediation in registry.everything("system") if remediation.spec.name.startswith("own.")]
    registry.load_own(tmp_path / "nothing")
    assert names == ["own.set_size"]
    assert problems
    assert all("wrong.toml" in problem for problem in problems)
    assert says in " ".join(problems)


def test_two_of_one_name_are_one_too_many(tmp_path: Path) -> None:
    for name in ("a", "b"):
        (tmp_path / f"{name}.toml").write_text(FILE)
    assert "there is another own.set_size" in registry.load_own(tmp_path)[0]
    registry.load_own(tmp_path / "nothing")


async def test_a_cut_before_the_end_is_reverted_by_the_host(
    own: None, around: Surroundings, conf: Path, tmp_path: Path
) -> None:
    """The engine dies between the steps and the end: the host itself puts the old file back."""
    remediation = registry.get("own.set_size")
    eyes = Eyes(around)
    plan = await make_plan(eyes, "own.set_size", TARGET, {"size": "9"})
    from debugtui.remediation.planner import job_of
    from debugtui.remediation.remote import dead_man

    step = remediation.steps(job_of(plan))[1]
    assert step.dead_man is not None
    (tmp_path / "cache.old").write_bytes(conf.read_bytes())
    mark = f"debugtui:{plan.id[-10:].lower()}/2/dead-man"
    await dead_man.arm(around.link, mark, replace(step.dead_man, after_s=1).argv, 1)
    conf.write_text("size=9\n")
    for _ in range(60):
        await asyncio.sleep(0.1)
        if conf.read_text() != "size=9\n":
            break
    assert conf.read_text() == "# by hand\nsize=1\n"
    assert await dead_man.disarm(around.link, mark) is False
