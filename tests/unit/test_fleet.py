"""The fleet polls at a pace that adapts, keeps what it knew, and says how far it can be trusted."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from debugtui.fleet.fleet import Attention, Fleet, HostParts
from debugtui.fleet.pace import ABSENT, FAILING, SLOWEST, Pace, smooth
from debugtui.fleet.poller import Poller
from debugtui.hosts.link import LinkError
from debugtui.model.source import Freshness, Kind, LinkState, Problem
from debugtui.model.target import Target
from debugtui.sources.base import SourceError
from tests.unit.fakes import START, FakeClock, FakeLink, FakeSource, system_reading


def make_poller(source: FakeSource, link: FakeLink | None = None, *, named: bool = True) -> tuple[Poller, FakeClock]:
    clock = FakeClock()
    poller = Poller(link or FakeLink(), source, named=named, refresh=2.0, clock=clock, publish=lambda _: None)
    return poller, clock


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(5):
        while not condition():
            await asyncio.sleep(0.005)


async def test_a_reading_is_live_then_stale() -> None:
    poller, clock = make_poller(FakeSource())
    await poller.read_once()
    assert poller.status().freshness is Freshness.LIVE
    clock.move(5.9)
    assert poller.status().freshness is Freshness.LIVE
    clock.move(0.2)
    assert poller.status().freshness is Freshness.STALE


async def test_a_failure_keeps_the_reading_and_says_why() -> None:
    source = FakeSource()
    poller, _ = make_poller(source)
    await poller.read_once()
    kept = poller.status().reading
    source.answer = SourceError(Problem("engine stopped", "start it"))
    await poller.read_once()
    status = poller.status()
    assert status.reading is kept
    assert status.freshness is Freshness.STALE
    assert status.problem == Problem("engine stopped", "start it")
    source.answer = system_reading()
    await poller.read_once()
    assert poller.status().freshness is Freshness.LIVE
    assert poller.status().problem is None


async def test_what_was_never_read_is_lost() -> None:
    poller, _ = make_poller(FakeSource(answer=SourceError(Problem("refused"))))
    assert poller.status().freshness is Freshness.LOST
    await poller.read_once()
    assert poller.status().freshness is Freshness.LOST


async def test_a_lost_link_outranks_a_fresh_reading_and_names_the_hop() -> None:
    link = FakeLink()
    poller, _ = make_poller(FakeSource(), link)
    await poller.read_once()
    link.become(LinkState.LOST, Problem("bastion does not answer"))
    status = poller.status()
    assert status.freshness is Freshness.LOST
    assert status.reading is not None
    assert status.problem == Problem("bastion does not answer")


@pytest.mark.parametrize(("named", "expected"), [(False, Freshness.OFF), (True, Freshness.LOST)])
async def test_an_absent_service_is_off_only_where_nobody_named_it(named: bool, expected: Freshness) -> None:
    source = FakeSource(answer=SourceError(Problem("no such socket"), absent=True))
    poller, _ = make_poller(source, named=named)
    await poller.read_once()
    assert poller.status().freshness is expected


async def test_a_fault_of_our_own_is_shown_and_does_not_end_the_poller() -> None:
    source = FakeSource(answer=ZeroDivisionError("division by zero"))
    poller, _ = make_poller(source)
    await poller.read_once()
    problem = poller.status().problem
    assert problem is not None
    assert problem.says == "ZeroDivisionError: division by zero"


async def test_a_link_error_is_the_sources_problem() -> None:
    poller, _ = make_poller(FakeSource(answer=LinkError(Problem("not up"))))
    await poller.read_once()
    assert poller.status().problem == Problem("not up")


@pytest.fixture
async def fleet_of() -> Callable[..., Awaitable[tuple[Fleet, FakeLink, list[FakeSource], FakeClock]]]:
    async def make(
        *sources: FakeSource, state: LinkState = LinkState.UP
    ) -> tuple[Fleet, FakeLink, list[FakeSource], FakeClock]:
        link, clock = FakeLink(state=state), FakeClock()
        fleet = Fleet([HostParts(link, [(source, True) for source in sources])], refresh=0.01, clock=clock)
        await fleet.start()
        return fleet, link, list(sources), clock

    return make


async def test_nothing_is_asked_while_the_link_is_down_and_at_once_when_it_is_up(fleet_of: Callable) -> None:
    source = FakeSource()
    fleet, link, _, _ = await fleet_of(source, state=LinkState.CONNECTING)
    await asyncio.sleep(0.03)
    assert source.reads == []
    link.become(LinkState.UP)
    await until(lambda: bool(source.reads))
    await fleet.stop()


async def test_the_first_read_is_quick_and_the_second_is_full(fleet_of: Callable) -> None:
    source = FakeSource()
    fleet, _, _, _ = await fleet_of(source)
    await until(lambda: len(source.reads) >= 3)
    assert source.reads[:3] == [False, True, False]
    await fleet.stop()


async def test_stopping_closes_every_source_and_link_and_ends_every_task(fleet_of: Callable) -> None:
    before = asyncio.all_tasks()
    fleet, link, sources, _ = await fleet_of(FakeSource(), FakeSource(Kind.DOCKER))
    await until(lambda: all(source.reads for source in sources))
    await fleet.stop()
    await fleet.stop()
    assert link.closed
    assert all(source.closed for source in sources)
    assert asyncio.all_tasks() == before


async def test_a_view_does_not_change_when_the_fleet_does(fleet_of: Callable) -> None:
    source = FakeSource()
    fleet, _, _, _ = await fleet_of(source)
    await until(lambda: fleet.version > 0)
    view = fleet.view()
    source.answer = system_reading(cpu_percent=99.0)
    await until(lambda: fleet.view().hosts[0].sources[0].reading.cpu_percent == 99.0)
    assert view.hosts[0].sources[0].reading.cpu_percent == 21.0
    await fleet.stop()


async def test_history_holds_the_figures_of_fresh_readings(fleet_of: Callable) -> None:
    fleet, _, _, _ = await fleet_of(FakeSource())
    await until(lambda: len(fleet.series(Target("kvm-01", "system"), "cpu").values) >= 2)
    series = fleet.series(Target("kvm-01", "system"), "cpu")
    assert series.values[0] == 21.0
    assert series.times[0] == START.timestamp()
    assert len(fleet.series(Target("nobody", "system"), "cpu").values) == 0
    await fleet.stop()


async def test_attention_slows_what_nobody_looks_at(fleet_of: Callable) -> None:
    docker = FakeSource(Kind.DOCKER)
    fleet, _, _, _ = await fleet_of(FakeSource(), docker)
    await until(lambda: bool(docker.reads))
    fleet.attend(Attention(kinds=frozenset({Kind.SYSTEM})))
    system, hidden = fleet.statuses()
    assert hidden.interval_s == pytest.approx(5 * system.interval_s)
    fleet.attend(Attention(kinds=frozenset(), opened=("kvm-01", Kind.DOCKER, "docker")))
    assert fleet.statuses()[1].interval_s == pytest.approx(0.01)
    await fleet.stop()


async def test_a_slow_source_never_piles_up_requests(fleet_of: Callable) -> None:
    running = 0
    most = 0

    class Slow(FakeSource):
        async def read(self, *, full: bool):
            nonlocal running, most
            running += 1
            most = max(most, running)
            await asyncio.sleep(0.05)
            running -= 1
            return await super().read(full=full)

    source = Slow()
    fleet, _, _, _ = await fleet_of(source)
    for _ in range(20):
        fleet.read_now()
        await asyncio.sleep(0.01)
    assert most == 1
    await fleet.stop()


def test_a_lost_link_is_retried_on_demand_but_an_up_one_is_left_alone() -> None:
    link = FakeLink()
    fleet = Fleet([HostParts(link, [])])
    fleet.read_now()
    assert link.retries == 0
    link.become(LinkState.REFUSED)
    fleet.read_now()
    assert link.retries == 1


@given(
    refresh=st.floats(0.5, 60),
    took=st.floats(0, 100),
    visible=st.booleans(),
    failures=st.integers(0, 1000),
    absent=st.booleans(),
)
def test_the_pace_keeps_its_promises(refresh: float, took: float, visible: bool, failures: int, absent: bool) -> None:
    interval = Pace(refresh, took, visible, failures, absent).interval
    assert 0 < interval <= max(SLOWEST, ABSENT)
    if failures and not absent:
        assert interval <= FAILING  # heals within ten seconds on the screen
    elif not absent:
        assert interval >= min(SLOWEST, took * 4)  # at most a quarter of the time is spent reading


def test_one_fast_read_does_not_hide_a_slow_source() -> None:
    assert smooth(1.0, 2.0) == 2.0
    assert smooth(2.0, 0.0) == pytest.approx(1.4)
