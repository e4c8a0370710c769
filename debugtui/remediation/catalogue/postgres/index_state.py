"""What the catalogs say of a table and of an index: for those who build, drop and check indexes."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Any

from debugtui.model.target import Target
from debugtui.model.text import line
from debugtui.remediation.base import PlanError
from debugtui.remediation.eyes import Eyes

#: Asks one statement with parameters: `Eyes.fetch` of one database, or a connection's own `fetch`.
Ask = Callable[..., Awaitable[Sequence[Any]]]

_TABLE = """
SELECT c.oid::int8 AS oid, n.nspname::text AS schema, c.relname::text AS name,
       quote_ident(n.nspname) || '.' || quote_ident(c.relname) AS quoted, quote_ident(n.nspname) AS quoted_schema,
       c.relkind::text AS kind, c.reltuples::float8 AS rows, pg_table_size(c.oid) AS size, c.relowner::int8 AS owner
FROM pg_class AS c JOIN pg_namespace AS n ON n.oid = c.relnamespace
WHERE c.relname = $2 AND ($1 = '' OR n.nspname = $1) AND c.relkind IN ('r', 'm', 'p')
  AND n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'
ORDER BY n.nspname
"""

_COLUMNS = """
SELECT a.attnum::int AS number, a.attname::text AS name, quote_ident(a.attname) AS quoted,
       coalesce((SELECT max(s.avg_width) FROM pg_stats AS s JOIN pg_class AS c ON c.oid = a.attrelid
                 WHERE s.schemaname = c.relnamespace::regnamespace::text AND s.tablename = c.relname
                   AND s.attname = a.attname), CASE WHEN a.attlen > 0 THEN a.attlen ELSE 32 END)::int AS width
FROM pg_attribute AS a WHERE a.attrelid = $1::int8::oid AND a.attnum > 0 AND NOT a.attisdropped
ORDER BY a.attnum
"""

_INDEX = """
SELECT c.oid::int8 AS oid, n.nspname::text AS schema, c.relname::text AS name, c.relkind::text AS kind,
       quote_ident(n.nspname) || '.' || quote_ident(c.relname) AS quoted,
       t.relname::text AS table_name, quote_ident(tn.nspname) || '.' || quote_ident(t.relname) AS table_quoted,
       i.indrelid::int8 AS table_oid, i.indisvalid AS valid, i.indisready AS ready, i.indislive AS live,
       i.indisunique AS is_unique, i.indisreplident AS replica_identity, i.indisclustered AS clustered,
       i.indisexclusion AS exclusion, i.indkey::text AS keys, i.indnatts::int = i.indnkeyatts::int AS plain,
       i.indpred IS NOT NULL AS partial, i.indexprs IS NOT NULL AS expressions,
       (SELECT am.amname::text FROM pg_am AS am WHERE am.oid = c.relam) AS method,
       pg_get_indexdef(c.oid) AS definition, pg_relation_size(c.oid) AS size,
       c.relispartition OR c.relkind = 'I' AS partition,
       EXISTS (SELECT FROM pg_constraint AS k
               WHERE k.conindid = c.oid AND k.contype IN ('p', 'u', 'x', 'f')) AS backs_constraint,
       coalesce((SELECT quote_ident(s.spcname) FROM pg_tablespace AS s WHERE s.oid = c.reltablespace), '') AS tablespace,
       coalesce(obj_description(c.oid, 'pg_class'), '') AS comment,
       coalesce(st.idx_scan, 0)::int8 AS scans
