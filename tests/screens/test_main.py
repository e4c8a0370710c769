"""The main screen: what an operator sees and can do there."""

from __future__ import annotations

from dataclasses import replace

import pytest
from textual.pilot import Pilot

from debugtui.app import DebugTui
from debugtui.fleet.fleet import Fleet
from debugtui.model.source import Kind, LinkState
from debugtui.screens.help import HelpScreen
from debugtui.screens.jump import JumpScreen
from debugtui.screens.main import MainScreen, target_of
from debugtui.widgets.bar import Bar
from debugtui.widgets.filter_bar import FilterBar
from debugtui.widgets.line_table import LineTable
from debugtui.widgets.pane import Pane
from tests.screens.conftest import Opened, settled
from tests.screens.world import small_world
from tests.unit.fakes import FakeClock, FakeSource


def table(pilot: Pilot[int], name: str) -> LineTable:
    return pilot.app.screen.query_one(f"#table-{name}", LineTable)


def texts(pilot: Pilot[int], name: str) -> list[str]:
    """Return the visible lines of a table as plain text."""
    one = table(pilot, name)
    return ["".join(segment.text for segment in one.render_line(y)).rstrip() for y in range(one.size.height)]


def bar(pilot: Pilot[int], name: str) -> str:
    return pilot.app.screen.query_one(f"#{name}", Bar).words


def source_of(pilot: Pilot[int], kind: Kind, host: str = "kvm-01") -> FakeSource:
    assert isinstance(pilot.app, DebugTui)
    assert pilot.app.fleet is not None
    source = pilot.app.fleet.source(host, kind)
    assert isinstance(source, FakeSource)
    return source


async def reread(pilot: Pilot[int]) -> None:
    """Read everything again and paint it."""
    app = pilot.app
    assert isinstance(app, DebugTui)
    assert app.fleet is not None
    await app.fleet.read_all(full=False)
    app.repaint()
    await pilot.pause()


async def test_every_layer_shows_what_is_wrong_with_it(opened: Opened) -> None:
    async with opened((160, 48)) as pilot:
        assert any("✖ kvm-03" in line and "lost" in line for line in texts(pilot, "hosts"))
        assert any("db-01" in line and "paused!" in line for line in texts(pilot, "vms"))
        assert any("worker-1" in line and "looping!" in line and "exit 3" in line for line in texts(pilot, "containers"))
        assert any("4711 coach" in line and "idle in trans" in line for line in texts(pilot, "locks"))
        assert any("└ 4741" in line for line in texts(pilot, "locks"))
        assert any(line.lstrip().startswith("C ") for line in texts(pilot, "alerts"))
        assert "3 hosts" in bar(pilot, "header")
        assert "6 VMs" in bar(pilot, "header")


async def test_what_cannot_be_read_says_why_and_how_to_mend_it(opened: Opened) -> None:
    async with opened((200, 60)) as pilot:
        await pilot.press("2")
        lines = "\n".join(texts(pilot, "containers"))
        assert "✖ kvm-02: permission denied on /var/run/docker.sock" in lines
        assert "add ops to the group docker" in lines


async def test_groq_and_web_say_that_they_are_not_configured(opened: Opened) -> None:
    def bare() -> tuple[Fleet, FakeClock]:
        fleet, clock = small_world()
        fleet.keep(lambda source: source.kind in (Kind.SYSTEM, Kind.DOCKER))
        return fleet, clock

    async with opened(world=bare) as pilot:
        for name in ("groq", "web"):
            table = pilot.app.screen.query_one(f"#table-{name}", LineTable)
            assert table.empty_text == "not configured"


@pytest.mark.parametrize(
    ("key", "focused"),
    [
        ("1", "table-hosts"),
        ("2", "table-vms"),
        ("3", "table-locks"),
        ("4", "table-alerts"),
        ("5", "table-containers"),
        ("6", "table-groq"),
        ("7", "table-web"),
    ],
)
async def test_a_number_goes_to_its_pane(opened: Opened, key: str, focused: str) -> None:
    async with opened() as pilot:
        await pilot.press(key)
        assert pilot.app.focused is not None
        assert pilot.app.focused.id == focused


