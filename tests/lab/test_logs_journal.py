"""Lines of real journal files."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from debugtui.hosts.local import LocalLink
from debugtui.model.logs import Level
from debugtui.model.target import Target
from debugtui.sources.base import SourceError
from debugtui.sources.logs.journal import JournalOrigin
from tests.lab.log_tools import all_of, followed, write_journal

START = datetime(2026, 3, 14, 9, 0, 0, tzinfo=UTC)
TARGET = Target("kvm-01", "journal")
SECRET = "hunter2hunter2"


def entry(second: float, message: object, unit: str = "coach.service", priority: int = 6, **more: object) -> dict[str, object]:
    return {
        "at": START + timedelta(seconds=second),
        "MESSAGE": message,
        "PRIORITY": priority,
        "SYSLOG_IDENTIFIER": unit.removesuffix(".service"),
        "_SYSTEMD_UNIT": unit,
        "_PID": 17,
        **more,
    }


def origin(folder: Path, unit: str = "") -> JournalOrigin:
    return JournalOrigin(LocalLink("kvm-01"), TARGET, directory=str(folder), unit=unit)


async def test_entries_have_their_time_their_program_and_their_priority(tmp_path: Path) -> None:
    write_journal(
        tmp_path,
        "one",
        [entry(0.25, "started"), entry(1, "slow", priority=4), entry(2, "broken", priority=3), entry(3, "detail", priority=7)],
    )
    found = await all_of(origin(tmp_path))
    assert [line.text for line in found] == [f"coach[17]: {word}" for word in ("started", "slow", "broken", "detail")]
    assert [line.level for line in found] == [Level.INFO, Level.WARNING, Level.ERROR, Level.DEBUG]
    assert found[0].at == START + timedelta(seconds=0.25)


async def test_one_unit_a_span_and_the_last_lines(tmp_path: Path) -> None:
    write_journal(
        tmp_path, "one", [entry(number, str(number), "a.service" if number % 2 else "b.service") for number in range(40)]
    )
    assert [line.text for line in await all_of(origin(tmp_path, "a.service"), tail=2)] == ["a[17]: 37", "a[17]: 39"]
    span = await all_of(origin(tmp_path), since=START + timedelta(seconds=10), until=START + timedelta(seconds=13))
    assert [line.text.split()[1] for line in span] == ["10", "11", "12"]


async def test_more_than_one_answer_holds_comes_whole_and_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from debugtui.sources.logs import journal

    monkeypatch.setattr(journal, "STEP", 20_000)
    write_journal(tmp_path, "one", [entry(number / 100, f"{number} {'x' * 50}") for number in range(500)])
    found = await all_of(origin(tmp_path))
    assert [line.text.split()[1] for line in found] == [str(number) for number in range(500)]


async def test_what_is_written_later_is_followed_without_a_gap(tmp_path: Path) -> None:
    now = datetime.now(UTC)
    write_journal(tmp_path, "one", [entry((now - START).total_seconds() - 5, "before")])
    async with followed(origin(tmp_path)) as follower:
        later = (datetime.now(UTC) - START).total_seconds()
        write_journal(tmp_path, "two", [entry(later + 0.001, "after"), entry(later + 0.002, "and more")])
        await follower.until("and more")
        assert follower.texts == ["coach[17]: before", "coach[17]: after", "coach[17]: and more"]


async def test_a_journal_that_is_empty_at_first_is_followed(tmp_path: Path) -> None:
    later = (datetime.now(UTC) - START).total_seconds()
    write_journal(tmp_path, "one", [entry(later - 3_600, "long ago", "other.service")])
    async with followed(origin(tmp_path, "coach.service")) as follower:
        later = (datetime.now(UTC) - START).total_seconds()
        write_journal(tmp_path, "two", [entry(later + 0.5, "first")])
        await follower.until("first")


async def test_hostile_entries_are_made_safe_and_bounded(tmp_path: Path) -> None:
    write_journal(
        tmp_path,
        "one",
        [
            entry(0, "\x1b]52;c;aGk=\x07\x1b[2Jescape"),
            entry(1, b"\xff\xfe bytes"),
            entry(2, "two\nlines"),
            entry(3, "y" * 700_000),
            entry(4, f"login password={SECRET}"),
            entry(5, "[/nope]", SYSLOG_IDENTIFIER=b"\x1b[31mred"),
            entry(6, "no priority", PRIORITY="nonsense"),
        ],
    )
    found = await all_of(origin(tmp_path))
    text = "\n".join(line.text for line in found)
    assert not set(text) & {"\x1b", "\x07"}
    assert SECRET not in text
    assert found[1].text == "coach[17]: \ufffd\ufffd bytes"
    assert found[2].text == "coach[17]: two\u240alines"
    assert found[3].text.startswith("coach[17]: yyyy")
    assert len(found[3].text) < 4_300
    assert found[5].text == "red[17]: [/nope]"
    assert found[6].level is Level.UNKNOWN


async def test_a_host_without_a_journal_says_so(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="no journal"):
        await all_of(origin(tmp_path / "absent"))
