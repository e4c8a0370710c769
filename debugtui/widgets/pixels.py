"""`Pixels`: a small picture in half blocks, two pixels in each cell, so that it works over SSH, in tmux and in snapshots."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from rich.color import Color
from rich.color_triplet import ColorTriplet
from rich.segment import Segment
from rich.style import Style
from textual.strip import Strip
from textual.widget import Widget


class Raster(Protocol):
    """What a picture is: `height` rows of `width` 0xRRGGBB values, row after row."""

    @property
    def width(self) -> int:
        """Pixels in a row."""
        ...

    @property
    def height(self) -> int:
        """Rows."""
        ...

    @property
    def pixels(self) -> Sequence[int]:
        """The values."""
        ...


class Pixels(Widget):
    """Shows a raster as large as there is room, never larger than it is."""

    ALLOW_SELECT = False
    DEFAULT_CSS = """
    Pixels { height: 1fr; width: 1fr; }
    """

    def __init__(self, *, id: str | None = None) -> None:  # noqa: A002 (Textual's own name)
        """Make an empty picture."""
        super().__init__(id=id)
        self._raster: Raster | None = None

    def show(self, raster: Raster | None) -> None:
        """Show a picture; None shows nothing."""
        if raster is not self._raster:
            self._raster = raster
            self.refresh()

    def _scale(self, raster: Raster) -> float:
        """Return how many pixels stand behind one that is shown."""
        return max(1.0, raster.width / max(1, self.size.width), raster.height / max(1, 2 * self.size.height))

    def render_line(self, y: int) -> Strip:
        """Return one line: the upper pixel in the foreground, the lower one behind it."""
        raster = self._raster
        if raster is None or not raster.width or not raster.height:
            return Strip.blank(self.size.width, self.rich_style)
        step = self._scale(raster)
        columns, rows = int(raster.width / step), int(raster.height / step)
        if 2 * y >= rows:
            return Strip.blank(self.size.width, self.rich_style)
        segments = []
        for x in range(columns):
            upper = _pixel(raster, int(x * step), int(2 * y * step))
            lower = _pixel(raster, int(x * step), int((2 * y + 1) * step)) if 2 * y + 1 < rows else upper
            segments.append(Segment("▀", Style(color=_color(upper), bgcolor=_color(lower))))
        return Strip(segments).adjust_cell_length(self.size.width, self.rich_style)


def _pixel(raster: Raster, x: int, y: int) -> int:
    at = y * raster.width + x
    return raster.pixels[at] if at < len(raster.pixels) else 0


def _color(value: int) -> Color:
    return Color.from_triplet(ColorTriplet(value >> 16 & 255, value >> 8 & 255, value & 255))
