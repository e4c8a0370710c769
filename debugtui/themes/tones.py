"""Tones: what a piece of text means. A widget names a tone, the theme says how it looks.

Each tone is a variable that Textual itself knows, so that its own widgets follow the same palette and a theme from
elsewhere works too. Meaning never rests on a tone alone: there is always a word or a glyph beside it.
"""

from __future__ import annotations

from typing import Literal

Tone = Literal["", "dim", "ok", "warn", "bad", "accent", "heading"]

#: The theme variable behind each tone, and the text style of the theme without colours.
TONES: dict[str, str] = {
    "": "foreground",
    "dim": "text-muted",
    "ok": "text-success",
    "warn": "text-warning",
    "bad": "text-error",
    "accent": "text-accent",
    "heading": "text-primary",
}

#: Backgrounds that any tone may stand on.
GROUNDS = ("background", "surface", "panel")

#: Other pairs of text and background in use: cursors, the footer, buttons, inputs, marked text.
OTHER_PAIRS = (
    ("block-cursor-foreground", "block-cursor-background"),
    ("block-cursor-blurred-foreground", "block-cursor-blurred-background"),
    ("footer-foreground", "footer-background"),
    ("footer-key-foreground", "footer-background"),
    ("footer-description-foreground", "footer-background"),
    ("button-color-foreground", "primary"),
    ("button-color-foreground", "error"),
    ("button-color-foreground", "warning"),
    ("button-color-foreground", "success"),
    ("input-cursor-foreground", "input-cursor-background"),
    ("input-selection-foreground", "input-selection-background"),
    ("screen-selection-foreground", "screen-selection-background"),
    ("block-cursor-foreground", "text-warning"),  # what a search found
)


def pairs() -> list[tuple[str, str]]:
    """Return every pair of theme variables (text, background) that the screens use."""
    return [(text, ground) for text in dict.fromkeys(TONES.values()) for ground in GROUNDS] + list(OTHER_PAIRS)
