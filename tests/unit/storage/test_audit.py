"""The audit log: any change of the past shows, and the first broken entry is named."""

from __future__ import annotations

import json
import random
import threading
from itertools import pairwise
from pathlib import Path

import pytest

from debugtui.config.redaction import register
from debugtui.storage.audit import GENESIS, LINE_LIMIT, AuditLog
from debugtui.storage.problems import StorageError
from tests.unit.fakes import START


@pytest.fixture
def log(tmp_path: Path) -> AuditLog:
    log = AuditLog(tmp_path / "audit.jsonl")
    for number in range(6):
        log.append("sent", {"execution": f"exe_{number}", "target": "kvm-01/docker/api", "says": "é ✓"}, at=START)
    return log


def test_each_entry_names_the_one_before(log: AuditLog) -> None:
    entries = list(log.entries())
    assert [entry.sequence for entry in entries] == [1, 2, 3, 4, 5, 6]
    assert entries[0].previous == GENESIS
    assert all(after.previous == before.hash for before, after in pairwise(entries))
    assert log.head == entries[-1].hash


def test_what_was_not_touched_is_intact(log: AuditLog) -> None:
    report = log.verify()
    assert (report.entries, report.broken, report.head) == (6, None, log.head)


def test_nothing_is_intact_too(tmp_path: Path) -> None:
    log = AuditLog(tmp_path / "audit.jsonl")
    assert log.verify().broken is None
    assert log.head == ""


def test_it_is_private(log: AuditLog) -> None:
    assert log.path.stat().st_mode & 0o777 == 0o600
    assert log.head_path.stat().st_mode & 0o777 == 0o600


def lines(log: AuditLog) -> list[bytes]:
    return log.path.read_bytes().splitlines(keepends=True)


def test_every_changed_byte_is_found_where_it_is(log: AuditLog) -> None:
    luck = random.Random(7)
    data = log.path.read_bytes()
    for _ in range(1_500):
        at = luck.randrange(len(data))
        changed = bytearray(data)
        changed[at] ^= 1 << luck.randrange(8)
        log.path.write_bytes(changed)
        report = log.verify()
        line = data[:at].count(b"\n") + 1
        assert report.broken is not None, at
        assert report.broken <= line + 1, (at, report)
    log.path.write_bytes(data)
    assert log.verify().broken is None


@pytest.mark.parametrize("at", range(6))
def test_a_removed_line_is_found(log: AuditLog, at: int) -> None:
    kept = lines(log)
    log.path.write_bytes(b"".join(kept[:at] + kept[at + 1 :]))
    assert log.verify().broken == at + 1


@pytest.mark.parametrize("at", range(5))
def test_two_lines_that_changed_places_are_found(log: AuditLog, at: int) -> None:
    kept = lines(log)
    kept[at], kept[at + 1] = kept[at + 1], kept[at]
    log.path.write_bytes(b"".join(kept))
    assert log.verify().broken == at + 1


@pytest.mark.parametrize("at", range(7))
def test_an_added_line_is_found(log: AuditLog, at: int) -> None:
    kept = lines(log)
    log.path.write_bytes(b"".join([*kept[:at], kept[2], *kept[at:]]))
    report = log.verify()
    assert report.broken is not None
    assert report.broken in (at + 1, at + 2)


def test_a_line_that_was_written_anew_with_a_fitting_hash_breaks_the_next_one(log: AuditLog, tmp_path: Path) -> None:
    kept = lines(log)
    forged = AuditLog(tmp_path / "forged.jsonl")
    forged.append("sent", {"execution": "exe_0"}, at=START)
    log.path.write_bytes(b"".join([*lines(forged), *kept[1:]]))
    assert log.verify().broken == 2


@pytest.mark.parametrize("cut", [1, 2, 6])
def test_lines_cut_off_at_the_end_are_found(log: AuditLog, cut: int) -> None:
    log.path.write_bytes(b"".join(lines(log)[:-cut]))
    report = log.verify()
    assert report.broken == 7 - cut
    assert "missing at the end" in report.why


def test_what_cannot_be_read_ends_the_list(log: AuditLog) -> None:
    log.path.write_bytes(b"".join([*lines(log)[:2], b"nonsense\n", *lines(log)[3:]]))
    assert [entry.sequence for entry in log.entries()] == [1, 2]


def test_half_a_line_at_the_end_is_found_and_nothing_is_added_behind_it(log: AuditLog) -> None:
    log.path.write_bytes(log.path.read_bytes()[:-10])
    assert log.verify().broken == 6
    with pytest.raises(StorageError, match="is broken"):
        log.append("sent", {})


def test_a_last_line_written_anew_is_found_by_the_head(log: AuditLog, tmp_path: Path) -> None:
    kept = lines(log)
    other = AuditLog(tmp_path / "other.jsonl")
    other.path.write_bytes(b"".join(kept[:-1]))
    other.append("sent", {"execution": "another"}, at=START)
    log.path.write_bytes(other.path.read_bytes())
    assert log.verify().broken == 6


def test_a_log_that_is_gone_is_found(log: AuditLog) -> None:
    log.path.unlink()
    assert log.verify().broken == 1
    log.path.touch()
    with pytest.raises(StorageError, match="had 6 entries"):
        log.append("sent", {})


@pytest.mark.parametrize("text", ["", "{}", "x", "[1]"])
def test_a_head_that_is_gone_or_nonsense_is_found(log: AuditLog, text: str) -> None:
    if text:
        log.head_path.write_text(text)
    else:
        log.head_path.unlink()
    report = log.verify()
    assert report.broken == 7
    assert "head" in report.why


def test_killed_between_the_line_and_its_head_it_is_still_intact(log: AuditLog) -> None:
    head = log.head_path.read_bytes()
    log.append("verified", {}, at=START)
    log.head_path.write_bytes(head)
    assert log.verify().broken is None
    log.append("verified", {}, at=START)
    assert log.verify().entries == 8


def test_several_write_at_a_time(tmp_path: Path) -> None:
    def write() -> None:
        mine = AuditLog(tmp_path / "audit.jsonl")
        for _ in range(20):
            mine.append("sent", {}, at=START)

    threads = [threading.Thread(target=write) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    report = AuditLog(tmp_path / "audit.jsonl").verify()
    assert (report.entries, report.broken) == (80, None)


def test_secrets_and_control_characters_do_not_reach_the_disk(log: AuditLog) -> None:
    register("open-sesame-99")
    entry = log.append("sent", {"says": "x open-sesame-99 \x1b[31m", "list": ["open-sesame-99"], "n": 3})
    assert "open-sesame-99" not in entry.fields
    assert "\x1b" not in log.path.read_text()
    assert json.loads(entry.fields)["n"] == 3


def test_an_entry_that_is_too_large_is_refused_and_leaves_no_trace(log: AuditLog) -> None:
    with pytest.raises(StorageError, match="larger than"):
        log.append("sent", {str(number): "x" * 10_000 for number in range(LINE_LIMIT // 10_000 + 1)})
    assert log.verify().entries == 6


def test_where_nothing_can_be_written_that_is_said(tmp_path: Path) -> None:
    with pytest.raises(StorageError, match="nothing is sent without an audit log"):
        AuditLog(tmp_path / "none" / "audit.jsonl").append("sent", {})


def test_a_failed_write_leaves_no_half_line(log: AuditLog, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(_handle: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(StorageError, match="No space left"):
        log.append("sent", {})
    monkeypatch.undo()
    assert log.verify().entries == 6
    assert log.append("sent", {}).sequence == 7
