"""Repairs of the host itself. systemd and its journal do not run everywhere that tests run: small programs stand in for
`systemctl` and `journalctl`, with their nasty habits; processes and packages are real."""

from __future__ import annotations

import asyncio
import os
import shutil
import subprocess
from collections.abc import AsyncIterator, Iterator, Mapping
from pathlib import Path

import pytest

from debugtui.config.ask import NobodyToAsk
from debugtui.config.hosts import HostConfig
from debugtui.config.models import Config
from debugtui.hosts.local import LocalLink
from debugtui.model.execution import Decision, Person, Progress, State
from debugtui.model.plan import GuardStatus, Plan, RiskClass
from debugtui.model.source import FleetView, HostView, LinkState, LinkStatus
from debugtui.model.target import Target
from debugtui.remediation.approvals import make_approval
from debugtui.remediation.base import NothingToDoError, PlanError
from debugtui.remediation.catalogue.system.journal import parse_size
from debugtui.remediation.engine import Engine
from debugtui.remediation.eyes import Eyes, Surroundings
from debugtui.remediation.planner import make_plan
from debugtui.storage.audit import AuditLog
from debugtui.storage.journal import Journal
from tests.unit.fakes import START

HOST = "sys-host"
ALICE = Person("alice", 1001, "Alice", "bastion")

#: Keeps a unit in a file: state, invocation, pid, restarts. `habit` says what it does when it is restarted.
SYSTEMCTL = r"""#!/bin/sh
dir=$(dirname "$0")/state
unit=$(eval echo "\${$#}")
[ -d "$dir/$unit" ] || { [ "$1" = show ] && { echo LoadState=not-found; exit 0; }; exit 5; }
cd "$dir/$unit"
case $1 in
restart)
  case $(cat habit) in
    nothing) exit 0;;
    fails) echo "Job for $unit failed." >&2; exit 1;;
  esac
  echo $(( $(cat invocation) + 1 )) > invocation
  date +%s > begun
  echo active > active;;
show)
  active=$(cat active) restarts=0 pid=$(( 1000 + $(cat invocation) ))
  if [ -f begun ]; then
    age=$(( $(date +%s) - $(cat begun) ))
    case $(cat habit) in
      dies) [ $age -ge 2 ] && active=failed;;
      flaps) restarts=$age pid=$(( pid + age ));;
    esac
  fi
  printf 'Id=%s\nLoadState=loaded\nActiveState=%s\nSubState=x\nMainPID=%s\nNRestarts=%s\nInvocationID=%s\nRestart=always\n' \
    "$unit" "$active" "$pid" "$restarts" "$(cat invocation)"
  printf 'Result=exit-code\nRequiredBy=\nDescription=A unit\n';;
esac
"""
JOURNALCTL = r"""#!/bin/sh
dir=$(dirname "$0")/state
case "$*" in
  *--disk-usage*) echo "Archived and active journals take up $(cat "$dir/journal")M in the file system.";;
  *--vacuum-size=*) [ -f "$dir/stuck" ] || echo 300 > "$dir/journal";;
  *) echo "2026-03-14T09:26:53 a line";;
esac
"""


