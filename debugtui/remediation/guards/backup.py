"""The guard `recent_backup`: is there a backup of this database from which it could be restored, and how do we know?

That a file exists proves nothing: it is the wrong one, cut short, hours old, empty or unreadable exactly when it is needed.
docs/backups.md says what each of the six sub-checks proves, and what none of them does.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from debugtui.hosts.link import CommandTimeoutError, LinkError
from debugtui.model.amounts import size_text, span
from debugtui.model.plan import Guard, GuardStatus
from debugtui.model.text import line
from debugtui.remediation.eyes import Eyes
from debugtui.sources.backup import dump_files
from debugtui.sources.backup.dump_files import DumpFile, LookError, NotThereError
from debugtui.sources.backup.dump_header import Form, Header, HeaderError, plain_is_complete, read_header
from debugtui.sources.base import SourceError

if TYPE_CHECKING:
    from debugtui.config.models import BackupConfig

PASS, FAIL, UNKNOWN = GuardStatus.PASS, GuardStatus.FAIL, GuardStatus.UNKNOWN

#: The names of the two guards.
RECENT, TRUST = "recent_backup", "backup_trust"
#: The remediation that makes a backup now; offered wherever the guard refuses.
WAY_OUT = "postgres.backup"
#: Seconds for reading a whole archive. A longer one is not known to be readable, and the guard says so.
READ_LIMIT = 120.0
#: How much a backup's size may differ from the one before: a dump of an empty database is much smaller.
SIZE_BAND = 0.40
#: A file that is from further in the future than this, in seconds, has no age that could be believed.
CLOCK_SLACK = 300.0
#: How long a restore drill counts, in days.
DRILL_DAYS = 30

_TABLES = """
SELECT n.nspname::text AS schema, c.relname::text AS name, current_database()::text AS database,
       current_setting('server_version_num')::int / 10000 AS major
FROM (SELECT 1) AS one
LEFT JOIN (pg_class AS c JOIN pg_namespace AS n ON n.oid = c.relnamespace)
       ON c.relkind = 'r' AND c.relpersistence = 'p' AND n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'
      AND NOT EXISTS (SELECT FROM pg_depend AS d WHERE d.classid = 'pg_class'::regclass AND d.objid = c.oid AND d.deptype = 'e')
