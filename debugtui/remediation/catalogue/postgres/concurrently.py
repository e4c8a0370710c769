"""Builds and drops one index concurrently, by the rules that make it safe; shared by those who do either.

One statement per message on a connection of its own, no time limit on locks or statements: a build that is cut off leaves an
invalid index, which slows every write and serves no query. Therefore what happened is always looked at, never believed.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, cast

from debugtui.hosts.link import LinkError
from debugtui.model.amounts import span
from debugtui.model.text import line
from debugtui.remediation.base import Done, LiveCheck, LiveStep, Sample, Settled, StaleError, StepError
from debugtui.remediation.catalogue.postgres.index_state import Ask, Index, asker, exactly, someone_works
from debugtui.remediation.eyes import Eyes
from debugtui.remediation.hands import Hands
from debugtui.sources.base import SourceError

if TYPE_CHECKING:
    import asyncpg

#: Sent before, each in a message of its own. A limit would not make it safer: it would leave an invalid index behind.
UNLIMITED = ("SET lock_timeout = 0", "SET statement_timeout = 0")
#: The operator is asked after so long whether to go on; nothing is ended by itself.
ASK_AFTER_S = 7_200.0
#: What a step may take at most. Nothing that large is expected; a step without any limit is not allowed.
STEP_LIMIT_S = 7 * 86_400
#: Seconds between two lines of progress.
PROGRESS_S = 2.0

#: Ends a session of this very plan that still works there after its link was lost.
END_OURS = (
    "SELECT pg_catalog.pg_terminate_backend(pid) FROM pg_catalog.pg_stat_activity"
    " WHERE pg_catalog.starts_with(application_name, '{mark}') AND usename = current_user"
    " AND pid <> pg_catalog.pg_backend_pid()"
)

_PROGRESS = """
SELECT phase, blocks_done, blocks_total, tuples_done, tuples_total, lockers_total, lockers_done, current_locker_pid
FROM pg_stat_progress_create_index WHERE pid = $1
"""


@dataclass(frozen=True, slots=True)
class Wanted:
    """One index as it is to be, or was.

    Attributes:
        database: the configured name of its database.
        schema, name: its plain names.
        quoted: its full name as the server quotes it.
        table_oid, table: its table.
        build: the statement that builds it.
        definition: as `pg_get_indexdef` says it; up to the condition where `partial`.
        partial: it has a condition; its words are the server's and cannot be foretold.
        tablespace: where it lies; empty: where the database's default is.
        comment: its comment.
    """

    database: str
    schema: str
    name: str
    quoted: str
    table_oid: int
    table: str
    build: str
    definition: str
    partial: bool
    tablespace: str = ""
    comment: str = ""

    def data(self) -> dict[str, object]:
        """As a plan's data."""
        return asdict(self)

    @classmethod
    def of(cls, data: Mapping[str, object]) -> Wanted:
        """From a plan's data."""
        return cls(**cast("dict[str, Any]", data["index"]))

    def is_same(self, found: Index) -> bool:
        """Whether an index is this one by table and definition, valid or not."""
        if not found.is_index or found.table_oid != self.table_oid or found.definition is None:
            return False
        if self.partial:
            return bool(found.partial) and found.definition.startswith(f"{self.definition} WHERE ")
        return found.definition == self.definition

    def around(self) -> tuple[str, ...]:
        """What is sent before it is built, so that it comes to lie where it lay."""
        return (f"SET default_tablespace = {self.tablespace}",) if self.tablespace else ()

    async def look(self, ask: Ask) -> Index | None:
        """Return what has its name now."""
        return await exactly(ask, self.schema, self.name)


def shown(*statements: str) -> str:
    """Return statements as a plan shows them: each is a message of its own."""
    return ";\n".join(statements) + ";"


def marks(plan_mark: str) -> str:
    """Return how every session of a plan's steps begins its application name."""
    return f"debugtui:{plan_mark}/"


async def send(connection: asyncpg.Connection[Any], statement: str) -> None:
    """Send exactly one statement: the extended protocol refuses a text that holds two."""
    await connection.fetch(statement, timeout=STEP_LIMIT_S)


@asynccontextmanager
async def unlimited(hands: Hands, database: str) -> AsyncIterator[asyncpg.Connection[Any]]:
    """Open the repair connection without limits on locks and statements."""
    async with hands.repair(database) as connection:
        for statement in UNLIMITED:
            await connection.execute(statement, timeout=10.0)
        yield connection