@pytest.fixture
def bin_(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "bin"
    (folder / "state").mkdir(parents=True)
    for name, text in (("systemctl", SYSTEMCTL), ("journalctl", JOURNALCTL)):
        (folder / name).write_text(text)
        (folder / name).chmod(0o755)
    (folder / "state" / "journal").write_text("900\n")
    monkeypatch.setenv("PATH", f"{folder}:{os.environ['PATH']}")
    return folder


def unit(bin_: Path, name: str, habit: str = "works", active: str = "failed") -> str:
    folder = bin_ / "state" / name
    folder.mkdir()
    for key, value in (("habit", habit), ("active", active), ("invocation", "1")):
        (folder / key).write_text(f"{value}\n")
    return name


class Desk:
    def __init__(self, folder: Path) -> None:
        host = HostConfig(name=HOST, address="local")

        async def view() -> FleetView:
            return FleetView(START, (HostView(HOST, "local", LinkStatus(LinkState.UP)),))

        # Restarts are watched for a minute: here for six seconds.
        self.around = Surroundings(Config(hosts=(host,)), host, LocalLink(HOST), NobodyToAsk(), view, dwell=0.1)
        self.journal = Journal(folder / "journal.db")
        self.folder = folder

    async def plan(self, name: str, target: str, params: Mapping[str, str] | None = None) -> Plan:
        eyes = Eyes(self.around)
        try:
            return await make_plan(eyes, name, Target(HOST, "system", target), params or {})
        finally:
            await eyes.close()

    async def apply(self, plan: Plan) -> Progress:
        words = {"confirmed": plan.short_name, "reason": "a test", "break_glass": True}
        approval = make_approval(plan, ALICE, self.around.clock.now(), **words)  # type: ignore[arg-type]
        engine = Engine(self.around, self.journal, AuditLog(self.folder / "audit.jsonl"), records=self.folder / "operations")

        async def decide(_: Progress) -> Decision:
            return Decision.LEAVE

        return await engine.apply(plan, approval, lambda _: None, decide)


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    desk = Desk(tmp_path)
    yield desk
    desk.journal.close()


# --- units


async def test_a_failed_unit_is_restarted_and_stays_up(desk: Desk, bin_: Path) -> None:
    plan = await desk.plan("system.restart_unit", unit(bin_, "nginx.service"))
    assert plan.steps[0].command == "systemctl restart -- nginx.service"
    assert plan.risk.cls is RiskClass.CAREFUL
    progress = await desk.apply(plan)
    assert progress.state is State.VERIFIED, progress.says


@pytest.mark.parametrize("habit", ["nothing", "dies", "flaps"])
async def test_status_0_of_systemctl_is_no_success(desk: Desk, bin_: Path, habit: str) -> None:
    progress = await desk.apply(await desk.plan("system.restart_unit", unit(bin_, "api.service", habit)))
    assert progress.state is State.UNKNOWN
    assert "it stays up does not hold" in progress.says


async def test_a_restart_that_is_refused_changed_nothing(desk: Desk, bin_: Path) -> None:
    progress = await desk.apply(await desk.plan("system.restart_unit", unit(bin_, "api.service", "fails")))
    assert progress.state is State.FAILED
    assert "Job for api.service failed" in progress.says


async def test_a_unit_that_somebody_restarted_since_is_stale(desk: Desk, bin_: Path) -> None:
    plan = await desk.plan("system.restart_unit", unit(bin_, "api.service"))
    (bin_ / "state" / "api.service" / "invocation").write_text("7\n")
    progress = await desk.apply(plan)
    assert progress.state is State.REFUSED
    assert progress.moved[0] == "invocation was 1, is 7"


@pytest.mark.parametrize(
    "name", ["ssh.service", "sshd.service", "docker.service", "libvirtd.service", "systemd-networkd.service"]
)
async def test_what_carries_our_way_in_is_never_restarted(desk: Desk, bin_: Path, name: str) -> None:
    plan = await desk.plan("system.restart_unit", unit(bin_, name))
    assert plan.risk.cls is RiskClass.STOP
    assert plan.mitigations


@pytest.mark.parametrize("name", ["nothing.service", "nginx", "-h.service", "../x.service", "a b.service"])
async def test_what_is_no_unit_is_not_planned(desk: Desk, bin_: Path, name: str) -> None:
    with pytest.raises(PlanError):
        await desk.plan("system.restart_unit", name)


# --- processes


@pytest.fixture
async def sleeper() -> AsyncIterator[subprocess.Popen[bytes]]:
    process = subprocess.Popen(["sleep", "300"])
    yield process
    process.kill()
    process.wait()


@pytest.fixture
async def stubborn() -> AsyncIterator[subprocess.Popen[bytes]]:
    process = subprocess.Popen(["sh", "-c", 'trap "" TERM; while :; do sleep 1; done'])
    await asyncio.sleep(0.2)
    yield process
    process.kill()
    process.wait()


async def test_a_process_is_ended(desk: Desk, sleeper: subprocess.Popen[bytes]) -> None:
    plan = await desk.plan("system.end_process", str(sleeper.pid))
    reaped = asyncio.create_task(asyncio.to_thread(sleeper.wait))
    progress = await desk.apply(plan)
    assert progress.state is State.VERIFIED, progress.says
    assert await reaped == -15


async def test_a_process_may_be_named_by_a_parameter(desk: Desk, sleeper: subprocess.Popen[bytes]) -> None:
    plan = await desk.plan("system.end_process", "", {"pid": str(sleeper.pid)})
    assert plan.target.name == str(sleeper.pid)
    with pytest.raises(PlanError, match="the parameter 1"):
        await desk.plan("system.end_process", str(sleeper.pid), {"pid": "1"})


async def test_one_that_ignores_term_is_not_called_ended(desk: Desk, stubborn: subprocess.Popen[bytes]) -> None:
    progress = await desk.apply(await desk.plan("system.end_process", str(stubborn.pid)))
    assert progress.state is State.UNKNOWN
    assert "signal=KILL" in progress.says
    assert stubborn.poll() is None


async def test_kill_is_a_plan_of_its_own_and_a_higher_class(desk: Desk, stubborn: subprocess.Popen[bytes]) -> None:
    plan = await desk.plan("system.end_process", str(stubborn.pid), {"signal": "KILL"})
    assert plan.risk.cls is RiskClass.SEVERE
    reaped = asyncio.create_task(asyncio.to_thread(stubborn.wait))
    assert (await desk.apply(plan)).state is State.VERIFIED
    assert await reaped == -9


async def test_a_number_that_belongs_to_another_process_now_is_stale(desk: Desk, sleeper: subprocess.Popen[bytes]) -> None:
    plan = await desk.plan("system.end_process", str(sleeper.pid))
    sleeper.kill()
    sleeper.wait()
    progress = await desk.apply(plan)
    assert progress.state is State.REFUSED


@pytest.mark.parametrize("pid", ["1", "2"])
async def test_the_first_process_and_the_kernel_s_own_are_never_ended(desk: Desk, pid: str) -> None:
    plan = await desk.plan("system.end_process", pid)
    assert plan.risk.cls is RiskClass.STOP
    assert any(guard.name == "not_protected" and guard.status is GuardStatus.FAIL for guard in plan.guards)


async def test_our_own_connection_is_never_ended(desk: Desk) -> None:
    plan = await desk.plan("system.end_process", str(os.getpid()))
    assert [guard.name for guard in plan.refusals] == ["not_ours"]


async def test_a_program_that_others_depend_on_is_never_ended(desk: Desk, tmp_path: Path) -> None:
    program = tmp_path / "postgres"
    shutil.copy(shutil.which("sleep") or "/bin/sleep", program)
    process = subprocess.Popen([str(program), "300"])
    try:
        assert (await desk.plan("system.end_process", str(process.pid))).risk.cls is RiskClass.STOP
    finally:
        process.kill()
        process.wait()


@pytest.mark.parametrize("name", ["0", "-1", "x", "999999999999"])
async def test_what_is_no_process_is_not_planned(desk: Desk, name: str) -> None:
    with pytest.raises(PlanError):
        await desk.plan("system.end_process", name)


# --- the journal


async def test_the_journal_is_shortened_after_its_last_day_was_saved(desk: Desk, bin_: Path) -> None:
    plan = await desk.plan("system.vacuum_journal", "journal", {"keep": "300M"})
    assert [step.name for step in plan.steps] == ["save the last day", "close the active files", "remove the oldest"]
    assert plan.risk.cls is RiskClass.CAREFUL
    progress = await desk.apply(plan)
    assert progress.state is State.VERIFIED, progress.says
    saved = Path(plan.steps[0].command.rpartition(" ")[2])
    text = subprocess.run(["zcat", str(saved)], capture_output=True, check=True, timeout=10).stdout
    saved.unlink()
    assert b"a line" in text


async def test_a_journal_that_stays_as_large_is_no_success(desk: Desk, bin_: Path) -> None:
    (bin_ / "state" / "stuck").touch()
    plan = await desk.plan("system.vacuum_journal", "journal", {"keep": "300M"})
    progress = await desk.apply(plan)
    Path(plan.steps[0].command.rpartition(" ")[2]).unlink()
    assert progress.state is State.UNKNOWN
    assert "900 MB" in progress.says


async def test_a_journal_that_is_small_enough_needs_nothing(desk: Desk, bin_: Path) -> None:
    with pytest.raises(NothingToDoError):
        await desk.plan("system.vacuum_journal", "", {"keep": "2G"})


@pytest.mark.parametrize(("text", "size"), [("500M", 500 << 20), ("2G", 2 << 30), ("64K", 64 << 10)])
def test_a_size_has_a_unit(text: str, size: int) -> None:
    assert parse_size(text) == size


@pytest.mark.parametrize("text", ["", "500", "0M", "-1M", "5X", "5M; rm"])
def test_a_size_without_one_is_none(text: str) -> None:
    with pytest.raises(PlanError):
        parse_size(text)


# --- packages


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """apt with a folder of its own for downloaded packages."""
    archives = tmp_path / "archives"
    (archives / "partial").mkdir(parents=True)
    conf = tmp_path / "apt.conf"
    conf.write_text(f'Dir::Cache::archives "{archives}";\n')
    monkeypatch.setenv("APT_CONFIG", str(conf))
    for name in ("tmux_3.3a_amd64.deb", "nano_7.2_amd64.deb"):
        (archives / name).write_bytes(b"x" * 400_000)
    return archives


async def test_downloaded_packages_are_listed_and_removed(desk: Desk, cache: Path) -> None:
    plan = await desk.plan("system.clean_packages", "packages")
    assert plan.risk.cls is RiskClass.ROUTINE
    assert "nano_7.2_amd64.deb" in plan.diff[0].before
    progress = await desk.apply(plan)
    assert progress.state is State.VERIFIED, progress.says
    assert list(cache.glob("*.deb")) == []


async def test_without_downloaded_packages_there_is_nothing_to_do(desk: Desk, cache: Path) -> None:
    for path in cache.glob("*.deb"):
        path.unlink()
    with pytest.raises(NothingToDoError):
        await desk.plan("system.clean_packages", "")


async def test_packages_that_were_downloaded_since_make_the_plan_stale(desk: Desk, cache: Path) -> None:
    plan = await desk.plan("system.clean_packages", "packages")
    (cache / "vim_9_amd64.deb").write_bytes(b"x" * 1_000)
    assert (await desk.apply(plan)).state is State.REFUSED
