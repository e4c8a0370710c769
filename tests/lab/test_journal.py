"""Real journal files, read with the real journalctl, directly and through a real sshd."""

from __future__ import annotations

import json
import os
from collections.abc import AsyncIterator, Callable
from datetime import timedelta
from pathlib import Path

import pytest

from debugtui.alerts.journal import findings
from debugtui.hosts.link import Link
from debugtui.model.journal import JournalReading, KernelFault, UnitChange
from debugtui.model.target import Target
from debugtui.sources.base import SourceError
from debugtui.sources.journal import script
from debugtui.sources.journal import source as source_module
from debugtui.sources.journal.source import JournalSource
from tests.lab.outer_tools import local
from tests.lab.repair.remote_tools import AsLogin, linked
from tests.services.journal_files import CONTAINER, JournalFiles
from tests.services.ssh_server import SshServer


@pytest.fixture(params=["local", "ssh"])
async def link(request: pytest.FixtureRequest, make_ssh_server: Callable[..., SshServer]) -> AsyncIterator[Link]:
    async with local() if request.param == "local" else linked(make_ssh_server()) as made:
        yield made


async def read(files: JournalFiles, **options: object) -> JournalReading:
    async with local() as link:
        return await JournalSource(link, str(files.write()), **options).read(full=True)  # type: ignore[arg-type]


def rules(reading: JournalReading) -> dict[str, tuple[str, str]]:
    """Rule, to severity and target."""
    found = findings(Target("kvm-01", "journal"), reading)
    return {finding.rule: (finding.severity.value, str(finding.target)) for finding in found}


async def test_error_lines_are_counted_by_unit_beside_the_hour_before(link: Link, journal_files: JournalFiles) -> None:
    for number in range(30):
        journal_files.error(10 + number, "api.service", f"upstream timed out {number}")
    for number in range(12):
        journal_files.error(400 + 200 * number, "api.service", "now and then")
    journal_files.error(100, "cron.service").say(50, "all is well", PRIORITY=6, _SYSTEMD_UNIT="api.service", _PID=4)
    reading = await JournalSource(link, str(journal_files.error(50_000, "old.service").write())).read(full=True)
    assert reading.lines == 31
    assert reading.before == pytest.approx(1.0, rel=0.1)
    api, cron = reading.units
    assert (api.unit, api.count, api.newest) == ("api.service", 30, "upstream timed out 0")
    assert (cron.unit, cron.count, cron.before) == ("cron.service", 1, 0.0)
    assert reading.booted_at is not None
    assert abs(reading.host_at - reading.booted_at - timedelta(days=1)) < timedelta(seconds=5)
    assert reading.gaps == ()
    assert rules(reading) == {"log_errors": ("medium", "kvm-01/journal/api.service")}


async def test_a_second_read_takes_only_what_is_new(journal_files: JournalFiles) -> None:
    journal_files.error(60, "api.service").error(4_000, "old.service")
    async with local() as link:
        journal = JournalSource(link, str(journal_files.write()))
        assert (await journal.read(full=True)).lines == 1
        assert (await journal.read(full=False)).lines == 1
        journal_files.error(0, "api.service").write()
        assert (await journal.read(full=False)).lines == 2
        assert (await journal.read(full=True)).lines == 2


async def test_what_the_kernel_killed_is_named_with_its_container_or_vm(journal_files: JournalFiles) -> None:
    journal_files.oom_kill(30, "python (worker)", 4711, f"/system.slice/docker-{CONTAINER}.scope")
    vm = r"/machine.slice/machine-qemu\x2d3\x2dweb\x2d01.scope/libvirt/emulator"
    journal_files.oom_kill(20, "qemu-system-x86", 99, vm, limit=False)
    reading = await read(journal_files, containers=lambda: {CONTAINER[:12]: "coach-api-1"})
    guest, worker = reading.oom_kills
    assert (worker.process, worker.pid, worker.container, worker.limit) == ("python (worker)", 4711, "coach-api-1", True)
    assert worker.memory_bytes == 512 << 20
    assert (guest.process, guest.vm, guest.limit, guest.container) == ("qemu-system-x86", "web-01", False, "")
    found = list(findings(Target("kvm-01", "journal"), reading))
    assert [(one.rule, one.severity.value, str(one.target)) for one in found] == [
        ("oom_kill", "critical", "kvm-01/journal/web-01"),
        ("oom_kill", "high", "kvm-01/journal/coach-api-1"),
    ]
    assert "in the container coach-api-1 that held 512.0 MiB" in found[1].message


