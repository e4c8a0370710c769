"""Reverts that the host runs by itself: after a cut link once and in time, and never after it was told that all is well."""

from __future__ import annotations

import asyncio
import os
import random
import signal
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from debugtui.hosts.link import CommandResult, LinkError
from debugtui.remediation.remote import dead_man
from tests.lab.link_tools import make_link
from tests.lab.repair.remote_tools import AsLogin, busybox_path, job_folder, linked, marks
from tests.safety.cut_client import REVERT
from tests.services.ssh_server import SshServer

CUTS, AT_A_TIME, GRACE_S = 200, 8, 5.0  # so many connect at a time
ROOT = Path(__file__).parents[2]


@pytest.fixture
def make_mark() -> Iterator[Callable[[], str]]:
    with marks() as make:
        yield make


@pytest.fixture
def mark(make_mark: Callable[[], str]) -> str:
    return make_mark()


def reverts(file: Path) -> list[float]:
    """When it was reverted, in seconds since the epoch."""
    return [float(row) for row in file.read_text().split()] if file.exists() else []


async def fires(file: Path, seconds: float) -> None:
    end = time.monotonic() + seconds
    while not file.exists():
        assert time.monotonic() < end, "not reverted in time"
        await asyncio.sleep(0.05)


@pytest.mark.timeout(110)
async def test_two_hundred_cut_links_are_all_reverted_once_and_in_time(
    make_ssh_server: Callable[..., SshServer], tmp_path: Path, make_mark: Callable[[], str]
) -> None:
    """Each link is cut, without a word to the host, at a random moment between its arming and its revert."""
    server = make_ssh_server("MaxStartups 200:30:400")
    chance, gate = random.Random(7), asyncio.Semaphore(AT_A_TIME)
    armed: dict[Path, tuple[float, int]] = {}

    async def one(number: int) -> None:
        file, after_s = tmp_path / str(number), chance.choice((1, 2))
        async with gate:
            link = make_link(server)
            await link.start()
            await link.wait_settled(20)
            before = time.time()
            await dead_man.arm(link, make_mark(), [*REVERT, str(file)], after_s)
            armed[file] = (before, after_s)
        await asyncio.sleep(chance.random() * after_s)
        cut(link)
        await link.close()

    began = time.monotonic()
    await asyncio.gather(*(one(number) for number in range(CUTS)))
    await asyncio.sleep(2 + GRACE_S)
    times = {file: reverts(file) for file in armed}
    assert len(times) == CUTS
    assert {len(found) for found in times.values()} == {1}
    late = [times[file][0] - before - after_s for file, (before, after_s) in armed.items()]
    assert min(late) >= 0
    assert max(late) < GRACE_S
    assert time.monotonic() - began < 100


def cut(link: Any) -> None:
    """Break the TCP connection of a link without a word, as a pulled cable does."""
    link._connection._chain[-1].connection.abort()