ORDER BY 1, 2
"""


@dataclass(frozen=True, slots=True)
class SubCheck:
    """One of the six. `says` in a few words, with the figures."""

    name: str
    status: GuardStatus
    says: str


@dataclass(frozen=True, slots=True)
class _Database:
    name: str
    major: int
    tables: tuple[tuple[str, str], ...]


#: Archives that were read through: host and identity of the file, and what came of it. A file that changes is read again.
_read: OrderedDict[tuple[object, ...], SubCheck] = OrderedDict()
_REMEMBERED = 200


async def recent_backup(eyes: Eyes, database: str) -> Guard:
    """Return the guard `recent_backup` of one database.

    Args:
        eyes: read access to its host.
        database: its configured name.
    """
    return (await backup_guards(eyes, database))[0]


async def backup_guards(eyes: Eyes, database: str) -> tuple[Guard, ...]:
    """Return `recent_backup` and, where something about a good backup is not known, the non-critical `backup_trust`."""
    try:
        return await _judge(eyes, database)
    except NotThereError as error:
        return (_refusal(FAIL, "there is no backup", str(error)),)
    except LookError as error:
        return (_refusal(UNKNOWN, "the backups could not be looked at", str(error)),)
    except (LinkError, SourceError) as error:
        return (_refusal(UNKNOWN, "the backups could not be looked at", line(str(error), 300)),)
    except TimeoutError:
        return (_refusal(UNKNOWN, "the backups could not be looked at", "no answer in time"),)


def _refusal(status: GuardStatus, why: str, evidence: str) -> Guard:
    return Guard(RECENT, status, f"{why}; {WAY_OUT} makes one", evidence)


async def _judge(eyes: Eyes, database: str) -> tuple[Guard, ...]:
    configured = eyes.database(database).backups
    if not configured:
        how = 'backups = [{kind = "dump", path = "/var/backups/NAME/*.dump"}] in [[hosts.postgres]] says where they lie'
        return (Guard(RECENT, FAIL, f"no backups of {line(database, 80)} are configured", how),)
    live = await _live(eyes, database)
    newest, previous = await _newest(eyes, configured)
    checks = await _six(eyes, newest, previous, live)
    return _guards(newest, checks)


def _guards(newest: DumpFile, checks: Sequence[SubCheck]) -> tuple[Guard, ...]:
    evidence = "; ".join([line(newest.path, 300), *(f"{check.name}: {check.status.value}, {check.says}" for check in checks)])
    mandatory, soft = checks[:4], checks[4:]
    for status, words in ((FAIL, "fails"), (UNKNOWN, "is not known")):
        wrong = [check for check in (checks if status is FAIL else mandatory) if check.status is status]
        if wrong:
            return (_refusal(status, f"the newest backup {words}: {wrong[0].name}, {wrong[0].says}", evidence),)
    good = Guard(RECENT, PASS, "the newest backup is of this database, complete, recent and readable", evidence)
    open_ones = [check for check in soft if check.status is UNKNOWN]
    if not open_ones:
        return (good,)
    why = "not known of the newest backup: " + "; ".join(f"{check.name}, {check.says}" for check in open_ones)
    return (good, Guard(TRUST, UNKNOWN, why, line(newest.path, 300), critical=False))


async def _live(eyes: Eyes, database: str) -> _Database:
    import asyncpg

    try:
        rows = await eyes.fetch(database, _TABLES)
    except asyncpg.PostgresError as error:
        raise LookError(f"the database cannot be asked: {line(str(error), 200)}") from None
    tables = tuple((row["schema"], row["name"]) for row in rows if row["name"] is not None)
    return _Database(rows[0]["database"], rows[0]["major"], tables)


async def _newest(eyes: Eyes, configured: Sequence[BackupConfig]) -> tuple[DumpFile, DumpFile | None]:
    """The newest file of all patterns, and the one before it in its own pattern."""
    best: tuple[DumpFile, ...] = ()
    missing: list[str] = []
    for place in configured:
        try:
            files = await dump_files.find_files(eyes, place.path)
        except NotThereError as error:
            missing.append(str(error))
            continue
        if not files:
            missing.append(f"no file matches {line(place.path, 200)}")
        elif not best or files[0].changed_at > best[0].changed_at:
            best = files
    if not best:
        raise NotThereError("; ".join(missing))
    return best[0], best[1] if len(best) > 1 else None


async def _six(eyes: Eyes, file: DumpFile, previous: DumpFile | None, live: _Database) -> tuple[SubCheck, ...]:
    drill = SubCheck("restore drill", UNKNOWN, f"no drill is recorded in the last {DRILL_DAYS} days")
    size = _size(file, previous)
    head = await dump_files.head_of(eyes, file.path)
    try:
        header = read_header(head)
    except HeaderError as error:
        wrong = SubCheck("right database", FAIL, str(error))
        rest = [SubCheck(name, UNKNOWN, "there is no header") for name in ("complete", "recent", "readable")]
        return (wrong, *rest, drill, size)
    right = _right(header, live)
    recent = await _recent(eyes, file, header)
    complete, readable = await (_archive if header.form is Form.ARCHIVE else _plain)(eyes, file, head, header, live)
    again = await dump_files.find_files(eyes, _literal(file.path))
    if [other.identity for other in again] != [file.identity]:
        readable = SubCheck("readable", UNKNOWN, "the file changed while it was read")
    return (right, complete, recent, readable, drill, size)


def _literal(path: str) -> str:
    """A pattern that matches only that path."""
    return "".join(f"[{letter}]" if letter in "*?[" else letter for letter in path)


def _right(header: Header, live: _Database) -> SubCheck:
    name = "right database"
    if not header.database:
        return SubCheck(name, UNKNOWN, "a plain dump does not say of which database it is; pg_dump -Fc does")
    if header.database != live.name:
        return SubCheck(name, FAIL, f"it is of {line(header.database, 80)}, not of {line(live.name, 80)}")
    if header.major != live.major:
        return SubCheck(name, FAIL, f"it is of a server of version {line(header.server, 40) or '?'}, this one is {live.major}")
    return SubCheck(name, PASS, f"{line(header.database, 80)}, server {line(header.server.split(' ')[0], 40)}")


async def _recent(eyes: Eyes, file: DumpFile, header: Header) -> SubCheck:
    """A dump holds what was there when it began, so that is its age; by the host's own clock."""
    now = await dump_files.host_seconds(eyes)
    moment = file.changed_at
    if header.begun:
        moment = min(moment, await dump_files.host_seconds(eyes, header.begun))
    age, rpo = now - moment, eyes.config.backups.rpo
    if age < -CLOCK_SLACK or file.changed_at - now > CLOCK_SLACK:
        return SubCheck("recent", UNKNOWN, "it is from the future: the host's clock was changed")
    says = f"{span(age)} old, at most {span(rpo)} allowed"
    return SubCheck("recent", PASS if age <= rpo else FAIL, says)


