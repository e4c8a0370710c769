"""Repairs of a host over a real sshd: real processes and a real apt on folders of the test's own; systemd by stand-ins."""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import gzip
import os
import shutil
import signal
import subprocess
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path

import pytest

from debugtui.model.execution import State
from debugtui.model.plan import GuardStatus, RiskClass
from debugtui.model.target import Target
from debugtui.remediation.base import NothingToDoError, PlanError
from debugtui.remediation.planner import job_of
from debugtui.remediation.registry import get
from debugtui.sources.base import SourceError
from tests.lab.repair.system_desk import SystemLab, guard, system_lab
from tests.services.ssh_server import SshServer
from tests.services.system_stand_ins import MB

SAVED = Path("/var/tmp/debugtui-saved-0")
SUDO_WORKS = 'shift; exec env SUDO=yes "$@"'
SUDO_ASKS = 'echo "sudo: a password is required" >&2; exit 1'


@pytest.fixture
async def lab(make_ssh_server: Callable[..., SshServer], tmp_path: Path) -> AsyncIterator[SystemLab]:
    before = set(SAVED.glob("*")) if SAVED.is_dir() else set()
    async with system_lab(make_ssh_server, tmp_path) as made:
        yield made
    for file in set(SAVED.glob("*")) - before:
        file.unlink()


# --- processes


@contextlib.contextmanager
def process(*argv: str, signals: str = "") -> Iterator[subprocess.Popen[bytes]]:
    """A process of the test's own, which ends with the block; `signals`: what it ignores."""
    script = f'trap "" {signals}; echo ready; while :; do sleep 0.1; done' if signals else "echo ready; exec sleep 60"
    words = argv or ("sh", "-c", script)
    child = subprocess.Popen(words, stdout=subprocess.PIPE, start_new_session=True)
    try:
        if not argv:
            assert child.stdout is not None
            assert child.stdout.readline() == b"ready\n"
        yield child
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(child.pid, signal.SIGKILL)
        child.wait()
        if child.stdout is not None:
            child.stdout.close()


async def test_a_process_is_ended_by_its_number_and_start_time(lab: SystemLab) -> None:
    with process() as child:
        plan = await lab.plan("system.end_process", str(child.pid))
        identity = dict(plan.before.identity)
        assert plan.risk.cls is RiskClass.CAREFUL
        assert (identity["pid"], identity["command"]) == (str(child.pid), "sleep")
        assert identity["start"] == Path(f"/proc/{child.pid}/stat").read_text().rpartition(")")[2].split()[19]
        done = await lab.apply(plan)
        assert done.state is State.VERIFIED, done.says
        assert child.wait(5) == -signal.SIGTERM


async def test_the_number_may_come_as_a_parameter(lab: SystemLab) -> None:
    with process() as child:
        plan = await lab.plan("system.end_process", "", pid=str(child.pid))
        assert plan.target == Target("kvm-01", "system", str(child.pid))
        with pytest.raises(PlanError, match="the target names"):
            await lab.plan("system.end_process", str(child.pid), pid="1")


async def test_what_ignores_term_still_runs_and_kill_is_a_plan_of_its_own(lab: SystemLab) -> None:
    with process(signals="TERM") as child:
        done = await lab.run("system.end_process", str(child.pid))
        assert done.state is State.UNKNOWN
        assert "it still runs" in done.says
        assert "signal=KILL" in done.says
        assert child.poll() is None
        await lab.desk.close_execution(done.execution, "looked at it") if hasattr(lab.desk, "close_execution") else None
    with process(signals="TERM") as child:
        plan = await lab.plan("system.end_process", str(child.pid), signal="KILL")
        assert plan.risk.cls is RiskClass.SEVERE
        assert "kill -s KILL" in plan.steps[0].command
        done = await lab.apply(plan)
        assert done.state is State.VERIFIED, done.says
        assert child.wait(5) == -signal.SIGKILL


async def test_another_process_of_the_same_number_is_not_touched(lab: SystemLab) -> None:
    """Between approval and signal the number went to another process: told by its start time, in the script that signals."""
    with process() as child:
        plan = await lab.plan("system.end_process", str(child.pid))
        job = job_of(plan)
        words = ["sh", "-c", *_script(job)]
        words[-2] = str(int(words[-2]) + 1)
        said = await lab.link.run(words, timeout=10)
        assert said.stdout == b"stale\n"
        assert child.poll() is None


