"""Leases on a real host: operators on different machines and logins exclude each other, whatever lies in the way."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import os
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from debugtui.hosts.link import Link, LinkError
from debugtui.model.ids import new_id
from debugtui.remediation.remote.lease import Lease, LeaseHeldError
from tests.lab.repair.remote_tools import AsLogin, busybox_path, linked
from tests.services.ssh_server import SshServer
from tests.unit.fakes import START

TAKERS, ROUNDS = 20, 6
LINE = "{boot} {until} {began} {token} {holder}\n"


def place() -> Path:
    """Where leases of this machine lie, found in another way than the script finds it."""
    for folder in (Path("/run/lock"), Path("/var/lock")):
        if folder.is_dir() and folder.stat().st_mode & 0o7777 == 0o1777:
            return folder / "debugtui"
    return Path("/tmp/debugtui")


class Spot:
    """One target that no other test uses, and its files."""

    def __init__(self) -> None:
        self.target = f"lab-host/system/{new_id('t', START)}"
        self.key = hashlib.sha256(self.target.encode()).hexdigest()[:40]
        self.guard = place() / f"{self.key}.guard"

    def leases(self) -> list[Path]:
        return sorted(place().glob(f"{self.key}.*.lease"))

    def plant(self, name: str, text: str) -> Path:
        path = place() / f"{self.key}.{name}.lease"
        path.write_text(text)
        return path


@pytest.fixture
def spot() -> Iterator[Spot]:
    made = Spot()
    yield made
    for path in place().glob(f"{made.key}*"):
        shutil.rmtree(path) if path.is_dir() and not path.is_symlink() else path.unlink()


def boot() -> str:
    return Path("/proc/sys/kernel/random/boot_id").read_text().strip()


def uptime() -> int:
    return int(float(Path("/proc/uptime").read_text().split()[0]))


async def test_it_is_taken_renewed_and_given_back(ssh_server: SshServer, spot: Spot) -> None:
    async with linked(ssh_server) as one, linked(ssh_server) as two:
        lease = await Lease.take(one, spot.target, "alice bastion pts/1")
        with pytest.raises(LeaseHeldError, match="alice bastion pts/1 since") as refused:
            await Lease.take(two, spot.target, "bob")
        assert refused.value.holder == "alice bastion pts/1"
        assert abs(refused.value.since - datetime.now(UTC)) < timedelta(seconds=10)
        assert await lease.renew() is True
        await lease.give_back()
        assert spot.leases() == []
        assert await lease.renew() is False
        second = await Lease.take(two, spot.target, "bob")
        await lease.give_back()  # what was given back already is nobody else's
        with pytest.raises(LeaseHeldError, match="bob"):
            await Lease.take(one, spot.target, "alice")
        await second.give_back()


async def test_other_targets_are_free(spot: Spot) -> None:
    other = Spot()
    leases = [await Lease.take(AsLogin(), one.target, "alice") for one in (spot, other)]
    for lease in leases:
        await lease.give_back()
    other.guard.unlink()


async def test_of_twenty_takers_at_one_moment_exactly_one_wins(make_ssh_server: Callable[..., SshServer], spot: Spot) -> None:
    server = make_ssh_server("MaxStartups 100")
    async with contextlib.AsyncExitStack() as stack:
        links = [await stack.enter_async_context(linked(server)) for _ in range(TAKERS)]

        async def take(number: int) -> Lease | str:
            try:
                return await Lease.take(links[number], spot.target, f"operator {number}")
            except LeaseHeldError as error:
                return error.holder

        for _ in range(ROUNDS):
            outcomes = await asyncio.gather(*(take(number) for number in range(TAKERS)))
            winners = [(number, one) for number, one in enumerate(outcomes) if isinstance(one, Lease)]
            assert len(winners) == 1
            number, lease = winners[0]
            assert {one for one in outcomes if isinstance(one, str)} == {f"operator {number}"}
            assert await lease.renew() is True
            await lease.give_back()


async def test_different_logins_exclude_each_other_and_take_over_what_expired(spot: Spot) -> None:
    """Nobody may write to another's file; a lease that its holder left behind must be free for others all the same."""
    nobody, other, mine = AsLogin(65_534), AsLogin(52_351), AsLogin()
    first = await Lease.take(nobody, spot.target, "nobody", ttl_s=2)
    for link in (other, mine):
        with pytest.raises(LeaseHeldError, match="nobody"):
            await Lease.take(link, spot.target, "other")
    await asyncio.sleep(3.1)
    assert await first.renew() is False
    second = await Lease.take(other, spot.target, "other")
    with pytest.raises(LeaseHeldError, match="other"):
        await Lease.take(mine, spot.target, "root")
    assert await first.renew() is False
    await first.give_back()
    assert await second.renew() is True
    await second.give_back()


