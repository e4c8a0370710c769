"""The configuration of an nginx on a host, fetched file by file and read as a tree of directives."""

from __future__ import annotations

import asyncio
import importlib
import io
import posixpath
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from debugtui.hosts.link import Link
from debugtui.model.source import Problem
from debugtui.model.text import decode, line

#: Limits of one configuration: files, bytes in all, and includes within includes.
FILES, BYTES, DEPTH = 300, 2_000_000, 10
#: Seconds that fetching the files of one include may take.
LIMIT_S = 8.0

# Prints the name and the text of every file that a pattern fits, each with a NUL behind it; \001 stands for an unreadable one.
# IFS is empty, so that a pattern with spaces stays one word and is still expanded.
_SCRIPT = r"""IFS=
for f in $1; do
  [ -f "$f" ] || [ -e "$f" ] || continue
  printf '%s\0' "$f"
  if [ -r "$f" ]; then cat -- "$f"; else printf '\001'; fi
  printf '\0'
done"""
_UNREADABLE = b"\x01"


class ConfigError(Exception):
    """The configuration cannot be read. `problem` is ready to show."""

    def __init__(self, problem: Problem) -> None:
        super().__init__(str(problem))
        self.problem = problem


@dataclass(frozen=True, slots=True)
class Directive:
    """One directive with its arguments; a block has what is inside it. `include` lines are replaced by what they name."""

    name: str
    args: tuple[str, ...]
    inside: tuple[Directive, ...] | None = None

    def all(self, name: str) -> Iterator[Directive]:
        """Yield the directives of one name directly inside it."""
        return (one for one in self.inside or () if one.name == name)


async def fetch(link: Link, main: str) -> tuple[Directive, ...]:
    """Return the directives of a configuration, from its main file down.

    Raises:
        ConfigError: a file cannot be read, or is no configuration.
        LinkError: the link is not up.
    """
    return await _Fetch(link, main).file(main, 0)


class _Fetch:
    def __init__(self, link: Link, main: str) -> None:
        self._link = link
        self._folder = posixpath.dirname(main)  # nginx takes relative names from where its main file lies
        self._files = 0
        self._bytes = 0

    async def file(self, pattern: str, depth: int) -> tuple[Directive, ...]:
        if depth > DEPTH:
            raise ConfigError(Problem(f"more than {DEPTH} includes within each other at {line(pattern, 200)}"))
        texts = await self._read(pattern)
        if not texts and not any(sign in pattern for sign in "*?["):
            raise ConfigError(Problem(f"{line(pattern, 200)}: no such file", "correct nginx in the configuration"))
        found: list[Directive] = []
        for name, text in texts:
            parsed = await asyncio.to_thread(parse, text, name)
            found += await self._expand(parsed, depth)
        return tuple(found)

    async def _expand(self, directives: Iterable[Directive], depth: int) -> list[Directive]:
        found: list[Directive] = []
        for one in directives:
            if one.name == "include" and one.args:
                found += await self.file(posixpath.join(self._folder, one.args[0]), depth + 1)
            elif one.inside is not None:
                found.append(Directive(one.name, one.args, tuple(await self._expand(one.inside, depth))))
            else:
                found.append(one)
        return found

    async def _read(self, pattern: str) -> list[tuple[str, str]]:
        done = await self._link.run(["sh", "-c", _SCRIPT, "sh", pattern], timeout=LIMIT_S, limit=BYTES)
        if done.status != 0 or done.truncated:
            says = line(done.stderr, 200) or f"exit status {done.status}"
            raise ConfigError(Problem(f"{line(pattern, 200)}: {'too long' if done.truncated else says}"))
        parts = done.stdout.split(b"\0")[:-1]
        self._files += len(parts) // 2
        self._bytes += len(done.stdout)
        if self._files > FILES or self._bytes > BYTES:
            raise ConfigError(Problem(f"the configuration has more than {FILES} files or {BYTES // 1_000_000} MB"))
        texts = []
        for name, text in zip(parts[::2], parts[1::2], strict=True):
            if text == _UNREADABLE:
                raise ConfigError(Problem(f"{line(name, 200)} cannot be read: permission denied", "let the login user read it"))
            texts.append((decode(name), decode(text)))
        return texts


def parse(text: str, name: str) -> tuple[Directive, ...]:
    """Return the directives of one file.

    Raises:
        ConfigError: its braces or semicolons do not fit.
    """
    importlib.import_module("crossplane")  # it knows the blocks of Lua only as a whole
    lex = importlib.import_module("crossplane.lexer")._lex_file_object  # noqa: SLF001 - the public one reads local files only
    stack: list[list[Directive]] = [[]]
    heads: list[list[str]] = []
    words: list[str] = []
    for word, number, quoted in lex(io.StringIO(text)):
        if quoted or word not in ("{", "}", ";"):
            if quoted or not word.startswith("#"):
                words.append(word)
        elif word == ";" and words:
            stack[-1].append(Directive(words[0], tuple(words[1:])))
            words = []
        elif word == "{" and words:
            heads.append(words)
            stack.append([])
            words = []
        elif word == "}" and heads and not words:
            inside, head = stack.pop(), heads.pop()
            stack[-1].append(Directive(head[0], tuple(head[1:]), tuple(inside)))
        else:
            raise ConfigError(Problem(f"{line(name, 200)}:{number}: unexpected {word!r}", "nginx -t says more"))
    if heads or words:
        raise ConfigError(Problem(f"{line(name, 200)}: its end comes too early: a brace or semicolon is missing"))
    return tuple(stack[0])
