"""Applies a reviewed SQL file: linted, split, in one transaction where that is possible, with bounded locks."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, ClassVar

from debugtui.config.redaction import redact
from debugtui.model.amounts import span
from debugtui.model.plan import DiffPart, Guard, GuardStatus, Mitigation
from debugtui.model.source import FleetView
from debugtui.model.target import Target
from debugtui.model.text import line
from debugtui.remediation.base import (
    Done,
    Draft,
    Factor,
    Factors,
    Job,
    LiveCheck,
    LiveStep,
    NothingToDoError,
    Offer,
    Parameter,
    PlanError,
    Remediation,
    Sample,
    Settled,
    Spec,
    Undo,
)
from debugtui.remediation.catalogue.postgres import index_guards
from debugtui.remediation.catalogue.postgres.index_state import Ask, asker, check_database
from debugtui.remediation.catalogue.postgres.migration_run import (
    LOCK_TIMEOUT,
    STRONG_S,
    Group,
    committed,
    named,
    seen,
    send_group,
    settle_group,
)
from debugtui.remediation.catalogue.postgres.readings import reading_of
from debugtui.remediation.catalogue.postgres.sql_review import Kind, Made, Statement, review
from debugtui.remediation.catalogue.postgres.squawk import Finding, LintError, Lock, Review, lint
from debugtui.remediation.eyes import Eyes
from debugtui.remediation.guards.backup import backup_guards
from debugtui.remediation.hands import Hands
from debugtui.sources.postgres.sql_text import SqlTextError

PASS, FAIL, UNKNOWN = GuardStatus.PASS, GuardStatus.FAIL, GuardStatus.UNKNOWN

#: A table up to this size, in bytes, is read or rewritten well within the time that a strong lock may be held.
SMALL = 8 << 20
#: A transaction older than this, in seconds, that uses a table would keep a strong lock waiting, and everybody behind it.
OLD_S = 1.0

_RELATIONS = """
SELECT DISTINCT c.oid::int8 AS oid, quote_ident(n.nspname) || '.' || quote_ident(c.relname) AS quoted,
       pg_table_size(c.oid) AS size, n.nspname::text AS schema, c.relname::text AS name, w.statement,
       (SELECT coalesce(string_agg(quote_ident(a.attname) || ' ' || format_type(a.atttypid, a.atttypmod)
                        || CASE WHEN a.attnotnull THEN ' NOT NULL' ELSE '' END, E',\\n  ' ORDER BY a.attnum), '')
        FROM pg_attribute AS a WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped) AS columns
FROM unnest($1::int[], $2::text[], $3::text[]) AS w(statement, schema, name)
JOIN pg_namespace AS n ON n.nspname = w.schema
JOIN pg_class AS x ON x.relnamespace = n.oid AND x.relname = w.name
LEFT JOIN pg_index AS i ON i.indexrelid = x.oid
JOIN pg_class AS c ON c.oid = coalesce(i.indrelid, x.oid)
WHERE n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'
ORDER BY 2, w.statement
"""

_HOLDERS = """
SELECT a.pid, coalesce(a.application_name, '')::text AS application, coalesce(a.state, '') AS state, l.granted,
       extract(epoch FROM clock_timestamp() - coalesce(a.xact_start, a.query_start))::float8 AS age,
       l.relation::regclass::text AS what
FROM pg_locks AS l JOIN pg_stat_activity AS a ON a.pid = l.pid
WHERE l.relation = ANY($1::int8[]::oid[]) AND l.pid <> pg_backend_pid() AND l.locktype = 'relation'
  AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database())
  AND (NOT l.granted OR coalesce(a.xact_start, a.query_start) < clock_timestamp() - make_interval(secs => $2))
