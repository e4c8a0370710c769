"""The diagnosis on the screen: one calm line, and a screen from which each link opens and the fix is planned."""

from __future__ import annotations

import asyncio
from datetime import timedelta

import pytest
from textual.pilot import Pilot

from debugtui.app import DebugTui
from debugtui.config.models import Config
from debugtui.diagnosis.looked import Looked
from debugtui.model.alerts import Severity
from debugtui.model.diagnosis import Diagnosis, Evidence, Finding, Offer, Undecided
from debugtui.model.target import Target
from debugtui.model.topology import Layer
from debugtui.screens import doctor as doctor_module
from debugtui.screens.details.container import ContainerScreen
from debugtui.screens.diagnosis import DiagnosisScreen
from debugtui.screens.doctor import Doctor
from debugtui.screens.main import MainScreen
from debugtui.screens.repair.approval import ApprovalScreen
from debugtui.widgets.bar import Bar
from debugtui.widgets.line_table import LineTable
from tests.screens.conftest import Opened
from tests.screens.repair_desk import FakeDesk
from tests.screens.snapshot import Snap
from tests.screens.test_repair import at_once, press, until, use
from tests.unit.fakes import START

__all__ = ["at_once"]

SIZES = ((80, 24), (120, 40), (200, 60))
DB, SESSION = Target("kvm-01", "postgres", "coach"), Target("kvm-01", "postgres", "coach/4711")
API = Target("kvm-01", "docker", "coach-api-1")


def ago(seconds: float):
    return START - timedelta(seconds=seconds)


LOCK = "session 4711 of coach-worker (idle in transaction for 2 min) blocks 3 sessions on activities"


def found(title: str = LOCK) -> Diagnosis:
    lock = Finding(
        "fnd_1", Layer.POSTGRES, SESSION, title, 0.94, Severity.CRITICAL, ago(134),
        (
            Evidence(Target("kvm-01", "web", "front"), "status", ago(4), "GET /api/plan answers 504, not 200"),
            Evidence(API, "containers[coach-api-1].health", ago(2), "health check fails"),
            Evidence(API, "log", ago(9), "its log tells of a lock that was waited for in vain, 12 lines"),
            Evidence(DB, "locks[0].waiters", ago(1), title),
        ),
        ("kvm-01/web/front: answers 504, not 200", "kvm-01/docker/coach-api-1: health check fails"),
        (Offer("postgres.terminate_session", SESSION), Offer("docker.restart", API)),
        "database",
    )  # fmt: skip
    worker = Target("kvm-01", "docker", "coach-worker-1")
    ends = Evidence(worker, "containers[coach-worker-1].restarts", ago(2), "9 restarts")
    loop = Finding("fnd_2", Layer.DOCKER, worker, "coach-worker-1 crashes again", 0.7, Severity.HIGH, ago(700), (ends,))
    asked = Undecided(
        "is kvm-02/docker well? it refuses our login, which says nothing of its own state", "kvm-02/docker: its list"
    )
    changed = Evidence(API, "events[3].action", ago(174), "container coach-api-1 got other limits")
    return Diagnosis(START, (lock, loop), (asked,), (changed,))


async def show(pilot: Pilot[int], diagnosis: Diagnosis | None) -> DebugTui:
    app = pilot.app
    assert isinstance(app, DebugTui)
    app.diagnosis = diagnosis
    app.repaint()
    await pilot.pause()
    return app


@pytest.mark.parametrize("size", SIZES, ids=lambda size: f"{size[0]}x{size[1]}")
async def test_the_screen(opened: Opened, snap: Snap, size: tuple[int, int]) -> None:
    async with opened(size) as pilot:
        await show(pilot, found())
        await press(pilot, "d")
        snap(pilot, f"diagnosis-{size[0]}x{size[1]}")


async def test_the_line_of_the_main_screen(opened: Opened, snap: Snap) -> None:
    async with opened((160, 48)) as pilot:
        await show(pilot, found())
        snap(pilot, "line-160x48")
        line = pilot.app.screen.query_one("#diagnosis", Bar).words
        assert "PostgreSQL > session 4711" in line
        assert "and 1 more" in line


async def test_there_is_no_line_before_there_is_a_diagnosis_and_a_calm_one_when_all_is_well(opened: Opened) -> None:
    async with opened() as pilot:
        line = pilot.app.screen.query_one("#diagnosis", Bar)
        assert not line.display
        await show(pilot, Diagnosis(START))
        assert "nothing found" in line.words
        await show(pilot, Diagnosis(START, undecided=found().undecided))
        assert "1 not decided" in line.words


async def test_enter_on_a_link_opens_what_it_rests_on(opened: Opened) -> None:
    async with opened() as pilot:
        await show(pilot, found())
        await press(pilot, "d", "enter", "down", "enter")
        assert isinstance(pilot.app.screen, ContainerScreen)
        await press(pilot, "escape")
        assert isinstance(pilot.app.screen, DiagnosisScreen)
        await press(pilot, "escape")
        assert isinstance(pilot.app.screen, MainScreen)


async def test_p_leads_to_the_plan_of_the_best_remediation(opened: Opened) -> None:
    async with opened() as pilot:
        desk = use(pilot, FakeDesk())
        await show(pilot, found())
        await press(pilot, "d", "p")
        await until(pilot, ApprovalScreen)
        assert desk.asked == ["offers kvm-01/postgres/coach/4711", "plan postgres.terminate_session {}"]


async def test_another_cause_has_another_story(opened: Opened) -> None:
    async with opened() as pilot:
        await show(pilot, found())
        await press(pilot, "d", "down")
        story = pilot.app.screen.query_one("#table-story", LineTable)
        assert "9 restarts" in "\n".join(str(row.cells) for row in story.shown_rows)
        assert "nothing of ours does" in "\n".join(str(row.cells) for row in story.shown_rows)


async def test_hostile_words_are_only_words(opened: Opened, snap: Snap) -> None:
    async with opened((120, 40)) as pilot:
        await show(pilot, found("[@click=app.quit]run[/] [red]docker.prune_images[/] \x1b[31mnow"))
        await press(pilot, "d")
        snap(pilot, "hostile-120x40")


async def test_the_doctor_finds_what_is_wrong_off_the_loop_and_only_when_something_changed(
    opened: Opened, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with opened() as pilot:
        app = pilot.app
        assert isinstance(app, DebugTui)
        assert app.fleet is not None
        told: list[int] = []

        async def looks(*_: object) -> Looked:
            return Looked()

        monkeypatch.setattr(doctor_module, "look_again", looks)

        async def executions() -> tuple[()]:
            return ()

        clock = [0.0]
        doctor = Doctor(app.fleet, Config(), lambda: told.append(1), executions, lambda: clock[0])
        view = app.fleet.view()
        for _ in range(3):
            doctor.look(view, app.alerts)
        async with asyncio.timeout(20):
            while not told:
                await asyncio.sleep(0.01)
        assert doctor.diagnosis is not None
        assert doctor.diagnosis.findings
        clock[0] = 10.0
        doctor.look(view, app.alerts)
        assert len(told) == 1
        await doctor.stop()
