"""Builds an index without blocking anybody."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

from debugtui.model.amounts import size_text
from debugtui.model.plan import DiffPart, Guard, GuardStatus, Mitigation
from debugtui.model.postgres import PostgresReading
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
    Settled,
    Spec,
    StepError,
    Undo,
)
from debugtui.remediation.catalogue.postgres import index_guards as guards
from debugtui.remediation.catalogue.postgres.concurrently import (
    STEP_LIMIT_S,
    UNLIMITED,
    Wanted,
    build,
    drop_step,
    gone_check,
    settle_build,
    shown,
    unlimited,
    valid_check,
)
from debugtui.remediation.catalogue.postgres.index_state import (
    Ask,
    Column,
    Index,
    Table,
    asker,
    check_database,
    columns_of,
    database_of,
    exactly,
    find_table,
    indexes_of,
)
from debugtui.remediation.catalogue.postgres.readings import reading_of
from debugtui.remediation.eyes import Eyes
from debugtui.remediation.guards.backup import backup_guards
from debugtui.remediation.hands import Hands
from debugtui.sources.postgres.sql_text import SqlTextError, check_condition

PASS, FAIL = GuardStatus.PASS, GuardStatus.FAIL

#: The longest name that PostgreSQL keeps, in bytes (NAMEDATALEN - 1).
LONGEST_NAME = 63


class CreateIndex(Remediation):
    """`CREATE INDEX CONCURRENTLY`, with an explicit name."""

    spec: ClassVar[Spec] = Spec(
        name="postgres.create_index",
        title="Build an index",
        summary="Queries read a whole table: build the index that they need, concurrently, and check that it is valid.",
        target="HOST/postgres/DATABASE",
        parameters=(
            Parameter("table", "the table, `table` or `schema.table`"),
            Parameter("columns", "its columns in the index's order, with commas between them; no expressions"),
            Parameter("name", "the index's name"),
            Parameter("unique", "yes: no two rows may be equal in these columns", required=False, default="no"),
            Parameter("where", "a condition: only rows that meet it are in the index", required=False),
            Parameter("method", "btree, hash, gin, gist, brin...", required=False, default="btree"),
        ),
        risk=(1, 2),
        undo=Undo.EXACT,
        undo_says="the index is dropped, valid or not, concurrently as well",
        guards=(
            "primary", "plain_table", "may_change", "name_free", "no_equal_index", "no_other_build", "old_transactions",
            "recent_backup", "backup_trust", "free_disk", "replica_lag",
        ),
    )  # fmt: skip

    def offer(self, view: FleetView, target: Target) -> Offer | None:
        """It applies where the readings show a table that is read whole again and again."""
        found = reading_of(view, target)
        if found is None:
            return None
        database, reading, rest = found
        needy = [table for table in reading.tables or () if table.needs_index]
        if rest:
            needy = [table for table in needy if rest in (table.name, f"{table.schema}.{table.name}")]
            if not needy and not _is_table(reading, rest):
                return None
        if not needy:
            return Offer(self.spec.name, database, False, "no table is read whole again and again")
        table = needy[0]
        name = f"{table.schema}.{table.name}"
        why = f"{line(name, 80)} is read whole again and again"
        return Offer(self.spec.name, database, True, why, (("table", name),), rank=20)

    async def draft(self, eyes: Eyes, target: Target, params: Mapping[str, str]) -> Draft:
        """See `Remediation.draft`."""
        database = check_database(eyes, target)
        ask = asker(eyes, database)
        table = await find_table(ask, params["table"])
        columns = _columns(await columns_of(ask, table.oid), params["columns"], table)
        wanted = await _wanted(ask, database, table, columns, params)
        existing = await exactly(ask, wanted.schema, wanted.name)
        if existing is not None and existing.works and wanted.is_same(existing):
            raise NothingToDoError(f"{wanted.quoted} is there already, and valid")
        others = await indexes_of(ask, table.oid)
        size = guards.estimate(table, sum(column.width for column in columns))
        judged = (
            await guards.primary(ask),
            _plain_table(table),
            await guards.owner(ask, eyes, database, table, create=True),
            _name_free(wanted, existing),
            _no_equal(others, columns, params),
            await guards.no_build(ask, table.oid),
            await guards.old_transactions(ask),
            *await backup_guards(eyes, database),
            await guards.disk(ask, eyes, database, int(size * guards.DISK_FACTOR)),
            await guards.replicas(ask),
        )
        return Draft(
            target=Target(target.host, "postgres", database),
            problem=f"{line(table.quoted, 100)} has no index on ({line(params['columns'], 100)}) that queries could use",
            solution=f"build {line(wanted.name, 80)} concurrently: reads and writes go on meanwhile",
            factors=_factors(table, size, unique=_yes(params)),
            identity={"table": f"{table.quoted} (oid {table.oid})", "columns": _numbers(columns), "index": _state(existing)},
            data={"index": wanted.data(), "analyze": f"ANALYZE {table.quoted}"},
            diff=(DiffPart(f"indexes of {table.quoted}", "sql", _listed(others), _listed(others, wanted)),),
            guards=judged,
            mitigations=_ways_out(judged, existing),
        )

    def steps(self, job: Job) -> tuple[LiveStep, ...]:
        """Build it, then count the table's rows anew."""
        wanted = Wanted.of(job.data)
        command = shown(*UNLIMITED, wanted.build)

        async def run(hands: Hands) -> Done:
            return await build(hands, wanted)

        async def settle(eyes: Eyes) -> Settled:
            return await settle_build(eyes, wanted, job.mark)

        undo = f"DROP INDEX CONCURRENTLY {wanted.quoted}"
        return (LiveStep("Build the index", command, True, STEP_LIMIT_S, undo, run, settle), _analyze(job, wanted))

    def undo(self, job: Job) -> tuple[LiveStep, ...]:
        """Drop it, valid or not."""
        return (drop_step(Wanted.of(job.data), job.mark, "Drop the index"),)

    def checks(self, job: Job) -> tuple[LiveCheck, ...]:
        """It is valid, and stays so."""
        return (valid_check(Wanted.of(job.data)),)

    def undo_checks(self, job: Job) -> tuple[LiveCheck, ...]:
        """Nothing of it is left."""
        return (gone_check(Wanted.of(job.data)),)

    async def undo_guards(self, eyes: Eyes, job: Job) -> tuple[Guard, ...]:
        """Nothing old keeps the drop waiting."""
        ask = asker(eyes, database_of(job.target))
        return (await guards.primary(ask), await guards.old_transactions(ask))