ORDER BY 5 DESC NULLS LAST LIMIT 1
"""


@dataclass(frozen=True, slots=True)
class _File:
    """One reviewed file. `digest` is its SHA-256."""

    digest: str
    statements: tuple[Statement, ...]
    left_out: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class _Relation:
    oid: int
    quoted: str
    size: int
    columns: str
    statements: frozenset[int]


class Migrate(Remediation):
    """A SQL file, reviewed and sent with bounded locks."""

    spec: ClassVar[Spec] = Spec(
        name="postgres.migrate",
        title="Apply a migration",
        summary="Review a SQL file, then apply it: one transaction where possible, locks held for at most 2 s, tried again.",
        target="HOST/postgres/DATABASE",
        parameters=(
            Parameter("file", "path of the SQL file on this machine"),
            Parameter(
                "down", "path of the SQL file that takes it back; it may drop only what the first one makes", required=False
            ),
            Parameter("schema", "the schema that names without one mean", required=False, default="public"),
        ),
        risk=(1, 4),
        undo=Undo.COMPENSATING,
        undo_says="a transaction that fails leaves nothing; after it is committed the down file takes it back, if one is given",
        guards=("primary", "sql_review", "not_applied", "tables_free", "old_transactions", "recent_backup", "backup_trust"),
    )

    def offer(self, view: FleetView, target: Target) -> Offer | None:
        """It applies to a database whenever somebody has a file."""
        found = reading_of(view, target)
        if found is None or found[2]:
            return None
        return Offer(self.spec.name, found[0], True, "needs a SQL file", rank=80)

    async def draft(self, eyes: Eyes, target: Target, params: Mapping[str, str]) -> Draft:
        """See `Remediation.draft`."""
        database = check_database(eyes, target)
        ask, schema = asker(eyes, database), params.get("schema", "public")
        up = await _read(params["file"])
        down = await _read(params["down"]) if params.get("down") else None
        server = (
            await ask("SELECT current_setting('server_version_num')::int / 10000 AS major, quote_ident($1::text) AS q", schema)
        )[0]
        judged, linted = await _lint(up, server["major"])
        down_locks = (await _lint(down, server["major"]))[1].locks if down else ()
        groups = _groups(up.statements, linted.locks, schema)
        back = _groups(down.statements, down_locks, schema) if down else ()
        _check_down(down, groups, schema)
        relations = await _relations(ask, up.statements, schema)
        facts = _Facts(up, groups, linted, relations, down is not None, await _holder(ask, relations))
        makes = [made for group in groups for made in group.makes]
        guards = (
            await index_guards.primary(ask),
            judged,
            _not_applied(makes, await seen(ask, makes)),
            _tables_free(facts),
            *([await index_guards.old_transactions(ask)] if any(each.concurrent for each in up.statements) else []),
            *_backups(facts, await backup_guards(eyes, database)),
        )
        name = line(Path(params["file"]).name, 80)
        return Draft(
            target=Target(target.host, "postgres", database),
            problem=f"{line(database, 80)} lacks what {name} makes: {len(up.statements)} statements",
            solution=f"apply {name} in {len(groups)} steps; a lock is waited for at most {LOCK_TIMEOUT}, then tried again",
            factors=_factors(facts),
            identity=_identity(up, down, relations),
            data={
                "groups": [group.data() for group in groups],
                "back": [group.data() for group in back],
                "schema": server["q"],
                "relations": {each.quoted: each.oid for each in relations},
            },
            diff=_diff(up, relations, makes, linted),
            guards=guards,
            irreversible=() if down else ("once it is committed nothing takes it back: give a down file",),
            mitigations=_ways_out(facts, guards),
            stop=_stop(up),
        )

    def steps(self, job: Job) -> tuple[LiveStep, ...]:
        """One step for each transaction and for each statement that has to stand alone."""
        return tuple(_step(job, number, group) for number, group in enumerate(_of(job, "groups"), 1))

    def undo(self, job: Job) -> tuple[LiveStep, ...]:
        """The down file's statements; nothing without one."""
        up = [made for group in _of(job, "groups") for made in group.makes]
        return tuple(_back(job, number, group, up) for number, group in enumerate(_of(job, "back"), 1))

    def checks(self, job: Job) -> tuple[LiveCheck, ...]:
        """The catalog shows what the statements make, and every transaction is committed."""
        groups = _of(job, "groups")
        makes = [made for group in groups for made in group.makes]
        found = []
        if makes:
            found.append(_catalog(job, makes, wanted=True))
        keys = [f"xid_{number}" for number, group in enumerate(groups, 1) if not group.alone]
        if keys:
            found.append(_commits(job, keys))
        return tuple(found)

    def undo_checks(self, job: Job) -> tuple[LiveCheck, ...]:
        """The catalog shows none of it any more, or the transactions of the way back are committed."""
        groups = _of(job, "back")
        makes = [made for group in _of(job, "groups") for made in group.makes if not made.if_missing]
        if not groups:
            return ()
        if makes:
            return (_catalog(job, makes, wanted=False),)
        return (_commits(job, [f"back_{number}" for number, group in enumerate(groups, 1) if not group.alone]),)


