"""The alerts screen and pane 4: what an operator sees of alerts, says of them, and cannot do by accident."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import replace
from pathlib import Path

import pytest
from textual.pilot import Pilot
from textual.widgets import Input, Static

from debugtui.alerts.keeper import AlertKeeper
from debugtui.app import DebugTui
from debugtui.model.source import Kind, LinkState, Problem
from debugtui.model.target import Target
from debugtui.screens.alerts import flow
from debugtui.screens.alerts.dialogs import AcknowledgeScreen, EndSilenceScreen, SilenceScreen
from debugtui.screens.alerts.places import tab_of
from debugtui.screens.alerts.screen import AlertsScreen
from debugtui.screens.details.container import ContainerScreen
from debugtui.screens.details.host import HostScreen
from debugtui.screens.details.postgres import PostgresScreen
from debugtui.screens.details.web import WebScreen
from debugtui.screens.main import MainScreen
from debugtui.storage.audit import AuditLog
from debugtui.widgets.facts import Facts
from debugtui.widgets.line_table import LineTable
from debugtui.widgets.pane import Pane
from tests.screens.conftest import settled, still
from tests.screens.snapshot import Snap
from tests.screens.test_main import bar, reread, source_of, texts
from tests.screens.world import small_world

Opened = Callable[..., AbstractAsyncContextManager[Pilot[int]]]
SIZES = ((80, 24), (120, 40), (200, 60))


@pytest.fixture
def state(tmp_path: Path) -> Path:
    folder = tmp_path / "memory"
    folder.mkdir()
    return folder


@pytest.fixture
def opened(state: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Opened:
    """The small world, with a memory of alerts."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.setattr(flow, "who", lambda: "ops")
    monkeypatch.setattr("debugtui.alerts.keeper.secrets.token_hex", lambda _: "0badcafe")

    @asynccontextmanager
    async def open_(size: tuple[int, int] = (120, 40)) -> AsyncIterator[Pilot[int]]:
        fleet, clock = small_world()
        app = DebugTui(fleet=fleet, clock=clock, state=state)
        async with app.run_test(size=size, notifications=True) as pilot:
            await settled(pilot)
            await still(pilot)
            yield pilot

    return open_


def app_of(pilot: Pilot[int]) -> DebugTui:
    assert isinstance(pilot.app, DebugTui)
    return pilot.app


def keeper_of(pilot: Pilot[int]) -> AlertKeeper:
    return app_of(pilot).keeper


async def press(pilot: Pilot[int], *keys: str) -> None:
    for key in keys:
        await pilot.press(key)
        await pilot.pause()


async def until(pilot: Pilot[int], true: Callable[[], bool]) -> None:
    """Wait for what threads do."""
    for _ in range(500):
        if true():
            return
        await pilot.pause(0.01)
    raise AssertionError("it did not happen")


async def on_alert(pilot: Pilot[int], rule: str) -> None:
    """Put the cursor of the alerts screen on the first alert of a rule."""
    await press(pilot, "A")
    table = pilot.app.screen.query_one("#table-open", LineTable)
    key = next(alert for alert in app_of(pilot).alerts if alert.rule == rule)
    assert table.move_to(f"{key.rule} {key.target}")
    await pilot.pause()


def lines(pilot: Pilot[int], name: str) -> str:
    return "\n".join(texts(pilot, name))


def lines_of(pilot: Pilot[int], name: str) -> str:
    one = pilot.app.screen.query_one(f"#{name}", Facts)
    return "\n".join("".join(segment.text for segment in one.render_line(y)).rstrip() for y in range(one.size.height))


def typed(text: str) -> list[str]:
    return ["space" if letter == " " else letter for letter in text]


async def acknowledge(pilot: Pilot[int], note: str) -> None:
    await press(pilot, "a")
    assert isinstance(pilot.app.screen, AcknowledgeScreen)
    await press(pilot, *typed(note), "enter")
    await until(pilot, lambda: not isinstance(pilot.app.screen, AcknowledgeScreen))


async def silence(pilot: Pilot[int], reason: str) -> None:
    await press(pilot, "x")
    assert isinstance(pilot.app.screen, SilenceScreen)
    await press(pilot, *typed(reason), "enter")
    await until(pilot, lambda: not isinstance(pilot.app.screen, SilenceScreen))


# The way from an alert to its reading


