"""Finds the line of every key in a TOML text, which the standard parser does not tell.

It reads texts that `tomllib` has accepted; about others it may be wrong but never fails or hangs.
"""

from __future__ import annotations

import contextlib
import re
import tomllib

from debugtui.config.faults import Place

_SPACE = re.compile(r"(?:[ \t\r\n]|#[^\n]*)+")
_KEY_PART = re.compile(r"""[A-Za-z0-9_-]+|"(?:[^"\\\n]|\\.)*"|'[^'\n]*'""")
_STRING = re.compile(
    r'"""(?:[^"\\]|\\.|"(?!""))*"{3,5}'  # up to two quotes may stand right before the closing three
    r"|'''(?:[^']|'(?!''))*'{3,5}"
    r'|"(?:[^"\\\n]|\\.)*"'
    r"|'[^'\n]*'",
    re.DOTALL,
)
_BARE_VALUE = re.compile(r"[^,\]}#\n]+")


class _Scanner:
    """One walk over the text; `lines` collects what it finds."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.at = 0
        self.lines: dict[Place, int] = {}
        self._line = 1
        self._counted = 0
        self._lengths: dict[Place, int] = {}  # of arrays of tables, which headers extend

    def scan(self) -> None:
        table: Place = ()
        while self._skip_space():
            if self.text[self.at] == "[":
                table = self._header()
            else:
                self._pair(table)

    def _skip_space(self) -> bool:
        if found := _SPACE.match(self.text, self.at):
            self.at = found.end()
        return self.at < len(self.text)

    def _here(self) -> int:
        self._line += self.text.count("\n", self._counted, self.at)
        self._counted = self.at
        return self._line

    def _mark(self, place: Place, line: int) -> None:
        self.lines.setdefault(place, line)

    def _header(self) -> Place:
        line = self._here()
        opening = 2 if self.text.startswith("[[", self.at) else 1
        self.at += opening
        place: Place = ()
        parts = self._key()
        for number, part in enumerate(parts):
            place = (*place, part)
            self._mark(place, line)
            if opening == 2 and number == len(parts) - 1:
                length = self._lengths.get(place, 0)
                self._lengths[place] = length + 1
                place = (*place, length)
                self._mark(place, line)
            elif place in self._lengths:
                place = (*place, self._lengths[place] - 1)
        self._skip_space()
        self.at += opening
        return place

    def _key(self) -> list[str]:
        parts: list[str] = []
        while True:
            self._skip_space()
            found = _KEY_PART.match(self.text, self.at)
            if found is None:
                self.at += 1
                return parts
            self.at = found.end()
            parts.append(_unquote(found.group()))
            self._skip_space()
            if not self.text.startswith(".", self.at):
                return parts
            self.at += 1

    def _pair(self, table: Place) -> None:
        line = self._here()
        place = table
        for part in self._key():
            place = (*place, part)
            self._mark(place, line)
        self._skip_space()
        self.at += 1  # the equals sign
        self._value(place)

    def _value(self, place: Place) -> None:
        if not self._skip_space():
            return
        sign = self.text[self.at]
        if sign == "[":
            self._array(place)
        elif sign == "{":
            self._inline_table(place)
        else:
            found = (_STRING if sign in "\"'" else _BARE_VALUE).match(self.text, self.at)
            self.at = found.end() if found else self.at + 1

    def _array(self, place: Place) -> None:
        self.at += 1
        index = 0
        while self._skip_space() and self.text[self.at] != "]":
            if self.text[self.at] == ",":
                self.at += 1
                continue
            self._mark((*place, index), self._here())
            self._value((*place, index))
            index += 1
        self.at += 1

    def _inline_table(self, place: Place) -> None:
        self.at += 1
        while self._skip_space() and self.text[self.at] != "}":
            if self.text[self.at] == ",":
                self.at += 1
                continue
            self._pair(place)
        self.at += 1


def _unquote(part: str) -> str:
    if part[0] == "'":
        return part[1:-1]
    if part[0] != '"':
        return part
    if "\\" not in part:
        return part[1:-1]
    try:
        return str(tomllib.loads(f"key = {part}")["key"])
    except ValueError:
        return part[1:-1]


def locate(text: str) -> dict[Place, int]:
    """Return the line, counted from 1, of every key, table and array element of a TOML text."""
    scanner = _Scanner(text)
    with contextlib.suppress(RecursionError):  # nested deeper than the parser itself accepts: what was found so far is right
        scanner.scan()
    return scanner.lines


def line_of(lines: dict[Place, int], place: Place) -> int | None:
    """Return the line of a place, or of the nearest table around it that the text names; None: of nothing in it."""
    if place and isinstance(place[-1], str) and "." in place[-1]:
        dotted: Place = (*place[:-1], *place[-1].split("."))
        if place not in lines and dotted in lines:
            return lines[dotted]
    while place:
        if place in lines:
            return lines[place]
        place = place[:-1]
    return None
