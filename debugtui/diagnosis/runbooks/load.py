"""Reads runbooks: the shipped ones, and the user's own beside them. A broken file is named, and never breaks the others."""

from __future__ import annotations

import tomllib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from pathlib import Path

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from debugtui.config.faults import FAULT, Place, nearest
from debugtui.config.fields import Table
from debugtui.config.load import ConfigIssue, render_key
from debugtui.config.locate import line_of, locate
from debugtui.config.schema import table_of
from debugtui.diagnosis.runbooks.models import Runbook
from debugtui.model.text import line

#: A file larger than this, in bytes, is refused.
LIMIT = 200_000
#: Most files of a folder.
MOST = 200


class RunbookError(Exception):
    """A file is no runbook; `issues` says all that is wrong."""

    def __init__(self, issues: Iterable[ConfigIssue]) -> None:
        self.issues = tuple(issues)
        super().__init__("\n".join(str(issue) for issue in self.issues))


@dataclass(frozen=True, slots=True)
class Found:
    """One runbook and where it came from. `own`: the user's; `file`: as an operator would name it."""

    runbook: Runbook
    own: bool
    file: str


@dataclass(frozen=True, slots=True)
class Shelf:
    """Every runbook that can be used, by name, and what is wrong with the files that are none."""

    found: tuple[Found, ...] = ()
    problems: tuple[str, ...] = ()

    def get(self, name: str) -> Found | None:
        """Return one runbook; None where there is none of that name."""
        return next((one for one in self.found if one.runbook.name == name), None)

    def nearest(self, name: str) -> str | None:
        """Return the name that was probably meant."""
        return nearest(name, tuple(one.runbook.name for one in self.found))


def load(folder: Path | None) -> Shelf:
    """Return the shipped runbooks and those of a folder; one of the user's takes the place of a shipped one of its name.

    It blocks (files, and the parser of SQL): call it in a thread where a screen waits.
    """
    found = {one.runbook.name: one for one in shipped()}
    problems: list[str] = []
    own: set[str] = set()
    paths = sorted(folder.glob("*.toml"))[: MOST + 1] if folder is not None and folder.is_dir() else []
    if len(paths) > MOST:
        problems.append(f"{folder}: more than {MOST} files: the others are not read")
    for path in paths[:MOST]:
        try:
            runbook = read(path)
        except RunbookError as error:
            problems += [str(issue) for issue in error.issues]
            continue
        if runbook.name in own:
            problems.append(f"{path}: there is another {runbook.name}")
            continue
        own.add(runbook.name)
        found[runbook.name] = Found(runbook, True, str(path))
    return Shelf(tuple(found.values()), tuple(problems))


@cache
def shipped() -> tuple[Found, ...]:
    """Return the runbooks of the package, in the order of their names."""
    folder = files("debugtui.diagnosis.runbooks") / "shipped"
    entries = sorted((entry for entry in folder.iterdir() if entry.name.endswith(".toml")), key=lambda entry: entry.name)
    return tuple(Found(parse(entry.read_text(encoding="utf-8"), entry.name), False, entry.name) for entry in entries)


def read(path: Path) -> Runbook:
    """Return the runbook of a file.

    Raises:
        RunbookError: it cannot be read, or is none.
    """
    try:
        with path.open("rb") as file:
            data = file.read(LIMIT + 1)
        text = data.decode("utf-8-sig")
    except OSError as error:
        raise RunbookError([ConfigIssue(str(path), None, "", f"cannot be read: {error.strerror}")]) from None
    except UnicodeDecodeError:
        raise RunbookError([ConfigIssue(str(path), None, "", "is not UTF-8 text")]) from None
    if len(data) > LIMIT:
        raise RunbookError([ConfigIssue(str(path), None, "", f"is larger than {LIMIT} bytes")])
    return parse(text, str(path))


def parse(text: str, file: str) -> Runbook:
    """Return the runbook that a text is.

    Raises:
        RunbookError: it is none; every fault is named with its line, its key, and the nearest valid word.
    """
    try:
        data = tomllib.loads(text)
    except RecursionError:
        raise RunbookError([ConfigIssue(file, None, "", "is nested too deeply")]) from None
    except ValueError as error:
        raise RunbookError([ConfigIssue(file, None, "", f"is not TOML: {line(str(error), 200)}")]) from None
    try:
        return Runbook.model_validate(data)
    except ValidationError as error:
        lines = locate(text)
        raise RunbookError(_issues(error.errors(include_url=False, include_input=False), file, lines)) from None


def _issues(found: list[ErrorDetails], file: str, lines: dict[Place, int]) -> Iterator[ConfigIssue]:
    meant = {(*one["loc"][:-1], _nearest_key(one["loc"])) for one in found if one["type"] == "extra_forbidden"}
    seen: set[tuple[str, str]] = set()
    below = {other["loc"][: len(one["loc"])] for one in found for other in found if len(other["loc"]) > len(one["loc"])}
    for one in found:
        place = one["loc"]
        if one["type"] == "missing" and place in meant:
            continue  # it is only misspelt, which is said already
        if one["type"] == "too_short" and place in below:
            continue  # what is there is wrong, which is said already
        says, near = _words(one)
        key = render_key(place)
        if (key, says) not in seen:
            seen.add((key, says))
            yield ConfigIssue(file, line_of(lines, place), key, line(says, 400), near)


_BOUNDS = {"greater_than_equal": ("at least", "ge"), "less_than_equal": ("at most", "le"), "greater_than": ("more than", "gt")}
_TYPES = {
    "missing": "missing",
    "string_type": "must be a text, in quotes",
    "bool_type": "must be true or false",
    "int_type": "must be a whole number",
    "tuple_type": "must be an array: [ ... ]",
    "model_type": "must be a table",
    "dict_type": "must be a table",
    "too_short": "must have at least one",
    "too_long": "has too many",
}


def _words(one: ErrorDetails) -> tuple[str, str | None]:
    kind, context = one["type"], one.get("ctx", {})
    if kind == FAULT:
        return str(context["says"]), context.get("nearest")
    if kind == "extra_forbidden":
        near = _nearest_key(one["loc"])
        known = _keys_at(one["loc"][:-1])
        return ("unknown key", near) if near else (f"unknown key; there are {', '.join(known)}", None)
    if kind == "literal_error":
        return f"must be {context['expected']}", None
    if kind in _BOUNDS:
        word, bound = _BOUNDS[kind]
        return f"must be {word} {context[bound]:g}", None
    return _TYPES.get(kind, "is not valid"), None


def _nearest_key(place: Place) -> str | None:
    return nearest(str(place[-1]), _keys_at(place[:-1]))


def _keys_at(place: Place) -> tuple[str, ...]:
    """Return the valid keys of the table at a place of a runbook."""
    table: type[Table] | None = Runbook
    for part in place:
        if isinstance(part, int) or table is None:
            continue
        field = table.model_fields.get(part)
        if field is not None:
            table = table_of(field.annotation)  # a part that is no field is a key of a dict of tables
    return tuple(table.model_fields) if table is not None else ()
