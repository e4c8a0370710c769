"""Drops an index that serves nobody: an invalid one, or one that no query has used for a long time."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import ClassVar

from debugtui.model.amounts import size_text, span
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
    Settled,
    Spec,
    Undo,
)
from debugtui.remediation.catalogue.postgres import index_guards as guards
from debugtui.remediation.catalogue.postgres.concurrently import (
    END_OURS,
    STEP_LIMIT_S,
    UNLIMITED,
    Wanted,
    build,
    drop,
    drop_statement,
    gone_check,
    marks,
    settle_build,
    settle_drop,
    shown,
    valid_check,
)
from debugtui.remediation.catalogue.postgres.index_state import (
    Ask,
    Index,
    Table,
    asker,
    check_database,
    database_of,
    find_table,
    named,
    split_name,
)
from debugtui.remediation.catalogue.postgres.readings import reading_of
from debugtui.remediation.eyes import Eyes
from debugtui.remediation.hands import Hands

PASS, FAIL, UNKNOWN = GuardStatus.PASS, GuardStatus.FAIL, GuardStatus.UNKNOWN

#: How long nobody may have used an index, in seconds: a month holds the monthly report.
UNUSED_S = 30 * 86_400.0

#: What a REINDEX CONCURRENTLY that did not end leaves: the new index, or the old one (PostgreSQL manual, REINDEX).
_LEFTOVER = re.compile(r"(.+)_cc(new|old)\d*")

_STATISTICS = """
SELECT extract(epoch FROM clock_timestamp() - stats_reset)::float8 AS age,
       (SELECT count(*) FROM pg_stat_replication) AS standbys
