"""From the text of configuration files to one tree of directives, each with its file and line; crossplane parses."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from debugtui.model.text import line

#: Most levels of files that include each other.
DEPTH = 12


@dataclass(frozen=True, slots=True)
class Directive:
    """One directive. `block` is what its braces hold, includes already in their place."""

    name: str
    args: tuple[str, ...]
    file: str
    line: int
    block: tuple[Directive, ...] = ()


@dataclass(frozen=True, slots=True)
class Tree:
    """A configuration.

    Attributes:
        directives: of the main context.
        problems: what the parser refuses: `FILE:LINE: why`.
    """

    directives: tuple[Directive, ...]
    problems: tuple[str, ...] = ()


@dataclass(slots=True)
class _Parsing:
    texts: Mapping[str, str]
    matched: Mapping[str, Sequence[str]]
    resolve: Any
    problems: list[str] = field(default_factory=list)


def parse_text(text: str) -> tuple[list[dict[str, Any]], list[str]]:
    """Return one file's directives as crossplane has them, and what it refuses; includes are not followed."""
    import crossplane

    with tempfile.TemporaryDirectory(prefix="debugtui-nginx-") as folder:
        # It reads files only. Nothing in this folder is ever included, and the folder is ours alone.
        path = Path(folder) / "one.conf"
        path.write_text(text, encoding="utf-8")
        payload = crossplane.parse(str(path), single=True, comments=False, check_ctx=False, check_args=False, catch_errors=True)
    found = payload["config"][0]
    says = []
    for error in found.get("errors", []):
        words = str(error.get("error", "")).split(" in ", 1)[0]
        says.append(f"{error.get('line') or '?'}: {line(words, 160)}")
    return list(found.get("parsed", [])), says


def includes_of(text: str) -> list[str]:
    """Return the patterns that a file includes, as written."""
    return [str(one["args"][0]) for one in _flat(parse_text(text)[0]) if one["directive"] == "include" and one["args"]]


def _flat(parsed: list[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    for one in parsed:
        yield one
        yield from _flat(one.get("block") or [])


def build(main: str, texts: Mapping[str, str], matched: Mapping[str, Sequence[str]], resolve: Any) -> Tree:
    """Return the tree of a configuration.

    Args:
        main: path of the main file.
        texts: the text of each file, by path.
        matched: the files that each include means, by its absolute pattern.
        resolve: makes the absolute pattern of an include as written.
    """
    parsing = _Parsing(texts, matched, resolve)
    return Tree(tuple(_file(parsing, main, 0)), tuple(parsing.problems))


def _file(parsing: _Parsing, path: str, depth: int) -> Iterator[Directive]:
    if depth > DEPTH:
        parsing.problems.append(f"{path}: files include each other without end")
        return
    parsed, problems = parse_text(parsing.texts.get(path, ""))
    parsing.problems += (f"{path}:{problem}" for problem in problems)
    yield from _directives(parsing, parsed, path, depth)


def _directives(parsing: _Parsing, parsed: list[dict[str, Any]], path: str, depth: int) -> Iterator[Directive]:
    for one in parsed:
        name, args = str(one["directive"]), tuple(str(arg) for arg in one.get("args", ()))
        if name == "include" and args:
            for included in parsing.matched.get(parsing.resolve(args[0]), ()):
                yield from _file(parsing, included, depth + 1)
            continue
        block = tuple(_directives(parsing, one.get("block") or [], path, depth))
        yield Directive(name, args, path, int(one.get("line", 0)), block)


def walk(directives: Sequence[Directive], name: str) -> Iterator[Directive]:
    """Yield the directives of a name in one block, in order; what lies deeper is not looked at."""
    return (one for one in directives if one.name == name)


def everywhere(directives: Sequence[Directive], name: str) -> Iterator[Directive]:
    """Yield the directives of a name at any depth, in order."""
    for one in directives:
        if one.name == name:
            yield one
        yield from everywhere(one.block, name)


def first(directives: Sequence[Directive], name: str) -> tuple[str, ...]:
    """Return the arguments of the first directive of a name in one block; empty where there is none."""
    return next((one.args for one in directives if one.name == name), ())
