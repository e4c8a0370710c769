"""Times of lines, in every form that programs write them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from debugtui.sources.logs.clock import _clock
from debugtui.sources.logs.stamps import Stamps

PARIS = ZoneInfo("Europe/Paris")
NOON = datetime(2026, 3, 14, 12, 0, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2026-03-14T12:00:00Z x", NOON),
        ("2026-03-14T12:00:00.25Z", NOON + timedelta(seconds=0.25)),
        ("2026-03-14 12:00:00,123 INFO", NOON + timedelta(seconds=0.123) - timedelta(hours=1)),
        ("2026-03-14T13:00:00+01:00", NOON),
        ("2026-03-14 13:00:00+01 x", NOON),
        ("2026-03-14 07:30:00-0430", NOON),
        ("2026-03-14 12:00:00.000 UTC [17] LOG:  x", NOON),
        ("2026-03-14 13:00:00.000 CET [17] LOG:  x", NOON),
        ("2026/03/14 13:00:00 [error] x", NOON),
        ('10.0.0.1 - - [14/Mar/2026:13:00:00 +0100] "GET /"', NOON),
        ("1773489600.000 x", NOON),
        ("[2026-03-14 13:00:00] x", NOON),
        ("no time at all", None),
        ("2026-13-14 12:00:00", None),
        ("2026-02-30 12:00:00", None),
        ("99/Abc/2026:13:00:00 +0100", None),
        ("9999-12-31 23:59:59", None),
        ("0001-01-01 00:00:00", None),
        ("1970-01-01 00:00:00", None),
        ("port 1773489600 x", None),
    ],
)
def test_a_time_is_read_or_known_to_be_none(text: str, expected: datetime | None) -> None:
    assert Stamps(PARIS, lambda: NOON).find(text) == expected


def test_a_time_behind_the_beginning_of_a_line_is_part_of_its_text() -> None:
    assert Stamps(UTC, lambda: NOON).find("x" * 200 + " 2026-03-14 12:00:00") is None


@pytest.mark.parametrize(
    ("rows", "expected"),
    [
        (["2026-10-25 02:30:00 CEST", "2026-10-25 02:30:00 CET"], [0, 1]),
        (["2026-10-25 02:59:59", "2026-10-25 02:00:01"], [0.4997, 0.5003]),
    ],
    ids=["by the name of the zone", "by what came before"],
)
def test_the_hour_that_comes_twice_in_autumn_is_told_apart(rows: list[str], expected: list[float]) -> None:
    stamps = Stamps(PARIS, lambda: datetime(2026, 10, 25, 3, tzinfo=UTC))
    base = datetime(2026, 10, 25, 0, 30, tzinfo=UTC)
    found = [stamps.find(row) for row in rows]
    hours = [round((at - base).total_seconds() / 3_600, 4) for at in found if at is not None]
    assert hours == expected


@given(st.text(max_size=200))
def test_any_text_is_read_without_a_fault(text: str) -> None:
    found = Stamps(PARIS, lambda: NOON).find(text)
    assert found is None or found.tzinfo is not None


@pytest.mark.parametrize(
    ("said", "skew", "zone"),
    [
        ("1773489607.500 +0100\n/usr/share/zoneinfo/Europe/Paris\n\n", 7.5, PARIS),
        ("1773489600.000 +0200\n/usr/share/zoneinfo/Europe/Paris\n\n", 0.0, timezone(timedelta(hours=2))),
        ("1773489600.N +0000\n/etc/localtime\nUTC\n", 0.0, ZoneInfo("UTC")),
        ("nonsense", None, UTC),
        ("", None, UTC),
    ],
)
def test_a_hosts_clock_and_zone_are_what_it_says(said: str, skew: float | None, zone: object) -> None:
    clock = _clock(said, NOON, NOON)
    assert (clock.skew_s, clock.zone) == (skew, zone)
    assert clock.off is (skew is not None and skew > 1)