async def test_a_killed_client_is_reverted_as_a_cut_link_is(
    ssh_server: SshServer, tmp_path: Path, make_mark: Callable[[], str]
) -> None:
    """kill -9 of a real client with two reverts, five times: it has no last word."""
    files = [tmp_path / f"{client}-{number}" for client in range(5) for number in range(2)]
    about = (ssh_server.address, str(ssh_server.key), str(ssh_server.known_hosts), "2")

    async def client(own: list[Path]) -> float:
        words = [word for file in own for word in (make_mark(), str(file))]
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "tests.safety.cut_client", *about, *words, cwd=ROOT, stdout=asyncio.subprocess.PIPE
        )
        assert process.stdout is not None
        async with asyncio.timeout(40):
            assert await process.stdout.readline() == b"armed\n"
        os.kill(process.pid, signal.SIGKILL)
        await process.wait()
        return time.time()

    killed = [await client(files[number : number + 2]) for number in range(0, len(files), 2)]
    await asyncio.sleep(2 + GRACE_S)
    for number, file in enumerate(files):
        assert len(reverts(file)) == 1
        assert reverts(file)[0] - killed[number // 2] < 2 + GRACE_S


async def test_whoever_was_told_never_fires_and_whoever_fired_says_so(
    make_ssh_server: Callable[..., SshServer], tmp_path: Path, make_mark: Callable[[], str]
) -> None:
    """Told at about the moment of firing: of both, exactly one happens, and the answer says which."""
    server = make_ssh_server("MaxSessions 60")
    chance = random.Random(11)
    outcomes: dict[Path, bool] = {}

    async def one(link: Any, number: int) -> None:
        file, mark = tmp_path / str(number), make_mark()
        await dead_man.arm(link, mark, [*REVERT, str(file)], 1)
        await asyncio.sleep(0.75 + chance.random() * 0.4)
        outcomes[file] = await dead_man.disarm(link, mark)

    async with linked(server) as link:
        for batch in range(10):
            await asyncio.gather(*(one(link, batch * 12 + number) for number in range(12)))
    await asyncio.sleep(2)
    assert len(outcomes) == 120
    for file, told in outcomes.items():
        assert len(reverts(file)) == (0 if told else 1)
    assert 5 < sum(outcomes.values()) < 115, "both ends of the race have to be met"


async def test_twenty_tell_at_once_and_all_hear_the_same(ssh_server: SshServer, tmp_path: Path, mark: str) -> None:
    async with linked(ssh_server) as link:
        await dead_man.arm(link, mark, [*REVERT, str(tmp_path / "file")], 30)
        assert await asyncio.gather(*(dead_man.disarm(link, mark) for _ in range(20))) == [True] * 20
        assert await dead_man.look(link, mark) == "disarmed"
        assert await dead_man.report(link, mark) is None


async def test_it_says_what_it_is_doing_and_what_the_revert_left(ssh_server: SshServer, tmp_path: Path, mark: str) -> None:
    async with linked(ssh_server) as link:
        assert await dead_man.look(link, mark) == "none"
        assert await dead_man.disarm(link, mark) is False
        script = 'echo "back: $1"; echo oh >&2; touch "$2"; exit 3'
        await dead_man.arm(link, mark, ["sh", "-c", script, "x", "a  'b $HOME", str(tmp_path / "file")], 1)
        assert await dead_man.look(link, mark) == "armed"
        assert await dead_man.report(link, mark) is None
        await fires(tmp_path / "file", 6)
        await asyncio.sleep(0.5)
        assert await dead_man.look(link, mark) == "fired"
        assert await dead_man.report(link, mark) == CommandResult(3, b"back: a  'b $HOME\n", b"oh\n")
        assert await dead_man.disarm(link, mark) is False


async def test_one_mark_is_armed_once(ssh_server: SshServer, tmp_path: Path, mark: str) -> None:
    async with linked(ssh_server) as link:
        await dead_man.arm(link, mark, [*REVERT, str(tmp_path / "first")], 1)
        with pytest.raises(LinkError, match="exists"):
            await dead_man.arm(link, mark, [*REVERT, str(tmp_path / "second")], 1)
    await asyncio.sleep(3)
    assert len(reverts(tmp_path / "first")) == 1
    assert not (tmp_path / "second").exists()


async def test_told_after_a_reconnection_it_does_not_fire(
    make_ssh_server: Callable[..., SshServer], tmp_path: Path, mark: str
) -> None:
    server = make_ssh_server()
    async with linked(server) as link:
        await dead_man.arm(link, mark, [*REVERT, str(tmp_path / "file")], 5)
        server.kill_connections()
        with pytest.raises(LinkError):
            await dead_man.disarm(link, mark)
    async with linked(server) as link:
        assert await dead_man.look(link, mark) == "armed"
        assert await dead_man.disarm(link, mark) is True
    await asyncio.sleep(6)
    assert not (tmp_path / "file").exists()


async def test_a_killed_waiter_is_lost_and_not_armed(ssh_server: SshServer, tmp_path: Path, mark: str) -> None:
    async with linked(ssh_server) as link:
        await dead_man.arm(link, mark, [*REVERT, str(tmp_path / "file")], 60)
        os.killpg(int((job_folder(mark) / "armed").read_text()), signal.SIGKILL)
        await asyncio.sleep(0.2)
        assert await dead_man.look(link, mark) == "lost"


async def test_telling_ends_no_other_process_that_got_its_number(tmp_path: Path, mark: str) -> None:
    """The waiter is gone and its number is another process' now: that one lives on."""
    link = AsLogin()
    await dead_man.arm(link, mark, [*REVERT, str(tmp_path / "file")], 60)
    armed = job_folder(mark) / "armed"
    os.killpg(int(armed.read_text()), signal.SIGKILL)
    innocent = await asyncio.create_subprocess_exec("sleep", "30", start_new_session=True)
    armed.write_text(f"{innocent.pid}\n")
    assert await dead_man.disarm(link, mark) is True
    await asyncio.sleep(0.2)
    assert innocent.returncode is None
    innocent.kill()
    await innocent.wait()


async def test_what_cannot_wait_is_not_said_to_wait(tmp_path: Path, mark: str) -> None:
    """A host that cannot start the waiter: arming fails in words, and nothing fires later."""
    programs = tmp_path / "bin"
    programs.mkdir()
    (programs / "setsid").write_text("#!/bin/sh\nexit 1\n")
    (programs / "setsid").chmod(0o755)
    link = AsLogin(path=Path(f"{programs}:{os.environ['PATH']}"))
    with pytest.raises(LinkError, match="does not wait"):
        await dead_man.arm(link, mark, [*REVERT, str(tmp_path / "file")], 1)
    assert await dead_man.look(AsLogin(), mark) == "disarmed"


async def test_it_works_with_busybox_alone(tmp_path: Path, make_mark: Callable[[], str]) -> None:
    link, told, fired = AsLogin(path=busybox_path(tmp_path / "bin")), make_mark(), make_mark()
    await dead_man.arm(link, told, [*REVERT, str(tmp_path / "told")], 2)
    await dead_man.arm(link, fired, [*REVERT, str(tmp_path / "fired")], 2)
    assert await dead_man.look(link, told) == "armed"
    assert await dead_man.disarm(link, told) is True
    await asyncio.sleep(4)
    assert not (tmp_path / "told").exists()
    assert (tmp_path / "fired").read_text().count("\n") == 1
    assert await dead_man.look(link, fired) == "fired"


@pytest.mark.parametrize(("argv", "after_s"), [([], 5), (["true"], 0)])
async def test_a_revert_without_a_program_or_a_time_is_a_fault(argv: list[str], after_s: int) -> None:
    with pytest.raises(ValueError, match="a program, and a second"):
        await dead_man.arm(AsLogin(), "debugtui:never/1", argv, after_s)
