"""The live table without a screen: columns fit, changed spans are enough, the cursor never points elsewhere."""

from __future__ import annotations

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len

from debugtui.model.matching import Matcher
from debugtui.widgets.cells import fit, safe
from debugtui.widgets.table_layout import changed_spans, place_columns
from debugtui.widgets.table_lines import empty_line, header_line, row_line, wrap
from debugtui.widgets.table_rows import Cell, Column, Row, arrange
from debugtui.widgets.table_state import TableState

TEXT = st.text(max_size=20)
COLUMNS = st.lists(
    st.builds(
        Column,
        id=st.just("x"),
        title=TEXT,
        width=st.integers(0, 20),
        align=st.sampled_from(["left", "right"]),
        priority=st.integers(0, 3),
        min_width=st.integers(1, 8),
    ),
    min_size=1,
    max_size=6,
)


@given(TEXT, st.integers(0, 30), st.booleans())
def test_fit_is_exact(text: str, width: int, right: bool) -> None:
    assert cell_len(fit(safe(text), width, right=right)) == width


@given(st.text(max_size=40))
def test_safe_leaves_nothing_to_obey(text: str) -> None:
    shown = safe(text)
    assert not any(ord(letter) < 32 or 127 <= ord(letter) < 160 or letter in "\u202e\u2066\u200d\ufe0f" for letter in shown)


def test_joined_signs_keep_their_width() -> None:
    assert cell_len(safe("👨\u200d👩\u200d👧")) == 6
    assert cell_len(safe("⚠\ufe0f")) == 1


@given(COLUMNS, st.integers(0, 120))
def test_columns_fit(columns: list[Column], width: int) -> None:
    places = place_columns(columns, width)
    for left, right in pairwise(places):
        assert left.x + left.width < right.x
        assert left.column < right.column
    if places and width > 1:
        assert places[-1].x + places[-1].width <= width


@given(COLUMNS, st.integers(0, 60), st.lists(TEXT, max_size=6), st.sampled_from(["", "cursor"]), TEXT)
def test_every_line_is_as_wide_as_the_table(
    columns: list[Column], width: int, texts: list[str], style: str, indent: str
) -> None:
    places = place_columns(columns, width)
    for heading in (False, True):
        row = Row("key", tuple(Cell(text) for text in texts), heading=heading, indent=indent)
        pieces = row_line(row, columns, places, width, style, fold="▾")
        assert sum(piece.width for piece in pieces) == width
        assert all(cell_len(piece.text) == piece.width for piece in pieces)
    for pieces in (header_line(columns, places, width, 0, True), empty_line("why it is empty", 1, width, 5)):
        assert sum(piece.width for piece in pieces) == width
        assert all(cell_len(piece.text) == piece.width for piece in pieces)


@given(
    st.lists(st.text("ab12日é", max_size=8), min_size=3, max_size=3),
    st.lists(st.text("ab12日é", max_size=8), min_size=3, max_size=3),
)
def test_what_lies_outside_the_changed_spans_is_equal(before: list[str], after: list[str]) -> None:
    columns = [Column("a", "A", width=6), Column("b", "B"), Column("c", "C", width=5, align="right")]
    places = place_columns(columns, 30)
    old = row_line(Row("k", tuple(before)), columns, places, 30, "", fold="")
    new = row_line(Row("k", tuple(after)), columns, places, 30, "", fold="")

    def cells(pieces: list) -> list[str]:
        return [cell for piece in pieces for letter in piece.text for cell in [letter, *[""] * (cell_len(letter) - 1)]]

    changed = {x for start, end in changed_spans(old, new) for x in range(start, end)}
    for x, (one, other) in enumerate(zip(cells(old), cells(new), strict=True)):
        assert one == other or x in changed


KEYS = st.lists(st.sampled_from("abcdefgh"), unique=True, max_size=8)


@given(st.lists(st.tuples(KEYS, st.sampled_from(["", "a", "!b", "/[c-e]/"]), st.integers(-2, 9)), max_size=8), st.booleans())
def test_the_cursor_is_always_on_its_row(steps: list[tuple[list[str], str, int]], collapsible: bool) -> None:
    state = TableState([Column("name", "Name")], collapsible=collapsible)
    for keys, text, index in steps:
        former = state.key
        state.given = [Row(key, (key,), heading=key in "ch") for key in keys]
        state.matcher = Matcher(text)
        state.rearrange()
        shown = [row.key for row in state.shown]
        if state.key is None:
            assert not any(state.takes_cursor(row) for row in state.shown)
        else:
            assert shown[state.cursor] == state.key
            assert state.takes_cursor(state.shown[state.cursor])
        if former in shown and former is not None and state.takes_cursor(state.shown[shown.index(former)]):
            assert state.key == former
        if shown:
            state.place(index)


def test_values_of_any_type_can_be_sorted() -> None:
    values = [3, None, "b", 2.5, float("nan"), "A", True, (1, 2)]
    rows = [Row(str(index), (value,)) for index, value in enumerate(values)]
    for reverse in (False, True):
        shown = arrange(rows, [Column("x", "X")], sort=0, reverse=reverse, matcher=Matcher(""), collapsed=frozenset())
        assert len(shown) == len(rows)
        assert {row.key for row in shown[-2:]} == {"1", "4"}  # None and NaN


def test_wrap() -> None:
    assert wrap("permission denied for user", 10) == ["permission", "denied for", "user"]
    assert wrap("日本語日本語", 5) == ["日本", "語日", "本語"]
    assert wrap("", 5) == []
