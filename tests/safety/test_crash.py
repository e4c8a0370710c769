"""Killed at any moment: nothing is sent twice, nothing that happened is forgotten, and the target decides what is true."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from debugtui.model.execution import Decision, State
from debugtui.remediation import lock as lock_module
from tests.safety import history
from tests.unit.remediation.bench import AFTER, ALICE, BEFORE, TARGET, Bench, FakeLease

ROOT = Path(__file__).parents[2]
STATES = ["approved", "locked", "prechecked", "intent", "sent", "acked", "verifying", "verified"]


def killed(folder: Path, entry: int, *more: str) -> None:
    """Run the engine until its journal has so many entries, and see it die."""
    done = subprocess.run(
        [sys.executable, "-m", "tests.safety.killed_engine", str(folder), str(entry), *more],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == -9, done.stderr.decode()


@pytest.fixture(autouse=True)
def local(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lock_module, "Lease", FakeLease)
    monkeypatch.setattr(FakeLease, "held", {})


@pytest.fixture
def again(tmp_path: Path) -> Iterator[Callable[[], Bench]]:
    """What the operator starts after the crash."""
    opened: list[Bench] = []

    def start() -> Bench:
        opened.append(Bench(tmp_path))
        return opened[-1]

    yield start
    for bench in opened:
        history.check(bench.journal)
        assert bench.audit.verify().broken is None
        bench.close()


async def resume(bench: Bench, decision: Decision) -> State:
    (left,) = bench.journal.unfinished()
    engine = bench.engine()
    progress = await engine.resume(left.id, decision, bench.told.append, bench.decide, by=ALICE)
    return progress.state


def left(entry: int) -> int:
    """The value that the target has when the engine died after so many entries: the step runs after `sent` was written."""
    return AFTER if entry > STATES.index("sent") + 2 else BEFORE


@pytest.mark.parametrize("entry", range(2, 9), ids=STATES[:7])
@pytest.mark.parametrize("decision", list(Decision))
async def test_after_a_crash_the_target_is_looked_at_and_nothing_is_sent_twice(
    tmp_path: Path, again: Callable[[], Bench], entry: int, decision: Decision
) -> None:
    killed(tmp_path, entry)
    bench = again()
    value = bench.number.value
    assert value == left(entry)
    state = await resume(bench, decision)
    assert bench.writes == (1 if value == AFTER else 0), "nothing is sent again"
    if value == BEFORE:
        assert state is State.FAILED, "nothing was done, and that is what is said"
    else:
        wanted = {Decision.WATCH_ON: State.VERIFIED, Decision.ROLL_BACK: State.ROLLED_BACK, Decision.LEAVE: State.UNKNOWN}
        assert state is wanted[decision]
        assert bench.number.value == (BEFORE if decision is Decision.ROLL_BACK else AFTER)


def test_what_had_ended_needs_nobody(tmp_path: Path, again: Callable[[], Bench]) -> None:
    killed(tmp_path, 9)
    bench = again()
    assert bench.journal.unfinished() == ()
    assert [execution.state for execution in bench.journal.executions()] == [State.VERIFIED]


@pytest.mark.parametrize("entry", [9, 10], ids=["rolling back", "in the rollback's step"])
async def test_a_crash_in_a_rollback_is_finished_by_rolling_back(
    tmp_path: Path, again: Callable[[], Bench], entry: int
) -> None:
    killed(tmp_path, entry, "rollback")
    bench = again()
    assert await resume(bench, Decision.ROLL_BACK) is State.ROLLED_BACK
    assert bench.number.value == BEFORE


async def test_until_it_is_settled_nothing_else_is_planned_there(tmp_path: Path, again: Callable[[], Bench]) -> None:
    killed(tmp_path, 6)
    bench = again()
    assert len(bench.journal.open_on(TARGET)) == 1
    plan = await bench.plan()
    assert [guard.name for guard in plan.refusals] == ["no_other_execution"]
