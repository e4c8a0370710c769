"""The system source reads what a Linux host says, and survives what it should not say."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from debugtui.hosts.link import CommandResult, CommandTimeoutError
from debugtui.model.source import Problem
from debugtui.sources.base import SourceError
from debugtui.sources.system import parse
from debugtui.sources.system.script import MOUNTS, SCRIPT
from debugtui.sources.system.source import DF_REST, SystemSource
from tests.unit.fakes import FakeClock, FakeLink

ANSWER = """==facts
hostname kvm-01
kernel 6.1.0-32-amd64
uptime {uptime} 9000.00
loadavg 1.50 1.20 0.90 2/300 1234
==cpu
cpu  {user} 0 100 {idle} 50 0 0 {steal} 0 0
cpu0 50 0 50 400 25 0 0 0 0 0
cpu1 50 0 50 400 25 0 0 0 0 0
==proc
MemTotal:       8000000 kB
MemFree:        1000000 kB
MemAvailable:   6000000 kB
SwapTotal:      2000000 kB
SwapFree:       1500000 kB
 254       0 vda 100 0 {sectors} 40 200 0 4096 60 0 {busy} 100 0 0 0 0
 254       1 vda1 90 0 1000 40 200 0 4096 60 0 50 100 0 0 0 0
   7       0 loop0 90 0 1000 40 200 0 4096 60 0 50 100 0 0 0 0
Inter-|   Receive                                                |  Transmit
 face |bytes    packets errs drop fifo frame compressed multicast|bytes    packets errs drop fifo colls carrier compressed
    lo: 1000 10 0 0 0 0 0 0 1000 10 0 0 0 0 0 0
  eth0: {rx} 10 {errs} 0 0 0 0 0 5000 10 0 0 0 0 0 0
 veth12: 77 1 0 0 0 0 0 0 77 1 0 0 0 0 0 0
