"""Repairs of an application whose settings are a file: over a real sshd, with systemd's stand-ins, with files of every kind."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest

from debugtui.config.models import GroqAppConfig
from debugtui.config.redaction import forget_all
from debugtui.hosts.link import Endpoint
from debugtui.hosts.ssh import SshLink
from debugtui.model.execution import State
from debugtui.model.plan import GuardStatus
from debugtui.remediation.base import PlanError
from debugtui.remediation.planner import job_of
from debugtui.remediation.registry import get
from tests.lab.repair.groq_desk import FAR, HOST, NEW_ENV, NEW_KEY, OLD_ENV, OLD_KEY, FileLab, file_lab, guard, use
from tests.lab.repair.test_acceptance import Cli
from tests.services.groq_stub import GroqStub, groq_stub
from tests.services.ssh_server import SshServer

UNIT = "coach.service"
TEXT = f"""# what the coach needs
DB_PASSWORD=amber-lynx-22

export GROQ_API_KEY="{OLD_KEY}"
GROQ_MODEL=llama-3.1-8b-instant
LAST=one"""


@pytest.fixture
def file(tmp_path: Path) -> Path:
    folder = tmp_path / "etc"
    folder.mkdir()
    path = folder / "coach.env"
    path.write_text(TEXT)
    path.chmod(0o640)
    if os.geteuid() == 0:
        os.chown(path, 1234, 4321)
    return path


Open = Callable[..., contextlib.AbstractAsyncContextManager[tuple[FileLab, GroqStub]]]


@pytest.fixture
def opened(file: Path, tmp_path: Path, make_ssh_server: Callable[..., SshServer], monkeypatch: pytest.MonkeyPatch) -> Open:
    """Open a desk; the file's unit is good unless told otherwise."""
    monkeypatch.setenv(OLD_ENV, OLD_KEY)
    monkeypatch.setenv(NEW_ENV, NEW_KEY)

    @contextlib.asynccontextmanager
    async def lab(unit: str | None = UNIT, behaviour: str = "good", **more: object) -> AsyncIterator[tuple[FileLab, GroqStub]]:
        app = GroqAppConfig(host=HOST, file=str(file), unit=unit)
        async with groq_stub(OLD_KEY, NEW_KEY) as stub, file_lab(make_ssh_server, use(stub, app, **more), tmp_path) as made:
            assert made.units is not None
            if unit is not None:
                made.units.put(unit, behaviour)
            yield made, stub
        forget_all()

    return lab


def state_of(path: Path) -> tuple[str, int, int, int]:
    found = path.stat()
    return path.read_text(), found.st_mode, found.st_uid, found.st_gid


def assert_no_secret(lab: FileLab, *shown: str) -> None:
    everything = "".join(shown) + repr(lab.told)
    for secret in (OLD_KEY, NEW_KEY, "amber-lynx-22"):
        assert secret not in everything
        assert secret.encode() not in lab.written()


async def test_a_key_in_a_file_is_rotated_and_put_back_byte_for_byte(opened: Open, file: Path) -> None:
    before = state_of(file)
    async with opened() as (lab, _):
        plan = await lab.plan("rotate_key")
        assert (plan.refusals, plan.risk.cls) == ((), 2)
        done = await lab.apply(plan)
        assert (done.state, done.side_effects) == (State.VERIFIED, ()), done.says
        assert state_of(file) == (TEXT.replace(OLD_KEY, NEW_KEY), *before[1:])
        [kept] = file.parent.glob("coach.env.debugtui-*")
        assert state_of(kept) == before
        assert lab.units is not None
        assert lab.units.starts(UNIT) == 1
        back = await lab.back(done)
        assert back.state is State.ROLLED_BACK, back.says
        assert state_of(file) == before
        assert lab.units.starts(UNIT) == 2
        assert [path.name for path in file.parent.iterdir()] == ["coach.env"]
        assert done.record is not None
        assert_no_secret(lab, json.dumps(plan.to_json()), repr(plan), Path(done.record).read_text())


async def test_no_secret_is_left_on_the_host_but_in_the_file_and_its_copy(opened: Open, file: Path, tmp_path: Path) -> None:
    async with opened() as (lab, _):
        done = await lab.apply(await lab.plan("rotate_key"))
        assert done.state is State.VERIFIED, done.says
        base = Path("/run") if os.access("/run", os.W_OK) else Path("/tmp")
        places = [base / f"debugtui-{os.geteuid()}", tmp_path]
        holding = {
            path
            for place in places
            for path in place.rglob("*")
            if path.is_file() and any(key.encode() in path.read_bytes() for key in (OLD_KEY, NEW_KEY))
        }
        assert holding == {file, *file.parent.glob("coach.env.debugtui-*")}


