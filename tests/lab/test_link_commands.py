"""Commands through a link, remote and local: the same promises."""

from __future__ import annotations

import asyncio
import os
import signal
import time
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest

from debugtui.hosts.link import CommandTimeoutError, Link, LinkError
from debugtui.hosts.local import LocalLink
from debugtui.model.source import LinkState
from tests.lab.link_tools import becomes, failure, make_link, nothing_left, started, until
from tests.services.ssh_server import SshServer

pytestmark = pytest.mark.lab


@pytest.fixture(params=["ssh", "local"])
async def link(request: pytest.FixtureRequest, ssh_server: SshServer) -> AsyncIterator[Link]:
    if request.param == "local":
        local = LocalLink("here")
        yield local
        await local.close()
        assert local.status.state is LinkState.LOST
        assert isinstance(await failure(local.run(["true"], timeout=1)), LinkError)
    else:
        async with started(make_link(ssh_server)) as remote:
            yield remote


async def test_arguments_are_never_interpreted(link: Link) -> None:
    hostile = ["", " ", "*", "$(id)", "`id`", "'", '"', "a\nb", "\\", ";reboot", "é", "-n"]
    result = await link.run(["printf", "<%s>", *hostile], timeout=5)
    assert result.stdout.decode() == "".join(f"<{part}>" for part in hostile)
    with pytest.raises(LinkError):
        await link.run(["echo", "a\0b"], timeout=5)
    with pytest.raises(LinkError):
        await link.run([], timeout=5)


async def test_status_and_both_outputs(link: Link) -> None:
    result = await link.run(["sh", "-c", "echo out; echo err >&2; exit 3"], timeout=5)
    assert (result.status, result.stdout, result.stderr, result.truncated) == (3, b"out\n", b"err\n", False)


async def test_signal(link: Link) -> None:
    assert (await link.run(["sh", "-c", "kill -USR1 $$; sleep 5"], timeout=5)).status == -signal.SIGUSR1


async def test_missing_program_and_one_that_may_not_run(link: Link, tmp_path: Path) -> None:
    result = await link.run(["no-such-program-here"], timeout=5)
    assert result.status == 127
    assert b"no-such-program-here" in result.stderr
    plain = tmp_path / "plain"
    plain.write_text("text")
    assert (await link.run([str(plain)], timeout=5)).status == 126


async def test_standard_input(link: Link) -> None:
    data = os.urandom(3_000_000)
    result = await link.run(["cat"], timeout=20, stdin=data)
    assert result.stdout == data
    assert (await link.run(["cat"], timeout=5)).stdout == b""
    # A command that does not read it all.
    assert (await link.run(["true"], timeout=5, stdin=data)).status == 0


async def test_output_is_bounded(link: Link) -> None:
    result = await link.run(["sh", "-c", "head -c 50000000 /dev/zero; head -c 2000 /dev/zero >&2"], timeout=30, limit=1000)
    assert (result.status, len(result.stdout), len(result.stderr), result.truncated) == (0, 1000, 1000, True)
    exact = await link.run(["head", "-c", "1000", "/dev/zero"], timeout=5, limit=1000)
    assert (len(exact.stdout), exact.truncated) == (1000, False)


async def test_time_limit_ends_the_command_there(link: Link, tmp_path: Path) -> None:
    pid = tmp_path / "pid"
    begun = time.monotonic()
    with pytest.raises(CommandTimeoutError) as caught:
        await link.run(["sh", "-c", f"echo $$ > {pid}; sleep 60 & sleep 61"], timeout=1)
    assert time.monotonic() - begun < 2.5
    assert "did not end within 1 s" in caught.value.problem.says
    number = int(pid.read_text())
    await until(lambda: not running(number), 4, "the end of the command on the host")


