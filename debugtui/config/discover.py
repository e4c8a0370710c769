"""What this machine offers to watch, found by its sockets; nothing is opened or asked."""

from __future__ import annotations

import os
import re
import stat
from dataclasses import dataclass
from pathlib import Path

_POSTGRES_SOCKET = re.compile(r"\.s\.PGSQL\.(\d{1,5})", re.ASCII)
_MOST = 20


@dataclass(frozen=True, slots=True)
class FoundPostgres:
    """A PostgreSQL server: the directory of its socket, and its port."""

    directory: str
    port: int


@dataclass(frozen=True, slots=True)
class Found:
    """What was found.

    Attributes:
        libvirt: URI of the libvirt daemon; None: none.
        docker: `unix:///path` of the Docker engine; None: none.
        postgres: PostgreSQL servers.
    """

    libvirt: str | None = None
    docker: str | None = None
    postgres: tuple[FoundPostgres, ...] = ()

    @property
    def anything(self) -> bool:
        """Whether there is anything at all."""
        return bool(self.libvirt or self.docker or self.postgres)


def discover_local(root: Path = Path("/"), runtime: Path | None = None) -> Found:
    """Return what listens on this machine.

    Args:
        root: where the file system begins; tests give their own.
        runtime: the operator's runtime directory, for daemons of their own; None: XDG_RUNTIME_DIR.
    """
    if runtime is None and os.environ.get("XDG_RUNTIME_DIR"):
        runtime = Path(os.environ["XDG_RUNTIME_DIR"])
    return Found(_libvirt(root, runtime), _docker(root, runtime), _postgres(root))


def _libvirt(root: Path, runtime: Path | None) -> str | None:
    names = ("libvirt-sock", "virtqemud-sock")
    if any(_is_socket(root / "var/run/libvirt" / name) for name in names):
        return "qemu:///system"
    if runtime is not None and any(_is_socket(runtime / "libvirt" / name) for name in names):
        return "qemu:///session"
    return None


def _docker(root: Path, runtime: Path | None) -> str | None:
    if _is_socket(root / "var/run/docker.sock"):
        return "unix:///var/run/docker.sock"
    if runtime is not None and _is_socket(runtime / "docker.sock"):
        return f"unix://{runtime / 'docker.sock'}"
    return None


def _postgres(root: Path) -> tuple[FoundPostgres, ...]:
    found: dict[int, FoundPostgres] = {}
    for directory in ("/var/run/postgresql", "/tmp"):  # noqa: S108 # where PostgreSQL itself puts its socket by default
        try:
            entries = sorted(os.listdir(root / directory.lstrip("/")))  # noqa: PTH208 # names only
        except OSError:
            continue
        for name in entries:
            match = _POSTGRES_SOCKET.fullmatch(name)
            if match and 0 < int(match[1]) < 65536 and _is_socket(root / directory.lstrip("/") / name):
                found.setdefault(int(match[1]), FoundPostgres(directory, int(match[1])))
    return tuple(found[port] for port in sorted(found))[:_MOST]


def _is_socket(path: Path) -> bool:
    try:
        return stat.S_ISSOCK(path.stat().st_mode)
    except OSError:
        return False