@dataclass(frozen=True, slots=True)
class _Facts:
    up: _File
    groups: tuple[Group, ...]
    linted: Review
    relations: tuple[_Relation, ...]
    has_down: bool
    holder: Mapping[str, Any] | None

    @property
    def strong(self) -> bool:
        return any(lock.strong for lock in self.linted.locks)

    @property
    def changes_rows(self) -> bool:
        """Rows that were there may be lost or changed."""
        return any(statement.kind is not Kind.SCHEMA for statement in self.up.statements)

    @property
    def long(self) -> tuple[Finding, ...]:
        """Findings of statements that block for as long as a table is large, where one is."""
        return tuple(each for each in self.linted.findings if each.long and not self._small(each.statement))

    def _small(self, statement: int) -> bool:
        return all(each.size <= SMALL for each in self.relations if statement in each.statements)


async def _read(path: str) -> _File:
    def load() -> bytes:
        return Path(path).expanduser().read_bytes()

    try:
        raw = await asyncio.to_thread(load)
        sql = raw.decode("utf-8")
        statements, left_out = await asyncio.to_thread(review, sql)
    except OSError as error:
        raise PlanError(f"{line(path, 200)} cannot be read: {error.strerror or error}") from None
    except UnicodeDecodeError:
        raise PlanError(f"{line(path, 200)} is no UTF-8 text") from None
    except SqlTextError as error:
        raise PlanError(f"{line(path, 200)}: {error}") from None
    for statement in statements:
        # What is shown and kept must be what is sent, and a secret is neither shown nor kept.
        if redact(statement.text) != statement.text:
            raise PlanError(f"{line(path, 200)} holds what looks like a secret; a plan keeps no secrets")
    return _File(f"sha256:{hashlib.sha256(raw).hexdigest()}", statements, left_out)


async def _lint(file: _File, major: int) -> tuple[Guard, Review]:
    try:
        linted = await lint([statement.lint for statement in file.statements], major)
    except LintError as error:
        why = f"the file could not be reviewed: {error}"
        return Guard("sql_review", UNKNOWN, why), Review("", (), tuple(Lock() for _ in file.statements))
    found = [f"{each.statement + 1} {each.rule}: {each.message}" for each in linted.findings]
    locks = [f"{at} takes {lock.mode}, blocks {lock.blocks}" for at, lock in enumerate(linted.locks, 1) if lock.mode]
    evidence = "; ".join([linted.version, *locks, *found])
    return Guard("sql_review", PASS, f"{len(file.statements)} statements read, {len(found)} findings", evidence), linted


def _groups(statements: Sequence[Statement], locks: Sequence[Lock], schema: str) -> tuple[Group, ...]:
    """Keep the order: consecutive statements that may share a transaction do."""
    groups: list[Group] = []
    for statement, lock in zip(statements, locks, strict=True):
        makes = tuple(replace(made, schema=made.schema or schema) for made in statement.makes)
        one = Group((statement.text,), statement.alone, lock.strong and not statement.concurrent, makes)
        if groups and not groups[-1].alone and not one.alone:
            last = groups.pop()
            one = Group((*last.statements, *one.statements), False, last.strong or one.strong, (*last.makes, *makes))
        groups.append(one)
    return tuple(groups)


def _check_down(down: _File | None, groups: Sequence[Group], schema: str) -> None:
    """A way back may take away what the way there makes, and nothing else."""
    ours = {(made.kind, made.schema, made.name, made.part) for group in groups for made in group.makes if not made.if_missing}
    for statement in down.statements if down else ():
        taken = {(made.kind, made.schema or schema, made.name, made.part) for made in statement.takes}
        if statement.kind is Kind.OPAQUE or (statement.kind is Kind.DESTRUCTIVE and not (taken and taken <= ours)):
            raise PlanError(f"the down file does more than take back: {line(statement.text, 120)}: {statement.why}")


async def _relations(ask: Ask, statements: Sequence[Statement], schema: str) -> tuple[_Relation, ...]:
    wanted = [(number, each[0] or schema, each[1]) for number, statement in enumerate(statements) for each in statement.names]
    rows = await ask(_RELATIONS, [each[0] for each in wanted], [each[1] for each in wanted], [each[2] for each in wanted])
    found: dict[int, _Relation] = {}
    for row in rows:
        known = found.get(row["oid"])
        numbers = (known.statements if known else frozenset()) | {row["statement"]}
        found[row["oid"]] = _Relation(row["oid"], row["quoted"], row["size"], row["columns"], numbers)
    return tuple(found.values())


