"""Text measured in terminal cells, and made safe one last time before it is painted."""

from __future__ import annotations

from functools import lru_cache

from rich.cells import cell_len, split_text

from debugtui.config.redaction import hide
from debugtui.model.text import line

ELLIPSIS = "…"


#: Longest text whose safe or fitted form is remembered.
_REMEMBERED = 256

# Joiners and variation selectors: terminals do not agree on how wide what they join is, and columns would break.
_JOINERS = dict.fromkeys((0x200C, 0x200D, 0xFE0E, 0xFE0F))


def _made_safe(text: str) -> str:
    return line(text).translate(_JOINERS)


_safe = lru_cache(maxsize=8_192)(_made_safe)


def safe(text: str) -> str:
    """Return `text` without anything that a terminal would obey, or that terminals measure differently, and without secrets.

    Sources clean what they read; this is the last door, so that a forgotten path shows a mark and not an effect.
    """
    text = hide(text)
    if text.isascii() and text.isprintable():
        return text
    return _safe(text) if len(text) <= _REMEMBERED else _made_safe(text)


@lru_cache(maxsize=8_192)
def _fit_wide(text: str, width: int, right: bool) -> str:
    length = cell_len(text)
    if length > width:
        head, _ = split_text(text, width - 1)
        text = head + ELLIPSIS
        length = cell_len(text)
    padding = " " * (width - length)
    return padding + text if right else text + padding


def fit(text: str, width: int, *, right: bool = False) -> str:
    """Return `text` cut or padded to exactly `width` cells; a cut text ends with an ellipsis."""
    if width <= 0:
        return ""
    if not text.isascii():
        return _fit_wide(text[: 8 * width + 8], width, right)  # more letters than that a few cells cannot show
    if len(text) > width:
        return text[: width - 1] + ELLIPSIS
    return text.rjust(width) if right else text.ljust(width)
