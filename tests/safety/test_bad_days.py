"""Two steps, a revert that waits on the host, and whatever comes between: the end is what the target says it is."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from debugtui.hosts.link import LinkError
from debugtui.model.execution import Decision, Execution, Progress, State
from debugtui.model.source import Problem
from debugtui.remediation import lock as lock_module
from debugtui.remediation import steps as steps_module
from debugtui.remediation.approvals import make_rollback_approval
from debugtui.remediation.base import Sample, StepError
from debugtui.remediation.hands import Hands
from debugtui.remediation.remote import dead_man
from debugtui.storage.problems import StorageError
from tests.safety import history
from tests.safety.test_fault_matrix import Jumping
from tests.unit.remediation.bench import AFTER, ALICE, BEFORE, Bench, FakeLease
from tests.unit.remediation.pair import FakeReverts, PairBench

WAS, IS = (BEFORE, BEFORE), (AFTER, AFTER)


@pytest.fixture(autouse=True)
def local(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lock_module, "Lease", FakeLease)
    monkeypatch.setattr(FakeLease, "held", {})
    monkeypatch.setattr(steps_module, "MARGIN_S", 0.1)
    monkeypatch.setattr(steps_module, "RECONNECT_S", 0.3)


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[PairBench]:
    bench = PairBench(tmp_path)
    yield bench
    history.check(bench.journal)
    bench.close()


@pytest.fixture
def reverts(bench: PairBench, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> FakeReverts:
    bench.waits = bench.remediation.waits = True
    fake = FakeReverts(tmp_path / "reverts.json", bench.number)
    for name in ("arm", "disarm", "look"):
        monkeypatch.setattr(dead_man, name, getattr(fake, name))
    return fake


class Dies(BaseException):
    """What kill -9 is to the code that runs: nothing after it happens."""


async def die_before(bench: Bench, entry: int) -> Execution:
    """Apply, and die when the journal is about to get its entry of that number."""
    real, written = bench.journal.append, 2

    def append(*args: Any, **kwargs: Any) -> Any:
        nonlocal written
        if written + 1 >= entry:
            raise Dies
        written += 1
        return real(*args, **kwargs)

    bench.journal.append = append  # type: ignore[method-assign]
    with pytest.raises(Dies):
        await bench.apply()
    bench.journal.append = real  # type: ignore[method-assign]
    FakeLease.held.clear()
    (left,) = bench.journal.unfinished()
    return left


async def resume(bench: Bench, decision: Decision) -> Progress:
    (left,) = bench.journal.unfinished()
    return await bench.engine().resume(left.id, decision, bench.told.append, bench.decide, by=ALICE)


async def take_back(bench: Bench, done: Progress) -> Progress:
    approval = make_rollback_approval(done.plan, ALICE, bench.clock.now(), exact=True)
    return await bench.engine().rollback(done.execution, approval, bench.told.append, bench.decide)


async def test_two_steps_run_in_their_order(bench: PairBench) -> None:
    progress = await bench.apply()
    assert (progress.state, bench.both, bench.sent) == (State.VERIFIED, IS, ["1", "2"])


# --- the revert that waits on the host


async def test_a_revert_is_told_off_before_anything_is_called_verified(bench: PairBench, reverts: FakeReverts) -> None:
    progress = await bench.apply()
    assert (progress.state, bench.both, reverts.words) == (State.VERIFIED, IS, ["disarmed"])


async def test_a_revert_that_waits_after_a_crash_is_told_off_too(bench: PairBench, reverts: FakeReverts) -> None:
    await die_before(bench, 11)
    reverts.rearm()
    progress = await resume(bench, Decision.WATCH_ON)
    reverts.fire()
    assert (progress.state, bench.both) == (State.VERIFIED, IS), progress.says


async def test_a_revert_that_ran_while_we_were_dead_is_no_success(bench: PairBench, reverts: FakeReverts) -> None:
    await die_before(bench, 11)
    reverts.rearm()
    reverts.fire()
    progress = await resume(bench, Decision.WATCH_ON)
    assert (progress.state, bench.both) == (State.ROLLED_BACK, WAS), progress.says


async def test_a_revert_that_ran_before_the_failure_was_seen_is_not_called_unchanged(
    bench: PairBench, reverts: FakeReverts
) -> None:
    async def slow() -> None:
        reverts.fire()
        await asyncio.sleep(30)

    bench.hooks.after["1"] = slow
    progress = await bench.apply()
    assert progress.state is State.ROLLED_BACK, progress.says
    assert bench.both == WAS


async def test_a_host_that_cannot_be_told_is_rolled_back_by_us_too(bench: PairBench, reverts: FakeReverts) -> None:
    bench.hooks.after["2"] = lambda: setattr(reverts, "unreachable", True)
    progress = await bench.apply()
    assert progress.state in (State.ROLLED_BACK, State.UNKNOWN), progress.says
    reverts.fire()
    assert bench.both == WAS


async def test_a_full_disk_after_arming_tells_the_revert_off(
    bench: PairBench, reverts: FakeReverts, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = bench.journal.append

    def append(execution: str, state: State, *args: Any, **kwargs: Any) -> Any:
        if state is State.INTENT:
            raise StorageError(Problem("disk full"))
        return real(execution, state, *args, **kwargs)

    monkeypatch.setattr(bench.journal, "append", append)
    progress = await bench.apply()
    assert (progress.state, bench.both, reverts.words) == (State.REFUSED, WAS, ["disarmed"])


# --- after a crash


async def test_steps_that_were_never_sent_are_sent_when_the_operator_goes_on(bench: PairBench) -> None:
    await die_before(bench, 8)
    assert bench.sent == ["1"]
    progress = await resume(bench, Decision.WATCH_ON)
    assert (progress.state, bench.sent) == (State.VERIFIED, ["1", "2"]), progress.says


async def test_a_step_that_failed_half_way_before_the_crash_is_never_called_unchanged(bench: PairBench) -> None:
    def half() -> None:
        raise StepError("half", changed=True)

    bench.hooks.before["1"] = half
    await die_before(bench, 8)
    progress = await resume(bench, Decision.LEAVE)
    assert progress.state is State.UNKNOWN, progress.says


async def test_going_on_in_the_middle_of_a_rollback_never_verifies(bench: PairBench) -> None:
    bench.faults.sample = lambda: Sample(False, "x")
    await die_before(bench, 13)
    bench.faults.sample = lambda: None
    progress = await resume(bench, Decision.WATCH_ON)
    assert progress.state is State.UNKNOWN, progress.says


# --- approval, lock, journal


async def test_seconds_that_passed_before_a_clock_was_set_back_count(tmp_path: Path) -> None:
    clock = Jumping()
    bench = Bench(tmp_path, clock=clock)
    plan = await bench.plan()
    approval = bench.approve(plan)
    clock.ahead, clock.back = 400.0, -400.0  # of the 600 s of an approval 400 pass honestly

    def jump() -> None:
        clock.ahead, clock.back = 800.0, -399.0  # and 400 more while the wall clock stands

    bench.faults.drafting = jump
    progress = await bench.apply(plan, approval)
    assert (progress.state, bench.writes) == (State.REFUSED, 0), progress.says
    bench.close()


async def test_a_plan_is_executed_once(bench: PairBench) -> None:
    plan = await bench.plan()
    assert (await bench.apply(plan)).state is State.VERIFIED
    bench.number.put({"value": BEFORE, "writes": 0, "undos": 0, "born": "first"})
    progress = await bench.apply(plan)
    assert (progress.state, bench.both) == (State.REFUSED, WAS)
    assert "executed already" in progress.says


async def test_without_the_lock_nothing_more_is_sent_unless_the_operator_says_so(
    bench: PairBench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lock_module, "RENEW_S", 0.01)

    async def stolen() -> None:
        FakeLease.held["kvm-01/docker/number"] = "bob"
        await asyncio.sleep(0.1)

    bench.hooks.after["1"] = stolen
    progress = await bench.apply()
    assert (progress.state, bench.sent) == (State.UNKNOWN, ["1"]), progress.says


async def test_an_end_that_cannot_be_written_says_so(bench: PairBench, monkeypatch: pytest.MonkeyPatch) -> None:
    real = bench.journal.append

    def append(execution: str, state: State, *args: Any, **kwargs: Any) -> Any:
        if state is State.VERIFIED:
            raise StorageError(Problem("disk full"))
        return real(execution, state, *args, **kwargs)

    monkeypatch.setattr(bench.journal, "append", append)
    progress = await bench.apply()
    assert "not everything could be written: disk full" in progress.says


# --- rolling back on demand


async def test_a_rollback_that_could_not_be_written_down_is_not_begun(
    bench: PairBench, monkeypatch: pytest.MonkeyPatch
) -> None:
    done = await bench.apply()
    real, count = bench.journal.append, 0

    def append(*args: Any, **kwargs: Any) -> Any:
        nonlocal count
        count += 1
        if count == 1:
            raise StorageError(Problem("disk full"))
        return real(*args, **kwargs)

    monkeypatch.setattr(bench.journal, "append", append)
    progress = await take_back(bench, done)
    stored = bench.journal.execution(done.execution)
    assert stored is not None
    assert (progress.state, stored.state, bench.both) == (State.REFUSED, State.VERIFIED, IS)


async def test_a_rollback_by_other_steps_than_were_shown_is_refused(bench: PairBench) -> None:
    done = await bench.apply()
    bench.hooks.undo_says = " --everything"
    progress = await take_back(bench, done)
    assert (progress.state, bench.both) == (State.REFUSED, IS)


async def test_a_second_try_of_a_rollback_is_another_one_for_the_host(bench: PairBench) -> None:
    done = await bench.apply()

    def fail() -> None:
        raise StepError("not now", changed=False)

    bench.hooks.before["r2"] = fail
    assert (await take_back(bench, done)).state is State.UNKNOWN
    del bench.hooks.before["r2"]
    assert (await take_back(bench, done)).state is State.ROLLED_BACK
    assert bench.both == WAS
    assert len(set(bench.marks)) == len(bench.marks), "what runs detached would only tell its old result again"


# --- who watches, who decides, what closes


async def test_a_screen_that_stumbles_changes_nothing(bench: PairBench) -> None:
    def tell(progress: Progress) -> None:
        if progress.state is State.SENT:
            raise RuntimeError("the screen is gone")

    plan = await bench.plan()
    progress = await bench.engine().apply(plan, bench.approve(plan), tell, bench.decide)
    assert progress.state is State.VERIFIED, progress.says


@pytest.mark.parametrize("error", [asyncio.CancelledError(), RuntimeError("no screen")], ids=["withdrawn", "broken"])
async def test_a_question_that_nobody_answers_leaves_it_open(bench: PairBench, error: BaseException) -> None:
    bench.faults.sample = lambda: Sample(None, "no data")

    async def decide(_progress: Progress) -> Decision:
        raise error

    plan = await bench.plan()
    progress = await bench.engine().apply(plan, bench.approve(plan), bench.told.append, decide)
    assert (progress.state, bench.both) == (State.UNKNOWN, IS)


async def test_what_closing_stumbles_over_changes_nothing(bench: PairBench, monkeypatch: pytest.MonkeyPatch) -> None:
    async def close(_hands: Hands) -> None:
        raise LinkError(Problem("already gone"))

    monkeypatch.setattr(Hands, "close", close)
    assert (await bench.apply()).state is State.VERIFIED


async def test_who_stopped_and_then_wants_it_watched_gets_it_watched(bench: PairBench) -> None:
    engine = bench.engine()
    bench.hooks.after["2"] = engine.stop_after_step
    bench.decisions = [Decision.WATCH_ON]
    progress = await bench.apply(engine=engine)
    assert progress.state is State.VERIFIED, progress.says
