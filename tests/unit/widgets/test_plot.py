"""Curves that do not lie: gaps stay gaps, peaks stay, scales hold still."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from debugtui.widgets.plot import BLOCKS, buckets, columns_of, nice_top, number, spark, usual_distance

VALUES = st.lists(st.one_of(st.none(), st.floats()), max_size=40)


def test_spark() -> None:
    assert spark([0, 50, 100], 3, 0, 100) == "▁▄█" or spark([0, 50, 100], 3, 0, 100) == "▁▅█"
    assert spark([1, None, 1], 5, 0, 1) == "  █ █"
    assert spark([], 4) == "    "
    assert spark([5, 5], 2) == "▁▁"
    assert spark([-5, 500], 2, 0, 100) == "▁█"
    assert spark([1, 2, 3], 2) == "▁█"
    assert spark([1], 0) == ""


@given(VALUES, st.integers(0, 60))
def test_a_spark_is_as_wide_as_asked_and_never_fails(values: list[float | None], width: int) -> None:
    text = spark(values, width)
    assert len(text) == width
    assert set(text) <= set(BLOCKS)


def test_a_pause_is_a_gap_and_a_peak_is_kept() -> None:
    times = [float(second) for second in range(20)] + [float(second) for second in range(60, 80)]
    values: list[float | None] = [1.0] * 40
    values[5] = 9.0
    cells = buckets(times, values, 8, 0.0, 80.0)
    assert cells == [9.0, 1.0, None, None, None, None, 1.0, 1.0]
    assert usual_distance(times) == 1.0


def test_rare_points_hold_until_the_next() -> None:
    assert buckets([0.0, 10.0, 20.0], [1.0, 2.0, 3.0], 6, 0.0, 20.0) == [1.0, 1.0, 1.0, 2.0, 2.0, 3.0]


def test_an_unknown_point_is_not_drawn() -> None:
    assert buckets([0.0, 1.0, 2.0, 3.0], [1.0, None, math.nan, 4.0], 4, 0.0, 4.0) == [1.0, None, None, 4.0]


@given(VALUES, st.integers(0, 30), st.floats(1, 100))
def test_buckets_never_fail(values: list[float | None], width: int, end: float) -> None:
    cells = buckets([float(index) for index in range(len(values))], values, width, 0.0, end)
    assert len(cells) == width


@given(st.lists(st.one_of(st.none(), st.floats(-1e6, 1e6)), max_size=20), st.integers(0, 8))
def test_columns_fill_their_box(cells: list[float | None], height: int) -> None:
    lines = columns_of(cells, height, 0.0, 100.0)
    assert len(lines) == height
    assert all(len(line) == len(cells) for line in lines)


def test_columns() -> None:
    assert columns_of([0.0, 50.0, 100.0, None], 2, 0.0, 100.0) == ["  █ ", "▁██·"]


@pytest.mark.parametrize(("value", "top"), [(0, 1), (3, 5), (5, 5), (5.1, 10), (0.04, 0.05), (1234, 2000), (math.nan, 1)])
def test_nice_top(value: float, top: float) -> None:
    assert nice_top(value) == pytest.approx(top)


@pytest.mark.parametrize(
    ("value", "text"),
    [(None, "-"), (0, "0"), (0.25, "0.25"), (7.5, "7.5"), (182.4, "182"), (12_345, "12k"), (1_500_000, "1.5M")],
)
def test_number(value: float | None, text: str) -> None:
    assert number(value) == text
