"""SQL as text: split into statements and words, by a tokeniser that knows PostgreSQL's quotes and comments.

sqlglot's tokeniser does the reading. It and the server may disagree about a text made for that purpose; therefore every
statement is also sent by a protocol in which the server refuses a text that holds two.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import Any

from debugtui.model.text import clean, line

#: Longest text, in characters.
LONGEST = 1_000_000


class SqlTextError(ValueError):
    """The text is not what it has to be; the message is ready to show."""


@dataclass(frozen=True, slots=True)
class Word:
    """One token. `kind` is the tokeniser's name for it; `text` without quotes; it reaches from `start` to `end`, included."""

    kind: str
    text: str
    start: int
    end: int

    @property
    def quoted(self) -> bool:
        """A quoted name or a string: never a keyword."""
        return self.kind in _QUOTED

    @property
    def upper(self) -> str:
        """The keyword that it may be; empty for quoted names and strings."""
        return "" if self.quoted else self.text.upper()


_QUOTED = frozenset(
    {"IDENTIFIER", "STRING", "HEREDOC_STRING", "RAW_STRING", "NATIONAL_STRING", "BYTE_STRING", "UNICODE_STRING", "BIT_STRING"}
)


@cache
def _tokeniser() -> Any:
    """The tokeniser of PostgreSQL, told to read all: by itself it takes the rest of VACUUM, CALL... for one string."""
    from sqlglot.dialects.postgres import Postgres

    return type("Plain", (Postgres.Tokenizer,), {"COMMANDS": set()})


def words(sql: str) -> tuple[Word, ...]:
    """Return the tokens of a text.

    Raises:
        SqlTextError: it cannot be read, is too long, or holds characters that do not show.
    """
    from sqlglot.errors import SqlglotError

    if len(sql) > LONGEST:
        raise SqlTextError(f"it is longer than {LONGEST} characters")
    plain = sql.replace("\r\n", "\n")
    if clean(plain) != plain:
        raise SqlTextError("it holds characters that do not show, or change how the text is shown")
    try:
        tokens = _tokeniser()().tokenize(sql)
    except SqlglotError as error:
        raise SqlTextError(f"it cannot be read: {line(str(error), 200)}") from None
    found = tuple(Word(token.token_type.name, token.text, token.start, token.end) for token in tokens)
    at = 0
    for word in (*found, Word("END", "", len(sql), len(sql))):
        if "{#" in sql[at : word.start]:  # a comment to the tokeniser, none to the server
            raise SqlTextError("it holds a template's comment")
        at = word.end + 1
    return found


def check_condition(text: str) -> None:
    """See that a text can only be one expression between parentheses.

    Raises:
        SqlTextError: it could be something else.
    """
    depth = 0
    found = words(text)
    if not found:
        raise SqlTextError("it is empty")
    if "--" in text or "/*" in text:
        raise SqlTextError("comments are not accepted")
    for word in found:
        if word.kind == "SEMICOLON" or word.kind == "BACKSLASH":
            raise SqlTextError("it has to be one expression")
        depth += {"L_PAREN": 1, "R_PAREN": -1}.get(word.kind, 0)
        if depth < 0:
            raise SqlTextError("it closes a parenthesis that it did not open")
        if word.upper in ("SELECT", "INSERT", "UPDATE", "DELETE"):
            raise SqlTextError("it may not hold a query")
    if depth:
        raise SqlTextError("it does not close every parenthesis")
