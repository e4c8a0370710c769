"""Paths into a JSON answer: `checks.db`, `items[0].id`, `[2]`."""

from __future__ import annotations

import json
import re
from typing import Any, TypeAlias

Step: TypeAlias = str | int

#: Longest path, in characters; deeper answers than this are not asked about.
LIMIT = 500

# A name, or a number in brackets; a dot stands between a step and a name, never at the beginning or the end. Digits are those
# of ASCII, and no number begins with a needless zero: one path has one spelling.
_STEP = re.compile(r"(?P<dot>\.)?(?P<name>[^.\[\]]+)|\[(?P<index>0|[1-9][0-9]{0,8})\]")


class MissingError(LookupError):
    """The answer holds nothing at the path. The text says where it ends."""


def parse(path: str) -> tuple[Step, ...]:
    """Return the steps of a path: names and list positions.

    Raises:
        ValueError: it is not a path; the text says where it goes wrong.
    """
    if not path or len(path) > LIMIT:
        raise ValueError(f"a path has 1 to {LIMIT} characters")
    steps: list[Step] = []
    at = 0
    while at < len(path):
        found = _STEP.match(path, at)
        named = found is not None and found["name"] is not None
        if found is None or (named and (found["dot"] is None) is (at > 0)):
            raise ValueError(f"cannot be read from character {at + 1} on: write names with dots between, and [0] for lists")
        steps.append(found["name"] if named else int(found["index"]))
        at = found.end()
    return tuple(steps)


def write(steps: tuple[Step, ...]) -> str:
    """Return the path of some steps; `parse` reads it back."""
    text = "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in steps)
    return text.removeprefix(".")


def look_up(document: Any, steps: tuple[Step, ...]) -> Any:
    """Return what lies at a path.

    Raises:
        MissingError: nothing does.
    """
    value = document
    for number, step in enumerate(steps):
        where = write(steps[:number]) or "the answer"
        if isinstance(step, int):
            if not isinstance(value, list):
                raise MissingError(f"{where} is no list")
            if step >= len(value):
                raise MissingError(f"{where} has {len(value)} entries")
            value = value[step]
        else:
            if not isinstance(value, dict):
                raise MissingError(f"{where} is no object")
            if step not in value:
                raise MissingError(f"{where} has no {step}")
            value = value[step]
    return value


def as_text(value: Any) -> str:
    """Return a JSON value as the configuration writes it: a string bare, everything else as compact JSON."""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, separators=(",", ":"))