async def _tell(hands: Hands, database: str, pid: int, what: str) -> None:
    """Say how far it is until it is cancelled; what cannot be read is not said."""
    began = hands.clock.monotonic()
    import asyncpg

    while True:
        await asyncio.sleep(PROGRESS_S * hands.around.dwell)
        took = hands.clock.monotonic() - began
        try:
            rows = await hands.fetch(database, _PROGRESS, pid)
            says = _phase(dict(rows[0])) if rows else "waiting"
        except (asyncpg.PostgresError, asyncpg.InterfaceError, SourceError, LinkError, TimeoutError, OSError) as error:
            says = f"progress cannot be read: {line(str(error), 80)}"
        ask = "; longer than expected: stop it, or let it go on?" if took > ASK_AFTER_S else ""
        hands.tell(f"{what}: {says}, {span(took)}{ask}")


def _phase(row: Mapping[str, Any]) -> str:
    says = line(row["phase"], 80)
    if row["current_locker_pid"]:
        return f"{says}: session {row['current_locker_pid']}, {row['lockers_done']} of {row['lockers_total']}"
    for done, total in (("blocks_done", "blocks_total"), ("tuples_done", "tuples_total")):
        if row[total]:
            return f"{says}: {100 * row[done] / row[total]:.0f} %"
    return says


async def _sent(hands: Hands, database: str, connection: asyncpg.Connection[Any], statement: str, what: str) -> None:
    teller = asyncio.create_task(_tell(hands, database, connection.get_server_pid(), what))
    try:
        await send(connection, statement)
    finally:
        teller.cancel()
        await asyncio.gather(teller, return_exceptions=True)


def _failures() -> tuple[type[Exception], ...]:
    import asyncpg

    return (asyncpg.PostgresError, asyncpg.InterfaceError, OSError, TimeoutError)


async def _after(eyes: Eyes, wanted: Wanted) -> Index | None:
    """Look with a new read-only connection after a failure."""
    lost: tuple[type[Exception], ...] = (SourceError, LinkError, *_failures())
    try:
        return await wanted.look(asker(eyes, wanted.database))
    except lost as error:
        raise StepError(f"it failed, and what is there now cannot be read: {line(str(error), 200)}") from None


async def build(hands: Hands, wanted: Wanted) -> Done:
    """Build an index; whatever the server says, what counts is what is there afterwards."""
    async with unlimited(hands, wanted.database) as connection:
        if await wanted.look(connection.fetch) is not None:
            raise StaleError(f"{wanted.quoted} is there already")
        await _same_table(connection, wanted)
        for statement in wanted.around():
            await connection.execute(statement, timeout=10.0)
        try:
            await _sent(hands, wanted.database, connection, wanted.build, f"building {wanted.name}")
        except _failures() as error:
            await _explain(hands, wanted, error)
        if wanted.comment:
            await send(connection, wanted.comment)
        found = await wanted.look(connection.fetch)
        now = await connection.fetchval("SELECT pg_catalog.clock_timestamp()::text", timeout=10.0)
    if found is None or not found.works or not wanted.is_same(found):
        raise StepError(f"the server reported success, but {wanted.quoted} is not valid", changed=True)
    return Done(f"{wanted.quoted} is built and valid", {"built_at": now})


async def _same_table(connection: asyncpg.Connection[Any], wanted: Wanted) -> None:
    table = await connection.fetchval(
        "SELECT pg_catalog.quote_ident(n.nspname) || '.' || pg_catalog.quote_ident(c.relname) FROM pg_catalog.pg_class AS c"
        " JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace"
        " WHERE c.oid = $1::int8::oid AND NOT pg_catalog.pg_is_in_recovery()",
        wanted.table_oid,
        timeout=10.0,
    )
    if table != wanted.table:
        raise StaleError(f"{wanted.table} is not the table any more that was planned for")


async def _explain(hands: Hands, wanted: Wanted, error: BaseException) -> None:
    found = await _after(hands, wanted)
    says = line(str(error) or type(error).__name__, 300)
    if found is None:
        raise StepError(f"nothing was built: {says}", changed=False) from None
    if found.works and wanted.is_same(found):
        raise StepError(f"the answer was lost, but {wanted.quoted} is valid: {says}", changed=True) from None
    raise StepError(f"the build failed and left {wanted.quoted} invalid: {says}", changed=True) from None


