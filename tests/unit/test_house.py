"""The house itself: what no type checker and no linter sees."""

from __future__ import annotations

import ast
import importlib.metadata
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

from debugtui.model.actions import ACTIONS, BY_ID

ROOT = Path(__file__).parents[2]
PACKAGE = ROOT / "debugtui"
SHOWN = [*(PACKAGE / "widgets").rglob("*.py"), *(PACKAGE / "screens").rglob("*.py"), PACKAGE / "app.py"]

#: Where Textual parses a plain `str` as markup: what comes from outside must be `Content`, or `markup=False` must stand there.
PARSED = {"Static", "Label", "Button", "Option", "TabPane", "Collapsible", "Checkbox", "Placeholder", "notify", "update"}
PARSED_ATTRIBUTES = {"border_title", "border_subtitle", "tooltip"}


def trees() -> Iterator[tuple[Path, ast.Module]]:
    for path in SHOWN:
        yield path, ast.parse(path.read_text(encoding="utf-8"))


def called(node: ast.Call) -> str:
    return node.func.id if isinstance(node.func, ast.Name) else node.func.attr if isinstance(node.func, ast.Attribute) else ""


def is_plain_text(node: ast.expr) -> bool:
    return isinstance(node, ast.JoinedStr) or (isinstance(node, ast.BinOp) and isinstance(node.op, (ast.Add, ast.Mod)))


def test_nothing_that_is_put_together_is_parsed_as_markup() -> None:
    found = []
    for path, tree in trees():
        for node in ast.walk(tree):
            if isinstance(node, ast.Call) and called(node) in PARSED and node.args:
                safe = any(keyword.arg == "markup" for keyword in node.keywords)
                if is_plain_text(node.args[0]) and not safe:
                    found.append(f"{path.name}:{node.lineno}")
            elif isinstance(node, ast.Assign):
                names = {target.attr for target in node.targets if isinstance(target, ast.Attribute)}
                if names & PARSED_ATTRIBUTES and is_plain_text(node.value):
                    found.append(f"{path.name}:{node.lineno}")
    assert found == []


def test_no_error_is_swallowed() -> None:
    found = []
    for path in PACKAGE.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.ExceptHandler) and all(isinstance(one, (ast.Pass, ast.Continue)) for one in node.body):
                broad = node.type is None or (
                    isinstance(node.type, ast.Name) and node.type.id in ("Exception", "BaseException")
                )
                if broad:
                    found.append(f"{path.relative_to(ROOT)}:{node.lineno}")
    assert found == []


def test_every_dependency_has_its_line() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    wanted = [
        *project["project"]["dependencies"],
        *(one for extra in project["project"]["optional-dependencies"].values() for one in extra),
        *project["dependency-groups"]["dev"],
    ]
    text = (ROOT / "docs" / "dependencies.md").read_text(encoding="utf-8")
    names = [re.split(r"[\[<>=!~ ]", one)[0] for one in wanted]
    assert [name for name in names if f"| {name} " not in text] == []


def requirements(name: str, seen: set[str]) -> set[str]:
    """Return a distribution and everything it needs at run time, as installed."""
    if name in seen:
        return seen
    seen.add(name)
    for requirement in importlib.metadata.requires(name) or []:
        if "extra ==" in requirement or ("sys_platform" in requirement and "linux" not in requirement):
            continue
        needed = re.split(r"[\[<>=!~; (]", requirement)[0].lower()
        try:
            importlib.metadata.distribution(needed)
        except importlib.metadata.PackageNotFoundError:
            continue
        requirements(needed, seen)
    return seen


def test_no_dependency_is_gpl_or_agpl() -> None:
    bad = []
    for name in requirements("debugtui", set()):
        data = importlib.metadata.metadata(name)
        licence = data.get("License-Expression") or data.get("License") or ""
        classifiers = " ".join(value for value in data.get_all("Classifier") or [] if value.startswith("License"))
        said = f"{licence[:200]} {classifiers}"
        if re.search(r"\bA?GPL|GNU (Affero )?General Public", said) and not re.search(r"LGPL|Lesser| OR ", said):
            bad.append(f"{name}: {said}")
    assert bad == []


def loaded_after(statement: str) -> set[str]:
    code = f"{statement}\nimport sys\nprint(' '.join(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT, timeout=60)
    return {name.partition(".")[0] for name in done.stdout.split()}


@pytest.mark.parametrize(
    "room", ["model.postgres", "config.load", "hosts.ssh", "sources.postgres.source", "fleet.fleet", "alerts.book"]
)
def test_the_lower_rooms_know_no_terminal(room: str) -> None:
    assert not loaded_after(f"import debugtui.{room}") & {"textual", "rich"}


def test_the_first_frame_waits_for_nothing_heavy() -> None:
    heavy = {"asyncssh", "aiodocker", "aiohttp", "asyncpg", "libvirt", "pydantic", "keyring", "httpx", "groq", "cryptography"}
    assert not loaded_after("import debugtui.__main__, debugtui.app") & heavy


def test_a_source_never_imports_what_could_write_to_a_host() -> None:
    writers = re.compile(
        r"\.(?:suspend|resume|destroy|shutdown|reboot|undefine|defineXML|create|migrate)\(|openReadWrite|\bopenAuth\("
    )
    found = [path.name for path in (PACKAGE / "sources").rglob("*.py") if writers.search(path.read_text(encoding="utf-8"))]
    assert found == []


def test_action_ids_and_keys_are_unique_in_their_scope() -> None:
    assert len(BY_ID) == len(ACTIONS)
    for scope in {action.scope for action in ACTIONS}:
        keys = [key for action in ACTIONS if action.scope == scope for key in action.keys.split(",")]
        assert len(keys) == len(set(keys)), scope


def test_every_bound_action_is_in_the_table() -> None:
    """A key with an id can be moved; an id that the table does not know could not."""
    own = {"ask", "connect", "filter", "help", "trouble"}
    found = set()
    for _, tree in trees():
        for node in ast.walk(tree):
            if isinstance(node, ast.Call) and called(node) == "Binding":
                ids = [keyword.value for keyword in node.keywords if keyword.arg == "id"]
                found |= {value.value for value in ids if isinstance(value, ast.Constant)}
    assert {name for name in found if name.partition(".")[0] not in own} <= set(BY_ID)


def test_no_file_names_a_machines_own_paths() -> None:
    own = re.compile(r"/(?:root|home/[a-z]+|work)/[a-z]")
    tracked = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=True).stdout.split("\0")
    found = []
    for name in tracked:
        path = ROOT / name
        if not name or path.suffix == ".svg" or not path.is_file() or path == Path(__file__):
            continue
        found += [f"{name}: {match.group()}" for match in own.finditer(path.read_text(encoding="utf-8", errors="replace"))]
    assert found == []


def test_styles_and_queries_are_packaged() -> None:
    data = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["setuptools"]["package-data"][
        "debugtui"
    ]
    suffixes = {Path(pattern).suffix for pattern in data}
    kept = {path.suffix for path in PACKAGE.rglob("*") if path.is_file() and "__pycache__" not in path.parts} - {".py", ""}
    assert kept - suffixes <= {".typed"}
