"""A figure over time: `spark` for one line of text, `Plot` for several lines with honest gaps."""

from __future__ import annotations

import math
from collections.abc import Sequence
from datetime import datetime
from itertools import pairwise
from typing import ClassVar

from rich.cells import cell_len
from rich.segment import Segment
from textual.geometry import Region
from textual.strip import Strip
from textual.widget import Widget

from debugtui.themes.tones import TONES, Tone
from debugtui.widgets.cells import fit, safe
from debugtui.widgets.format import count, short_age

BLOCKS = " ▁▂▃▄▅▆▇█"

#: A pause longer than this many usual distances between two points is a gap: nothing is known there.
GAP_FACTOR = 3.5

#: The time a plot shows at most and at least, in seconds.
MOST_SPAN = 3_600.0
LEAST_SPAN = 60.0


def _known(value: float | None) -> bool:
    return value is not None and math.isfinite(value)


def spark(values: Sequence[float | None], width: int, low: float | None = None, high: float | None = None) -> str:
    """Return the last `width` values as blocks, newest on the right.

    What is not known is a space, and so is the room left of the first value; a known value is at least the lowest block.
    Limits that are not given come from the values; values beyond the limits are drawn at them.
    """
    shown = list(values)[-width:] if width > 0 else []
    known = [value for value in shown if value is not None and math.isfinite(value)]
    bottom = low if low is not None else min(known, default=0.0)
    top = high if high is not None else max(known, default=0.0)
    text = "".join(_block(value, bottom, top) for value in shown)
    return text.rjust(max(0, width))


def _block(value: float | None, bottom: float, top: float) -> str:
    if value is None or not math.isfinite(value):
        return " "
    share = (value - bottom) / (top - bottom) if top > bottom else 0.0
    return BLOCKS[1 + round(max(0.0, min(share, 1.0)) * 7)]


