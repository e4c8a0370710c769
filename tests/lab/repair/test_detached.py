"""Detached commands on a real host: once, to the end, within their time, whatever happens to the link."""

from __future__ import annotations

import asyncio
import os
import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from debugtui.hosts.link import CommandTimeoutError, LinkError
from debugtui.remediation.remote import detached
from debugtui.remediation.remote.detached import JobState
from tests.lab.link_tools import nothing_left, until
from tests.lab.repair.remote_tools import AsLogin, busybox_path, job_folder, linked, marks
from tests.services.ssh_server import SshServer


@pytest.fixture
def mark() -> Iterator[str]:
    with marks() as make:
        yield make()


async def ended(link: object, mark: str, seconds: float = 15) -> detached.Look:
    """Look until it no longer runs."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        seen = await detached.look(link, mark, wait=1)  # type: ignore[arg-type]
        if seen.state is not JobState.RUNNING:
            return seen
    raise AssertionError("it still runs")


async def test_output_status_and_input_come_back(ssh_server: SshServer, mark: str) -> None:
    async with nothing_left(), linked(ssh_server) as link:
        script = 'cat; echo "$1" "$2" >&2; exit 7'
        done = await detached.run(link, mark, ["sh", "-c", script, "x", "a  'b", "$HOME;`id`"], timeout_s=10, stdin=b"in\0put")
        assert (done.status, done.stdout, done.stderr) == (7, b"in\0put", b"a  'b $HOME;`id`\n")
        seen = await detached.look(link, mark)
        assert (seen.state, seen.result) == (JobState.ENDED, done)
        await detached.forget(link, mark)
        assert (await detached.look(link, mark)).state is JobState.NONE


async def test_one_mark_is_started_once(ssh_server: SshServer, mark: str, tmp_path: Path) -> None:
    argv = ["sh", "-c", 'echo started >> "$1"; sleep 0.5; echo done', "x", str(tmp_path / "starts")]
    async with linked(ssh_server) as link:
        results = await asyncio.gather(*(detached.run(link, mark, argv, timeout_s=10) for _ in range(8)))
        again = await detached.run(link, mark, argv, timeout_s=10)
    assert {(done.status, done.stdout) for done in [*results, again]} == {(0, b"done\n")}
    assert (tmp_path / "starts").read_text() == "started\n"


async def test_a_chatty_command_runs_to_its_end_after_the_link_is_cut(
    make_ssh_server: Callable[..., SshServer], mark: str, tmp_path: Path
) -> None:
    """In the foreground it would die at its next output, half done."""
    server = make_ssh_server()
    script = 'i=0; while [ $i -lt 30 ]; do echo line $i; i=$((i+1)); sleep 0.1; done; echo whole > "$1"'
    argv = ["sh", "-c", script, "x", str(tmp_path / "end")]
    async with linked(server) as link:
        running = asyncio.create_task(detached.run(link, mark, argv, timeout_s=20))
        while (await detached.look(link, mark)).state is not JobState.RUNNING:
            await asyncio.sleep(0.05)
        server.kill_connections()
        with pytest.raises(LinkError):
            await running
    assert not (tmp_path / "end").exists()
    async with linked(server) as link:
        seen = await ended(link, mark)
        assert seen.result is not None
        assert seen.result.stdout.decode().splitlines() == [f"line {number}" for number in range(30)]
        assert (await detached.run(link, mark, argv, timeout_s=20)) == seen.result
    assert (tmp_path / "end").read_text() == "whole\n"


async def test_the_host_ends_it_at_its_time_limit_with_nobody_there(
    make_ssh_server: Callable[..., SshServer], mark: str, tmp_path: Path
) -> None:
    """Neither a command that ignores TERM nor its child outlives its time, though nobody is connected."""
    server = make_ssh_server()
    script = 'trap "" TERM; sh -c "while :; do sleep 0.2; done" & echo $! $$ > "$1"; while :; do sleep 0.2; done'
    async with linked(server) as link:
        asking = asyncio.create_task(detached.run(link, mark, ["sh", "-c", script, "x", str(tmp_path / "pids")], timeout_s=1))
        while not (tmp_path / "pids").exists():
            await asyncio.sleep(0.05)
        server.kill_connections()
        with pytest.raises(LinkError):
            await asking
    await asyncio.sleep(7)
    async with linked(server) as link:
        assert (await ended(link, mark)).state is JobState.TIMED_OUT
    assert [pid for pid in (tmp_path / "pids").read_text().split() if lives(pid)] == []


async def test_a_status_like_that_of_a_time_limit_is_a_status(ssh_server: SshServer) -> None:
    async with linked(ssh_server) as link:
        with marks() as make:
            for code in (124, 137, 0, 255):
                done = await detached.run(link, make(), ["sh", "-c", f"exit {code}"], timeout_s=30)
                assert done.status == code
            mark = make()
            with pytest.raises(CommandTimeoutError, match="the host ended it"):
                await detached.run(link, mark, ["sleep", "30"], timeout_s=1)
            assert (await detached.look(link, mark)).state is JobState.TIMED_OUT


async def test_output_is_bounded_on_the_host_and_its_command_lives_on(ssh_server: SshServer, mark: str) -> None:
    async with linked(ssh_server) as link:
        argv = ["sh", "-c", "yes 0123456789 | head -c 30000000; echo end >&2"]
        done = await detached.run(link, mark, argv, timeout_s=30, limit=50_000)
    assert (done.status, len(done.stdout), done.stderr, done.truncated) == (0, 50_000, b"end\n", True)
    assert sum(file.stat().st_size for file in job_folder(mark).iterdir() if file.is_file()) < 100_000


async def test_a_service_that_it_leaves_behind_is_not_waited_for(ssh_server: SshServer, mark: str, tmp_path: Path) -> None:
    script = 'setsid sh -c "echo \\$\\$ > $1; sleep 60" & echo started'
    async with linked(ssh_server) as link:
        began = time.monotonic()
        done = await detached.run(link, mark, ["sh", "-c", script, "x", str(tmp_path / "pid")], timeout_s=30)
        took = time.monotonic() - began
    assert (done.status, done.stdout) == (0, b"started\n")
    assert took < 6
    os.killpg(int((tmp_path / "pid").read_text()), signal.SIGKILL)


async def test_files_that_it_makes_have_the_modes_of_the_login(ssh_server: SshServer, mark: str, tmp_path: Path) -> None:
    """Our own folder is private; what a repair writes must stay readable by the service that needs it."""
    async with linked(ssh_server) as link:
        wanted = (await link.run(["sh", "-c", "umask"], timeout=10)).stdout
        done = await detached.run(link, mark, ["sh", "-c", "umask"], timeout_s=10)
    assert done.stdout == wanted
    assert job_folder(mark).stat().st_mode & 0o777 == 0o700
    assert job_folder(mark).parent.stat().st_mode & 0o777 == 0o700


async def test_nothing_is_started_with_a_part_of_its_input(
    make_ssh_server: Callable[..., SshServer], mark: str, tmp_path: Path
) -> None:
    """A link that is cut looks to the host like the end of the input."""
    link = AsLogin()
    words = ["sh", "-c", detached.START, "debugtui", job_folder(mark).name, "10", "1000", "100"]
    done = await link.run([*words, "touch", str(tmp_path / "ran")], timeout=10, stdin=b"x" * 999)
    assert done.stdout.startswith(b"cut")
    assert (await detached.look(link, mark)).state is JobState.NONE
    assert not (tmp_path / "ran").exists()


async def test_one_that_was_killed_is_lost_and_never_done(ssh_server: SshServer, mark: str) -> None:
    async with linked(ssh_server) as link:
        running = asyncio.create_task(detached.run(link, mark, ["sleep", "30"], timeout_s=60))
        while (await detached.look(link, mark)).state is not JobState.RUNNING or not (job_folder(mark) / "pid").exists():
            await asyncio.sleep(0.05)
        await asyncio.sleep(0.2)
        kill_session(int((job_folder(mark) / "pid").read_text()))
        with pytest.raises(LinkError, match="gone without a result"):
            await running
        assert (await detached.look(link, mark)).state is JobState.LOST


def lives(pid: str) -> bool:
    """Whether a process runs; one that has ended and was not collected yet does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def kill_session(leader: int) -> None:
    """Kill everything of one session."""
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = stat.read_text().rpartition(")")[2].split()
        except OSError:
            continue
        if int(fields[3]) == leader:
            os.kill(int(stat.parent.name), signal.SIGKILL)