FROM pg_stat_database WHERE datname = current_database()
"""


class DropIndex(Remediation):
    """`DROP INDEX CONCURRENTLY`."""

    spec: ClassVar[Spec] = Spec(
        name="postgres.drop_index",
        title="Drop a useless index",
        summary="An index is invalid, or no query has used it for a month: drop it concurrently; every write gets cheaper.",
        target="HOST/postgres/DATABASE",
        parameters=(Parameter("name", "the index, `index` or `schema.index`"),),
        risk=(1, 3),
        undo=Undo.EXACT,
        undo_says="it is built again, concurrently, from its definition; an invalid one served nothing and is not restored",
        guards=("primary", "only_an_index", "unused", "standby_use", "may_change", "no_other_build", "old_transactions"),
    )

    def offer(self, view: FleetView, target: Target) -> Offer | None:
        """It applies where the readings show an invalid or unused index."""
        found = reading_of(view, target)
        if found is None:
            return None
        database, reading, rest = found
        known = reading.indexes or ()
        if rest:
            known = tuple(each for each in known if rest in (each.name, f"{each.schema}.{each.name}"))
            if not known:
                return None
        useless = sorted(
            (each for each in known if not each.valid or each.unused), key=lambda each: (each.valid, -each.size_bytes)
        )
        if not useless:
            return Offer(self.spec.name, database, False, "every index is valid and used")
        index = useless[0]
        name = f"{index.schema}.{index.name}"
        why = f"{line(name, 80)} {'has never been used' if index.valid else 'is invalid'}"
        return Offer(self.spec.name, database, True, why, (("name", name),), rank=10 if not index.valid else 40)

    async def draft(self, eyes: Eyes, target: Target, params: Mapping[str, str]) -> Draft:
        """See `Remediation.draft`."""
        database = check_database(eyes, target)
        ask = asker(eyes, database)
        index = await _find(ask, params["name"])
        table = await find_table(ask, f'"{index.schema}"."{index.table_name}"')
        wanted = _wanted(database, index)
        statistics = (await ask(_STATISTICS))[0]
        judged = (
            await guards.primary(ask),
            _only_an_index(index),
            *(_use(index, statistics["age"], statistics["standbys"]) if index.works else ()),
            await guards.owner(ask, eyes, database, table, create=False),
            await guards.no_build(ask, table.oid),
            await guards.old_transactions(ask),
        )
        way_out = "end that session first: a concurrent drop waits for it"
        return Draft(
            target=Target(target.host, "postgres", database),
            problem=_problem(index),
            solution=f"drop {line(index.name, 80)} concurrently: reads and writes go on meanwhile",
            factors=_factors(index, table),
            identity={
                "index": f"{index.quoted} (oid {index.oid})",
                "definition": str(index.definition),
                "state": _flags(index),
            },
            data={"index": wanted.data(), "works": index.works},
            diff=(DiffPart(f"index {index.quoted}", "sql", f"{index.definition};{'' if index.works else '  -- INVALID'}", ""),),
            guards=judged,
            irreversible=() if index.works else ("nothing is restored: an invalid index serves no query",),
            mitigations=tuple(
                Mitigation("postgres.terminate_session", way_out)
                for guard in judged
                if guard.name == "old_transactions" and guard.refuses
            ),
        )

    def steps(self, job: Job) -> tuple[LiveStep, ...]:
        """Drop it."""
        wanted, works = Wanted.of(job.data), bool(job.data["works"])

        async def run(hands: Hands) -> Done:
            return await drop(hands, wanted, mark=job.mark, expect_works=works)

        async def settle(eyes: Eyes) -> Settled:
            return await settle_drop(eyes, wanted, job.mark, was_valid=works)

        undo = wanted.build if works else None
        command = shown(*UNLIMITED, END_OURS.format(mark=marks(job.mark)), drop_statement(wanted))
        return (LiveStep("Drop the index", command, True, STEP_LIMIT_S, undo, run, settle),)

    def undo(self, job: Job) -> tuple[LiveStep, ...]:
        """Build it again, after what a drop that was cut off may have left; nothing for one that was invalid."""
        if not job.data["works"]:
            return ()
        wanted = Wanted.of(job.data)

        async def clear(hands: Hands) -> Done:
            return await drop(hands, wanted, mark=job.mark, only_invalid=True)

        async def cleared(eyes: Eyes) -> Settled:
            found = await wanted.look(asker(eyes, wanted.database))
            return Settled.DONE if found is None or found.works else Settled.NOT_DONE

        async def again(hands: Hands) -> Done:
            found = await wanted.look(asker(hands, wanted.database))
            if found is not None and found.works and wanted.is_same(found):
                return Done(f"{wanted.quoted} is there and valid")
            return await build(hands, wanted)

        async def rebuilt(eyes: Eyes) -> Settled:
            return await settle_build(eyes, wanted, job.mark)

        first = shown(*UNLIMITED, END_OURS.format(mark=marks(job.mark)), drop_statement(wanted))
        second = shown(*UNLIMITED, *wanted.around(), wanted.build, *([wanted.comment] if wanted.comment else []))
        return (
            LiveStep("Remove it if it is left invalid", first, True, STEP_LIMIT_S, None, clear, cleared),
            LiveStep("Build it again", second, True, STEP_LIMIT_S, None, again, rebuilt),
        )

    def checks(self, job: Job) -> tuple[LiveCheck, ...]:
        """It is gone."""
        return (gone_check(Wanted.of(job.data), watch_s=5),)

    def undo_checks(self, job: Job) -> tuple[LiveCheck, ...]:
        """It is there again, as it was."""
        return (valid_check(Wanted.of(job.data)),) if job.data["works"] else ()

    async def undo_guards(self, eyes: Eyes, job: Job) -> tuple[Guard, ...]:
        """Nothing old keeps the build waiting."""
        ask = asker(eyes, database_of(job.target))
        return (await guards.primary(ask), await guards.old_transactions(ask))


async def _find(ask: Ask, text: str) -> Index:
    schema, name = split_name(text)
    found = await named(ask, schema, name)
    indexes = [index for index in found if index.is_index]
    if not indexes and found:
        raise PlanError(f"{line(text, 100)!r} is no index")
    if not indexes:
        raise NothingToDoError(f"there is no index {line(text, 100)!r}")
    if len(indexes) > 1:
        names = ", ".join(line(f"{index.schema}.{index.name}", 100) for index in indexes[:5])
        raise PlanError(f"there are several indexes {line(text, 100)!r}: {names}")
    return indexes[0]


def _wanted(database: str, index: Index) -> Wanted:
    definition = str(index.definition)
    comment = f"COMMENT ON INDEX {index.quoted} IS {_literal(index.comment)}" if index.comment else ""
    return Wanted(
        database=database,
        schema=index.schema,
        name=index.name,
        quoted=index.quoted,
        table_oid=index.table_oid or 0,
        table=index.table_quoted or "",
        build=re.sub(r"^CREATE (UNIQUE )?INDEX ", r"CREATE \1INDEX CONCURRENTLY ", definition),
        definition=definition,
        partial=False,  # the definition is the server's own, its condition included
        tablespace=index.tablespace,
        comment=comment,
    )


def _literal(text: str) -> str:
    """A string constant that means the same whatever `standard_conforming_strings` is."""
    return "E'" + text.replace("\\", "\\\\").replace("'", "''") + "'"


def _problem(index: Index) -> str:
    where = f"{line(index.quoted, 100)} on {line(index.table_quoted or '?', 100)}"
    if index.works:
        return f"{where} is written with every change and no query uses it"
    leftover = _LEFTOVER.fullmatch(index.name)
    if leftover:
        of = line(leftover[1], 80)
        return (
            f"{where} is invalid: a REINDEX CONCURRENTLY of {of} did not end and left it; writes pay for it, no query uses it"
        )
    return f"{where} is invalid: a concurrent build or drop did not end; writes pay for it, no query uses it"


def _flags(index: Index) -> str:
    return f"valid {index.valid}, ready {index.ready}, live {index.live}"


def _only_an_index(index: Index) -> Guard:
    """Nothing but queries may depend on it."""
    reasons = {
        "it backs a constraint": index.backs_constraint,
        "it is a partition's part of a larger index": index.partition,
        "it enforces that rows differ": bool(index.is_unique) and index.works,
        "it enforces an exclusion": bool(index.exclusion) and index.works,
        "logical replication identifies rows by it": bool(index.replica_identity),
        "the table is clustered on it": bool(index.clustered) and index.works,
    }
    found = [text for text, holds in reasons.items() if holds]
    if found:
        return Guard("only_an_index", FAIL, f"{line(index.name, 80)}: {found[0]}", "pg_index and pg_constraint, read just now")
    why = "it enforces nothing: no constraint, not unique, no replica identity"
    if index.is_unique:
        why = "it is invalid: it does not enforce anything that holds"
    return Guard("only_an_index", PASS, why, "pg_index and pg_constraint, read just now")


def _use(index: Index, age: float | None, standbys: int) -> tuple[Guard, ...]:
    """Whether anybody uses a valid index. PostgreSQL does not say how old an index is; only since when scans are counted."""
    name = line(index.name, 80)
    if index.scans:
        used = Guard("unused", FAIL, f"queries use {name}", f"{index.scans} scans since the statistics began")
    elif age is None:
        why = f"since when the scans of {name} are counted is not known: the statistics were never reset"
        used = Guard("unused", UNKNOWN, why, "0 scans; stats_reset is NULL")
    elif age < UNUSED_S:
        used = Guard("unused", FAIL, f"scans of {name} are counted for less than {span(UNUSED_S)}", f"0 scans in {span(age)}")
    else:
        used = Guard("unused", PASS, f"no query has used {name}", f"0 scans in {span(age)}")
    if standbys:
        why = f"{standbys} standbys count their own scans: look there, too"
        return used, Guard("standby_use", UNKNOWN, why, "pg_stat_replication, read just now", critical=False)
    return (used,)


def _factors(index: Index, table: Table) -> Factors:
    where = line(table.quoted, 100)
    blocking = Factor(1, f"vacuum and schema changes of {where} wait until it is dropped")
    blast = Factor(3, "every client of the database")
    if not index.works:
        return Factors(
            interruption=Factor(0, "no query uses an invalid index"),
            reversibility=Factor(0, "there is nothing to restore: it served nothing"),
            durable_data=Factor(1, "an index is derived from its table"),
            blast_radius=blast,
            blocking=blocking,
            verifiability=Factor(0, "the catalog says whether it is gone"),
        )
    return Factors(
        interruption=Factor(1, "a rare query could become slower"),
        reversibility=Factor(1, f"it is built again from its definition, {size_text(index.size)}"),
        durable_data=Factor(1, "an index is derived from its table"),
        blast_radius=blast,
        blocking=blocking,
        verifiability=Factor(3, "whether a rare query misses it shows only later"),
    )
