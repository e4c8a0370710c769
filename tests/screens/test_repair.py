"""From a row to a verified fix, with the keys that an operator presses."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from datetime import timedelta

import pytest
from textual.pilot import Pilot
from textual.widgets import Button, Input, OptionList, Static

from debugtui.app import DebugTui
from debugtui.model.execution import Decision, Execution, State, Verdict
from debugtui.model.plan import Plan
from debugtui.model.source import FleetView
from debugtui.model.target import Target
from debugtui.remediation.base import Offer
from debugtui.screens.repair import approval as approval_module
from debugtui.screens.repair.approval import ApprovalScreen
from debugtui.screens.repair.execution import DecisionScreen, ExecutionScreen
from debugtui.screens.repair.executions import ExecutionsScreen, UnendedScreen
from debugtui.screens.repair.flow import RepairFlow
from debugtui.screens.repair.form import FormScreen
from debugtui.screens.repair.offers import OffersScreen
from tests.screens.conftest import Opened
from tests.screens.repair_desk import (
    RECREATE,
    REFUSED,
    ROUTINE,
    STOPPED,
    TERMINATE,
    FakeDesk,
    ended,
    progress,
)
from tests.screens.snapshot import Snap
from tests.unit.fakes import START as NOW

SIZES = ((80, 24), (120, 40), (200, 60))
#: From the main screen to the approval: the locks, the root of the chain, plan, the first offer.
TO_THE_PLAN = ("3", "down", "p", "enter")


@pytest.fixture(autouse=True)
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(approval_module, "FIRST_LOOK", 0.0)


def use(pilot: Pilot[int], desk: FakeDesk) -> FakeDesk:
    app = pilot.app
    assert isinstance(app, DebugTui)
    app.repairs = RepairFlow(app, desk)
    return desk


async def press(pilot: Pilot[int], *keys: str) -> None:
    """Press keys one after another, as a person does: each finds the screen that the one before opened."""
    for key in keys:
        await pilot.press(key)
        await calm(pilot)


async def calm(pilot: Pilot[int]) -> None:
    for _ in range(3):
        await asyncio.sleep(0.01)
        await pilot.pause()


async def until(pilot: Pilot[int], screen: type[object]) -> None:
    for _ in range(100):
        if isinstance(pilot.app.screen, screen):
            await calm(pilot)
            return
        await asyncio.sleep(0.02)
    raise AssertionError(f"{screen.__name__} did not open: {pilot.app.screen}")


def shown(pilot: Pilot[int], query: str) -> str:
    return str(pilot.app.screen.query_one(query, Static).render())


async def test_six_keys_and_the_name_lead_from_a_lock_chain_to_its_repair(opened: Opened) -> None:
    async with opened() as pilot:
        desk = use(pilot, FakeDesk())
        keys = [*TO_THE_PLAN, "tab"]
        await press(pilot, *keys)
        await until(pilot, ApprovalScreen)
        await press(pilot, *"4711", "enter")
        await until(pilot, ExecutionScreen)
        assert len(keys) + 1 <= 6
        assert desk.asked[-1] == f"apply {TERMINATE.id} True"
        assert "VERIFIED" in shown(pilot, "#outcome")


async def test_until_the_name_is_typed_nothing_is_sent(opened: Opened) -> None:
    async with opened() as pilot:
        desk = use(pilot, FakeDesk())
        await press(pilot, *TO_THE_PLAN)
        await until(pilot, ApprovalScreen)
        assert pilot.app.focused is pilot.app.screen.query_one("#no")
        assert desk.asked == ["offers kvm-01/postgres/coach/4711", "plan postgres.terminate_session {}"]
        await press(pilot, "tab", *"4712", "enter")
        assert isinstance(pilot.app.screen, ApprovalScreen)
        assert "typed: 4711" in shown(pilot, "#says")
        assert not any(asked.startswith("apply") for asked in desk.asked)


@pytest.mark.parametrize("key", ["escape", "enter"])
async def test_escape_and_the_first_enter_mean_no(opened: Opened, key: str) -> None:
    async with opened() as pilot:
        desk = use(pilot, FakeDesk())
        await press(pilot, *TO_THE_PLAN, key)
        assert not isinstance(pilot.app.screen, ApprovalScreen)
        assert not any(asked.startswith(("apply", "approve")) for asked in desk.asked)


@pytest.mark.parametrize("key", ["y", "a", "space", "p", "f5", "d"])
async def test_no_stray_key_approves(opened: Opened, key: str) -> None:
    async with opened() as pilot:
        desk = use(pilot, FakeDesk(plans={"postgres.terminate_session": ROUTINE}))
        await press(pilot, *TO_THE_PLAN)
        await until(pilot, ApprovalScreen)
        await press(pilot, key)
        assert not any(asked.startswith(("apply", "approve")) for asked in desk.asked)


async def test_class_1_takes_a_press_of_a_button_that_is_not_focused_by_itself(opened: Opened) -> None:
    async with opened() as pilot:
        desk = use(pilot, FakeDesk(plans={"postgres.terminate_session": ROUTINE}))
        await press(pilot, *TO_THE_PLAN)
        await until(pilot, ApprovalScreen)
        assert not pilot.app.screen.query(Input)
        await press(pilot, "tab")
        assert pilot.app.focused is pilot.app.screen.query_one("#yes")
        await press(pilot, "enter")
        await until(pilot, ExecutionScreen)
        assert desk.asked[-1].startswith("apply")


async def test_nothing_can_be_approved_before_anybody_could_read_it(opened: Opened, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(approval_module, "FIRST_LOOK", 30.0)
    async with opened() as pilot:
        desk = use(pilot, FakeDesk())
        await press(pilot, *TO_THE_PLAN)
        await until(pilot, ApprovalScreen)
        assert pilot.app.screen.query_one("#yes", Button).disabled
        await press(pilot, "tab", *"4711", "enter")
        assert "read it first" in shown(pilot, "#says")
        assert not any(asked.startswith("approve") for asked in desk.asked)


@pytest.mark.parametrize("plan", [STOPPED, REFUSED], ids=["class 4", "a guard refuses"])
async def test_where_nothing_may_be_executed_no_control_exists(opened: Opened, plan: Plan) -> None:
    async with opened() as pilot:
        desk = use(pilot, FakeDesk(plans={"postgres.terminate_session": plan}))
        await press(pilot, *TO_THE_PLAN)
        await until(pilot, ApprovalScreen)
        assert [button.id for button in pilot.app.screen.query(Button)] == ["no"]
        assert not pilot.app.screen.query(Input)
        await press(pilot, "tab", "enter")
        assert not any(asked.startswith(("apply", "approve")) for asked in desk.asked)


async def severe(pilot: Pilot[int]) -> FakeDesk:
    desk = use(pilot, FakeDesk(plans={"postgres.terminate_session": RECREATE}))
    await press(pilot, *TO_THE_PLAN)
    await until(pilot, ApprovalScreen)
    return desk


async def test_class_3_takes_more_than_one_person_or_a_held_yes(opened: Opened, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(approval_module, "HOLD", 0.3)
    async with opened() as pilot:
        desk = await severe(pilot)
        await press(pilot, "tab", *"coach-worker-1", "enter", *"pool", "enter", "enter")
        assert "second person" in shown(pilot, "#says")
        await press(pilot, "tab", "tab", "enter")
        for _ in range(60):
            await asyncio.sleep(0.05)
            if desk.asked[-1].startswith("apply"):
                break
        assert "approve coach-worker-1 pool True" in desk.asked
        assert desk.asked[-1].startswith("apply")


async def test_any_key_stops_a_held_yes(opened: Opened) -> None:
    async with opened() as pilot:
        desk = await severe(pilot)
        await press(pilot, "tab", *"coach-worker-1", "enter", *"pool", "enter", "tab", "tab", "enter")
        assert "any key stops it" in shown(pilot, "#says")
        await press(pilot, "x")
        assert "nothing was approved" in shown(pilot, "#says")
        assert not any(asked.startswith("apply") for asked in desk.asked)


async def test_an_expired_plan_is_made_again(opened: Opened) -> None:
    async with opened() as pilot:
        old = ROUTINE.__class__(
            **{name: getattr(ROUTINE, name) for name in ROUTINE.__slots__} | {"expires_at": NOW - timedelta(1)}
        )
        desk = use(pilot, FakeDesk(plans={"postgres.terminate_session": old}))
        await press(pilot, *TO_THE_PLAN)
        await until(pilot, ApprovalScreen)
        assert [button.id for button in pilot.app.screen.query(Button)] == ["no"]
        desk.plans["postgres.terminate_session"] = ROUTINE
        await press(pilot, "r")
        await until(pilot, ApprovalScreen)
        assert [button.id for button in pilot.app.screen.query(Button)] == ["no", "yes"]


async def test_parameters_are_asked_for_and_a_wrong_one_is_asked_for_again(opened: Opened) -> None:
    async with opened() as pilot:
        desk = use(pilot, FakeDesk(error="work_mem is at most 256MB here", plans={"postgres.set_parameter": STOPPED}))
        await press(pilot, "3", "down", "p", "down", "enter")
        await until(pilot, FormScreen)
        await press(pilot, "enter")
        assert "name is needed" in shown(pilot, "#says")
        await press(pilot, *"work_mem", "tab", *"9TB", "enter")
        await until(pilot, FormScreen)
        assert "at most 256MB" in shown(pilot, "#says")
        assert [field.value for field in pilot.app.screen.query(Input)] == ["work_mem", "9TB"]
        desk.error = ""
        await press(pilot, "enter")
        await until(pilot, ApprovalScreen)
        assert desk.asked[-1] == "plan postgres.set_parameter {'name': 'work_mem', 'value': '9TB'}"


async def test_what_cannot_be_planned_says_why(opened: Opened) -> None:
    async with opened() as pilot:
        use(pilot, FakeDesk(error="session 4711 is gone"))
        await press(pilot, *TO_THE_PLAN)
        await calm(pilot)
        assert [toast.message for toast in pilot.app._notifications] == ["session 4711 is gone"]


class FaultyDesk(FakeDesk):
    """Its code is wrong: in `plan`, and for one target in `offers`."""

    def offers(self, view: FleetView, target: Target) -> tuple[Offer, ...]:
        if target.name == "coach/4711":
            return super().offers(view, target)
        raise ZeroDivisionError("password=hunter2hunter2")

    async def plan(self, remediation: str, target: Target, params: Mapping[str, str]) -> Plan:
        raise KeyError("pid")


async def test_a_fault_of_our_own_is_told_where_nothing_would_happen_else(
    opened: Opened, caplog: pytest.LogCaptureFixture
) -> None:
    async with opened() as pilot:
        use(pilot, FaultyDesk())
        await press(pilot, *TO_THE_PLAN)
        said = [str(toast.message) for toast in pilot.app._notifications]
        assert said == ["a fault of DebugTUI: KeyError: 'pid'"]
        pilot.app.clear_notifications()
        await press(pilot, "escape", "1", "p")
        (said_next,) = [str(toast.message) for toast in pilot.app._notifications]
        assert said_next.startswith("repair: a fault of DebugTUI: ZeroDivisionError: password=")
        assert "hunter2" not in said_next
    assert {record.exc_info[0] for record in caplog.records if record.exc_info} == {KeyError, ZeroDivisionError}


async def test_offers_that_do_not_apply_say_why_and_cannot_be_chosen(opened: Opened) -> None:
    async with opened() as pilot:
        use(pilot, FakeDesk())
        await press(pilot, "3", "down", "p")
        await until(pilot, OffersScreen)
        options = pilot.app.screen.query_one(OptionList)
        assert [options.get_option_at_index(at).disabled for at in range(3)] == [False, False, True]


async def test_an_execution_goes_on_when_its_screen_is_left_and_can_be_seen_again(opened: Opened) -> None:
    async with opened() as pilot:
        desk = use(
            pilot,
            FakeDesk(
                hold=asyncio.Event(),
                stories=[progress(TERMINATE, State.VERIFYING), ended(TERMINATE, State.VERIFIED, Verdict.PASS, "held")],
            ),
        )
        await press(pilot, *TO_THE_PLAN, "tab", *"4711", "enter")
        await until(pilot, ExecutionScreen)
        await press(pilot, "escape")
        app = pilot.app
        assert isinstance(app, DebugTui)
        assert app.repairs is not None
        assert app.repairs.under_way
        await press(pilot, "e")
        await until(pilot, ExecutionScreen)
        assert desk.hold is not None
        desk.hold.set()
        await calm(pilot)
        assert "VERIFIED" in shown(pilot, "#outcome")


async def test_leaving_asks_twice_and_stops_after_the_step(opened: Opened) -> None:
    async with opened() as pilot:
        desk = use(
            pilot,
            FakeDesk(
                hold=asyncio.Event(),
                stories=[progress(TERMINATE, State.SENT), ended(TERMINATE, State.UNKNOWN, Verdict.INCONCLUSIVE, "left open")],
            ),
        )
        await press(pilot, *TO_THE_PLAN, "tab", *"4711", "enter")
        await until(pilot, ExecutionScreen)
        await press(pilot, "escape", "q")
        assert pilot.app.is_running
        assert "under way" in [toast.message for toast in pilot.app._notifications][-1]
        await press(pilot, "q")
        for _ in range(50):
            await asyncio.sleep(0.02)
            if "stop" in desk.asked:
                break
    assert "stop" in desk.asked


async def test_ctrl_c_means_stop_after_this_step(opened: Opened) -> None:
    async with opened() as pilot:
        desk = use(
            pilot,
            FakeDesk(
                hold=asyncio.Event(),
                stories=[progress(TERMINATE, State.SENT), ended(TERMINATE, State.UNKNOWN, Verdict.INCONCLUSIVE, "left open")],
            ),
        )
        await press(pilot, *TO_THE_PLAN, "tab", *"4711", "enter")
        await until(pilot, ExecutionScreen)
        await press(pilot, "ctrl+c")
        assert "stop" in desk.asked
        assert pilot.app.is_running


@pytest.mark.parametrize(
    ("keys", "decision"),
    [(("enter",), Decision.LEAVE), (("escape",), Decision.LEAVE), (("tab", "tab", "enter"), Decision.ROLL_BACK)],
)
async def test_an_inconclusive_verification_asks(opened: Opened, keys: tuple[str, ...], decision: Decision) -> None:
    async with opened() as pilot:
        desk = use(pilot, FakeDesk(decide_on=progress(TERMINATE, State.VERIFYING, says="no data")))
        await press(pilot, *TO_THE_PLAN, "tab", *"4711", "enter")
        await until(pilot, DecisionScreen)
        await press(pilot, *keys)
        assert desk.decided is decision


PAST = (
    Execution(
        "exe_2",
        "pln_2",
        "sha256:2",
        "docker.recreate",
        Target("kvm-01", "docker", "api"),
        State.VERIFIED,
        NOW,
        NOW,
        "alice",
        "every check held",
    ),
    Execution(
        "exe_1",
        "pln_1",
        "sha256:1",
        "postgres.terminate_session",
        TERMINATE.target,
        State.UNKNOWN,
        NOW,
        NOW,
        "bob",
        "interrupted",
    ),
)


@pytest.mark.parametrize(
    ("keys", "asked"),
    [
        (("enter",), "resume exe_1 leave"),
        (("tab", "enter"), "resume exe_1 watch_on"),
        (("tab", "tab", "enter"), "resume exe_1 roll_back"),
    ],
)
async def test_what_did_not_end_is_settled_from_the_list(opened: Opened, keys: tuple[str, ...], asked: str) -> None:
    async with opened() as pilot:
        desk = use(pilot, FakeDesk(past=PAST))
        await press(pilot, "E")
        await until(pilot, ExecutionsScreen)
        await press(pilot, "enter")
        await until(pilot, UnendedScreen)
        await press(pilot, *keys)
        await calm(pilot)
        assert desk.asked[-1] == asked


async def test_what_did_not_end_is_closed_with_a_note(opened: Opened) -> None:
    async with opened() as pilot:
        desk = use(pilot, FakeDesk(past=PAST))
        await press(pilot, "E", "enter")
        await until(pilot, UnendedScreen)
        await press(pilot, "tab", "tab", "tab", *"looked", "enter")
        assert desk.closed == [("exe_1", "looked")]


async def test_what_an_earlier_run_left_open_is_said_at_the_start(opened: Opened) -> None:
    async with opened() as pilot:
        use(pilot, FakeDesk(past=PAST))
        app = pilot.app
        assert isinstance(app, DebugTui)
        await app._tell_unended()
        await calm(pilot)
        assert "did not end: E shows" in [toast.message for toast in app._notifications][-1]


async def test_before_there_is_a_desk_keys_say_so(opened: Opened) -> None:
    async with opened() as pilot:
        await press(pilot, "p", "e", "E")
        assert [toast.message for toast in pilot.app._notifications] == ["not connected yet"]


# --- pictures


async def show(pilot: Pilot[int], screen: object) -> None:
    pilot.app.push_screen(screen)  # type: ignore[call-overload]
    await calm(pilot)


@pytest.mark.parametrize("size", SIZES, ids=lambda size: f"{size[0]}x{size[1]}")
async def test_the_offers(opened: Opened, snap: Snap, size: tuple[int, int]) -> None:
    async with opened(size) as pilot:
        desk = FakeDesk()
        target = TERMINATE.target
        await show(pilot, OffersScreen(target, desk.offers(pilot.app.view, target), desk.spec))  # type: ignore[attr-defined]
        snap(pilot, f"offers-{size[0]}x{size[1]}")


@pytest.mark.parametrize("size", SIZES, ids=lambda size: f"{size[0]}x{size[1]}")
@pytest.mark.parametrize("tab", range(1, 7))
async def test_the_approval(opened: Opened, snap: Snap, size: tuple[int, int], tab: int) -> None:
    async with opened(size) as pilot:
        await show(
            pilot, ApprovalScreen(TERMINATE, FakeDesk().approve, undo_says="Nothing brings it back.", clock=pilot.app.clock)
        )  # type: ignore[attr-defined]
        await press(pilot, str(tab))
        snap(pilot, f"approval-{tab}-{size[0]}x{size[1]}")


@pytest.mark.parametrize("theme", ["rampart-light", "rampart-contrast", "rampart-mono"])
@pytest.mark.parametrize(
    ("name", "plan"), [("severe", RECREATE), ("stop", STOPPED), ("refused", REFUSED), ("routine", ROUTINE)]
)
async def test_the_approval_of_each_class(opened: Opened, snap: Snap, theme: str, name: str, plan: Plan) -> None:
    async with opened((120, 40), theme) as pilot:
        await show(pilot, ApprovalScreen(plan, FakeDesk().approve, clock=pilot.app.clock))  # type: ignore[attr-defined]
        snap(pilot, f"approval-{name}-{theme.removeprefix('rampart-')}")


@pytest.mark.parametrize("size", SIZES, ids=lambda size: f"{size[0]}x{size[1]}")
@pytest.mark.parametrize("state", ["verifying", "verified", "rolled_back", "unknown", "refused"])
async def test_an_execution(opened: Opened, snap: Snap, size: tuple[int, int], state: str) -> None:
    stories = {
        "verifying": progress(TERMINATE, State.VERIFYING),
        "verified": ended(TERMINATE, State.VERIFIED, Verdict.PASS, "every check held for its whole time"),
        "rolled_back": ended(
            RECREATE,
            State.ROLLED_BACK,
            Verdict.FAIL,
            "it stays up fails: restarted twice",
            rollback=progress(RECREATE, State.SENT).steps,
        ),
        "unknown": ended(
            TERMINATE, State.UNKNOWN, Verdict.INCONCLUSIVE, "the link broke", side_effects=("api is unhealthy now",)
        ),
        "refused": ended(
            TERMINATE, State.REFUSED, Verdict.PASS, "stale", moved=("since was 09:00:00, is 09:26:50",), checks=(), steps=()
        ),
    }
    from debugtui.screens.repair.running import Running

    async with opened(size) as pilot:
        await show(pilot, ExecutionScreen(Running(stories[state], lambda: None)))
        snap(pilot, f"execution-{state}-{size[0]}x{size[1]}")


async def test_the_other_dialogs(opened: Opened, snap: Snap) -> None:
    desk = FakeDesk()
    screens = {
        "form": FormScreen(desk.spec("postgres.set_parameter"), {"name": "work_mem"}, "work_mem is at most 256MB here"),
        "decision": DecisionScreen(progress(TERMINATE, State.VERIFYING, says="inconclusive: no data for 40 s")),
        "executions": ExecutionsScreen(PAST),
        "unended": UnendedScreen(PAST[1]),
    }
    for name, screen in screens.items():
        async with opened((100, 30)) as pilot:
            await show(pilot, screen)
            snap(pilot, f"{name}-100x30")
