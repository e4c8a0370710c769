"""Reads the configuration file. Everything wrong with it is said at once, each with its line, key and nearest valid word."""

from __future__ import annotations

import json
import os
import re
import stat
import tomllib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from debugtui.config.cross import cross_faults
from debugtui.config.faults import FAULT, Place, nearest
from debugtui.config.locate import line_of, locate
from debugtui.config.models import Config
from debugtui.config.paths import config_file
from debugtui.config.schema import home_of, keys_at
from debugtui.model.text import line

#: A configuration larger than this, in bytes, is refused unread.
SIZE_LIMIT = 1_000_000

_ISSUE_LIMIT = 100
_BARE_KEY = re.compile(r"[A-Za-z0-9_-]+", re.ASCII)
_AT = re.compile(r"\s*\(at (?:line (\d+), column \d+|end of document)\)$")


@dataclass(frozen=True, slots=True)
class ConfigIssue:
    """One thing that is wrong.

    Attributes:
        file: the file, as it was named.
        line: counted from 1; None where it concerns no line.
        key: where: `hosts[0].adress`; empty where it concerns the whole file.
        says: what is wrong; never holds the value.
        nearest: the valid word that was probably meant; None where none is near.
    """

    file: str
    line: int | None
    key: str
    says: str
    nearest: str | None = None

    def __str__(self) -> str:
        where = self.file if self.line is None else f"{self.file}:{self.line}"
        key = f"{self.key}: " if self.key else ""
        meant = f'; did you mean "{self.nearest}"?' if self.nearest else ""
        return f"{where}: {key}{self.says}{meant}"


class ConfigError(Exception):
    """The configuration cannot be used; `issues` says all that is wrong."""

    def __init__(self, issues: tuple[ConfigIssue, ...]) -> None:
        super().__init__("\n".join(str(issue) for issue in issues))
        self.issues = issues


@dataclass(frozen=True, slots=True)
class Loaded:
    """A configuration and where it came from.

    Attributes:
        config: the configuration.
        path: the file.
        lines: the line of each key, for `line_of`.
        warnings: what is sound but unwise.
    """

    config: Config
    path: Path
    lines: dict[Place, int]
    warnings: tuple[ConfigIssue, ...] = ()

    def issue(self, place: Place, says: str) -> ConfigIssue:
        """Return an issue at a place of this file."""
        return ConfigIssue(str(self.path), line_of(self.lines, place), render_key(place), says)


def load(path: Path | None = None) -> Config:
    """Return the configuration of `path`, or of the user's own file.

    Raises:
        ConfigError: there is none, or it cannot be used.
    """
    return read(path).config


def load_or_none(path: Path | None = None) -> Config | None:
    """Return the configuration; None where none is named and the user has none.

    Raises:
        ConfigError: a named file is missing, or the file cannot be used.
    """
    if path is None and not os.path.lexists(config_file()):
        return None
    return load(path)


def read(path: Path | None = None) -> Loaded:
    """Return the configuration with its file, the lines of its keys, and warnings.

    Raises:
        ConfigError: there is none, or it cannot be used.
    """
    file = path if path is not None else config_file()
    data, mode = _read_file(file)
    loaded = read_text(_decode(data, str(file)), file)
    return replace(loaded, warnings=tuple(_warnings(file, mode)))


def read_text(text: str, file: Path) -> Loaded:
    """Return the configuration that `text` is, as if it stood in `file`.

    Raises:
        ConfigError: it cannot be used.
    """
    data = _parse(text, str(file))
    lines = locate(text)
    issues: dict[tuple[str, str], ConfigIssue] = {}

    def add(place: Place, says: str, near: str | None) -> None:
        issue = ConfigIssue(str(file), line_of(lines, place), render_key(place), line(says), near)
        issues.setdefault((issue.key, issue.says), issue)

    config: Config | None = None
    try:
        config = Config.model_validate(data, context={"base": file.absolute().parent})
    except ValidationError as error:
        for details in _without_misspelt(error.errors(include_url=False)):
            add(details["loc"], *_words(details))
    for place, says, near in cross_faults(data):
        add(place, says, near)
    if config is None or issues:
        raise ConfigError(_ordered(issues.values(), str(file))) from None
    return Loaded(config, file, lines)


def _ordered(issues: Iterable[ConfigIssue], file: str) -> tuple[ConfigIssue, ...]:
    found = sorted(issues, key=lambda issue: (issue.line or 0, issue.key))
    if len(found) > _ISSUE_LIMIT:
        more = ConfigIssue(file, None, "", f"{len(found) - _ISSUE_LIMIT} more errors")
        return (*found[:_ISSUE_LIMIT], more)
    return tuple(found)


def _one(file: str, says: str, at: int | None = None) -> ConfigError:
    return ConfigError((ConfigIssue(file, at, "", says),))