async def drop(
    hands: Hands, wanted: Wanted, *, mark: str, only_invalid: bool = False, expect_works: bool | None = None
) -> Done:
    """Drop an index, if it is there and still the one that was meant. Ends a build of this plan that goes on by itself.

    Args:
        hands: write access.
        wanted: the index.
        mark: of the plan.
        only_invalid: leave it where it is valid.
        expect_works: it was planned as valid (True) or invalid (False); another state is refused. None: either.
    """
    async with unlimited(hands, wanted.database) as connection:
        await connection.fetch(END_OURS.format(mark=marks(mark)), timeout=20.0)
        found = await wanted.look(connection.fetch)
        if found is None:
            return Done(f"{wanted.quoted} is not there")
        if not wanted.is_same(found):
            raise StaleError(f"{wanted.quoted} is not the index any more that was planned for")
        if expect_works is not None and found.works != expect_works:
            raise StaleError(f"{wanted.quoted} is {'valid' if found.works else 'invalid'} now")
        if only_invalid and found.works:
            return Done(f"{wanted.quoted} is there and valid")
        try:
            await _sent(hands, wanted.database, connection, drop_statement(wanted), f"dropping {wanted.name}")
        except _failures() as error:
            left = await _after(hands, wanted)
            gone, same = left is None, left is not None and left.works == found.works
            says = line(str(error) or type(error).__name__, 300)
            where = "it is gone all the same" if gone else "it is as it was" if same else "it is left invalid"
            raise StepError(f"{wanted.quoted} was not dropped as planned, {where}: {says}", changed=not same) from None
        if await wanted.look(connection.fetch) is not None:
            raise StepError(f"the server reported success, but {wanted.quoted} is still there", changed=None)
    return Done(f"{wanted.quoted} is dropped")


def drop_statement(wanted: Wanted) -> str:
    """Return the statement that drops an index concurrently."""
    return f"DROP INDEX CONCURRENTLY {wanted.quoted}"


def drop_step(wanted: Wanted, mark: str, name: str) -> LiveStep:
    """Return the step of a rollback that removes what a build of this plan left, valid or not."""

    async def run(hands: Hands) -> Done:
        return await drop(hands, wanted, mark=mark)

    async def settle(eyes: Eyes) -> Settled:
        return await settle_drop(eyes, wanted, mark)

    command = shown(*UNLIMITED, END_OURS.format(mark=marks(mark)), drop_statement(wanted))
    return LiveStep(name, command, True, STEP_LIMIT_S, None, run, settle)


async def settle_build(eyes: Eyes, wanted: Wanted, mark: str) -> Settled:
    """Look whether a build was done: an invalid index is neither done nor not done."""
    ask = asker(eyes, wanted.database)
    if await someone_works(ask, marks(mark)):
        return Settled.UNKNOWN
    found = await wanted.look(ask)
    if found is None:
        return Settled.NOT_DONE
    return Settled.DONE if found.works and wanted.is_same(found) else Settled.UNKNOWN


async def settle_drop(eyes: Eyes, wanted: Wanted, mark: str, *, was_valid: bool | None = None) -> Settled:
    """Look whether an index was dropped. `was_valid`: what it was before; None: it does not matter."""
    ask = asker(eyes, wanted.database)
    if await someone_works(ask, marks(mark)):
        return Settled.UNKNOWN
    found = await wanted.look(ask)
    if found is None:
        return Settled.DONE
    return Settled.UNKNOWN if was_valid and not found.works else Settled.NOT_DONE


def valid_check(wanted: Wanted, watch_s: int = 5) -> LiveCheck:
    """The index is valid, ready and live, and defined as planned."""

    async def sample(eyes: Eyes) -> Sample:
        found = await wanted.look(asker(eyes, wanted.database))
        if found is None:
            return Sample(False, "there is no such index")
        flags = f"valid {found.valid}, ready {found.ready}, live {found.live}"
        if not wanted.is_same(found):
            return Sample(False, f"{flags}, but defined otherwise: {line(found.definition or 'no index', 200)}")
        return Sample(found.works, flags)

    return LiveCheck(f"{wanted.quoted} is valid", watch_s, "indisvalid, indisready and indislive, defined as planned", sample)


def gone_check(wanted: Wanted, watch_s: int = 3) -> LiveCheck:
    """Nothing of that name is there."""

    async def sample(eyes: Eyes) -> Sample:
        found = await wanted.look(asker(eyes, wanted.database))
        return Sample(found is None, "gone" if found is None else f"still there, valid {found.valid}")

    return LiveCheck(f"{wanted.quoted} is gone", watch_s, "the catalog has nothing of that name", sample)