async def test_disks_that_fail_and_processes_that_crash_are_told_apart(journal_files: JournalFiles) -> None:
    journal_files.kernel(50, "blk_update_request: I/O error, dev sdb, sector 2048 op 0x0:(READ) flags 0x0")
    journal_files.kernel(40, "EXT4-fs (sda1): Remounting filesystem read-only", 2)
    journal_files.kernel(30, "api[4711]: segfault at 0 ip 000055d0 sp 00007ffd error 4 in api[55d0+1000]", 6)
    journal_files.kernel(20, "INFO: task jbd2/sdb1-8:312 blocked for more than 120 seconds.")
    journal_files.kernel(15, "[UFW BLOCK] IN=eth0 OUT= SRC=203.0.113.9", 4)
    reading = await read(journal_files)
    assert {(fault.fault, fault.about) for fault in reading.faults} == {
        (KernelFault.IO, "sdb"),
        (KernelFault.READ_ONLY, "sda1"),
        (KernelFault.SEGFAULT, "api"),
        (KernelFault.HUNG, "jbd2/sdb1-8"),
    }
    found = {(one.severity.value, str(one.target)) for one in findings(Target("kvm-01", "journal"), reading)}
    assert found == {("high", "kvm-01/journal/sdb"), ("critical", "kvm-01/journal/sda1")}


async def test_changes_of_units_are_dated_and_repeated_failures_alert(journal_files: JournalFiles) -> None:
    journal_files.change(500, "nginx.service", script.STARTED, "Started nginx.service - web server.")
    for ago in (300, 200, 100):
        journal_files.change(
            ago, "api.service", script.EXITED, "api.service: Main process exited, code=exited, status=1/FAILURE"
        )
        journal_files.change(ago - 1, "api.service", script.FAILED, "api.service: Failed with result 'exit-code'.")
        journal_files.change(
            ago - 2, "api.service", script.RESTARTING, "api.service: Scheduled restart job, restart counter is 7"
        )
    journal_files.change(10, "session-7.scope", script.STARTED, "Started session-7.scope.")
    reading = await read(journal_files)
    assert (reading.events[0].unit, reading.events[0].change) == ("api.service", UnitChange.RESTARTING)
    assert [event.unit for event in reading.events if event.change is UnitChange.STARTED] == ["nginx.service"]
    (finding,) = findings(Target("kvm-01", "journal"), reading)
    assert (finding.rule, str(finding.target), finding.value) == ("unit_failing", "kvm-01/journal/api.service", 3.0)


async def test_nobody_can_speak_for_the_kernel_or_for_systemd(journal_files: JournalFiles) -> None:
    kill = "Out of memory: Killed process 1 (postgres) total-vm:1kB, anon-rss:1kB"
    journal_files.say(
        20, kill, PRIORITY=3, _TRANSPORT="stdout", SYSLOG_IDENTIFIER="kernel", _SYSTEMD_UNIT="evil.service", _PID=9
    )
    for ago in (30, 25, 20):
        journal_files.say(
            ago, "x", PRIORITY=3, MESSAGE_ID=script.FAILED, UNIT="postgresql.service", _PID=9, _SYSTEMD_UNIT="evil.service"
        )
    reading = await read(journal_files)
    assert (reading.oom_kills, reading.faults, reading.events) == ((), (), ())
    assert [(unit.unit, unit.count) for unit in reading.units] == [("evil.service", 4)]