mount /dev/vda1 / ext4 rw,relatime
mount /dev/vdb1 /srv/with\\040space ext4 ro,relatime
mount /dev/vda1 /bind ext4 rw
==df
Filesystem 1024-blocks Used Available Capacity Mounted on
/dev/vda1 1000 700 200 78% /
/dev/vdb1 2000 1900 100 95% /srv/with space
==inodes
Filesystem Inodes IUsed IFree IUse% Mounted on
/dev/vda1 500 50 450 10% /
/dev/vdb1 0 0 0 - /srv/with space
==units
● nginx.service loaded failed failed A web server
==end
"""


def answer(**changes: object) -> bytes:
    values: dict[str, object] = {
        "uptime": "1000.00", "user": 300, "idle": 800, "steal": 0, "sectors": 2000, "busy": 500, "rx": 10_000, "errs": 0,
    }  # fmt: skip
    return ANSWER.format(**{**values, **changes}).encode()


class ScriptedLink(FakeLink):
    """Answers every command with the next of its answers."""

    def __init__(self, *answers: bytes | CommandResult) -> None:
        super().__init__()
        self.answers = [one if isinstance(one, CommandResult) else CommandResult(0, one, b"") for one in answers]
        self.modes: list[str] = []

    async def run(self, argv: Sequence[str], *, timeout: float, stdin: bytes = b"", limit: int = 0) -> CommandResult:
        self.modes.append(argv[-1])
        return self.answers.pop(0)


async def test_the_first_read_has_everything_but_rates() -> None:
    link = ScriptedLink(answer())
    reading = await SystemSource(link).read(full=True)
    assert link.modes == ["full"]
    assert (reading.hostname, reading.kernel, reading.cpus) == ("kvm-01", "6.1.0-32-amd64", 2)
    assert (reading.load1, reading.load5, reading.load15) == (1.5, 1.2, 0.9)
    assert reading.cpu_percent is None
    assert reading.memory_percent == 25.0
    assert reading.swap_used_bytes == 500_000 * 1024
    assert reading.failed_units == ("nginx.service",)
    assert [disk.name for disk in reading.disks] == ["vda"]
    assert [card.name for card in reading.interfaces] == ["eth0"]


async def test_each_device_is_one_filesystem_and_percentages_are_dfs() -> None:
    reading = await SystemSource(ScriptedLink(answer())).read(full=False)
    full, root = reading.filesystems
    assert (full.mount, full.used_percent, full.inodes_percent, full.read_only) == ("/srv/with space", 95.0, None, True)
    assert (root.mount, root.used_percent, root.inodes_percent) == ("/", 77.8, 10.0)
    assert root.available_bytes == 200 * 1024
    assert reading.failed_units is None


async def test_rates_come_from_two_samples_by_the_hosts_own_clock() -> None:
    later = answer(uptime="1010.00", user=360, idle=830, steal=10, sectors=22_000, busy=5500, rx=60_000, errs=20)
    source = SystemSource(ScriptedLink(answer(), later))
    await source.read(full=False)
    reading = await source.read(full=False)
    assert reading.cpu_percent == 70.0
    assert reading.steal_percent == 10.0
    assert reading.disks[0].read_bytes_s == 1_024_000.0
    assert reading.disks[0].busy_percent == 50.0
    assert reading.interfaces[0].rx_bytes_s == 5000.0
    assert reading.interfaces[0].errors_s == 2.0


async def test_a_restarted_host_gives_no_rates_from_before() -> None:
    source = SystemSource(ScriptedLink(answer(), answer(uptime="5.00", user=1, idle=2)))
    await source.read(full=False)
    reading = await source.read(full=False)
    assert reading.cpu_percent is None
    assert reading.disks[0].read_bytes_s is None


async def test_a_hanging_filesystem_is_a_gap_and_not_an_empty_list() -> None:
    cut = answer().partition(b"==df")[0] + b"==df\n==inodes\n==end\n"
    reading = await SystemSource(ScriptedLink(cut)).read(full=False)
    assert [gap.feature for gap in reading.gaps] == ["filesystems"]


@pytest.mark.parametrize(
    ("result", "says"),
    [
        (CommandResult(127, b"", b"sh: not found"), "sh: not found"),
        (CommandResult(0, b"==not-linux\n", b""), "only Linux hosts"),
        (CommandResult(0, b"==facts\nhostname x\n==end\n", b""), "cannot be understood"),
        (CommandResult(0, answer()[:300], b"", truncated=True), "cannot be understood"),
        (CommandResult(1, b"", b"\x1b]52;c;eA==\x07bad"), "bad"),
    ],
)
async def test_what_is_no_answer_says_so(result: CommandResult, says: str) -> None:
    with pytest.raises(SourceError) as raised:
        await SystemSource(ScriptedLink(result)).read(full=False)
    assert says in raised.value.problem.says
    assert "\x1b" not in raised.value.problem.says


@given(st.text())
def test_garbage_raises_nothing_but_value_errors(text: str) -> None:
    rows = text.splitlines()
    for parser in (parse.sections, lambda _: parse.cpu_times(rows), lambda _: parse.memory(rows)):
        try:
            parser(text)
        except ValueError:
            continue
    parse.disk_counters(rows)
    parse.card_counters(rows)
    parse.filesystems(rows, rows, rows)
    parse.failed_units(rows)


def test_the_script_bounds_its_mounts() -> None:
    assert f"head -n {MOUNTS})" in SCRIPT


async def test_a_disk_that_holds_up_df_costs_only_the_filesystems() -> None:
    class HangingLink(ScriptedLink):
        async def run(self, argv: Sequence[str], *, timeout: float, stdin: bytes = b"", limit: int = 0) -> CommandResult:
            if argv[-1] != "no-df":
                raise CommandTimeoutError(Problem("sh did not end within 7 s"))
            return await super().run(argv, timeout=timeout, stdin=stdin, limit=limit)

    rest = answer().decode()
    without = "\n".join(row for row in rest.partition("==df")[0].splitlines() if not row.startswith("mount ")) + "\n==end\n"
    clock = FakeClock()
    source = SystemSource(HangingLink(without.encode()), clock=clock)
    with pytest.raises(CommandTimeoutError):
        await source.read(full=False)
    reading = await source.read(full=False)
    assert reading.filesystems == ()
    assert [gap.feature for gap in reading.gaps] == ["filesystems"]
    clock.move(DF_REST + 1)
    with pytest.raises(CommandTimeoutError):
        await source.read(full=False)


@pytest.mark.parametrize("uptime", ["nan", "inf", "-inf", "", "x"])
async def test_figures_that_are_none_are_refused(uptime: str) -> None:
    with pytest.raises(SourceError, match="cannot be understood"):
        await SystemSource(ScriptedLink(answer(uptime=uptime))).read(full=False)
