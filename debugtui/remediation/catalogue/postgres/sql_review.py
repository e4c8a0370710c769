"""Reads a migration: which statements it holds, what each does, what must run alone, what is destructive, what it makes.

Closed lists decide: a statement that none of them knows is not judged harmless, it is not executed.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum

from debugtui.model.text import line
from debugtui.sources.postgres.sql_text import SqlTextError, Word, words

#: Most statements in one file.
MOST = 200


class Kind(StrEnum):
    """What a statement is. data: it changes rows. destructive, opaque: it is never executed here."""

    SCHEMA = "schema"
    DATA = "data"
    DESTRUCTIVE = "destructive"
    OPAQUE = "opaque"


@dataclass(frozen=True, slots=True)
class Made:
    """Something that a statement makes, to be looked for in the catalogs.

    Attributes:
        kind: `relation`, `index`, `column`, `constraint`, `validated` or `gone`.
        schema: empty where the statement does not say.
        name: of the relation.
        part: the column or constraint.
        if_missing: it may be there before (IF NOT EXISTS, OR REPLACE).
    """

    kind: str
    schema: str
    name: str
    part: str = ""
    if_missing: bool = False


@dataclass(frozen=True, slots=True)
class Statement:
    """One statement.

    Attributes:
        text: exactly as in the file, without the semicolon.
        lint: the same without comments.
        kind: see `Kind`.
        why: for destructive and opaque ones: what it would do.
        alone: it cannot run in a transaction.
        concurrent: it waits for every older transaction.
        renames: it takes a name away that clients use.
        makes: see `Made`.
        takes: what a destructive one takes away, in the words of what makes it.
        names: what may be names of relations in it, with their schema or without.
    """

    text: str
    lint: str
    kind: Kind
    why: str
    alone: bool
    concurrent: bool
    renames: bool
    makes: tuple[Made, ...]
    takes: tuple[Made, ...]
    names: tuple[tuple[str, str], ...]


_CREATES = frozenset(
    [
        "TABLE",
        "INDEX",
        "VIEW",
        "MATERIALIZED",
        "FUNCTION",
        "PROCEDURE",
        "TRIGGER",
        "TYPE",
        "DOMAIN",
        "SEQUENCE",
        "SCHEMA",
        "EXTENSION",
        "STATISTICS",
        "POLICY",
        "RULE",
        "AGGREGATE",
        "CONSTRAINT",
    ]
)
_DROPS = frozenset(
    ["INDEX", "VIEW", "MATERIALIZED", "FUNCTION", "PROCEDURE", "TRIGGER", "POLICY", "RULE", "STATISTICS", "AGGREGATE"]
)
_ALTERS = frozenset(
    [
        "TABLE",
        "INDEX",
        "VIEW",
        "MATERIALIZED",
        "FUNCTION",
        "PROCEDURE",
        "TRIGGER",
        "TYPE",
        "DOMAIN",
        "SEQUENCE",
        "SCHEMA",
        "STATISTICS",
        "POLICY",
        "RULE",
    ]
)
_FIRST = frozenset(
    [
        "CREATE",
        "ALTER",
        "DROP",
        "COMMENT",
        "ANALYZE",
        "GRANT",
        "REVOKE",
        "REINDEX",
        "REFRESH",
        "VACUUM",
        "INSERT",
        "UPDATE",
        "DELETE",
        "MERGE",
        "SELECT",
        "WITH",
    ]
)
_LIMITS = ("LOCK_TIMEOUT", "STATEMENT_TIMEOUT")
_SAFE_FUNCTIONS = frozenset({"setval", "nextval", "coalesce", "max", "min", "count", "greatest"})


def review(sql: str) -> tuple[tuple[Statement, ...], tuple[str, ...]]:
    """Return a file's statements, and those lines that are left out because the transaction and its limits are ours.

    Raises:
        SqlTextError: the file cannot be read, is empty, or holds what cannot be sent from here.
    """
    found: list[Statement] = []
    left_out: list[str] = []
    groups = list(_split(words(sql)))
    if len(groups) > MOST:
        raise SqlTextError(f"it holds more than {MOST} statements")
    for number, tokens in enumerate(groups):
        text = sql[tokens[0].start : tokens[-1].end + 1]
        if _is_ours(tokens, first=not found, last=number == len(groups) - 1):
            left_out.append(line(text, 200))
        else:
            found.append(_statement(sql, text, tokens))
    if not found:
        raise SqlTextError("it holds no statement")
    return tuple(found), tuple(left_out)


def _split(tokens: Sequence[Word]) -> Iterator[tuple[Word, ...]]:
    """Part at semicolons, but for those inside of parentheses and of a function's own BEGIN ATOMIC ... END."""
    current: list[Word] = []
    parentheses = bodies = 0
    for number, word in enumerate(tokens):
        if word.kind in ("BACKSLASH", "HINT"):
            raise SqlTextError("psql's own commands and hints cannot be sent to a server: " + line(word.text, 40))
        parentheses += {"L_PAREN": 1, "R_PAREN": -1}.get(word.kind, 0)
        after = tokens[number + 1].upper if number + 1 < len(tokens) else ""
        if word.upper == "BEGIN" and after == "ATOMIC":
            bodies += 1
        elif bodies and word.upper in ("CASE", "END"):
            bodies += 1 if word.upper == "CASE" else -1
        if word.kind == "SEMICOLON" and not parentheses and not bodies:
            if current:
                yield tuple(current)
            current = []
        else:
            current.append(word)
    if parentheses or bodies:
        raise SqlTextError("a parenthesis or a body is not closed")
    if current:
        yield tuple(current)


