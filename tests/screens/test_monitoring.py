"""The monitoring screen, driven by keys; and as pictures."""

from __future__ import annotations

import pytest
from textual.pilot import Pilot
from textual.widgets import Input

from debugtui.app import DebugTui
from debugtui.model.source import Kind
from debugtui.model.target import Target
from debugtui.screens.details.monitoring import MonitoringScreen
from debugtui.widgets.bar import Bar
from debugtui.widgets.line_table import LineTable
from debugtui.widgets.table_rows import cell_of
from tests.screens.conftest import Opened
from tests.screens.monitoring_world import FakePrometheus, monitoring_world
from tests.screens.snapshot import Snap

SIZES = ((80, 24), (120, 40), (200, 60))
TABS = ("targets", "alerts", "rules", "silences", "query", "loki", "grafana", "servers")


def screen_of(pilot: Pilot[int]) -> MonitoringScreen:
    assert isinstance(pilot.app.screen, MonitoringScreen)
    return pilot.app.screen


def texts(table: LineTable, column: str) -> list[str]:
    at = next(index for index, one in enumerate(table.columns) if one.id == column)
    return [cell_of(row, at, table.columns[at]).text for row in table.shown_rows if not row.heading]


async def opened_at(pilot: Pilot[int], tab: str) -> MonitoringScreen:
    await pilot.press("M")
    await pilot.pause()
    await pilot.press(str(TABS.index(tab) + 1))
    await pilot.pause()
    return screen_of(pilot)


@pytest.mark.parametrize("tab", TABS)
async def test_every_tab_as_a_picture(tab: str, opened: Opened, snap: Snap) -> None:
    async with opened((120, 40), world=monitoring_world) as pilot:
        screen = await opened_at(pilot, tab)
        if tab == "query":
            await ask(pilot, "load")
        for field in screen.query(Input):
            field.cursor_blink = False
        for size in SIZES:
            await pilot.resize_terminal(*size)
            for theme in ("rampart-dark", "rampart-light") if tab == "targets" else ("rampart-dark",):
                pilot.app.theme = theme
                await pilot.pause()
                assert isinstance(pilot.app, DebugTui)
                pilot.app.repaint()
                await pilot.pause()
                await pilot.pause(0.02)
                snap(pilot, f"{tab}-{size[0]}x{size[1]}-{theme[8:]}")


async def ask(pilot: Pilot[int], expr: str) -> None:
    screen = screen_of(pilot)
    screen.query_one("#query-input", Input).value = expr
    await pilot.press("enter")
    await pilot.app.workers.wait_for_complete([worker for worker in pilot.app.workers if worker.name == "query"])
    await pilot.pause()


async def test_targets_of_every_server_stand_below_its_name_and_a_lost_one_says_why(opened: Opened) -> None:
    async with opened(world=monitoring_world) as pilot:
        table = (await opened_at(pilot, "targets")).table("targets")
        assert texts(table, "health") == ["down", "unknown", "up", "up", "up", "up"]
        headings = [row.cells[0].text for row in table.shown_rows if row.heading]
        assert headings[0] == "kvm-01/prometheus/prom  2.42.0  4 up, 1 down, 1 unknown  live"
        assert headings[1] == "monitoring/prometheus/far  lost"
        assert "does not answer /api/v1/query within 10 s" in headings[2]


async def test_tables_filter_and_sort_as_everywhere(opened: Opened) -> None:
    async with opened((200, 60), world=monitoring_world) as pilot:
        table = (await opened_at(pilot, "targets")).table("targets")
        await pilot.press("slash", *"node", "enter", "s", "s", "s")
        await pilot.pause()
        assert texts(table, "job") == ["node", "node", "node"]
        assert table.sorting[0] is not None


async def test_an_alert_that_two_servers_tell_stands_once_with_who_silenced_it(opened: Opened) -> None:
    async with opened(world=monitoring_world) as pilot:
        table = (await opened_at(pilot, "alerts")).table("alerts")
        assert list(zip(texts(table, "state"), texts(table, "name"), strict=True)) == [
            ("active", "DiskAlmostFull"),
            ("silenced", "TargetDown"),
            ("pending", "Load"),
        ]


