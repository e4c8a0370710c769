"""What runs on the host itself, through a real sshd: detached commands, leases, reverts."""

from __future__ import annotations

import asyncio
import contextlib
import os
import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from debugtui.hosts.link import CommandTimeoutError, LinkError
from debugtui.hosts.ssh import SshLink
from debugtui.remediation.remote import dead_man, detached
from debugtui.remediation.remote.lease import Lease, LeaseHeldError
from tests.lab.link_tools import make_link, started
from tests.services.ssh_server import SshServer

pytestmark = pytest.mark.lab


@pytest.fixture
async def link(ssh_server: SshServer) -> AsyncIterator[SshLink]:
    async with started(make_link(ssh_server)) as remote:
        yield remote


@pytest.fixture
def mark(request: pytest.FixtureRequest) -> str:
    return f"debugtui:{request.node.name}/{time.monotonic_ns()}"


# --- detached


async def test_a_command_leaves_what_it_said_and_its_status(link: SshLink, mark: str) -> None:
    argv = ["sh", "-c", "cat; echo bad >&2; exit 3"]
    done = await detached.run(link, mark, argv, timeout_s=10, stdin=b"given")
    assert (done.status, done.stdout, done.stderr) == (3, b"given", b"bad\n")
    await detached.forget(link, mark)
    assert (await detached.look(link, mark)).state is detached.JobState.NONE


async def test_arguments_are_never_interpreted(link: SshLink, mark: str) -> None:
    hostile = ["", " ", "$(id)", "`id`", "'", '"', "a\nb", ";reboot", "é"]
    done = await detached.run(link, mark, ["printf", "<%s>", *hostile], timeout_s=10)
    assert done.stdout.decode() == "".join(f"<{part}>" for part in hostile)


async def test_one_mark_runs_once(link: SshLink, mark: str, tmp_path: Path) -> None:
    count = tmp_path / "count"
    argv = ["sh", "-c", f"echo once >> {count}"]
    await asyncio.gather(*(detached.run(link, mark, argv, timeout_s=10) for _ in range(5)))
    await detached.run(link, mark, argv, timeout_s=10)
    assert count.read_text() == "once\n"


async def test_the_host_ends_what_takes_too_long(link: SshLink, mark: str) -> None:
    with pytest.raises(CommandTimeoutError, match="the host ended it"):
        await detached.run(link, mark, ["sleep", "60"], timeout_s=1)
    assert (await detached.look(link, mark)).state is detached.JobState.TIMED_OUT


async def test_a_cut_link_does_not_cut_the_command(ssh_server: SshServer, mark: str, tmp_path: Path) -> None:
    done = tmp_path / "done"
    argv = ["sh", "-c", f"for n in 1 2 3 4 5 6; do echo line $n; sleep 0.2; done; echo whole > {done}"]
    async with started(make_link(ssh_server)) as first:
        running = asyncio.create_task(detached.run(first, mark, argv, timeout_s=20))
        await asyncio.sleep(0.5)
    with contextlib.suppress(LinkError, CommandTimeoutError):
        await running
    async with started(make_link(ssh_server)) as second:
        again = await detached.run(second, mark, argv, timeout_s=20)
    assert again.stdout.decode().count("line") == 6
    assert done.read_text() == "whole\n"


async def test_a_command_that_was_killed_is_gone_and_not_done(link: SshLink, mark: str) -> None:
    argv = ["sh", "-c", 'kill -9 "$(ps -o ppid= -p "$(ps -o ppid= -p $$ | tr -d " ")" | tr -d " ")"; sleep 5']
    with pytest.raises(LinkError, match="gone without a result"):
        await detached.run(link, mark, argv, timeout_s=10)


# --- leases


def target(mark: str) -> str:
    return f"kvm-01/docker/{mark}"


async def test_one_operator_at_a_time(link: SshLink, mark: str) -> None:
    mine = await Lease.take(link, target(mark), "alice on bastion-1")
    with pytest.raises(LeaseHeldError) as held:
        await Lease.take(link, target(mark), "bob on bastion-2")
    assert held.value.holder == "alice on bastion-1"
    assert abs(held.value.since.timestamp() - time.time()) < 10
    assert await mine.renew()
    await mine.give_back()
    await (await Lease.take(link, target(mark), "bob on bastion-2")).give_back()


async def test_of_many_at_once_exactly_one_gets_it(ssh_server: SshServer, mark: str) -> None:
    async with started(make_link(ssh_server)) as one, started(make_link(ssh_server)) as other:
        for turn in range(3):
            takers = [Lease.take((one, other)[n % 2], f"{target(mark)}{turn}", f"operator {n}") for n in range(12)]
            found = await asyncio.gather(*takers, return_exceptions=True)
            winners = [lease for lease in found if isinstance(lease, Lease)]
            assert len(winners) == 1
            assert all(isinstance(lost, LeaseHeldError) for lost in found if lost is not winners[0])
            await winners[0].give_back()


