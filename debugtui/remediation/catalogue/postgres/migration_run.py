"""Sends a reviewed migration: transactions with bounded locks and retries, and what cannot be in one by itself."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

from debugtui.model.text import line
from debugtui.remediation.base import Done, Settled, StaleError, StepError
from debugtui.remediation.catalogue.postgres.concurrently import UNLIMITED, marks, send, shown
from debugtui.remediation.catalogue.postgres.index_state import Ask, asker, someone_works
from debugtui.remediation.catalogue.postgres.sql_review import Made
from debugtui.remediation.eyes import Eyes
from debugtui.remediation.hands import Hands

if TYPE_CHECKING:
    import asyncpg

#: How long a statement waits for a lock: everybody who comes later waits behind it. Shorter than `STRONG_S`, or the statement's
#: own limit would end it first and it would not be tried again.
LOCK_TIMEOUT = "1500ms"
#: Seconds for statements that block reads or writes, waiting included: each, and all of one transaction together. So nobody
#: waits longer behind them. Others only have a limit each.
STRONG_S, WEAK_S = 2, 900
#: How often a transaction that got no lock is tried, and the wait before the second try in seconds; it doubles.
TRIES, FIRST_WAIT_S = 5, 1.0

XID = "SELECT pg_catalog.txid_current()"

_MADE = """
SELECT w.number,
       CASE w.kind
       WHEN 'gone' THEN c.oid IS NULL
       WHEN 'relation' THEN c.oid IS NOT NULL
       WHEN 'index' THEN coalesce(i.indisvalid AND i.indisready AND i.indislive, false)
       WHEN 'column' THEN EXISTS (SELECT FROM pg_attribute AS a
            WHERE a.attrelid = c.oid AND a.attname = w.part AND a.attnum > 0 AND NOT a.attisdropped)
       WHEN 'constraint' THEN EXISTS (SELECT FROM pg_constraint AS k WHERE k.conrelid = c.oid AND k.conname = w.part)
       WHEN 'validated' THEN EXISTS (SELECT FROM pg_constraint AS k
            WHERE k.conrelid = c.oid AND k.conname = w.part AND k.convalidated)
       END AS there
FROM unnest($1::int[], $2::text[], $3::text[], $4::text[], $5::text[]) AS w(number, kind, schema, name, part)
LEFT JOIN pg_namespace AS n ON n.nspname = w.schema
LEFT JOIN pg_class AS c ON c.relnamespace = n.oid AND c.relname = w.name
LEFT JOIN pg_index AS i ON i.indexrelid = c.oid
ORDER BY w.number
"""

_MOVED = """
SELECT w.name FROM unnest($1::text[], $2::int8[]) AS w(name, id)
WHERE to_regclass(w.name) IS DISTINCT FROM w.id::oid OR pg_is_in_recovery()
"""


@dataclass(frozen=True, slots=True)
class Group:
    """Statements that go together: one transaction, or one statement by itself.

    Attributes:
        statements: as in the file.
        alone: the one statement cannot run in a transaction.
        strong: some block reads or writes.
        makes: what they make, with the schema filled in.
    """

    statements: tuple[str, ...]
    alone: bool
    strong: bool
    makes: tuple[Made, ...]

    def data(self) -> dict[str, object]:
        """As a plan's data."""
        makes = [[made.kind, made.schema, made.name, made.part, made.if_missing] for made in self.makes]
        return {"statements": list(self.statements), "alone": self.alone, "strong": self.strong, "makes": makes}

    @classmethod
    def of(cls, data: object) -> Group:
        """From a plan's data."""
        fields = cast("Mapping[str, Any]", data)
        makes = tuple(Made(*each) for each in fields["makes"])
        return cls(tuple(fields["statements"]), fields["alone"], fields["strong"], makes)

    def messages(self, schema: str) -> tuple[str, ...]:
        """Everything that is sent, each in a message of its own."""
        path = f"search_path = {schema}, pg_temp"
        if self.alone:
            return (*UNLIMITED, f"SET {path}", *self.statements)
        limit = STRONG_S if self.strong else WEAK_S
        return (
            "BEGIN",
            f"SET LOCAL {path}",
            "SET LOCAL standard_conforming_strings = on",
            f"SET LOCAL lock_timeout = '{LOCK_TIMEOUT}'",
            f"SET LOCAL statement_timeout = '{limit}s'",
            "SET LOCAL idle_in_transaction_session_timeout = '5s'",
            *self.statements,
            XID,
            "COMMIT",
        )

    @property
    def limit_s(self) -> int:
        """The step's own time limit."""
        if self.alone:
            return 7 * 86_400
        return TRIES * (STRONG_S if self.strong else WEAK_S * len(self.statements)) + 120

    def command(self, schema: str) -> str:
        """As the plan shows it."""
        return shown(*self.messages(schema))


async def seen(ask: Ask, makes: Sequence[Made]) -> tuple[bool, ...]:
    """Say of each whether the catalogs show it."""
    if not makes:
        return ()
    rows = await ask(
        _MADE,
        list(range(len(makes))),
        [made.kind for made in makes],
        [made.schema for made in makes],
        [made.name for made in makes],
        [made.part for made in makes],
    )
    return tuple(bool(row["there"]) for row in rows)