async def _holder(ask: Ask, relations: Sequence[_Relation]) -> Mapping[str, Any] | None:
    if not relations:
        return None
    rows = await ask(_HOLDERS, [each.oid for each in relations], OLD_S)
    return dict(rows[0]) if rows else None


def _backups(facts: _Facts, guards: Sequence[Guard]) -> tuple[Guard, ...]:
    """A change that loses no row asks for a backup, but not for one that was restored already."""
    return tuple(guard for guard in guards if guard.critical or facts.changes_rows)


def _not_applied(makes: Sequence[Made], there: Sequence[bool]) -> Guard:
    new = [(made, is_there) for made, is_there in zip(makes, there, strict=True) if not made.if_missing]
    if new and all(is_there for _, is_there in new):
        raise NothingToDoError("the catalog already shows everything that this file makes")
    present = [named(made) for made, is_there in new if is_there]
    if present:
        return Guard("not_applied", FAIL, f"part of it is there already: {present[0]}", "; ".join(present[:20]))
    return Guard("not_applied", PASS, "nothing of it is there yet", "the catalogs, read just now")


def _tables_free(facts: _Facts) -> Guard:
    name, holder = "tables_free", facts.holder
    if holder is None or not facts.strong:
        return Guard(
            name, PASS, "no old transaction uses the tables", f"{len(facts.relations)} relations, pg_locks read just now"
        )
    who = f"session {holder['pid']} ({line(holder['application'], 60) or 'no name'})"
    what = "uses" if holder["granted"] else "waits for"
    why = f"{who} {what} {line(holder['what'], 100)}: everybody would queue behind this migration"
    return Guard(name, FAIL, why, f"{line(holder['state'], 40)} for {span(holder['age'] or 0)}, read just now")


def _factors(facts: _Facts) -> Factors:
    renames = any(statement.renames for statement in facts.up.statements)
    checks = any(group.makes or not group.alone for group in facts.groups)
    back = (
        Factor(1, "the down file takes it back") if facts.has_down else Factor(4, "nothing takes it back after it is committed")
    )
    data = (
        Factor(3, "rows are changed; a verified backup has them")
        if facts.changes_rows
        else Factor(1, "the schema changes, no row is lost")
    )
    return Factors(
        interruption=_interruption(facts, renames=renames),
        reversibility=back,
        durable_data=data,
        blast_radius=Factor(3, "every client of the database"),
        blocking=_blocking(facts),
        verifiability=Factor(0, "the catalogs show it") if checks else Factor(4, "nothing shows whether it worked"),
    )


def _interruption(facts: _Facts, *, renames: bool) -> Factor:
    if renames:
        return Factor(3, "clients that use the old name fail until they are changed")
    if not facts.strong:
        return Factor(0, "nobody waits for it")
    if facts.holder is not None:
        return Factor(2, "several sessions would wait behind it")
    return Factor(1, "sessions wait for a moment")


def _blocking(facts: _Facts) -> Factor:
    if facts.long:
        first = facts.long[0]
        return Factor(4, f"statement {first.statement + 1} blocks for as long as the table is large: {first.rule}")
    if facts.strong and facts.holder is not None:
        return Factor(3, "a strong lock, and an old transaction or waiters in front of it")
    if facts.strong:
        return Factor(2, f"a strong lock, waited for and held for at most {STRONG_S} s in all")
    if any(lock.mode for lock in facts.linted.locks):
        return Factor(1, "vacuum and other schema changes wait")
    return Factor(0, "no lock that anybody waits for")


def _stop(up: _File) -> str:
    for number, statement in enumerate(up.statements, 1):
        if statement.kind in (Kind.DESTRUCTIVE, Kind.OPAQUE):
            return f"statement {number} ({line(statement.text, 80)}): {statement.why}"
    return ""


def _identity(up: _File, down: _File | None, relations: Sequence[_Relation]) -> dict[str, str]:
    found = {"file": up.digest, "relations": ", ".join(f"{each.quoted} (oid {each.oid})" for each in relations) or "none"}
    columns = hashlib.sha256("\n".join(each.columns for each in relations).encode()).hexdigest()
    return {**found, "columns": f"sha256:{columns}", **({"down": down.digest} if down else {})}


