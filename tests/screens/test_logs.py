"""The merged logs: what opens for what, how one moves in time, which logs are shown, what fails."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from pathlib import Path

import pytest
from textual.pilot import Pilot
from textual.widgets import Input

from debugtui.app import DebugTui
from debugtui.model.alerts import Alert, Severity
from debugtui.model.logs import Level, LogLine, Merged
from debugtui.model.target import Target
from debugtui.screens.logs.ask_time import TimeScreen
from debugtui.screens.logs.choose import ChooseScreen
from debugtui.screens.logs.screen import BEFORE, TAIL, LogsScreen
from debugtui.widgets.bar import Bar
from debugtui.widgets.merged_log import MergedLog
from tests.screens.conftest import Opened
from tests.screens.log_world import StillCatalogue, StillOrigin, at, world_origins
from tests.screens.snapshot import Snap
from tests.screens.test_golden import SIZES, THEMES
from tests.unit.fakes import START


def app_of(pilot: Pilot[int]) -> DebugTui:
    assert isinstance(pilot.app, DebugTui)
    return pilot.app


ALERTS = (
    Alert(Severity.CRITICAL, "locks", Target("kvm-01", "postgres", "coach/4711"), START, 118.0, 60.0, "blocks 3 for 118 s"),
    Alert(Severity.HIGH, "looping", Target("kvm-01", "docker", "coach-worker-1"), START, 14.0, 3.0, "crash loop: exit code 3"),
    Alert(Severity.MEDIUM, "disk", Target("kvm-01", "system", "/var"), START, 93.0, 90.0, "93 % of space used"),
)


def give(pilot: Pilot[int], origins: list[StillOrigin] | None = None) -> list[StillOrigin]:
    app, origins = app_of(pilot), origins if origins is not None else world_origins()
    app._catalogue = StillCatalogue(app, origins)
    app.keeper.judge = lambda view: ALERTS  # type: ignore[method-assign] # the alerts are what the test says
    app.repaint()
    return origins


def view_of(pilot: Pilot[int]) -> MergedLog:
    return pilot.app.screen.query_one(MergedLog)


def shown(pilot: Pilot[int]) -> list[str]:
    view = view_of(pilot)
    return [view.render_line(y).text.rstrip() for y in range(view.size.height)]


def bar(pilot: Pilot[int], name: str) -> str:
    return pilot.app.screen.query_one(f"#{name}", Bar).words


async def at_rest(pilot: Pilot[int], lines: int | None = None) -> None:
    """Wait until the viewer shows what was read, and as many lines as expected."""
    try:
        async with asyncio.timeout(40):
            while not rests(pilot, lines):
                await pilot.pause(0.02)
    except TimeoutError:
        raise AssertionError(f"it does not come to rest: {story(pilot)}") from None
    app_of(pilot).repaint()
    await pilot.pause()


def rests(pilot: Pilot[int], lines: int | None) -> bool:
    if not isinstance(pilot.app.screen, LogsScreen):
        return False
    view = view_of(pilot)
    still = view._timer is None and not view.scanning and view._whole
    return still and (lines is None or view.counts[1] >= lines)


def story(pilot: Pilot[int]) -> str:
    """What there is instead."""
    screen = pilot.app.screen
    if not isinstance(screen, LogsScreen):
        return f"{screen!r} is open, and {screen.focused!r} has the focus"
    view = view_of(pilot)
    flags = f"timer {view._timer}, scanning {view.scanning}, whole {view._whole}, counts {view.counts}"
    workers = [(worker.group, worker.state.name, worker.error) for worker in pilot.app.workers]
    return "\n".join([flags, str(workers), bar(pilot, "title"), bar(pilot, "origins"), *shown(pilot)])


async def open_for_container(pilot: Pilot[int]) -> None:
    await pilot.press("5", "down", "L")
    await at_rest(pilot, 12)


async def test_a_row_opens_the_logs_that_concern_it_merged_by_time_and_followed(opened: Opened) -> None:
    async with opened((120, 40)) as pilot:
        api, *_ = give(pilot)
        await open_for_container(pilot)
        assert api.asked == [{"since": None, "until": None, "tail": TAIL, "follow": True}]
        lines = [line for line in shown(pilot) if "09:2" in line and "──" not in line]
        times = [line[7:19] for line in lines]
        assert times == sorted(times)
        assert any("main access" in line and "504" in line for line in lines)
        assert any("coach log" in line and " E " in line for line in lines)
        assert view_of(pilot).follow
        api.push(at(3, "INFO  and one more"))
        app_of(pilot).clock.move(2)  # what is followed waits for slower logs
        await at_rest(pilot, 13)
        assert "and one more" in shown(pilot)[-2] or any("and one more" in line for line in shown(pilot))


async def test_an_origin_that_fails_says_so_in_the_title_and_among_the_lines_while_the_others_go_on(opened: Opened) -> None:
    async with opened((120, 40)) as pilot:
        give(pilot)
        await open_for_container(pilot)
        assert "no journal here" in bar(pilot, "title")
        assert "✖ journal" in bar(pilot, "origins")
        assert "● main access 3" in bar(pilot, "origins")
        assert any("! journal: no journal here" in line for line in shown(pilot))
        assert "clock of kvm-01 +7 s" in bar(pilot, "title")


async def test_an_alert_opens_the_logs_at_the_moment_it_began_with_a_rule_there(opened: Opened) -> None:
    async with opened((120, 40)) as pilot:
        origins = give(pilot)
        await pilot.press("4", "home", "L")
        await at_rest(pilot, 10)
        alert = ALERTS[0]
        assert origins[0].asked[0]["since"] == alert.since - BEFORE
        assert origins[0].asked[0]["tail"] is None
        view = view_of(pilot)
        assert not view.follow
        assert view.cursor_time == START + timedelta(seconds=1.5)  # the first line after it
        rules = [line for line in shown(pilot) if line.startswith(("────", "▶───"))]
        assert len(rules) == 2  # that of the alert itself, and one for all others that began then
        assert str(alert.target) in rules[0]
        assert "more" in rules[1]
        before = next(place for place, line in enumerate(shown(pilot)) if line.startswith("▶───"))
        assert "timed out" in "".join(shown(pilot)[:before])


async def test_keys_step_through_the_moments_of_alerts(opened: Opened) -> None:
    async with opened((120, 40)) as pilot:
        give(pilot)
        await open_for_container(pilot)
        await pilot.press("g", ">")
        await at_rest(pilot)
        assert view_of(pilot).cursor_time == START + timedelta(seconds=1.5)
        await pilot.press("g", "<")
        await pilot.pause()
        assert any("no alert began earlier" in str(one.message) for one in app_of(pilot)._notifications)


async def test_a_time_that_is_held_is_gone_to_and_an_earlier_one_is_read(opened: Opened) -> None:
    async with opened((120, 40)) as pilot:
        api, *_ = give(pilot)
        await open_for_container(pilot)
        await pilot.press("at")
        assert isinstance(pilot.app.screen, TimeScreen)
        await pilot.press(*"nonsense", "enter")
        assert isinstance(pilot.app.screen, TimeScreen)
        pilot.app.screen.query_one(Input).value = f"{(START - timedelta(seconds=10)).astimezone():%H:%M:%S}"
        await pilot.press("enter")
        await at_rest(pilot)
        assert "timed out" in view_of(pilot).current_text() or "lock timeout" in view_of(pilot).current_text()
        assert len(api.asked) == 1
        await pilot.press("at")
        pilot.app.screen.query_one(Input).value = "-2h"
        await pilot.press("enter")
        await at_rest(pilot)
        assert api.asked[-1]["since"] == START - timedelta(hours=2) - BEFORE


async def test_logs_are_hidden_at_once_and_others_are_read(opened: Opened) -> None:
    async with opened((120, 40)) as pilot:
        origins = world_origins()
        other = StillOrigin(Target("kvm-02", "docker", "old"), "docker", "shop", [at(-20, "INFO  from the shop")])
        give(pilot, [*origins, other])
        await open_for_container(pilot)
        await pilot.press("number_sign")
        assert isinstance(pilot.app.screen, ChooseScreen)
        await pilot.press("space", "enter")
        await at_rest(pilot)
        assert not any("pool exhausted" in line for line in shown(pilot))
        assert any("main access" in line for line in shown(pilot))
        assert "1 of 4 logs hidden" in shown(pilot)[-1]
        await pilot.press("number_sign", "a", "enter")
        await at_rest(pilot, 13)
        assert any("from the shop" in line for line in shown(pilot))
        assert any("pool exhausted" in line for line in shown(pilot))


async def test_without_a_row_all_logs_are_there_to_choose(opened: Opened) -> None:
    async with opened((120, 40)) as pilot:
        give(pilot)
        await pilot.press("6", "L")
        await pilot.pause()
        assert isinstance(pilot.app.screen, ChooseScreen)
        await pilot.press("down", "enter")
        await at_rest(pilot, 3)
        assert "1 log" in bar(pilot, "title")
        await pilot.press("escape")
        assert not isinstance(pilot.app.screen, LogsScreen)


async def test_level_filter_and_search_apply_and_notes_stay(opened: Opened) -> None:
    async with opened((120, 40)) as pilot:
        give(pilot)
        await open_for_container(pilot)
        await pilot.press("l", "l", "l")
        await at_rest(pilot)
        lines = [line for line in shown(pilot)[:-1] if line.strip() and "──" not in line]
        assert len(lines) == 7  # six errors, one of them with a line of its trace, and the note
        assert any("session.py:118" in line for line in lines)
        assert any("no journal here" in line for line in lines)
        await pilot.press("l", "slash", *"lock timeout", "enter")
        await at_rest(pilot)
        assert "lock timeout" in view_of(pilot).current_text()


async def test_what_is_copied_has_its_time_and_origin_and_no_secret(opened: Opened, tmp_path: Path) -> None:
    async with opened((120, 40)) as pilot:
        target = Target("kvm-01", "docker", "x")
        give(pilot, [StillOrigin(target, "docker", "x", [LogLine("login password=hunter2hunter2", START)])])
        await pilot.press("5", "down", "L")
        await at_rest(pilot, 1)
        await pilot.press("y")
        await pilot.pause()
        copied = next((tmp_path / "state" / "debugtui" / "copies").iterdir()).read_text()
        assert copied.startswith("2026-03-14T09:26:53.000+00:00 x login")
        assert "hunter2" not in copied


async def test_leaving_ends_what_was_read(opened: Opened) -> None:
    async with opened((120, 40)) as pilot:
        give(pilot)
        await open_for_container(pilot)
        assert any(task.get_name().startswith("log kvm-01") for task in asyncio.all_tasks())
        await pilot.press("escape")
        await pilot.pause(0.1)
        assert not any(task.get_name().startswith("log kvm-01") for task in asyncio.all_tasks())


async def test_a_fault_of_our_own_stays_on_the_screen_until_the_logs_are_read_anew(
    opened: Opened, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(view: MergedLog, part: Merged) -> None:
        raise ZeroDivisionError

    async with opened((120, 40)) as pilot:
        give(pilot)
        with monkeypatch.context() as patched:
            patched.setattr(MergedLog, "feed_merged", broken)
            await pilot.press("5", "down", "L")
            async with asyncio.timeout(40):
                while "nothing more is read: a fault of DebugTUI" not in bar(pilot, "title"):
                    await pilot.pause(0.02)
        await pilot.press("L")
        await at_rest(pilot, 12)
        assert "nothing more" not in bar(pilot, "title")


async def test_late_lines_are_marked(opened: Opened) -> None:
    async with opened((120, 40)) as pilot:
        _, _, coach, _ = give(pilot)
        await open_for_container(pilot)
        coach.push(at(-3.5, "late line", Level.INFO))
        async with asyncio.timeout(40):
            while not any("late line" in line for line in shown(pilot)):
                await pilot.pause(0.02)
        assert next(line for line in shown(pilot) if "late line" in line)[:20].endswith("~")


@pytest.mark.parametrize("name", ["logs", "logs-at-alert", "logs-chooser", "logs-time"])
async def test_screen(name: str, opened: Opened, snap: Snap) -> None:
    async with opened((120, 40)) as pilot:
        give(pilot)
        app = app_of(pilot)
        if name == "logs-at-alert":
            await pilot.press("4", "home", "L")
            await at_rest(pilot, 10)
        else:
            await open_for_container(pilot)
        if name == "logs-chooser":
            await pilot.press("number_sign")
            async with asyncio.timeout(40):
                while not isinstance(app.screen, ChooseScreen):
                    await pilot.pause(0.02)
            await pilot.press("down", "space")
        elif name == "logs-time":
            await pilot.press("at", *"25:99", "enter")
        await pilot.pause()
        for field in app.screen.query(Input):
            field.cursor_blink = False
        for size in SIZES:
            await pilot.resize_terminal(*size)
            for theme in THEMES:
                app.theme = theme
                await pilot.pause()
                app.repaint()
                await pilot.pause()
                await pilot.pause(0.05)
                snap(app, f"{name}-{size[0]}x{size[1]}-{theme[8:]}")
