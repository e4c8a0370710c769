"""Vacuums one table, throttled, and never in the way that rewrites it."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Mapping
from datetime import datetime
from typing import Any, ClassVar

from debugtui.hosts.link import LinkError
from debugtui.model.amounts import size_text, span
from debugtui.model.plan import DiffPart, Guard, Mitigation
from debugtui.model.source import FleetView
from debugtui.model.target import Target
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
    StaleError,
    Undo,
)
from debugtui.remediation.catalogue.postgres import vacuum_guards as guards
from debugtui.remediation.catalogue.postgres.common import (
    asker,
    repairing,
    send,
    show,
    stamp,
    supported,
    unstamp,
    whole_database,
)
from debugtui.remediation.catalogue.postgres.concurrently import marks, shown
from debugtui.remediation.catalogue.postgres.index_guards import primary
from debugtui.remediation.catalogue.postgres.index_state import Ask, Table, find_table, someone_works
from debugtui.remediation.catalogue.postgres.readings import reading_of
from debugtui.remediation.eyes import Eyes
from debugtui.remediation.hands import Hands
from debugtui.remediation.risk import STOP_RULES
from debugtui.sources.base import SourceError

#: A VACUUM has no time limit on the server; a step has one all the same.
STEP_S = 86_400
#: Seconds between two lines of progress, and that the outcome is watched.
PROGRESS_S, DWELL_S = 2.0, 5
#: Rows that are dead, and their share, from which the screen offers it.
MANY_DEAD, DEAD_PERCENT = 1_000, 10.0

#: What is set before. A cost delay keeps it from taking the disks for itself; by hand there would be none.
BEFORE = (
    "SET search_path = pg_catalog",
    "SET statement_timeout = 0",
    "SET lock_timeout = '5s'",
    "SET vacuum_cost_delay = '2ms'",
    "SET vacuum_cost_limit = 1000",
)

# No function that opens the table: it would wait behind whoever asks for a strong lock on it.
_STATS = """
SELECT c.oid::int8 AS oid, coalesce(s.n_dead_tup, 0)::int8 AS dead, coalesce(s.n_live_tup, 0)::int8 AS live,
       coalesce(s.n_mod_since_analyze, 0)::int8 AS changed, s.last_vacuum, s.last_autovacuum, s.last_analyze,
       age(c.relfrozenxid)::int8 AS age, c.relpages::int8 * current_setting('block_size')::int8 AS size,
       clock_timestamp() AS now
