"""The live table on a screen: what it shows, where the cursor stays, what it repaints."""

from __future__ import annotations

import pytest
from textual.app import App, ComposeResult

from debugtui.themes import DEFAULT_THEME, register
from debugtui.widgets.line_table import Cell, Column, LineTable, Row

COLUMNS = (
    Column("name", "Name", min_width=8),
    Column("state", "State", width=9),
    Column("cpu", "CPU", width=5, align="right", format=lambda value: f"{value} %"),
    Column("note", "Note", width=12, priority=5),
)


class TableApp(App[None]):
    """One table."""

    def __init__(self, **options: object) -> None:
        super().__init__()
        register(self)
        self.theme = DEFAULT_THEME
        self.table = LineTable(COLUMNS, empty_text="not configured", **options)
        self.seen: list[tuple[str, str | None]] = []

    def compose(self) -> ComposeResult:
        yield self.table

    def on_line_table_selected(self, message: LineTable.Selected) -> None:
        self.seen.append(("selected", message.key))

    def on_line_table_highlighted(self, message: LineTable.Highlighted) -> None:
        self.seen.append(("highlighted", message.key))


def row(key: str, cpu: int | None = 1, state: str = "running", **options: object) -> Row:
    return Row(key, (key, Cell(state, "ok"), cpu, "note"), **options)


def screen_lines(table: LineTable) -> list[str]:
    return [table.render_line(y).text.rstrip() for y in range(table.size.height)]


async def test_shows_rows_under_titles_and_drops_columns() -> None:
    app = TableApp()
    async with app.run_test(size=(40, 6)) as pilot:
        app.table.set_rows([row("api"), row("worker", 12)])
        await pilot.pause()
        lines = screen_lines(app.table)
        assert lines[0].split() == ["Name", "State", "CPU", "Note"]
        assert lines[1].split() == ["▸api", "running", "1", "%", "note"]
        await pilot.resize_terminal(26, 6)
        await pilot.pause()
        assert app.table.hidden_columns == ("note",)
        assert all(len(line) <= 26 for line in screen_lines(app.table))


async def test_empty_table_says_why() -> None:
    app = TableApp()
    async with app.run_test(size=(40, 6)) as pilot:
        assert "not configured" in "".join(screen_lines(app.table))
        app.table.empty_text = "permission denied: add the user to the group docker"
        await pilot.pause()
        assert "permission denied" in " ".join(screen_lines(app.table))


async def test_cursor_stays_on_its_row() -> None:
    app = TableApp()
    async with app.run_test(size=(60, 8)) as pilot:
        app.table.focus()
        app.table.set_rows([row(name) for name in "abcd"])
        await pilot.press("down", "down")
        assert app.table.cursor_key == "c"
        app.table.set_rows([row(name) for name in "zdcba"])
        assert app.table.cursor_key == "c"
        assert app.table.cursor_row is app.table.shown_rows[2]
        app.table.set_rows([row(name) for name in "zdba"])  # c is gone: the one after it
        assert app.table.cursor_key == "b"
        app.table.set_rows([row("z")])
        assert app.table.cursor_key == "z"
        app.table.set_rows([])
        assert app.table.cursor_key is None
        await pilot.press("enter", "down", "end")  # nothing to do, nothing breaks
        app.table.set_rows([row("x")])
        await pilot.press("enter")
        assert app.seen[-1] == ("selected", "x")


async def test_sort_is_by_value_then_key_and_none_comes_last() -> None:
    app = TableApp()
    async with app.run_test(size=(60, 8)):
        table = app.table
        table.set_rows([row("b", 9), row("a", 9), row("n", None), row("c", 100)])
        table.sort_by("cpu")
        assert [r.key for r in table.shown_rows] == ["a", "b", "c", "n"]
        table.sort_by("cpu", reverse=True)
        assert [r.key for r in table.shown_rows] == ["c", "a", "b", "n"]
        assert "CPU▼" in screen_lines(table)[0]
        with pytest.raises(KeyError):
            table.sort_by("nope")


async def test_filter() -> None:
    app = TableApp()
    async with app.run_test(size=(60, 8)):
        table = app.table
        table.set_rows([row("api"), row("worker"), row("web", 7)])
        table.filter("W")
        assert [r.key for r in table.shown_rows] == ["worker", "web"]
        table.filter("!w")
        assert [r.key for r in table.shown_rows] == ["api"]
        table.filter("/^w.b/")
        assert [r.key for r in table.shown_rows] == ["web"]
        table.filter("7 %")
        assert [r.key for r in table.shown_rows] == ["web"]
        table.filter("/(/")
        assert "not a regular expression" in table.filter_error
        assert len(table.shown_rows) == 3