async def test_time_limit_of_a_stubborn_command(link: Link, tmp_path: Path) -> None:
    pid = tmp_path / "pid"
    with pytest.raises(CommandTimeoutError):
        await link.run(["sh", "-c", f"trap '' TERM HUP PIPE; echo $$ > {pid}; while :; do sleep 0.2; done"], timeout=1)
    await until(lambda: not running(int(pid.read_text())), 6, "the end of the stubborn command")


async def test_cancelled_command_ends(link: Link, tmp_path: Path) -> None:
    pid = tmp_path / "pid"
    task = asyncio.create_task(link.run(["sh", "-c", f"echo $$ > {pid}; sleep 60"], timeout=3))
    await until(lambda: pid.exists() and pid.read_text(), 5, "the command")
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    await until(lambda: not running(int(pid.read_text())), 6, "the end of the cancelled command")
    assert (await link.run(["echo", "next"], timeout=5)).stdout == b"next\n"


async def test_four_at_a_time_and_all_in_the_end(link: Link) -> None:
    begun = time.monotonic()
    results = await asyncio.gather(*(link.run(["sh", "-c", f"sleep 0.3; echo {number}"], timeout=10) for number in range(8)))
    assert [int(result.stdout) for result in results] == list(range(8))
    assert 0.6 <= time.monotonic() - begun < 3
    # Waiting for a turn counts as part of the time limit.
    slow = [asyncio.create_task(link.run(["sleep", "1"], timeout=5)) for _ in range(4)]
    await asyncio.sleep(0.2)
    with pytest.raises(CommandTimeoutError):
        await link.run(["true"], timeout=0.3)
    await asyncio.gather(*slow)


async def test_max_sessions(make_ssh_server: Callable[..., SshServer]) -> None:
    async with started(make_link(make_ssh_server("MaxSessions 2"))) as link:
        results = await asyncio.gather(*(link.run(["sh", "-c", "sleep 0.1; echo ok"], timeout=15) for _ in range(6)))
        assert {result.stdout for result in results} == {b"ok\n"}


async def test_no_sessions_at_all(make_ssh_server: Callable[..., SshServer]) -> None:
    async with started(make_link(make_ssh_server("MaxSessions 0"))) as link:
        error = await failure(link.run(["true"], timeout=5))
        assert "MaxSessions" in error.problem.hint


async def test_host_without_timeout(make_ssh_server: Callable[..., SshServer], tmp_path: Path) -> None:
    tools = tmp_path / "bin"
    tools.mkdir()
    for name in ("sh", "sleep", "echo"):
        (tools / name).symlink_to(f"/bin/{name}")
    server = make_ssh_server(f"SetEnv PATH={tools} SHLVL=5")
    async with started(make_link(server)) as link:
        assert (await link.run(["sh", "-c", "command -v timeout"], timeout=5)).status != 0
        with pytest.raises(CommandTimeoutError):
            await link.run(["sleep", "5"], timeout=0.5)


async def test_link_lost_while_a_command_runs(make_ssh_server: Callable[..., SshServer]) -> None:
    server = make_ssh_server()
    async with started(make_link(server)) as link:
        task = asyncio.create_task(failure(link.run(["sleep", "20"], timeout=30)))
        await asyncio.sleep(0.5)
        server.kill_connections()
        error = await task
        assert "lost" in error.problem.says
        await becomes(link, LinkState.UP, 10)


async def test_local_leaves_nothing() -> None:
    link = LocalLink("here")
    await link.run(["true"], timeout=5)
    async with nothing_left():
        for _ in range(20):
            await link.run(["echo", "x"], timeout=5, stdin=b"y")
            with pytest.raises(CommandTimeoutError):
                await link.run(["sleep", "5"], timeout=0.05)
    await link.close()


async def test_local_command_whose_child_keeps_the_output_open(tmp_path: Path) -> None:
    link = LocalLink("here")
    async with nothing_left():
        with pytest.raises(CommandTimeoutError):
            await link.run(["sh", "-c", "setsid sleep 3 & echo done"], timeout=0.5)
    await link.close()


def running(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except FileNotFoundError:
        return False
    return state != "Z"