def _is_ours(tokens: Sequence[Word], *, first: bool, last: bool) -> bool:
    """Whether a statement only frames the transaction or sets its limits, which is done here.

    Raises:
        SqlTextError: it does more of that than can be replaced.
    """
    said = [word.upper for word in tokens]
    if said[0] in ("BEGIN", "START") and first:
        return True
    if said[0] in ("COMMIT", "END") and last:
        return True
    if said[0] in ("SET", "RESET"):
        if any(word in _LIMITS for word in said[1:3]) and said[0] == "SET":
            return True
        raise SqlTextError("it may set nothing but lock_timeout and statement_timeout; write names with their schema instead")
    if said[0] in ("BEGIN", "START", "COMMIT", "END", "ROLLBACK", "ABORT", "SAVEPOINT", "RELEASE", "PREPARE", "LOCK"):
        raise SqlTextError(f"{said[0]} does not work here: everything that can runs in one transaction")
    if said[0] == "COPY":
        raise SqlTextError("COPY needs data beside it; load data by another way")
    return False


def _statement(sql: str, text: str, tokens: tuple[Word, ...]) -> Statement:
    said = tuple(word.upper for word in tokens)
    kind, why = _judge(text, tokens, said)
    concurrent = "CONCURRENTLY" in said and said[0] != "REFRESH"
    alone = concurrent or said[0] == "VACUUM" or said[:2] == ("ALTER", "SYSTEM")
    made = tuple(_makes(tokens, said)) if kind in (Kind.SCHEMA, Kind.DATA) else ()
    if concurrent and said[0] == "CREATE":
        if not made:
            raise SqlTextError(f"an index that is built concurrently needs a name: {line(text, 100)}")
        if made[0].if_missing:
            raise SqlTextError(f"IF NOT EXISTS takes an invalid index for a good one; leave it out: {line(text, 100)}")
    return Statement(
        text=text,
        lint=_without_comments(sql, tokens),
        kind=kind,
        why=why,
        alone=alone,
        concurrent=concurrent,
        renames=said[0] == "ALTER" and "RENAME" in said,
        makes=made,
        takes=tuple(_drops_of(tokens, said)) if kind is Kind.DESTRUCTIVE else (),
        names=tuple(dict.fromkeys(_names(tokens))),
    )


def _without_comments(sql: str, tokens: Sequence[Word]) -> str:
    """The text with nothing between its words but spaces: a comment could tell the linter to look away."""
    parts, at = [], tokens[0].start
    for word in tokens:
        parts.append("".join(letter if letter == "\n" else " " for letter in sql[at : word.start]))
        parts.append(sql[word.start : word.end + 1])
        at = word.end + 1
    return "".join(parts)


def _judge(text: str, tokens: Sequence[Word], said: Sequence[str]) -> tuple[Kind, str]:
    first, second = said[0], _object(said)
    if first not in _FIRST and first not in ("TRUNCATE", "CLUSTER"):
        return Kind.OPAQUE, f"what {line(tokens[0].text, 40)} does cannot be told from its text"
    if first in ("TRUNCATE", "CLUSTER") or (first == "VACUUM" and "FULL" in said):
        return Kind.DESTRUCTIVE, f"{first} {'FULL ' if first == 'VACUUM' else ''}empties or rewrites whole tables"
    if first == "DROP":
        if second not in _DROPS or "CASCADE" in said:
            return Kind.DESTRUCTIVE, f"DROP {second}{' CASCADE' if 'CASCADE' in said else ''} destroys what may be in use"
        return Kind.SCHEMA, ""
    if first == "ALTER":
        return _judge_alter(second, tokens, said)
    if first == "CREATE":
        return (Kind.SCHEMA, "") if second in _CREATES else (Kind.OPAQUE, f"CREATE {second} is not known here")
    if first in ("INSERT", "UPDATE", "DELETE", "MERGE", "SELECT", "WITH"):
        return _judge_rows(text, first)
    return Kind.SCHEMA, ""