def _read_file(file: Path) -> tuple[bytes, int]:
    try:
        # Not blocking: opening a pipe that nobody writes to would wait for ever.
        handle = os.open(file, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except FileNotFoundError:
        raise _one(str(file), 'there is no such file; "debugtui config init" writes one') from None
    except (OSError, ValueError) as error:
        raise _one(str(file), f"cannot be read: {getattr(error, 'strerror', None) or 'impossible name'}") from None
    try:
        state = os.fstat(handle)
        if not stat.S_ISREG(state.st_mode):
            raise _one(str(file), "is not a regular file")
        with os.fdopen(handle, "rb", closefd=False) as opened:
            data = opened.read(SIZE_LIMIT + 1)
    except OSError as error:
        raise _one(str(file), f"cannot be read: {error.strerror}") from None
    finally:
        os.close(handle)
    if len(data) > SIZE_LIMIT:
        raise _one(str(file), f"is larger than {SIZE_LIMIT} bytes")
    return data, state.st_mode


def _decode(data: bytes, file: str) -> str:
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise _one(file, "is not UTF-8 text", data.count(b"\n", 0, error.start) + 1) from None


def _parse(text: str, file: str) -> dict[str, Any]:
    try:
        return tomllib.loads(text)
    except RecursionError:
        raise _one(file, "is nested too deeply") from None
    except ValueError as error:
        says = str(error)
        at = text.count("\n", 0, len(text.rstrip())) + 1
        if found := _AT.search(says):
            says = says[: found.start()]
            at = int(found.group(1)) if found.group(1) else at
        raise _one(file, f"is not TOML: {line(says, 200)}", at) from None


def _warnings(file: Path, mode: int) -> Iterator[ConfigIssue]:
    if mode & (stat.S_IWGRP | stat.S_IWOTH):
        yield ConfigIssue(str(file), None, "", "others may write it, and it names commands that run as you: chmod go-w")


def render_key(place: Place) -> str:
    """Return a place as an operator would write it: `hosts[0].postgres[1].dsn`, `ui.keys."app.quit"`."""
    text = ""
    for part in place:
        if isinstance(part, int):
            text += f"[{part}]"
            continue
        name = part if _BARE_KEY.fullmatch(part) else json.dumps(line(part, 100), ensure_ascii=False)
        text += f".{name}" if text else name
    return text


_TYPES = {
    "missing": "missing",
    "string_type": "must be a text, in quotes",
    "bool_type": "must be true or false",
    "int_type": "must be a whole number",
    "tuple_type": "must be an array: [ ... ]",
    "model_type": "must be a table",
    "model_attributes_type": "must be a table",
    "dict_type": "must be a table",
}
_BOUNDS = {"greater_than_equal": ("at least", "ge"), "less_than_equal": ("at most", "le"), "greater_than": ("more than", "gt")}


def _without_misspelt(found: list[ErrorDetails]) -> list[ErrorDetails]:
    """Leave out keys that are missing only because they are misspelt: the unknown key beside them says so already."""
    meant = {(*error["loc"][:-1], _unknown_key(error["loc"])[1]) for error in found if error["type"] == "extra_forbidden"}
    return [error for error in found if error["type"] != "missing" or error["loc"] not in meant]


def _words(details: ErrorDetails) -> tuple[str, str | None]:
    """Return an error in our own words, which never hold the value, and the nearest valid word."""
    kind, place, context = details["type"], details["loc"], details.get("ctx", {})
    if kind == FAULT:
        return str(context["says"]), context.get("nearest")
    if kind == "extra_forbidden":
        return _unknown_key(place)
    if kind == "literal_error":
        return _not_among(str(context["expected"]), details["input"])
    if kind in _BOUNDS:
        word, bound = _BOUNDS[kind]
        return f"must be {word} {context[bound]:g}", None
    if kind == "tuple_type" and isinstance(details["input"], dict):
        return f"must be an array of tables: write [[{'.'.join(str(part) for part in place if isinstance(part, str))}]]", None
    if kind.startswith("model") and isinstance(details["input"], list):
        return f"must be one table, not an array of them: write [{'.'.join(map(str, place))}]", None
    return _TYPES.get(kind, "is not valid"), None


def _unknown_key(place: Place) -> tuple[str, str | None]:
    key, known = str(place[-1]), keys_at(place[:-1])
    home = home_of(key)
    if home is not None:
        return f"unknown key here; it belongs in [{home}]", None
    near = nearest(key, known)
    return ("unknown key", near) if near else (f"unknown key; there are {', '.join(known)}", None)


def _not_among(expected: str, given: object) -> tuple[str, str | None]:
    known = re.findall(r"'([^']*)'", expected)
    says = f"must be {' or '.join(known)}"
    return says, nearest(given, known) if isinstance(given, str) else None
