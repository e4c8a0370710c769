"""The plot on a screen."""

from __future__ import annotations

from textual.app import App, ComposeResult

from debugtui.themes import DEFAULT_THEME, register
from debugtui.widgets.plot import Plot


class PlotApp(App[None]):
    """One plot."""

    def __init__(self) -> None:
        super().__init__()
        register(self)
        self.theme = DEFAULT_THEME
        self.plot = Plot("cpu %", low=0, high=100)

    def compose(self) -> ComposeResult:
        yield self.plot


def lines(plot: Plot) -> list[str]:
    return [plot.render_line(y).text.rstrip() for y in range(plot.size.height)]


async def test_labels_curve_and_time() -> None:
    app = PlotApp()
    async with app.run_test(size=(60, 12)) as pilot:
        plot = app.plot
        assert "nothing known yet" in "".join(lines(plot))
        plot.show([1e9 + 2 * n for n in range(60)], [float(n) for n in range(60)])
        await pilot.pause()
        shown = lines(plot)
        assert shown[0] == "cpu %  59 now  0 to 59"
        assert shown[1].startswith("   100")
        assert shown[6].startswith("     0 ")
        assert shown[7].lstrip().startswith("1 m ago")
        assert "█" in shown[6]
        assert all(plot.render_line(y).cell_length == 60 for y in range(8))


async def test_only_lines_that_changed_are_painted() -> None:
    app = PlotApp()
    async with app.run_test(size=(60, 12)) as pilot:
        plot = app.plot
        times = [1e9 + 2 * n for n in range(60)]
        plot.show(times, [10.0] * 60)
        await pilot.pause()
        regions: list[object] = []
        refresh = plot.refresh
        plot.refresh = lambda *args, **options: (regions.extend(args), refresh(*args, **options))[1]  # type: ignore[method-assign]
        plot.show(list(times), [10.0] * 60)
        assert regions == []
        plot.show(times, [10.0] * 59 + [12.0])
        assert 0 < len(regions) < 4


async def test_narrow_and_unknown() -> None:
    app = PlotApp()
    async with app.run_test(size=(12, 4)) as pilot:
        app.plot.show([1.0, 2.0], [None, float("nan")])
        await pilot.pause()
        assert "nothing" in "".join(lines(app.plot))
        app.plot.show([1.0, 2.0, 3.0], [1.0, 2.0, None])
        await pilot.pause()
        assert " - n" in lines(app.plot)[0]
        await pilot.resize_terminal(5, 2)
        await pilot.pause()
        assert [app.plot.render_line(y).cell_length for y in range(2)] == [app.plot.size.width] * 2