async def test_every_file_is_written_by_its_owner_alone(spot: Spot) -> None:
    lease = await Lease.take(AsLogin(52_351), spot.target, "other")
    (file,) = spot.leases()
    assert (file.stat().st_uid, file.stat().st_mode & 0o777) == (52_351, 0o644)
    assert place().stat().st_mode & 0o7777 == 0o1777
    await lease.give_back()


async def test_after_a_crash_the_same_execution_takes_up_its_own_lease(spot: Spot) -> None:
    await Lease.take(AsLogin(), spot.target, "alice exe_1", token="exe_1")
    again = await Lease.take(AsLogin(), spot.target, "alice exe_1", token="exe_1")
    with pytest.raises(LeaseHeldError):
        await Lease.take(AsLogin(), spot.target, "bob exe_2", token="exe_2")
    elsewhere = await Lease.take(AsLogin(65_534), spot.target, "alice exe_1", token="exe_1")
    assert await elsewhere.renew() is True
    await again.give_back()
    await elsewhere.give_back()
    assert spot.leases() == []


async def test_a_change_of_date_neither_ends_nor_prolongs_it(spot: Spot, tmp_path: Path) -> None:
    programs = tmp_path / "bin"
    programs.mkdir()
    lease = await Lease.take(AsLogin(), spot.target, "alice", ttl_s=60)
    for moved in ("4102444800", "0"):
        (programs / "date").write_text(f"#!/bin/sh\necho {moved}\n")
        (programs / "date").chmod(0o755)
        jumped = AsLogin(path=Path(f"{programs}:{os.environ['PATH']}"))
        with pytest.raises(LeaseHeldError, match="alice"):
            await Lease.take(jumped, spot.target, "bob")
    assert await lease.renew() is True
    await lease.give_back()


@pytest.mark.parametrize(
    ("about", "free"),
    [
        ({}, False),
        ({"boot": "00000000-0000-0000-0000-000000000000"}, True),  # written before the host's last start
        ({"until": "0"}, True),
        ({"until": "999999999999999999999999"}, True),
        ({"until": "+60"}, True),
        ({"until": "-1"}, True),
        ({"until": "in an hour"}, True),
        ({"until": "{for_ever}"}, True),
        ({"began": "yesterday"}, False),
        ({"began": "99999999999999999999"}, False),
        ({"holder": "\x1b[2J$(id) `id` ; rm -rf /\t\x07"}, False),
        ({"holder": "x" * 5_000_000}, False),
        ({"holder": ""}, False),
    ],
)
async def test_garbage_in_a_file_is_no_lease_and_its_words_are_safe(about: dict[str, str], free: bool, spot: Spot) -> None:
    fields = {"boot": boot(), "until": str(uptime() + 60), "began": "1700000000", "token": "f" * 32, "holder": "mallory"}
    fields.update({name: text.format(for_ever=uptime() + 400_000) for name, text in about.items()})
    spot.plant("planted", LINE.format(**fields))
    if free:
        lease = await Lease.take(AsLogin(), spot.target, "alice")
        await lease.give_back()
        return
    with pytest.raises(LeaseHeldError) as refused:
        await Lease.take(AsLogin(), spot.target, "alice")
    assert refused.value.holder.isprintable()
    assert 0 < len(refused.value.holder) <= 330  # 300, and how many more there were


@pytest.mark.parametrize("text", ["", "\n", "\0\0\0", "garbage", "a b c d e f g", "END\nEND\n" * 50])
async def test_a_file_that_is_no_line_of_ours_is_no_lease(text: str, spot: Spot) -> None:
    spot.plant("planted", text)
    lease = await Lease.take(AsLogin(), spot.target, "alice")
    assert await lease.renew() is True
    await lease.give_back()


@pytest.mark.parametrize("what", ["link", "fifo", "folder", "loop", "secret"])
async def test_what_is_no_plain_file_is_not_followed(what: str, spot: Spot, tmp_path: Path) -> None:
    path, elsewhere = place() / f"{spot.key}.planted.lease", tmp_path / "elsewhere"
    elsewhere.write_text(LINE.format(boot=boot(), until=uptime() + 60, began=1, token="t", holder="mallory"))
    if what == "link":
        path.symlink_to(elsewhere)
    elif what == "fifo":
        os.mkfifo(path)
    elif what == "folder":
        path.mkdir()
    elif what == "loop":
        path.symlink_to(path)
    else:
        path.write_text(elsewhere.read_text())
        path.chmod(0)
    before = elsewhere.read_bytes()
    lease = await Lease.take(AsLogin(52_351), spot.target, "alice")
    assert await lease.renew() is True
    await lease.give_back()
    assert elsewhere.read_bytes() == before


