"""Golden screens: SVG pictures in the top-level folder `snapshots/`, one folder for each test module, compared to the letter.

`pytest --snapshot-update` writes them; `make snapshots` shows what differs as pictures.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from textual.app import App
from textual.pilot import Pilot

from debugtui.screens.picture import picture

ROOT = Path(__file__).parents[2]
GOLDEN = ROOT / "snapshots"

_UNIQUE = re.compile(r"terminal-\d+-")

#: `snap(app_or_pilot, name)`: compares the screen with `snapshots/<module>/<name>.svg`.
Snap = Callable[[App[Any] | Pilot[Any], str], None]


def stable(screen: App[Any] | Pilot[Any]) -> str:
    """Return the screen's picture without the number that Textual derives from its content."""
    app = screen.app if isinstance(screen, Pilot) else screen
    return _UNIQUE.sub("terminal-", picture(app)).rstrip() + "\n"


class Goldens:
    """The pictures below one folder, and which of them a run has looked at."""

    def __init__(self, root: Path, *, update: bool) -> None:
        self.root, self.update = root, update
        self.used: set[Path] = set()
        #: Whether some tests were left out, so that a picture without a test says nothing.
        self.partial = False

    def compare(self, screen: App[Any] | Pilot[Any], folder: str, name: str) -> None:
        golden, seen = self.root / folder / f"{name}.svg", self.root / ".report" / folder / f"{name}.svg"
        assert golden not in self.used, f"two screens have the name {folder}/{name}"
        self.used.add(golden)
        actual = stable(screen)
        expected = golden.read_text(encoding="utf-8") if golden.exists() else None
        if actual == expected or self.update:
            seen.unlink(missing_ok=True)
            if actual != expected:
                golden.parent.mkdir(parents=True, exist_ok=True)
                golden.write_text(actual, encoding="utf-8")
            return
        seen.parent.mkdir(parents=True, exist_ok=True)
        seen.write_text(actual, encoding="utf-8")
        was = "has no golden picture" if expected is None else "differs from its golden picture"
        pytest.fail(f"the screen {was}\n  before: {golden}\n  now:    {seen}\n  as pictures: make snapshots", pytrace=False)

    def orphans(self, modules: Path) -> set[Path]:
        """Return the pictures that no test looked at: those of modules that ran, and those of modules that are gone."""
        ran = {path.parent.name for path in self.used}
        return {
            path
            for path in self.root.glob("[!.]*/*.svg")
            if path not in self.used and (path.parent.name in ran or not (modules / f"test_{path.parent.name}.py").exists())
        }


_GOLDENS = pytest.StashKey[Goldens]()


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--snapshot-update", action="store_true", help="write the golden screens instead of comparing")


def pytest_configure(config: pytest.Config) -> None:
    goldens = Goldens(GOLDEN, update=bool(config.getoption("--snapshot-update")))
    goldens.partial = hasattr(config, "workerinput") or any("::" in argument for argument in config.args)
    config.stash[_GOLDENS] = goldens


@pytest.hookimpl(wrapper=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> Iterator[None]:
    """Notice what any option leaves out."""
    before = len(items)
    result = yield
    config.stash[_GOLDENS].partial |= len(items) < before
    return result


@pytest.fixture
def snap(request: pytest.FixtureRequest) -> Snap:
    """Return a function that compares a screen with its golden picture: `snap(pilot, "main-80x24-dark")`."""
    folder = request.module.__name__.rpartition(".")[2].removeprefix("test_")
    return lambda screen, name: request.config.stash[_GOLDENS].compare(screen, folder, name)


@pytest.fixture(scope="session", autouse=True)
def _no_orphans(request: pytest.FixtureRequest) -> Iterator[None]:
    """Every golden picture belongs to a test: one that no test of a whole run looked at is an error."""
    yield
    goldens = request.config.stash[_GOLDENS]
    if goldens.partial or not goldens.used or request.session.testsfailed:
        return
    orphans = goldens.orphans(Path(__file__).parent)
    if goldens.update:
        for path in orphans:
            path.unlink()
    elif orphans:
        pytest.fail(f"golden pictures that no test uses: {_names(sorted(orphans))}", pytrace=False)


def _names(paths: Sequence[Path]) -> str:
    return ", ".join(str(path.relative_to(GOLDEN)) for path in paths)
