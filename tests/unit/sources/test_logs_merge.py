"""Several logs in one order: nothing lost, nothing doubled, each origin's own order kept."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from hypothesis import given, settings
from hypothesis import strategies as st

from debugtui.model.logs import LogLine, Merged
from debugtui.sources.logs.merge import MOST_WAITING, Merger
from debugtui.sources.logs.overlap import Overlap

START = datetime(2026, 3, 14, 9, 26, 53, tzinfo=UTC)

#: Seconds of lines, in order: of one origin.
SORTED = st.lists(st.integers(0, 30), max_size=25).map(sorted)


def line(second: float | None, text: str = "") -> LogLine:
    at = None if second is None else START + timedelta(seconds=second)
    return LogLine(text or f"at {second}", at)


def named(origin: int, seconds: list[int]) -> list[LogLine]:
    return [line(second, f"{origin}/{number}") for number, second in enumerate(seconds)]


def drained(merger: Merger, now: float) -> list[Merged]:
    found = []
    while (part := merger.take(now)).lines:
        found.append(part)
    return found


@given(st.lists(SORTED, min_size=1, max_size=5), st.randoms(use_true_random=False))
def test_sorted_origins_come_out_sorted_and_whole_however_they_arrive(origins: list[list[int]], dice) -> None:
    merger = Merger(len(origins))
    rest = {place: named(place, seconds) for place, seconds in enumerate(origins)}
    out: list[tuple[int, LogLine]] = []

    def keep(part: Merged) -> None:
        assert not part.late
        out.extend(zip(part.origins, part.lines, strict=True))

    while rest:
        place = dice.choice(list(rest))
        count = dice.randint(0, 4)
        merger.push(place, rest[place][:count], 0.0)
        rest[place] = rest[place][count:]
        if not rest[place]:
            del rest[place]
            merger.wait_for(place, False)
        if rest:
            for part in drained(merger, 0.0):
                keep(part)
    while (part := merger.rest(7)).lines:
        keep(part)
    expected = sorted(
        ((one.at, place, number), one)
        for place, seconds in enumerate(origins)
        for number, one in enumerate(named(place, seconds))
    )
    assert [one for _, one in out] == [one for _, one in expected]


@given(st.lists(st.tuples(st.integers(0, 2), st.integers(0, 20)), max_size=60))
def test_followed_lines_are_given_out_once_and_in_the_order_of_their_origin(events: list[tuple[int, int]]) -> None:
    merger = Merger(3, window=1.0)
    for place in range(3):
        merger.wait_for(place, False)
    out: list[tuple[int, LogLine]] = []
    pushed: dict[int, list[LogLine]] = {0: [], 1: [], 2: []}
    given_out = float("-inf")
    running = [float("-inf")] * 3
    for number, (place, second) in enumerate(events):
        one = line(second, str(number))
        pushed[place].append(one)
        merger.push(place, [one], number / 4)
        for part in drained(merger, number / 4):
            for index, (origin, shown) in enumerate(zip(part.origins, part.lines, strict=True)):
                running[origin] = max(running[origin], shown.at.timestamp())
                assert (running[origin] < given_out) == (index in part.late)
                given_out = max(given_out, running[origin])
                out.append((origin, shown))
    last = merger.rest()
    out += zip(last.origins, last.lines, strict=True)
    for place in range(3):
        assert [one for origin, one in out if origin == place] == pushed[place]


def test_a_slower_origin_is_put_in_its_place_within_the_window() -> None:
    merger = Merger(2, window=1.5)
    for place in range(2):
        merger.wait_for(place, False)
    merger.push(0, [line(10, "fast")], 100.0)
    assert not merger.take(100.5).lines
    merger.push(1, [line(9, "slow")], 101.0)
    part = merger.take(101.6)
    assert [one.text for one in part.lines] == ["slow", "fast"]
    assert not part.late


def test_what_comes_later_than_the_window_is_given_out_at_once_and_marked() -> None:
    merger = Merger(2, window=1.5)
    for place in range(2):
        merger.wait_for(place, False)
    merger.push(0, [line(10, "fast")], 100.0)
    assert merger.take(101.5).lines
    merger.push(1, [line(9, "slow"), line(11, "next")], 103.0)
    part = merger.take(103.0)
    assert [one.text for one in part.lines] == ["slow"]
    assert part.late == {0}
    assert [one.text for one in merger.take(104.5).lines] == ["next"]


def test_one_origin_alone_waits_for_nobody() -> None:
    merger = Merger(1)
    merger.wait_for(0, False)
    merger.push(0, [line(1)], 5.0)
    assert len(merger.take(5.0).lines) == 1


def test_what_was_there_already_waits_for_no_window_once_all_of_it_is_read() -> None:
    merger = Merger(2)
    merger.push(0, [line(1), line(5)], 0.0)
    assert not merger.take(0.0).lines
    merger.push(1, [line(3)], 0.0)
    assert [one.text for one in merger.take(0.0).lines] == ["at 1"]
    merger.wait_for(0, False)
    merger.wait_for(1, False)
    assert [one.text for one in merger.take(0.0).lines] == ["at 3", "at 5"]


def test_a_line_without_a_time_and_one_that_goes_back_stay_behind_the_one_before() -> None:
    merger = Merger(2)
    merger.push(0, [line(None, "no time"), line(5, "five"), line(2, "back"), line(None, "more of it")], 0.0)
    merger.push(1, [line(3, "three"), line(6, "six")], 0.0)
    assert [one.text for one in merger.rest().lines] == ["no time", "three", "five", "back", "more of it", "six"]


def test_a_note_stands_behind_what_came_before_it_and_is_never_late() -> None:
    merger = Merger(2, window=0.0)
    for place in range(2):
        merger.wait_for(place, False)
    merger.push(0, [line(4, "last")], 0.0)
    merger.push(1, [line(9, "other")], 0.0)
    assert len(merger.take(0.0).lines) == 2
    merger.push(0, [line(50, "it is gone")], 1.0, note=True)
    part = merger.take(1.0)
    assert (part.notes, part.late) == ({0}, frozenset())
    merger.push(0, [line(10, "again")], 2.0)
    part = merger.take(2.0)
    assert [one.text for one in part.lines] == ["again"]
    assert not part.late  # our clock may be ahead of the origin's


def test_a_note_about_an_origin_that_failed_at_once_stands_behind_what_was_there() -> None:
    merger = Merger(2)
    merger.push(0, [line(50, "it is not there")], 0.0, note=True)
    merger.wait_for(0, False)
    merger.push(1, [line(1), line(2)], 0.0)
    merger.wait_for(1, False)
    part = merger.take(0.0)
    assert [one.text for one in part.lines] == ["at 1", "at 2", "it is not there"]
    assert part.notes == {2}
    merger.push(0, [line(3, "it came")], 1.0)
    assert [one.text for one in merger.take(9.0).lines] == ["it came"]


def test_more_than_may_wait_is_given_out_before_its_window_is_over() -> None:
    merger = Merger(2, window=60.0)
    for place in range(2):
        merger.wait_for(place, False)
    merger.push(0, [line(0)] * MOST_WAITING, 0.0)
    assert not merger.room(0)
    assert len(merger.take(0.0).lines) == MOST_WAITING
    assert merger.room(0)


def test_a_part_is_at_most_as_long_as_asked() -> None:
    merger = Merger(1)
    merger.push(0, [line(second) for second in range(10)], 0.0)
    assert len(merger.rest(4).lines) == 4
    assert len(merger.rest(4).lines) == 4
    assert [one.text for one in merger.rest(4).lines] == ["at 8", "at 9"]


# --- reading again after a break


@settings(max_examples=200)
@given(
    st.lists(st.tuples(st.integers(0, 6), st.sampled_from("ab")), max_size=40),
    st.data(),
)
def test_a_log_that_is_read_again_after_a_break_brings_every_line_once(log: list[tuple[int, str]], data) -> None:
    """The log is in order, at a second's resolution, with lines that are alike; the break is anywhere."""
    lines = [line(second, text) for second, text in sorted(log)]
    overlap = Overlap()
    out: list[LogLine] = []
    read = 0
    for _ in range(data.draw(st.integers(0, 4))):
        cut = data.draw(st.integers(read, len(lines)))
        since = overlap.again()
        again = [one for one in lines[:cut] if since is None or one.at >= since]
        for start in range(0, len(again), 3):
            out += overlap.fresh(again[start : start + 3])
        read = cut
    since = overlap.again()
    out += overlap.fresh([one for one in lines if since is None or one.at >= since])
    assert out == lines


def test_a_flood_is_remembered_as_far_as_there_is_room_and_read_again_from_there() -> None:
    overlap = Overlap()
    flood = [line(number / 1_000_000, str(number)) for number in range(50_000)]
    assert overlap.fresh(flood) == flood
    since = overlap.again()
    assert since is not None
    assert since > flood[29_000].at
    again = [one for one in flood if one.at >= since]
    assert overlap.fresh([*again, line(1, "new")]) == [line(1, "new")]