def _diff(up: _File, relations: Sequence[_Relation], makes: Sequence[Made], linted: Review) -> tuple[DiffPart, ...]:
    text = "".join(f"{statement.text};\n" for statement in up.statements)
    before = "\n".join(f"{each.quoted} (\n  {each.columns}\n)" for each in relations)
    after = "\n".join([*([before] if before else []), *(f"-- then: {named(made)}" for made in makes)])
    notes = [f"{each.statement + 1}: {each.rule}: {each.message} {each.help}".rstrip() for each in linted.findings]
    notes += [f"left out, it is set here: {each}" for each in up.left_out]
    parts = [DiffPart("SQL", "sql", "", text), DiffPart("schema", "sql", before, after)]
    if notes:
        parts.append(DiffPart("review", "text", "", "\n".join(notes)))
    return tuple(parts)


def _ways_out(facts: _Facts, guards: Sequence[Guard]) -> tuple[Mitigation, ...]:
    ways = [Mitigation("", f"statement {each.statement + 1}, {each.rule}: {each.help or each.message}") for each in facts.long]
    refusing = {guard.name for guard in guards if guard.refuses}
    if facts.holder is not None and facts.strong:
        ways.append(Mitigation("postgres.terminate_session", f"end or wait for session {facts.holder['pid']} first"))
    if "recent_backup" in refusing:
        ways.append(Mitigation("postgres.backup", "makes the backup that is missing"))
    if _stop(facts.up):
        ways.append(Mitigation("postgres.backup", "a verified backup first"))
        ways.append(
            Mitigation("", "take the statement out and apply the rest; do it by hand in a maintenance window with its owner")
        )
    return tuple(ways)


def _of(job: Job, name: str) -> tuple[Group, ...]:
    found = job.data[name]
    return tuple(Group.of(each) for each in found) if isinstance(found, list) else ()


def _relations_of(job: Job) -> dict[str, int]:
    found = job.data["relations"]
    return {str(name): int(oid) for name, oid in found.items()} if isinstance(found, dict) else {}


def _title(group: Group) -> str:
    return "Apply one statement by itself" if group.alone else f"Apply {len(group.statements)} statements in one transaction"


def _step(job: Job, number: int, group: Group) -> LiveStep:
    database, schema, relations = job.target.name, str(job.data["schema"]), _relations_of(job)

    async def run(hands: Hands) -> Done:
        # Later steps find what earlier ones made of the relations; only the first still has them as planned.
        return await send_group(hands, database, group, schema, relations if number == 1 else {}, f"xid_{number}")

    async def settle(eyes: Eyes) -> Settled:
        return await settle_group(eyes, database, group, job.mark)

    undo = "the down file" if job.data["back"] else None
    return LiveStep(_title(group), group.command(schema), True, group.limit_s, undo, run, settle)


def _back(job: Job, number: int, group: Group, up: Sequence[Made]) -> LiveStep:
    database, schema = job.target.name, str(job.data["schema"])

    async def run(hands: Hands) -> Done:
        there = await seen(asker(hands, database), [made for made in up if not made.if_missing])
        if there and not any(there):
            return Done("nothing of it is there")
        return await send_group(hands, database, group, schema, {}, f"back_{number}")

    async def settle(eyes: Eyes) -> Settled:
        there = await seen(asker(eyes, database), [made for made in up if not made.if_missing])
        return Settled.DONE if there and not any(there) else Settled.UNKNOWN

    return LiveStep(f"Take back: {_title(group).lower()}", group.command(schema), True, group.limit_s, None, run, settle)


def _catalog(job: Job, makes: Sequence[Made], *, wanted: bool) -> LiveCheck:
    async def sample(eyes: Eyes) -> Sample:
        there = await seen(asker(eyes, job.target.name), makes)
        off = [named(made) for made, is_there in zip(makes, there, strict=True) if is_there is not wanted]
        return Sample(
            not off, f"{'not' if wanted else 'still'} so: {off[0]}" if off else f"{len(makes)} of {len(makes)} as meant"
        )

    says = "the catalog shows what the statements make" if wanted else "the catalog shows nothing of it any more"
    return LiveCheck(says, 5, line("; ".join(named(made) for made in makes), 300), sample)


def _commits(job: Job, keys: Sequence[str]) -> LiveCheck:
    async def sample(eyes: Eyes) -> Sample:
        numbers = [job.results.get(key) for key in keys]
        if None in numbers:
            return Sample(None, "a transaction's number is not known")
        states = [await committed(eyes, job.target.name, str(number)) for number in numbers]
        if None in states:
            return Sample(None, "a transaction is too old to be known")
        return Sample(all(states), f"{sum(map(bool, states))} of {len(states)} committed")

    return LiveCheck("every transaction is committed", 2, "txid_status, asked on another connection", sample)
