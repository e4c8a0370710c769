"""The themes, as data: what a tone looks like, which pairs of text and background meet, and the palettes."""

from debugtui.themes.palettes import DEFAULT_THEME, MONO_THEME, THEMES, choose, register
from debugtui.themes.tones import TONES, Tone, pairs

__all__ = ["DEFAULT_THEME", "MONO_THEME", "THEMES", "TONES", "Tone", "choose", "pairs", "register"]
