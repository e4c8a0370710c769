"""The tabs of a host's own sources: queues, the journal, backups."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator

import pytest

from debugtui.fleet.fleet import Fleet, HostParts
from debugtui.model.source import Gap, Kind, Problem
from debugtui.screens.rows.backups import backup_rows
from debugtui.screens.rows.journal import journal_rows
from debugtui.screens.rows.queues import queue_rows
from debugtui.sources.base import SourceError
from debugtui.widgets.line_table import LineTable
from debugtui.widgets.table_rows import Cell, Row
from tests.screens import state_world
from tests.screens.conftest import Opened
from tests.screens.snapshot import Snap
from tests.screens.test_details import go, lines
from tests.screens.test_golden import snap_every_look
from tests.unit.fakes import FakeClock, FakeLink, FakeSource, system_reading


def world(**answers: object):
    """Return a world of one host with these sources: `redis=reading`."""
    kinds = {"redis": "cache", "rabbitmq": "mq", "journal": "journal", "backup": "coach"}

    def make():
        clock = FakeClock()
        sources = [(FakeSource(Kind.SYSTEM, answer=system_reading()), True)]
        sources += [(FakeSource(Kind(kind), kinds[kind], answer), True) for kind, answer in answers.items()]  # type: ignore[arg-type]
        return Fleet([HostParts(FakeLink(), sources)], clock=clock), clock  # type: ignore[arg-type]

    return make


FULL = world(
    redis=state_world.redis(), rabbitmq=state_world.rabbitmq(), journal=state_world.journal(), backup=state_world.backups()
)


@pytest.mark.parametrize(
    ("name", "target"),
    [("queues", "kvm-01/redis/cache/events"), ("journal", "kvm-01/journal/kernel"), ("backups", "kvm-01/backup/coach")],
)
async def test_each_tab_has_its_picture(name: str, target: str, opened: Opened, snap: Snap) -> None:
    async with opened((120, 40), world=FULL) as pilot:
        screen = await go(pilot, target)
        assert screen.tab == name
        await snap_every_look(pilot, snap, name)


@pytest.mark.parametrize(
    ("target", "tab", "row", "repair", "source"),
    [
        ("kvm-01/redis/cache/jobs:mail", "queues", "redis/cache/jobs:mail", "kvm-01/system", "cache"),
        ("kvm-01/rabbitmq/mq/shop/mails", "queues", "rabbitmq/mq/shop/mails", "kvm-01/system", "mq"),
        ("kvm-01/journal/cron.service", "journal", "error/cron.service", "kvm-01/system/cron.service", "journal"),
        ("kvm-01/backup/coach", "backups", "coach", "kvm-01/postgres/coach", "coach"),
    ],
)
async def test_an_alerts_target_opens_the_host_at_that_row(
    target: str, tab: str, row: str, repair: str, source: str, opened: Opened
) -> None:
    async with opened(world=FULL) as pilot:
        screen = await go(pilot, target)
        assert screen.tab == tab
        assert screen.query_one(f"#table-{tab}", LineTable).cursor_key == row
        assert str(screen.repair_target()) == repair
        assert screen.opened_source == ("kvm-01", target.split("/")[1], source)


async def test_a_host_without_such_sources_has_no_such_tabs(opened: Opened) -> None:
    async with opened(world=world(redis=state_world.redis())) as pilot:
        screen = await go(pilot, "kvm-01/system")
        assert [name for name, _ in screen.tabs][8:] == ["queues"]
        await pilot.press("escape")
        # An alert that is older than the view leads to a tab that says why it is empty.
        screen = await go(pilot, "kvm-01/backup/coach")
        assert screen.tab == "backups"
        assert "not configured" in lines(screen, "table-backups")


async def test_a_source_that_cannot_be_read_says_why_in_its_tab(opened: Opened) -> None:
    broken = SourceError(Problem("Redis at 127.0.0.1:6379 wants a password", 'password = {env = "NAME"}'))
    async with opened(world=world(redis=broken, journal=broken, backup=broken)) as pilot:
        for target, tab in (
            ("kvm-01/redis/cache", "queues"),
            ("kvm-01/journal", "journal"),
            ("kvm-01/backup/coach", "backups"),
        ):
            screen = await go(pilot, target)
            assert "wants a password" in lines(screen, f"table-{tab}")
            await pilot.press("escape")
            await pilot.pause()


def texts(rows: list[Row]) -> Iterator[str]:
    for row in rows:
        yield " ".join(cell.text if isinstance(cell, Cell) else str(cell) for cell in row.cells)


async def rows_of(make, maker) -> list[str]:
    fleet, _ = make()
    await fleet.read_all(full=True)
    view = fleet.view()
    return list(texts(maker(view.hosts[0], view)))


async def test_unknown_figures_are_shown_as_such() -> None:
    reading = dataclasses.replace(state_world.rabbitmq(), nodes=None, connections=None)
    rows = await rows_of(world(rabbitmq=reading), queue_rows)
    assert any(row.startswith("dead classic - -") and row.endswith("down") for row in rows)
    assert any("- connections" in row for row in rows)
    closed = dataclasses.replace(
        state_world.journal(),
        lines=None,
        units=(),
        oom_kills=(),
        faults=(),
        events=(),
        gaps=(Gap("system messages", Problem("closed")),),
    )
    shown = await rows_of(world(journal=closed), journal_rows)
    assert "without system messages: closed" in shown
    assert not any("error lines" in row or "none" in row for row in shown)
    none = await rows_of(world(backup=state_world.no_backups()), backup_rows)
    assert none[0].startswith("coach none 60 min - - - 0")
    assert "no file matches" in none[1]


async def test_every_row_of_a_tab_has_a_key_of_its_own() -> None:
    fleet, _ = FULL()
    await fleet.read_all(full=True)
    view = fleet.view()
    for maker in (queue_rows, journal_rows, backup_rows):
        keys = [row.key for row in maker(view.hosts[0], view)]
        assert len(keys) == len(set(keys))
