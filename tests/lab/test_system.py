"""The system source on this machine, in every shell at hand."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from debugtui.hosts.local import LocalLink
from debugtui.sources.system import parse
from debugtui.sources.system.script import SCRIPT
from debugtui.sources.system.source import SystemSource


async def test_this_machine_tells_its_own_figures() -> None:
    link = LocalLink("here")
    await link.start()
    await link.wait_settled(5)
    source = SystemSource(link)
    await source.read(full=True)
    reading = await source.read(full=False)
    await source.close()
    await link.close()
    assert reading.hostname == os.uname().nodename.partition(".")[0] or reading.hostname == os.uname().nodename
    assert reading.memory_total_bytes == os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    usage = shutil.disk_usage("/")
    root = next((one for one in reading.filesystems if one.mount == "/"), None)
    if root is not None:
        assert root.size_bytes == pytest.approx(usage.total, rel=0.02)
    assert not reading.gaps


@pytest.mark.parametrize("shell", [["dash"], ["bash", "--posix"], ["busybox", "ash"]])
def test_the_script_runs_in_every_posix_shell(shell: list[str]) -> None:
    done = subprocess.run([*shell, "-c", SCRIPT, "sh", "full"], capture_output=True, text=True, timeout=10, check=True)
    assert done.stderr == ""
    found = parse.sections(done.stdout)
    parse.cpu_times(found["cpu"])
    assert parse.memory(found["proc"])["MemTotal"] > 0
    assert Path("/proc/uptime").exists()