FROM pg_class AS c LEFT JOIN pg_stat_all_tables AS s ON s.relid = c.oid WHERE c.oid = $1::int8::oid
"""

_PROGRESS = """
SELECT phase, heap_blks_total, heap_blks_scanned, heap_blks_vacuumed, index_vacuum_count
FROM pg_stat_progress_vacuum WHERE pid = $1
"""


class Vacuum(Remediation):
    """`VACUUM (ANALYZE, TRUNCATE false, PARALLEL 0)`."""

    spec: ClassVar[Spec] = Spec(
        name="postgres.vacuum",
        title="Vacuum a table",
        summary="A table is full of dead rows, or its statistics are old: vacuum and analyse it, throttled.",
        target="HOST/postgres/DATABASE",
        parameters=(
            Parameter("table", "the table, `table` or `schema.table`"),
            Parameter("full", "yes is never executed: it rewrites the table, locked", required=False, default="no"),
        ),
        risk=(1, 4),
        undo=Undo.NONE,
        undo_says="there is nothing to take back: no row changes; ending its session stops it",
        guards=("primary", "plain_table", "may_vacuum", "horizon", "no_wraparound", "not_vacuumed_now"),
    )

    def offer(self, view: FleetView, target: Target) -> Offer | None:
        """It applies where the readings show many dead rows."""
        found = reading_of(view, target)
        if found is None or found[2].isdigit():
            return None
        database, reading, rest = found
        tables = [each for each in reading.tables or () if not rest or rest in (each.name, f"{each.schema}.{each.name}")]
        if rest and not tables:
            return None
        full = [each for each in tables if each.dead >= MANY_DEAD and (each.dead_percent or 0.0) >= DEAD_PERCENT]
        if not full:
            return Offer(self.spec.name, database, False, "no table has many dead rows")
        worst = max(full, key=lambda each: (each.dead, each.schema, each.name))
        name = f"{worst.schema}.{worst.name}"
        why = f"{show(name, 80)} has {worst.dead} dead rows, {worst.dead_percent or 0.0:.0f} %"
        return Offer(self.spec.name, database, True, why, (("table", name),), rank=25)

    async def draft(self, eyes: Eyes, target: Target, params: Mapping[str, str]) -> Draft:
        """See `Remediation.draft`."""
        database, whole = whole_database(eyes, target)
        ask = asker(eyes, database)
        await supported(ask)
        table = await find_table(ask, params["table"])
        full = _yes(params)
        stats = await _stats(ask, table.oid)
        if not full and not stats["dead"] and not stats["changed"] and stats["last_vacuum"] is not None:
            raise NothingToDoError(f"{show(table.quoted, 100)} has no dead row and its statistics are fresh")
        what = show(table.quoted, 100)
        return Draft(
            target=whole,
            problem=f"{what} holds dead rows, or its statistics are old",
            solution=f"vacuum and analyse {what}, throttled; reads and writes go on meanwhile",
            factors=_factors(what, stats, full=full),
            identity={"table": f"{table.quoted} (oid {table.oid})", "last vacuum": stamp(stats["last_vacuum"]) or "never"},
            data={
                "database": database, "table": table.quoted, "oid": table.oid, "full": full,
                "last_vacuum": stamp(stats["last_vacuum"]),
            },
            diff=(DiffPart(what, "text", _figures(stats), "dead rows: those that no transaction sees any more are gone"),),
            guards=await _guards(ask, eyes, database, table),
            mitigations=_instead() if full else await _ways_out(ask),
            stop=STOP_RULES["rewrite"] if full else "",
        )  # fmt: skip

    def steps(self, job: Job) -> tuple[LiveStep, ...]:
        """One statement, on a connection of its own."""
        options = "FULL, ANALYZE" if job.data["full"] else "ANALYZE, TRUNCATE false, PARALLEL 0"
        statement = f"VACUUM ({options}) {job.data['table']}"

        async def run(hands: Hands) -> Done:
            return await _run(hands, job.data, statement)

        async def settle(eyes: Eyes) -> Settled:
            ask = asker(eyes, str(job.data["database"]))
            if await someone_works(ask, marks(job.mark)):
                return Settled.UNKNOWN
            return Settled.DONE if _newer(await _stats(ask, _oid(job.data)), job.data) else Settled.NOT_DONE

        return (LiveStep("Vacuum the table", shown(*BEFORE, statement), True, STEP_S, None, run, settle),)

    def undo(self, job: Job) -> tuple[LiveStep, ...]:
        """There is nothing to take back."""
        return ()

    def checks(self, job: Job) -> tuple[LiveCheck, ...]:
        """The server has recorded it, and there are fewer dead rows."""

        async def sample(eyes: Eyes) -> Sample:
            stats = await _stats(asker(eyes, str(job.data["database"])), _oid(job.data))
            before = job.results.get("dead")
            fewer = stats["dead"] == 0 or (isinstance(before, int) and stats["dead"] < before)
            was = f"{before} before" if isinstance(before, int) else "how many there were is not known"
            done = "vacuumed" if _newer(stats, job.data) else "not vacuumed since"
            return Sample(_newer(stats, job.data) and fewer, f"{done}; {stats['dead']} dead rows, {was}")

        why = "a VACUUM that skipped the table, or could remove nothing, reports success as well"
        return (LiveCheck("vacuumed, with fewer dead rows", DWELL_S, why, sample),)

    def undo_checks(self, job: Job) -> tuple[LiveCheck, ...]:
        """There is nothing to check."""
        return ()


def _yes(params: Mapping[str, str]) -> bool:
    value = params.get("full", "no").lower()
    if value not in ("yes", "no"):
        raise PlanError(f"full is yes or no, not {show(value, 40)!r}")
    return value == "yes"


async def _guards(ask: Ask, eyes: Eyes, database: str, table: Table) -> tuple[Guard, ...]:
    return (
        await primary(ask),
        guards.plain_table(table),
        await guards.may_vacuum(ask, eyes, database, table),
        await guards.horizon(ask),
        *await guards.not_at_work(ask, table),
    )


async def _ways_out(ask: Ask) -> tuple[Mitigation, ...]:
    found = await guards.horizon(ask)
    if not found.refuses:
        return ()
    if found.why.startswith("session "):
        return (Mitigation("postgres.terminate_session", found.why),)
    return (Mitigation("", f"{found.why}: its owner decides"),)


def _instead() -> tuple[Mitigation, ...]:
    return (
        Mitigation("postgres.vacuum", "without full: the room of dead rows is used again, though not given back to the disk"),
        Mitigation("", "pg_repack, off-peak: it rewrites the table beside the old one and locks it only for the exchange"),
        Mitigation("", "a maintenance window, with free disk for a second copy of the table and its indexes"),
    )


def _factors(what: str, stats: Mapping[str, Any], *, full: bool) -> Factors:
    if full:
        return Factors(
            interruption=Factor(4, f"nobody can read or write {what} while it is rewritten"),
            reversibility=Factor(0, "no row changes"),
            durable_data=Factor(1, f"{size_text(stats['size'])} are written anew"),
            blast_radius=Factor(3, "every client that uses the table"),
            blocking=Factor(4, "an ACCESS EXCLUSIVE lock for as long as it takes"),
            verifiability=Factor(0, "the table's size"),
        )
    return Factors(
        interruption=Factor(0, "reads and writes go on"),
        reversibility=Factor(0, "no row changes; there is nothing to take back"),
        durable_data=Factor(1, "room of dead rows and statistics, both derived"),
        blast_radius=Factor(1, "one table"),
        blocking=Factor(1, f"other maintenance and schema changes of {what} wait until it is done"),
        verifiability=Factor(0, "the server counts dead rows and says when it was vacuumed"),
    )


def _figures(stats: Mapping[str, Any]) -> str:
    def ago(at: datetime | None) -> str:
        return "never" if at is None else f"{span((stats['now'] - at).total_seconds())} ago"

    return "\n".join(
        (
            f"dead rows: {stats['dead']} of {stats['dead'] + stats['live']}",
            f"changed since the last ANALYZE: {stats['changed']}",
            f"size: {size_text(stats['size'])}",
            f"last vacuum: {ago(stats['last_vacuum'])}, by autovacuum {ago(stats['last_autovacuum'])}",
            f"oldest transaction number: {stats['age']} back",
        )
    )


async def _stats(ask: Ask, oid: int) -> Mapping[str, Any]:
    rows = await ask(_STATS, oid)
    if not rows:
        raise PlanError("the table is gone")
    return dict(rows[0])


def _oid(data: Mapping[str, object]) -> int:
    return int(str(data["oid"]))


def _newer(stats: Mapping[str, Any], data: Mapping[str, object]) -> bool:
    before, now = unstamp(data["last_vacuum"]), stats["last_vacuum"]
    return now is not None and (before is None or now > before)


async def _run(hands: Hands, data: Mapping[str, object], statement: str) -> Done:
    database = str(data["database"])
    ask = asker(hands, database)
    try:
        stats = await _stats(ask, _oid(data))
    except PlanError as error:
        raise StaleError(str(error)) from None
    began = hands.clock.monotonic()
    async with repairing(hands, database, BEFORE) as connection:
        # In the same connection: the name may belong to another table by now.
        same = await connection.fetchval("SELECT pg_catalog.to_regclass($1)::oid::int8", str(data["table"]), timeout=10.0)
        if same != data["oid"]:
            raise StaleError(f"{show(str(data['table']), 100)} is another table now")
        telling = asyncio.create_task(_tell(hands, database, connection.get_server_pid()), name="vacuum progress")
        try:
            await send(connection, statement, STEP_S)
        finally:
            telling.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await telling
    return Done(f"the server reports success after {span(hands.clock.monotonic() - began)}", {"dead": stats["dead"]})


async def _tell(hands: Hands, database: str, pid: int) -> None:
    """Say how far it is until it is cancelled; what cannot be read is not said."""
    import asyncpg

    while True:
        await asyncio.sleep(PROGRESS_S * hands.around.dwell)
        try:
            rows = await hands.fetch(database, _PROGRESS, pid)
        except (asyncpg.PostgresError, asyncpg.InterfaceError, SourceError, LinkError, TimeoutError, OSError) as error:
            hands.tell(f"its progress cannot be read: {show(str(error), 80)}")
            continue
        if not rows:
            hands.tell("waiting")
            continue
        row = rows[0]
        total = row["heap_blks_total"]
        done = row["heap_blks_vacuumed"] if row["phase"] == "vacuuming heap" else row["heap_blks_scanned"]
        share = f", {100 * done / total:.0f} %" if total else ""
        again = f", indexes {row['index_vacuum_count']} times" if row["index_vacuum_count"] else ""
        hands.tell(f"{show(row['phase'], 60)}{share}{again}")