async def test_a_lease_that_nobody_renews_ends_and_its_holder_notices(link: SshLink, mark: str) -> None:
    mine = await Lease.take(link, target(mark), "alice", ttl_s=1)
    await asyncio.sleep(2.1)
    theirs = await Lease.take(link, target(mark), "bob")
    assert await mine.renew() is False
    await mine.give_back()  # takes nothing away from bob
    assert await theirs.renew()
    await theirs.give_back()


async def test_after_a_crash_our_own_lease_is_taken_up_again(link: SshLink, mark: str) -> None:
    await Lease.take(link, target(mark), "alice", token="of-this-execution")
    again = await Lease.take(link, target(mark), "alice", token="of-this-execution")
    await again.give_back()


async def test_a_holder_s_words_are_made_safe(link: SshLink, mark: str) -> None:
    mine = await Lease.take(link, target(mark), "alice\x1b[31m\nheld 0 root $(id) " + "x" * 1_000)
    with pytest.raises(LeaseHeldError) as held:
        await Lease.take(link, target(mark), "bob")
    assert "\x1b" not in held.value.holder
    assert "\n" not in held.value.holder
    assert len(held.value.holder) < 400
    await mine.give_back()


async def test_a_link_in_the_place_of_a_lease_is_never_followed(link: SshLink, mark: str, tmp_path: Path) -> None:
    import hashlib

    victim = tmp_path / "victim"
    victim.write_text("precious\n")
    await (await Lease.take(link, target(mark), "alice")).give_back()  # makes the directory
    folder = next(path for path in map(Path, ("/run/lock", "/var/lock", "/tmp")) if os.access(path, os.W_OK)) / "debugtui"
    planted = folder / f"{hashlib.sha256(target(mark).encode()).hexdigest()[:40]}.lease"
    planted.symlink_to(victim)
    try:
        with pytest.raises(LinkError, match="keeps no locks"):
            await Lease.take(link, target(mark), "alice")
    finally:
        planted.unlink()
    assert victim.read_text() == "precious\n"


# --- reverts


async def test_a_revert_runs_unless_it_is_told_in_time(link: SshLink, mark: str, tmp_path: Path) -> None:
    told, not_told = tmp_path / "told", tmp_path / "not-told"
    await dead_man.arm(link, f"{mark}/a", ["touch", str(told)], 1)
    await dead_man.arm(link, f"{mark}/b", ["touch", str(not_told)], 1)
    assert await dead_man.look(link, f"{mark}/a") == "armed"
    assert await dead_man.disarm(link, f"{mark}/a") is True
    await asyncio.sleep(1.6)
    assert (told.exists(), not_told.exists()) == (False, True)
    assert await dead_man.disarm(link, f"{mark}/b") is False
    assert await dead_man.look(link, f"{mark}/a") == "disarmed"
    report = await dead_man.report(link, f"{mark}/b")
    assert report is not None
    assert report.status == 0
    assert await dead_man.report(link, f"{mark}/a") is None


async def test_telling_and_firing_at_the_same_moment_is_never_both(link: SshLink, mark: str, tmp_path: Path) -> None:
    async def race(number: int) -> None:
        file = tmp_path / f"race-{number}"
        await dead_man.arm(link, f"{mark}/{number}", ["touch", str(file)], 1)
        await asyncio.sleep(0.85 + number * 0.02)
        well = await dead_man.disarm(link, f"{mark}/{number}")
        await asyncio.sleep(0.5)
        assert file.exists() is not well

    await asyncio.gather(*(race(number) for number in range(8)))


#: Cut links, in groups that run at a time: sshd takes ten unauthenticated connections at once.
CUTS, GROUP, AFTER_S = 200, 8, 1


@pytest.mark.timeout(300)
async def test_two_hundred_cut_links_are_all_reverted_by_the_host(ssh_server: SshServer, mark: str, tmp_path: Path) -> None:
    async def cut(number: int) -> tuple[Path, float]:
        state = tmp_path / f"state-{number}"
        state.write_text("before\n")
        async with started(make_link(ssh_server)) as remote:
            revert = ["sh", "-c", 'echo before > "$1"; echo x >> "$1.count"', "revert", str(state)]
            await dead_man.arm(remote, f"{mark}/{number}", revert, AFTER_S)
            armed = time.monotonic()
            state.write_text("changed\n")
            await asyncio.sleep(number % 7 * 0.01)
        return state, armed

    async def reverted(state: Path, armed: float) -> float:
        while state.read_text() != "before\n":
            assert time.monotonic() - armed < AFTER_S + 5, "not reverted in time"
            await asyncio.sleep(0.05)
        return time.monotonic() - armed

    took: list[float] = []
    for first in range(0, CUTS, GROUP):
        states = await asyncio.gather(*(cut(number) for number in range(first, first + GROUP)))
        took += await asyncio.gather(*(reverted(state, armed) for state, armed in states))
    assert len(took) == CUTS
    assert max(took) < AFTER_S + 5
    await asyncio.sleep(0.3)
    assert all((tmp_path / f"state-{number}.count").read_text() == "x\n" for number in range(CUTS)), "reverted once each"
