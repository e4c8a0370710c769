"""Paths into JSON answers: one spelling each, nothing else is read."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from debugtui.sources.web.json_path import MissingError, as_text, look_up, parse, write

NAMES = st.text(st.characters(exclude_characters=".[]", exclude_categories=("Cs",)), min_size=1, max_size=12)
INDICES = st.integers(min_value=0, max_value=999_999_999)
STEPS = st.lists(st.one_of(NAMES, INDICES), min_size=1, max_size=12).map(tuple)


@pytest.mark.parametrize(
    ("path", "steps"),
    [
        ("status", ("status",)),
        ("checks.db", ("checks", "db")),
        ("items[0].id", ("items", 0, "id")),
        ("[2]", (2,)),
        ("[0][10]", (0, 10)),
        ("a[1][2].b", ("a", 1, 2, "b")),
        ("7", ("7",)),
        ("two words.x-y", ("two words", "x-y")),
    ],
)
def test_paths(path: str, steps: tuple[str | int, ...]) -> None:
    assert parse(path) == steps


@pytest.mark.parametrize(
    "path",
    [
        "",
        ".",
        ".a",
        "a.",
        "a..b",
        "a[",
        "a]",
        "a[]",
        "a[-1]",
        "a[01]",
        "a[x]",
        "a.[0]",
        "a[0]b",
        "a[1.5]",
        "a[٣]",
        "a[0",
        "$.a[*]",
        "a" * 501,
        "a[9999999999]",
    ],
)
def test_what_is_no_path(path: str) -> None:
    with pytest.raises(ValueError, match=r"path|cannot be read"):
        parse(path)


@given(STEPS)
def test_a_written_path_is_read_back(steps: tuple[str | int, ...]) -> None:
    assert parse(write(steps)) == steps


@given(st.text(max_size=60))
def test_every_text_is_a_path_with_one_spelling_or_refused(text: str) -> None:
    try:
        steps = parse(text)
    except ValueError:
        return
    assert write(steps) == text


@given(
    st.recursive(
        st.one_of(st.none(), st.booleans(), st.integers(), st.text(max_size=5)),
        lambda inner: st.one_of(st.lists(inner, max_size=4), st.dictionaries(NAMES, inner, max_size=4)),
        max_leaves=20,
    )
)
def test_everything_in_a_document_is_found_at_its_path(document: Any) -> None:
    def walk(value: Any, steps: tuple[str | int, ...]) -> None:
        if steps:
            assert look_up(document, parse(write(steps))) is value
        if isinstance(value, dict):
            for name, inner in value.items():
                walk(inner, (*steps, name))
        elif isinstance(value, list):
            for at, inner in enumerate(value):
                walk(inner, (*steps, at))

    walk(document, ())


@pytest.mark.parametrize(
    ("path", "says"),
    [
        ("a.c", "a has no c"),
        ("a[0]", "a is no list"),
        ("b[3]", "b has 2 entries"),
        ("b.x", "b is no object"),
        ("z", "the answer has no z"),
    ],
)
def test_what_is_missing_is_said(path: str, says: str) -> None:
    with pytest.raises(MissingError, match=says):
        look_up({"a": {"b": 1}, "b": [1, 2]}, parse(path))


@pytest.mark.parametrize(
    ("value", "text"), [("ok", "ok"), (True, "true"), (None, "null"), (3, "3"), (1.5, "1.5"), ({"a": [1]}, '{"a":[1]}')]
)
def test_values_as_the_configuration_writes_them(value: Any, text: str) -> None:
    assert as_text(value) == text
