"""The screen as an SVG picture that is whole in itself: no font is fetched from anywhere, and spaces stay where they are."""

from __future__ import annotations

import re
from typing import Any

from textual.app import App

_FONT_FACE = re.compile(r"@font-face\s*\{[^}]*\}\s*")


def picture(app: App[Any], title: str = "DebugTUI") -> str:
    """Return the screen as SVG text."""
    svg = _FONT_FACE.sub("", app.export_screenshot(title=title))
    return svg.replace("<text ", '<text xml:space="preserve" ')
