"""A folder for the local ends of forwards: private to the user, with a short name, gone when the link closes."""

from __future__ import annotations

import contextlib
import fcntl
import os
import shutil
import tempfile
import time
from pathlib import Path

_PREFIX = "dbgtui-"

#: Most bytes of a socket's path that every system takes (Linux 107, macOS 103).
PATH_LIMIT = 100

#: Longest remote socket name that is kept as the local one.
_NAME_LIMIT = 40

#: The file in each folder that its owner holds locked. A process's number says nothing in another container or PID namespace
#: that shares /tmp; the lock is seen by all.
_LOCK = ".lock"

#: Seconds within which a folder without a lock is taken for one that is just being made.
_YOUNG_S = 60.0


def _parent() -> Path:
    """The user's runtime folder if it is usable and short, else /tmp: macOS' own temporary folders have too long names."""
    runtime = os.environ.get("XDG_RUNTIME_DIR", "")
    if runtime.startswith("/") and len(os.fsencode(runtime)) <= 32 and os.access(runtime, os.W_OK | os.X_OK):
        return Path(runtime)
    return Path("/tmp")  # noqa: S108 - mkdtemp makes the folder inside it private and unguessable


class PrivateFolder:
    """Made when first used. Its own folder (0700), and one below it for each forward."""

    def __init__(self) -> None:
        self._path: Path | None = None
        self._lock: int | None = None
        self._count = 0

    def place(self, name: str) -> Path:
        """Return a new path for a socket whose last part is `name`, or a short one where `name` is too long."""
        if self._path is None:
            parent = _parent()
            sweep(parent)
            self._path = Path(tempfile.mkdtemp(prefix=f"{_PREFIX}{os.getpid()}-", dir=parent))
            self._lock = os.open(self._path / _LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        folder = self._path / str(self._count)
        self._count += 1
        folder.mkdir(mode=0o700)
        if not name or name in {".", ".."} or len(os.fsencode(name)) > _NAME_LIMIT:
            name = "s"
        return folder / name

    def remove(self) -> None:
        """Remove it and everything in it. Safe to call twice."""
        if self._path is not None:
            shutil.rmtree(self._path, ignore_errors=True)
            self._path = None
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None


def sweep(parent: Path) -> None:
    """Remove folders that a killed run of the same user left behind."""
    for folder in parent.glob(f"{_PREFIX}*-*"):
        pid = folder.name.removeprefix(_PREFIX).partition("-")[0]
        with contextlib.suppress(OSError):
            if pid.isdecimal() and folder.lstat().st_uid == os.getuid() and not _alive(int(pid)) and _left(folder):
                shutil.rmtree(folder, ignore_errors=True)


def _left(folder: Path) -> bool:
    """Whether nobody holds a folder: its lock is free, or it never had one and is not new."""
    try:
        lock = os.open(folder / _LOCK, os.O_RDWR | os.O_CLOEXEC | os.O_NOFOLLOW)
    except FileNotFoundError:
        return time.time() - folder.lstat().st_mtime > _YOUNG_S
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    finally:
        os.close(lock)
    return True


def _alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except OSError:
        return True
    return True
