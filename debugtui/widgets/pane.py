"""`Pane`: a border with a title on the left and a state on the right, around whatever it holds."""

from __future__ import annotations

from typing import ClassVar

from rich.cells import cell_len
from rich.segment import Segment
from rich.style import Style
from textual.containers import Vertical
from textual.geometry import Region
from textual.strip import Strip
from textual.widget import Widget

from debugtui.themes.tones import TONES, Tone
from debugtui.widgets.cells import fit, safe

#: Corner, edge, corner of the top and of the bottom, for the border types used here.
_BOXES = {"round": "╭─╮╰─╯", "heavy": "┏━┓┗━┛", "double": "╔═╗╚═╝", "solid": "┌─┐└─┘"}
_LEAST_TITLE = 4
NOTHING: tuple[str, Tone] = ("", "")


class Pane(Vertical):
    """A bordered container whose top line is drawn here: text is never markup, and a new age repaints a few cells.

    The focused pane has a border in the accent colour, and a heavy one where there are no colours.
    """

    COMPONENT_CLASSES: ClassVar[set[str]] = {f"pane--{name or 'text'}" for name in TONES}

    DEFAULT_CSS = """
    Pane {
        border: round $border-blurred;
        background: $background;
        height: 1fr;
        width: 1fr;
        & > .pane--text { color: $foreground; }
        & > .pane--dim { color: $text-muted; }
        & > .pane--ok { color: $text-success; }
        & > .pane--warn { color: $text-warning; }
        & > .pane--bad { color: $text-error; text-style: bold; }
        & > .pane--accent { color: $text-accent; }
        & > .pane--heading { color: $text-primary; text-style: bold; }
        &:focus-within { border: round $border; }
        &:ansi > .pane--dim { text-style: dim; }
        &:ansi > .pane--warn { text-style: bold; }
        &:ansi > .pane--bad { text-style: bold reverse; }
        &:ansi:focus-within { border: heavy $border; }
    }
    """

    def __init__(
        self,
        title: str,
        *children: Widget,
        id: str | None = None,  # noqa: A002 (Textual's own name)
        classes: str | None = None,
    ) -> None:
        """Make a pane that holds `children` under `title` (plain text)."""
        super().__init__(*children, id=id, classes=classes)
        self._title = title
        self._status: tuple[str, Tone] = NOTHING
        self._note: tuple[str, Tone] = NOTHING

    @property
    def title(self) -> str:
        """The title, on the left of the top line."""
        return self._title

    @title.setter
    def title(self, title: str) -> None:
        if title != self._title:
            self._title = title
            self._refresh_line(0)

    @property
    def status(self) -> tuple[str, Tone]:
        """The state, on the right of the top line (`live 1 s`), and its tone."""
        return self._status

    def set_status(self, text: str, tone: Tone = "dim") -> None:
        """Show a state on the right of the top line; what the pane holds is not repainted."""
        if (text, tone) != self._status:
            self._status = (text, tone)
            self._refresh_line(0)

    def set_note(self, text: str, tone: Tone = "dim") -> None:
        """Show a note on the bottom line: the filter in force, rows hidden, a problem; empty removes it."""
        if (text, tone) != self._note:
            self._note = (text, tone)
            self._refresh_line(self.outer_size.height - 1)

    def _refresh_line(self, y: int) -> None:
        if self.is_mounted:
            left, top = self.content_offset
            self.refresh(Region(-left, y - top, self.outer_size.width, 1))

    def _text(self, tone: Tone) -> Style:
        return self.get_component_rich_style(f"pane--{(tone if tone in TONES else '') or 'text'}")

    def _edge(self, width: int, *, top: bool) -> Strip | None:
        """Draw a line of the border; None where the border is another one than those known here."""
        kind, color = self.styles.border_top if top else self.styles.border_bottom
        box = _BOXES.get(kind)
        if box is None or width < 2:
            return None
        corners = box[:3] if top else box[3:]
        line = self._text("") + Style(color=color.rich_color, bold=False)
        title: tuple[str, Tone] = (self._title, "heading")
        left, left_tone = title if top else self._note
        right, right_tone = self._status if top else NOTHING
        room = width - 4  # corners, and an edge inside each
        left, right = safe(left), safe(right)
        if right and cell_len(right) + _LEAST_TITLE + 5 > room:
            right = ""
        most = room - 2 - (cell_len(right) + 3 if right else 0)
        segments = [Segment(corners[0], line)]
        used = 0
        if left and most > 0:
            left = fit(left, min(most, cell_len(left)))
            segments.append(Segment(f" {left} ", self._text(left_tone)))
            used += cell_len(left) + 2
        tail = f" {right} " if right else ""
        segments.append(Segment(corners[1] * (width - 2 - used - cell_len(tail)), line))
        if tail:
            segments.append(Segment(tail, self._text(right_tone)))
        segments.append(Segment(corners[2], line))
        return Strip(segments, width)

    def render_lines(self, crop: Region) -> list[Strip]:
        """Render the container, its first and last line drawn here."""
        strips = super().render_lines(crop)
        width, height = self.outer_size
        for y, top in ((0, True), (height - 1, False)):
            if crop.y <= y < crop.bottom and height >= 2:
                edge = self._edge(width, top=top)
                if edge is not None:
                    strips[y - crop.y] = edge.crop(crop.x, crop.right)
        return strips
