"""`Bar`: one line of words on the left and on the right, for header, diagnosis and key line; paints what changed."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from rich.cells import cell_len
from rich.segment import Segment
from textual.geometry import Region
from textual.strip import Strip
from textual.widget import Widget

from debugtui.themes.tones import TONES, Tone
from debugtui.widgets.cells import fit, safe
from debugtui.widgets.table_layout import Piece, changed_spans

Word = tuple[str, Tone]

#: Cells between two words.
GAP = 2


class Bar(Widget):
    """One line. Where not everything fits, the left words go from the end; the right ones stay."""

    ALLOW_SELECT = False
    COMPONENT_CLASSES: ClassVar[set[str]] = {f"bar--{name or 'text'}" for name in TONES}

    DEFAULT_CSS = """
    Bar {
        height: 1;
        background: $panel;
        color: $foreground;
        & > .bar--text { color: $foreground; }
        & > .bar--dim { color: $text-muted; }
        & > .bar--ok { color: $text-success; }
        & > .bar--warn { color: $text-warning; text-style: bold; }
        & > .bar--bad { color: $text-error; text-style: bold; }
        & > .bar--accent { color: $text-accent; }
        & > .bar--heading { color: $text-primary; text-style: bold; }
        &:ansi { text-style: reverse; }
    }
    """

    def __init__(
        self,
        left: Sequence[Word] = (),
        right: Sequence[Word] = (),
        *,
        id: str | None = None,  # noqa: A002 (Textual's own name)
        classes: str | None = None,
    ) -> None:
        """Make a bar with these words."""
        super().__init__(id=id, classes=classes)
        self._left = tuple(left)
        self._right = tuple(right)
        self._painted: list[Piece] | None = None

    def show(self, left: Sequence[Word], right: Sequence[Word] = ()) -> None:
        """Show other words; only the cells that differ are painted."""
        if (tuple(left), tuple(right)) == (self._left, self._right):
            return
        self._left, self._right = tuple(left), tuple(right)
        before = self._painted
        if before is None or not self.is_attached:
            return
        self._painted = after = self._pieces()
        self.refresh(*(Region(x, 0, end - x, 1) for x, end in changed_spans(before, after)))

    @property
    def words(self) -> str:
        """What stands there, as plain text."""
        return "".join(piece.text for piece in self._pieces())

    def _pieces(self) -> list[Piece]:
        width = self.size.width
        if not width:
            return []
        right = [(safe(text), tone) for text, tone in self._right if text]
        taken = sum(cell_len(text) + GAP for text, _ in right)
        pieces, used = [Piece(" ", "", 1)], 1
        for text, tone in ((safe(text), tone) for text, tone in self._left if text):
            cells = min(cell_len(text), width - taken - GAP - used)
            if cells < min(4, cell_len(text)):
                break
            pieces += [Piece(fit(text, cells), tone, cells), Piece(" " * GAP, "", GAP)]
            used += cells + GAP
        filler = max(0, width - used - taken)
        pieces.append(Piece(" " * filler, "", filler))
        for text, tone in right:
            pieces += [Piece(text, tone, cell_len(text)), Piece(" " * GAP, "", GAP)]
        return pieces

    def render_line(self, y: int) -> Strip:
        """Return the line."""
        self._painted = self._pieces()
        styles = {style: self.get_component_rich_style(f"bar--{style or 'text'}") for _, style, _ in self._painted}
        strip = Strip([Segment(text, styles[style]) for text, style, _ in self._painted])
        return strip.adjust_cell_length(self.size.width, styles.get(""))

    def on_resize(self) -> None:
        """Lay the words out anew."""
        self._painted = None
        self.refresh()
