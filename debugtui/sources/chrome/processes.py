"""This user's processes, as far as ending a browser for certain needs them. Everything here blocks."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

#: Seconds between two looks while processes end.
_PAUSE_S = 0.02


class Process(NamedTuple):
    """One process of ours. `started` tells it from a later one with the same pid."""

    pid: int
    parent: int
    started: str
    command: str


def all_of_ours() -> list[Process]:
    """Return the processes of this user that are not dead yet."""
    return list(_from_proc()) if sys.platform == "linux" else list(_from_ps())


def _from_proc() -> Iterable[Process]:
    for entry in Path("/proc").iterdir():
        if entry.name.isdecimal():
            with contextlib.suppress(OSError, ValueError, IndexError):
                if entry.stat().st_uid == os.geteuid():
                    yield from _of_proc(entry)


def _of_proc(entry: Path) -> Iterable[Process]:
    # The name may hold spaces and parentheses: fields are counted from the last one. proc(5): state is 3, ppid 4, starttime 22.
    fields = (entry / "stat").read_text(errors="replace").rpartition(")")[2].split()
    if fields[0] not in "ZX":
        command = (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
        yield Process(int(entry.name), int(fields[1]), fields[19], command)


def _from_ps() -> Iterable[Process]:
    argv = ["ps", "-x", "-ww", "-o", "pid=,ppid=,stat=,lstart=,command="]
    done = subprocess.run(argv, capture_output=True, text=True, errors="replace", timeout=10, check=False)
    for text in done.stdout.splitlines():
        fields = text.split(None, 8)  # lstart is five words: Mon Jan  1 00:00:00 2024
        if len(fields) == 9 and not fields[2].startswith("Z"):
            yield Process(int(fields[0]), int(fields[1]), " ".join(fields[3:8]), fields[8])


def below(pid: int, processes: Iterable[Process]) -> set[Process]:
    """Return a process and everything that descends from it."""
    everyone = list(processes)
    found = {one for one in everyone if one.pid == pid}
    level = {pid} if found else set()
    while level:
        children = {one for one in everyone if one.parent in level} - found
        found |= children
        level = {one.pid for one in children}
    return found


def naming(folder: Path, processes: Iterable[Process]) -> set[Process]:
    """Return those whose command line names a folder, which nothing but our own browsers does."""
    return {one for one in processes if str(folder) in one.command and one.pid != os.getpid()}


def end(known: Iterable[Process], folder: Path, patience_s: float) -> list[Process]:
    """Wait until processes, and those that name `folder`, have ended; kill what has not. Return what had to be killed."""
    known = set(known)
    killed: dict[Process, None] = {}
    until = time.monotonic() + patience_s
    give_up = until + 5.0
    while True:
        now = all_of_ours()
        identities = {(one.pid, one.started) for one in known}
        left = {one for one in now if (one.pid, one.started) in identities} | naming(folder, now)
        if not left or time.monotonic() > give_up:
            return list(killed)
        if time.monotonic() > until:
            for one in left:
                killed[one] = None
                with contextlib.suppress(ProcessLookupError):
                    os.kill(one.pid, signal.SIGKILL)
        time.sleep(_PAUSE_S)


def private_bytes(processes: Iterable[Process]) -> int:
    """Return the memory that processes share with nobody, in bytes; 0 where the system does not tell."""
    pages = 0
    for one in processes:
        with contextlib.suppress(OSError, ValueError, IndexError):
            _, resident, shared = Path(f"/proc/{one.pid}/statm").read_text().split()[:3]
            pages += int(resident) - int(shared)
    return pages * os.sysconf("SC_PAGE_SIZE")