async def test_a_start_that_was_cut_off_is_lost_after_a_minute(mark: str) -> None:
    folder = job_folder(mark)
    folder.mkdir(parents=True, mode=0o700)
    link = AsLogin()
    assert (await detached.look(link, mark)).state is JobState.RUNNING
    long_ago = time.time() - 120
    os.utime(folder, (long_ago, long_ago))
    assert (await detached.look(link, mark)).state is JobState.LOST


async def test_it_works_with_busybox_alone(mark: str, tmp_path: Path) -> None:
    link = AsLogin(path=busybox_path(tmp_path / "bin"))
    done = await detached.run(link, mark, ["sh", "-c", "cat; echo two >&2; exit 3"], timeout_s=10, stdin=b"one")
    assert (done.status, done.stdout, done.stderr) == (3, b"one", b"two\n")
    with marks() as make:
        late = make()
        script = 'sh -c "while :; do sleep 0.2; done" & echo $! > "$1"; wait'
        with pytest.raises(CommandTimeoutError):
            await detached.run(link, late, ["sh", "-c", script, "x", str(tmp_path / "pid")], timeout_s=1)
        await until(lambda: not lives((tmp_path / "pid").read_text().strip()), 8, "its child has ended")


@pytest.mark.parametrize("hostile", ["link", "file", "foreign"])
async def test_a_hostile_folder_is_never_followed(hostile: str, tmp_path: Path) -> None:
    """Another login cannot have our files written where it likes: its trap is named, and nothing is started."""
    uid = 52_341
    trap, elsewhere = Path(f"/tmp/debugtui-{uid}"), tmp_path / "elsewhere"
    elsewhere.mkdir()
    tmp_path.chmod(0o755)
    if hostile == "link":
        trap.symlink_to(elsewhere)
    elif hostile == "file":
        trap.write_text("")
    else:
        trap.mkdir(mode=0o777)
    try:
        with pytest.raises(LinkError, match="unusable"):
            await detached.run(AsLogin(uid), "debugtui:hostile/1", ["true"], timeout_s=5)
        assert list(elsewhere.iterdir()) == []
    finally:
        trap.rmdir() if hostile == "foreign" else trap.unlink()


async def test_where_logind_ends_what_a_login_leaves_nothing_is_started(mark: str, tmp_path: Path) -> None:
    programs = tmp_path / "bin"
    programs.mkdir()
    (programs / "busctl").write_text("#!/bin/sh\necho b true\n")
    (programs / "busctl").chmod(0o755)
    tmp_path.chmod(0o755)
    for folder in (programs, *tmp_path.parents):
        if folder != Path("/tmp") and folder.is_relative_to("/tmp") and os.access(folder, os.W_OK):
            folder.chmod(folder.stat().st_mode | 0o055)
    link = AsLogin(52_342, Path(f"{programs}:{os.environ['PATH']}"))
    try:
        with pytest.raises(LinkError, match="KillUserProcesses"):
            await detached.run(link, mark, ["true"], timeout_s=5)
    finally:
        await link.run(["rm", "-rf", "/tmp/debugtui-52342"], timeout=5)
