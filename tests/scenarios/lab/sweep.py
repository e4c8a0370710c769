"""Removes what labs have left whose owner was killed the hard way: processes, mounts, loop devices, folders.

Each lab has one folder below /tmp, which holds its owner's process id and start time. Everything that it starts names that
folder in its arguments, has its working directory in it, or runs in a container of the engine in it.
"""

from __future__ import annotations

import contextlib
import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path

from tests.scenarios.lab.programs import as_root
from tests.services.docker_engine import DockerEngine

PREFIX = "dtsc-"


def sign(folder: Path) -> None:
    """Write down who owns a lab."""
    (folder / "owner").write_text(f"{os.getpid()} {_started(os.getpid())}")


def _started(pid: int) -> str:
    """A process's start time in ticks; empty where there is none."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[19]
    except OSError:
        return ""


def owned(folder: Path) -> bool:
    """Whether the owner of a lab lives."""
    try:
        pid, started = (folder / "owner").read_text().split()
    except (OSError, ValueError):
        # Just made, and not signed yet; or never to be.
        return time.time() - folder.stat().st_mtime < 60
    return _started(int(pid)) == started


def sweep(where: Path = Path("/tmp")) -> list[Path]:
    """Remove every lab whose owner is gone; return their folders."""
    found = [folder for folder in where.glob(f"{PREFIX}*") if folder.is_dir() and not owned(folder)]
    for folder in found:
        clear(folder)
    return found


def clear(folder: Path) -> None:
    """End whatever belongs to a lab's folder, unmount what lies in it, and remove it."""
    engine = DockerEngine(folder / "docker")
    if engine.socket.exists() and engine._answers():
        engine.remove_all()
    for number in (signal.SIGTERM, signal.SIGKILL):
        end = time.monotonic() + 5
        while (pids := list(processes(folder))) and time.monotonic() < end:
            for pid in pids:
                as_root("kill", f"-{int(number)}", str(pid), check=False)
                as_root("kill", f"-{int(signal.SIGCONT)}", str(pid), check=False)
            time.sleep(0.1)
    for mount in mounts(folder):
        as_root("umount", "-l", mount, check=False)
    as_root("rm", "-rf", "--one-file-system", str(folder))


def processes(folder: Path) -> Iterator[int]:
    """Processes that name a folder in their arguments, or stand in it; never this one."""
    named = f"{folder}/".encode()
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit() or int(entry.name) == os.getpid():
            continue
        with contextlib.suppress(OSError):
            if named in (entry / "cmdline").read_bytes() or f"{os.readlink(entry / 'cwd')}/".startswith(f"{folder}/"):
                yield int(entry.name)


def mounts(folder: Path) -> list[str]:
    """What is mounted below a folder, the deepest first."""
    found = [row.split()[1] for row in Path("/proc/mounts").read_text().splitlines()]
    return sorted((mount for mount in found if mount.startswith(f"{folder}/")), key=len, reverse=True)


def leftovers(folder: Path) -> list[str]:
    """What of a lab is still there; empty after a clean end."""
    loops = []
    for backing in Path("/sys/block").glob("loop*/loop/backing_file"):
        with contextlib.suppress(OSError):
            if backing.read_text().startswith(f"{folder}/"):
                loops.append(str(backing.parent.parent.name))
    found = [f"process {pid}" for pid in processes(folder)] + [f"mount {mount}" for mount in mounts(folder)] + loops
    return [*found, *([str(folder)] if folder.exists() else [])]
