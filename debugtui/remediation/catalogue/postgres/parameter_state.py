"""What the server and its files say of one parameter."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from debugtui.hosts.link import LinkError
from debugtui.remediation.base import PlanError
from debugtui.remediation.catalogue.postgres.common import show
from debugtui.remediation.catalogue.postgres.guc_value import ValueFormatError, canonical, readable, same
from debugtui.remediation.catalogue.postgres.index_state import Ask
from debugtui.remediation.eyes import Eyes
from debugtui.sources.postgres.dsn import DsnError, parse_dsn

#: The file that ALTER SYSTEM writes.
AUTO = "postgresql.auto.conf"

PARAMETER = """
SELECT s.name, s.reset_val, s.boot_val, s.unit, s.vartype, s.context, s.source, s.sourcefile, s.enumvals, s.pending_restart,
       current_setting('server_version_num')::int AS version,
       coalesce(current_setting('allow_alter_system', true), 'on') AS alterable,
       pg_has_role('pg_read_all_settings', 'USAGE') AS sees,
       has_table_privilege('pg_file_settings', 'SELECT')
           AND has_function_privilege('pg_show_all_file_settings()', 'EXECUTE') AS sees_files
FROM pg_settings AS s WHERE lower(s.name) = lower($1)
"""

#: The last line of the file counts.
AUTO_LINE = """
SELECT f.setting FROM pg_file_settings AS f
WHERE f.sourcefile LIKE '%/postgresql.auto.conf' AND lower(f.name) = lower($1) ORDER BY f.seqno DESC LIMIT 1
"""

# A parameter that only a restart changes always "could not be applied" while it waits for one.
FILE_ERRORS = """
SELECT f.sourcefile, f.sourceline, f.name, f.error FROM pg_file_settings AS f
LEFT JOIN pg_settings AS s ON lower(s.name) = lower(f.name)
WHERE f.error IS NOT NULL AND NOT coalesce(s.context = 'postmaster' AND f.error LIKE '%not be applied%', false)
ORDER BY f.seqno LIMIT 5
"""

_FILES = """
SELECT coalesce(s.name, f.name) AS name, f.setting, s.reset_val, s.unit, s.vartype, s.source, s.enumvals
FROM (SELECT DISTINCT ON (lower(name)) name, setting FROM pg_file_settings WHERE applied ORDER BY lower(name), seqno DESC) AS f
FULL JOIN pg_settings AS s ON lower(s.name) = lower(f.name)
WHERE (f.name IS NOT NULL OR s.source = 'configuration file') AND coalesce(s.context, '') <> 'postmaster'
ORDER BY 1
"""

_OVERRIDES = """
SELECT coalesce(d.datname, '')::text AS database, coalesce(r.rolname, '')::text AS role, split_part(c, '=', 2)::text AS value
FROM pg_db_role_setting AS s LEFT JOIN pg_database AS d ON d.oid = s.setdatabase LEFT JOIN pg_roles AS r ON r.oid = s.setrole,
     unnest(s.setconfig) AS c
