"""The whole demo: starts quickly, is read by the real links and sources, unfolds its incidents, leaves nothing behind."""

from __future__ import annotations

import asyncio
import os
import pwd
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner

from debugtui.alerts.book import AlertBook
from debugtui.config.ask import NobodyToAsk
from debugtui.demo import cast, postgres_binaries
from debugtui.demo.command import demo, run_demo
from debugtui.demo.configure import configuration
from debugtui.demo.handle import DemoError, DemoHandle
from debugtui.demo.lab import DemoLab
from debugtui.demo.scenarios import SCENARIOS
from debugtui.fleet.build import build_fleet
from debugtui.fleet.fleet import Fleet
from debugtui.hosts.open import open_link
from debugtui.model.docker import DockerReading
from debugtui.model.libvirt import LibvirtReading
from debugtui.model.postgres import PostgresReading
from debugtui.model.source import Freshness, LinkState, SourceStatus
from debugtui.model.system import SystemReading
from debugtui.sources.libvirt.source import LibvirtSource


def processes_about(folder: Path) -> list[str]:
    """Return the command lines of processes that name a folder."""
    found = []
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit():
            continue
        try:
            command = (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
        except OSError:
            continue
        if str(folder) in command:
            found.append(command)
    return found


def wait_until(true: Callable[[], object], limit: float, what: str) -> None:
    end = time.monotonic() + limit
    while not true():
        assert time.monotonic() < end, f"not within {limit:g} s: {what}"
        time.sleep(0.05)


def gone(folder: Path) -> bool:
    return not folder.exists() and not processes_about(folder)


@pytest.fixture(scope="module")
def tour() -> Iterator[DemoHandle]:
    handle = DemoHandle.start("tour")
    yield handle
    handle.close()
    assert gone(handle.folder)


async def read(fleet: Fleet) -> dict[tuple[str, str], SourceStatus]:
    for link in fleet.links:
        await link.start()
    for link in fleet.links:
        assert (await link.wait_settled(15)).state is LinkState.UP, link.status
    await fleet.read_all(full=True)
    return {(status.host, status.name): status for status in fleet.statuses()}


@pytest.fixture
async def fleet(tour: DemoHandle) -> AsyncIterator[Fleet]:
    built = build_fleet(tour.config, NobodyToAsk(), libvirt_factory=tour.libvirt_factory, state=tour.state)
    yield built
    await built.close_sources()
    await built.stop()


async def test_the_lock_chain_is_there_within_ten_seconds(tour: DemoHandle, fleet: Fleet) -> None:
    for link in fleet.links:
        await link.start()
        await link.wait_settled(15)
    fleet.keep(lambda source: source.name == "coach")
    reading: object = None
    while time.time() < tour.timeline.started + 30:
        await fleet.read_all(full=False)
        reading = next(iter(fleet.statuses())).reading
        if isinstance(reading, PostgresReading) and len(reading.locks) >= 3:
            break
        await asyncio.sleep(0.2)
    assert isinstance(reading, PostgresReading)
    assert time.time() - tour.timeline.started < 10
    root = reading.locks[0]
    assert (root.depth, root.application, root.state) == (0, "coach-admin", "idle in transaction")
    assert root.waiters >= 2


async def test_every_source_of_every_host_is_read(tour: DemoHandle, fleet: Fleet) -> None:
    statuses = await read(fleet)
    problems = {key: status.problem for key, status in statuses.items() if status.freshness is not Freshness.LIVE}
    assert not problems
    for host in cast.HOSTS:
        system = statuses[host.name, "system"].reading
        assert isinstance(system, SystemReading)
        assert (system.hostname, system.cpus, len(system.filesystems)) == (host.name, host.cpus, 3)
        docker = statuses[host.name, "docker"].reading
        assert isinstance(docker, DockerReading)
        assert {container.name for container in docker.containers} == {part.name for part in host.containers}
        assert not docker.gaps
        libvirt = statuses[host.name, "libvirt"].reading
        assert isinstance(libvirt, LibvirtReading)
        assert {vm.name for vm in libvirt.vms} == {vm.name for vm in host.vms}
        assert all(vm.cpu_percent is not None for vm in libvirt.vms if vm.state == "running")
        assert libvirt.hostname == host.name
    coach = statuses[cast.LOCK_HOST, "coach"].reading
    assert isinstance(coach, PostgresReading)
    assert coach.role == "monitor"
    assert not coach.gaps
    assert coach.statements
    assert any(not index.valid for index in coach.indexes or ())
    assert any(index.unused for index in coach.indexes or ())
    assert any((table.dead_percent or 0) > 50 for table in coach.tables or ())


async def test_the_consoles_of_the_vms_can_be_read(tour: DemoHandle) -> None:
    host = tour.config.hosts[0]
    link = open_link(host, NobodyToAsk())
    await link.start()
    await link.wait_settled(15)
    source = tour.libvirt_factory(link, str(host.libvirt))
    assert isinstance(source, LibvirtSource)
    try:
        vm = next(vm for vm in (await source.read(full=True)).vms if vm.name == "db-01")
        assert [snapshot.name for snapshot in vm.snapshots or ()] == ["before-16", "after-16"]
        path, lines = await source.console_log(vm.uuid)
        assert path.startswith(str(tour.folder))
        assert lines[-1].text.startswith("db-01 login:")
        assert "<name>db-01</name>" in await source.domain_xml(vm.uuid)
    finally:
        await source.close()
        await link.close()


async def test_rates_come_with_the_second_read(fleet: Fleet) -> None:
    await read(fleet)
    await asyncio.sleep(1)
    await fleet.read_rates()
    for status in fleet.statuses():
        if isinstance(status.reading, SystemReading):
            assert status.reading.cpu_percent
            assert all(disk.busy_percent is not None for disk in status.reading.disks)
        if isinstance(status.reading, DockerReading):
            busy = [c.cpu_percent for c in status.reading.containers if c.state == "running" and not c.looping]
            assert all(share is not None for share in busy)


def incident(scenario: str) -> tuple[DemoHandle, Fleet]:
    handle = DemoHandle.start(scenario)
    return handle, build_fleet(handle.config, NobodyToAsk(), libvirt_factory=handle.libvirt_factory, state=handle.state)


@pytest.mark.parametrize(
    ("scenario", "rule", "target", "limit"),
    [
        ("crash-loop", "crash_loop", "kvm-02/docker/shop-worker-1", 40),
        ("paused-vm", "vm_io_error", "kvm-03/libvirt/db-02", 12),
        ("disk-full", "disk", "kvm-02/system//var", 60),
        ("link-lost", "link_lost", "kvm-03/system", 40),
        ("lock-chain", "web_status", "kvm-01/web/api", 30),
        ("groq-limit", "groq_rate_limited", "groq/coach-ai", 20),
    ],
)
async def test_each_incident_raises_its_alert(scenario: str, rule: str, target: str, limit: float) -> None:
    handle, fleet = incident(scenario)
    try:
        await fleet.start()
        book = AlertBook()
        found: set[tuple[str, str]] = set()
        end = time.monotonic() + limit
        while (rule, target) not in found and time.monotonic() < end:
            await asyncio.sleep(0.5)
            found |= {(alert.rule, str(alert.target)) for alert in book.update(fleet.view())}
        assert (rule, target) in found
    finally:
        await fleet.stop()
        handle.close()
    assert gone(handle.folder)


def test_it_is_ready_quickly_and_ends_quickly() -> None:
    begun = time.monotonic()
    handle = DemoHandle.start("calm")
    try:
        handle.wait_ready()
        ready = time.monotonic() - begun
    finally:
        begun = time.monotonic()
        handle.close()
    handle.close()
    assert ready < 3
    assert time.monotonic() - begun < 5
    assert gone(handle.folder)
    assert handle.progress


def test_its_folder_is_closed_to_others_where_it_matters(tour: DemoHandle) -> None:
    tour.wait_ready()
    for name in ("keys", "pg", "run", *cast.BY_NAME):
        assert (tour.folder / name).stat().st_mode & 0o077 == 0, name


SCREEN = """
import os, signal, sys, time
signal.signal(signal.SIGHUP, signal.SIG_DFL)  # who started the tests may ignore it: nohup
from debugtui.demo.command import run_demo
def screen(handle):
    handle.config
    while "PostgreSQL is ready" not in handle.progress:
        time.sleep(0.05)
    print(handle.folder, flush=True)
    if sys.argv[1] == "wait":
        time.sleep(60)
    return 7
sys.exit(run_demo(screen, "tour"))
"""


def screen(home: Path, end: str, *prefix: str) -> subprocess.Popen[str]:
    environment = {**os.environ, "HOME": str(home), "XDG_CONFIG_HOME": "", "XDG_CACHE_HOME": "", "PYTHONDONTWRITEBYTECODE": "1"}
    return subprocess.Popen(
        [*prefix, sys.executable, "-c", SCREEN, end], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment
    )


#: An account that every machine has: initdb looks its own name up.
NOBODY = pwd.getpwnam("nobody")
ORDINARY = ("unshare", "--user", f"--map-user={NOBODY.pw_uid}", f"--map-group={NOBODY.pw_gid}", "--")


@pytest.mark.parametrize("prefix", [(), ORDINARY], ids=["as we are", "as an ordinary user"])
def test_it_leaves_home_alone_and_nothing_behind(tmp_path: Path, prefix: tuple[str, ...]) -> None:
    process = screen(tmp_path, "end", *prefix)
    output, errors = process.communicate(timeout=30)
    assert process.returncode == 7, errors
    assert "three hosts" in errors
    assert gone(Path(output.strip()))
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM, signal.SIGHUP])
def test_it_ends_with_the_screen_whatever_ends_that(tmp_path: Path, number: signal.Signals) -> None:
    process = screen(tmp_path, "wait")
    assert process.stdout is not None
    folder = Path(process.stdout.readline().strip())
    assert len(processes_about(folder)) >= 2
    process.send_signal(number)
    process.communicate(timeout=30)
    wait_until(lambda: gone(folder), 8, "nothing left of the demo")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_a_lab_that_was_killed_is_cleaned_up(number: signal.Signals) -> None:
    handle = DemoHandle.start("calm")
    wait_until(lambda: "PostgreSQL is ready" in handle.progress, 20, "PostgreSQL is ready")
    handle._process.send_signal(number)
    handle._process.wait(10)
    handle.close()
    assert gone(handle.folder)


