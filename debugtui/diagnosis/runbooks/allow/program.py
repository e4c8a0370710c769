"""What is known of one program: which of its options only look, and what their values may be. Everything else is refused."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence, Set
from dataclasses import dataclass, field

#: Says what is wrong with a value; None: nothing is.
Check = Callable[[str], str | None]
#: Says what is wrong with all words together (a program's verbs), beside the options that were seen.
WordsCheck = Callable[[Sequence[str], Set[str]], str | None]


class NotAllowedError(ValueError):
    """A command may not be run. The message is ready to show and names the argument."""


@dataclass(frozen=True, slots=True)
class Program:
    """One program.

    Attributes:
        name: as it is called; found in the system's own folders only.
        why: what it tells, for people.
        flags: options without a value, with their dashes.
        valued: options with a value, and the check of it.
        word: the check of an argument that is no option; None: it takes none.
        least, most: how many of those there may be.
        needs: of each group one option has to be there; and why: without it the program would not end, or do something else.
        words: the check of all of them together.
        own: reads all arguments itself, where they follow no rule of options (`find`).
        heavy: it may read much: it runs at the lowest priority.
        stderr: what it has to say, it says on standard error; of all others only complaints stand there, which are not judged.
        not_this: options that are refused on purpose, with the reason; others are refused because nobody vouches for them.
    """

    name: str
    why: str
    flags: frozenset[str] = frozenset()
    valued: Mapping[str, Check] = field(default_factory=dict)
    word: Check | None = None
    least: int = 0
    most: int = 0
    needs: tuple[tuple[frozenset[str], str], ...] = ()
    words: WordsCheck | None = None
    own: Callable[[Sequence[str]], None] | None = None
    heavy: bool = False
    stderr: bool = False
    not_this: Mapping[str, str] = field(default_factory=dict)

    def check(self, arguments: Sequence[str]) -> None:
        """See that the arguments only look.

        Raises:
            NotAllowedError: they do not, or nobody knows.
        """
        if self.own is not None:
            self.own(arguments)
            return
        reader = _Reader(self, list(arguments))
        reader.read()
        for group, why in self.needs:
            if not group & reader.seen:
                raise NotAllowedError(f"{self.name} needs {' or '.join(sorted(group))} here: {why}")
        if not self.least <= len(reader.words) <= self.most:
            raise NotAllowedError(f"{self.name} takes {_between(self.least, self.most)} here, not {len(reader.words)}")
        if self.words is not None and (wrong := self.words(reader.words, reader.seen)):
            raise NotAllowedError(f"{self.name}: {wrong}")


class _Reader:
    """Reads arguments as getopt does, but without abbreviations and without `--`, so that nothing is read in two ways."""

    def __init__(self, program: Program, left: list[str]) -> None:
        self._program, self._left = program, left
        self.seen: set[str] = set()
        self.words: list[str] = []

    def read(self) -> None:
        while self._left:
            argument = self._left.pop(0)
            if argument.startswith("--"):
                self._long(argument)
            elif argument.startswith("-") and len(argument) > 1:
                self._short(argument)
            else:
                self._word(argument)

    def _long(self, argument: str) -> None:
        name, equals, value = argument.partition("=")
        if name in self._program.flags and not equals:
            self.seen.add(name)
        elif name in self._program.valued:
            self._value(name, value if equals else self._next(name))
        else:
            self._refuse(name)

    def _short(self, argument: str) -> None:
        program = self._program
        if argument in program.flags:
            self.seen.add(argument)
        elif argument in program.valued:
            self._value(argument, self._next(argument))
        else:
            self._cluster(argument)

    def _cluster(self, argument: str) -> None:
        """Read several options in one word; the rest of it, or the next word, is the value of the first that has one."""
        for at, letter in enumerate(argument[1:], 1):
            name = f"-{letter}"
            if name in self._program.valued:
                self._value(name, argument[at + 1 :] or self._next(name))
                return
            if name not in self._program.flags:
                self._refuse(name if name in self._program.not_this or len(argument) == 2 else argument)
            self.seen.add(name)

    def _next(self, name: str) -> str:
        """Return the argument behind an option. It may not look like one: the program might take it for one."""
        if not self._left or self._left[0].startswith("-"):
            raise NotAllowedError(f"{self._program.name} {name} needs a value; one that begins with a dash is joined to it")
        return self._left.pop(0)

    def _value(self, name: str, value: str) -> None:
        if wrong := self._program.valued[name](value):
            raise NotAllowedError(f"{self._program.name} {name}: {wrong}")
        self.seen.add(name)

    def _word(self, argument: str) -> None:
        if self._program.word is None:
            raise NotAllowedError(f"{self._program.name} takes no {argument!r} here{self._because('word')}")
        if wrong := self._program.word(argument):
            raise NotAllowedError(f"{self._program.name}: {argument!r}: {wrong}")
        self.words.append(argument)

    def _refuse(self, name: str) -> None:
        raise NotAllowedError(f"{self._program.name} {name} is not allowed{self._because(name)}")

    def _because(self, name: str) -> str:
        why = self._program.not_this.get(name)
        return f": {why}" if why else ""


def _between(least: int, most: int) -> str:
    if least == most:
        return f"{least} words"
    return f"{least} to {most} words"


# --- checks of values


def like(pattern: str, says: str) -> Check:
    """Return a check that a value matches whole."""
    compiled = re.compile(pattern, re.ASCII)
    return lambda value: None if compiled.fullmatch(value) else f"it has to be {says}"


def number(most: int, *, least: int = 0) -> Check:
    """Return a check of a whole number."""

    def check(value: str) -> str | None:
        fits = value.isascii() and value.isdecimal() and len(value) < 10 and least <= int(value) <= most
        return None if fits else f"it has to be a number from {least} to {most}"

    return check


def one_of(*known: str) -> Check:
    """Return a check that a value is one of some words."""
    return lambda value: None if value in known else f"it has to be one of {', '.join(known)}"


def any_text(value: str) -> str | None:
    """Accept any text that is not too long."""
    return None if len(value) <= 500 else "it is longer than 500 characters"


NAME = like(r"[\w.@:+%*\\-]{1,200}", "a name")
TIME = like(r"[\w :.+-]{1,40}", "a time such as '-15m' (--since=-15m), 'today' or '2026-03-14 09:00'")
FIELDS = like(r"[\w,=%:*-]{1,300}", "names of columns")
ADDRESS = like(r"[\w.:\[\]/%-]{1,200}", "an address")