WHERE lower(split_part(c, '=', 1)) = lower($1) ORDER BY 1, 2
"""


@dataclass(frozen=True, slots=True)
class Parameter:
    """One parameter as a new session would have it.

    Attributes:
        value: in the form of `pg_settings.setting`.
        auto: its text in the file that ALTER SYSTEM writes, None where that file does not name it.
        auto_known: whether `auto` is known at all; `auto_exact`: to the letter, or only by its value.
    """

    name: str
    value: str
    unit: str | None
    vartype: str
    context: str
    source: str
    words: tuple[str, ...]
    pending_restart: bool
    version: int
    alterable: bool
    sees_files: bool
    auto: str | None
    auto_known: bool
    auto_exact: bool

    @property
    def readable(self) -> str:
        """Its value with a unit."""
        return readable(self.value, self.unit)


async def find_parameter(ask: Ask, text: str) -> Parameter:
    """Return one parameter.

    Raises:
        PlanError: there is none of that name.
    """
    name = text.strip().lower()
    rows = await ask(PARAMETER, name)
    if not rows:
        raise PlanError(f"this server has no parameter {show(text, 80)!r}")
    row = dict(rows[0])
    auto, known, exact = await _auto(ask, row)
    return Parameter(
        name=row["name"],
        value=row["reset_val"] or "",
        unit=row["unit"],
        vartype=row["vartype"],
        context=row["context"],
        source=row["source"],
        words=tuple(row["enumvals"] or ()),
        pending_restart=row["pending_restart"],
        version=row["version"],
        alterable=row["alterable"] == "on",
        sees_files=row["sees_files"],
        auto=auto,
        auto_known=known,
        auto_exact=exact,
    )


async def _auto(ask: Ask, row: Mapping[str, Any]) -> tuple[str | None, bool, bool]:
    if row["sees_files"]:
        lines = await ask(AUTO_LINE, row["name"])
        return (lines[0]["setting"] if lines else None), True, True
    if row["source"] == "default":
        return None, True, True
    if row["source"] != "configuration file" or not row["sees"] or not row["sourcefile"]:
        return None, False, False
    if not row["sourcefile"].endswith(f"/{AUTO}"):
        return None, True, True  # that file is read last: a line of it would have won
    return readable(row["reset_val"], row["unit"]), True, False


async def overrides(ask: Ask, name: str) -> Sequence[Mapping[str, str]]:
    """Return who has a value of their own: `database` and `role` (empty: all), and `value`."""
    return [dict(row) for row in await ask(_OVERRIDES, name)]


async def file_errors(ask: Ask) -> list[str]:
    """Return what is wrong with the configuration files, one line each; a reload would not apply them, or not whole."""
    return [
        show(f"{row['sourcefile']} line {row['sourceline']}: {row['name'] or ''} {row['error']}", 300)
        for row in await ask(FILE_ERRORS)
    ]


async def waiting_changes(ask: Ask) -> list[str]:
    """Return the parameters whose value in the files is not in force yet: a reload would apply them as well."""
    found = []
    for row in await ask(_FILES):
        if row["source"] not in ("configuration file", "default"):
            continue  # something else overrides the file: a reload changes nothing
        gone, fresh = row["setting"] is None, row["source"] == "default"
        if gone or fresh or not _equal(row):
            found.append(row["name"])
    return found


def _equal(row: Mapping[str, Any]) -> bool:
    if row["vartype"] == "string":
        return True  # the server rewrites texts in its own way: they cannot be compared
    try:
        text = canonical(row["setting"], row["vartype"], row["unit"], tuple(row["enumvals"] or ()))
    except ValueFormatError:
        return bool(row["vartype"] == "enum")  # the server knows more spellings of a word than it lists
    return same(text, row["reset_val"] or "", row["vartype"])


async def memory_bytes(eyes: Eyes, database: str, ask: Ask) -> tuple[int, str]:
    """Return the memory of the database's machine, and how that is known.

    Where the server is reached over the network its machine is not the host; then four times `shared_buffers` is taken, which
    the manual recommends to be a quarter of the memory.
    """
    if _is_here(eyes.database(database).dsn):
        try:
            found = await eyes.run(["cat", "/proc/meminfo"], timeout=5.0)
        except LinkError:
            found = None
        for text in found.stdout.decode("ascii", "replace").splitlines() if found and not found.status else ():
            words = text.split()
            if len(words) == 3 and words[0] == "MemTotal:" and words[1].isdigit():
                return int(words[1]) * 1024, "the host's memory"
    pages = (await ask("SELECT setting::int8 AS n FROM pg_settings WHERE name = 'shared_buffers'"))[0]["n"]
    return pages * 8192 * 4, "four times shared_buffers; the machine's memory cannot be seen"


def _is_here(dsn: str) -> bool:
    try:
        address = parse_dsn(dsn)
    except DsnError:
        return False
    return bool(address.socket_dir) or address.host in ("localhost", "127.0.0.1", "::1")
