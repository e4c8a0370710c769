"""The topology's screen: the tree, the services, what is not placed."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator

import pytest
from textual.pilot import Pilot

from debugtui.app import DebugTui
from debugtui.screens.details.container import ContainerScreen
from debugtui.screens.details.host import HostScreen
from debugtui.screens.details.nginx import NginxScreen
from debugtui.screens.topology.screen import TopologyScreen
from tests.screens.conftest import Opened
from tests.screens.snapshot import Snap
from tests.screens.test_golden import SIZES
from tests.screens.topology_world import CONFIG, topology_world


@contextlib.asynccontextmanager
async def shown(
    opened: Opened, *keys: str, size: tuple[int, int] = (120, 40)
) -> AsyncIterator[tuple[Pilot[int], TopologyScreen]]:
    async with opened(size, world=topology_world) as pilot:
        app = pilot.app
        assert isinstance(app, DebugTui)
        app._config = CONFIG
        await pilot.press("T")
        async with asyncio.timeout(10):
            while not isinstance(app.screen, TopologyScreen) or app.screen._found is None:
                await pilot.pause(0.01)
        screen = app.screen
        await pilot.press(*keys)
        await pilot.pause()
        yield pilot, screen


def things(screen: TopologyScreen) -> list[str]:
    return [row.cells[0].text.strip("▾▸ ↑") for row in screen.table(screen.tab).shown_rows]


async def move_to(pilot: Pilot[int], screen: TopologyScreen, thing: str) -> None:
    table = screen.table(screen.tab)
    key = next(row.key for row in table.shown_rows if row.cells[0].text.strip("▾▸ ↑") == thing)
    assert table.move_to(key)
    await pilot.pause()


@pytest.mark.parametrize(("name", "keys"), [("topology", ()), ("topology-services", ("2",)), ("topology-rest", ("3",))])
async def test_screen(name: str, keys: tuple[str, ...], opened: Opened, snap: Snap) -> None:
    async with shown(opened, *keys) as (pilot, _):
        for size in SIZES:
            await pilot.resize_terminal(*size)
            await pilot.pause(0.05)
            snap(pilot, f"{name}-{size[0]}x{size[1]}")


async def test_routes_come_first_and_each_thing_is_shown_in_full_once(opened: Opened) -> None:
    async with shown(opened) as (_, screen):
        found = things(screen)
        assert found[0] == "shop-01/web/admin"
        assert found.index("shop-01/web/front") < found.index("shop-01/docker/old-import")
        rows = screen.table("tree").shown_rows
        again = [row for row in rows if row.cells[0].text.endswith("↑")]
        assert again
        assert all(row.cells[3].text == "see above" for row in again)


async def test_a_thing_is_folded_and_found_again_by_a_filter(opened: Opened) -> None:
    async with shown(opened) as (pilot, screen):
        assert "shop-01/redis/jobs" in things(screen)
        await move_to(pilot, screen, "shop-01/web/front")
        await pilot.press("space")
        await pilot.pause()
        await pilot.pause()
        assert "shop-01/redis/jobs" not in things(screen)
        assert "▸ shop-01/web/front" in [row.cells[0].text for row in screen.table("tree").shown_rows]
        await pilot.press("slash", *"redis", "enter")
        await pilot.pause()
        assert "shop-01/redis/jobs" in things(screen)


@pytest.mark.parametrize(
    ("thing", "screen_type"),
    [
        ("shop-01/docker/shop-api-1", ContainerScreen),
        ("shop-01/nginx/main/api", NginxScreen),
        ("kvm-07/libvirt/pool/fast", HostScreen),
        ("kvm-07/system//vms", HostScreen),
    ],
)
async def test_enter_opens_a_thing(thing: str, screen_type: type, opened: Opened) -> None:
    async with shown(opened) as (pilot, screen):
        await move_to(pilot, screen, thing)
        await pilot.press("enter")
        await pilot.pause()
        assert isinstance(pilot.app.screen, screen_type)
        await pilot.press("escape")
        await pilot.pause()
        assert pilot.app.screen is screen


async def test_of_what_is_outside_nothing_more_is_known(opened: Opened) -> None:
    async with shown(opened) as (pilot, screen):
        await move_to(pilot, screen, "external/address/10.8.0.9:8200")
        await pilot.press("enter")
        await pilot.pause()
        assert pilot.app.screen is screen


async def test_a_repair_is_planned_for_the_thing_under_the_cursor(opened: Opened) -> None:
    async with shown(opened) as (pilot, screen):
        await move_to(pilot, screen, "shop-01/docker/shop-worker-1")
        assert str(screen.repair_target()) == "shop-01/docker/shop-worker-1"


async def test_services_fold_and_their_labels_are_plain_text(opened: Opened) -> None:
    async with shown(opened, "2") as (pilot, screen):
        await move_to(pilot, screen, "back office")
        assert screen.table("services").cursor_row.cells[2].text == "[@click=app.quit]Team Ops[/]"
        assert "shop-01/docker/admin" in things(screen)
        await pilot.press("enter")
        await pilot.pause()
        assert "shop-01/docker/admin" not in things(screen)
        assert pilot.app.is_running


async def test_escape_goes_back_to_the_fleet(opened: Opened) -> None:
    async with shown(opened) as (pilot, screen):
        await pilot.press("escape")
        await pilot.pause()
        assert pilot.app.screen is not screen
