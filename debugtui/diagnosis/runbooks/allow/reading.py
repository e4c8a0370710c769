"""What files and folders hold."""

from __future__ import annotations

from collections.abc import Sequence, Set

from debugtui.diagnosis.runbooks.allow.files import file_fault, place_fault
from debugtui.diagnosis.runbooks.allow.find import check_find
from debugtui.diagnosis.runbooks.allow.program import (
    Program,
    any_text,
    number,
)
from debugtui.diagnosis.runbooks.allow.words import ENDLESS, LINES, flags, valued

_LOG_LINES = valued(n=number(LINES, least=1), c=number(1_000_000, least=1), lines=number(LINES, least=1))


def _grep_words(words: Sequence[str], seen: Set[str]) -> str | None:
    return next((f"{word!r}: {wrong}" for word in words[1:] if (wrong := file_fault(word))), None)


PROGRAMS = (
    Program("cat", "a file of figures, a small configuration", flags("n s A"), word=file_fault, least=1, most=4),
    Program(
        "tail",
        "the end of a file",
        flags("q v", "quiet verbose"),
        {**_LOG_LINES, **valued(bytes=number(1_000_000, least=1))},
        word=file_fault,
        least=1,
        most=4,
        not_this=dict.fromkeys(("-f", "-F", "--follow", "--retry", "-s", "--pid"), ENDLESS),
    ),
    Program(
        "head",
        "the beginning of a file",
        flags("q v", "quiet verbose"),
        {**_LOG_LINES, **valued(bytes=number(1_000_000, least=1))},
        word=file_fault,
        least=1,
        most=4,
    ),
    Program(
        "wc",
        "how many lines or bytes a file has",
        flags("l c w m", "lines bytes words chars"),
        word=file_fault,
        least=1,
        most=4,
        not_this={"--files0-from": "it reads names from a file"},
    ),
    Program(
        "grep",
        "lines of named files that hold a text",
        flags(
            "i v c n E F w x o h H s q l a",
            "ignore-case invert-match count line-number extended-regexp fixed-strings word-regexp only-matching text",
        ),
        valued(m=number(LINES, least=1), A=number(50), B=number(50), C=number(50), max_count=number(LINES, least=1)),
        word=any_text,
        least=2,
        most=5,
        words=_grep_words,
        heavy=True,
        not_this={
            **dict.fromkeys(("-r", "-R", "--recursive", "-d", "--directories"), "it walks through whole folders"),
            **dict.fromkeys(("-f", "--file"), "it reads patterns from a file"),
            **dict.fromkeys(("-P", "--perl-regexp"), "such a pattern may take for ever"),
            "-e": "the pattern is the first word",
        },
    ),
    Program(
        "find",
        "files by name, age and size",
        own=check_find,
        heavy=True,
        not_this={"-delete": "it deletes", "-exec": "it runs programs", "-fprint": "it writes a file"},
    ),
    Program(
        "ls",
        "what lies in a folder, where a symbolic link leads",
        flags("l a A h t r d S 1 i n F", "all almost-all human-readable reverse directory full-time"),
        word=place_fault,
        least=1,
        most=4,
        not_this=dict.fromkeys(("-R", "--recursive"), "it walks through whole folders"),
    ),
    Program(
        "stat",
        "size, owner and times of a file",
        flags("f L t", "file-system dereference terse"),
        valued(c=any_text, format=any_text),
        word=place_fault,
        least=1,
        most=8,
    ),
    Program("readlink", "where a symbolic link leads", flags("f e m n", "canonicalize"), word=place_fault, least=1, most=4),
)
