"""A secret that was resolved in this run, planted in every reading: no screen shows it, no copy and no JSON holds it."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from debugtui.app import DebugTui
from debugtui.config import redaction
from debugtui.fleet.fleet import Fleet
from debugtui.headless.check import document, judge
from debugtui.model.source import Freshness
from tests.screens.conftest import Opened, opened
from tests.screens.test_golden import WAYS
from tests.screens.world import small_world
from tests.unit.fakes import FakeClock

__all__ = ["opened"]

SECRET = "Zq7planted9secretX"
#: Fields that are compared, looked up or parsed: a secret in them would be another thing, not a text with a secret.
KEPT = {"kind", "fingerprint", "state", "health", "freshness", "rule", "severity", "level", "serial", "mount", "image_id"}


@pytest.fixture(autouse=True)
def resolved() -> Iterator[None]:
    redaction.register(SECRET)
    yield
    redaction.forget_all()


def planted(value: Any, name: str = "") -> Any:
    """Put the secret behind every text of a reading."""
    if isinstance(value, str) and type(value) is str and name not in KEPT and value:
        return f"{value} {SECRET}"
    if isinstance(value, tuple) and not hasattr(value, "_fields"):
        return tuple(planted(item, name) for item in value)
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        changes = {
            field.name: planted(getattr(value, field.name), field.name) for field in dataclasses.fields(value) if field.init
        }
        return dataclasses.replace(value, **changes)
    return value


def world() -> tuple[Fleet, FakeClock]:
    fleet, clock = small_world()
    for _, pollers in fleet._hosts.values():
        for poller in pollers:
            answer = poller.source.answer  # type: ignore[attr-defined]
            if dataclasses.is_dataclass(answer):
                poller.source.answer = planted(answer)  # type: ignore[attr-defined]
    return fleet, clock


@pytest.mark.parametrize("name", [name for name in WAYS if name not in ("vm-xml", "vm-console", "main-filtered")])
async def test_no_screen_shows_it(name: str, opened: Opened) -> None:
    async with opened((200, 60), world=world) as pilot:
        for key in WAYS[name]:
            await pilot.press(key)
            await pilot.pause()
        await pilot.pause(0.05)
        app = pilot.app
        assert isinstance(app, DebugTui)
        picture = app.export_screenshot()
    assert SECRET not in picture
    if name in ("main", "web", "groq", "nginx", "container", "web-console"):
        assert redaction.MASK in picture, "nothing was planted here: this proves nothing"


async def test_no_copy_holds_it(opened: Opened, tmp_path: Path) -> None:
    async with opened((200, 60), world=world) as pilot:
        await pilot.press("5", "down", "y")
        await pilot.pause(0.1)
    copies = [path for path in tmp_path.rglob("*.txt") if "copies" in path.parts]
    assert copies
    assert not any(SECRET in path.read_text() for path in copies)


async def test_the_document_of_a_check_redacts_what_it_says_itself() -> None:
    fleet, _ = world()
    await fleet.read_all(full=True)
    view = fleet.view()
    assert any(source.freshness is Freshness.LIVE for host in view.hosts for source in host.sources)
    text = json.dumps(document(view, (), judge(view, ())), ensure_ascii=False)
    assert SECRET in text, "nothing was planted: this proves nothing"
    assert SECRET not in redaction.hide(text), "what is printed goes through this"