async def test_without_a_unit_nothing_is_restarted_and_a_new_variable_comes_last(opened: Open, file: Path) -> None:
    async with opened(unit=None) as (lab, stub):
        plan = await lab.plan("set_timeouts", timeout="20", retries="0")
        assert plan.diff[0].before == "timeout 60 s x (retries 2 + 1) = 180 s (the client's own, nothing is set)\n"
        assert guard(plan, "setting_present").status is GuardStatus.UNKNOWN
        assert plan.risk.cls == 2  # 1 for the file, and 1 for what is not known
        done = await lab.apply(plan)
        assert done.state is State.VERIFIED, done.says
        assert file.read_text() == f"{TEXT}\nGROQ_MAX_RETRIES=0\nGROQ_TIMEOUT=20\n"
        assert (await lab.back(done)).state is State.ROLLED_BACK
        assert file.read_text() == TEXT
        assert stub.seen == []


@pytest.mark.parametrize("behaviour", ["dies", "fails", "nothing", "flaps"])
async def test_a_unit_that_does_not_live_with_it_gets_the_old_file_back(opened: Open, file: Path, behaviour: str) -> None:
    before = state_of(file)
    async with opened(behaviour=behaviour) as (lab, _):
        done = await lab.apply(await lab.plan("switch_model", model="openai/gpt-oss-20b"))
        # The stand-in misbehaves after every restart: whether the unit lives again is not ours to say.
        assert done.state in (State.ROLLED_BACK, State.UNKNOWN), done.says
        assert done.state is not State.VERIFIED
        assert state_of(file) == before


async def test_a_file_that_changed_since_the_plan_is_stale_and_untouched(opened: Open, file: Path) -> None:
    async with opened() as (lab, _):
        plan = await lab.plan("rotate_key")
        file.write_text(TEXT + "\nMORE=1\n")
        done = await lab.apply(plan)
        assert done.state is State.REFUSED, done.says
        assert file.read_text() == TEXT + "\nMORE=1\n"
        plan = await lab.plan("rotate_key")
        file.chmod(0o600)
        assert (await lab.apply(plan)).state is State.REFUSED
        assert list(file.parent.glob("*debugtui*")) == []


async def test_what_somebody_edited_since_is_not_overwritten_by_the_way_back(opened: Open, file: Path) -> None:
    async with opened() as (lab, _):
        done = await lab.apply(await lab.plan("switch_model", model="openai/gpt-oss-20b"))
        assert done.state is State.VERIFIED, done.says
        file.write_text(file.read_text().replace("LAST=one", "LAST=two"))
        refused = await lab.back(done)
        assert refused.state is State.REFUSED, refused.says
        assert "edited" in refused.says
        assert "LAST=two" in file.read_text()


async def test_a_failure_in_the_units_journal_takes_the_file_back(opened: Open, file: Path) -> None:
    before = state_of(file)
    async with opened() as (lab, stub):
        assert lab.units is not None
        old = (lab.units.load(UNIT) or {})["invocation"]
        call = f'HTTP Request: POST {stub.url}/openai/v1/chat/completions "HTTP/1.1'
        lab.program(
            "journalctl", f"case \"$*\" in *={old}*) echo '{call} 200 OK\"';; *) echo '{call} 401 Unauthorized\"';; esac"
        )
        done = await lab.apply(await lab.plan("rotate_key"))
        assert done.state is State.ROLLED_BACK, done.says
        assert "401" in done.says
        assert state_of(file) == before


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("GROQ_MODEL=a\nGROQ_MODEL=b\n", "set 2 times"),
        ("GROQ_MODEL=a\\\nb\n", "goes on"),
        ("GROQ_MODEL=a\0\n", "zero byte"),
        ("X=" + "y" * 70_000, "larger"),
    ],
)
async def test_a_file_that_readers_take_differently_is_not_touched(opened: Open, file: Path, text: str, says: str) -> None:
    file.write_text(text)
    async with opened() as (lab, _):
        with pytest.raises(PlanError, match=says):
            await lab.plan("switch_model", model="openai/gpt-oss-20b")
    assert file.read_text() == text


async def test_links_and_missing_files(opened: Open, file: Path) -> None:
    real = file.rename(file.with_name("real.env"))
    async with opened() as (lab, _):
        with pytest.raises(PlanError, match="no file"):
            await lab.plan("switch_model", model="openai/gpt-oss-20b")
        file.symlink_to(real)
        done = await lab.apply(await lab.plan("switch_model", model="openai/gpt-oss-20b"))
        assert done.state is State.VERIFIED, done.says
        assert file.is_symlink()
        assert "GROQ_MODEL=openai/gpt-oss-20b" in real.read_text()
        assert (await lab.back(done)).state is State.ROLLED_BACK
        os.link(real, file.with_name("other.env"))
        plan = await lab.plan("switch_model", model="openai/gpt-oss-20b")
        assert [one.name for one in plan.refusals] == ["file_plain"]


