"""The pane's top line and the filter bar."""

from __future__ import annotations

from textual.app import App, ComposeResult
from textual.widgets import Input

from debugtui.themes import DEFAULT_THEME, MONO_THEME, register
from debugtui.widgets.filter_bar import FilterBar
from debugtui.widgets.line_table import Column, LineTable, Row
from debugtui.widgets.pane import Pane


class PaneApp(App[None]):
    """Two panes with a table each, and a filter bar."""

    def __init__(self) -> None:
        super().__init__()
        register(self)
        self.theme = DEFAULT_THEME
        self.tables = [LineTable((Column("name", "Name"),)) for _ in range(2)]
        self.panes = [Pane(f"Pane {i} [/nope]", table) for i, table in enumerate(self.tables)]
        self.bar = FilterBar()

    def compose(self) -> ComposeResult:
        yield from self.panes
        yield self.bar


def top(pane: Pane) -> str:
    return pane.render_lines(pane.outer_size.region)[0].text


def bottom(pane: Pane) -> str:
    return pane.render_lines(pane.outer_size.region)[-1].text


async def test_top_line_holds_title_and_state() -> None:
    app = PaneApp()
    async with app.run_test(size=(40, 12)) as pilot:
        pane = app.panes[0]
        pane.set_status("live 1 s", "ok")
        pane.set_note("2 columns hidden")
        await pilot.pause()
        assert top(pane) == "╭ Pane 0 [/nope] ──────────── live 1 s ╮"
        assert bottom(pane).startswith("╰ 2 columns hidden ──")
        await pilot.resize_terminal(16, 12)
        await pilot.pause()
        assert len(top(pane)) == 16
        assert top(pane).startswith("╭ Pane 0 [/")
        pane.title = "日本語日本語日本語\x1b[2J"
        await pilot.pause()
        assert "\x1b" not in top(pane)
        assert app.screen.get_style_at(0, 0).color != app.screen.get_style_at(0, 6).color


async def test_a_new_age_does_not_repaint_the_content() -> None:
    app = PaneApp()
    async with app.run_test(size=(40, 12)) as pilot:
        pane, table = app.panes[0], app.tables[0]
        table.set_rows([Row("a", ("a",))])
        await pilot.pause()
        rendered: list[int] = []
        render_line = table.render_line
        table.render_line = lambda y: (rendered.append(y), render_line(y))[1]  # type: ignore[method-assign]
        pane.set_status("live 1 s", "ok")
        await pilot.pause()
        assert "live 1 s" in top(pane)
        assert rendered == []


async def test_focus_shows_without_colours() -> None:
    app = PaneApp()
    async with app.run_test(size=(40, 12)) as pilot:
        app.theme = MONO_THEME
        app.tables[1].focus()
        await pilot.pause()
        assert top(app.panes[0])[0] == "╭"
        assert top(app.panes[1])[0] == "┏"


async def test_filter_bar_filters_while_typing() -> None:
    app = PaneApp()
    async with app.run_test(size=(60, 14)) as pilot:
        table = app.tables[1]
        table.set_rows([Row(name, (name,)) for name in ("api", "web", "worker")])
        table.focus()
        app.bar.open(table)
        await pilot.press("w", "e")
        assert [row.key for row in table.shown_rows] == ["web"]
        await pilot.press("enter")
        assert app.focused is table
        assert not app.bar.display
        assert table.filter_text == "we"
        app.bar.open(table)
        await pilot.pause()
        assert app.bar.query_one(Input).value == "we"
        await pilot.press("escape")
        assert len(table.shown_rows) == 3
        assert app.focused is table
