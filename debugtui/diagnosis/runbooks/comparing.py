"""Thresholds as they are written: `> 90`, `!= running`, `~ error|fatal`."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass

from debugtui.config.faults import fault

_FORM = re.compile(r"(>=|<=|==|!=|>|<|=|~)\s*(\S(?:.*\S)?)", re.DOTALL)
_NUMBER = re.compile(r"[+-]?\d{1,15}(?:\.\d{1,9})?", re.ASCII)
_SIGNS = ">, >=, <, <=, ==, != or ~ (a regular expression)"
#: A repetition of something that is itself repeated, and may take for ever to fail.
_NESTED = re.compile(r"\((?:[^()\\]|\\.)*[+*}](?:[^()\\]|\\.)*\)[+*{]")

#: Longest text that an expression looks at.
LOOKED_AT = 2_000


def expression(text: str) -> re.Pattern[str]:
    """Return a regular expression that ends in reasonable time.

    Raises:
        PydanticCustomError: it is none.
    """
    if len(text) > 500:
        raise fault("a regular expression has at most 500 characters")
    if _NESTED.search(text):
        raise fault("a repetition inside a repetition may take for ever: write it without")
    try:
        return re.compile(text, re.MULTILINE)
    except (re.error, OverflowError, RecursionError):
        raise fault("must be a regular expression") from None


@dataclass(frozen=True, slots=True)
class Comparison:
    """One threshold."""

    sign: str
    value: str
    number: float | None
    pattern: re.Pattern[str] | None = None

    def holds(self, found: object) -> bool | None:
        """Return whether it holds for what was found; None: they cannot be compared."""
        if self.pattern is not None:
            return self.pattern.search(str(found)[:LOOKED_AT]) is not None
        if isinstance(found, bool):
            return self._equal("true" if found else "false")
        if isinstance(found, int | float):
            return self._number(float(found))
        return self._equal(found) if isinstance(found, str) else None

    def _equal(self, found: str) -> bool | None:
        if self.sign == "==":
            return found == self.value
        if self.sign == "!=":
            return found != self.value
        return None

    def _number(self, found: float) -> bool | None:
        if self.number is None or math.isnan(found):
            return None
        return {
            ">": found > self.number,
            ">=": found >= self.number,
            "<": found < self.number,
            "<=": found <= self.number,
            "==": found == self.number,
            "!=": found != self.number,
        }[self.sign]

    def __str__(self) -> str:
        return f"{self.sign} {self.value}"


def comparison(text: str) -> Comparison:
    """Read a threshold.

    Raises:
        PydanticCustomError: it is none.
    """
    match = _FORM.fullmatch(text.strip())
    if match is None:
        raise fault(f"must be {_SIGNS} and what to compare with, such as '> 90'")
    sign, value = match[1] if match[1] != "=" else "==", match[2]
    if sign == "~":
        return Comparison(sign, value, None, expression(value))
    number = float(value) if _NUMBER.fullmatch(value) else None
    if number is None and sign not in ("==", "!="):
        raise fault(f"{sign} compares numbers, and its right side is none")
    return Comparison(sign, value.strip("'\"") if number is None else value, number)