async def test_a_login_that_is_not_root_needs_sudo(opened: Open, file: Path) -> None:
    before = state_of(file)
    async with opened() as (lab, _):
        lab.program("id", 'case "$1" in -u) echo 52361;; *) exec /usr/bin/id "$@";; esac')
        lab.program("sudo", "echo 'sudo: a password is required' >&2; exit 1")
        plan = await lab.plan("rotate_key")
        assert {"file_ours", "privilege"} <= {one.name for one in plan.refusals}
        lab.program("sudo", 'shift; exec "$@"')
        plan = await lab.plan("rotate_key")
        assert plan.refusals == ()
        assert plan.steps[0].command.startswith("sudo -n write")
        done = await lab.apply(plan)
        assert done.state is State.VERIFIED, done.says
        assert (await lab.back(done)).state is State.ROLLED_BACK
        assert state_of(file) == before


async def test_a_crash_around_the_write_is_settled_by_looking(opened: Open, file: Path) -> None:
    from debugtui.remediation.eyes import Eyes

    async with opened() as (lab, _):
        plan = await lab.plan("switch_model", model="openai/gpt-oss-20b")
        write = get(plan.remediation).steps(job_of(plan))[0]
        kept = file.with_name(f"coach.env.debugtui-{job_of(plan).mark}")
        eyes = Eyes(lab.desk._surroundings(HOST))
        before = state_of(file)
        try:
            assert (await write.settle(eyes)).value == "not_done"
            kept.write_text(TEXT)  # cut between the copy and the move
            kept.chmod(before[1] & 0o777)
            if os.geteuid() == 0:
                os.chown(kept, *before[2:])
            assert (await write.settle(eyes)).value == "not_done"
            file.write_text(TEXT.replace("llama-3.1-8b-instant", "openai/gpt-oss-20b"))
            assert (await write.settle(eyes)).value == "done"
            kept.unlink()
            assert (await write.settle(eyes)).value == "unknown"
        finally:
            await eyes.close()


async def test_the_api_is_asked_through_the_host_where_the_configuration_says_so(
    opened: Open, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    reached: list[Endpoint] = []
    reach = SshLink.reach_tcp

    async def reach_tcp(link: SshLink, host: str, port: int) -> Endpoint:
        reached.append(await reach(link, host, port))
        return reached[-1]

    monkeypatch.setattr(SshLink, "reach_tcp", reach_tcp)
    async with opened(via=HOST) as (lab, stub):
        plan = await lab.plan("rotate_key")
        assert guard(plan, "new_key_works").status is GuardStatus.PASS
        assert stub.asked("models") == 1
        assert [Path(one.path).is_socket() for one in reached] == [True]


async def test_an_api_behind_a_host_that_is_not_connected_is_not_asked(opened: Open, file: Path) -> None:
    async with opened(via=FAR) as (lab, stub):
        plan = await lab.plan("rotate_key")
        assert f"no link to {FAR}" in guard(plan, "new_key_works").evidence
        assert "new_key_works" in [one.name for one in plan.refusals]
        assert stub.seen == []


@pytest.mark.timeout(120)
async def test_from_the_command_line_a_use_is_repaired_through_its_applications_host(file: Path, tmp_path: Path) -> None:
    """With the waiting times of production; the readings of the host are the real ones."""
    file.write_text("GROQ_TIMEOUT=60\nGROQ_MAX_RETRIES=2\n")
    config = tmp_path / "config.toml"
    config.write_text(
        f"""
        [[hosts]]
        name = "{HOST}"
        address = "local"
        docker = false
        libvirt = false
        [[groq]]
        name = "coach-ai"
        next_key = {{env = "{NEW_ENV}"}}
          [groq.app]
          host = "{HOST}"
          file = "{file}"
        """,
        encoding="utf-8",
    )
    cli = Cli(config, tmp_path)
    made, plan = await asyncio.to_thread(cli.plan, "groq.set_timeouts", "groq/coach-ai", timeout="20")
    assert plan["target"] == {"host": "groq", "layer": "groq", "resource": "coach-ai"}
    done = await asyncio.to_thread(cli.apply, made, plan)
    assert (done.code, done.json["state"]) == (0, "verified"), done.err
    assert file.read_text() == "GROQ_TIMEOUT=20\nGROQ_MAX_RETRIES=1\n"
    missing = await asyncio.to_thread(cli, "plan", "groq.set_timeouts", "groq/other", "-p", "timeout=20")
    assert missing.code == 2
    assert "coach-ai" in missing.err