def named(made: Made) -> str:
    """Say what it is in words."""
    whole = line(f"{made.schema}.{made.name}", 100)
    return {
        "gone": f"{whole} is gone",
        "relation": f"{whole} is there",
        "index": f"index {whole} is valid",
        "column": f"{whole} has {line(made.part, 60)}",
        "constraint": f"{whole} has {line(made.part, 60)}",
        "validated": f"{line(made.part, 60)} of {whole} is validated",
    }[made.kind]


async def send_group(hands: Hands, database: str, group: Group, schema: str, relations: Mapping[str, int], key: str) -> Done:
    """Send one group; a transaction that gets no lock is rolled back and tried again."""
    async with hands.repair(database) as connection:
        await _still_the_same(connection, relations)
        if group.alone:
            return await _send_alone(connection, group, schema)
        wait = FIRST_WAIT_S
        for attempt in range(1, TRIES + 1):
            try:
                xid = await _transaction(connection, group, schema)
                return Done(f"committed as transaction {xid}", {key: str(xid)})
            except _RetryError as error:
                hands.tell(
                    f"try {attempt} of {TRIES}: no lock within {LOCK_TIMEOUT} ({line(str(error), 100)}); nothing changed"
                )
            if attempt < TRIES:
                await asyncio.sleep(wait * hands.around.dwell)
                wait *= 2
    raise StepError(f"no lock within {LOCK_TIMEOUT} in {TRIES} tries: rolled back, nothing changed", changed=False)


class _RetryError(Exception):
    """It was rolled back because of somebody else's lock."""


async def _still_the_same(connection: asyncpg.Connection[Any], relations: Mapping[str, int]) -> None:
    import asyncpg

    try:
        rows = await connection.fetch(_MOVED, list(relations), list(relations.values()), timeout=10.0)
    except (asyncpg.PostgresError, asyncpg.InterfaceError, OSError, TimeoutError) as error:
        raise StepError(f"the target cannot be read again, nothing was sent: {line(str(error), 200)}", changed=False) from None
    if rows:
        raise StaleError(f"{line(rows[0]['name'], 100)} is not the one any more that was planned for")


async def _send_alone(connection: asyncpg.Connection[Any], group: Group, schema: str) -> Done:
    import asyncpg

    try:
        for message in group.messages(schema):
            await send(connection, message)
    except (asyncpg.PostgresError, asyncpg.InterfaceError, OSError) as error:
        there = any(await seen(connection.fetch, group.makes)) if not connection.is_closed() else None
        left = "; an invalid index may be left" if "CONCURRENTLY" in group.statements[0].upper() else ""
        raise StepError(f"{line(str(error), 300)}{left}", changed=True if there else None) from None
    if not all(await seen(connection.fetch, group.makes)):
        raise StepError("the server reported success, but the catalog does not show it", changed=None)
    return Done("done")


async def _transaction(connection: asyncpg.Connection[Any], group: Group, schema: str) -> int:
    """Send one transaction; return its number. Before COMMIT is sent nothing is ever left behind."""
    import asyncpg

    *before, last = group.messages(schema)
    first = before.index(group.statements[0])
    xid = 0
    limit = STRONG_S if group.strong else WEAK_S * len(group.statements)
    try:
        for message in before[:first]:
            await connection.fetch(message, timeout=10.0)
        async with asyncio.timeout(limit):  # nothing is locked before the first statement
            for message in before[first:]:
                if message == XID:
                    xid = int(await connection.fetchval(message))
                else:
                    await connection.fetch(message)
    except (asyncpg.LockNotAvailableError, asyncpg.DeadlockDetectedError) as error:
        await connection.execute("ROLLBACK", timeout=10.0)
        raise _RetryError(str(error)) from None
    except (asyncpg.PostgresError, asyncpg.InterfaceError, OSError, TimeoutError) as error:
        connection.terminate()
        says = f"not done within {limit} s" if isinstance(error, TimeoutError) else line(str(error), 300)
        raise StepError(f"rolled back, nothing changed: {says}", changed=False) from None
    try:
        await connection.fetch(last, timeout=30.0)
    except asyncpg.PostgresError as error:
        raise StepError(f"COMMIT was refused: {line(str(error), 300)}", changed=None) from None
    return xid


async def settle_group(eyes: Eyes, database: str, group: Group, plan_mark: str) -> Settled:
    """Look whether a group was done: by what it makes, all or nothing."""
    ask = asker(eyes, database)
    if await someone_works(ask, marks(plan_mark)):
        return Settled.UNKNOWN
    there = await seen(ask, [made for made in group.makes if not made.if_missing])
    if there and all(there):
        return Settled.DONE
    return Settled.NOT_DONE if there and not any(there) and not group.alone else Settled.UNKNOWN


async def committed(eyes: Eyes, database: str, xid: str) -> bool | None:
    """Say whether a transaction is committed; None: too old to be known, or unknown."""
    rows = await eyes.fetch(database, "SELECT txid_status($1::text::int8) AS status", xid)
    status = rows[0]["status"]
    return None if status is None else status == "committed"
