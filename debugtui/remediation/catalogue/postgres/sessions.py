"""Cancels a query, or ends the session that blocks others."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

from debugtui.model.amounts import span
from debugtui.model.plan import Guard, Mitigation
from debugtui.model.source import FleetView
from debugtui.model.target import Target
from debugtui.remediation.base import (
    Factor,
    Factors,
    Job,
    LiveCheck,
    Offer,
    Sample,
    Spec,
    Undo,
)
from debugtui.remediation.catalogue.postgres.common import (
    FAIL,
    PASS,
    moment,
    show,
    stamp,
    unstamp,
)
from debugtui.remediation.catalogue.postgres.index_state import Ask
from debugtui.remediation.catalogue.postgres.one_session import (
    DWELL_S,
    LEAVE_S,
    NO_LOCK,
    ONE,
    RETRY,
    SEEN,
    TERMINATE,
    OfOneSession,
    age_of,
    free_check,
    guarded,
    now_of,
    waiting,
)
from debugtui.remediation.catalogue.postgres.session_offers import Row, row_of, unfit
from debugtui.remediation.catalogue.postgres.session_state import (
    Found,
    Waits,
    sample_connections,
)
from debugtui.remediation.eyes import Eyes

_STATES = frozenset(
    {"active", "idle", "idle in transaction", "idle in transaction (aborted)", "fastpath function call", "disabled"}
)


class CancelQuery(OfOneSession):
    """`pg_cancel_backend`, for exactly the query that was seen."""

    spec: ClassVar[Spec] = Spec(
        name="postgres.cancel_query",
        title="Cancel the query",
        summary="A query runs too long or blocks others: cancel exactly that query; its session stays.",
        target="HOST/postgres/DATABASE/PID",
        parameters=(),
        risk=(2, 2),
        undo=Undo.NONE,
        undo_says="the statement is rolled back; the application has to send it again",
        guards=("query_running", "client_session", "not_superuser", "not_backup", "not_migration", "may_signal"),
    )

    def offer(self, view: FleetView, target: Target) -> Offer | None:
        """It applies to a session that runs a query; for a waiter, to the one at the root of its queue."""
        found = row_of(view, target)
        if not isinstance(found, Row):
            return None if found is None else Offer(self.spec.name, target, False, found)
        session = found.session
        if why := unfit(session):
            return Offer(self.spec.name, found.target, False, why)
        if session.state.startswith("idle in transaction"):
            why = "it runs no query, it idles in its transaction: cancelling has no effect; end the session instead"
            return Offer(self.spec.name, found.target, False, why)
        if session.state != "active":
            return Offer(self.spec.name, found.target, False, "it runs no query")
        return Offer(self.spec.name, found.target, True, found.why, rank=0 if found.waiters else 30)

    def checks(self, job: Job) -> tuple[LiveCheck, ...]:
        """That query is gone, and nobody is blocked by its application again."""

        async def gone(eyes: Eyes) -> Sample:
            still = await self._still(eyes, job.data)
            return Sample(not still, "that query still runs" if still else "that query is gone")

        why = "a server says that it cancelled even where nothing ends"
        return (LiveCheck("the query is gone", DWELL_S, why, gone, within_s=5.0), free_check(job))

    def _applies(self, found: Found) -> Guard:
        name, says = "query_running", f"state is {show(found.state, 60) or 'empty'}, read just now"
        if found.state == "active":
            age = found.query_age
            return Guard(name, PASS, "it runs a query", says if age is None else f"{says}, for {span(age)}")
        if found.in_transaction:
            why = "it idles in its transaction: cancelling has no effect there; postgres.terminate_session ends it"
            return Guard(name, FAIL, why, says)
        return Guard(name, FAIL, "it runs no query that could be cancelled", says)

    def _does(self, found: Found) -> str:
        return "runs a query" if found.state == "active" else f"is {show(found.state, 40) or 'not at work'}"

    def _solution(self, found: Found) -> str:
        return f"cancel exactly this query of session {found.pid}; the session stays"

    def _identity(self, found: Found) -> dict[str, str]:
        return {
            "session": f"{found.pid}, since {stamp(found.backend_start)}",
            "state": found.state or "none",
            "query": f"since {stamp(found.query_start) or 'never'}",
        }

    def _factors(self, found: Found, waits: Waits) -> Factors:
        lost = Factor(0, "it has written nothing yet")
        if found.has_written:
            lost = Factor(1, f"its transaction{age_of(found)} is rolled back with all that it wrote")
        return Factors(
            interruption=Factor(1, "one statement fails; the application can send it again"),
            reversibility=RETRY,
            durable_data=lost,
            blast_radius=ONE,
            blocking=NO_LOCK,
            verifiability=SEEN,
            context=waiting(found, waits),
        )

    def _after(self, found: Found) -> str:
        return f"{found.pid}: the query ends with an error; the session stays"

    def _lost(self, found: Found) -> tuple[str, ...]:
        if found.has_written:
            return (f"the transaction of {found.pid} is rolled back with all that it wrote; the application does it again",)
        return (f"the statement of session {found.pid} ends with an error; the application sends it again",)

    async def _ways_out(self, ask: Ask, database: str, found: Found, waits: Waits) -> tuple[Mitigation, ...]:
        if found.in_transaction:
            return (Mitigation(TERMINATE, "ends the session that idles in its transaction"),)
        return await super()._ways_out(ask, database, found, waits)

    def _statement(self, data: Mapping[str, object]) -> str:
        query = moment(unstamp(data["query_start"]))
        return guarded("pg_catalog.pg_cancel_backend(pid)", data, f"query_start = {query}\n  AND state = 'active'")

    async def _still(self, eyes: Eyes, data: Mapping[str, object]) -> bool:
        row = await now_of(eyes, data)
        return row is not None and row[0] == "active" and row[1] == str(data["query_start"])


class TerminateSession(OfOneSession):
    """`pg_terminate_backend`, for exactly the session in exactly the transaction that was seen."""

    spec: ClassVar[Spec] = Spec(
        name="postgres.terminate_session",
        title="End the session",
        summary="A session holds locks that others wait for: end it; what it did not commit is rolled back.",
        target="HOST/postgres/DATABASE/PID",
        parameters=(),
        risk=(2, 3),
        undo=Undo.NONE,
        undo_says="uncommitted work is lost; the application connects again and does it again",
        guards=("session_there", "client_session", "not_superuser", "not_backup", "not_migration", "may_signal"),
    )

    def offer(self, view: FleetView, target: Target) -> Offer | None:
        """It applies to a session in a transaction; for a waiter, to the one at the root of its queue."""
        found = row_of(view, target)
        if not isinstance(found, Row):
            return None if found is None else Offer(self.spec.name, target, False, found)
        session = found.session
        if why := unfit(session):
            return Offer(self.spec.name, found.target, False, why)
        idle = session.state.startswith("idle in transaction")
        if not idle and not found.waiters and session.xact_start is None:
            return Offer(self.spec.name, found.target, False, "it holds no transaction open and blocks nobody")
        return Offer(self.spec.name, found.target, True, found.why, rank=(0 if idle else 10) if found.waiters else 40)

    def checks(self, job: Job) -> tuple[LiveCheck, ...]:
        """The session is gone, nobody is blocked by its application again, and it does not storm back."""

        async def gone(eyes: Eyes) -> Sample:
            row = await now_of(eyes, job.data)
            return Sample(row is None, "gone" if row is None else f"still there, {row[0]}")

        async def calm(eyes: Eyes) -> Sample:
            return await sample_connections(eyes, job.data, job.results)

        why = "the server may say no because it is gone already, or because it may not be ended"
        storm = "an application whose session ends may open many new ones"
        return (
            LiveCheck("the session is gone", DWELL_S, why, gone, within_s=LEAVE_S),
            free_check(job),
            LiveCheck("no surge of connections", DWELL_S, storm, calm),
        )

    def _applies(self, found: Found) -> Guard:
        age = "" if found.xact_age is None else f", in a transaction for {span(found.xact_age)}"
        return Guard("session_there", PASS, "it is there", f"state is {show(found.state, 60) or 'empty'}{age}, read just now")

    def _does(self, found: Found) -> str:
        return {"active": "is at work", "idle": "idles"}.get(found.state, f"is {show(found.state, 60) or 'there'}")

    def _solution(self, found: Found) -> str:
        return f"end session {found.pid}; what it has not committed is rolled back"

    def _identity(self, found: Found) -> dict[str, str]:
        return {
            "session": f"{found.pid}, since {stamp(found.backend_start)}",
            "state": found.state or "none",
            "transaction": f"since {stamp(found.xact_start)}" if found.xact_start else "none",
        }

    def _factors(self, found: Found, waits: Waits) -> Factors:
        batch = found.batch
        lost = Factor(0, "it has written nothing: its transaction only read")
        if batch:
            lost = Factor(2, f"a batch's uncommitted work{age_of(found)} is lost: {batch}")
        elif found.has_written:
            lost = Factor(1, f"one session's uncommitted work{age_of(found)} is lost")
        interruption = Factor(1, "one session ends; its application connects again")
        return Factors(
            interruption=Factor(2, "a batch stops and has to begin again") if batch else interruption,
            reversibility=RETRY,
            durable_data=lost,
            blast_radius=Factor(2, "a batch and whoever needs its result") if batch else ONE,
            blocking=NO_LOCK,
            verifiability=SEEN,
            context=waiting(found, waits),
        )

    def _data(self, database: str, found: Found) -> dict[str, object]:
        data = super()._data(database, found)
        del data["query_start"]  # a session that goes on in the same transaction still is the one that was meant
        return data

    def _after(self, found: Found) -> str:
        return f"{found.pid}: ended"

    def _lost(self, found: Found) -> tuple[str, ...]:
        if not found.has_written:
            return (f"session {found.pid} ends; it has written nothing. Its application connects again",)
        return (f"what session {found.pid} wrote and did not commit is lost; its last statement is kept in this plan",)

    def _statement(self, data: Mapping[str, object]) -> str:
        xact = moment(unstamp(data["xact_start"]))
        state = f"= '{data['state']}'" if data["state"] in _STATES else "IS NULL"
        more = f"state {state}\n  AND xact_start IS NOT DISTINCT FROM {xact}"
        return guarded(f"pg_catalog.pg_terminate_backend(pid, {LEAVE_S * 1000})", data, more)

    async def _still(self, eyes: Eyes, data: Mapping[str, object]) -> bool:
        return await now_of(eyes, data) is not None
