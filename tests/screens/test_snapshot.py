"""The fixture that compares screens, on an application of one line."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from textual.app import App, ComposeResult
from textual.widgets import Static

from tests.screens.snapshot import Goldens, stable


class Tiny(App[None]):
    def __init__(self, text: str) -> None:
        super().__init__()
        self.text = text

    def compose(self) -> ComposeResult:
        yield Static(self.text, markup=False)


async def look(goldens: Goldens, text: str, name: str = "tiny") -> None:
    async with Tiny(text).run_test(size=(20, 3)) as pilot:
        goldens.compare(pilot, "snapshot", name)


async def test_the_same_screen_gives_the_same_picture_every_time() -> None:
    pictures = set()
    for _ in range(3):
        app = Tiny("one")
        async with app.run_test(size=(20, 3)) as pilot:
            pictures |= {stable(app), stable(pilot)}
    assert len(pictures) == 1


async def test_a_small_difference_changes_only_its_own_lines() -> None:
    async with Tiny("one").run_test(size=(20, 3)) as pilot:
        before = stable(pilot).splitlines()
    async with Tiny("two").run_test(size=(20, 3)) as pilot:
        after = stable(pilot).splitlines()
    assert sum(old != new for old, new in zip(before, after, strict=True)) == 1


async def test_a_difference_fails_and_names_both_pictures(tmp_path: Path) -> None:
    await look(Goldens(tmp_path, update=True), "one")
    await look(Goldens(tmp_path, update=False), "one")
    with pytest.raises(pytest.fail.Exception) as failure:
        await look(Goldens(tmp_path, update=False), "two")
    seen = tmp_path / ".report" / "snapshot" / "tiny.svg"
    assert str(seen) in str(failure.value)
    assert str(tmp_path / "snapshot" / "tiny.svg") in str(failure.value)
    assert "two" in seen.read_text(encoding="utf-8")
    await look(Goldens(tmp_path, update=False), "one")
    assert not seen.exists()


async def test_a_screen_without_a_picture_fails(tmp_path: Path) -> None:
    with pytest.raises(pytest.fail.Exception, match="no golden picture"):
        await look(Goldens(tmp_path, update=False), "one")


async def test_two_screens_cannot_share_a_name(tmp_path: Path) -> None:
    goldens = Goldens(tmp_path, update=True)
    await look(goldens, "one")
    with pytest.raises(AssertionError, match="two screens"):
        await look(goldens, "two")


async def test_pictures_without_a_test_are_found(tmp_path: Path) -> None:
    goldens = Goldens(tmp_path, update=True)
    await look(goldens, "one", "kept")
    for left in ("snapshot/left.svg", "gone/left.svg", "other/kept.svg", ".report/snapshot/left.svg"):
        (tmp_path / left).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / left).write_text("")
    (tmp_path / "test_snapshot.py").touch()
    (tmp_path / "test_other.py").touch()  # did not run: its pictures say nothing
    assert goldens.orphans(tmp_path) == {tmp_path / "snapshot/left.svg", tmp_path / "gone/left.svg"}


async def test_a_picture_holds_nothing_of_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DEBUGTUI_TEST_SECRET", "hunter2-of-the-environment")
    async with Tiny("one").run_test(size=(20, 3)) as pilot:
        drawn = stable(pilot)
    assert "hunter2" not in drawn
    assert not [
        value for value in (os.environ.get("HOME"), os.environ.get("USER")) if value and len(value) > 4 and value in drawn
    ]
