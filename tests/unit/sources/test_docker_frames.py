"""The engine's log frames, in whatever pieces they come."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from debugtui.model.logs import LogLine
from debugtui.model.text import LINE_LIMIT
from debugtui.sources.docker.logs import Frames, Stamps
from debugtui.sources.loglines import ENDLESS

STAMP = b"2026-03-14T09:26:53.123456789Z "
AT = datetime(2026, 3, 14, 9, 26, 53, 123456, tzinfo=UTC)


def frame(text: bytes, stream: int = 1, stamp: bytes = STAMP) -> bytes:
    data = stamp + text
    return bytes([stream, 0, 0, 0]) + len(data).to_bytes(4, "big") + data


def read(data: bytes, sizes: list[int], *, terminal: bool = False) -> list[LogLine]:
    """Feed in pieces of the given sizes, the last of which repeats."""
    frames, found, position, turn = Frames(terminal=terminal), [], 0, 0
    while position < len(data):
        size = max(1, sizes[min(turn, len(sizes) - 1)])
        found += frames.feed(data[position : position + size])
        position, turn = position + size, turn + 1
    return found + frames.finish()


LINES = st.lists(
    st.tuples(st.sampled_from([1, 2]), st.text(st.characters(codec="ascii", min_codepoint=32, max_codepoint=126))), max_size=8
)


@given(LINES, st.lists(st.integers(1, 60), min_size=1, max_size=12))
def test_lines_come_out_the_same_however_they_are_cut(lines: list[tuple[int, str]], sizes: list[int]) -> None:
    data = b"".join(frame(text.encode() + b"\n", stream) for stream, text in lines)
    found = read(data, sizes)
    assert found == read(data, [len(data) or 1])
    assert [line.stream for line in found] == [{1: "stdout", 2: "stderr"}[stream] for stream, _ in lines]
    assert all(line.at == AT for line in found)


def test_a_line_in_several_frames_is_one_line_with_its_first_time() -> None:
    later = b"2026-03-14T09:26:54.000000000Z "
    data = frame(b"one ") + frame(b"err\n", 2, later) + frame(b"two ", 1, later) + frame(b"three\n", 1, later)
    found = read(data, [len(data)])
    assert [(line.text, line.stream, line.at == AT) for line in found] == [
        ("err", "stderr", False),
        ("one two three", "stdout", True),
    ]


def test_a_long_line_is_cut_while_it_is_read_and_says_by_how_much() -> None:
    data = b"".join(frame(b"x" * 16_384) for _ in range(5)) + frame(b"x" * 8_080 + b"\n") + frame(b"next\n")
    long, short = read(data, [1000])
    assert long.text == "x" * LINE_LIMIT + f"… (+{90_000 - LINE_LIMIT} characters)"
    assert short.text == "next"


def test_what_is_cut_counts_characters_not_bytes() -> None:
    text = "é" * 30_000
    (found,) = read(frame(text.encode() + b"\n"), [777])
    assert found.text == "é" * LINE_LIMIT + f"… (+{30_000 - LINE_LIMIT} characters)"


def test_a_line_without_end_is_given_out_in_pieces() -> None:
    frames = Frames(terminal=False)
    found: list[LogLine] = []
    for _ in range(3 * ENDLESS // 16_384 + 3):
        found += frames.feed(frame(b"z" * 16_384))
    assert len(found) == 3
    assert found[0].text.startswith("zzz")
    assert found[0].text.endswith("characters) …")
    assert found[1].text.startswith("…zzz")
    (end,) = frames.feed(frame(b"end\n"))
    assert end.text == "…end"


def test_the_last_line_needs_no_end() -> None:
    assert [line.text for line in read(frame(b"a\n") + frame(b"last"), [5])] == ["a", "last"]
    assert [line.text for line in read(frame(b"a\n") + frame(b"cut here")[:-4], [9])] == ["a", "cut "]


def test_a_terminals_text_is_split_at_its_lines() -> None:
    data = STAMP + b"one\r\n" + STAMP + b"two\r\n" + STAMP + b"\x1b[31mred\x1b[0m"
    for size in (1, 7, len(data)):
        found = read(data, [size], terminal=True)
        assert [(line.text, line.stream, line.at) for line in found] == [("one", "", AT), ("two", "", AT), ("red", "", AT)]


def test_bad_utf8_and_controls_are_made_visible() -> None:
    (found,) = read(frame(b"a\xff\x00\x1b]52;c;eA==\x07\xe2\x80\xaeb\n"), [3])
    assert found.text == "a\ufffd\u2400<202E>b"


def test_secrets_are_masked_even_at_the_cut() -> None:
    (found,) = read(frame(b"x" * (LINE_LIMIT - 12) + b" password=hunter2secret" + b"y" * 50_000 + b"\n"), [5000])
    assert "hunter" not in found.text


@pytest.mark.parametrize("data", [b"plain text that is no frame", b"\x07\0\0\0\0\0\0\x01x", b"\x01\x01\0\0\0\0\0\x01x"])
def test_what_is_no_frame_is_refused(data: bytes) -> None:
    with pytest.raises(ValueError, match="no log"):
        Frames(terminal=False).feed(data)


@given(st.binary(max_size=400), st.booleans(), st.lists(st.integers(1, 40), min_size=1, max_size=5))
def test_garbage_is_refused_or_shown(data: bytes, terminal: bool, sizes: list[int]) -> None:
    try:
        found = read(data, sizes, terminal=terminal)
    except ValueError:
        assert not terminal
        return
    assert not any("\x1b" in line.text for line in found)


@pytest.mark.parametrize(
    ("data", "at", "behind"),
    [
        (b"2026-03-14T09:26:53.123456789Z x", AT, "1773480413.123456790"),
        (b"2026-03-14T10:26:53.123456789+01:00 x", AT, "1773480413.123456790"),
        (b"2026-03-14T09:26:53Z x", AT.replace(microsecond=0), "1773480413.000000001"),
        (b"2026-03-14T09:26:53.999999999Z x", AT.replace(microsecond=999_999), "1773480414.000000000"),
        (b"2026-03-14 09:26:53 x", None, ""),
        (b"2026-99-99T09:26:53Z x", None, ""),
        (b"", None, ""),
    ],
)
def test_time_stamps(data: bytes, at: datetime | None, behind: str) -> None:
    stamps = Stamps()
    found, length = stamps.parse(data)
    assert found == at
    assert stamps.behind == behind
    assert data[length:] == (b"x" if at else data)
