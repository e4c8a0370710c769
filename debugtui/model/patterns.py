"""Patterns of names: `*` stands for any number of characters, `?` for one; everything else for itself."""

from __future__ import annotations

import re
from functools import lru_cache

#: Longest pattern, in characters.
LIMIT = 500


@lru_cache(maxsize=1_024)
def _compiled(pattern: str) -> re.Pattern[str]:
    # Several stars in a row mean one: each would be tried at every place of a long name.
    packed = re.sub(r"\*+", "*", pattern)
    parts = (".*" if sign == "*" else "." if sign == "?" else re.escape(sign) for sign in packed)
    return re.compile("".join(parts), re.DOTALL)


def fits(pattern: str, text: str) -> bool:
    """Tell whether the whole text fits a pattern. A text always fits itself, whatever stands in it."""
    if pattern == text or pattern == "*":
        return True
    if "*" not in pattern and "?" not in pattern:
        return False
    return _compiled(pattern[:LIMIT]).fullmatch(text) is not None