async def test_zoom_gives_the_whole_screen_to_a_pane_and_back(opened: Opened) -> None:
    async with opened() as pilot:
        await pilot.press("5", "z")
        await pilot.pause()
        pane = pilot.app.screen.query_one("#pane-containers", Pane)
        assert pane.size.width > 110
        assert pilot.app.screen.query_one("#pane-hosts", Pane).size.width == 0
        await pilot.press("2")
        await pilot.pause()
        assert pilot.app.screen.query_one("#pane-vms", Pane).size.width > 110
        await pilot.press("z")
        await pilot.pause()
        assert pilot.app.screen.query_one("#pane-hosts", Pane).size.width > 0


async def test_a_zoomed_pane_lets_hidden_sources_rest(opened: Opened) -> None:
    async with opened() as pilot:
        assert isinstance(pilot.app, DebugTui)
        assert pilot.app.fleet is not None
        await pilot.press("5", "z")
        by_kind = {status.kind: status.interval_s for status in pilot.app.fleet.statuses() if status.host == "kvm-01"}
        assert by_kind[Kind.LIBVIRT] == 5 * by_kind[Kind.DOCKER]


async def test_one_host_can_be_shown_alone(opened: Opened) -> None:
    async with opened() as pilot:
        await pilot.press("down", "h")
        await pilot.pause()
        assert "only kvm-02" in bar(pilot, "header")
        lines = "\n".join(texts(pilot, "vms"))
        assert "shop-01" in lines
        assert "web-01" not in lines
        await pilot.press("right_square_bracket")
        assert "only kvm-03" in bar(pilot, "header")
        await pilot.press("right_square_bracket")
        assert "only" not in bar(pilot, "header")
        await pilot.press("left_square_bracket")
        assert "only kvm-03" in bar(pilot, "header")


async def test_the_filter_hides_other_rows_and_says_so(opened: Opened) -> None:
    async with opened() as pilot:
        await pilot.press("5", "slash", *"worker")
        await pilot.pause()
        assert table(pilot, "containers").counts == (1, 5)
        await pilot.press("enter")
        await pilot.pause()
        assert not pilot.app.screen.query_one(FilterBar).display
        assert pilot.app.focused is table(pilot, "containers")
        await pilot.press("slash", "escape")
        await pilot.pause()
        assert table(pilot, "containers").counts == (5, 5)


async def test_pause_freezes_the_tables_while_header_and_clock_live_on(opened: Opened) -> None:
    async with opened() as pilot:
        await pilot.press("P")
        assert "PAUSED" in bar(pilot, "header")
        source = source_of(pilot, Kind.LIBVIRT)
        before = texts(pilot, "vms")
        source.answer = replace(source.answer, vms=())
        app = pilot.app
        assert isinstance(app, DebugTui)
        app.clock.move(61)  # type: ignore[attr-defined]
        await reread(pilot)
        assert texts(pilot, "vms") == before
        assert "09:27:54" in bar(pilot, "header")
        await pilot.press("P")
        await pilot.pause()
        assert texts(pilot, "vms") != before


async def test_the_cursor_stays_on_its_row_when_rows_move(opened: Opened) -> None:
    async with opened() as pilot:
        await pilot.press("2", "down", "down")
        key = table(pilot, "vms").cursor_key
        source = source_of(pilot, Kind.LIBVIRT)
        source.answer = replace(source.answer, vms=tuple(reversed(source.answer.vms)))
        await reread(pilot)
        assert table(pilot, "vms").cursor_key == key


async def test_jump_mode_goes_to_the_lettered_pane(opened: Opened) -> None:
    async with opened() as pilot:
        await pilot.press("o")
        await pilot.pause()
        assert isinstance(pilot.app.screen, JumpScreen)
        await pilot.press("d")
        await pilot.pause()
        assert pilot.app.focused is table(pilot, "locks")
        await pilot.press("o", "escape")
        await pilot.pause()
        assert isinstance(pilot.app.screen, MainScreen)


