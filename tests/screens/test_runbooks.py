"""Runbooks on the screen: from a row to its runbook, from a step to its verdict, from a verdict to a plan."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence

import pytest
from textual.pilot import Pilot
from textual.widgets import OptionList

from debugtui.app import DebugTui
from debugtui.config.models import Config
from debugtui.config.paths import state_dir
from debugtui.diagnosis.runbooks.looks import Looks
from debugtui.hosts.link import CommandResult, LinkError
from debugtui.model.source import Problem
from debugtui.model.target import Target
from debugtui.screens.repair.approval import ApprovalScreen
from debugtui.screens.repair.flow import RepairFlow
from debugtui.screens.runbooks.choose import ChooseRunbookScreen
from debugtui.screens.runbooks.screen import RunbookScreen
from debugtui.storage.runbook_runs import RunbookRuns
from debugtui.widgets.line_table import LineTable
from debugtui.widgets.log_view import LogView
from tests.screens.conftest import Opened
from tests.screens.repair_desk import FakeDesk
from tests.screens.snapshot import Snap
from tests.screens.test_repair import calm, press, until
from tests.unit.fakes import FakeLink

SIZES = ((80, 24), (120, 40), (200, 60))
CONFIG = {
    "hosts": [
        {"name": name, "address": "local", "postgres": [{"name": "coach", "dsn": "postgresql://m@/coach"}] if at == 0 else []}
        for at, name in enumerate(("kvm-01", "kvm-02", "kvm-03"))
    ]
}
ANSWERS = {"find": b"2026-03-14 02:10 8123441 coach-20260314.dump\n", "uptime": b" 09:26:53 up 10 days\n"}
IDLE = [
    {
        "pid": 4711,
        "application": "coach",
        "role": "coach_app",
        "idle_s": 134,
        "open_s": 134,
        "last_statement": "UPDATE [b]x[/b]",
    }
]


@pytest.fixture(autouse=True)
def still_answers(monkeypatch: pytest.MonkeyPatch) -> None:
    """Give commands and statements answers that do not move."""

    async def run(self: FakeLink, argv: Sequence[str], *, timeout: float, stdin: bytes = b"", limit: int = 0) -> CommandResult:
        for name, answer in ANSWERS.items():
            if name in argv:
                return CommandResult(0, answer, b"")
        raise LinkError(Problem("no commands here"))

    async def rows(self: Looks, target: Target, statement: str, params: Sequence[str]) -> list[Mapping[str, object]]:
        return list(IDLE) if "idle in transaction%" in statement else []

    monkeypatch.setattr(FakeLink, "run", run)
    monkeypatch.setattr(Looks, "_rows", rows)


def configured(pilot: Pilot[int]) -> DebugTui:
    app = pilot.app
    assert isinstance(app, DebugTui)
    app._config = Config.model_validate(CONFIG)
    return app


async def opened_runbook(pilot: Pilot[int], *keys: str) -> RunbookScreen:
    await press(pilot, *keys, "R")
    await until(pilot, ChooseRunbookScreen)
    await press(pilot, "enter")
    await until(pilot, RunbookScreen)
    screen = pilot.app.screen
    assert isinstance(screen, RunbookScreen)
    return screen


async def done(pilot: Pilot[int], screen: RunbookScreen, steps: int) -> None:
    async with asyncio.timeout(20):
        while len(screen.so_far.steps) < steps or screen._busy:
            await pilot.pause(0.02)
    await calm(pilot)


def log_text(screen: RunbookScreen) -> str:
    store = screen.query_one("#log-step", LogView)._state.store
    return "\n".join(store.text(number) for number in range(store.first, store.end))


async def test_the_runbook_of_the_row_stands_first_and_the_others_below_it(opened: Opened) -> None:
    async with opened() as pilot:
        configured(pilot)
        await press(pilot, "3", "down", "R")
        await until(pilot, ChooseRunbookScreen)
        options = pilot.app.screen.query_one(OptionList)
        assert options.get_option_at_index(0).id == "database"
        assert options.option_count == 6


async def test_an_alert_opens_the_runbook_that_its_rule_names(opened: Opened) -> None:
    async with opened() as pilot:
        app = configured(pilot)
        looping = next(alert for alert in app.alerts if alert.rule == "crash_loop")
        await press(pilot, "4")
        table = app.screen.query_one("#table-alerts", LineTable)
        table.move_to(next(row.key for row in table.shown_rows if str(looping.target) in row.key))
        await press(pilot, "R")
        await until(pilot, ChooseRunbookScreen)
        assert app.screen.query_one(OptionList).get_option_at_index(0).id == "service-down"


async def test_enter_runs_the_step_under_the_cursor_and_shows_what_to_do(opened: Opened) -> None:
    async with opened() as pilot:
        configured(pilot)
        screen = await opened_runbook(pilot, "3", "down")
        await press(pilot, "down", "down", "enter")
        await done(pilot, screen, 1)
        step = screen.so_far.steps[0]
        assert (step.id, step.verdict) == ("locks", "warning")
        assert step.says == "4711: 3 sessions wait behind it; warning is > 0"
        text = log_text(screen)
        assert "! warning: 4711: 3 sessions wait behind it" in text
        assert "Somebody waits for a lock." in text
        assert "postgres.terminate_session on kvm-01/postgres/coach/4711" in text


async def test_one_key_runs_every_step_and_the_run_is_kept(opened: Opened) -> None:
    async with opened() as pilot:
        app = configured(pilot)
        screen = await opened_runbook(pilot, "3", "down")
        await press(pilot, "a")
        await done(pilot, screen, 18)
        await app.workers.wait_for_complete()
        store = RunbookRuns(state_dir() / "runbooks.sqlite")
        kept = store.newest()
        store.close()
        assert [run.id for run in kept] == [screen.so_far.id]
        assert len(kept[0].steps) == 18


async def test_p_on_a_remediation_leads_to_its_plan_and_no_further(opened: Opened) -> None:
    async with opened() as pilot:
        app = configured(pilot)
        desk = FakeDesk()
        app.repairs = RepairFlow(app, desk)
        screen = await opened_runbook(pilot, "3", "down")
        await press(pilot, "down", "down", "enter")
        await done(pilot, screen, 1)
        screen.query_one("#table-steps", LineTable).move_to("offer 3 0")
        await press(pilot, "p")
        await until(pilot, ApprovalScreen)
        assert desk.asked == ["offers kvm-01/postgres/coach/4711", "plan postgres.terminate_session {}"]


async def test_what_came_from_outside_is_never_markup(opened: Opened) -> None:
    async with opened() as pilot:
        configured(pilot)
        screen = await opened_runbook(pilot, "3", "down")
        await press(pilot, "down", "down", "down", "down", "enter")
        await done(pilot, screen, 1)
        assert "UPDATE [b]x[/b]" in log_text(screen)


async def test_causes_and_when_to_call_somebody_are_one_key_away(opened: Opened) -> None:
    async with opened() as pilot:
        configured(pilot)
        screen = await opened_runbook(pilot, "3", "down")
        await press(pilot, "c")
        assert "call when" in log_text(screen)
        await press(pilot, "down")
        assert log_text(screen).startswith("why")


async def test_escape_leaves_the_runbook_and_closes_what_it_opened(opened: Opened) -> None:
    async with opened() as pilot:
        configured(pilot)
        screen = await opened_runbook(pilot, "3", "down")
        await press(pilot, "escape")
        assert screen not in pilot.app.screen_stack
        assert screen._runner._looks._sessions == {}


async def test_the_list_of_runbooks(opened: Opened, snap: Snap) -> None:
    async with opened() as pilot:
        configured(pilot)
        await press(pilot, "3", "down", "R")
        await until(pilot, ChooseRunbookScreen)
        await every_size(pilot, snap, "choose")


async def test_a_runbook_before_and_after_all_steps_were_run(opened: Opened, snap: Snap) -> None:
    async with opened() as pilot:
        configured(pilot)
        screen = await opened_runbook(pilot, "3", "down")
        await every_size(pilot, snap, "runbook")
        await press(pilot, "a")
        await done(pilot, screen, 18)
        screen.query_one("#table-steps", LineTable).move_to("step 3")
        await every_size(pilot, snap, "runbook-run")
        await press(pilot, "c")
        await every_size(pilot, snap, "runbook-causes", again="c")


async def every_size(pilot: Pilot[int], snap: Snap, name: str, again: str = "") -> None:
    for size in SIZES:
        await pilot.resize_terminal(*size)
        await calm(pilot)
        if again:
            await press(pilot, again)
        await calm(pilot)
        snap(pilot, f"{name}-{size[0]}x{size[1]}")
