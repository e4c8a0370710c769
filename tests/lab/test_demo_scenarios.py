"""The demo's time line and figures: pure functions."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from debugtui.demo import cast
from debugtui.demo.host_figures import BOOTED, HostFigures
from debugtui.demo.scenarios import DEFAULT_SCENARIO, SCENARIOS, Fault, Timeline
from debugtui.demo.waves import Wave


def test_every_fault_has_a_scenario_of_its_own_and_a_place_in_the_tour() -> None:
    for fault in Fault:
        assert SCENARIOS[fault.value].acts[0].fault is fault
    assert {act.fault for act in SCENARIOS["tour"].acts} == set(Fault)
    assert SCENARIOS["calm"].acts == ()
    assert DEFAULT_SCENARIO in SCENARIOS


def test_the_tour_begins_with_a_lock_chain_and_has_one_fault_at_a_time_with_quiet_in_between() -> None:
    tour = SCENARIOS["tour"]
    assert tour.acts[0].fault is Fault.LOCK_CHAIN
    assert tour.acts[0].starts < 5
    for before, after in itertools.pairwise(tour.acts):
        assert after.starts - before.ends >= 10
    assert tour.period is not None
    assert tour.acts[-1].ends < tour.period


def test_a_scenario_with_a_period_begins_anew() -> None:
    tour = SCENARIOS["tour"]
    assert tour.period is not None
    assert tour.since(Fault.LOCK_CHAIN, 11) == 10
    assert tour.since(Fault.LOCK_CHAIN, 2 * tour.period + 11) == 10
    assert tour.since(Fault.LOCK_CHAIN, tour.acts[0].ends) is None
    assert list(tour.spans(Fault.LOCK_CHAIN, tour.period + 31)) == [(1, 90), (tour.period + 1, tour.period + 31)]


@given(st.sampled_from(sorted(SCENARIOS)), st.sampled_from(list(Fault)), st.floats(0, 5_000))
def test_spans_and_since_agree(name: str, fault: Fault, at: float) -> None:
    scenario = SCENARIOS[name]
    spans = list(scenario.spans(fault, at))
    since = scenario.since(fault, at)
    if since is not None:
        assert spans[-1][1] == pytest.approx(at)
        assert at - spans[-1][0] == pytest.approx(since, abs=1e-6)
    else:
        assert all(end <= at for _, end in spans)


@given(st.floats(0.01, 1e6), st.floats(0, 1), st.text(max_size=5), st.floats(0, 1e6), st.floats(0, 100))
def test_counters_never_run_backwards(base: float, swing: float, seed: str, start: float, lasts: float) -> None:
    wave = Wave(base, swing, seed)
    assert wave.at(start) >= 0
    assert wave.between(start, start + lasts) >= -1e-6 * base
    assert wave.total(0) == pytest.approx(0, abs=1e-6 * base)


def test_a_disk_fills_up_and_is_cleaned() -> None:
    scenario = SCENARIOS["tour"]
    act = next(act for act in scenario.acts if act.fault is Fault.DISK_FULL)
    figures = HostFigures(cast.BY_NAME[cast.DISK_HOST], Timeline(scenario, BOOTED + 1e7))

    def used(second: float) -> float:
        mount = next(mount for mount in figures.mounts(BOOTED + 1e7 + second) if mount.mount == cast.DISK_MOUNT)
        return 100 * mount.used / (mount.used + mount.available)

    assert used(act.starts - 1) < 70
    assert 70 < used(act.starts + 25) < 98
    assert used(act.ends - 1) > 98
    assert used(act.ends + 30) < 70


def test_names_are_unique_and_the_faults_have_their_targets() -> None:
    assert len({host.name for host in cast.HOSTS}) == 3
    names = [(host.name, part.name) for host in cast.HOSTS for part in (*host.vms, *host.containers)]
    assert len(names) == len(set(names))
    assert 18 <= sum(len(host.containers) for host in cast.HOSTS) <= 25
    assert any(part.service == cast.CRASH_SERVICE for part in cast.BY_NAME[cast.CRASH_HOST].containers)
    assert any(vm.name == cast.PAUSED_VM and vm.running for vm in cast.BY_NAME[cast.PAUSED_HOST].vms)
