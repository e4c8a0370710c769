"""Where this program keeps its files, after each platform's own custom; directories are private and made when first needed."""

from __future__ import annotations

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

    Where the platform's own does not exist or is not ours, it lies in the cache.
    """
    path = platformdirs.user_runtime_path(_NAME, appauthor=False)
    try:
        return private_dir(path)
    except OSError:
        return private_dir(cache_dir() / "run")


def private_dir(path: Path) -> Path:
    """Make a directory, readable by its owner only, where it does not exist; return it.

    Raises:
        OSError: it cannot be made, or is something else.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        path.mkdir(mode=0o700)
    except FileExistsError:
        if not path.is_dir():
            raise
    return path