def _script(job: object) -> list[str]:
    from debugtui.remediation.catalogue.system import process as module

    data = job.data  # type: ignore[attr-defined]
    return [module._SIGNAL, "debugtui-signal", str(data["pid"]), str(data["start"]), "TERM"]


async def test_a_process_that_has_ended_since_is_stale(lab: SystemLab) -> None:
    with process() as child:
        plan = await lab.plan("system.end_process", str(child.pid))
        child.kill()
        child.wait()
        assert (await lab.apply(plan)).state is State.REFUSED


async def test_a_process_that_runs_another_program_now_is_stale(lab: SystemLab, tmp_path: Path) -> None:
    """Same number, same start time, another program: exec changes what it is."""
    go = tmp_path / "go"
    with process("sh", "-c", 'while [ ! -e "$1" ]; do sleep 0.05; done; exec tail -f /dev/null', "x", str(go)) as child:
        plan = await lab.plan("system.end_process", str(child.pid))
        go.touch()
        for _ in range(100):
            if Path(f"/proc/{child.pid}/comm").read_text() == "tail\n":
                break
            await asyncio.sleep(0.05)
        done = await lab.apply(plan)
        assert done.state is State.REFUSED
        assert any("command was sh, is tail" in text for text in done.moved)
        assert child.poll() is None


@pytest.mark.parametrize(
    "name", ["qemu-system-x86_64", "postgres", "dockerd", "containerd-shim", "libvirtd", "sshd", "systemd-udevd"]
)
async def test_what_others_depend_on_is_never_ended(name: str, lab: SystemLab, tmp_path: Path) -> None:
    program = tmp_path / name
    shutil.copy("/bin/sleep", program)
    with process(str(program), "60") as child:
        plan = await lab.plan("system.end_process", str(child.pid))
        assert plan.risk.cls is RiskClass.STOP
        assert guard(plan, "not_protected").status is GuardStatus.FAIL
        assert plan.mitigations


async def test_a_protected_program_under_another_name_is_known_by_its_file(lab: SystemLab, tmp_path: Path) -> None:
    program = tmp_path / "postgres"
    shutil.copy("/bin/sleep", program)
    with process("bash", "-c", f"exec -a harmless {program} 60") as child:
        for _ in range(100):
            if Path(f"/proc/{child.pid}/exe").readlink() == program:
                break
            await asyncio.sleep(0.02)
        assert (await lab.plan("system.end_process", str(child.pid))).risk.cls is RiskClass.STOP


async def test_neither_the_first_process_nor_our_own_connection_is_ended(lab: SystemLab) -> None:
    assert (await lab.plan("system.end_process", "1")).risk.cls is RiskClass.STOP
    # The server of the connection was started by this process, so ending this one would end the connection.
    plan = await lab.plan("system.end_process", str(os.getpid()))
    assert [refusal.name for refusal in plan.refusals] == ["not_ours"]


async def test_a_name_with_brackets_and_spaces_is_read_right(lab: SystemLab, tmp_path: Path) -> None:
    """The name stands in brackets in the middle of the line that holds the start time; it may hold brackets itself."""
    program = tmp_path / "a) S 1 (b"
    shutil.copy("/bin/sleep", program)
    with process(str(program), "60") as child:
        done = await lab.run("system.end_process", str(child.pid))
        assert done.state is State.VERIFIED, done.says
        assert child.wait(5) == -signal.SIGTERM


