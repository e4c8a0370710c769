"""Masked statements, values with units, and the list of parameters: everything that needs no server."""

from __future__ import annotations

import pytest

from debugtui.remediation.base import PlanError
from debugtui.remediation.catalogue.postgres.allowed import ALLOWED, INSTEAD
from debugtui.remediation.catalogue.postgres.common import literal, masked
from debugtui.remediation.catalogue.postgres.guc_value import ValueFormatError, canonical, number, readable, same


@pytest.mark.parametrize(
    ("sql", "shown"),
    [
        ("SELECT * FROM t WHERE a = 'x''y' AND b = 42", "SELECT * FROM t WHERE a = ? AND b = ?"),
        ("SELECT 1.5e3, t1.c2, $1 FROM t1", "SELECT ?, t1.c2, $1 FROM t1"),
        ("SELECT $$it's$$, $a$ $$ $a$, E'a\\'b', U&'d', x'ff'", "SELECT ?, ?, ?, ?, ?"),
        ('SELECT "it\'s 1" /* pw 9 */ FROM "t 2" -- 3', 'SELECT "it\'s 1"   FROM "t 2"'),
        ("SELECT 'cut off", "SELECT ?"),
        ("SELECT $x$ cut off", "SELECT ?"),
        ("", ""),
    ],
)
def test_literals_are_masked(sql: str, shown: str) -> None:
    assert masked(sql) == shown


def test_what_a_terminal_must_not_see_is_made_visible() -> None:
    assert "\x1b" not in masked("SELECT a\x1b[31m\x1b]0;x\x07 FROM \x00t")


@pytest.mark.parametrize("bad", ["a\\b", "a\0b", "a\x1b[0mb", "a\u202eb"])
def test_a_word_with_strange_characters_is_no_literal(bad: str) -> None:
    with pytest.raises(PlanError):
        literal(bad)


def test_a_quote_is_doubled() -> None:
    assert literal("it's") == "'it''s'"


@pytest.mark.parametrize(
    ("text", "vartype", "unit", "value"),
    [
        ("9MB", "integer", "kB", "9216"), ("9.5MB", "integer", "kB", "9728"), ("1GB", "integer", "8kB", "131072"),
        ("0.1h", "integer", "s", "360"), (" 5 min ", "integer", "ms", "300000"), ("-1", "integer", "kB", "-1"),
        ("2500us", "real", "ms", "2.5"), ("0.50", "real", None, "0.5"), ("0", "integer", "ms", "0"),
        ("1500us", "integer", "ms", "2"),
        ("500us", "integer", "ms", "0"), ("100", "integer", "MB", "100"), ("YES", "bool", None, "on"),
        ("0", "bool", None, "off"),
    ],
)  # fmt: skip
def test_values_in_the_parameters_own_unit(text: str, vartype: str, unit: str | None, value: str) -> None:
    assert canonical(text, vartype, unit) == value


@pytest.mark.parametrize(
    ("text", "vartype", "unit"),
    [("9mb", "integer", "kB"), ("9MB", "integer", "ms"), ("9MB", "integer", None), ("", "integer", "kB"),
     ("1e3", "integer", None),
     ("0x10", "integer", None), ("NaN", "real", None), ("inf", "real", None), ("maybe", "bool", None), ("x", "string", None),
     ("٣", "integer", None), ("1 000", "integer", None), ("5m", "integer", "ms")],
)  # fmt: skip
def test_what_is_no_value(text: str, vartype: str, unit: str | None) -> None:
    with pytest.raises(ValueFormatError):
        canonical(text, vartype, unit)


def test_words_of_an_enum() -> None:
    assert canonical("Warning", "enum", None, ("warning", "error")) == "warning"
    with pytest.raises(ValueFormatError):
        canonical("loud", "enum", None, ("warning", "error"))


@pytest.mark.parametrize(
    ("setting", "unit", "text"),
    [("9216", "kB", "9MB"), ("131072", "8kB", "1GB"), ("360", "s", "6min"), ("4097", "kB", "4097kB"), ("-1", "kB", "-1"),
     ("0", "ms", "0"), ("2.5", "ms", "2.5ms"), ("on", None, "on"), ("100", None, "100"), ("86400000", "ms", "1d")],
)  # fmt: skip
def test_values_as_show_says_them(setting: str, unit: str | None, text: str) -> None:
    assert readable(setting, unit) == text


def test_numbers_are_compared_as_numbers() -> None:
    assert same("0.10", "0.1", "real")
    assert not same("1", "x", "integer")
    assert not same("on", "off", "bool")


def test_the_list_is_sound() -> None:
    assert len(ALLOWED) >= 25
    assert not set(ALLOWED) & set(INSTEAD)
    for rule in ALLOWED.values():
        assert rule.why, rule.name
        assert bool(rule.low) == bool(rule.high), rule.name
        if rule.low:
            unit = next((unit for unit in ("kB", "ms", None) if _reads(rule.low, unit) and _reads(rule.high, unit)), "none")
            assert unit != "none", rule.name
            assert number(rule.low, "real", unit) < number(rule.high, "real", unit), rule.name


def _reads(text: str, unit: str | None) -> bool:
    try:
        number(text, "real", unit)
    except ValueFormatError:
        return False
    return True