@pytest.mark.parametrize(
    ("rule", "screen", "tab"),
    [
        ("disk", HostScreen, "filesystems"),
        ("lock_chain", PostgresScreen, "locks"),
        ("index_invalid", PostgresScreen, "indexes"),
        ("crash_loop", ContainerScreen, "state"),
        ("js_exception", WebScreen, "console"),
    ],
)
async def test_enter_opens_the_reading_that_raised_the_alert(opened: Opened, rule: str, screen: type, tab: str) -> None:
    async with opened() as pilot:
        await on_alert(pilot, rule)
        await press(pilot, "enter")
        found = pilot.app.screen
        assert isinstance(found, screen)
        assert found.tab == tab  # type: ignore[attr-defined]
        await press(pilot, "escape")
        assert isinstance(pilot.app.screen, AlertsScreen)
        await press(pilot, "escape")
        assert isinstance(pilot.app.screen, MainScreen)


async def test_enter_in_pane_four_opens_the_same_tab(opened: Opened) -> None:
    async with opened() as pilot:
        await press(pilot, "4")
        table = pilot.app.screen.query_one("#table-alerts", LineTable)
        assert table.move_to("index_invalid kvm-01/postgres/coach")
        await press(pilot, "enter")
        assert isinstance(pilot.app.screen, PostgresScreen)
        assert pilot.app.screen.tab == "indexes"


async def test_a_session_is_found_in_the_tab_that_its_alert_is_about(opened: Opened) -> None:
    async with opened() as pilot:
        app_of(pilot).open_target(Target("kvm-01", "postgres", "coach/4733"), tab_of("long_query", "postgres"))
        await pilot.pause(0.2)
        assert isinstance(pilot.app.screen, PostgresScreen)
        assert pilot.app.screen.tab == "activity"
        assert pilot.app.screen.query_one("#table-activity", LineTable).cursor_key == "4733"


# Acknowledge


async def test_an_acknowledged_alert_says_who_and_what_in_a_glyph_and_words(opened: Opened, state: Path) -> None:
    async with opened((160, 40)) as pilot:
        await on_alert(pilot, "crash_loop")
        await acknowledge(pilot, "on it")
        await until(pilot, lambda: "✓ ops: on it" in lines(pilot, "open"))
        assert "1 ✓ acknowledged" in bar(pilot, "title")
        await press(pilot, "escape")
        app_of(pilot).repaint()
        assert "✓ ack coach-worker-1" in lines(pilot, "alerts")
        (entry,) = AuditLog(state / "audit.jsonl").entries()
        assert entry.event == "alert-acknowledged"


async def test_an_acknowledged_alert_that_gets_worse_speaks_up_again(opened: Opened) -> None:
    async with opened((160, 40)) as pilot:
        await on_alert(pilot, "disk")
        await acknowledge(pilot, "room")
        await until(pilot, lambda: "✓ ops: room" in lines(pilot, "open"))
        for host in ("kvm-01", "kvm-02"):
            source = source_of(pilot, Kind.SYSTEM, host)
            fuller = tuple(replace(one, used_percent=max(one.used_percent, 98.0)) for one in source.answer.filesystems)
            source.answer = replace(source.answer, filesystems=fuller)
        await reread(pilot)
        assert "✓ ops" not in lines(pilot, "open")


async def test_without_a_note_nothing_is_acknowledged_and_escape_means_no(opened: Opened) -> None:
    async with opened() as pilot:
        await on_alert(pilot, "crash_loop")
        await press(pilot, "a", "enter")
        assert isinstance(pilot.app.screen, AcknowledgeScreen)
        assert "a note is needed" in str(pilot.app.screen.query_one("#says", Static).render())
        await press(pilot, "escape")
        assert isinstance(pilot.app.screen, AlertsScreen)
        assert all(alert.acknowledged is None for alert in app_of(pilot).alerts)


async def test_the_keys_of_alerts_mean_nothing_elsewhere(opened: Opened) -> None:
    async with opened() as pilot:
        for pane in ("1", "2", "3", "5"):
            await press(pilot, pane, "a", "x")
            assert isinstance(pilot.app.screen, MainScreen)
        await press(pilot, "4", "a")
        assert isinstance(pilot.app.screen, AcknowledgeScreen)
        await press(pilot, "escape", "x")
        assert isinstance(pilot.app.screen, SilenceScreen)


# Silence


