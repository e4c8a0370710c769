"""What ending a query and ending a session have in common: one session, one guarded statement."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping

from debugtui.model.amounts import span
from debugtui.model.plan import DiffPart, Guard, Mitigation
from debugtui.model.postgres import Session
from debugtui.model.target import Target
from debugtui.remediation.base import (
    Done,
    Draft,
    Factor,
    Factors,
    Job,
    LiveCheck,
    LiveStep,
    Remediation,
    Sample,
    Settled,
    StaleError,
    StepError,
)
from debugtui.remediation.catalogue.postgres import session_guards as guards
from debugtui.remediation.catalogue.postgres.common import (
    asker,
    limits,
    may_signal,
    moment,
    repairing,
    send,
    session_of,
    show,
    stamp,
    supported,
    unstamp,
)
from debugtui.remediation.catalogue.postgres.concurrently import shown
from debugtui.remediation.catalogue.postgres.index_state import Ask
from debugtui.remediation.catalogue.postgres.session_state import (
    Found,
    Waits,
    before_facts,
    drawn,
    find_session,
    named,
    read_waits,
    sample_free,
)
from debugtui.remediation.eyes import Eyes
from debugtui.remediation.hands import Hands

#: Seconds that the server waits for a session to leave before it says that it has not.
LEAVE_S = 5
#: Seconds for the statement on the server, and for the whole step.
STATEMENT_S, STEP_S = 8.0, 20
#: Seconds that the outcome has to hold.
DWELL_S = 30

_STILL = "SELECT state::text AS state, query_start FROM pg_stat_activity WHERE pid = $1 AND backend_start = $2"

#: The remediation that ends a session.
TERMINATE = "postgres.terminate_session"

RETRY = Factor(4, "what was rolled back is gone; the application has to do it again")
ONE = Factor(1, "one session of one application")
NO_LOCK = Factor(0, "it takes no lock, it frees some")
SEEN = Factor(0, "sessions and locks are read directly")


class OfOneSession(Remediation):
    """What ending a query and ending a session have in common."""

    async def draft(self, eyes: Eyes, target: Target, params: Mapping[str, str]) -> Draft:
        """See `Remediation.draft`."""
        database, pid = session_of(eyes, target)
        ask = asker(eyes, database)
        await supported(ask)
        found = await find_session(ask, pid)
        waits = await read_waits(ask, found.version)
        judged = (
            self._applies(found),
            guards.client_session(found),
            guards.not_superuser(found),
            guards.not_backup(found),
            guards.not_migration(found),
            await may_signal(ask, eyes, database, [found.username]),
        )
        return Draft(
            target=Target(target.host, "postgres", f"{database}/{pid}"),
            problem=f"{found.who} {self._does(found)}{' and blocks others' if waits.below(pid) else ''}",
            solution=self._solution(found),
            factors=self._factors(found, waits),
            identity=self._identity(found),
            data=self._data(database, found),
            diff=_diff(found, waits, self._after(found)),
            guards=judged,
            irreversible=self._lost(found),
            mitigations=await self._ways_out(ask, database, found, waits),
            expected=(Target(target.host, "postgres", f"{database}/{pid}"),),
        )

    def steps(self, job: Job) -> tuple[LiveStep, ...]:
        """One guarded statement."""
        statement = self._statement(job.data)
        before = limits(STATEMENT_S)

        async def run(hands: Hands) -> Done:
            return await self._run(hands, job.data, before, statement)

        async def settle(eyes: Eyes) -> Settled:
            return Settled.NOT_DONE if await self._still(eyes, job.data) else Settled.DONE

        return (LiveStep(self.spec.title, shown(*before, statement), True, STEP_S, None, run, settle),)

    async def _run(self, hands: Hands, data: Mapping[str, object], before: tuple[str, ...], statement: str) -> Done:
        database = str(data["database"])
        ask = asker(hands, database)
        if not await self._still(hands, data):
            raise StaleError(f"session {data['pid']} is not as it was approved any more; nothing was sent to it")
        facts = await before_facts(ask, data)
        async with repairing(hands, database, before) as connection:
            rows = await send(connection, statement, STATEMENT_S + 2)
        if not rows:
            raise StaleError(f"session {data['pid']} is not as it was approved any more; nothing was sent to it")
        if rows[0]["sent"]:
            return Done(f"the server says that it did it to {rows[0]['pid']}", facts)
        if not await self._still(hands, data):
            return Done(f"{data['pid']} was gone before it was told", facts)
        raise StepError(f"the server could not do it to session {data['pid']}, which is still there", changed=None)

    def undo(self, job: Job) -> tuple[LiveStep, ...]:
        """There is none."""
        return ()

    def undo_checks(self, job: Job) -> tuple[LiveCheck, ...]:
        """There is nothing to check."""
        return ()

    # --- what differs

    @abstractmethod
    def _applies(self, found: Found) -> Guard: ...

    @abstractmethod
    def _does(self, found: Found) -> str: ...

    @abstractmethod
    def _solution(self, found: Found) -> str: ...

    @abstractmethod
    def _factors(self, found: Found, waits: Waits) -> Factors: ...

    @abstractmethod
    def _identity(self, found: Found) -> dict[str, str]: ...

    def _data(self, database: str, found: Found) -> dict[str, object]:
        return {
            "database": database,
            "pid": found.pid,
            "backend_start": stamp(found.backend_start),
            "xact_start": stamp(found.xact_start),
            "query_start": stamp(found.query_start),
            "state": found.state,
            "application": found.application,
            "username": found.username,
        }

    @abstractmethod
    def _after(self, found: Found) -> str: ...

    @abstractmethod
    def _lost(self, found: Found) -> tuple[str, ...]: ...

    async def _ways_out(self, ask: Ask, database: str, found: Found, waits: Waits) -> tuple[Mitigation, ...]:
        root = waits.root(found.pid)
        if root is None:
            return (Mitigation("", "a prepared transaction is at the root: only its coordinator may decide how it ends"),)
        if root != found.pid:
            return (Mitigation(TERMINATE, f"session {root} is at the root of what it waits for: end that"),)
        return ()

    @abstractmethod
    def _statement(self, data: Mapping[str, object]) -> str: ...

    @abstractmethod
    async def _still(self, eyes: Eyes, data: Mapping[str, object]) -> bool: ...


def guarded(call: str, data: Mapping[str, object], more: str) -> str:
    """Return the statement that acts and looks in one round trip: no row, and nothing happened."""
    began = moment(unstamp(data["backend_start"]))
    return (
        f"SELECT pid, {call} AS sent\nFROM pg_catalog.pg_stat_activity\n"
        f"WHERE pid = {pid_of(data)}\n  AND backend_start = {began}\n  AND {more}\n"
        f"  AND backend_type = 'client backend'\n  AND pid <> pg_catalog.pg_backend_pid()"
    )


def pid_of(data: Mapping[str, object]) -> int:
    """Return the process id of a plan's data."""
    return int(str(data["pid"]))


