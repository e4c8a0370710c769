"""Every widget in every theme: it can be composed, it fits its box, and the theme without colours sends none."""

from __future__ import annotations

import pytest
from rich.color import ColorType
from textual.app import App, ComposeResult
from textual.containers import Horizontal
from textual.widgets import Button

from debugtui.model.logs import Level, LogLine
from debugtui.themes import MONO_THEME, THEMES, TONES, register
from debugtui.widgets.filter_bar import FilterBar
from debugtui.widgets.line_table import Cell, Column, LineTable, Row
from debugtui.widgets.log_view import LogView
from debugtui.widgets.pane import Pane
from debugtui.widgets.plot import Plot


class Everything(App[None]):
    """One of each."""

    def __init__(self, theme: str) -> None:
        super().__init__()
        register(self)
        self.theme = theme
        self.table = LineTable([Column("name", "Name"), Column("tone", "Tone", width=8, align="right")])
        self.log_view = LogView(lambda text: Level(text.split()[0]))
        self.plot = Plot("cpu %")
        self.bar = FilterBar()

    def compose(self) -> ComposeResult:
        with Horizontal():
            yield Pane("Table", self.table)
            yield Pane("Log", self.log_view)
            yield Pane("Plot", self.plot)
        yield Button("no")
        yield self.bar

    def fill(self) -> None:
        heading = Row("heading", ("shop (2)",), heading=True)
        self.table.set_rows([heading, *(Row(tone or "plain", ("x", Cell(tone, tone))) for tone in TONES)])  # type: ignore[arg-type]
        self.table.sort_by("name")
        self.log_view.feed([LogLine(f"{level} text") for level in Level])
        self.plot.show([0.0, 1.0, 2.0], [1.0, None, 3.0])
        for pane, tone in zip(self.query(Pane), ("ok", "warn", "bad"), strict=True):
            pane.set_status("live 1 s", tone)  # type: ignore[arg-type]
        self.log_view.search("text")


@pytest.mark.parametrize("size", [(80, 24), (120, 40), (20, 6), (5, 3)])
@pytest.mark.parametrize("theme", [theme.name for theme in THEMES])
async def test_every_theme_and_size(theme: str, size: tuple[int, int]) -> None:
    app = Everything(theme)
    async with app.run_test(size=size) as pilot:
        app.fill()
        app.table.focus()
        await pilot.pause(0.15)
        app.bar.open(app.log_view)
        await pilot.pause()
        strips = app.screen._compositor.render_strips()
        assert all(strip.cell_length == size[0] for strip in strips)
        if theme == MONO_THEME:
            colours = {
                colour.name
                for strip in strips
                for segment in strip
                if segment.style is not None
                for colour in (segment.style.color, segment.style.bgcolor)
                if colour is not None and colour.type is not ColorType.DEFAULT
            }
            assert colours == set()


async def test_tones_differ_without_colours() -> None:
    app = Everything(MONO_THEME)
    async with app.run_test(size=(120, 40)) as pilot:
        await pilot.pause()
        styles = {tone: app.table._style(tone) for tone in ("", "dim", "warn", "bad", "cursor")}
        looks = {tone: (style.bold, style.dim, style.reverse) for tone, style in styles.items()}
        assert len(set(looks.values())) == len(looks) or looks["bad"] == looks["cursor"]  # the cursor has its mark too
        assert looks["bad"] != looks["warn"] != looks[""]