@pytest.mark.parametrize("what", ["link", "fifo", "folder", "unreadable"])
async def test_a_hostile_lock_file_is_named_and_nothing_is_locked(what: str, spot: Spot, tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    if what == "link":
        spot.guard.symlink_to(elsewhere)
    elif what == "fifo":
        os.mkfifo(spot.guard)
    elif what == "folder":
        spot.guard.mkdir()
    else:
        spot.guard.touch(mode=0)
    with pytest.raises(LinkError, match=r"keeps no locks: unusable .*somebody put it there"):
        await Lease.take(AsLogin(52_351), spot.target, "alice")
    assert not elsewhere.exists()


async def test_a_lock_that_somebody_keeps_is_said_in_words(spot: Spot) -> None:
    spot.guard.touch()
    keeper = await asyncio.create_subprocess_exec("flock", str(spot.guard), "sleep", "30", start_new_session=True)
    try:
        await asyncio.sleep(0.3)
        began = time.monotonic()
        with pytest.raises(LinkError, match="somebody keeps it locked"):
            await Lease.take(AsLogin(), spot.target, "alice")
        assert time.monotonic() - began < 14
    finally:
        os.killpg(keeper.pid, 9)
        await keeper.wait()


async def test_our_own_file_replaced_by_a_link_loses_the_lease_and_writes_nowhere_else(spot: Spot, tmp_path: Path) -> None:
    lease = await Lease.take(AsLogin(), spot.target, "alice")
    (file,) = spot.leases()
    victim = tmp_path / "victim"
    victim.write_text("precious")
    file.unlink()
    file.symlink_to(victim)
    assert await lease.renew() is False
    assert victim.read_text() == "precious"


async def test_a_full_disk_is_no_lost_lease(spot: Spot, tmp_path: Path) -> None:
    """What cannot be written now may live on: it is not known, and not said to be lost."""
    programs = tmp_path / "bin"
    programs.mkdir()
    (programs / "mktemp").write_text("#!/bin/sh\nexit 1\n")
    (programs / "mktemp").chmod(0o755)
    full = AsLogin(path=Path(f"{programs}:{os.environ['PATH']}"))
    with pytest.raises(LinkError, match="it cannot be written"):
        await Lease.take(full, spot.target, "alice")
    link = _Changing(AsLogin())
    lease = await Lease.take(link, spot.target, "alice")
    link.use(full)
    with pytest.raises(LinkError, match="it cannot be written"):
        await lease.renew()
    link.use(AsLogin())
    assert await lease.renew() is True
    await lease.give_back()


class _Changing(AsLogin):
    """A link whose host changes under it."""

    def __init__(self, link: Link) -> None:
        super().__init__()
        self.use(link)

    def use(self, link: Link) -> None:
        self.run = link.run  # type: ignore[method-assign]


async def test_a_host_without_flock_keeps_no_locks(spot: Spot, tmp_path: Path) -> None:
    programs = busybox_path(tmp_path / "bin")
    (programs / "flock").unlink()
    with pytest.raises(LinkError, match="no flock"):
        await Lease.take(AsLogin(path=programs), spot.target, "alice")


async def test_it_works_with_busybox_alone(spot: Spot, tmp_path: Path) -> None:
    alpine = AsLogin(path=busybox_path(tmp_path / "bin"))
    lease = await Lease.take(alpine, spot.target, "alice")
    with pytest.raises(LeaseHeldError, match="alice"):
        await Lease.take(AsLogin(), spot.target, "bob")
    assert await lease.renew() is True
    await lease.give_back()
    second = await Lease.take(AsLogin(), spot.target, "bob")
    with pytest.raises(LeaseHeldError, match="bob"):
        await Lease.take(alpine, spot.target, "alice")
    await second.give_back()


async def test_a_cut_link_leaves_a_lease_that_ends_by_itself(make_ssh_server: Callable[..., SshServer], spot: Spot) -> None:
    server = make_ssh_server()
    async with linked(server) as link:
        lease = await Lease.take(link, spot.target, "alice", ttl_s=2)
        server.kill_connections()
        with pytest.raises(LinkError):
            await lease.renew()
    with pytest.raises(LeaseHeldError):
        await Lease.take(AsLogin(), spot.target, "bob")
    await asyncio.sleep(3.1)
    taken = await Lease.take(AsLogin(), spot.target, "bob")
    await taken.give_back()


@pytest.mark.parametrize("mode", [0o755, 0o777])
def test_a_place_that_others_could_undermine_is_refused(mode: int, tmp_path: Path) -> None:
    """Without the sticky bit everybody could remove everybody's leases; without the rest only one login could take any."""
    from debugtui.remediation.remote.lease import SCRIPT

    root = tmp_path / "lock"
    root.mkdir(mode=0o1777)
    root.chmod(0o1777)
    (root / "debugtui").mkdir()
    (root / "debugtui").chmod(mode)
    script = SCRIPT.replace("/run/lock /var/lock", str(root))
    said = subprocess.run(
        ["sh", "-c", script, "x", "take", "k", "t", "alice", "60"], capture_output=True, text=True, timeout=20, check=True
    ).stdout
    assert said.startswith(f"unusable {root}/debugtui: it has to be a directory of mode 1777")
