"""What the repair dialogs share: a box in the middle, over whatever the operator was looking at."""

from __future__ import annotations

CSS = """
    align: center middle;
    & > Vertical {
        width: 116; max-width: 98%; height: auto; max-height: 96%; padding: 0 1;
        border: round $border; border-title-color: $text-primary; border-title-style: bold; background: $surface;
    }
    & .muted { color: $text-muted; }
    & .error { color: $text-error; }
    & .keys { color: $text-muted; height: 1; }
"""
