"""How high a line widget is, told to its scrollbar without laying the whole screen out again."""

from __future__ import annotations

from textual.geometry import Size
from textual.scroll_view import ScrollView
from textual.widget import Widget


def set_lines(view: ScrollView, lines: int) -> None:
    """Tell `view` that it has so many lines. Its own size must not depend on them.

    Assigning `virtual_size` would lay out the screen each time; a log that grows ten times a second cannot afford that. The
    scrollbar appears and goes as always.
    """
    size = Size(0, lines)
    if size != view.virtual_size:
        view.set_reactive(Widget.virtual_size, size)
        if view.is_mounted:
            view._scroll_update(size)  # noqa: SLF001 - what ScrollView itself calls when its size changes