async def test_a_silenced_alert_leaves_the_pane_and_is_counted_on_its_border(opened: Opened, state: Path) -> None:
    async with opened((160, 40)) as pilot:
        await on_alert(pilot, "crash_loop")
        before = len(app_of(pilot).alerts)
        await silence(pilot, "deploy")
        await until(pilot, lambda: any(alert.silence for alert in app_of(pilot).alerts))
        assert f"{before - 1} open" in bar(pilot, "title")
        assert "1 ◌ silenced" in bar(pilot, "title")
        await press(pilot, "escape")
        app_of(pilot).repaint()
        await pilot.pause()
        assert "crash loop" not in lines(pilot, "alerts")
        assert pilot.app.screen.query_one("#pane-alerts", Pane).status[0].endswith("1 silenced")
        (entry,) = AuditLog(state / "audit.jsonl").entries()
        assert entry.event == "alert-silenced"


async def test_a_silence_is_ended_on_its_tab_after_a_question_whose_answer_is_no(opened: Opened) -> None:
    async with opened((160, 40)) as pilot:
        await on_alert(pilot, "crash_loop")
        await silence(pilot, "deploy")
        await until(pilot, lambda: any(alert.silence for alert in app_of(pilot).alerts))
        await press(pilot, "2")
        assert "crash_loop on kvm-01/docker/coach-worker-1" in lines(pilot, "silenced")
        await press(pilot, "x")
        assert isinstance(pilot.app.screen, EndSilenceScreen)
        await press(pilot, "enter")
        assert isinstance(pilot.app.screen, AlertsScreen)
        assert any(alert.silence for alert in app_of(pilot).alerts)
        await press(pilot, "x", "tab", "enter")
        await until(pilot, lambda: not any(alert.silence for alert in app_of(pilot).alerts))


async def test_a_silence_says_what_is_missing_and_how_much_it_covers(opened: Opened) -> None:
    async with opened() as pilot:
        await on_alert(pilot, "crash_loop")
        await press(pilot, "x")
        screen = pilot.app.screen
        assert isinstance(screen, SilenceScreen)

        def words(name: str) -> str:
            return str(screen.query_one(f"#{name}", Static).render())

        assert words("covers") == "covers 1 alert now; silenced ones are still counted"
        screen.query_one("#rule", Input).value = "*"
        screen.query_one("#target", Input).value = "kvm-01/*"
        await pilot.pause()
        covered = sum(alert.target.host == "kvm-01" for alert in app_of(pilot).alerts)
        assert words("covers") == f"covers {covered} alerts now; silenced ones are still counted"
        await press(pilot, "enter")
        assert words("says") == "reason: is needed"
        screen.query_one("#reason", Input).value = "x"
        screen.query_one("#for", Input).value = "31d"
        await press(pilot, "enter")
        assert words("says").startswith("for: a duration")
        await press(pilot, "escape")
        assert not any(alert.silence for alert in app_of(pilot).alerts)


# Memory


async def test_what_ended_is_told_for_a_day_and_remembered_over_a_restart(opened: Opened) -> None:
    async with opened((160, 40)) as pilot:
        source = source_of(pilot, Kind.DOCKER)
        source.answer = replace(source.answer, containers=source.answer.containers[:1])
        app_of(pilot).clock.move(90)  # type: ignore[attr-defined]
        await reread(pilot)
        await press(pilot, "A", "3")
        assert "crash loop" in lines(pilot, "recent")
    async with opened((160, 40)) as pilot:
        await press(pilot, "A", "3")
        assert "crash loop" in lines(pilot, "recent")


async def test_a_lost_host_keeps_its_alerts_as_unknown(opened: Opened) -> None:
    async with opened((160, 40)) as pilot:
        app = app_of(pilot)
        assert app.fleet is not None
        app.fleet.link("kvm-01").become(LinkState.LOST, Problem("kvm-01 does not answer"), app.clock.now())  # type: ignore[attr-defined]
        app.repaint()
        await press(pilot, "A")
        assert "? unknown for" in lines(pilot, "open")
        assert "? unknown" in bar(pilot, "title")


async def test_without_a_memory_it_says_so(opened: Opened, state: Path) -> None:
    (state / "alerts.db").mkdir()
    async with opened((160, 40)) as pilot:
        await press(pilot, "A")
        assert "not remembered after this run" in bar(pilot, "title")
        await on_alert(pilot, "crash_loop")
        await acknowledge(pilot, "x")
        assert all(alert.acknowledged is None for alert in app_of(pilot).alerts)


