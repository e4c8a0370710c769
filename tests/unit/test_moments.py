"""Moments as operators write them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from debugtui.model.moments import parse_moment

NOW = datetime(2026, 3, 14, 9, 26, 53, tzinfo=UTC)  # the tests run in UTC


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("now", NOW),
        ("10m", NOW - timedelta(minutes=10)),
        ("-5m", NOW - timedelta(minutes=5)),
        ("-1h30m", NOW - timedelta(minutes=90)),
        ("2 d ago", NOW - timedelta(days=2)),
        ("09:20", datetime(2026, 3, 14, 9, 20, tzinfo=UTC)),
        ("9:20:07.5", datetime(2026, 3, 14, 9, 20, 7, 500_000, tzinfo=UTC)),
        ("14:03", datetime(2026, 3, 13, 14, 3, tzinfo=UTC)),  # has not been yet today
        ("2026-03-10", datetime(2026, 3, 10, tzinfo=UTC)),
        (" 2026-03-10T10:00+02:00 ", datetime(2026, 3, 10, 8, tzinfo=UTC)),
    ],
)
def test_a_moment_is_read(text: str, expected: datetime) -> None:
    assert parse_moment(text, NOW) == expected


@pytest.mark.parametrize("text", ["", "25:99", "soon", "5 parsecs", "99999999999d", "999999d", "2026-99-01", "-"])
def test_what_is_no_moment_says_what_can_be_written(text: str) -> None:
    with pytest.raises(ValueError, match="write 14:03"):
        parse_moment(text, NOW)
