"""The house itself: what no type checker and no linter sees."""

from __future__ import annotations

import ast
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from debugtui.model.actions import ACTIONS, BY_ID

ROOT = Path(__file__).parents[2]
PACKAGE = ROOT / "debugtui"
HEAVY = {
    "asyncssh",
    "aiodocker",
    "aiohttp",
    "asyncpg",
    "libvirt",
    "pydantic",
    "keyring",
    "httpx",
    "groq",
    "cryptography",
    "redis",
    "prometheus_client",
}
#: What the heavy modules share and the first frame needs: contracts without libraries.
LIGHT = [
    *(f"model.{path.stem}" for path in sorted((PACKAGE / "model").glob("[!_]*.py"))),
    "config.ask",
    "hosts.link",
    "sources.base",
]


def project_files() -> Iterator[Path]:
    """Yield every file that people write here, without asking git: a source archive has none."""
    made = {"__pycache__", ".report", "debugtui.egg-info"}
    for room in ("debugtui", "tests", "benchmarks", "docs", "scripts", "snapshots", ".ci"):
        yield from (path for path in (ROOT / room).rglob("*") if path.is_file() and not made & set(path.parts))
    for name in ("*.md", "*.toml", "*.yaml", "Makefile", "LICENSE", ".editorconfig", ".gitignore", ".pre-commit-config.yaml"):
        yield from ROOT.glob(name)


def called(node: ast.Call) -> str:
    return node.func.id if isinstance(node.func, ast.Name) else node.func.attr if isinstance(node.func, ast.Attribute) else ""


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


def loaded_after(statement: str) -> set[str]:
    code = f"{statement}\nimport sys\nprint(' '.join(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT, timeout=60)
    return {name.partition(".")[0] for name in done.stdout.split()}


@pytest.mark.parametrize(
    "room",
    ["model.postgres", "config.load", "hosts.ssh", "sources.postgres.source", "fleet.fleet", "alerts.book", "headless.check"],
)
def test_the_lower_rooms_know_no_terminal(room: str) -> None:
    assert not loaded_after(f"import debugtui.{room}") & {"textual", "rich"}


def test_contracts_and_readings_load_no_library() -> None:
    assert not loaded_after("import " + ", ".join(f"debugtui.{name}" for name in LIGHT)) & (
        HEAVY | {"textual", "rich", "click"}
    )


def test_the_first_frame_waits_for_nothing_heavy() -> None:
    assert not loaded_after("import debugtui.__main__, debugtui.app") & HEAVY


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
    for path in [*(PACKAGE / "widgets").rglob("*.py"), *(PACKAGE / "screens").rglob("*.py"), PACKAGE / "app.py"]:
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and called(node) == "Binding":
                ids = [keyword.value for keyword in node.keywords if keyword.arg == "id"]
                found |= {value.value for value in ids if isinstance(value, ast.Constant)}
    assert {name for name in found if name.partition(".")[0] not in own} <= set(BY_ID)


def test_no_file_names_a_machines_own_paths_or_a_package_index() -> None:
    # `ops` is the operator of the examples.
    own = re.compile(r"/(?:root|work)/[a-z.]|/(?:home|Users)/(?!ops/)[a-z]+/|pypi\.org|pythonhosted|index-url", re.IGNORECASE)
    found = []
    for path in project_files():
        if path != Path(__file__):
            matches = own.finditer(path.read_text(encoding="utf-8", errors="replace"))
            found += [f"{path.relative_to(ROOT)}: {match.group()}" for match in matches]
    assert found == []


def test_nothing_is_left_for_later() -> None:
    later = re.compile(r"\b(?:TODO|FIXME|XXX)\b|raise NotImplementedError\(\)|\bpass  # later")
    files = [path for path in project_files() if path.suffix in (".py", ".toml", ".md", ".tcss") and path != Path(__file__)]
    assert [str(path.relative_to(ROOT)) for path in files if later.search(path.read_text(encoding="utf-8"))] == []


def test_links_between_pages_lead_somewhere() -> None:
    broken = []
    for page in [*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")]:
        links = re.findall(r"\]\(([^)#\s]+)", page.read_text(encoding="utf-8"))
        missing = [link for link in links if "://" not in link and not (page.parent / link).exists()]
        broken += [f"{page.relative_to(ROOT)}: {link}" for link in missing]
    assert broken == []


def test_every_page_can_be_reached_from_the_readme() -> None:
    seen, ahead = set(), [ROOT / "README.md"]
    while ahead:
        page = ahead.pop()
        for link in re.findall(r"\]\(([^)#\s]+\.md)", page.read_text(encoding="utf-8")):
            target = (page.parent / link).resolve()
            if target not in seen and target.exists():
                seen.add(target)
                ahead.append(target)
    assert set((ROOT / "docs").rglob("*.md")) - seen == set()


@pytest.mark.parametrize("script", [*sorted((ROOT / "scripts").iterdir()), ROOT / ".ci" / "run"], ids=lambda path: path.name)
def test_scripts_are_bash_that_stops_at_the_first_fault(script: Path) -> None:
    text = script.read_text(encoding="utf-8")
    assert text.startswith("#!/usr/bin/env bash\n")
    assert "\nset -euo pipefail\n" in text
    assert os.access(script, os.X_OK)
    done = subprocess.run(["bash", "-n", script], capture_output=True, text=True, check=False, timeout=20)
    assert done.stderr == ""


def test_what_the_pages_say_to_make_can_be_made() -> None:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    targets = set(re.findall(r"^([a-z-]+):.*?## ", makefile, re.MULTILINE))
    pages = [*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")]
    said = {
        name for page in pages for name in re.findall(r"(?:`|^)make ([a-z-]+)", page.read_text(encoding="utf-8"), re.MULTILINE)
    }
    assert {"demo", "test", "lint", "bench", "snapshots"} <= targets
    assert said <= targets


@pytest.mark.parametrize("file", sorted((ROOT / "benchmarks").glob("*.py")), ids=lambda file: file.stem)
def test_every_benchmark_can_still_be_loaded(file: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", f"import benchmarks.{file.stem}"] if file.stem != "__main__" else [sys.executable, "-c", ""],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
