"""One visible line of a log as pieces of text and style names. Pure functions."""

from __future__ import annotations

from datetime import datetime
from typing import NamedTuple

from debugtui.model.logs import Level
from debugtui.model.matching import Matcher
from debugtui.themes.tones import Tone
from debugtui.widgets.cells import safe

#: A letter beside the colour, so that a level can be read without one.
SIGNS: dict[Level, tuple[str, Tone]] = {
    Level.ERROR: ("E", "bad"),
    Level.WARNING: ("W", "warn"),
    Level.INFO: ("I", "ok"),
    Level.DEBUG: ("D", "dim"),
    Level.UNKNOWN: (" ", ""),
}
_TEXT_TONES: dict[Level, Tone] = {Level.ERROR: "bad", Level.WARNING: "warn", Level.DEBUG: "dim"}

Run = tuple[str, str]


class Looks(NamedTuple):
    """How lines are shown."""

    times: bool = False
    levels: bool = True
    left: int = 0


def head(cursor: bool, at: datetime | None, level: Level | None, looks: Looks) -> list[Run]:
    """Return what stands before the text: the cursor's mark, the time, the level's letter."""
    runs: list[Run] = [("▸" if cursor else " ", "")]
    if looks.times:
        stamp = "-" if at is None else f"{at:%m-%d %H:%M:%S}.{at.microsecond // 1000:03}"
        runs.append((f"{stamp:<18} ", "dim"))
    if looks.levels and level is not None:
        sign, tone = SIGNS[level]
        runs.append((f"{sign} ", tone))
    return runs


def body(text: str, level: Level | None, search: Matcher) -> list[Run]:
    """Return the text, with what is searched for marked."""
    text = safe(text)
    tone = _TEXT_TONES.get(level, "") if level is not None else ""
    runs: list[Run] = []
    at = 0
    for start, end in search.spans(text):
        if start > at:
            runs.append((text[at:start], tone))
        runs.append((text[start:end], "match"))
        at = end
    if at < len(text):
        runs.append((text[at:], tone))
    return runs
