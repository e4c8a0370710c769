"""Ends idle sessions of one application when connections run out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from debugtui.model.amounts import span
from debugtui.model.plan import DiffPart, Guard, Mitigation
from debugtui.model.postgres import PostgresReading
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
    StepError,
    Undo,
)
from debugtui.remediation.catalogue.postgres.common import (
    FAIL,
    PASS,
    UNKNOWN,
    asker,
    limits,
    literal,
    may_signal,
    moment,
    no_role,
    repair_role,
    repairing,
    send,
    show,
    stamp,
    supported,
    unstamp,
    whole_database,
)
from debugtui.remediation.catalogue.postgres.concurrently import shown
from debugtui.remediation.catalogue.postgres.index_state import Ask
from debugtui.remediation.catalogue.postgres.readings import reading_of
from debugtui.remediation.eyes import Eyes
from debugtui.remediation.hands import Hands
from debugtui.remediation.planner import BACKUP_PROGRAMS
from debugtui.sources.postgres.session import APPLICATION_NAME

#: The share of `max_connections` to come below, in percent.
PERCENT = 80
#: Sessions ended by one statement, and at most by one plan.
BATCH, MOST = 5, 50
#: How long a session has to be idle, in seconds: a pool's sessions that are in use idle for less.
IDLE_S = 60
#: Seconds that the server waits for each to leave; for the statement; for the step; and that the outcome has to hold.
LEAVE_MS, STATEMENT_S, STEP_S, DWELL_S = 2_000, 15.0, 30, 60

_USED = """
SELECT count(*) FILTER (WHERE backend_type = 'client backend')::int AS used,
       current_setting('max_connections')::int AS most,
       current_setting('superuser_reserved_connections')::int AS for_superusers,
       coalesce(current_setting('reserved_connections', true)::int, 0) AS reserved,
       current_setting('server_version_num')::int AS version,
       pg_has_role(current_user, 'pg_read_all_stats', 'USAGE') AS sees
FROM pg_stat_activity
"""

_IDLE = """
SELECT a.pid, a.backend_start, a.usename::text AS username,
       extract(epoch FROM clock_timestamp() - a.state_change)::float8 AS idle
FROM pg_stat_activity AS a JOIN pg_roles AS r ON r.oid = a.usesysid
WHERE a.application_name = $1 AND a.state = 'idle' AND a.backend_type = 'client backend' AND NOT r.rolsuper
  AND a.state_change < clock_timestamp() - make_interval(secs => $2) AND a.pid <> pg_backend_pid()
