"""When a container counts as looping, and when it does not any more."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from debugtui.sources.docker.containers import Details
from debugtui.sources.docker.looping import ENDS, RestartWatch

NOW = datetime(2026, 3, 14, 9, 26, 53, tzinfo=UTC)


def details(restarts: int = 0, *, policy: str = "always", started: datetime | None = None) -> Details:
    return Details("running", 0, False, restarts, policy, started, None, "none", None, "")


def after(seconds: float) -> datetime:
    return NOW + timedelta(seconds=seconds)


def ended(watch: RestartWatch, *seconds: float) -> None:
    for moment in seconds:
        watch.event("c", "die", after(moment))
        watch.event("c", "start", after(moment + 0.1))


def test_a_container_that_waits_for_its_restart_is_looping() -> None:
    assert RestartWatch().looping("c", "restarting", details(1), NOW)


@pytest.mark.parametrize("count", range(5))
def test_ends_by_themselves_are_counted(count: int) -> None:
    watch = RestartWatch()
    ended(watch, *range(count))
    assert watch.looping("c", "running", details(started=after(count)), after(count + 1)) is (count >= ENDS)


def test_ends_outside_the_window_do_not_count() -> None:
    watch = RestartWatch()
    ended(watch, 0, 300, 900)
    assert not watch.looping("c", "running", details(), after(901))


def test_ends_on_demand_do_not_count() -> None:
    watch = RestartWatch()
    for moment in range(5):
        watch.event("c", "kill", after(moment))
        ended(watch, moment + 0.5)
    assert not watch.looping("c", "running", details(), after(6))


def test_a_signal_long_ago_does_not_excuse_an_end() -> None:
    watch = RestartWatch()
    watch.event("c", "kill", after(-3600))  # a reload, say
    ended(watch, 0, 1, 2)
    assert watch.looping("c", "running", details(), after(3))


def test_who_is_not_started_by_the_engine_is_not_looping() -> None:
    watch = RestartWatch()
    ended(watch, 0, 1, 2, 3)
    assert not watch.looping("c", "running", details(policy="no"), after(4))
    assert not watch.looping("c", "exited", details(), after(4))


def test_restart_counts_of_the_reads_count_too() -> None:
    watch = RestartWatch()
    for read in range(4):
        watch.read("c", details(read), after(100 * read))
    assert watch.looping("c", "running", details(3), after(301))


def test_a_count_that_jumps_between_two_reads_is_a_loop_at_once() -> None:
    watch = RestartWatch()
    watch.read("c", details(4), NOW)
    watch.read("c", details(5), after(2))
    assert not watch.looping("c", "running", details(5), after(2))
    watch.read("c", details(7), after(4))
    assert watch.looping("c", "running", details(7), after(4))


def test_one_crash_is_no_loop_and_a_count_that_starts_anew_is_none() -> None:
    watch = RestartWatch()
    watch.read("c", details(40), NOW)
    watch.read("c", details(0), after(2))
    watch.read("c", details(1), after(4))
    ended(watch, 3)
    assert not watch.looping("c", "running", details(1), after(5))


def test_it_is_mended_after_twice_the_usual_time_between_ends() -> None:
    watch = RestartWatch()
    ended(watch, 0, 120, 240)
    running = details(started=after(241))
    assert watch.looping("c", "running", running, after(241 + 200))
    assert not watch.looping("c", "running", running, after(241 + 241))
    quick = RestartWatch()
    ended(quick, 0, 1, 2)
    assert quick.looping("c", "running", details(started=after(3)), after(3 + 59))
    assert not quick.looping("c", "running", details(started=after(3)), after(3 + 61))


def test_what_is_gone_is_forgotten() -> None:
    watch = RestartWatch()
    ended(watch, 0, 1, 2)
    watch.keep({"other"})
    assert not watch.looping("c", "running", details(), after(3))
    ended(watch, 0, 1, 2)
    watch.event("c", "destroy", after(3))
    assert not watch.looping("c", "running", details(), after(3))
