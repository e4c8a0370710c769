"""The palettes. Every pair in use is tested: 4.5:1 at least, 7:1 in the high-contrast theme, in 256 colours too."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from textual.app import App
from textual.theme import Theme

DEFAULT_THEME = "rampart-dark"
MONO_THEME = "rampart-mono"


@dataclass(frozen=True, slots=True)
class Palette:
    """The colours of one theme. One accent colour; the rest is calm and says something: ok, warn, bad."""

    background: str
    surface: str
    panel: str
    foreground: str
    muted: str
    accent: str
    ok: str
    warn: str
    bad: str
    cursor: str
    on_cursor: str
    blurred_cursor: str
    border: str
    on_button: str
    dark: bool = True


_DARK = Palette(
    background="#121212",
    surface="#181a1c",
    panel="#20252b",
    foreground="#d7dade",
    muted="#a0a5ad",
    accent="#5fafff",
    ok="#87c98f",
    warn="#e5bc6a",
    bad="#ff8a80",
    cursor="#87cfff",
    on_cursor="#121212",
    blurred_cursor="#2c3138",
    border="#787d85",
    on_button="#121212",
)
_LIGHT = Palette(
    background="#fafafa",
    surface="#ffffff",
    panel="#eeeeee",
    foreground="#1c1f23",
    muted="#555b63",
    accent="#0550ae",
    ok="#0a5c2a",
    warn="#704000",
    bad="#a8201a",
    cursor="#0550ae",
    on_cursor="#ffffff",
    blurred_cursor="#dcdfe3",
    border="#767b82",
    on_button="#ffffff",
    dark=False,
)
_CONTRAST = Palette(
    background="#000000",
    surface="#000000",
    panel="#121212",
    foreground="#ffffff",
    muted="#d0d0d0",
    accent="#5fd7ff",
    ok="#5fff87",
    warn="#ffd75f",
    bad="#ffafaf",
    cursor="#ffff5f",
    on_cursor="#000000",
    blurred_cursor="#303030",
    border="#d0d0d0",
    on_button="#000000",
)


def _theme(name: str, palette: Palette) -> Theme:
    p = palette
    variables = {
        "foreground": p.foreground,
        "text": p.foreground,
        "text-muted": p.muted,
        "text-disabled": p.muted,
        "text-primary": p.accent,
        "text-secondary": p.accent,
        "text-accent": p.accent,
        "text-success": p.ok,
        "text-warning": p.warn,
        "text-error": p.bad,
        "foreground-muted": p.muted,
        "foreground-disabled": p.muted,
        "block-cursor-foreground": p.on_cursor,
        "block-cursor-background": p.cursor,
        "block-cursor-text-style": "bold",
        "block-cursor-blurred-foreground": p.foreground,
        "block-cursor-blurred-background": p.blurred_cursor,
        "block-hover-background": p.panel,
        "border": p.accent,
        "border-blurred": p.border,
        "footer-foreground": p.foreground,
        "footer-background": p.panel,
        "footer-key-foreground": p.accent,
        "footer-description-foreground": p.foreground,
        "button-foreground": p.foreground,
        "button-color-foreground": p.on_button,
        "input-cursor-foreground": p.background,
        "input-cursor-background": p.foreground,
        "input-selection-foreground": p.on_cursor,
        "input-selection-background": p.cursor,
        "screen-selection-foreground": p.on_cursor,
        "screen-selection-background": p.cursor,
        "scrollbar": p.border,
        "scrollbar-hover": p.muted,
        "scrollbar-active": p.accent,
        "scrollbar-background": p.surface,
        "link-color": p.accent,
        "link-color-hover": p.on_cursor,
        "link-background-hover": p.cursor,
    }
    return Theme(
        name=name,
        primary=p.accent,
        secondary=p.accent,
        accent=p.accent,
        warning=p.warn,
        error=p.bad,
        success=p.ok,
        foreground=p.foreground,
        background=p.background,
        surface=p.surface,
        panel=p.panel,
        boost=p.panel,
        dark=p.dark,
        variables=variables,
    )


def _mono() -> Theme:
    """Build the theme of a terminal without colour: its own two colours, weight, reverse video and glyphs."""
    plain = dict.fromkeys(
        (
            "text", "text-muted", "text-disabled", "text-primary", "text-secondary", "text-accent", "text-success",
            "text-warning", "text-error", "block-cursor-foreground", "block-cursor-background",
            "block-cursor-blurred-foreground", "block-cursor-blurred-background", "border", "border-blurred", "scrollbar",
            "scrollbar-hover", "scrollbar-active", "scrollbar-background", "scrollbar-background-hover",
            "scrollbar-background-active", "footer-key-foreground", "link-color", "link-color-hover",
            "link-background-hover", "input-selection-background", "screen-selection-background",
            "screen-selection-foreground", "ansi-background", "ansi-foreground", "input-selection-foreground",
            "input-cursor-background", "input-cursor-foreground",
        ),
        "ansi_default",
    )  # fmt: skip
    styles = {
        "block-cursor-text-style": "bold reverse",
        "block-cursor-blurred-text-style": "underline",
        "input-cursor-text-style": "reverse",
    }
    return Theme(
        name=MONO_THEME,
        ansi=True,
        primary="ansi_default",
        secondary="ansi_default",
        accent="ansi_default",
        warning="ansi_default",
        error="ansi_default",
        success="ansi_default",
        foreground="ansi_default",
        background="ansi_default",
        surface="ansi_default",
        panel="ansi_default",
        boost="ansi_default",
        variables=plain | styles,
    )


THEMES: tuple[Theme, ...] = (
    _theme("rampart-dark", _DARK),
    _theme("rampart-light", _LIGHT),
    _theme("rampart-contrast", _CONTRAST),
    _mono(),
)


def register(app: App[Any]) -> None:
    """Make the themes known to `app`."""
    for theme in THEMES:
        app.register_theme(theme)


def choose(wanted: str, *, no_color: bool) -> str:
    """Return the theme to use: the one wanted, or the one without colours where colour is refused (https://no-color.org)."""
    return MONO_THEME if no_color else wanted