async def _archive(eyes: Eyes, file: DumpFile, head: bytes, header: Header, live: _Database) -> tuple[SubCheck, SubCheck]:
    try:
        entries = await dump_files.contents_of(eyes, file.path)
    except LookError as error:
        return SubCheck("complete", UNKNOWN, str(error)), SubCheck("readable", UNKNOWN, str(error))
    if entries is None:
        return SubCheck("complete", FAIL, "its table of contents ends early"), SubCheck("readable", FAIL, "it is cut short")
    return _complete(entries, live), await _readable(eyes, file, header)


def _complete(entries: Sequence[str], live: _Database) -> SubCheck:
    data = [entry for entry in entries if entry.startswith("TABLE DATA ")]
    missing = [table for table in live.tables if not any(_is_data_of(entry, table) for entry in data)]
    count = f"{len(entries)} entries, {len(data)} tables"
    if not entries or (live.tables and not data):
        return SubCheck("complete", FAIL, f"{count}: it holds no data")
    if len(missing) * 2 > len(live.tables):
        schema, name = missing[0]
        return SubCheck(
            "complete", FAIL, f"{count}: {len(missing)} of {len(live.tables)} lack, {line(f'{schema}.{name}', 80)} first"
        )
    lacks = f"; not in it: {line(', '.join(f'{schema}.{name}' for schema, name in missing[:3]), 200)}" if missing else ""
    return SubCheck("complete", PASS, f"{count}{lacks}")


def _is_data_of(entry: str, table: tuple[str, str]) -> bool:
    return entry.startswith(f"TABLE DATA {table[0]} {table[1]} ")


async def _readable(eyes: Eyes, file: DumpFile, header: Header) -> SubCheck:
    key = (eyes.host.name, *file.identity)
    known = _read.get(key)
    if known is not None:
        _read.move_to_end(key)
        return SubCheck(known.name, known.status, f"{known.says}, as read before; the file is unchanged")
    began = eyes.clock.monotonic()
    argv = ["env", "LC_ALL=C", "nice", "-n", "19", "pg_restore", "-f", "/dev/null", "--", file.path]
    try:
        found = await eyes.run(argv, timeout=READ_LIMIT, limit=10_000)
    except CommandTimeoutError:
        return SubCheck("readable", UNKNOWN, f"reading all of its {size_text(file.size)} takes longer than {span(READ_LIMIT)}")
    if reason := dump_files.unable(found):
        return SubCheck("readable", UNKNOWN, reason)
    took = f"all {size_text(file.size)} read in {eyes.clock.monotonic() - began:.1f} s"
    if found.status:
        result = SubCheck("readable", FAIL, dump_files.said(found))
    elif header.compressed is False:
        result = SubCheck("readable", PASS, f"{took}; not compressed, so without checksums")
    else:
        result = SubCheck("readable", PASS, f"{took}, checksums right")
    _read[key] = result
    while len(_read) > _REMEMBERED:
        _read.popitem(last=False)
    return result


async def _plain(eyes: Eyes, file: DumpFile, head: bytes, header: Header, live: _Database) -> tuple[SubCheck, SubCheck]:
    if not plain_is_complete(head, await dump_files.tail_of(eyes, file.path)):
        cut = "its last words are missing: it was cut short"
        return SubCheck("complete", FAIL, cut), SubCheck("readable", FAIL, "it is cut short")
    try:
        entries = await dump_files.plain_contents_of(eyes, file.path, READ_LIMIT)
    except LookError as error:
        return SubCheck("complete", UNKNOWN, str(error)), SubCheck("readable", UNKNOWN, str(error))
    says = f"all {size_text(file.size)} read; plain SQL has no checksums"
    return _complete(entries, live), SubCheck("readable", PASS, says)


def _size(file: DumpFile, previous: DumpFile | None) -> SubCheck:
    if previous is None or not previous.size:
        return SubCheck("size", UNKNOWN, f"{size_text(file.size)}; there is no earlier backup to compare it with")
    change = (file.size - previous.size) / previous.size
    says = f"{size_text(file.size)}, {change:+.0%} against the one before"
    return SubCheck("size", PASS if abs(change) <= SIZE_BAND else FAIL, says)
