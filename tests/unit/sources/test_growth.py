"""Growth over the last minute, standstill, names with stars."""

from __future__ import annotations

import re

from hypothesis import given
from hypothesis import strategies as st

from debugtui.sources.globs import Globs, expression
from debugtui.sources.growth import WINDOW_S, Growth, Standstill
from debugtui.sources.redis.queues import match_of


def test_growth_is_measured_against_the_oldest_sample_of_the_minute() -> None:
    growth = Growth()
    assert growth.rate("q", 100, 0.0) is None
    assert growth.rate("q", 100, 0.5) is None  # too soon to say anything
    assert growth.rate("q", 150, 10.0) == 5.0
    assert growth.rate("q", 90, 20.0) == -0.5
    assert growth.rate("q", 90, 65.0) == (90 - 150) / 55


def test_one_that_is_read_seldom_still_grows() -> None:
    growth = Growth()
    growth.rate("q", 0, 0.0)
    assert growth.rate("q", 600, 300.0) == 2.0


def test_what_is_not_known_or_gone_is_forgotten() -> None:
    growth = Growth()
    growth.rate("q", 0, 0.0)
    assert growth.rate("q", None, 10.0) is None
    assert growth.rate("q", 50, 20.0) is None
    growth.rate("other", 1, 20.0)
    growth.keep(["other"])
    assert growth.rate("q", 50, 30.0) is None
    growth.clear()
    assert growth.rate("other", 1, 40.0) is None


@given(st.lists(st.tuples(st.integers(0, 10_000), st.floats(1, 30)), min_size=2, max_size=50))
def test_samples_stay_few(found: list[tuple[int, float]]) -> None:
    growth, now = Growth(), 0.0
    for value, step in found:
        now += step
        growth.rate("q", value, now)
    assert len(growth._samples["q"]) <= WINDOW_S + 2


def test_a_standstill_lasts_until_something_moves_or_there_is_nothing_to_do() -> None:
    still = Standstill()
    assert still.seconds("g", 1, 0.0, idle=False) is None
    assert still.seconds("g", 1, 40.0, idle=False) == 40.0
    assert still.seconds("g", 2, 50.0, idle=False) == 0.0
    assert still.seconds("g", 2, 60.0, idle=False) == 10.0
    assert still.seconds("g", 2, 70.0, idle=True) == 0.0
    assert still.seconds("g", 2, 80.0, idle=False) == 10.0
    still.keep([])
    assert still.seconds("g", 2, 90.0, idle=False) is None


def test_only_the_star_is_special() -> None:
    globs = Globs(["jobs.*", "a+b", "*.in"])
    assert [globs.match(name) for name in ("jobs.x", "jobs.", "jobsX", "a+b", "aab", "x.in", "x.in\n")] == [
        True,
        True,
        False,
        True,
        False,
        True,
        False,
    ]
    assert Globs([]).match("anything")


@given(st.text(max_size=30))
def test_a_name_matches_itself_whatever_signs_it_holds(name: str) -> None:
    assert Globs([name]).match(name) or name == ""
    assert re.fullmatch(expression(name), name, re.DOTALL)


def test_a_pattern_in_the_language_of_scan() -> None:
    assert match_of("q[1]:?\\^*") == "q\\[1\\]:\\?\\\\\\^*"
