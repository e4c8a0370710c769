"""Where this program keeps its files, after each platform's own custom; directories are private and made when first needed."""

from __future__ import annotations

import errno
import os
import stat
from pathlib import Path

import platformdirs

_NAME = "debugtui"


def config_file() -> Path:
    """Return the user's configuration file, which may not exist: `~/.config/debugtui/config.toml`, or below XDG_CONFIG_HOME."""
    return platformdirs.user_config_path(_NAME, appauthor=False) / "config.toml"


def state_dir() -> Path:
    """Return the directory of what outlives a run, made where absent."""
    return private_dir(platformdirs.user_state_path(_NAME, appauthor=False))


def log_dir() -> Path:
    """Return the directory of this program's own logs, made where absent."""
    return private_dir(state_dir() / "log")


def copy_dir() -> Path:
    """Return the directory of texts and pictures that the operator copied, made where absent."""
    return private_dir(state_dir() / "copies")


def cache_dir() -> Path:
    """Return the directory of what can be made anew, made where absent."""
    return private_dir(platformdirs.user_cache_path(_NAME, appauthor=False))


def runtime_dir() -> Path:
    """Return the directory of sockets, gone with the login session, made where absent.

    Where the session has none of its own it lies in the cache, never in a directory that others may write.
    """
    session = os.environ.get("XDG_RUNTIME_DIR", "")
    if session.startswith("/") and _is_ours_alone(Path(session)):
        return private_dir(Path(session) / _NAME)
    return private_dir(cache_dir() / "run")


def _is_ours_alone(path: Path) -> bool:
    try:
        state = path.stat()
    except OSError:
        return False
    return stat.S_ISDIR(state.st_mode) and state.st_uid == os.geteuid() and not stat.S_IMODE(state.st_mode) & 0o077


def private_dir(path: Path) -> Path:
    """Make a directory, readable by its owner only, where it does not exist; return it.

    Raises:
        OSError: it cannot be made, or is something else.
    """
    if path.is_dir():
        return path
    if path.exists():
        raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR), str(path))
    path.parent.mkdir(parents=True, exist_ok=True)
    path.mkdir(mode=0o700, exist_ok=True)
    return path
