"""Whatever fails, the end is the truth: unchanged, verified, rolled back, or unknown; never a success that nobody saw."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from debugtui.hosts.link import LinkError
from debugtui.model.clock import SystemClock
from debugtui.model.execution import Decision, State, Verdict
from debugtui.model.plan import GuardStatus
from debugtui.model.source import Freshness, Kind, LinkState, Problem, SourceStatus
from debugtui.remediation import lock as lock_module
from debugtui.remediation import steps as steps_module
from debugtui.remediation.base import Done, Sample, Settled, StepError, Undo
from debugtui.sources.base import SourceError
from tests.safety import history
from tests.unit.fakes import system_reading
from tests.unit.remediation.bench import AFTER, BEFORE, Bench, FakeLease, Faults

ENDS = {State.VERIFIED, State.ROLLED_BACK, State.FAILED, State.REFUSED, State.UNKNOWN}


@pytest.fixture(autouse=True)
def local(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lock_module, "Lease", FakeLease)
    monkeypatch.setattr(FakeLease, "held", {})
    monkeypatch.setattr(steps_module, "MARGIN_S", 0.1)
    monkeypatch.setattr(steps_module, "RECONNECT_S", 0.3)


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    bench = Bench(tmp_path)
    yield bench
    history.check(bench.journal)
    bench.close()


def end(bench: Bench, faults: Faults) -> Bench:
    bench.faults = bench.remediation.faults = faults
    bench.remediation.spec = replace(bench.remediation.spec, undo=faults.undo)  # type: ignore[misc]
    return bench


async def test_what_works_is_verified_and_written_down(bench: Bench) -> None:
    progress = await bench.apply()
    assert (progress.state, progress.exit_code, bench.number.value, bench.writes) == (State.VERIFIED, 0, AFTER, 1)
    entries = bench.journal.execution(progress.execution)
    assert entries is not None
    assert [entry.state.value for entry in entries.entries] == (
        ["planned", "approved", "locked", "prechecked", "intent", "sent", "acked", "verifying", "verified"]
    )
    assert [entry.event for entry in bench.audit.entries()] == ["approved", "sent", "verified"]
    assert bench.audit.verify().broken is None
    assert Path(progress.record).read_text().startswith("# docker.set\\_number on kvm-01/docker/number")


def boom(error: BaseException) -> Callable[[], None]:
    def raising() -> None:
        raise error

    return raising


async def hang() -> None:
    await asyncio.sleep(60)


LINK_LOST = LinkError(Problem("the link broke"))

#: name, faults, allowed ends, value afterwards.
MATRIX: list[tuple[str, Callable[[Bench], Faults], State, int]] = [
    ("rc 0 without effect", lambda _: Faults(instead=lambda: Done("rc 0")), State.ROLLED_BACK, BEFORE),
    ("certainly nothing changed", lambda _: Faults(before_send=boom(StepError("no", changed=False))), State.FAILED, BEFORE),
    ("failed half-way", lambda _: Faults(after_send=boom(StepError("half", changed=True))), State.ROLLED_BACK, BEFORE),
    ("failed, not known how far, done", lambda _: Faults(after_send=boom(StepError("?"))), State.VERIFIED, AFTER),
    ("failed, not known how far, not done", lambda _: Faults(before_send=boom(StepError("?"))), State.FAILED, BEFORE),
    ("link cut before it was sent", lambda _: Faults(before_send=boom(LINK_LOST)), State.FAILED, BEFORE),
    ("link cut after it was sent", lambda _: Faults(after_send=boom(LINK_LOST)), State.VERIFIED, AFTER),
    ("source lost after it was sent", lambda _: Faults(after_send=boom(SourceError(Problem("gone")))), State.VERIFIED, AFTER),
    ("hung before it was sent", lambda _: Faults(instead=hang), State.FAILED, BEFORE),
    ("hung after it was sent", lambda _: Faults(after_send=hang), State.VERIFIED, AFTER),
    ("a fault of ours in the step", lambda _: Faults(after_send=boom(ZeroDivisionError())), State.VERIFIED, AFTER),
    ("in doubt, and it cannot be seen", lambda _: Faults(after_send=hang, settles=Settled.UNKNOWN), State.ROLLED_BACK, BEFORE),
    (
        "in doubt, cannot be seen, no exact rollback",
        lambda _: Faults(after_send=hang, settles=Settled.UNKNOWN, undo=Undo.NONE),
        State.UNKNOWN,
        AFTER,
    ),
    ("it does not hold", lambda _: Faults(sample=lambda: Sample(False, "wrong")), State.ROLLED_BACK, BEFORE),
    (
        "it does not hold, no rollback",
        lambda _: Faults(sample=lambda: Sample(False, "x"), undo=Undo.NONE),
        State.UNKNOWN,
        AFTER,
    ),
    (
        "it does not hold, compensating only",
        lambda _: Faults(sample=lambda: Sample(False, "x"), undo=Undo.COMPENSATING),
        State.UNKNOWN,
        AFTER,
    ),
    ("verification is blind", lambda _: Faults(sample=lambda: Sample(None, "no data")), State.UNKNOWN, AFTER),
    ("verification raises", lambda _: Faults(sample=boom(SourceError(Problem("down")))), State.UNKNOWN, AFTER),
    ("verification has a fault", lambda _: Faults(sample=boom(KeyError("x"))), State.UNKNOWN, AFTER),
    (
        "the rollback fails",
        lambda _: Faults(instead=lambda: Done("0"), in_undo=boom(StepError("no"))),
        State.ROLLED_BACK,
        BEFORE,
    ),
    (
        "the rollback fails where it matters",
        lambda _: Faults(sample=lambda: Sample(False, "x"), in_undo=boom(StepError("no"))),
        State.UNKNOWN,
        AFTER,
    ),
]


@pytest.mark.parametrize(("faults", "state", "value"), [row[1:] for row in MATRIX], ids=[row[0] for row in MATRIX])
async def test_a_fault_ends_in_the_truth(bench: Bench, faults: Callable[[Bench], Faults], state: State, value: int) -> None:
    end(bench, faults(bench))
    progress = await bench.apply()
    assert (progress.state, bench.number.value) == (state, value), progress.says
    assert bench.writes <= 1
    stored = bench.journal.execution(progress.execution)
    assert stored is not None
    assert stored.state is state
    assert Path(progress.record).exists()
    if state is State.VERIFIED:
        assert [check.verdict for check in progress.checks] == [Verdict.PASS]


# --- before anything is sent


async def test_a_target_that_was_replaced_is_refused_with_what_moved(bench: Bench) -> None:
    plan = await bench.plan()
    bench.number.put({**bench.number.get(), "born": "second"})
    progress = await bench.apply(plan)
    assert (progress.state, bench.writes) == (State.REFUSED, 0)
    assert progress.moved == ("born was first, is second",)


async def test_a_target_that_is_replaced_in_the_last_moment_is_refused_by_the_step(bench: Bench) -> None:
    plan = await bench.plan()
    bench.faults.before_send = lambda: bench.number.put({**bench.number.get(), "born": "second"})
    progress = await bench.apply(plan)
    assert (progress.state, bench.writes, progress.moved) == (State.REFUSED, 0, ("the number was replaced",))


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (lambda faults: setattr(faults, "guard", GuardStatus.UNKNOWN), "calm is unknown now"),
        (lambda faults: setattr(faults, "guard", GuardStatus.FAIL), "calm is fail now"),
        (lambda faults: setattr(faults, "level", 2), "the risk rose to class 2"),
        (lambda faults: setattr(faults, "watch_s", 1), "the checks would be others now"),
        (lambda faults: setattr(faults, "drafting", boom(SourceError(Problem("down")))), "down"),
    ],
    ids=["guard unknown", "guard fails", "risk rose", "checks", "unreadable"],
)
async def test_what_got_worse_after_the_approval_refuses(bench: Bench, change: Callable[[Faults], None], says: str) -> None:
    plan = await bench.plan()
    approval = bench.approve(plan)
    change(bench.faults)
    progress = await bench.apply(plan, approval)
    assert (progress.state, bench.writes) == (State.REFUSED, 0)
    assert says in " ".join(progress.moved)


async def test_the_lease_of_another_operator_refuses(bench: Bench) -> None:
    FakeLease.held["kvm-01/docker/number"] = "bob on bastion-2"
    progress = await bench.apply()
    assert (progress.state, bench.writes) == (State.REFUSED, 0)
    assert "bob on bastion-2" in progress.says


async def test_two_operators_on_one_target_are_one_too_many(bench: Bench) -> None:
    first, second = await bench.plan(), await bench.plan()
    ends = await asyncio.gather(bench.apply(first), bench.apply(second))
    assert sorted(progress.state for progress in ends) == [State.REFUSED, State.VERIFIED]
    assert bench.writes == 1


async def test_an_execution_that_is_unknown_blocks_the_next_until_it_is_closed(bench: Bench) -> None:
    end(bench, Faults(sample=lambda: Sample(None, "no data")))
    unknown = await bench.apply()
    assert unknown.state is State.UNKNOWN
    plan = await bench.plan()
    assert [guard.name for guard in plan.refusals] == ["no_other_execution"]


class Jumping(SystemClock):
    """A wall clock that somebody sets back; the other one goes on."""

    def __init__(self) -> None:
        self.back = 0.0
        self.ahead = 0.0

    def now(self) -> datetime:
        return super().now() - timedelta(seconds=self.back)

    def monotonic(self) -> float:
        return super().monotonic() + self.ahead


async def test_a_clock_that_is_set_back_does_not_prolong_an_approval(tmp_path: Path) -> None:
    clock = Jumping()
    bench = Bench(tmp_path, clock=clock)
    plan = await bench.plan()
    approval = bench.approve(plan)

    def jump() -> None:
        clock.ahead = 700.0

    bench.faults.drafting = jump
    progress = await bench.apply(plan, approval)
    assert (progress.state, bench.writes) == (State.REFUSED, 0)
    assert "expired" in progress.says
    bench.close()


async def test_an_approval_of_the_future_is_refused(tmp_path: Path) -> None:
    clock = Jumping()
    bench = Bench(tmp_path, clock=clock)
    plan = await bench.plan()
    approval = bench.approve(plan)
    clock.back = 3600.0
    progress = await bench.apply(plan, approval)
    assert (progress.state, bench.writes) == (State.REFUSED, 0)
    bench.close()


# --- our own disk


@pytest.mark.parametrize("broken", [1, 2, 3, 4, 5], ids=["locked", "prechecked", "intent", "sent", "acked"])
async def test_a_full_disk_stops_before_anything_is_sent_and_never_half_way(
    bench: Bench, monkeypatch: pytest.MonkeyPatch, broken: int
) -> None:
    from debugtui.storage.problems import StorageError

    real, count = bench.journal.append, 0

    def append(*args: Any, **kwargs: Any) -> Any:
        nonlocal count
        count += 1
        if count >= broken:
            raise StorageError(Problem("disk full"))
        return real(*args, **kwargs)

    monkeypatch.setattr(bench.journal, "append", append)
    progress = await bench.apply()
    if broken <= 4:
        assert (progress.state, bench.writes) == (State.REFUSED, 0)
    else:
        assert (progress.state, bench.writes, bench.number.value) == (State.VERIFIED, 1, AFTER)
        assert "not everything could be written" in progress.says


async def test_a_full_disk_of_the_audit_log_stops_before_anything_is_sent(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    from debugtui.storage.problems import StorageError

    def append(*_: Any, **__: Any) -> Any:
        raise StorageError(Problem("disk full"))

    monkeypatch.setattr(bench.audit, "append", append)
    progress = await bench.apply()
    assert (progress.state, bench.writes) == (State.REFUSED, 0)


# --- the operator


async def test_an_inconclusive_verification_asks_and_may_watch_on(bench: Bench) -> None:
    blind = True

    def sample() -> Sample | None:
        return Sample(None, "no data") if blind else None

    end(bench, Faults(sample=sample, watch_s=1))
    bench.decisions = [Decision.WATCH_ON]

    async def decide(progress: Any) -> Decision:
        nonlocal blind
        blind = False
        return Decision.WATCH_ON

    plan = await bench.plan()
    progress = await bench.engine().apply(plan, bench.approve(plan), bench.told.append, decide)
    assert progress.state is State.VERIFIED


async def test_an_inconclusive_verification_may_be_rolled_back(bench: Bench) -> None:
    end(bench, Faults(sample=lambda: Sample(None, "no data")))
    bench.decisions = [Decision.ROLL_BACK]
    progress = await bench.apply()
    assert (progress.state, bench.number.value) == (State.ROLLED_BACK, BEFORE)


async def test_stopping_before_the_step_changes_nothing(bench: Bench) -> None:
    engine = bench.engine()
    engine.stop_after_step()
    progress = await bench.apply(engine=engine)
    assert (progress.state, bench.writes) == (State.FAILED, 0)


async def test_being_cancelled_never_cuts_a_step_in_half(bench: Bench) -> None:
    async def slow() -> None:
        await asyncio.sleep(0.3)

    end(bench, Faults(after_send=slow))
    task = asyncio.create_task(bench.apply())
    while bench.writes == 0:
        await asyncio.sleep(0.01)
    task.cancel()
    progress = await task
    assert progress.state in (State.VERIFIED, State.UNKNOWN)
    assert progress.steps[0].state == "done"


# --- what else got worse


async def test_a_source_that_can_no_longer_be_read_is_a_side_effect_and_is_rolled_back(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    live = SourceStatus("kvm-01", "system", Kind.SYSTEM, Freshness.LIVE, reading=system_reading())
    gone = replace(live, freshness=Freshness.LOST, problem=Problem("no answer"))
    bench.sources = lambda: (live if bench.writes == 0 or bench.number.value == BEFORE else gone,)
    progress = await bench.apply()
    assert (progress.state, bench.number.value) == (State.ROLLED_BACK, BEFORE)
    assert "kvm-01/system could be read before" in progress.side_effects[0]
    bench.close()


async def test_a_link_that_stays_lost_leaves_the_truth_open(bench: Bench) -> None:
    def cut() -> None:
        bench.link.become(LinkState.LOST, Problem("gone"))
        raise LINK_LOST

    end(bench, Faults(after_send=cut, undo=Undo.NONE))
    progress = await bench.apply()
    assert (progress.state, progress.exit_code) == (State.UNKNOWN, 6)
