"""Levels of log lines, and lines cut out of a stream of bytes."""

from __future__ import annotations

import timeit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from debugtui.model.text import LINE_LIMIT
from debugtui.sources.loglines import KEPT_BYTES, LineSplitter, RawLine, level_of, text_of

LEVELS = [
    ("2026-11-20 23:56:20,123 ERROR app.db connection refused", "error"),
    (
        '127.0.0.1 - - [20/Nov/2026:23:56:20 +0000] "GET /api/v1/items?page=3 HTTP/1.1" 200 12 "-" "Mozilla/5.0"',
        "unknown",
    ),
    ("tick " * 40, "unknown"),
    ('{"level":"error","msg":"INFO"}', "error"),
    ('time="2026" level=warning msg="x"', "warning"),
    ('{"level":30,"time":1}', "info"),
    ('{"s":"E","c":"NETWORK"}', "error"),
    ("2026-11-20 23:56:20.1 UTC [123] LOG:  database system is ready", "info"),
    ("2026-11-20 23:56:20.1 UTC [123] FATAL:  no pg_hba", "error"),
    ("2026/11/20 23:56:20 [error] 12#12: *1 open() failed", "error"),
    ("[Thu Nov 20 23:56:20 2026] [core:error] [pid 1] AH00", "error"),
    ("nginx: [emerg] bind() failed", "error"),
    ("ERROR:root:boom", "error"),
    ("[2026-11-20: ERROR/MainProcess] Task", "error"),
    ("thread 'main' panicked at src/main.rs:4", "error"),
    ("panic: runtime error: index out of range", "error"),
    ("Traceback (most recent call last):", "error"),
    ("ValueError: x", "error"),
    ("error: could not compile", "error"),
    ("error[E0382]: borrow", "error"),
    ("src/a.c:3:1: warning: unused", "warning"),
    ("E0314 09:26:53.000000 1 x.go:3] bad", "error"),
    ("<3>kernel bad", "error"),
    ("<30>Mar 14 x: y", "info"),
    ("1:M 20 Nov 2026 23:56:20.123 # WARNING overcommit", "warning"),
    ("1:M 20 Nov 2026 23:56:20.123 * Ready", "info"),
    ("no error found", "unknown"),
    ("2026-11-20T23:56:20Z\tinfo\tstarted", "info"),
    ("INFO handled [error] page", "info"),
    ("ERROR_CODE=3", "unknown"),
    ("errors=0 ERROR=0", "unknown"),
    ("[2026-11-20T00:00:00Z WARN  my_crate] x", "warning"),
    ("  2026-11-20T00:00:00Z  INFO my_crate: x", "info"),
    ("DEBUG2:  x", "debug"),
    ("<134>1 2026", "info"),
    ("PRIORITY=3", "error"),
    ("/var/ERROR/x", "unknown"),
    ("", "unknown"),
    ("2026 1 [Warning] [MY-010055]", "warning"),
    ("level=", "unknown"),
    ("dying", "unknown"),
    ("bread price level: none", "unknown"),
    ("java.lang.IllegalStateException: x", "error"),
    ("the log of info", "unknown"),
    ("info", "unknown"),
]


@pytest.mark.parametrize(("text", "level"), LEVELS)
def test_level(text: str, level: str) -> None:
    assert level_of(text) == level


@given(st.text(max_size=400))
def test_every_text_has_a_level(text: str) -> None:
    level_of(text)


@pytest.mark.parametrize(
    "text", ["(" * 5000, "a." * 3000, "a: " * 2000, "[x:" * 2000, "1" * 9000, "level=" * 800, "E" * 5000, "\t" * 5000]
)
def test_no_text_takes_long(text: str) -> None:
    assert min(timeit.repeat(lambda: level_of(text), number=20, repeat=3)) / 20 < 0.001


def test_levels_are_cheap() -> None:
    lines = [text for text, _ in LEVELS]
    seconds = min(timeit.repeat(lambda: [level_of(text) for text in lines], number=20, repeat=5)) / 20 / len(lines)
    assert seconds < 20e-6  # about 1.5 microseconds on an idle machine


@given(st.lists(st.binary(max_size=30)), st.integers(1, 40))
def test_lines_are_the_same_however_they_come(lines: list[bytes], size: int) -> None:
    data = b"\n".join(lines)
    splitter = LineSplitter()
    found = [
        raw for start in range(0, len(data), size) for raw in splitter.feed(data[start : start + size])
    ] + splitter.finish()
    expected = data.split(b"\n")
    if expected[-1] == b"":
        expected.pop()
    assert [raw.data for raw in found] == expected


def test_a_long_line_is_held_only_in_part() -> None:
    splitter = LineSplitter()
    for _ in range(9):
        assert splitter.feed(b"x" * 10_000) == []
    (raw,) = splitter.feed(b"\nnext")
    assert (len(raw.data), raw.skipped, raw.whole) == (KEPT_BYTES, 90_000 - KEPT_BYTES, True)
    assert splitter.finish() == [RawLine(b"next")]
    assert splitter.feed(b"y" * 90_000 + b"\n") == [RawLine(b"y" * KEPT_BYTES, 90_000 - KEPT_BYTES)]


def test_what_was_cut_is_counted_and_characters_are_whole() -> None:
    text = text_of(RawLine("é".encode() * 3000))
    assert text == "é" * 3000
    cut = text_of(RawLine(b"a" + "€".encode() * 6143, 10))
    assert cut == "a" + "€" * (LINE_LIMIT - 1) + f"… (+{6144 - LINE_LIMIT + 10} characters)"
    assert "\ufffd" not in text_of(RawLine("€€€".encode()[:-1], 1))
