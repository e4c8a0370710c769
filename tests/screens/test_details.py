"""The detail screens: what opens, what they show, how one gets back."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any

import pytest
from textual.pilot import Pilot

from debugtui.app import DebugTui
from debugtui.model.logs import LogLine
from debugtui.model.source import Kind, Problem
from debugtui.model.target import Target
from debugtui.screens.details.base import DetailScreen
from debugtui.screens.main import MainScreen
from debugtui.sources.base import SourceError
from debugtui.widgets.bar import Bar
from debugtui.widgets.line_table import LineTable
from debugtui.widgets.log_view import LogView
from tests.screens.conftest import Opened
from tests.screens.test_main import bar, reread, source_of


async def go(pilot: Pilot[int], target: str, tab: str = "") -> DetailScreen:
    """Open a target, and one of its tabs."""
    app = pilot.app
    assert isinstance(app, DebugTui)
    app.open_target(Target.parse(target))
    await pilot.pause(0.1)
    screen = app.screen
    assert isinstance(screen, DetailScreen)
    if tab:
        screen.show_tab(tab)
        await pilot.pause(0.1)
    return screen


def lines(screen: DetailScreen, name: str) -> str:
    table = screen.query_one(f"#{name}", LineTable)
    return "\n".join("".join(segment.text for segment in table.render_line(y)).rstrip() for y in range(table.size.height))


def log_text(screen: DetailScreen, name: str) -> str:
    view = screen.query_one(f"#log-{name}", LogView)
    return "\n".join("".join(segment.text for segment in view.render_line(y)).rstrip() for y in range(view.size.height))


@pytest.mark.parametrize(
    ("target", "tabs"),
    [
        ("kvm-01/system", ["overview", "sources", "filesystems", "devices", "interfaces", "stores", "images", "events"]),
        ("kvm-01/libvirt/web-01", ["resources", "disks", "network", "snapshots", "xml", "console"]),
        ("kvm-01/docker/coach-api-1", ["state", "logs", "environment", "events", "inspect"]),
        (
            "kvm-01/postgres/coach",
            ["activity", "locks", "statements", "tables", "indexes", "replication", "settings", "server"],
        ),
    ],
)
async def test_tabs_go_round_and_escape_goes_back(opened: Opened, target: str, tabs: list[str]) -> None:
    async with opened() as pilot:
        screen = await go(pilot, target)
        seen = [screen.tab]
        for _ in tabs:
            await pilot.press("right_square_bracket")
            seen.append(screen.tab)
        assert seen == [*tabs, tabs[0]]
        await pilot.press("3")
        assert screen.tab == tabs[2]
        await pilot.press("escape")
        await pilot.pause()
        assert isinstance(pilot.app.screen, MainScreen)


async def test_a_session_of_the_lock_pane_opens_its_database_at_that_session(opened: Opened) -> None:
    async with opened() as pilot:
        screen = await go(pilot, "kvm-01/postgres/coach/4733")
        await pilot.pause(0.2)
        assert screen.tab == "locks"
        assert screen.query_one("#table-locks", LineTable).cursor_key == "kvm-01/postgres/coach/4733"


async def test_the_database_tells_what_is_wrong_with_it(opened: Opened) -> None:
    async with opened((200, 50)) as pilot:
        screen = await go(pilot, "kvm-01/postgres/coach", "activity")
        assert "⧗ 4711, 4720" in lines(screen, "table-activity")
        await go(pilot, "kvm-01/postgres/coach", "indexes")
        assert "invalid!" in lines(pilot.app.screen, "table-indexes")  # type: ignore[arg-type] # a detail screen
        screen = await go(pilot, "kvm-01/postgres/coach", "settings")
        assert "waits for restart" in lines(screen, "table-settings")
        screen = await go(pilot, "kvm-01/postgres/coach", "tables")
        assert "needs index?" in lines(screen, "table-tables")
        screen = await go(pilot, "kvm-01/postgres/coach", "server")
        assert "without server log" in lines(screen, "facts")
        assert "GRANT pg_read_server_files" in lines(screen, "facts")


async def test_the_title_carries_what_alarms_about_the_target(opened: Opened) -> None:
    async with opened() as pilot:
        await go(pilot, "kvm-01/libvirt/db-01")
        assert "paused by an I/O error (vda: no space)" in bar(pilot, "title")
        await go(pilot, "kvm-01/docker/coach-worker-1")
        assert "crash loop: exit code 3" in bar(pilot, "title")


async def test_what_a_source_lacks_stands_among_the_hosts_sources(opened: Opened) -> None:
    async with opened((160, 40)) as pilot:
        screen = await go(pilot, "kvm-02/system", "sources")
        text = lines(screen, "table-sources")
        assert "permission denied on /var/run/docker.sock" in text
        assert "add ops to the group docker" in text


async def test_a_container_that_vanishes_says_so(opened: Opened) -> None:
    async with opened() as pilot:
        screen = await go(pilot, "kvm-01/docker/coach-api-1")
        assert "coach/api:4.2.1" in lines(screen, "facts")
        source = source_of(pilot, Kind.DOCKER)
        source.answer = replace(source.answer, containers=())
        await reread(pilot)
        assert "gone: the engine does not list it any more" in lines(screen, "facts")


class Logs:
    """What a source gives to the log tabs."""

    def __init__(self, batches: list[list[LogLine]], error: SourceError | None = None) -> None:
        self._batches, self._error = batches, error

    async def logs(self, container_id: str, **options: Any) -> AsyncIterator[list[LogLine]]:
        for batch in self._batches:
            yield batch
        if self._error is not None:
            raise self._error

    async def inspect(self, container_id: str) -> dict[str, Any]:
        return {"Id": container_id, "Config": {"Env": ["PATH=/bin", "TOKEN=•••"]}}


def give(pilot: Pilot[int], logs: Logs) -> None:
    source = source_of(pilot, Kind.DOCKER)
    source.logs = logs.logs  # type: ignore[attr-defined] # what the real source has
    source.inspect = logs.inspect  # type: ignore[attr-defined] # as above


async def test_the_log_of_a_container_is_followed_and_its_end_is_said(opened: Opened) -> None:
    async with opened() as pilot:
        give(pilot, Logs([[LogLine("INFO started")], [LogLine("ERROR [@click=app.quit]x[/] failed")]]))
        screen = await go(pilot, "kvm-01/docker/coach-api-1", "logs")
        await pilot.pause(0.4)
        text = log_text(screen, "logs")
        assert "INFO started" in text
        assert "ERROR [@click=app.quit]x[/] failed" in text
        assert "end of the log" in text


async def test_a_log_that_breaks_says_why(opened: Opened) -> None:
    async with opened() as pilot:
        give(pilot, Logs([[LogLine("first")]], SourceError(Problem("the engine went away", "it is tried again"))))
        screen = await go(pilot, "kvm-01/docker/coach-api-1", "logs")
        await pilot.pause(0.4)
        assert "the engine went away (it is tried again)" in log_text(screen, "logs")


async def test_environment_and_inspect_are_read_when_they_are_shown(opened: Opened) -> None:
    async with opened() as pilot:
        give(pilot, Logs([]))
        screen = await go(pilot, "kvm-01/docker/coach-api-1", "environment")
        await pilot.pause(0.3)
        assert "TOKEN=•••" in log_text(screen, "environment")
        screen.show_tab("inspect")
        await pilot.pause(0.3)
        assert '"Env": [' in log_text(screen, "inspect")


async def test_a_source_without_logs_says_so_instead_of_dying(opened: Opened) -> None:
    async with opened() as pilot:
        screen = await go(pilot, "kvm-01/docker/coach-api-1", "logs")
        await pilot.pause(0.3)
        assert "this source has no logs" in log_text(screen, "logs")


async def test_an_open_screen_is_read_more_often(opened: Opened) -> None:
    async with opened() as pilot:
        app = pilot.app
        assert isinstance(app, DebugTui)
        assert app.fleet is not None
        await go(pilot, "kvm-01/postgres/coach")
        await pilot.pause(0.1)
        intervals = {(status.host, status.kind): status.interval_s for status in app.fleet.statuses() if not status.problem}
        assert intervals["kvm-01", Kind.POSTGRES] == 2.0
        assert intervals["kvm-01", Kind.LIBVIRT] == 10.0
        await pilot.press("escape")
        await pilot.pause(0.1)
        assert all(status.interval_s == 2.0 for status in app.fleet.statuses() if not status.problem)


async def test_copy_takes_the_row_under_the_cursor(opened: Opened, tmp_path: Any) -> None:
    async with opened() as pilot:
        await go(pilot, "kvm-01/postgres/coach", "statements")
        await pilot.press("y")
        await pilot.pause()
        (file,) = (tmp_path / "state").rglob("*.txt")
        assert "SELECT * FROM activities WHERE athlete_id = $1" in file.read_text(encoding="utf-8")


async def test_filter_and_sort_work_here_too(opened: Opened) -> None:
    async with opened() as pilot:
        screen = await go(pilot, "kvm-01/postgres/coach", "tables")
        table = screen.query_one("#table-tables", LineTable)
        await pilot.press("slash", *"athl")
        await pilot.pause()
        assert table.counts == (1, 2)
        await pilot.press("escape", "s")
        await pilot.pause()
        assert table.counts == (2, 2)
        assert table.sorting == ("table", False)
        assert screen.query_one("#title", Bar).words.startswith(" kvm-01/postgres/coach")