@pytest.mark.parametrize(
    ("target", "tab", "key"),
    [
        ("kvm-01/prometheus/prom/node/10.0.0.13:9100", "targets", "kvm-01/prometheus/prom/node/10.0.0.13:9100"),
        ("kvm-01/prometheus/prom/node", "targets", "kvm-01/prometheus/prom/node/10.0.0.13:9100"),
        ("kvm-01/prometheus/prom/coach/ApiErrors", "rules", "kvm-01/prometheus/prom/coach/ApiErrors"),
        ("kvm-01/prometheus/prom/Load/10.0.0.12:9100", "alerts", "kvm-01/prometheus/prom/Load/10.0.0.12:9100"),
        ("kvm-01/alertmanager/am/DiskAlmostFull/10.0.0.11:9100", "alerts", None),
        ("kvm-01/alertmanager/am/webhook", "servers", "kvm-01/alertmanager/am/webhook"),
        ("kvm-01/prometheus/prom", "servers", "server:kvm-01/prometheus/prom"),
        ("monitoring/grafana/boards/Coach database", "grafana", "monitoring/grafana/boards/Coach database"),
        ("monitoring/loki/logs", "servers", "server:monitoring/loki/logs"),
        ("monitoring/prometheus/far/gone/x", "servers", None),
    ],
)
async def test_what_an_alert_is_about_opens_at_its_row(target: str, tab: str, key: str | None, opened: Opened) -> None:
    async with opened(world=monitoring_world) as pilot:
        assert isinstance(pilot.app, DebugTui)
        pilot.app.open_target(Target.parse(target))
        await pilot.pause()
        await pilot.pause()
        screen = screen_of(pilot)
        assert screen.tab == tab
        if key is not None:
            assert screen.table(tab).cursor_key == key
        await pilot.press("escape")
        assert not isinstance(pilot.app.screen, MonitoringScreen)


async def test_every_alert_of_the_monitoring_has_a_row_that_opens(opened: Opened) -> None:
    async with opened(world=monitoring_world) as pilot:
        assert isinstance(pilot.app, DebugTui)
        mine = [alert for alert in pilot.app.alerts if alert.target.kind in ("prometheus", "alertmanager", "grafana", "loki")]
        assert {alert.rule for alert in mine} == {
            "source_lost", "prometheus_target_down", "prometheus_config_bad", "prometheus_rule_failing", "alertmanager_alert",
            "alertmanager_notify_failing", "grafana_datasource_down",
        }  # fmt: skip
        for alert in mine:
            pilot.app.open_target(alert.target)
            await pilot.pause()
            await pilot.pause()
            assert screen_of(pilot).table(screen_of(pilot).tab).cursor_key is not None
            await pilot.press("escape")


async def test_a_query_shows_its_newest_values_and_the_one_under_the_cursor_over_time(opened: Opened) -> None:
    async with opened(world=monitoring_world) as pilot:
        await pilot.press("M", "colon")
        await pilot.pause()
        screen = screen_of(pilot)
        assert screen.tab == "query"
        await ask(pilot, "load")
        table = screen.table("query")
        assert texts(table, "value") == ["1", "0.5", "NaN"]
        assert 'instance="10.0.0.11:9100"' in screen.query_one("#query-series", Bar).words
        await pilot.press("escape", "down")
        await pilot.pause()
        assert 'instance="10.0.0.12:9100"' in screen.query_one("#query-series", Bar).words
        assert "vector, 3 series" in screen.query_one("#query-says", Bar).words


async def test_a_query_that_is_wrong_is_refused_in_the_servers_words(opened: Opened) -> None:
    async with opened(world=monitoring_world) as pilot:
        await pilot.press("M", "colon")
        await ask(pilot, "broken(")
        assert "1:8: parse error: unclosed left parenthesis" in screen_of(pilot).query_one("#query-says", Bar).words
        assert screen_of(pilot).table("query").shown_rows == []


async def test_keys_are_letters_in_the_expression_and_commands_beside_it(opened: Opened) -> None:
    async with opened(world=monitoring_world) as pilot:
        await pilot.press("M", "colon", *"vMqw1")
        screen = screen_of(pilot)
        assert screen.query_one("#query-input", Input).value == "vMqw1"
        await pilot.press("escape", "v", "w")
        await pilot.pause()
        words = screen.query_one("#query-on", Bar).words
        assert "asks monitoring/prometheus/far" in words
        assert "plot of 5 min" in words
        await pilot.press("escape")
        assert not isinstance(pilot.app.screen, MonitoringScreen)


async def test_another_server_is_asked_the_same_at_once(opened: Opened) -> None:
    async with opened(world=monitoring_world) as pilot:
        await pilot.press("M", "colon")
        await ask(pilot, "load")
        await pilot.press("escape", "v")
        await pilot.pause(0.1)
        assert isinstance(pilot.app, DebugTui)
        assert pilot.app.fleet is not None
        far = pilot.app.fleet.source("monitoring", Kind.PROMETHEUS, "far")
        assert isinstance(far, FakePrometheus)
        assert far.asked == ["load"]


async def test_without_any_server_each_tab_says_what_to_configure(opened: Opened) -> None:
    async with opened() as pilot:
        screen = await opened_at(pilot, "loki")
        assert screen.table("loki").empty_text == "no Loki is configured ([[loki]])"
        await pilot.press("5")
        await pilot.pause()
        assert "no Prometheus is configured" in screen.query_one("#query-on", Bar).words
