"""Contrast of two colours by WCAG 2.1, also as a terminal with 256 colours shows them.

Sources: https://www.w3.org/TR/WCAG21/#dfn-relative-luminance and https://www.w3.org/TR/WCAG21/#dfn-contrast-ratio;
thresholds: success criteria 1.4.3 (AA, 4.5:1), 1.4.6 (AAA, 7:1) and 1.4.11 (borders and marks, 3:1).
"""

from __future__ import annotations

from rich.color import Color as RichColor
from rich.color import ColorSystem
from textual.color import Color

AA = 4.5
AAA = 7.0
NON_TEXT = 3.0

RGB = tuple[int, int, int]


def _linear(channel: int) -> float:
    """Linear light of one sRGB channel (0 to 255). The 0.03928 is WCAG's own; with 8 bits it equals the 0.04045 of sRGB."""
    share = channel / 255
    return share / 12.92 if share <= 0.03928 else float(((share + 0.055) / 1.055) ** 2.4)


def luminance(rgb: RGB) -> float:
    """Relative luminance, 0 (black) to 1 (white)."""
    red, green, blue = (_linear(channel) for channel in rgb)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def ratio(one: RGB, other: RGB) -> float:
    """Contrast ratio, 1 to 21, whichever comes first."""
    light, dark = sorted((luminance(one), luminance(other)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


def as_256(rgb: RGB) -> RGB:
    """Return the colour that a terminal with 256 colours shows for `rgb`, by the conversion the screen's writer uses."""
    red, green, blue = RichColor.from_rgb(*rgb).downgrade(ColorSystem.EIGHT_BIT).get_truecolor()
    return red, green, blue


def resolve(variables: dict[str, str], text: str, ground: str) -> tuple[RGB, RGB]:
    """Return the colours of a pair of theme variables, transparency laid over what lies below.

    Raises:
        ValueError: a variable depends on what it lies on (`auto`), so that its contrast is not ours to promise.
    """
    base = Color.parse(variables["background"])
    below = Color.parse(variables[ground])
    if below.a < 1:
        below = base + below
    if variables[text].startswith("auto"):
        raise ValueError(f"${text} is {variables[text]!r}; a theme must pin it")
    above = below + Color.parse(variables[text])
    return above.rgb, below.rgb