async def test_help_explains_the_keys_of_this_screen(opened: Opened) -> None:
    async with opened((120, 60)) as pilot:
        await pilot.press("question_mark")
        await pilot.pause()
        assert isinstance(pilot.app.screen, HelpScreen)
        text = str(pilot.app.screen.query_one("HelpScreen Static").render())
        assert "Give the whole screen to the pane" in text
        assert "Move the cursor up" in text
        await pilot.press("escape")
        await pilot.pause()
        assert isinstance(pilot.app.screen, MainScreen)


async def test_the_palette_opens_a_target_by_name(opened: Opened) -> None:
    async with opened() as pilot:
        await pilot.press("ctrl+p")
        await pilot.pause()
        await pilot.press(*"coach-worker")
        await pilot.pause(0.5)
        await pilot.press("enter")
        await pilot.pause(0.5)
        assert pilot.app.screen.query_one("#title", Bar).words.strip().startswith("kvm-01/docker/coach-worker-1")


async def test_the_palette_runs_an_action(opened: Opened) -> None:
    async with opened() as pilot:
        await pilot.press("ctrl+p")
        await pilot.pause()
        await pilot.press(*"freeze")
        await pilot.pause(0.5)
        await pilot.press("enter")
        await pilot.pause(0.3)
        assert "PAUSED" in bar(pilot, "header")


async def test_the_refresh_can_be_changed_within_bounds(opened: Opened) -> None:
    async with opened() as pilot:
        await pilot.press("minus")
        assert "every 4 s" in bar(pilot, "header")
        await pilot.press(*["plus"] * 6)
        assert "every 0.5 s" in bar(pilot, "header")


async def test_copy_always_writes_a_file(opened: Opened, tmp_path) -> None:
    async with opened() as pilot:
        await pilot.press("2", "down", "y")
        await pilot.pause()
        files = list((tmp_path / "state").rglob("*.txt"))
        assert len(files) == 1
        assert "web-01" in files[0].read_text(encoding="utf-8")
        assert files[0].stat().st_mode & 0o077 == 0


async def test_a_lost_link_fades_its_rows_and_healing_brings_them_back(opened: Opened) -> None:
    async with opened() as pilot:
        app = pilot.app
        assert isinstance(app, DebugTui)
        assert app.fleet is not None
        link = app.fleet.links[0]
        link.become(LinkState.LOST)  # type: ignore[attr-defined]
        app.clock.move(30)  # type: ignore[attr-defined]
        app.repaint()
        await pilot.pause()
        status, tone = app.screen.query_one("#pane-locks", Pane).status
        assert (status, tone) == ("lost 00:30", "bad")
        assert any("4711" in line for line in texts(pilot, "locks"))
        link.become(LinkState.UP)  # type: ignore[attr-defined]
        await reread(pilot)
        assert app.screen.query_one("#pane-locks", Pane).status[0] == "live"


async def test_a_tiny_terminal_survives(opened: Opened) -> None:
    async with opened((120, 40)) as pilot:
        for size in ((20, 5), (1, 1), (300, 100), (80, 24)):
            await pilot.resize_terminal(*size)
            await pilot.pause()
        await settled(pilot)
        assert any("kvm-01" in line for line in texts(pilot, "hosts"))


async def test_an_empty_configuration_says_so(opened: Opened) -> None:
    def nobody():
        fleet, clock = small_world()
        return type(fleet)([], clock=clock), clock

    async with opened(world=nobody) as pilot:
        assert "0 hosts" in bar(pilot, "header")


@pytest.mark.parametrize(
    ("name", "key", "target"),
    [
        ("table-hosts", "kvm-01", "kvm-01/system"),
        ("table-vms", "kvm-01/libvirt/web/01", "kvm-01/libvirt/web/01"),
        ("table-vms", "host:kvm-01", "kvm-01/system"),
        ("table-containers", "project:kvm-01/coach", "kvm-01/system"),
        ("table-containers", "problem:kvm-02/docker", "kvm-02/system"),
        ("table-locks", "kvm-01/postgres/coach/4711@3", "kvm-01/postgres/coach/4711"),
        ("table-alerts", "lock_chain kvm-01/postgres/coach/4711", "kvm-01/postgres/coach/4711"),
    ],
)
def test_a_row_leads_to_its_target(name: str, key: str, target: str) -> None:
    assert str(target_of(name, key)) == target
