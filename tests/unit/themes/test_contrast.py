"""Every pair of text and background in use can be read, in true colour and in 256 colours."""

import pytest
from textual.theme import Theme

from debugtui.themes import DEFAULT_THEME, MONO_THEME, THEMES, choose, pairs
from debugtui.themes.contrast import AA, AAA, NON_TEXT, as_256, ratio, resolve

COLOURED = [theme for theme in THEMES if not theme.ansi]


def variables(theme: Theme) -> dict[str, str]:
    return {**theme.to_color_system().generate(), **theme.variables}


def test_the_formula_gives_the_published_values() -> None:
    assert ratio((0, 0, 0), (255, 255, 255)) == pytest.approx(21)
    assert ratio((255, 255, 255), (0, 0, 0)) == pytest.approx(21)
    assert ratio((10, 20, 30), (10, 20, 30)) == 1
    # The grey that WCAG's own techniques name as the lightest that passes AA on white.
    assert ratio((0x76, 0x76, 0x76), (255, 255, 255)) == pytest.approx(4.54, abs=0.005)


@pytest.mark.parametrize("theme", COLOURED, ids=lambda theme: theme.name)
@pytest.mark.parametrize("pair", pairs(), ids="/".join)
def test_text_can_be_read(theme: Theme, pair: tuple[str, str]) -> None:
    floor = AAA if theme.name == "rampart-contrast" else AA
    text, ground = resolve(variables(theme), *pair)
    assert ratio(text, ground) >= floor
    assert ratio(as_256(text), as_256(ground)) >= floor


@pytest.mark.parametrize("theme", COLOURED, ids=lambda theme: theme.name)
@pytest.mark.parametrize("ground", ["background", "surface", "panel"])
@pytest.mark.parametrize("line", ["border", "border-blurred", "scrollbar"])
def test_borders_can_be_seen(theme: Theme, line: str, ground: str) -> None:
    above, below = resolve(variables(theme), line, ground)
    assert ratio(above, below) >= NON_TEXT
    assert ratio(as_256(above), as_256(below)) >= NON_TEXT


def test_a_variable_that_depends_on_its_ground_is_refused() -> None:
    with pytest.raises(ValueError, match="must pin it"):
        resolve({"background": "#000000", "text": "auto 87%"}, "text", "background")


def test_names() -> None:
    names = [theme.name for theme in THEMES]
    assert DEFAULT_THEME in names
    assert MONO_THEME in names
    assert choose("rampart-light", no_color=False) == "rampart-light"
    assert choose("rampart-light", no_color=True) == MONO_THEME