def usual_distance(times: Sequence[float]) -> float:
    """Return the median distance between points, in seconds; 1 where there are too few."""
    steps = sorted(later - earlier for earlier, later in pairwise(times) if later > earlier)
    return steps[len(steps) // 2] if steps else 1.0


def buckets(times: Sequence[float], values: Sequence[float | None], width: int, start: float, end: float) -> list[float | None]:
    """Return the highest value of each of `width` equal spans of time, so that no peak is lost; None where nothing is known.

    Where points are rarer than columns, a value holds until the next one; but not over a gap.
    """
    result: list[float | None] = [None] * width
    if width <= 0 or end <= start:
        return result
    reach = usual_distance(times) * GAP_FACTOR
    scale = width / (end - start)

    def column(at: float) -> int:
        return max(0, min(width - 1, int((at - start) * scale)))

    points = [(at, value) for at, value in zip(times, values, strict=False) if start - reach <= at <= end]
    for at, value in points:
        if at >= start and value is not None and math.isfinite(value):
            now = result[column(at)]
            result[column(at)] = value if now is None else max(now, value)
    own = list(result)
    for (at, value), (later, _) in pairwise(points):
        if value is None or not math.isfinite(value) or later < start or later - at > reach:
            continue
        for x in range(column(at), column(later)):
            if own[x] is None:
                result[x] = value
    return result


def columns_of(cells: Sequence[float | None], height: int, low: float, high: float) -> list[str]:
    """Return `height` lines of blocks, top first; a column without a value has a dot at its foot."""
    lines = [[" "] * len(cells) for _ in range(height)]
    for x, value in enumerate(cells):
        if value is None or not math.isfinite(value):
            if height:
                lines[-1][x] = "·"
            continue
        share = (value - low) / (high - low) if high > low else 0.0
        eighths = max(1, round(max(0.0, min(share, 1.0)) * height * 8))
        for row in range(height):
            lines[height - 1 - row][x] = BLOCKS[max(0, min(8, eighths - 8 * row))]
    return ["".join(line) for line in lines]


def nice_top(value: float) -> float:
    """Return the next 1, 2 or 5 times a power of ten, so that the scale does not jump with every point."""
    if value <= 0 or not math.isfinite(value):
        return 1.0
    power = 10.0 ** math.floor(math.log10(value))
    return next((step * power for step in (1, 2, 5) if step * power >= value * 0.999999), 10 * power)


def number(value: float | None) -> str:
    """Return a figure for a label, at most 6 cells: `0.25`, `7.5`, `182`, `12k`."""
    if value is None or not math.isfinite(value):
        return "-"
    if abs(value) >= 1e4:
        return count(value)
    return f"{value:.0f}" if abs(value) >= 100 or value == int(value) else f"{value:.1f}" if abs(value) >= 1 else f"{value:.2f}"


class Plot(Widget):
    """A title with now, lowest and highest; the curve; a line of time. What is not known is a dot, never a line through.

    `show` with the same points costs nothing; with others, only the lines that differ are painted.
    """

    ALLOW_SELECT = False
    COMPONENT_CLASSES: ClassVar[set[str]] = {f"plot--{name or 'text'}" for name in TONES}

    DEFAULT_CSS = """
    Plot {
        height: 8;
        width: 1fr;
        & > .plot--text { color: $foreground; }
        & > .plot--dim { color: $text-muted; }
        & > .plot--ok { color: $text-success; }
        & > .plot--warn { color: $text-warning; }
        & > .plot--bad { color: $text-error; text-style: bold; }
        & > .plot--accent { color: $text-accent; }
        & > .plot--heading { color: $text-primary; text-style: bold; }
        &:ansi > .plot--dim { text-style: dim; }
    }
    """

    def __init__(
        self,
        title: str,
        *,
        low: float | None = None,
        high: float | None = None,
        id: str | None = None,  # noqa: A002 (Textual's own name)
        classes: str | None = None,
    ) -> None:
        """Make an empty plot; `low` and `high` fix the scale's ends, else they follow the points."""
        super().__init__(id=id, classes=classes)
        self._title = title
        self._limits = (low, high)
        self._times: tuple[float, ...] = ()
        self._values: tuple[float | None, ...] = ()
        self._painted: list[list[tuple[str, Tone]]] = []

    def show(self, times: Sequence[float], values: Sequence[float | None]) -> None:
        """Show these points: UNIX times in seconds, oldest first, and a value for each; None where it is not known."""
        length = min(len(times), len(values))
        new = tuple(times[:length]), tuple(values[:length])
        if new == (self._times, self._values):
            return
        self._times, self._values = new
        before, self._painted = self._painted, self._compose_lines()
        if self.is_mounted and len(before) == len(self._painted):
            regions = [Region(0, y, self.size.width, 1) for y, line in enumerate(self._painted) if line != before[y]]
            if regions:
                self.refresh(*regions)
        else:
            self.refresh()

    def on_resize(self) -> None:
        """Draw anew."""
        self._painted = self._compose_lines()
        self.refresh()

    def _span(self) -> tuple[float, float]:
        end = self._times[-1]
        return max(min(self._times[0], end - LEAST_SPAN), end - MOST_SPAN), end

    def _scale(self, known: Sequence[float]) -> tuple[float, float]:
        low, high = self._limits
        bottom = low if low is not None else min(known, default=0.0)
        top = high if high is not None else nice_top(max(known, default=1.0))
        return bottom, top if top > bottom else bottom + 1

    def _compose_lines(self) -> list[list[tuple[str, Tone]]]:
        width, height = self.size
        if not width or not height:
            return []
        title: list[tuple[str, Tone]] = [(safe(self._title), "heading")]
        rows = max(0, height - 2)
        if not self._times or all(not _known(value) for value in self._values):
            empty: list[list[tuple[str, Tone]]] = [[("nothing known yet", "dim")]]
            return ([title, *empty] + [[] for _ in range(height)])[:height]
        start, end = self._span()
        gutter = 7 if width > 24 else 0
        cells = buckets(self._times, self._values, width - gutter, start, end)
        points = zip(self._times, self._values, strict=True)
        known = [value for at, value in points if at >= start and value is not None and math.isfinite(value)]
        bottom, top = self._scale(known)
        last = self._values[-1]
        title.append((f"  {number(last)} now", "accent" if _known(last) else "warn"))
        if known:
            title.append((f"  {number(min(known))} to {number(max(known))}", "dim"))
        lines = [title]
        for row, text in enumerate(columns_of(cells, rows, bottom, top)):
            label = number(top) if row == 0 else number(bottom) if row == rows - 1 else ""
            lines.append([(f"{label:>6} ", "dim"), (text, "accent")] if gutter else [(text, "accent")])
        lines.append([(" " * gutter, ""), (self._time_line(width - gutter, start, end), "dim")])
        return lines[:height]

    def _time_line(self, width: int, start: float, end: float) -> str:
        left, right = f"{short_age(end - start)} ago", f"{datetime.fromtimestamp(end).astimezone():%H:%M:%S}"
        if len(left) + len(right) + 1 > width:
            return fit(right, width, right=True)
        return left + " " * (width - len(left) - len(right)) + right

    def render_line(self, y: int) -> Strip:
        """Return one line."""
        if len(self._painted) != self.size.height:
            self._painted = self._compose_lines()
        width = self.size.width
        runs = self._painted[y] if y < len(self._painted) else []
        used = sum(cell_len(text) for text, _ in runs)
        segments = [Segment(text, self.get_component_rich_style(f"plot--{tone or 'text'}")) for text, tone in runs]
        if used < width:
            segments.append(Segment(" " * (width - used), self.get_component_rich_style("plot--text")))
        return Strip(segments).adjust_cell_length(width)
