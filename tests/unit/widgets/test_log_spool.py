"""Lines beyond memory: they lie on the disk without a name, come back as they were, and the oldest give way."""

from __future__ import annotations

import os
import resource
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from debugtui.model.logs import Level, LogLine
from debugtui.model.matching import Matcher
from debugtui.widgets.log_chunk import LATE, NOTE
from debugtui.widgets.log_scan import MANY, Scan
from debugtui.widgets.log_spool import Spool
from debugtui.widgets.log_store import CHUNK_LINES, LogStore

START = datetime(2026, 3, 14, tzinfo=UTC)


def spooled(folder: Path, *, size: int = 8 << 20, hot: int = 100_000, lines: int = 1_000_000) -> LogStore:
    return LogStore(max_lines=lines, max_bytes=hot, spool=Spool(folder, size))


def numbered(first: int, count: int) -> list[LogLine]:
    return [
        LogLine(
            f"line {number} {'é' * (number % 3)}",
            START + timedelta(seconds=number),
            "",
            Level.ERROR if number % 10 == 0 else Level.INFO,
        )
        for number in range(first, first + count)
    ]


def finished(scan: Scan) -> list[int]:
    """Let a scan go on in its thread, as a screen does."""
    until = time.monotonic() + 20
    while not scan.advance(time.monotonic, time.monotonic() + 0.01):
        assert time.monotonic() < until
        time.sleep(0.002)
    return list(scan.hits)


@settings(max_examples=60, deadline=None)
@given(pieces=st.lists(st.binary(min_size=1, max_size=40), max_size=60), size=st.integers(40, 200))
def test_what_is_not_overwritten_comes_back_and_what_is_does_not(tmp_path_factory, pieces: list[bytes], size: int) -> None:
    spool = Spool(tmp_path_factory.getbasetemp(), size)
    places = [spool.put(piece) for piece in pieces]
    for place, piece in zip(places, pieces, strict=True):
        assert spool.get(place, len(piece)) == (piece if place >= spool.floor else None)
    spool.close()


def test_the_file_has_no_name_and_nobody_else_may_read_it(tmp_path: Path) -> None:
    spool = Spool(tmp_path, 1_000)
    spool.put(b"secret")
    assert list(tmp_path.iterdir()) == []
    assert os.fstat(spool._file.fileno()).st_mode & 0o777 == 0o600
    spool.close()
    assert spool.get(0, 6) is None


def test_lines_come_back_from_the_disk_with_their_time_level_origin_and_marks(tmp_path: Path) -> None:
    store = spooled(tmp_path)
    for first in range(0, 20_000, 1_000):
        store.append(numbered(first, 1_000), bytes(number % 3 for number in range(1_000)), frozenset({5}), frozenset({7}))
    assert store.size <= 100_000 + (1 << 20)
    assert store.dropped == 0
    for number in (0, 1, 5, 7, 4_321, 19_999):
        assert store.text(number) == f"line {number} {'é' * (number % 3)}"
        assert store.time(number) == START + timedelta(seconds=number)
        assert store.level(number) is (Level.ERROR if number % 10 == 0 else Level.INFO)
        assert store.origin(number) == number % 1_000 % 3
    assert (store.marks(5), store.marks(7), store.marks(8)) == (LATE, NOTE, 0)
    store.close()


def test_a_scan_in_a_thread_finds_what_a_scan_at_once_finds(tmp_path: Path) -> None:
    store = spooled(tmp_path)
    for first in range(0, 40_000, 1_000):
        store.append(numbered(first, 1_000), bytes(number % 3 for number in range(1_000)), frozenset(), frozenset({3}))
    assert len(list(store.chunks_from(0))) > MANY
    for text, floor, hidden in (
        ("line 39", None, frozenset()),
        ("/line 3\\d99\\b/", None, frozenset()),
        ("!9", Level.ERROR, frozenset({1})),
        ("é", None, frozenset({0, 2})),
    ):
        at_once = Scan(store, Matcher(text), floor, hidden)
        at_once.advance(time.monotonic, float("inf"))
        assert finished(Scan(store, Matcher(text), floor, hidden)) == list(at_once.hits) != []
    store.close()


def test_a_scan_that_is_cancelled_ends_and_lines_that_come_meanwhile_are_found(tmp_path: Path) -> None:
    store = spooled(tmp_path)
    for first in range(0, 40_000, 1_000):
        store.append(numbered(first, 1_000))
    scan = Scan(store, Matcher("needle"))
    assert not scan.advance(time.monotonic, time.monotonic() + 0.001)
    store.append([LogLine("a needle")])
    assert finished(scan) == [40_000]
    other = Scan(store, Matcher("/line (1|2)/"))
    other.advance(time.monotonic, time.monotonic() + 0.001)
    other.cancel()
    assert 0 <= other.progress <= 1
    store.close()


def test_the_oldest_go_when_the_disk_is_full_of_them_and_it_is_told(tmp_path: Path) -> None:
    store = spooled(tmp_path, size=1 << 20)
    for first in range(0, 100_000, 1_000):
        store.append(numbered(first, 1_000))
    assert 0 < store.dropped < 90_000
    assert store.text(store.first) == f"line {store.first} {'é' * (store.first % 3)}"
    assert store.text(store.end - 1).startswith("line 99999")
    with pytest.raises(IndexError):
        store.text(store.first - 1)
    found = finished(Scan(store, Matcher("line")))
    assert found == list(range(store.first, store.end))
    store.close()


def test_a_disk_that_takes_nothing_leaves_lines_in_memory_and_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store = spooled(tmp_path, hot=200_000)

    def full(*_: object) -> int:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "pwrite", full)
    for first in range(0, 60_000, 1_000):
        store.append(numbered(first, 1_000))
    assert store.size <= 200_000 + (1 << 20)
    assert store.dropped > 0
    assert store.text(store.end - 1).startswith("line 59999")
    store.close()


@given(st.lists(st.integers(0, 60), max_size=200))
def test_a_time_is_found_however_lines_are_out_of_order(seconds: list[int]) -> None:
    store = LogStore()
    for start in range(0, len(seconds), 7):
        store.append([LogLine("x", START + timedelta(seconds=second)) for second in seconds[start : start + 7]])
    newest = [max(seconds[: place + 1]) for place in range(len(seconds))]
    for wanted in (0, 13, 30, 61):
        expected = next((place for place, second in enumerate(newest) if second >= wanted), len(seconds))
        assert store.at_time((START + timedelta(seconds=wanted)).timestamp()) == expected


def test_memory_stays_constant_over_millions_of_lines(tmp_path: Path) -> None:
    store = LogStore(max_lines=5_000_000, max_bytes=8 << 20, spool=Spool(tmp_path, 256 << 20))
    lines = [
        LogLine(f"INFO request {number} served in {number % 977} ms by worker {number % 16}", START)
        for number in range(CHUNK_LINES)
    ]
    half = 0
    for number in range(900):
        store.append(lines)
        if number == 200:
            half = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    grown = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - half) / 1024
    assert len(store) > 1_000_000
    assert grown < 25  # MB, for 1.4 million lines more
    store.close()