async def test_hostile_lines_are_plain_text_without_secrets(journal_files: JournalFiles) -> None:
    journal_files.error(9, "evil.service", b"\x1b]0;owned\x07 \xff\n[@click=app.quit]x[/] password=hunter2secret")
    journal_files.error(8, "bytes.service", b"caf\xc3\xa9")
    journal_files.error(7, "long.service", "x" * 100_000)
    reading = await read(journal_files)
    says = {unit.unit: unit.newest for unit in reading.units}
    assert "\x1b" not in says["evil.service"]
    assert "\n" not in says["evil.service"]
    assert "hunter2secret" not in says["evil.service"]
    assert says["bytes.service"] == "café"
    assert len(says["long.service"]) < 400


async def test_a_flood_is_bounded_and_said_to_be_more(journal_files: JournalFiles, monkeypatch: pytest.MonkeyPatch) -> None:
    for number in range(300):
        journal_files.error(200 - number / 2, "flood.service", f"no {number}")
    monkeypatch.setattr(source_module, "LINES", 100)
    monkeypatch.setattr(source_module, "COMMAND", ("sh", "-c", script.SCRIPT.replace("5000", "100"), "sh"))
    reading = await read(journal_files)
    assert (reading.lines, reading.limited, reading.before) == (100, True, None)
    assert [gap.feature for gap in reading.gaps] == ["every error line"]
    assert rules(reading) == {}  # what was usual before is not known


async def test_the_containers_own_lines_are_counted_as_theirs(journal_files: JournalFiles) -> None:
    journal_files.say(5, "boom", PRIORITY=3, _SYSTEMD_UNIT="docker.service", _PID=8, CONTAINER_NAME="coach-api-1")
    assert [unit.unit for unit in (await read(journal_files)).units] == ["container coach-api-1"]


async def test_a_calm_journal_has_no_lines_and_no_alerts(journal_files: JournalFiles) -> None:
    reading = await read(journal_files.say(4_000, "started", PRIORITY=6, _PID=7))
    assert (reading.lines, reading.units, reading.before, rules(reading)) == (0, (), 0.0, {})


async def test_a_directory_that_is_not_there_and_one_without_files_are_said(tmp_path: Path) -> None:
    async with local() as link:
        with pytest.raises(SourceError, match="No such file") as caught:
            await JournalSource(link, str(tmp_path / "nothing")).read(full=True)
        assert not caught.value.absent
        with pytest.raises(SourceError, match="no journal files"):
            await JournalSource(link, str(tmp_path)).read(full=True)


async def test_without_journalctl_it_is_absent(tmp_path: Path) -> None:
    for name in ("sh", "date", "head"):
        (tmp_path / name).symlink_to(Path("/bin") / name)
    link = AsLogin(path=tmp_path)
    with pytest.raises(SourceError) as caught:
        await JournalSource(link, configured=False).read(full=True)
    assert caught.value.absent
    await link.close()


@pytest.mark.parametrize("configured", [True, False])
async def test_a_journal_that_may_not_be_read_says_which_group_helps(configured: bool, journal_files: JournalFiles) -> None:
    folder = journal_files.error(5, "api.service").write()
    for path in (folder, *folder.parents):
        if path.is_relative_to(folder.parents[2]):
            path.chmod(0o755)
    for file in folder.iterdir():
        file.chmod(0o640)
    assert os.geteuid() == 0, "the test gives its rights up"
    link = AsLogin(uid=65_534)
    journal = JournalSource(link, str(folder), configured=configured)
    if configured:
        with pytest.raises(SourceError, match="closed") as caught:
            await journal.read(full=True)
        assert "systemd-journal" in caught.value.problem.hint
    else:
        reading = await journal.read(full=True)
        assert (reading.lines, [gap.feature for gap in reading.gaps]) == (None, ["system messages"])
    await link.close()


async def test_no_command_is_ever_built_of_what_is_configured(tmp_path: Path, journal_files: JournalFiles) -> None:
    folder = tmp_path / "it's $(touch broken); `x`"
    journal_files.error(5, "api.service").write().rename(folder)
    async with local() as link:
        reading = await JournalSource(link, str(folder)).read(full=True)
    assert reading.lines == 1
    assert json.dumps(reading.directory)
    assert not Path("broken").exists()
