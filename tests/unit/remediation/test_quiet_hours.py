"""Peak hours."""

from __future__ import annotations

from datetime import datetime

import pytest

from debugtui.remediation.quiet_hours import within_peak


@pytest.mark.parametrize(
    ("clock", "inside"),
    [("07:59", False), ("08:00", True), ("19:59", True), ("20:00", False), ("23:30", False)],
)
def test_a_span_of_one_day(clock: str, inside: bool) -> None:
    now = datetime.fromisoformat(f"2026-03-14T{clock}:00")
    assert bool(within_peak(["08:00-20:00"], now)) is inside


@pytest.mark.parametrize(
    ("clock", "inside"), [("21:59", False), ("22:00", True), ("00:00", True), ("05:59", True), ("06:00", False)]
)
def test_a_span_that_passes_midnight(clock: str, inside: bool) -> None:
    now = datetime.fromisoformat(f"2026-03-14T{clock}:00")
    assert bool(within_peak(["22:00-06:00"], now)) is inside


def test_the_span_is_named() -> None:
    assert within_peak(["01:00-02:00", "08:00 - 20:00"], datetime(2026, 3, 14, 9)) == "08:00 - 20:00"
    assert within_peak([], datetime(2026, 3, 14, 9)) == ""
