"""What is installed with DebugTUI, under which licence, and what is in its own wheel."""

from __future__ import annotations

import importlib.metadata
import re
import shutil
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
PAGE = (ROOT / "docs" / "dependencies.md").read_text(encoding="utf-8")
DECLARED = [
    *PROJECT["project"]["dependencies"],
    *(one for extra in PROJECT["project"]["optional-dependencies"].values() for one in extra),
    *PROJECT["dependency-groups"]["dev"],
]

#: Offered under a choice of licences; the one that is used here stands in docs/dependencies.md.
CHOSEN = {"asyncssh": "EPL-2.0"}
COPYLEFT = re.compile(r"(?<!L)\bA?GPL|GNU (Affero )?General Public", re.IGNORECASE)


def test_every_dependency_has_its_line() -> None:
    names = [Requirement(one).name for one in DECLARED]
    assert [name for name in names if f"| {name} " not in PAGE] == []


def test_every_line_is_a_dependency() -> None:
    lines = set(re.findall(r"^\| ([a-z][a-z0-9-]+) ", PAGE, re.MULTILINE)) - {"package", "packages"}
    assert lines - {Requirement(one).name for one in DECLARED} - {"bcrypt"} == set()


def test_every_debian_package_has_its_line() -> None:
    script = (ROOT / "scripts" / "packages").read_text(encoding="utf-8")
    packages = re.findall(r"^(?:demo|test) ([a-z0-9.-]+) ", script, re.MULTILINE)
    assert len(packages) > 10
    assert [name for name in packages if f"`{name}`" not in PAGE] == []


def needed_by(requirement: Requirement, seen: dict[str, importlib.metadata.Distribution]) -> None:
    """Collect a distribution and everything that it needs here at run time."""
    name = canonicalize_name(requirement.name)
    distribution = importlib.metadata.distribution(name)
    known = name in seen
    seen[name] = distribution
    for text in distribution.requires or []:
        needed = Requirement(text)
        wanted = [needed.marker.evaluate({"extra": extra}) for extra in ("", *requirement.extras)] if needed.marker else [True]
        plain = not needed.marker or needed.marker.evaluate({"extra": ""})
        if any(wanted) and not (known and plain):
            needed_by(needed, seen)


def run_time() -> dict[str, importlib.metadata.Distribution]:
    seen: dict[str, importlib.metadata.Distribution] = {}
    needed_by(Requirement("debugtui[libvirt]"), seen)
    return seen


def licence(distribution: importlib.metadata.Distribution) -> str:
    data = distribution.metadata
    said = [data.get("License-Expression") or "", (data.get("License") or "")[:200]]
    return " ".join([*said, *(line for line in data.get_all("Classifier") or [] if line.startswith("License"))])


def test_the_libraries_of_the_hosts_are_looked_at() -> None:
    assert {"asyncssh", "bcrypt", "aiohttp", "libvirt-python", "markdown-it-py"} <= set(run_time())


def test_no_run_time_dependency_is_gpl_or_agpl() -> None:
    said = {name: licence(distribution) for name, distribution in run_time().items()}
    assert {name: text for name, text in said.items() if COPYLEFT.search(text) and CHOSEN.get(name, "GPL") not in text} == {}


def test_every_run_time_dependency_names_its_licence() -> None:
    assert [name for name, distribution in run_time().items() if len(licence(distribution).strip()) < 3] == []


@pytest.mark.parametrize(
    ("text", "bad"),
    [
        ("GPL-3.0-only", True),
        ("AGPL-3.0", True),
        ("License :: OSI Approved :: GNU General Public License v2 (GPLv2)", True),
        ("GNU Affero General Public License", True),
        ("LGPL-2.1-or-later", False),
        ("GNU Lesser General Public License v3 (LGPLv3)", False),
        ("MIT", False),
    ],
)
def test_copyleft_is_told_from_its_lesser_form(text: str, bad: bool) -> None:
    assert bool(COPYLEFT.search(text)) is bad


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> set[str]:
    """Return the names of the files in a wheel that is built from a copy, without a network."""
    folder = tmp_path_factory.mktemp("wheel")
    copy = folder / "source"
    shutil.copytree(ROOT / "debugtui", copy / "debugtui", ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, copy)
    build = f"from setuptools import build_meta; print(build_meta.build_wheel({str(folder)!r}))"
    subprocess.run([sys.executable, "-c", build], cwd=copy, check=True, capture_output=True, timeout=90)
    with zipfile.ZipFile(next(folder.glob("*.whl"))) as archive:
        return set(archive.namelist())


def test_the_wheel_holds_everything_of_the_package(wheel: set[str]) -> None:
    wanted = {
        str(path.relative_to(ROOT))
        for path in (ROOT / "debugtui").rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    assert any(name.endswith(".tcss") for name in wanted)
    assert wanted - wheel == set()


def test_the_wheel_holds_nothing_else(wheel: set[str]) -> None:
    assert {name.partition("/")[0] for name in wheel if ".dist-info/" not in name} == {"debugtui"}
    assert any(name.endswith("LICENSE") for name in wheel)