async def test_below_the_table_stands_all_that_is_known_of_the_row(opened: Opened) -> None:
    async with opened((80, 24)) as pilot:
        await on_alert(pilot, "nginx_5xx")
        facts = lines_of(pilot, "facts-open")
        assert "3.1 % of the requests are answered with 5xx, the newest:" in facts
        assert "nginx_5xx: Requests fail" in facts
        assert "critical > 10 %, high > 1 %" in facts
        await press(pilot, "4", "down", "down")
        assert "> 70 % for 5m; ends: 65 %" in lines_of(pilot, "facts-rules")


async def test_the_last_values_of_an_alert_are_drawn(opened: Opened) -> None:
    async with opened((120, 40)) as pilot:
        await on_alert(pilot, "disk")
        for percent in (94.0, 96.5, 95.0):
            app_of(pilot).clock.move(20)  # type: ignore[attr-defined]
            source = source_of(pilot, Kind.SYSTEM)
            fuller = tuple(replace(one, used_percent=percent) for one in source.answer.filesystems)
            source.answer = replace(source.answer, filesystems=fuller)
            await reread(pilot)
        await until(pilot, lambda: "93 to 96.5" in lines_of(pilot, "facts-open"))


async def test_the_rules_are_listed_and_enter_on_one_does_nothing(opened: Opened) -> None:
    async with opened((200, 60)) as pilot:
        await press(pilot, "A", "4")
        assert "> 70 %" in lines(pilot, "rules")
        await press(pilot, "enter", "a", "x")
        assert isinstance(pilot.app.screen, AlertsScreen)


# Pictures


async def pictures(pilot: Pilot[int], snap: Snap, name: str) -> None:
    app = app_of(pilot)
    for field in app.screen.query(Input):
        field.cursor_blink = False
    app.clear_notifications()
    for size in SIZES:
        await pilot.resize_terminal(*size)
        await pilot.pause()
        app.repaint()
        await pilot.pause()
        await pilot.pause(0.02)
        snap(app, f"{name}-{size[0]}x{size[1]}")


async def varied(pilot: Pilot[int]) -> None:
    """One alert acknowledged, some silenced, one ended, one unknown."""
    app = app_of(pilot)
    app.clock.move(60)  # type: ignore[attr-defined]
    await on_alert(pilot, "crash_loop")
    await acknowledge(pilot, "rolling back")
    await on_alert_here(pilot, "index_invalid")
    await silence(pilot, "being rebuilt")
    await until(pilot, lambda: any(alert.silence for alert in app.alerts))
    source = source_of(pilot, Kind.LIBVIRT)
    source.answer = replace(source.answer, vms=tuple(one for one in source.answer.vms if one.name != "db-01"))
    await reread(pilot)
    app.clear_notifications()
    await pilot.pause()


async def on_alert_here(pilot: Pilot[int], rule: str) -> None:
    await press(pilot, "escape")
    await on_alert(pilot, rule)


@pytest.mark.parametrize(("name", "key"), [("open", "1"), ("silenced", "2"), ("recent", "3"), ("rules", "4")])
async def test_each_tab(opened: Opened, snap: Snap, name: str, key: str) -> None:
    async with opened() as pilot:
        await varied(pilot)
        await press(pilot, key)
        await pictures(pilot, snap, name)


async def test_the_question_before_an_acknowledgement(opened: Opened, snap: Snap) -> None:
    async with opened() as pilot:
        await on_alert(pilot, "crash_loop")
        await press(pilot, "a", *"rolling")
        await pictures(pilot, snap, "acknowledge")


async def test_the_question_before_a_silence(opened: Opened, snap: Snap) -> None:
    async with opened() as pilot:
        await on_alert(pilot, "crash_loop")
        await press(pilot, "x", *"deploy")
        await pictures(pilot, snap, "silence")


async def test_the_question_before_the_end_of_a_silence(opened: Opened, snap: Snap) -> None:
    async with opened() as pilot:
        await varied(pilot)
        await press(pilot, "2", "x")
        await pictures(pilot, snap, "end")


async def test_without_colour_everything_still_shows(opened: Opened, snap: Snap) -> None:
    async with opened() as pilot:
        await varied(pilot)
        pilot.app.theme = "rampart-mono"
        await press(pilot, "1")
        app_of(pilot).clear_notifications()
        app_of(pilot).repaint()
        await pilot.pause()
        await pilot.pause(0.02)
        snap(pilot, "open-120x40-mono")
