"""The log view on a screen: follow, search, filter, levels, hostile text, memory of where one is."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime

from textual.app import App, ComposeResult
from textual.pilot import Pilot
from textual.widgets import Input

from debugtui.model.logs import Level, LogLine
from debugtui.themes import DEFAULT_THEME, register
from debugtui.widgets.filter_bar import FilterBar
from debugtui.widgets.log_store import CHUNK_LINES
from debugtui.widgets.log_view import LogView


def level_of(text: str) -> Level:
    for level in (Level.ERROR, Level.WARNING, Level.INFO, Level.DEBUG):
        if level.value in text.lower():
            return level
    return Level.UNKNOWN


class LogApp(App[None]):
    """One log and a filter bar."""

    def __init__(self, **options: object) -> None:
        super().__init__()
        register(self)
        self.theme = DEFAULT_THEME
        self.view = LogView(level_of, **{"follow": True, **options})
        self.bar = FilterBar()

    def compose(self) -> ComposeResult:
        yield self.view
        yield self.bar


def lines(view: LogView) -> list[str]:
    return [view.render_line(y).text.rstrip() for y in range(view.size.height)]


async def settle(pilot: Pilot[None], view: LogView) -> None:
    """Wait until what was fed is painted and every scan is done."""
    for _ in range(200):
        await pilot.pause()
        if view._timer is None and not view.scanning:
            return
        await asyncio.sleep(0.02)
    raise AssertionError("the log view does not come to rest")


def numbered(count: int, start: int = 0) -> list[LogLine]:
    return [LogLine(f"line {number}") for number in range(start, start + count)]


async def test_follows_the_end_until_moved_up() -> None:
    app = LogApp()
    async with app.run_test(size=(60, 10)) as pilot:
        view = app.view
        view.focus()
        view.feed(numbered(100))
        await settle(pilot, view)
        assert "line 99" in lines(view)[-2]
        assert lines(view)[-1].split()[0] == "following"
        await pilot.press("up", "up")
        assert view.current_text() == "line 97"
        view.feed(numbered(50, 100))
        await settle(pilot, view)
        assert view.current_text() == "line 97"
        assert "line 99" in lines(view)[-2]
        await pilot.press("G")
        await settle(pilot, view)
        assert view.follow
        assert "line 149" in lines(view)[-2]
        await pilot.press("f", "g")
        await pilot.pause()
        assert not view.follow
        assert "line 0" in lines(view)[0]


async def test_feeding_is_gathered_into_few_paints() -> None:
    app = LogApp()
    async with app.run_test(size=(60, 10)) as pilot:
        view = app.view
        painted = 0
        flush = view._flush

        def counted(*, keep: bool = False) -> None:
            nonlocal painted
            painted += 1
            flush(keep=keep)

        view._flush = counted  # type: ignore[method-assign]
        for number in range(200):
            view.feed(numbered(25, 25 * number))
            await asyncio.sleep(0.002)
        await settle(pilot, view)
        assert view.counts == (5_000, 5_000)
        assert painted <= 12
        assert "line 4999" in lines(view)[-2]


async def test_search_goes_to_matches_and_round() -> None:
    app = LogApp(follow=False)
    async with app.run_test(size=(60, 10)) as pilot:
        view = app.view
        view.focus()
        view.feed(numbered(12_000))
        await settle(pilot, view)
        await pilot.press("g", "slash", *"NE 9", "9")
        await settle(pilot, view)
        assert view.current_text() == "line 99"
        await pilot.press("enter")
        assert app.focused is view
        await pilot.press("n")
        assert view.current_text() == "line 990"
        await pilot.press("N", "N")
        assert view.search_counts == (111, 111)
        assert view.current_text() == "line 9999"
        await pilot.press("n")
        assert view.current_text() == "line 99"
        style = view.render_line(view._state.index(99) - view.scroll_offset.y)
        assert any(segment.text == "ne 99" and segment.style == view._style("match") for segment in style)
        await pilot.press("slash")
        await pilot.pause()
        assert app.bar.query_one(Input).value == "NE 99"
        await pilot.press("escape")
        assert view.search_text == ""


async def test_filter_level_and_search_together() -> None:
    app = LogApp(follow=False)
    async with app.run_test(size=(70, 12)) as pilot:
        view = app.view
        view.focus()
        kinds = ("INFO ok", "ERROR boom", "  at frame", "WARNING slow", "DEBUG x")
        view.feed([LogLine(f"{kinds[number % 5]} {number}") for number in range(1_000)])
        await settle(pilot, view)
        assert view.counts == (1_000, 1_000)
        await pilot.press("l", "l")
        await settle(pilot, view)
        assert view.level_floor is Level.WARNING
        assert view.counts == (600, 1_000)
        await pilot.press("l")
        await settle(pilot, view)
        assert view.counts == (400, 1_000)  # a frame belongs to its error
        await pilot.press("ampersand", "9", "enter")
        await settle(pilot, view)
        shown = [number for number in range(1_000) if number % 5 in (1, 2) and "9" in str(number)]
        assert view.counts == (len(shown), 1_000)
        view.search("frame")
        await settle(pilot, view)
        assert view.current_text() == "  at frame 92"
        view.search("")
        await pilot.press("l")
        view.filter("/(/")
        await settle(pilot, view)
        assert view.counts[0] == 1_000
        assert "not a regular expression" in lines(view)[-1]


async def test_filter_keeps_the_line_in_view() -> None:
    app = LogApp(follow=False)
    async with app.run_test(size=(60, 12)) as pilot:
        view = app.view
        view.focus()
        view.feed(numbered(1_000))
        await settle(pilot, view)
        view._go(555)
        view.filter("5")
        await settle(pilot, view)
        assert view.current_text() == "line 555"
        view.filter("")
        await settle(pilot, view)
        assert view.current_text() == "line 555"
        assert any("line 555" in line for line in lines(view))


async def test_long_lines_and_times() -> None:
    app = LogApp(follow=False)
    async with app.run_test(size=(40, 6)) as pilot:
        view = app.view
        view.focus()
        at = datetime(2026, 11, 20, 14, 3, 22, 123_000, tzinfo=UTC)
        view.feed([LogLine("".join(str(n % 10) for n in range(100)), at), LogLine("日本語" * 30)])
        await settle(pilot, view)
        assert lines(view)[0].endswith("›")
        await pilot.press("right")
        assert "6789" in lines(view)[0]
        await pilot.press("left", "t")
        await pilot.pause()
        assert f"{at.astimezone():%H:%M:%S}.123" in lines(view)[0]
        for y in range(6):
            strip = view.render_line(y)
            assert sum(segment.cell_length for segment in strip) == strip.cell_length == 39


async def test_the_oldest_go_and_it_says_so() -> None:
    app = LogApp(max_lines=CHUNK_LINES)
    async with app.run_test(size=(60, 8)) as pilot:
        view = app.view
        view.focus()
        view.feed(numbered(3 * CHUNK_LINES))
        await settle(pilot, view)
        assert view.dropped > 0
        await pilot.press("g")
        await pilot.pause()
        assert f"{view.dropped:,} older lines are gone" in lines(view)[0]
        assert view.current_text() == f"line {view.dropped}"


async def test_hostile_lines_are_shown_not_obeyed() -> None:
    app = LogApp(follow=False)
    async with app.run_test(size=(60, 10)) as pilot:
        view = app.view
        texts = [
            "[@click=app.quit]x[/]",
            "[/nope]",
            "\x1b]52;c;aGk=\x07",
            "\x9b2J",
            "a\u202eb",
            "x" * 90_000,
            "\udc80",
            "a\x00b",
            "",
        ]
        view.replace([LogLine(text) for text in texts])
        view.search("/x|\\[/")
        await settle(pilot, view)
        shown = "".join(lines(view))
        assert "[@click=app.quit]" in shown
        assert "[/nope]" in shown
        assert not set(shown) & {"\x1b", "\x07", "\x9b", "\u202e", "\x00"}


async def test_an_empty_view_and_a_document() -> None:
    app = LogApp(follow=False)
    async with app.run_test(size=(60, 6)) as pilot:
        view = app.view
        view.focus()
        assert "no lines" in lines(view)[0]
        await pilot.press("up", "down", "end", "home", "n", "pagedown", "l", "t", "right")
        assert view.current_text() == ""
        view.replace([LogLine("<domain>"), LogLine("</domain>")])
        await settle(pilot, view)
        view.replace([LogLine("<other/>")])
        await settle(pilot, view)
        assert view.counts == (1, 1)
        assert view.current_text() == "<other/>"
        view.clear()
        assert view.counts == (0, 0)
