"""A private folder for one browser: profile, log, pictures on the way. What a killed run left is removed. Blocks."""

from __future__ import annotations

import contextlib
import os
import shutil
import tempfile
from pathlib import Path

from debugtui.config import paths
from debugtui.sources.chrome import processes

_PREFIX = "dbgtui-chrome-"

#: Most bytes of the path of the folder around them: the browser puts a socket deep in there (Linux takes 107, macOS 103), and
#: ends without a word where its path is too long. Our own folder takes 30, the browser's 45 (Chromium 120 and newer).
_LONGEST = 28


def parent() -> Path:
    """Return where the folders lie: with the session's sockets if that path is short, else /tmp, as macOS's own is long."""
    home = paths.runtime_dir()
    return home if len(os.fsencode(home)) <= _LONGEST else Path("/tmp")  # noqa: S108 - mkdtemp makes a private folder in it


def make() -> Path:
    """Make one (0700), after removing what killed runs left, processes included."""
    home = parent()
    sweep(home)
    return Path(tempfile.mkdtemp(prefix=f"{_PREFIX}{os.getpid()}-", dir=home))


def sweep(home: Path) -> None:
    """Remove the folders whose makers have ended, and end what still uses them: it serves nobody."""
    for folder in home.glob(f"{_PREFIX}*-*"):
        pid = folder.name.removeprefix(_PREFIX).partition("-")[0]
        with contextlib.suppress(OSError):
            if pid.isdecimal() and folder.lstat().st_uid == os.geteuid() and not _alive(int(pid)):
                processes.end(_servers(folder), folder, 0.0)
                remove(folder)


def _servers(folder: Path) -> set[processes.Process]:
    """Return the server that once wrote its pid there, if that pid is still a server's."""
    pid = server_pid(folder)
    everyone = processes.all_of_ours()
    if not any(one.pid == pid and "chrome-devtools-mcp" in one.command for one in everyone):
        return set()
    return processes.below(pid, everyone)


def server_pid(folder: Path) -> int:
    """Return the pid that the server wrote; 0 where it did not."""
    try:
        return int((folder / "pid").read_text())
    except (OSError, ValueError):
        return 0


def remove(folder: Path) -> None:
    """Remove a folder."""
    shutil.rmtree(folder, ignore_errors=True)


def _alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except OSError:
        return True
    return True