async def now_of(eyes: Eyes, data: Mapping[str, object]) -> tuple[str, str] | None:
    """Return state and query start of the session that was meant, None where it is gone."""
    rows = await eyes.fetch(str(data["database"]), _STILL, pid_of(data), unstamp(data["backend_start"]))
    return (rows[0]["state"] or "", stamp(rows[0]["query_start"])) if rows else None


def free_check(job: Job) -> LiveCheck:
    """Return the check that nobody waits for the application any more, or again."""

    async def free(eyes: Eyes) -> Sample:
        return await sample_free(eyes, job.data, job.results)

    why = "the same application may take the same locks again at once"
    return LiveCheck("whoever waited is free", DWELL_S, why, free)


def age_of(found: Found) -> str:
    """Return ` of 12 min`: how old its transaction is; empty where it has none."""
    return "" if found.xact_age is None else f" of {span(found.xact_age)}"


def waiting(found: Found, waits: Waits) -> Factor:
    """Return what the waiters add to the context."""
    below = waits.below(found.pid)
    return Factor(1, f"{len(below)} wait for it: {named(below)}") if below else Factor(0, "nobody waits for it")


def _diff(found: Found, waits: Waits, after: str) -> tuple[DiffPart, ...]:
    foretold = waits.without(found.pid)
    freed = [each for each in waits.below(found.pid) if not _waits_still(foretold, each)]
    written = "it has written" if found.has_written else "it has written nothing"
    about = (
        f"{found.pid} {show(found.application, 60)}: {found.state}{age_of(found)}; {written}; user {show(found.username, 60)}"
    )
    return (
        DiffPart("who waits for whom", "text", drawn(waits.tree(), waits), drawn(foretold.tree(), foretold)),
        DiffPart("the session", "text", about, f"{after}; free at once: {named(freed) or 'nobody'}"),
        DiffPart("its last statement, literals masked", "sql", found.statement, ""),
    )


def _waits_still(waits: Waits, session: Session) -> bool:
    return any(each.pid == session.pid and each.blocked_by for each in waits.sessions)