def test_a_lab_that_cannot_start_says_why(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "executable", "/bin/false")
    handle = DemoHandle.start("calm")
    with pytest.raises(DemoError, match="could not start"):
        _ = handle.config
    handle.close()
    assert gone(handle.folder)
    monkeypatch.setattr(sys, "executable", "/nonexistent/python")
    with pytest.raises(DemoError, match="did not start"):
        DemoHandle.start("calm")


@pytest.fixture
def folder() -> Iterator[Path]:
    path = Path(tempfile.mkdtemp(prefix="dtui-test-", dir="/tmp"))
    yield path
    shutil.rmtree(path)


async def test_without_postgresql_the_rest_works_and_the_pane_says_what_is_missing(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(postgres_binaries, "find", lambda _scratch: None)
    lab = DemoLab(folder, "calm")
    await lab.start()
    fleet = build_fleet(configuration(lab.layout, lab.ports), NobodyToAsk(), state=folder)
    fleet.keep(lambda source: source.name in ("coach", "docker"))
    try:
        statuses = await read(fleet)
        problem = statuses[cast.LOCK_HOST, "coach"].problem
        assert problem is not None
        assert "no PostgreSQL on this machine: apt install postgresql" in problem.says
        assert statuses[cast.LOCK_HOST, "docker"].problem is None
    finally:
        await fleet.close_sources()
        await fleet.stop()
        await lab.stop()
        await lab.stop()


def test_the_command_lists_the_scenarios() -> None:
    result = CliRunner().invoke(demo, ["--list"])
    assert result.exit_code == 0
    assert [line.split()[0] for line in result.output.splitlines()] == list(SCENARIOS)


def test_the_command_passes_the_screens_exit_code_on() -> None:
    seen: list[DemoHandle] = []

    def open_screen(demo: DemoHandle) -> int:
        seen.append(demo)
        assert [host.name for host in demo.config.hosts] == list(cast.BY_NAME)
        return 5

    result = CliRunner().invoke(demo, ["--scenario", "calm"], obj={"open_screen": open_screen})
    assert result.exit_code == 5
    assert gone(seen[0].folder)
    result = CliRunner().invoke(demo, ["--scenario", "flood"], obj={"open_screen": open_screen})
    assert result.exit_code == 1
    assert "there are: tour, calm" in result.output


def test_a_screen_that_fails_ends_the_lab_too() -> None:
    seen: list[Path] = []

    def fails(handle: DemoHandle) -> int:
        seen.append(handle.folder)
        raise RuntimeError("the screen")

    with pytest.raises(RuntimeError, match="the screen"):
        run_demo(fails, "calm")
    assert gone(seen[0])
