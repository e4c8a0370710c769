"""Log lines in bytes: what goes in comes out, the oldest go, scans find what a plain loop finds."""

from __future__ import annotations

import time
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from debugtui.model.logs import Level, LogLine
from debugtui.model.matching import Matcher
from debugtui.widgets.log_scan import Scan
from debugtui.widgets.log_store import CHUNK_LINES, LogStore

TEXT = st.text(st.characters(exclude_categories=("Cs", "Cc", "Zl", "Zp")), max_size=30)


def level_of(text: str) -> Level:
    for level in (Level.ERROR, Level.WARNING, Level.INFO, Level.DEBUG):
        if level.value in text.lower():
            return level
    return Level.UNKNOWN


def scanned(store: LogStore, text: str, floor: Level | None = None, *, invertible: bool = True) -> list[int]:
    scan = Scan(store, Matcher(text, invertible=invertible), floor)
    assert scan.advance(time.monotonic, float("inf"))
    return list(scan.hits)


@given(st.lists(st.lists(TEXT, max_size=5), max_size=8))
def test_lines_come_back(batches: list[list[str]]) -> None:
    store = LogStore()
    for batch in batches:
        store.append([LogLine(text) for text in batch])
    flat = [text for batch in batches for text in batch]
    assert [store.text(number) for number in range(store.first, store.end)] == flat


@given(st.lists(st.text("aBé日ÉA ", max_size=8), max_size=20), st.text("aBéÉ日", min_size=1, max_size=3))
def test_a_scan_finds_what_a_loop_finds(texts: list[str], wanted: str) -> None:
    store = LogStore()
    store.append([LogLine(text) for text in texts])
    expected = [number for number, text in enumerate(texts) if wanted.lower() in text.lower()]
    assert scanned(store, wanted) == expected
    assert scanned(store, "!" + wanted) == [number for number in range(len(texts)) if number not in expected]
    assert scanned(store, f"/{wanted}/") == expected


def test_a_search_takes_the_sign_of_inversion_as_it_stands() -> None:
    store = LogStore()
    store.append([LogLine("a!b"), LogLine("b")])
    assert scanned(store, "!b", invertible=False) == [0]


def test_a_newline_inside_a_line_stays_in_it() -> None:
    store = LogStore()
    store.append([LogLine("a\nb"), LogLine("c")])
    assert [store.text(0), store.text(1)] == ["a\u240ab", "c"]


def test_the_oldest_go_and_numbers_stay() -> None:
    store = LogStore(max_lines=2 * CHUNK_LINES)
    store.append([LogLine(f"line {number}") for number in range(5 * CHUNK_LINES)])
    assert len(store) <= 2 * CHUNK_LINES
    assert store.dropped == store.first == 3 * CHUNK_LINES
    assert store.text(store.first) == f"line {store.first}"
    assert store.text(store.end - 1) == f"line {5 * CHUNK_LINES - 1}"
    with pytest.raises(IndexError):
        store.text(0)
    scan = Scan(store, Matcher("line"))
    scan.advance(time.monotonic, float("inf"))
    store.append([LogLine("line x")] * (3 * CHUNK_LINES))
    scan.advance(time.monotonic, float("inf"))
    assert scan.hits[0] == store.first
    assert len(scan.hits) == len(store)


def test_bytes_are_bounded() -> None:
    store = LogStore(max_bytes=8 << 20)
    for _ in range(30):
        store.append([LogLine("x" * 4_000)] * 500)
    assert store.size <= 8 << 20
    assert store.dropped > 0


def test_levels() -> None:
    store = LogStore(level_of)
    store.append([LogLine(text) for text in ("ERROR boom", "  at frame 1", "INFO fine", "plain", "WARNING hm", "debug x")])
    assert [store.level(number) for number in range(6)] == [
        Level.ERROR, Level.ERROR, Level.INFO, Level.UNKNOWN, Level.WARNING, Level.DEBUG,
    ]  # fmt: skip
    fresh = LogStore(level_of)
    fresh.append([LogLine(text) for text in ("ERROR boom", "  at frame 1", "INFO fine", "plain", "WARNING hm", "debug x")])
    assert scanned(fresh, "", Level.ERROR) == [0, 1]
    assert scanned(fresh, "", Level.WARNING) == [0, 1, 4]
    assert scanned(fresh, "", Level.INFO) == [0, 1, 2, 3, 4]
    assert scanned(fresh, "m", Level.WARNING) == [0, 1, 4]
    assert scanned(fresh, "!boom", Level.WARNING) == [1, 4]


def test_times() -> None:
    store = LogStore()
    at = datetime(2026, 11, 20, 14, 3, 22, tzinfo=UTC)
    store.append([LogLine("a", at), LogLine("b")])
    assert store.time(0) == at
    assert store.time(1) is None


def test_a_pattern_that_could_run_for_ever_is_refused() -> None:
    matcher = Matcher("/(a+)+$/")
    assert "repeat inside a repeat" in matcher.error
    assert matcher.matches("anything")
    assert not matcher
    assert Matcher("/(/").error.startswith("not a regular expression")


def test_spans() -> None:
    assert Matcher("ab").spans("xAByab") == [(1, 3), (4, 6)]
    assert Matcher("/a./").spans("xAByab") == [(1, 3), (4, 6)]
    assert Matcher("!ab").spans("ab") == []