def _is_table(reading: PostgresReading, rest: str) -> bool:
    return any(rest in (table.name, f"{table.schema}.{table.name}") for table in reading.tables or ())


def _yes(params: Mapping[str, str]) -> bool:
    value = params.get("unique", "no").lower()
    if value not in ("yes", "no"):
        raise PlanError(f"unique is yes or no, not {line(value, 40)!r}")
    return value == "yes"


def _columns(known: tuple[Column, ...], text: str, table: Table) -> tuple[Column, ...]:
    """Find the columns by name as the catalog has it, or in small letters as the server would read it."""
    by_name = {column.name: column for column in known}
    found: list[Column] = []
    for part in text.split(","):
        name = part.strip()
        bare = name[1:-1] if len(name) > 2 and name[0] == name[-1] == '"' else name
        column = by_name.get(bare) or by_name.get(bare.lower())
        if column is None:
            names = ", ".join(line(each.quoted, 40) for each in known[:30])
            raise PlanError(f"{table.quoted} has no column {line(name, 80)!r}; it has {names}; expressions are not accepted")
        if column in found:
            raise PlanError(f"the column {column.quoted} is named twice")
        found.append(column)
    return tuple(found)


async def _wanted(ask: Ask, database: str, table: Table, columns: tuple[Column, ...], params: Mapping[str, str]) -> Wanted:
    name, method, where = params["name"], params.get("method", "btree"), params.get("where", "").strip()
    if not name or len(name.encode()) > LONGEST_NAME or "\0" in name or "." in name:
        raise PlanError(f"an index's name has 1 to {LONGEST_NAME} bytes and no dot; it is made in its table's schema")
    methods = [row["name"] for row in await ask("SELECT amname::text AS name FROM pg_am WHERE amtype = 'i' ORDER BY 1")]
    if method not in methods:
        raise PlanError(f"there is no method {line(method, 40)!r}; this server has {', '.join(methods)}")
    if where:
        try:
            check_condition(where)
        except SqlTextError as error:
            raise PlanError(f"where: {error}") from None
    quoted = (await ask("SELECT quote_ident($1::text) AS quoted", name))[0]["quoted"]
    unique = "UNIQUE " if _yes(params) else ""
    on = f"ON {table.quoted} USING {method} ({', '.join(column.quoted for column in columns)})"
    condition = f" WHERE ({where})" if where else ""
    return Wanted(
        database=database,
        schema=table.schema,
        name=name,
        quoted=f"{table.quoted_schema}.{quoted}",
        table_oid=table.oid,
        table=table.quoted,
        build=f"CREATE {unique}INDEX CONCURRENTLY {quoted} {on}{condition}",
        definition=f"CREATE {unique}INDEX {quoted} {on}",
        partial=bool(where),
    )


