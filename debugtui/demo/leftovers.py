"""The demo's private folder, and what a killed demo leaves of it."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import tempfile
import time
from pathlib import Path

from debugtui.demo.layout import Layout

_PREFIX = "dtui-demo-"
_END_LIMIT = 5.0


def make_folder() -> Path:
    """Return a new private folder with a short name, after removing those of demos that were killed."""
    # Not the user's TMPDIR: paths of UNIX sockets may have about a hundred bytes only.
    parent = Path("/tmp")  # noqa: S108 - mkdtemp makes the folder inside it private and unguessable
    if not os.access(parent, os.W_OK | os.X_OK):
        parent = Path(tempfile.gettempdir())
    for folder in parent.glob(f"{_PREFIX}*-*"):
        with contextlib.suppress(OSError):
            if folder.lstat().st_uid == os.getuid() and not folder.is_symlink() and not _lives(folder):
                remove(Layout(folder))
    return Path(tempfile.mkdtemp(prefix=f"{_PREFIX}{os.getpid()}-", dir=parent))


def _lives(folder: Path) -> bool:
    """Whether the screen that made a folder still runs: its process id is part of the name."""
    number = folder.name.removeprefix(_PREFIX).partition("-")[0]
    return not number.isdecimal() or _alive(int(number))


def _alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except OSError:
        return True
    return True


def remove(layout: Layout) -> None:
    """Remove a demo's folder, and end the server that runs in it. Nothing happens where there is none."""
    if not layout.folder.exists():
        return
    _end_postmaster(layout)
    shutil.rmtree(layout.folder, ignore_errors=True)


def _end_postmaster(layout: Layout) -> None:
    try:
        pid = int((layout.postgres / "data" / "postmaster.pid").read_text().split()[0])
        # The number alone may belong to somebody else by now.
        if str(layout.folder).encode() not in Path(f"/proc/{pid}/cmdline").read_bytes():
            return
        os.kill(pid, signal.SIGQUIT)
    except (OSError, ValueError, IndexError):
        return
    end = time.monotonic() + _END_LIMIT
    while _alive(pid):
        if time.monotonic() > end:
            with contextlib.suppress(OSError):
                os.kill(pid, signal.SIGKILL)
            return
        time.sleep(0.05)