def _object(said: Sequence[str]) -> str:
    """The kind of thing that CREATE, ALTER or DROP is about."""
    skipped = {"OR", "REPLACE", "UNIQUE", "TEMP", "TEMPORARY", "UNLOGGED", "RECURSIVE", "GLOBAL", "LOCAL"}
    return next((word for word in said[1:] if word not in skipped), "")


def _judge_alter(second: str, tokens: Sequence[Word], said: Sequence[str]) -> tuple[Kind, str]:
    if said[1] == "SYSTEM":
        return Kind.OPAQUE, "ALTER SYSTEM cannot be checked here; postgres.set_parameter can"
    if second not in _ALTERS:
        return Kind.OPAQUE, f"ALTER {second} is not known here"
    for number, word in enumerate(said):
        if word == "CASCADE" and said[number - 1] not in ("DELETE", "UPDATE"):
            return Kind.DESTRUCTIVE, "CASCADE destroys what depends on it"
    for action in _actions(tokens):
        verbs = [word.upper for word in action[:2]]
        if second in ("TABLE", "TYPE", "MATERIALIZED") and verbs[0] == "DROP" and verbs[-1] != "CONSTRAINT":
            return Kind.DESTRUCTIVE, "DROP COLUMN destroys its values"
        if verbs[0] == "SET" and verbs[-1] in ("UNLOGGED", "LOGGED", "TABLESPACE"):
            return Kind.DESTRUCTIVE, f"SET {verbs[-1]} rewrites the whole table under a lock that stops everybody"
    return Kind.SCHEMA, ""


def _actions(tokens: Sequence[Word]) -> Iterator[tuple[Word, ...]]:
    """The actions of ALTER ... name action, action."""
    reader = _Reader(tokens)
    reader.skip("ALTER", "MATERIALIZED", "VIEW", "TABLE", "INDEX", "TYPE", "IF", "EXISTS", "ONLY")
    reader.name()
    reader.skip_kind("STAR")
    current: list[Word] = []
    depth = 0
    for word in tokens[reader.at :]:
        depth += {"L_PAREN": 1, "R_PAREN": -1}.get(word.kind, 0)
        if word.kind == "COMMA" and not depth:
            if current:
                yield tuple(current)
            current = []
        else:
            current.append(word)
    if current:
        yield tuple(current)


def _judge_rows(text: str, first: str) -> tuple[Kind, str]:
    """Rows: an UPDATE or DELETE without a condition on a column, wherever it stands, is destructive."""
    from sqlglot import exp, parse_one
    from sqlglot.errors import SqlglotError

    try:
        tree = parse_one(text, dialect="postgres")
    except (SqlglotError, RecursionError):
        return Kind.OPAQUE, f"this {first} cannot be read well enough to tell which rows it changes"
    if isinstance(tree, exp.Command):
        return Kind.OPAQUE, f"this {first} cannot be read well enough to tell which rows it changes"
    for change in tree.find_all(exp.Update, exp.Delete):
        where = change.args.get("where")
        if where is None or where.find(exp.Column) is None:
            return Kind.DESTRUCTIVE, f"{change.key.upper()} without a condition changes every row"
    changes = tree.find(exp.Insert, exp.Update, exp.Delete, exp.Merge) is not None
    if changes:
        return Kind.DATA, ""
    for call in tree.find_all(exp.Func):
        name = call.name if isinstance(call, exp.Anonymous) else call.sql_name()
        if name.lower() not in _SAFE_FUNCTIONS:
            return Kind.OPAQUE, f"what the function {line(name, 60)} does cannot be told from the text"
    return Kind.DATA, ""