async def test_frozen_keeps_the_newest_aside() -> None:
    app = TableApp()
    async with app.run_test(size=(60, 8)):
        table = app.table
        table.set_rows([row("a")])
        table.frozen = True
        table.set_rows([row("b")])
        table.set_rows([row("c")])
        assert [r.key for r in table.shown_rows] == ["a"]
        table.frozen = False
        assert [r.key for r in table.shown_rows] == ["c"]


async def test_headings_fold_and_trees_stay_together() -> None:
    app = TableApp()
    async with app.run_test(size=(60, 12)) as pilot:
        table = app.table
        table.focus()
        rows = [
            Row("g1", ("shop (2)",), heading=True),
            row("web", 5),
            row("api", 1),
            Row("g2", ("other",), heading=True),
            row("root", 1),
            row("child", 0, indent="└ "),
        ]
        table.set_rows(rows)
        table.sort_by("cpu")
        assert [r.key for r in table.shown_rows] == ["g1", "api", "web", "g2", "root", "child"]
        table.filter("child")
        assert [r.key for r in table.shown_rows] == ["g2", "root", "child"]
        table.filter("")
        await pilot.press("home", "space")
        assert [r.key for r in table.shown_rows] == ["g1", "g2", "root", "child"]
        assert "▸ shop" in screen_lines(table)[1]
        await pilot.press("enter")
        assert len(table.shown_rows) == 6
        assert any("└ child" in line for line in screen_lines(table))


async def test_plain_headings_are_stepped_over() -> None:
    app = TableApp(collapsible=False)
    async with app.run_test(size=(60, 12)) as pilot:
        table = app.table
        table.focus()
        table.set_rows([Row("g", ("g",), heading=True), row("a"), Row("h", ("h",), heading=True), row("b")])
        assert table.cursor_key == "a"
        await pilot.press("down")
        assert table.cursor_key == "b"
        await pilot.press("home")
        assert table.cursor_key == "a"


async def test_pages_home_end_and_wheel() -> None:
    app = TableApp()
    async with app.run_test(size=(60, 11)) as pilot:
        table = app.table
        table.focus()
        table.set_rows([row(f"r{i:03}") for i in range(100)])
        await pilot.pause()
        assert table.render_line(1).cell_length == 59  # a scrollbar stands beside it
        await pilot.press("pagedown")
        assert table.cursor_key == "r010"
        await pilot.press("G")
        assert table.cursor_key == "r099"
        assert "r099" in screen_lines(table)[-1]
        assert "Name" in screen_lines(table)[0]
        await pilot.press("g")
        assert table.cursor_key == "r000"
        await pilot.pause()
        assert "r000" in screen_lines(table)[1]


async def test_mouse() -> None:
    app = TableApp()
    async with app.run_test(size=(60, 11)) as pilot:
        table = app.table
        table.set_rows([row(f"r{i}", 10 - i) for i in range(5)])
        await pilot.pause()
        await pilot.click(table, offset=(3, 3))
        assert table.cursor_key == "r2"
        await pilot.double_click(table, offset=(3, 4))
        assert app.seen[-1] == ("selected", "r3")
        x = screen_lines(table)[0].index("CPU")
        await pilot.click(table, offset=(x, 0))
        assert table.sorting == ("cpu", False)
        assert table.shown_rows[0].key == "r4"


async def test_only_what_changed_is_refreshed() -> None:
    app = TableApp()
    async with app.run_test(size=(60, 11)) as pilot:
        table = app.table
        table.set_rows([row(f"r{i}", 10) for i in range(5)])
        await pilot.pause()
        regions: list[object] = []
        refresh = table.refresh
        table.refresh = lambda *args, **options: (regions.extend(args), refresh(*args, **options))[1]  # type: ignore[method-assign]
        table.set_rows([row(f"r{i}", 17 if i == 3 else 10) for i in range(5)])
        assert [(r.y, r.width, r.height) for r in regions] == [(4, 1, 1)]
        regions.clear()
        table.set_rows([row(f"r{i}", 17 if i == 3 else 10) for i in range(5)])
        assert regions == []


async def test_hostile_text_is_shown_and_columns_hold() -> None:
    app = TableApp()
    async with app.run_test(size=(60, 12)) as pilot:
        table = app.table
        names = [
            "[@click=app.quit]x[/]",
            "[/nope]",
            "\x1b]52;c;aGk=\x07",
            "a\x9b31mb",
            "日本語日本語日本語日本語日本語",
            "e\u0301\u202ex",
            "👨\u200d👩\u200d👧",
        ]
        table.set_rows([row(name) for name in names])
        await pilot.pause()
        for y in range(len(names) + 1):
            strip = table.render_line(y)
            assert strip.cell_length == 60
            assert sum(segment.cell_length for segment in strip) == 60
            assert not set(strip.text) & {"\x1b", "\x07", "\x9b", "\u202e"}
        assert "[/nope]" in "".join(screen_lines(table))
