"""Text from outside is made safe once, and nothing is lost silently."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from debugtui.model.text import clean, decode, line

DANGEROUS = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u200b\u200e\u200f\u202a-\u202e\u2060-\u2069\ufeff\U000e0000-\U000e007f]")


@pytest.mark.parametrize(
    ("hostile", "shown"),
    [
        ("plain", "plain"),
        ("[@click=app.quit]x[/]", "[@click=app.quit]x[/]"),
        ("[/nope]", "[/nope]"),
        ("a\x1b[31mred\x1b[0mb", "aredb"),
        ("a\x1b]52;c;ZXZpbA==\x07b", "ab"),
        ("a\x1b]0;title\x1b\\b", "ab"),
        ("a\x9b2Jb", "ab"),
        ("lone escape \x1b", "lone escape ␛"),
        ("unfinished \x1b]52;c;x", "unfinished ␛]52;c;x"),
        ("bell\x07", "bell␇"),
        ("del\x7f", "del␡"),
        ("bidi \u202egpj.exe", "bidi <202E>gpj.exe"),
        ("zero\u200bwidth", "zero<200B>width"),
        ("nul\x00byte", "nul␀byte"),
        ("two\nlines\tand a tab", "two␊lines and a tab"),
        ("ends\n", "ends"),
        ("windows\r\n", "windows"),
        ("over\rwritten", "over␍written"),
        ("naïve été 漢字 🙂", "naïve été 漢字 🙂"),
    ],
)
def test_hostile_text_becomes_visible_on_one_line(hostile: str, shown: str) -> None:
    assert line(hostile) == shown


def test_bytes_that_are_not_utf8_are_replaced_not_dropped() -> None:
    assert line(b"caf\xe9 \xff") == "caf\ufffd \ufffd"
    assert decode(b"\xff") == "\ufffd"


def test_a_long_line_is_cut_and_says_by_how_much() -> None:
    shown = line("x" * 90_000)
    assert shown.endswith("… (+85904 characters)")
    assert len(shown) < 4_200


@given(st.text())
def test_no_dangerous_character_survives(text: str) -> None:
    assert not DANGEROUS.search(clean(text))
    assert "\n" not in line(text)
    assert "\t" not in line(text)


@given(st.binary())
def test_no_bytes_are_too_strange(data: bytes) -> None:
    assert not DANGEROUS.search(line(data))


@given(st.text())
def test_cleaning_twice_changes_nothing(text: str) -> None:
    assert clean(clean(text)) == clean(text)