class _Reader:
    """Walks over the words of one statement."""

    def __init__(self, tokens: Sequence[Word]) -> None:
        self.tokens, self.at = tokens, 0

    @property
    def word(self) -> Word | None:
        return self.tokens[self.at] if self.at < len(self.tokens) else None

    def take(self, *wanted: str) -> bool:
        """Step over exactly these words, if they stand here."""
        here = tuple(word.upper for word in self.tokens[self.at : self.at + len(wanted)])
        if here != wanted:
            return False
        self.at += len(wanted)
        return True

    def skip(self, *any_of: str) -> None:
        while self.word is not None and self.word.upper in any_of:
            self.at += 1

    def skip_kind(self, kind: str) -> None:
        while self.word is not None and self.word.kind == kind:
            self.at += 1

    def part(self) -> str:
        """One name as the catalog has it: small letters unless quoted; empty where there is none."""
        word = self.word
        if word is None or not (word.kind == "IDENTIFIER" or word.text[:1].isalpha() or word.text[:1] == "_"):
            return ""
        self.at += 1
        return word.text if word.kind == "IDENTIFIER" else word.text.lower()

    def name(self) -> tuple[str, str]:
        """A name with its schema, or without."""
        first = self.part()
        if self.word is not None and self.word.kind == "DOT":
            self.at += 1
            return first, self.part()
        return "", first


def _makes(tokens: Sequence[Word], said: Sequence[str]) -> Iterator[Made]:
    reader = _Reader(tokens)
    if said[0] == "CREATE":
        reader.at = 1
        replaced = "REPLACE" in said[:3]
        reader.skip("OR", "REPLACE", "UNIQUE", "UNLOGGED", "RECURSIVE")
        if reader.take("TABLE") or reader.take("VIEW") or reader.take("MATERIALIZED", "VIEW") or reader.take("SEQUENCE"):
            maybe = reader.take("IF", "NOT", "EXISTS")
            schema, name = reader.name()
            yield Made("relation", schema, name, if_missing=maybe or replaced)
        elif reader.take("INDEX"):
            yield from _index(reader)
    elif said[0] == "DROP":
        yield from _gone(tokens, said)
    elif said[:2] == ("ALTER", "TABLE"):
        yield from _altered(tokens)


def _index(reader: _Reader) -> Iterator[Made]:
    """An index lies in its table's schema."""
    reader.take("CONCURRENTLY")
    maybe = reader.take("IF", "NOT", "EXISTS")
    if reader.word is not None and reader.word.upper == "ON":
        return
    name = reader.part()
    if reader.take("ON"):
        reader.take("ONLY")
        yield Made("index", reader.name()[0], name, if_missing=maybe)


def _gone(tokens: Sequence[Word], said: Sequence[str]) -> Iterator[Made]:
    reader = _Reader(tokens)
    reader.at = 1
    if reader.take("INDEX") or reader.take("VIEW") or reader.take("MATERIALIZED", "VIEW"):
        reader.take("CONCURRENTLY")
        maybe = reader.take("IF", "EXISTS")
        schema, name = reader.name()
        yield Made("gone", schema, name, if_missing=maybe)


def _altered(tokens: Sequence[Word]) -> Iterator[Made]:
    table = _Reader(tokens)
    table.skip("ALTER", "TABLE", "IF", "EXISTS", "ONLY")
    schema, name = table.name()
    for action in _actions(tokens):
        reader = _Reader(action)
        if reader.take("VALIDATE", "CONSTRAINT"):
            yield Made("validated", schema, name, reader.part())
        elif reader.take("ADD"):
            if reader.take("CONSTRAINT"):
                yield Made("constraint", schema, name, reader.part())
            elif reader.word is not None and reader.word.upper not in ("PRIMARY", "UNIQUE", "FOREIGN", "CHECK", "EXCLUDE"):
                reader.take("COLUMN")
                maybe = reader.take("IF", "NOT", "EXISTS")
                yield Made("column", schema, name, reader.part(), if_missing=maybe)


def _drops_of(tokens: Sequence[Word], said: Sequence[str]) -> Iterator[Made]:
    """What a destructive statement takes away, in the words of what made it: a way back may take away only that."""
    reader = _Reader(tokens)
    if "CASCADE" in said:
        return
    if reader.take("DROP", "TABLE") or reader.take("DROP", "SEQUENCE"):
        reader.take("IF", "EXISTS")
        schema, name = reader.name()
        if reader.word is None or reader.word.upper == "RESTRICT":
            yield Made("relation", schema, name)
    elif reader.take("ALTER", "TABLE"):
        reader.skip("IF", "EXISTS", "ONLY")
        schema, name = reader.name()
        for action in _actions(tokens):
            step = _Reader(action)
            if not step.take("DROP"):
                return
            step.take("COLUMN")
            step.take("IF", "EXISTS")
            yield Made("column", schema, name, step.part())


def _names(tokens: Sequence[Word]) -> Iterator[tuple[str, str]]:
    """Everything that could be the name of a relation; the server says which are."""
    reader = _Reader(tokens)
    while reader.word is not None:
        at = reader.at
        schema, name = reader.name()
        if name:
            yield schema, name
        if reader.at == at:
            reader.at += 1