FROM pg_class AS c
JOIN pg_namespace AS n ON n.oid = c.relnamespace
LEFT JOIN pg_index AS i ON i.indexrelid = c.oid
LEFT JOIN pg_class AS t ON t.oid = i.indrelid
LEFT JOIN pg_namespace AS tn ON tn.oid = t.relnamespace
LEFT JOIN pg_stat_all_indexes AS st ON st.indexrelid = c.oid
"""

_BY_NAME = f"""{_INDEX}
WHERE c.relname = $2 AND ($1 = '' OR n.nspname = $1) AND n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'
ORDER BY n.nspname
"""

_OF_TABLE = f"{_INDEX} WHERE i.indrelid = $1::int8::oid ORDER BY c.relname"


@dataclass(frozen=True, slots=True)
class Table:
    """One table. `quoted` is its full name as the server quotes it; `rows` negative: never counted; `size` in bytes."""

    oid: int
    schema: str
    name: str
    quoted: str
    quoted_schema: str
    kind: str
    rows: float
    size: int
    owner: int


@dataclass(frozen=True, slots=True)
class Column:
    """One column; `width` in bytes, as the statistics have it."""

    number: int
    name: str
    quoted: str
    width: int


@dataclass(frozen=True, slots=True)
class Index:
    """One index, or whatever else has that name (`kind` is neither `i` nor `I`; then everything else is empty)."""

    oid: int
    schema: str
    name: str
    kind: str
    quoted: str
    table_name: str | None
    table_quoted: str | None
    table_oid: int | None
    valid: bool | None
    ready: bool | None
    live: bool | None
    is_unique: bool | None
    replica_identity: bool | None
    clustered: bool | None
    exclusion: bool | None
    keys: str | None
    plain: bool | None
    partial: bool | None
    expressions: bool | None
    method: str | None
    definition: str | None
    size: int
    partition: bool
    backs_constraint: bool
    tablespace: str
    comment: str
    scans: int

    @property
    def is_index(self) -> bool:
        """Whether it is an index at all."""
        return self.kind in "iI"

    @property
    def works(self) -> bool:
        """Whether queries use it and writes keep it up to date."""
        return bool(self.valid and self.ready and self.live)


def database_of(target: Target) -> str:
    """Return the configured name of the target's database."""
    return target.name.partition("/")[0]


def check_database(eyes: Eyes, target: Target) -> str:
    """Return the target's database.

    Raises:
        PlanError: there is none of that name.
    """
    name = database_of(target)
    try:
        eyes.database(name)
    except KeyError:
        known = ", ".join(sorted(each.name for each in eyes.host.postgres)) or "none"
        raise PlanError(f"no database {line(name, 80)!r} is configured on {eyes.host.name}; there are: {known}") from None
    return name


def asker(eyes: Eyes, database: str) -> Ask:
    """Return what asks one database with the monitoring role."""

    async def ask(sql: str, *args: object) -> Sequence[Any]:
        return await eyes.fetch(database, sql, *args)

    return ask


def split_name(text: str) -> tuple[str, str]:
    """Return schema (may be empty) and name. Quotes around either are taken off; only the first dot outside of quotes parts."""
    parts: list[str] = []
    current, quoted = "", False
    for letter in text.strip():
        if letter == '"':
            quoted = not quoted
        elif letter == "." and not quoted and not parts:
            parts.append(current)
            current = ""
        else:
            current += letter
    parts.append(current)
    return ("", parts[0]) if len(parts) == 1 else (parts[0], parts[1])


async def find_table(ask: Ask, text: str) -> Table:
    """Return the one table of that name, `table` or `schema.table`.

    Raises:
        PlanError: none, or several.
    """
    found = [Table(**dict(row)) for row in await ask(_TABLE, *split_name(text))]
    if not found:
        raise PlanError(f"there is no table {line(text, 100)!r}")
    if len(found) > 1:
        names = ", ".join(line(f"{table.schema}.{table.name}", 100) for table in found[:5])
        raise PlanError(f"there are several tables {line(text, 100)!r}: {names}")
    return found[0]


async def columns_of(ask: Ask, table: int) -> tuple[Column, ...]:
    """Return the columns of a table."""
    return tuple(Column(**dict(row)) for row in await ask(_COLUMNS, table))


async def named(ask: Ask, schema: str, name: str) -> tuple[Index, ...]:
    """Return whatever has that name, in one schema or (empty) in all."""
    return tuple(Index(**dict(row)) for row in await ask(_BY_NAME, schema, name))


async def exactly(ask: Ask, schema: str, name: str) -> Index | None:
    """Return what has that name in that schema, None where nothing has."""
    found = await named(ask, schema, name)
    return found[0] if found else None


async def indexes_of(ask: Ask, table: int) -> tuple[Index, ...]:
    """Return the indexes of a table, by name."""
    return tuple(Index(**dict(row)) for row in await ask(_OF_TABLE, table))


async def someone_works(ask: Ask, mark: str) -> bool:
    """Whether a session of that mark is still there (`debugtui:<plan>/` and any step)."""
    rows = await ask("SELECT 1 FROM pg_stat_activity WHERE starts_with(application_name, $1) LIMIT 1", mark)
    return bool(rows)
