"""Lines of journals and the words of kernels, of every form."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from debugtui.model.journal import KernelFault
from debugtui.sources.journal import script
from debugtui.sources.journal.entries import Entry, entries, value
from debugtui.sources.journal.kernel import faults, kills
from debugtui.sources.journal.past import Past

NOW = datetime(2026, 3, 14, 9, 26, 53, tzinfo=UTC)


def entry(
    message: str, ago: float = 1, *, unit: str = "kernel", kernel: bool = True, priority: int = 3, **more: object
) -> Entry:
    fields: dict[str, object] = {
        "cursor": f"{message}/{ago}",
        "at": NOW - timedelta(seconds=ago),
        "monotonic_s": 1.0,
        "message": message,
        "priority": priority,
        "message_id": "",
        "about": "",
        "unit": unit,
        "kernel": kernel,
        "init": False,
    }
    return Entry(**{**fields, **more})  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("message", "process", "pid", "kib", "limit"),
    [
        ("Out of memory: Killed process 7 (python3) total-vm:9kB, anon-rss:8kB, file-rss:0kB", "python3", 7, 8, None),
        ("Memory cgroup out of memory: Killed process 7 (a (b) c) total-vm:9kB, anon-rss:8kB", "a (b) c", 7, 8, True),
        ("Killed process 7 (java), UID 1000, total-vm:9kB, anon-rss:8kB, file-rss:0kB", "java", 7, 8, None),
        ("Out of memory: Kill process 7 (mysqld) score 912 or sacrifice child", "mysqld", 7, None, None),
    ],
)
def test_kills_of_every_kernel(message: str, process: str, pid: int, kib: int | None, limit: bool | None) -> None:
    (kill,) = kills([entry(message)], {})
    assert (kill.process, kill.pid, kill.memory_bytes, kill.limit) == (process, pid, kib and kib * 1024, limit)


@pytest.mark.parametrize(
    ("cgroup", "container", "vm"),
    [
        ("/docker/" + "a" * 64, "api", ""),
        ("/system.slice/docker-" + "a" * 64 + ".scope", "api", ""),
        ("/docker/" + "b" * 64, "b" * 12, ""),
        (r"/machine.slice/machine-qemu\x2d12\x2ddb\x2d01.scope", "", "db-01"),
        ("/system.slice/nginx.service", "", ""),
        ("/", "", ""),
    ],
)
def test_the_group_of_a_kill_names_its_container_or_vm(cgroup: str, container: str, vm: str) -> None:
    group = f"oom-kill:constraint=CONSTRAINT_MEMCG,nodemask=(null),oom_memcg=/x,task_memcg={cgroup},task=p,pid=7,uid=0"
    killed = entry("Memory cgroup out of memory: Killed process 7 (p) total-vm:1kB, anon-rss:1kB")
    (kill,) = kills([killed, entry(group)], {"a" * 12: "api"})
    assert (kill.container, kill.vm, kill.cgroup) == (container, vm, cgroup)


@pytest.mark.parametrize(
    ("message", "fault", "about"),
    [
        ("I/O error, dev sdb, sector 1 op 0x0:(READ) flags 0x0", KernelFault.IO, "sdb"),
        ("blk_update_request: critical medium error, dev nvme0n1, sector 1", KernelFault.IO, "nvme0n1"),
        ("Buffer I/O error on dev dm-0, logical block 1, async page read", KernelFault.IO, "dm-0"),
        ("EXT4-fs error (device sda1): ext4_find_entry:1455: inode #2", KernelFault.IO, "sda1"),
        ("EXT4-fs (sda1): Remounting filesystem read-only", KernelFault.READ_ONLY, "sda1"),
        ("XFS (dm-1): log I/O error -5", KernelFault.IO, "dm-1"),
        ("XFS (dm-1): Log I/O Error Detected. Shutting down filesystem", KernelFault.READ_ONLY, "dm-1"),
        ("BTRFS error (device sdc: state EA): parent transid verify failed", KernelFault.IO, "sdc"),
        ("BTRFS info (device sdc: state E): forced readonly", KernelFault.READ_ONLY, "sdc"),
        ("api[7]: segfault at 0 ip 0 sp 0 error 4 in api[0+1]", KernelFault.SEGFAULT, "api"),
        ("traps: my app[7] general protection fault ip:0 sp:0 error:0", KernelFault.SEGFAULT, "my app"),
        ("INFO: task kworker/u8:1:77 blocked for more than 120 seconds.", KernelFault.HUNG, "kworker/u8:1"),
        ("mce: [Hardware Error]: Machine check events logged", KernelFault.HARDWARE, ""),
    ],
)
def test_complaints_of_every_kernel(message: str, fault: KernelFault, about: str) -> None:
    (found,) = faults([entry(message)])
    assert (found.fault, found.about) == (fault, about)
    assert faults([entry(message, kernel=False)]) == []


def test_a_field_of_every_form() -> None:
    assert value({"MESSAGE": [99, 97, 102, 195, 169]}, "MESSAGE") == "café"
    assert value({"MESSAGE": None}, "MESSAGE") == "(too long to be shown)"
    assert value({"A": ["one", "two"]}, "A") == "one"
    assert value({"A": {"x": 1}}, "A") == ""
    assert value({}, "A") == ""


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=4),
    max_leaves=8,
)


@given(
    st.dictionaries(st.sampled_from(["MESSAGE", "PRIORITY", "UNIT", "_PID", "__CURSOR", "__REALTIME_TIMESTAMP"]), json_values)
)
def test_no_line_ends_the_reading(fields: dict[str, object]) -> None:
    list(entries(json.dumps(fields)))
    list(entries(json.dumps(fields)[:-3] + "\n[[[\n\x00"))


def test_a_line_is_taken_once_and_forgotten_after_an_hour() -> None:
    past = Past(known_from=NOW - timedelta(seconds=3_900))
    line = entry("boom", 10, unit="api.service", kernel=False)
    past.add([line, line])
    past.add([line])
    assert past.counted(NOW, None)[0] == 1
    later = NOW + timedelta(seconds=4_000)
    past.forget(later)
    assert past.counted(later, None)[0] == 0
    assert past._seen == {}


def test_what_is_usual_is_not_known_where_the_journal_is_too_young() -> None:
    past = Past(known_from=NOW - timedelta(seconds=3_900))
    past.add([entry("boom", 10, unit="api.service", kernel=False)])
    assert past.counted(NOW, NOW - timedelta(seconds=700))[1] is None
    assert past.counted(NOW, NOW - timedelta(seconds=2_000))[1] == 0.0


def test_the_script_asks_for_everything_in_bounds() -> None:
    assert script.SCRIPT.count("timeout") == 2
    assert f"--lines={script.LINES}" in script.SCRIPT
    assert f"head -c {script.BYTES}" in script.SCRIPT
