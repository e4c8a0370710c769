"""Writes to the terminal only the cells that were marked as changed, with no style sent twice in a row.

Textual's own partial update begins at the left edge of the widget that holds a change and resets after each run of text; on
a dashboard where every tenth cell moves that is ten times the bytes. Over SSH, bytes are latency (see benchmarks/traffic.py).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import lru_cache
from typing import Any

from rich.color import ColorSystem
from rich.console import Console
from rich.style import Style
from textual._compositor import ChopsUpdate, CompositorUpdate
from textual.strip import Strip

Span = tuple[int, int, int]

#: Two changes on a line that are at most this many cells apart are written as one: moving the cursor costs as much.
NEAR = 4

_RESET = "\x1b[0m"


def merged(spans: Iterable[Span]) -> Iterator[Span]:
    """Yield (y, x1, x2) spans in order, near ones on the same line joined."""
    current: Span | None = None
    for y, x1, x2 in sorted(spans):
        if current is not None and current[0] == y and x1 <= current[2] + NEAR:
            current = (y, current[1], max(current[2], x2))
            continue
        if current is not None:
            yield current
        current = (y, x1, x2)
    if current is not None:
        yield current


@lru_cache(maxsize=1_024)
def style_on(style: Style | None, system: ColorSystem) -> str:
    """Return the sequence that switches to `style` from any other; the style's own text is one letter, cut off again."""
    if style is None:
        return _RESET
    rendered = Strip.render_style(style, "x", color_system=system)
    before, _, _ = rendered.partition("x")
    return f"\x1b[0;{before[2:]}" if before.startswith("\x1b[") else _RESET + before


class SpanUpdate(CompositorUpdate):
    """A partial update that writes exactly its spans."""

    def __init__(self, update: ChopsUpdate) -> None:
        """Take over the lines and spans of Textual's update."""
        self._chops: Sequence[Mapping[int, Strip | None]] = update.chops
        self._ends = update.chop_ends
        self._spans = list(merged(update.spans))

    def pieces(self) -> Iterator[tuple[int, int, Strip]]:
        """Yield (y, x, strip) for every run of cells to write."""
        for y, x1, x2 in self._spans:
            for end, (x, strip) in zip(self._ends[y], self._chops[y].items(), strict=False):
                if strip is None or x >= x2 or end <= x1:
                    continue
                yield y, max(x, x1), strip.crop(max(x, x1) - x, min(end, x2) - x)

    def render_segments(self, console: Console) -> str:
        """Return the terminal sequences."""
        system = console._color_system or ColorSystem.TRUECOLOR  # noqa: SLF001 - as Textual's own update asks for it
        out: list[str] = []
        at: tuple[int, int] | None = None
        style_now = ""
        for y, x, strip in self.pieces():
            if at != (y, x):
                out.append(f"\x1b[{y + 1};{x + 1}H")
            for text, style, control in strip:
                if control or not text:
                    continue
                wanted = style_on(style, system)
                if wanted != style_now:
                    out.append(wanted)
                    style_now = wanted
                out.append(text)
            # Terminals disagree about the width of some characters: behind any of them the cursor is placed anew.
            plain = all(segment.text.isascii() for segment in strip)
            at = (y, x + strip.cell_length) if plain else None
        out.append(_RESET)
        return "".join(out)


def economical(renderable: Any) -> Any:
    """Return a partial update in its economical form, and anything else as it is."""
    return SpanUpdate(renderable) if isinstance(renderable, ChopsUpdate) else renderable
