"""Numbers for people: readable, never wider than promised, unknown shown as such."""

import math
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from debugtui.widgets import format as fmt

NUMBERS = st.one_of(st.none(), st.integers(-(10**18), 10**21), st.floats())


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, "-"), (math.nan, "-"), (math.inf, "-"), (0, "0B"), (1023, "1023B"), (1024, "1.0K"), (1536, "1.5K"),
        (10_240, "10K"),
        (1_048_000, "1023K"), (1_048_575, "1.0M"), (1.2 * 2**30, "1.2G"), (-2048, "-2.0K"),
    ],
)  # fmt: skip
def test_size(value: float | None, text: str) -> None:
    assert fmt.size(value) == text


@pytest.mark.parametrize(
    ("value", "text"), [(0, "0"), (999, "999"), (1000, "1.0k"), (999_600, "1.0M"), (12_300, "12k"), (None, "-")]
)
def test_count(value: float | None, text: str) -> None:
    assert fmt.count(value) == text


@pytest.mark.parametrize(
    ("value", "text"),
    [(0, "0 %"), (0.2, "<1 %"), (12.4, "12 %"), (100, "100 %"), (3200, "3200 %"), (1e9, "9999 %"), (None, "-")],
)
def test_percent(value: float | None, text: str) -> None:
    assert fmt.percent(value) == text


@pytest.mark.parametrize(
    ("value", "text"),
    [(0, "00:00"), (134, "02:14"), (3599, "59:59"), (3840, "1h 04m"), (50_000, "13h"), (3 * 86_400, "3d"),
     (-2, "00:00"), (-60, "-"),
     (None, "-"), (86_400 * 4000, "10y")],
)  # fmt: skip
def test_age(value: float | None, text: str) -> None:
    assert fmt.age(value) == text


@pytest.mark.parametrize(
    ("value", "text"), [(0, "0 s"), (59, "59 s"), (60, "1 m"), (7200, "2 h"), (200_000, "2 d"), (None, "-")]
)
def test_short_age(value: float | None, text: str) -> None:
    assert fmt.short_age(value) == text


@pytest.mark.parametrize(
    ("value", "text"),
    [(0.42, "0.4 ms"), (182, "182 ms"), (999.7, "1.0 s"), (2100, "2.1 s"), (95_000, "95 s"), (-1, "-"), (None, "-")],
)
def test_latency(value: float | None, text: str) -> None:
    assert fmt.latency(value) == text


def test_clock() -> None:
    assert fmt.clock(datetime(2026, 11, 20, 14, 3, 22, tzinfo=UTC)) == "14:03:22"
    assert fmt.clock(None) == "-"


@given(NUMBERS)
def test_widths_hold(value: float | None) -> None:
    assert len(fmt.size(value)) <= 6
    assert len(fmt.rate(value)) <= 8
    assert len(fmt.count(value)) <= 6
    assert len(fmt.percent(value)) <= 6
    assert len(fmt.share(value)) <= 6
    assert len(fmt.age(value)) <= 6
    assert len(fmt.latency(value)) <= 6


@given(st.floats(0, 1e15), st.floats(0, 1e15))
def test_order_of_units_follows_the_numbers(one: float, other: float) -> None:
    def value(text: str) -> float:
        unit = "BKMGTPE".index(text[-1])
        return float(text[:-1]) * 1024**unit

    low, high = sorted((one, other))
    assert value(fmt.size(low)) <= value(fmt.size(high)) * 1.0001