def _plain_table(table: Table) -> Guard:
    if table.kind == "p":
        why = "it is partitioned: an index cannot be built concurrently on the whole; build one on each partition"
        return Guard("plain_table", FAIL, why, f"pg_class.relkind of {line(table.quoted, 100)} is p")
    return Guard("plain_table", PASS, "it is no partitioned table", f"pg_class.relkind is {table.kind}, read just now")


def _name_free(wanted: Wanted, existing: Index | None) -> Guard:
    if existing is None:
        return Guard("name_free", PASS, f"nothing is called {line(wanted.quoted, 100)}", "pg_class, read just now")
    if existing.is_index and not existing.works:
        why = (
            f"an invalid index of that name is left from a build that failed; postgres.drop_index {line(wanted.name, 80)} first"
        )
        return Guard("name_free", FAIL, why, line(existing.definition or "", 300))
    return Guard(
        "name_free", FAIL, f"{line(wanted.quoted, 100)} is taken by something else", line(existing.definition or "", 300)
    )


def _no_equal(others: tuple[Index, ...], columns: tuple[Column, ...], params: Mapping[str, str]) -> Guard:
    keys = " ".join(str(column.number) for column in columns)
    for index in others:
        same = index.keys == keys and index.plain and index.method == params.get("method", "btree") and not index.expressions
        if index.works and same and not index.partial and not params.get("where") and (index.is_unique or not _yes(params)):
            why = f"{line(index.name, 80)} already serves the same columns: another one only costs writes"
            return Guard("no_equal_index", FAIL, why, line(index.definition or "", 300))
    return Guard("no_equal_index", PASS, "no equal index is there", f"{len(others)} on the table, read just now")


def _factors(table: Table, size: int, *, unique: bool) -> Factors:
    interruption = Factor(0, "reads and writes go on while it is built")
    if unique:
        interruption = Factor(1, "a write that would make two rows equal is refused from the middle of the build on")
    return Factors(
        interruption=interruption,
        reversibility=Factor(1, "DROP INDEX CONCURRENTLY takes exactly it away"),
        durable_data=Factor(1, f"an index is derived from the table; about {size_text(size)} are written"),
        blast_radius=Factor(3, "every client of the database writes the index too"),
        blocking=Factor(1, f"vacuum and schema changes of {line(table.quoted, 100)} wait until it is built"),
        verifiability=Factor(0, "the catalog says whether the index is valid"),
    )


def _numbers(columns: tuple[Column, ...]) -> str:
    return ", ".join(f"{column.quoted} ({column.number})" for column in columns)


def _state(existing: Index | None) -> str:
    if existing is None:
        return "not there"
    return f"oid {existing.oid}, {'valid' if existing.works else 'invalid'}"


def _listed(others: tuple[Index, ...], more: Wanted | None = None) -> str:
    lines = [f"{index.definition};{'' if index.works else '  -- INVALID'}" for index in others]
    if more is not None:
        lines = sorted(
            [text for text, index in zip(lines, others, strict=True) if index.name != more.name] + [f"{more.build};"]
        )
    return "\n".join(sorted(lines))


def _ways_out(judged: tuple[Guard, ...], existing: Index | None) -> tuple[Mitigation, ...]:
    ways: list[Mitigation] = []
    for guard in judged:
        if not guard.refuses:
            continue
        if guard.name == "old_transactions":
            ways.append(Mitigation("postgres.terminate_session", guard.why))
        elif guard.name == "recent_backup":
            ways.append(Mitigation("postgres.backup", "makes the backup that is missing"))
        elif guard.name == "name_free" and existing is not None and existing.is_index:
            ways.append(Mitigation("postgres.drop_index", guard.why))
        elif guard.name == "free_disk":
            ways.append(Mitigation("", "free or add disk space first"))
    return tuple(ways)


def _analyze(job: Job, wanted: Wanted) -> LiveStep:
    statement = str(job.data["analyze"])

    async def run(hands: Hands) -> Done:
        import asyncpg

        try:
            async with unlimited(hands, wanted.database) as connection:
                await connection.fetch(statement, timeout=3_600)
        except asyncpg.PostgresError as error:
            raise StepError(f"the index is built, but {statement} failed: {line(str(error), 200)}", changed=False) from None
        return Done(f"{wanted.table} was counted anew")

    async def settle(eyes: Eyes) -> Settled:
        built_at = job.results.get("built_at")
        if not isinstance(built_at, str):
            return Settled.UNKNOWN
        sql = "SELECT last_analyze > $2::text::timestamptz AS done FROM pg_stat_all_tables WHERE relid = $1::int8::oid"
        rows = await eyes.fetch(wanted.database, sql, wanted.table_oid, built_at)
        return Settled.DONE if rows and rows[0]["done"] else Settled.NOT_DONE

    command = shown(*UNLIMITED, statement)
    return LiveStep("Count the table's rows anew", command, True, 3_600, None, run, settle)
