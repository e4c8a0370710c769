"""Names and patterns with `*` as the configuration writes them: every other sign stands for itself."""

from __future__ import annotations

import re
from collections.abc import Iterable


def expression(pattern: str) -> str:
    """Return a regular expression for the whole of a name, in the common part of Python's and PCRE's syntax."""
    return ".*".join(re.escape(part) for part in pattern.split("*"))


class Globs:
    """Several names and patterns; none at all match everything."""

    def __init__(self, patterns: Iterable[str]) -> None:
        self.patterns = tuple(patterns)
        self._all = re.compile("|".join(f"(?:{expression(pattern)})" for pattern in self.patterns), re.DOTALL)

    def match(self, name: str) -> bool:
        """Whether a name is meant."""
        return not self.patterns or self._all.fullmatch(name) is not None
