"""Golden screens: SVG pictures in the top-level folder `snapshots/`, compared to the letter.

`pytest --snapshot-update` writes them; `make snapshots` shows what differs as pictures.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from debugtui.app import DebugTui
from debugtui.screens.picture import picture

ROOT = Path(__file__).parents[2]
GOLDEN = ROOT / "snapshots"
REPORT = GOLDEN / ".report"

_UNIQUE = re.compile(r"terminal-\d+-")

Snap = Callable[[DebugTui, str], None]

_used: set[Path] = set()


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--snapshot-update", action="store_true", help="write the golden screens instead of comparing")


def stable(app: DebugTui) -> str:
    """Return the screen's picture without the number that Textual derives from its content."""
    return _UNIQUE.sub("terminal-", picture(app)).rstrip() + "\n"


@pytest.fixture
def snap(request: pytest.FixtureRequest) -> Snap:
    """Return a function that compares a screen with its golden picture: `snap(app, "main-80x24-dark")`."""
    update = bool(request.config.getoption("--snapshot-update"))
    folder = request.module.__name__.rpartition(".")[2].removeprefix("test_")

    def compare(app: DebugTui, name: str) -> None:
        golden = GOLDEN / folder / f"{name}.svg"
        actual = stable(app)
        _used.add(golden)
        if update:
            golden.parent.mkdir(parents=True, exist_ok=True)
            golden.write_text(actual, encoding="utf-8")
            return
        expected = golden.read_text(encoding="utf-8") if golden.exists() else ""
        if actual != expected:
            seen = REPORT / folder / f"{name}.svg"
            seen.parent.mkdir(parents=True, exist_ok=True)
            seen.write_text(actual, encoding="utf-8")
            raise AssertionError(f"the screen differs from {golden.relative_to(ROOT)}; it is now {seen.relative_to(ROOT)}")

    return compare


@pytest.fixture(scope="session", autouse=True)
def _no_orphans(request: pytest.FixtureRequest) -> Iterator[None]:
    """Every golden picture belongs to a test: one that no test of a whole run looked at is an error."""
    yield
    options = request.config.option
    partial = options.keyword or any("::" in argument for argument in request.config.args)
    if partial or request.session.testsfailed:
        return
    orphans = {path for folder in {golden.parent for golden in _used} for path in folder.glob("*.svg")} - _used
    if options.snapshot_update:
        for path in orphans:
            path.unlink()
    elif orphans:
        names = ", ".join(sorted(path.name for path in orphans))
        pytest.fail(f"golden pictures that no test uses: {names}")
