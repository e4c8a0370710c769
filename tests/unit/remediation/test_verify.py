"""Three verdicts: pass, fail, inconclusive; and no pass that nobody saw."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace

import pytest

from debugtui.hosts.link import LinkError
from debugtui.model.execution import Verdict
from debugtui.model.source import Problem
from debugtui.remediation import verify
from debugtui.remediation.base import LiveCheck, Sample
from debugtui.remediation.eyes import Eyes
from debugtui.remediation.verify import Watch, watch_all
from tests.unit.fakes import FakeClock
from tests.unit.remediation.scripted import eyes

OK, BAD, BLIND = Sample(True, "ok"), Sample(False, "bad"), Sample(None, "no data")


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> FakeClock:
    """Time that moves only when a check sleeps."""
    clock = FakeClock()
    real = asyncio.sleep

    async def sleep(seconds: float) -> None:
        clock.move(seconds)
        await real(0)

    monkeypatch.setattr(verify.asyncio, "sleep", sleep)
    return clock


def check(samples: Iterable[Sample | Exception], *, watch_s: int = 10, within_s: float = 5.0, least: int = 3) -> LiveCheck:
    left: Iterator[Sample | Exception] = iter(samples)
    last: list[Sample | Exception] = [BLIND]

    async def sample(_eyes: Eyes) -> Sample:
        last[0] = next(left, last[0])
        if isinstance(last[0], Exception):
            raise last[0]
        return last[0]

    return LiveCheck("it holds", watch_s, "it has to", sample, within_s=within_s, every_s=1.0, least=least)


async def verdict(clock: FakeClock, *samples: Sample | Exception, **more: float) -> tuple[Verdict, float]:
    watch = Watch(check(samples, **more), eyes(clock=clock))  # type: ignore[arg-type]
    return await watch.run(lambda: None), clock.monotonic()


async def test_it_passes_when_it_held_for_its_whole_time(clock: FakeClock) -> None:
    assert await verdict(clock, OK) == (Verdict.PASS, 10.0)


async def test_it_may_take_its_time_to_become_ok(clock: FakeClock) -> None:
    assert await verdict(clock, BAD, BAD, BAD, OK) == (Verdict.PASS, 13.0)


async def test_it_fails_when_it_does_not_become_ok_in_time(clock: FakeClock) -> None:
    assert await verdict(clock, BAD) == (Verdict.FAIL, 5.0)


async def test_one_relapse_starts_the_time_again(clock: FakeClock) -> None:
    assert await verdict(clock, OK, OK, OK, BAD, OK) == (Verdict.PASS, 14.0)


async def test_two_bad_samples_in_a_row_fail_it(clock: FakeClock) -> None:
    assert await verdict(clock, OK, OK, BAD, BAD, OK) == (Verdict.FAIL, 3.0)


async def test_a_second_relapse_fails_it(clock: FakeClock) -> None:
    assert await verdict(clock, OK, BAD, OK, OK, BAD, OK) == (Verdict.FAIL, 4.0)


@pytest.mark.parametrize(
    "blind",
    [BLIND, LinkError(Problem("the link is down")), KeyError("x"), TimeoutError()],
    ids=["no data", "link", "fault", "timeout"],
)
async def test_what_cannot_be_seen_is_inconclusive_and_never_a_pass(clock: FakeClock, blind: Sample | Exception) -> None:
    found, took = await verdict(clock, blind)
    assert found is Verdict.INCONCLUSIVE
    assert took == 5 + 3 * 10 + 10  # time to become ok, three watching times, a silence


async def test_a_blind_moment_counts_neither_way(clock: FakeClock) -> None:
    assert await verdict(clock, OK, OK, BLIND, BLIND, OK) == (Verdict.PASS, 10.0)


async def test_after_a_long_silence_the_time_starts_again(clock: FakeClock) -> None:
    found, took = await verdict(clock, OK, OK, *[BLIND] * 11, OK)
    assert found is Verdict.PASS
    assert took == 23.0  # ok again at 13


async def test_too_few_samples_are_no_pass(clock: FakeClock) -> None:
    assert await verdict(clock, OK, watch_s=0, least=3) == (Verdict.PASS, 2.0)


async def test_times_are_scaled_in_tests_only_by_the_surroundings(clock: FakeClock) -> None:
    looking = Eyes(replace(eyes(clock=clock).around, dwell=0.1))
    watch = Watch(check([OK]), looking)
    assert await watch.run(lambda: None) is Verdict.PASS
    assert clock.monotonic() == pytest.approx(1.0, abs=0.15)


async def test_the_screen_is_told_of_every_sample(clock: FakeClock) -> None:
    watch = Watch(check([BAD, OK]), eyes(clock=clock))
    seen: list[tuple[float, int]] = []
    await watch.run(lambda: seen.append((watch.progress().held_s, len(watch.progress().samples))))
    assert seen[:3] == [(0.0, 1), (0.0, 2), (1.0, 3)]
    progress = watch.progress()
    assert (progress.verdict, progress.held_s, progress.watch_s) == (Verdict.PASS, 10, 10)
    assert [one.ok for one in progress.samples][:2] == [False, True]


# --- several checks


async def together(clock: FakeClock, *checks: LiveCheck, stop: Callable[[], bool] = lambda: False) -> Verdict:
    watches = [Watch(one, eyes(clock=clock)) for one in checks]
    event = asyncio.Event()

    def changed() -> None:
        if stop():
            event.set()

    return await watch_all(watches, changed, event)


async def test_all_have_to_pass(clock: FakeClock) -> None:
    assert await together(clock, check([OK]), check([OK], watch_s=20)) is Verdict.PASS


async def test_one_failure_ends_it(clock: FakeClock) -> None:
    assert await together(clock, check([OK], watch_s=1000), check([BAD])) is Verdict.FAIL


async def test_one_that_cannot_be_seen_makes_it_inconclusive(clock: FakeClock) -> None:
    assert await together(clock, check([OK]), check([BLIND])) is Verdict.INCONCLUSIVE


async def test_stopped_by_the_operator_it_has_no_verdict(clock: FakeClock) -> None:
    assert await together(clock, check([OK], watch_s=1000), stop=lambda: clock.elapsed > 20) is Verdict.INCONCLUSIVE


async def test_nothing_watched_proves_nothing(clock: FakeClock) -> None:
    with pytest.raises(ValueError, match="proves nothing"):
        await together(clock)


async def test_a_look_that_hangs_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(verify, "SAMPLE_LIMIT", 0.01)

    async def sample(_eyes: Eyes) -> Sample:
        await asyncio.Event().wait()
        return OK

    looking = Eyes(replace(eyes().around, dwell=0.0001))
    watch = Watch(LiveCheck("hangs", 1, "", sample), looking)
    looked = await watch._look()
    assert (looked.ok, looked.value) == (None, "no answer within 0 s")