async def test_one_that_has_ended_and_was_not_collected_is_nothing_to_do(lab: SystemLab) -> None:
    child = subprocess.Popen(["true"])
    try:
        for _ in range(100):
            if Path(f"/proc/{child.pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z":
                break
            await asyncio.sleep(0.02)
        with pytest.raises(NothingToDoError, match="has ended"):
            await lab.plan("system.end_process", str(child.pid))
    finally:
        child.wait()


@pytest.mark.parametrize("pid", ["0", "-1", "4194305", "12x", "²", ""])
async def test_what_is_no_process_has_no_plan(pid: str, lab: SystemLab) -> None:
    with pytest.raises(PlanError):
        await lab.plan("system.end_process", pid)


async def test_only_two_signals_exist(lab: SystemLab) -> None:
    with process() as child, pytest.raises(PlanError, match="TERM or KILL"):
        await lab.plan("system.end_process", str(child.pid), signal="HUP; reboot")


async def test_a_secret_in_a_command_line_stays_out_of_the_plan(lab: SystemLab) -> None:
    with process("sh", "-c", "sleep 60; :", "job", "--password=hunter2hunter2") as child:
        plan = await lab.plan("system.end_process", str(child.pid))
        assert "--password=" in str(plan.to_json())
        assert "hunter2" not in str(plan.to_json())


# --- packages


@pytest.fixture
async def apt(make_ssh_server: Callable[..., SshServer], tmp_path: Path) -> AsyncIterator[SystemLab]:
    """The host's real apt, whose cache and state are the test's own."""
    root = tmp_path / "apt"
    for folder in ("archives/partial", "state/lists/partial"):
        (root / folder).mkdir(parents=True)
    (root / "state/status").touch()
    config = root / "apt.conf"
    config.write_text(f'Dir::Cache "{root}";\nDir::State "{root}/state";\nDir::State::status "{root}/state/status";\n')
    (root / "archives/lock").touch()
    async with system_lab(make_ssh_server, tmp_path, env=f"APT_CONFIG={config}", systemd=False) as made:
        yield made


def fill(lab: SystemLab) -> Path:
    archives = lab.folder / "apt/archives"
    for name, size in (
        ("nginx_1.22_amd64.deb", 600_000),
        ("libc6_2.36_amd64.deb", 900_000),
        ("partial/half_1_all.deb", 10_000),
    ):
        (archives / name).write_bytes(b"\0" * size)
    return archives


async def test_downloaded_packages_are_listed_and_removed(apt: SystemLab) -> None:
    archives = fill(apt)
    plan = await apt.plan("system.clean_packages")
    assert plan.risk.cls is RiskClass.ROUTINE
    assert plan.target == Target("kvm-01", "system", "packages")
    assert [row.split()[1] for row in plan.diff[0].before.splitlines()] == [
        "half_1_all.deb", "libc6_2.36_amd64.deb", "nginx_1.22_amd64.deb",
    ]  # fmt: skip
    assert plan.steps[0].command == "apt-get clean"
    done = await apt.apply(plan)
    assert done.state is State.VERIFIED, done.says
    assert list(archives.rglob("*.deb")) == []
    assert (apt.folder / "apt/state/status").exists()
    with pytest.raises(NothingToDoError):
        await apt.plan("system.clean_packages")


async def test_other_packages_than_those_that_were_listed_are_not_removed(apt: SystemLab) -> None:
    archives = fill(apt)
    plan = await apt.plan("system.clean_packages")
    (archives / "new_1_all.deb").write_bytes(b"\0" * 1000)
    assert (await apt.apply(plan)).state is State.REFUSED
    assert len(list(archives.rglob("*.deb"))) == 4


async def test_apt_at_work_is_left_alone(apt: SystemLab) -> None:
    archives = fill(apt)
    with (archives / "lock").open("w") as lock:
        fcntl.lockf(lock, fcntl.LOCK_EX)
        assert guard(await apt.plan("system.clean_packages"), "apt_idle").status is GuardStatus.FAIL
    assert guard(await apt.plan("system.clean_packages"), "apt_idle").status is GuardStatus.PASS


async def test_status_0_without_effect_is_no_success(apt: SystemLab) -> None:
    archives = fill(apt)
    apt.program("apt-get", "exit 0")
    done = await apt.run("system.clean_packages")
    assert done.state is State.UNKNOWN
    assert "the packages are gone does not hold: 1510000 bytes left" in done.says
    assert len(list(archives.rglob("*.deb"))) == 3


async def test_a_failure_that_removed_nothing_changed_nothing(apt: SystemLab) -> None:
    fill(apt)
    apt.program("apt-get", 'echo "E: Could not get lock" >&2; exit 100')
    done = await apt.run("system.clean_packages")
    assert done.state is State.FAILED, done.says
    assert "Could not get lock" in done.says


async def test_a_host_without_apt_says_so(make_ssh_server: Callable[..., SshServer], tmp_path: Path) -> None:
    async with system_lab(make_ssh_server, tmp_path, systemd=False) as lab:
        lab.program("apt-config", 'echo "apt-config: not found" >&2; exit 127')
        with pytest.raises(SourceError, match="apt names no folder"):
            await lab.plan("system.clean_packages")


# --- privilege


async def test_sudo_is_used_where_it_asks_nothing_and_its_time_is_limited_behind_it(apt: SystemLab) -> None:
    archives = fill(apt)
    apt.unprivileged(sudo=SUDO_WORKS)
    plan = await apt.plan("system.clean_packages")
    assert guard(plan, "privilege").status is GuardStatus.PASS
    assert plan.steps[0].command == "sudo -n timeout -k 5 60 apt-get clean"
    done = await apt.apply(plan)
    assert done.state is State.VERIFIED, done.says
    assert list(archives.rglob("*.deb")) == []


@pytest.mark.parametrize(("sudo", "says"), [(SUDO_ASKS, "without a password"), (None, "there is no sudo")])
async def test_without_it_the_plan_is_refused_with_the_reason(sudo: str | None, says: str, apt: SystemLab) -> None:
    archives = fill(apt)
    apt.unprivileged(sudo=sudo)
    if sudo is None:
        apt.program("sudo", "exit 127")
    plan = await apt.plan("system.clean_packages")
    assert guard(plan, "privilege").status is GuardStatus.FAIL
    assert says in guard(plan, "privilege").why
    assert plan.refusals
    assert len(list(archives.rglob("*.deb"))) == 3


async def test_a_login_ends_its_own_processes_without_being_root(lab: SystemLab) -> None:
    with process() as child:
        owner = os.getuid()
        lab.program("id", f'case "$1" in -u) echo {owner or 0};; *) exec /usr/bin/id "$@";; esac')
        lab.program("sudo", SUDO_ASKS)
        plan = await lab.plan("system.end_process", str(child.pid))
        assert guard(plan, "privilege").status is GuardStatus.PASS
        lab.unprivileged(sudo=SUDO_ASKS)
        assert guard(await lab.plan("system.end_process", str(child.pid)), "privilege").status is GuardStatus.FAIL


# --- the journal


def journal(lab: SystemLab, behaviour: str = "good") -> None:
    lines = [f"2026-03-14T09:26:{second:02d} kvm-01 nginx: line {second}" for second in range(60)]
    lab.journal.put([128 * MB] * 8, 40 * MB, lines=lines, behaviour=behaviour)


async def test_the_journal_is_saved_and_shortened(lab: SystemLab) -> None:
    journal(lab)
    plan = await lab.plan("system.vacuum_journal", "", keep="500M")
    assert plan.risk.cls is RiskClass.CAREFUL
    assert plan.rollback == ()
    assert plan.irreversible
    assert [step.command for step in plan.steps[1:]] == ["journalctl --rotate", "journalctl --vacuum-size=500M"]
    done = await lab.apply(plan)
    assert done.state is State.VERIFIED, done.says
    assert lab.journal.size <= 500 * MB
    file = SAVED / f"journal-{job_of(plan).mark}.gz"
    assert gzip.decompress(file.read_bytes()).decode().count("\n") == 60
    assert (SAVED.stat().st_mode & 0o777, file.stat().st_mode & 0o777) == (0o700, 0o600)


async def test_a_journal_that_was_not_shortened_is_no_success(lab: SystemLab) -> None:
    journal(lab, "nothing")
    done = await lab.run("system.vacuum_journal")
    assert done.state is State.UNKNOWN
    assert "it is small enough does not hold" in done.says


async def test_what_could_not_be_saved_is_not_removed(lab: SystemLab) -> None:
    """gzip succeeds on the empty output of a journalctl that failed: its own status counts."""
    journal(lab, "unreadable")
    before = lab.journal.size
    done = await lab.run("system.vacuum_journal")
    assert done.state is State.FAILED, done.says
    assert "could not be saved" in done.says
    assert lab.journal.size == before


async def test_a_small_journal_is_nothing_to_do(lab: SystemLab) -> None:
    """Within what active files may take beyond it, a check could not tell whether anything happened."""
    lab.journal.put([400 * MB], 140 * MB, lines=["x"])
    with pytest.raises(NothingToDoError, match="540 MB"):
        await lab.plan("system.vacuum_journal")


async def test_a_journal_that_does_not_say_its_size_is_refused(lab: SystemLab) -> None:
    journal(lab, "mute")
    plan = await lab.plan("system.vacuum_journal")
    assert guard(plan, "journal_read").status is GuardStatus.UNKNOWN
    assert plan.risk.cls is RiskClass.STOP


async def test_without_room_for_the_last_day_nothing_is_removed(lab: SystemLab) -> None:
    journal(lab)
    lab.program("df", 'echo "Filesystem 1024-blocks Used Available Capacity Mounted"; echo "/dev/vda1 100 100 0 100% /"')
    plan = await lab.plan("system.vacuum_journal")
    assert guard(plan, "room_to_save").status is GuardStatus.FAIL
    assert [item.remediation for item in plan.mitigations] == ["system.clean_packages"]


@pytest.mark.parametrize("keep", ["", "500", "-1M", "1.5G", "500M; reboot", "0M", "9999999G", "٥M"])
async def test_a_size_is_a_size(keep: str, lab: SystemLab) -> None:
    journal(lab)
    with pytest.raises(PlanError):
        await lab.plan("system.vacuum_journal", "", keep=keep)


async def test_a_login_that_is_not_root_asks_for_the_whole_size(lab: SystemLab) -> None:
    """What a login may read is a part only: judged by that, a full journal would look small, before and after."""
    journal(lab)
    real = lab.programs / "journalctl"
    real.rename(lab.programs / "journalctl-all")
    said = "Archived and active journals take up 8.0M in the file system."
    lab.program("journalctl", f'if [ -z "$SUDO" ]; then echo "{said}"; else exec journalctl-all "$@"; fi')
    lab.unprivileged(sudo=SUDO_WORKS)
    done = await lab.run("system.vacuum_journal")
    assert done.state is State.VERIFIED, done.says
    assert lab.journal.size <= 500 * MB


# --- units


async def test_a_failed_unit_is_restarted_and_stays_up(lab: SystemLab) -> None:
    journal(lab)
    lab.units.put("shop.service", active=False)
    plan = await lab.plan("system.restart_unit", "shop.service")
    assert plan.problem == "shop.service is failed (failed)"
    assert plan.risk.cls is RiskClass.CAREFUL
    assert plan.steps[0].command == "systemctl restart -- shop.service"
    assert plan.checks[0].watch_s == 60
    assert "line 59" in plan.diff[1].before
    done = await lab.apply(plan)
    assert done.state is State.VERIFIED, done.says
    assert lab.units.starts("shop.service") == 1


@pytest.mark.parametrize(
    ("behaviour", "says"),
    [
        ("dies", "failed"),  # status 0, active for a moment, then gone
        ("flaps", "started again"),  # active at every look, and another process each time
        ("nothing", "it stays up does not hold"),  # status 0 without effect
        ("fails", "it stays up does not hold"),
    ],
)
async def test_a_unit_that_does_not_stay_up_is_no_success(behaviour: str, says: str, lab: SystemLab) -> None:
    journal(lab)
    lab.units.put("shop.service", behaviour, active=behaviour == "nothing", dies_s=0.8)
    done = await lab.run("system.restart_unit", "shop.service")
    assert done.state is State.UNKNOWN
    assert says in done.says, done.says
    assert lab.units.starts("shop.service") == (0 if behaviour == "nothing" else 1)


async def test_a_unit_that_ends_well_by_design_is_a_success(lab: SystemLab) -> None:
    journal(lab)
    lab.units.put("backup.service", "once", active=False, Type="oneshot")
    done = await lab.run("system.restart_unit", "backup.service")
    assert done.state is State.VERIFIED, done.says


async def test_a_unit_that_somebody_else_started_is_stale(lab: SystemLab) -> None:
    journal(lab)
    lab.units.put("shop.service", active=False)
    plan = await lab.plan("system.restart_unit", "shop.service")
    lab.units.start("shop.service")
    assert (await lab.apply(plan)).state is State.REFUSED
    assert lab.units.starts("shop.service") == 1


async def test_it_is_looked_at_again_in_the_script_that_restarts(lab: SystemLab) -> None:
    """Somebody starts it after the engine's last look: the script itself sees that, and restarts nothing."""
    journal(lab)
    lab.units.put("shop.service", active=False)
    plan = await lab.plan("system.restart_unit", "shop.service")
    real = lab.programs / "systemctl"
    real.rename(lab.programs / "systemctl-real")
    # As seen by the script alone, which asks for three properties, the unit has another process.
    lab.program(
        "systemctl",
        'case "$*" in *property=InvocationID,MainPID*) systemctl-real "$@" | sed "s/^MainPID=.*/MainPID=77/";; '
        '*) exec systemctl-real "$@";; esac',
    )
    done = await lab.apply(plan)
    assert done.state is State.REFUSED, done.says
    assert "somebody else" in done.says
    assert lab.units.starts("shop.service") == 0


@pytest.mark.parametrize(
    "name",
    ["ssh", "sshd", "libvirtd", "virtqemud", "docker", "containerd", "networking", "NetworkManager", "systemd-networkd", "dbus",
     "network-dispatcher", "postgresql@15-main", "wg-quick@wg0", "user@1000"],
)  # fmt: skip
async def test_what_carries_us_or_many_others_is_never_restarted(name: str, lab: SystemLab) -> None:
    journal(lab)
    lab.units.put(f"{name}.service")
    plan = await lab.plan("system.restart_unit", f"{name}.service")
    assert plan.risk.cls is RiskClass.STOP
    assert guard(plan, "not_protected").status is GuardStatus.FAIL
    assert plan.mitigations


async def test_the_unit_that_our_own_connection_runs_in_is_never_restarted(lab: SystemLab) -> None:
    """A server of another name lets us in: told by the control group of our own ancestors."""
    journal(lab)
    lab.units.put("bastion-login.service")
    lab.program(
        "cat", 'case "$1" in /proc/*/cgroup) echo "0::/system.slice/bastion-login.service";; *) exec /bin/cat "$@";; esac'
    )
    assert (await lab.plan("system.restart_unit", "bastion-login.service")).risk.cls is RiskClass.STOP
    lab.units.put("login.service")
    assert (await lab.plan("system.restart_unit", "login.service")).risk.cls is RiskClass.CAREFUL


async def test_an_alias_of_a_protected_unit_is_protected(lab: SystemLab) -> None:
    journal(lab)
    lab.units.put("way-in.service", Id="ssh.service")
    plan = await lab.plan("system.restart_unit", "way-in.service")
    assert (plan.target.name, plan.risk.cls) == ("ssh.service", RiskClass.STOP)


@pytest.mark.parametrize(
    ("more", "name"),
    [
        ({"ActiveState": "activating", "SubState": "auto-restart", "NRestarts": 41}, "not_looping"),
        ({"ActiveState": "deactivating", "SubState": "stop-sigterm"}, "not_looping"),
        ({"RefuseManualStop": "yes"}, "unit_known"),
    ],
)
async def test_a_unit_that_a_restart_cannot_help_is_refused(more: dict[str, object], name: str, lab: SystemLab) -> None:
    journal(lab)
    lab.units.put("shop.service", **more)  # type: ignore[arg-type]
    plan = await lab.plan("system.restart_unit", "shop.service")
    assert [one.name for one in plan.refusals] == [name]


async def test_units_that_others_require_are_a_higher_class(lab: SystemLab) -> None:
    journal(lab)
    lab.units.put("shop.service", RequiredBy="web.service api.service")
    assert (await lab.plan("system.restart_unit", "shop.service")).risk.cls is RiskClass.SEVERE


async def test_a_log_that_cannot_be_read_raises_the_risk(lab: SystemLab) -> None:
    journal(lab, "unreadable")
    lab.units.put("shop.service", active=False)
    plan = await lab.plan("system.restart_unit", "shop.service")
    assert guard(plan, "logs_read").status is GuardStatus.UNKNOWN
    assert (plan.refusals, plan.risk.cls) == ((), RiskClass.SEVERE)


@pytest.mark.parametrize(
    "name", ["missing.service", "shop", "var.mount", "multi-user.target", "-x.service", "a b.service", "$(id).service"]
)
async def test_what_is_no_service_has_no_plan(name: str, lab: SystemLab) -> None:
    with pytest.raises(PlanError):
        await lab.plan("system.restart_unit", name)


async def test_a_log_is_shown_redacted_and_as_plain_text(lab: SystemLab) -> None:
    lab.units.put("shop.service", active=False)
    lab.journal.put([], MB, lines=["token: password=hunter2hunter2", "\x1b[31mred\x1b[0m"])
    text = str((await lab.plan("system.restart_unit", "shop.service")).to_json())
    assert "hunter2" not in text
    assert "\x1b" not in text


def test_offers_name_what_is_protected() -> None:
    from debugtui.model.source import FleetView
    from tests.unit.fakes import START

    view, remediation = FleetView(START, ()), get("system.restart_unit")
    assert [
        offer and offer.applies
        for name in ("nginx.service", "sshd.service", "docker.service", "nginx.timer", "4711")
        for offer in [remediation.offer(view, Target("kvm-01", "system", name))]
    ] == [True, False, False, None, None]
