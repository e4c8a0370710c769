"""What an operator types to filter or to search: plain text, `!text` (without it), `/regex/`; case does not matter.

A pattern is tried on text that may be hostile, and Python's engine cannot be stopped once it runs. So a repeat inside a
repeat (`(a+)+`), which can take time beyond all bounds, is refused with a sentence, and long texts are tried up to a limit.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from re import _constants, _parser  # type: ignore[attr-defined] # the only way to look at a pattern before it runs
from typing import Any

#: Characters of one text that a regular expression is tried on.
LIMIT = 2_000
#: A repeat up to this many times is no danger.
_FEW = 10


class PatternError(ValueError):
    """The pattern is not valid, or not safe to try; the message says which."""


def _nested(items: Iterable[Any], inside: bool = False) -> bool:
    """Tell whether a parsed pattern repeats a repeat without a small bound."""
    for operation, argument in items:
        if operation in (_constants.MAX_REPEAT, _constants.MIN_REPEAT):
            _, most, body = argument
            many = most > _FEW
            if (many and inside) or _nested(body, inside or many):
                return True
        elif isinstance(argument, tuple):
            parts = argument[1] if operation is _constants.BRANCH else argument
            for part in parts:
                if isinstance(part, _parser.SubPattern) and _nested(part, inside):
                    return True
        elif isinstance(argument, _parser.SubPattern) and _nested(argument, inside):
            return True
    return False


def compiled(pattern: str) -> re.Pattern[str]:
    """Compile a pattern without regard to case.

    Raises:
        PatternError: not valid, or a repeat inside a repeat.
    """
    try:
        if _nested(_parser.parse(pattern)):
            raise PatternError("a repeat inside a repeat could take for ever: write it without")
        return re.compile(pattern, re.IGNORECASE)
    except (re.error, OverflowError, RecursionError) as problem:
        raise PatternError(f"not a regular expression: {problem}") from problem


def literal_of(pattern: str) -> bytes:
    """Return the longest run of letters that stands in every match of a pattern, lower case; empty where there is none."""
    best, run = "", ""
    for operation, argument in [*_parser.parse(pattern), (None, None)]:
        if operation is _constants.LITERAL and 32 <= argument < 127:
            run += chr(argument)
            continue
        if operation is not _constants.AT:  # an anchor takes no room
            best, run = max(best, run, key=len), ""
    return best.lower().encode() if len(best) > 2 and not pattern.startswith("(?") else b""


class Matcher:
    """A filter as typed. A filter that is not valid matches everything, so that nothing is hidden by a typing error.

    Attributes:
        text: as typed.
        error: why it is not valid; empty while it is.
        inverse: True for `!text`.
        plain: the text to look for, lower case; empty for a regular expression.
        regex: the regular expression; None for plain text.
        literal: ASCII in lower case that every match of the regular expression holds; empty where none is known.
    """

    def __init__(self, text: str, *, invertible: bool = True) -> None:
        """Read what was typed; a search (`invertible` False) takes `!` as it stands."""
        self.text = text
        self.error = ""
        self.inverse = invertible and text.startswith("!") and len(text) > 1
        body = text[1:] if self.inverse else text
        self.plain = body.lower()
        self.regex: re.Pattern[str] | None = None
        self.literal = b""
        if len(body) > 1 and body.startswith("/"):
            pattern = body[1:-1] if body.endswith("/") and len(body) > 2 else body[1:]
            self.plain = ""
            try:
                self.regex = compiled(pattern)
                self.literal = literal_of(pattern)
            except PatternError as problem:
                self.error = str(problem)

    def __bool__(self) -> bool:
        return bool(self.text) and not self.error

    def matches(self, text: str) -> bool:
        """Tell whether a row or line with this text stays."""
        if not self:
            return True
        found = self.plain in text.lower() if self.regex is None else self.regex.search(text[:LIMIT]) is not None
        return found is not self.inverse

    def spans(self, text: str) -> list[tuple[int, int]]:
        """Return where in `text` it matches, for highlighting; nothing for an inverse filter or for empty matches."""
        if not self or self.inverse:
            return []
        if self.regex is not None:
            return [match.span() for match in self.regex.finditer(text[:LIMIT]) if match.end() > match.start()]
        lowered = text.lower()
        if len(lowered) != len(text):  # a letter whose small form is longer: places would not agree
            return []
        spans: list[tuple[int, int]] = []
        at = lowered.find(self.plain)
        while at >= 0:
            spans.append((at, at + len(self.plain)))
            at = lowered.find(self.plain, at + len(self.plain))
        return spans
