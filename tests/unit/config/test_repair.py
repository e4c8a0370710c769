"""The table `[repair]`."""

from __future__ import annotations

from pathlib import Path

import pytest
from pydantic import ValidationError

from debugtui.config.models import Config


def test_nothing_is_asked_for_by_default() -> None:
    repair = Config().repair
    assert (repair.records, repair.git, repair.freeze, repair.peak) == (None, False, False, ())


def test_everything_can_be_said() -> None:
    repair = Config.model_validate(
        {"repair": {"records": "~/records", "git": True, "freeze": True, "peak": ["08:00-20:00", "22:00-06:00"]}}
    ).repair
    assert repair.records == Path("~/records").expanduser()
    assert repair.peak == ("08:00-20:00", "22:00-06:00")


@pytest.mark.parametrize("span", ["8-20", "08:00", "24:00-06:00", "08:60-09:00", "08:00-20:00 ", ""])
def test_a_span_of_hours_is_two_times_of_day(span: str) -> None:
    with pytest.raises(ValidationError, match="span of hours"):
        Config.model_validate({"repair": {"peak": [span]}})