ORDER BY a.state_change, a.pid
"""

_LEFT = """
SELECT count(*)::int AS left FROM pg_stat_activity AS a
JOIN unnest($1::int[], $2::timestamptz[]) AS v (pid, began) ON v.pid = a.pid AND v.began = a.backend_start
"""


class FreeConnections(Remediation):
    """`pg_terminate_backend` for the oldest idle sessions of one application, five at a time."""

    spec: ClassVar[Spec] = Spec(
        name="postgres.free_connections",
        title="Free connections",
        summary="Connections run out and many are idle: end the oldest idle ones of one application, no more than needed.",
        target="HOST/postgres/DATABASE",
        parameters=(Parameter("application", "the application whose idle sessions are ended, as application_name has it"),),
        risk=(2, 2),
        undo=Undo.NONE,
        undo_says="nothing is lost but the connections; the application's pool opens new ones when it needs them",
        guards=("way_in", "enough_idle", "application_fit", "sessions_seen", "may_signal"),
    )

    def offer(self, view: FleetView, target: Target) -> Offer | None:
        """It applies where the readings show that connections run out."""
        found = reading_of(view, target)
        if found is None or (found[2] and not found[2].isdigit()):
            return None
        database, reading, rest = found
        if rest:
            return None
        says = f"{reading.connections} of {reading.max_connections} connections are used"
        if reading.connections * 100 < reading.max_connections * PERCENT:
            return Offer(self.spec.name, database, False, says)
        application, idle = _most_idle(reading)
        if not idle:
            return Offer(self.spec.name, database, False, f"{says}, but no application has idle ones")
        why = f"{says}; {idle} of {show(application, 60)} are idle"
        return Offer(self.spec.name, database, True, why, (("application", application),), rank=5)

    async def draft(self, eyes: Eyes, target: Target, params: Mapping[str, str]) -> Draft:
        """See `Remediation.draft`."""
        database, whole = whole_database(eyes, target)
        ask = asker(eyes, database)
        await supported(ask)
        application = params["application"]
        if not application:
            raise PlanError("an application without a name cannot be told from others")
        literal(application)
        used = (await ask(_USED))[0]
        needed, keep = _needed(used)
        if needed <= 0:
            raise NothingToDoError(f"{used['used']} of {used['most']} connections are used: that is below {PERCENT} %")
        idle = await ask(_IDLE, application, float(IDLE_S))
        if not idle:
            raise PlanError(f"no session of {show(application, 80)} has been idle for {span(IDLE_S)}")
        # Whole batches: one session more or less must not make the plan stale. The statement itself ends no more than needed.
        chosen = idle[: min(MOST, -(-needed // BATCH) * BATCH)]
        what = show(application, 80)
        return Draft(
            target=whole,
            problem=f"connections run out: {PERCENT} % or more of {used['most']} are used, and {what} keeps idle ones",
            solution=f"end idle sessions of {what}, oldest first, until fewer than {PERCENT} % are used",
            factors=_factors(what),
            identity={"sessions": ", ".join(f"{row['pid']} since {stamp(row['backend_start'])}" for row in chosen)},
            data={
                "database": database,
                "application": application,
                "keep": keep,
                "sessions": [[row["pid"], stamp(row["backend_start"])] for row in chosen],
            },
            diff=(_diff(chosen, used, needed),),
            guards=(
                await _way_in(ask, eyes, database, used),
                _enough(what, len(idle), needed),
                _fit(application),
                _seen(used),
                await may_signal(ask, eyes, database, [row["username"] for row in chosen]),
            ),
            irreversible=(f"the sessions end; they idle outside of any transaction, so no work of {what} is lost",),
            mitigations=(
                Mitigation("postgres.role_timeout", "idle_session_timeout or connection_limit keeps it from returning"),
            ),
            expected=(whole, *(Target(whole.host, "postgres", f"{database}/{row['pid']}") for row in chosen)),
        )

    def steps(self, job: Job) -> tuple[LiveStep, ...]:
        """One statement for each batch."""
        sessions: Any = job.data["sessions"]
        batches = [sessions[at : at + BATCH] for at in range(0, len(sessions), BATCH)]
        return tuple(_step(job, number, batch, len(batches)) for number, batch in enumerate(batches, 1))

    def undo(self, job: Job) -> tuple[LiveStep, ...]:
        """There is none, and none is needed."""
        return ()

    def checks(self, job: Job) -> tuple[LiveCheck, ...]:
        """Enough connections are free, and stay so."""

        async def sample(eyes: Eyes) -> Sample:
            used = (await asker(eyes, str(job.data["database"]))(_USED))[0]
            return Sample(_needed(used)[0] <= 0, f"{used['used']} of {used['most']} used")

        why = "a pool may open as many new connections at once"
        return (LiveCheck(f"fewer than {PERCENT} % of the connections are used", DWELL_S, why, sample),)

    def undo_checks(self, job: Job) -> tuple[LiveCheck, ...]:
        """There is nothing to check."""
        return ()


def _most_idle(reading: PostgresReading) -> tuple[str, int]:
    """Return the application with most sessions that idle long enough, and how many."""
    counts: dict[str, int] = {}
    for session in reading.sessions:
        long = session.state_change is not None and (reading.taken_at - session.state_change).total_seconds() >= IDLE_S
        ours = session.application.startswith(APPLICATION_NAME)
        if session.state == "idle" and long and session.application and not ours:
            counts[session.application] = counts.get(session.application, 0) + 1
    if not counts:
        return "", 0
    name = max(sorted(counts), key=lambda each: counts[each])
    return name, counts[name]


def _needed(used: Mapping[str, Any]) -> tuple[int, int]:
    """Return how many have to go so that fewer than the share are used, and how many may stay."""
    keep = -(-used["most"] * PERCENT // 100) - 1  # the largest number below the share
    return used["used"] - keep, keep


async def _way_in(ask: Ask, eyes: Eyes, database: str, used: Mapping[str, Any]) -> Guard:
    """The repair role gets in although connections run out."""
    name = "way_in"
    user, role = await repair_role(ask, eyes, database)
    if role is None:
        return no_role(name, user)
    kept = used["for_superusers"] + used["reserved"]
    says = f"{used['used']} of {used['most']} used, {kept} of them reserved, read just now"
    free = used["most"] - used["used"]
    if free > kept or (role["super"] and free > 0):
        return Guard(name, PASS, f"the repair role {show(user, 80)} still gets in", says)
    if used["reserved"] and free > used["for_superusers"]:
        sql = "SELECT pg_has_role($1::int8::oid, 'pg_use_reserved_connections', 'USAGE') AS may"
        if (await ask(sql, role["oid"]))[0]["may"]:
            return Guard(name, PASS, f"the repair role {show(user, 80)} may use a reserved connection", says)
    grant = (
        "GRANT pg_use_reserved_connections to it, and set reserved_connections"
        if used["version"] >= 160_000
        else "only a superuser"
    )
    return Guard(name, FAIL, f"no connection is left for the repair role {show(user, 80)}: {grant}", says)


def _enough(what: str, idle: int, needed: int) -> Guard:
    says = f"{idle} idle for {span(IDLE_S)} or longer, {needed} have to go, at most {MOST} at a time; read just now"
    if min(idle, MOST) >= needed:
        return Guard("enough_idle", PASS, f"{what} has enough idle sessions", says)
    return Guard("enough_idle", FAIL, f"the idle sessions of {what} are too few to come below {PERCENT} %", says)


def _fit(application: str) -> Guard:
    name, low = "application_fit", application.lower()
    if low.startswith(APPLICATION_NAME):
        return Guard(name, FAIL, "those are sessions of DebugTUI itself", "application_name")
    if low.startswith(BACKUP_PROGRAMS):
        return Guard(
            name, FAIL, f"{show(application, 80)} makes backups: its sessions idle between two steps", "application_name"
        )
    return Guard(name, PASS, "it is neither ours nor a backup", "application_name, read just now")


def _seen(used: Mapping[str, Any]) -> Guard:
    if used["sees"]:
        return Guard("sessions_seen", PASS, "the state of every session is seen", "pg_read_all_stats, read just now")
    why = "the monitoring role sees the state of its own sessions only; it needs pg_monitor"
    return Guard("sessions_seen", UNKNOWN, why, "pg_has_role(pg_read_all_stats) is false")


def _factors(what: str) -> Factors:
    return Factors(
        interruption=Factor(2, f"several sessions of {what} end; a pool that does not test its connections sees errors"),
        reversibility=Factor(2, "the pool opens new sessions when it needs them"),
        durable_data=Factor(0, "idle sessions have no uncommitted work"),
        blast_radius=Factor(2, f"{what} and its clients"),
        blocking=Factor(0, "it takes no lock"),
        verifiability=Factor(0, "connections are counted directly"),
        context=Factor(1, "connections run out"),
    )


def _diff(chosen: Sequence[Mapping[str, Any]], used: Mapping[str, Any], needed: int) -> DiffPart:
    lines = [f"{row['pid']} {show(row['username'], 40)}: idle for {span(row['idle'])}" for row in chosen]
    before = "\n".join([f"{used['used']} of {used['most']} connections used", *lines])
    after = f"{used['used'] - min(needed, len(chosen))} of {used['most']} used; of these sessions {needed} are ended at most"
    return DiffPart("idle sessions, longest idle first", "text", before, after)


def _step(job: Job, number: int, batch: Sequence[Any], of: int) -> LiveStep:
    data = job.data
    statement = _statement(data, batch)
    before = limits(STATEMENT_S)

    async def run(hands: Hands) -> Done:
        async with repairing(hands, str(data["database"]), before, changed=None) as connection:
            rows = await send(connection, statement, STATEMENT_S + 2)
        if rows and not all(row["sent"] for row in rows):
            failed = ", ".join(str(row["pid"]) for row in rows if not row["sent"])
            if await _left(hands, data, [each for each in batch if any(row["pid"] == each[0] for row in rows)]):
                raise StepError(f"these sessions did not leave: {failed}", changed=None)
        if rows:
            return Done(f"{len(rows)} ended")
        used = (await asker(hands, str(data["database"]))(_USED))[0]
        if number == 1 and _needed(used)[0] > 0:
            raise StaleError("none of these sessions is idle any more; nothing was ended")
        return Done("none was ended: enough connections are free, or none of these is idle any more")

    async def settle(eyes: Eyes) -> Settled:
        left = await _left(eyes, data, batch)
        return Settled.DONE if not left else Settled.NOT_DONE if left == len(batch) else Settled.UNKNOWN

    name = f"End idle sessions, batch {number} of {of}"
    return LiveStep(name, shown(*before, statement), True, STEP_S, None, run, settle)


def _statement(data: Mapping[str, object], batch: Sequence[Any]) -> str:
    """Return the statement that ends those of a batch that are still idle, oldest first, and no more than needed."""
    values = ",\n         ".join(f"({int(pid)}, {moment(unstamp(began))})" for pid, began in batch)
    application, keep = literal(str(data["application"])), int(str(data["keep"]))
    return f"""SELECT s.pid, pg_catalog.pg_terminate_backend(s.pid, {LEAVE_MS}) AS sent
FROM (SELECT a.pid FROM pg_catalog.pg_stat_activity AS a
      JOIN (VALUES {values}) AS v (pid, began) ON v.pid = a.pid AND v.began = a.backend_start
      WHERE a.state = 'idle' AND a.application_name = {application} AND a.backend_type = 'client backend'
        AND a.state_change < pg_catalog.clock_timestamp() - interval '{IDLE_S} s'
      ORDER BY a.state_change, a.pid
      LIMIT (SELECT greatest(0, pg_catalog.count(*) - 1 - {keep}) -- one is this very session
             FROM pg_catalog.pg_stat_activity WHERE backend_type = 'client backend')) AS s"""  # noqa: S608 - numbers and quoted words


async def _left(eyes: Eyes, data: Mapping[str, object], batch: Sequence[Any]) -> int:
    pids, began = [int(each[0]) for each in batch], [unstamp(each[1]) for each in batch]
    return int((await asker(eyes, str(data["database"]))(_LEFT, pids, began))[0]["left"])
