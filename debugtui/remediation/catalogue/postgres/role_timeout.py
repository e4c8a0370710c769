"""Bounds what sessions of one role may do: how long they wait, work or idle, and how many there may be."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, ClassVar

from debugtui.model.plan import DiffPart, Guard
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
from debugtui.remediation.catalogue.postgres.common import (
    FAIL,
    PASS,
    asker,
    limits,
    literal,
    no_role,
    repair_role,
    repairing,
    send,
    show,
    supported,
    whole_database,
)
from debugtui.remediation.catalogue.postgres.concurrently import shown
from debugtui.remediation.catalogue.postgres.guc_value import ValueFormatError, number, plain
from debugtui.remediation.catalogue.postgres.index_state import Ask
from debugtui.remediation.catalogue.postgres.readings import reading_of
from debugtui.remediation.eyes import Eyes
from debugtui.remediation.hands import Hands
from debugtui.sources.postgres.dsn import parse_dsn

STATEMENT_S, STEP_S, DWELL_S = 5.0, 20, 5

#: The number of connections that a role may have; an attribute of the role and no parameter.
CONNECTION_LIMIT = "connection_limit"
#: Lowest and highest value of each, in milliseconds, and what a shorter one does. 0 switches each of them off.
TIMEOUTS = {
    "statement_timeout": (1_000, 86_400_000, "it ends statements that take longer, reports and backups among them"),
    "lock_timeout": (100, 3_600_000, "it ends statements that wait longer for a lock"),
    "idle_in_transaction_session_timeout": (1_000, 86_400_000, "it ends sessions that idle longer in a transaction"),
    "idle_session_timeout": (60_000, 604_800_000, "it ends sessions that idle longer, pooled ones among them"),
}
#: The first version that knows a parameter, where not all do that are supported here.
SINCE = {"idle_session_timeout": 140_000}

_ROLE = """
SELECT r.oid::int8 AS oid, quote_ident(r.rolname) AS quoted, r.rolsuper AS super, r.rolcanlogin AS login,
       r.rolconnlimit AS most, current_user::text AS ourselves, current_setting('server_version_num')::int AS version,
       (SELECT split_part(c, '=', 2) FROM pg_db_role_setting AS s, unnest(s.setconfig) AS c
        WHERE s.setrole = r.oid AND s.setdatabase = 0 AND split_part(c, '=', 1) = $2) AS own,
       (SELECT string_agg(d.datname, ', ' ORDER BY d.datname) FROM pg_db_role_setting AS s
        JOIN pg_database AS d ON d.oid = s.setdatabase, unnest(s.setconfig) AS c
        WHERE s.setrole = r.oid AND split_part(c, '=', 1) = $2)::text AS databases,
       (SELECT count(*)::int FROM pg_stat_activity AS a WHERE a.usesysid = r.oid) AS sessions,
       (SELECT string_agg(p.pid::text, ', ' ORDER BY p.pid) FROM (
           SELECT a.pid FROM pg_stat_activity AS a WHERE a.usesysid = r.oid ORDER BY a.pid LIMIT 10) AS p) AS pids
FROM pg_roles AS r WHERE r.rolname = $1
"""

_ADMIN = "SELECT pg_has_role($1::int8::oid, $2::int8::oid, 'USAGE WITH ADMIN OPTION') AS admin"


@dataclass(frozen=True, slots=True)
class Role:
    """One role and what it has now. `value` as text, None where it has none of its own."""

    oid: int
    name: str
    quoted: str
    super: bool
    login: bool
    ourselves: str
    version: int
    value: str | None
    databases: str
    sessions: int
    pids: str


async def find_role(ask: Ask, name: str, parameter: str) -> Role | None:
    """Return one role; None: there is none of that name."""
    rows = await ask(_ROLE, name, parameter)
    if not rows:
        return None
    row = dict(rows[0])
    own = str(row["most"]) if parameter == CONNECTION_LIMIT else row["own"]
    return Role(
        row["oid"], name, row["quoted"], row["super"], row["login"], row["ourselves"], row["version"], own,
        row["databases"] or "", row["sessions"], row["pids"] or "",
    )  # fmt: skip


class RoleTimeout(Remediation):
    """`ALTER ROLE ... SET`, `RESET`, or `CONNECTION LIMIT`."""

    spec: ClassVar[Spec] = Spec(
        name="postgres.role_timeout",
        title="Bound a role",
        summary="An application leaves transactions open or takes every connection: bound its role, for its new sessions.",
        target="HOST/postgres/DATABASE",
        parameters=(
            Parameter("role", "the role whose new sessions are bound"),
            Parameter("name", f"{', '.join(TIMEOUTS)} or {CONNECTION_LIMIT}"),
            Parameter("value", "a time with its unit, `5min`; 0 switches it off; for connection_limit a number, -1 for none"),
        ),
        risk=(1, 2),
        undo=Undo.EXACT,
        undo_says="the role's old value is restored, or its absence",
        guards=("within_bounds", "not_our_role", "no_database_override", "may_alter_role"),
    )

    def offer(self, view: FleetView, target: Target) -> Offer | None:
        """It applies to a database, and to a session that idles in its transaction."""
        found = reading_of(view, target)
        if found is None:
            return None
        database, reading, rest = found
        if not rest:
            return Offer(self.spec.name, database, True, "bounds the new sessions of one role", rank=70)
        session = next((each for each in reading.sessions if rest.isdigit() and each.pid == int(rest)), None)
        if session is None or not session.user:
            return None
        if not session.state.startswith("idle in transaction"):
            return Offer(self.spec.name, database, False, "the session does not idle in a transaction")
        params = (("role", session.user), ("name", "idle_in_transaction_session_timeout"))
        why = f"no new session of {show(session.user, 60)} could idle so long in a transaction"
        return Offer(self.spec.name, database, True, why, params, rank=60)

    async def draft(self, eyes: Eyes, target: Target, params: Mapping[str, str]) -> Draft:
        """See `Remediation.draft`."""
        database, whole = whole_database(eyes, target)
        ask = asker(eyes, database)
        await supported(ask)
        name, text = params["name"].strip().lower(), params["value"].strip()
        wanted = _wanted(name, text)
        text = wanted if name == CONNECTION_LIMIT else text
        role = await find_role(ask, params["role"], name)
        if role is None:
            raise PlanError(f"there is no role {show(params['role'], 80)!r}")
        if role.version < SINCE.get(name, 0):
            raise PlanError(f"{name} is new in PostgreSQL {SINCE[name] // 10_000}")
        if role.value is not None and _wanted(name, role.value) == wanted:
            raise NothingToDoError(f"{role.quoted} has {name} = {role.value} already")
        judged = (
            _within_bounds(name, wanted, role),
            _not_ours(eyes, database, role),
            _no_database(name, role),
            await _may_alter(ask, eyes, database, name, role),
        )
        who, old = show(role.name, 80), show(role.value, 60) or "none of its own"
        return Draft(
            target=whole,
            problem=f"the role {who} has {name}: {old}",
            solution=f"give new sessions of {who} {name} = {show(text, 60)}; sessions that are there keep what they have",
            factors=_factors(name, wanted, role),
            identity={"role": f"{who} (oid {role.oid})", name: old},
            data={
                "database": database, "role": role.name, "oid": role.oid, "quoted": role.quoted, "name": name, "text": text,
                "old": role.value,
            },
            diff=(
                DiffPart(f"{name} of {who}", "sql", _as_sql(role.quoted, name, role.value), _as_sql(role.quoted, name, text)),
                DiffPart("sessions that keep the old value", "text", _sessions(role), _sessions(role)),
            ),
            guards=judged,
            expected=(whole,),
        )  # fmt: skip

    def steps(self, job: Job) -> tuple[LiveStep, ...]:
        """One statement."""
        return (_alter(job, "Bound the role", str(job.data["text"]), expect=_old(job)),)

    def undo(self, job: Job) -> tuple[LiveStep, ...]:
        """The old value, or none."""
        return (_alter(job, "Restore the role", _old(job), undo=True),)

    def checks(self, job: Job) -> tuple[LiveCheck, ...]:
        """The catalog has it: that is what new sessions get."""
        return (_shown_check(job, str(job.data["text"])),)

    def undo_checks(self, job: Job) -> tuple[LiveCheck, ...]:
        """The catalog has what it had."""
        return (_shown_check(job, _old(job)),)

    async def undo_guards(self, eyes: Eyes, job: Job) -> tuple[Guard, ...]:
        """Nobody changed it since."""
        role = await _look(eyes, job)
        says = (
            "the role is gone"
            if role is None
            else f"{job.data['name']}: {show(role.value, 60) or 'none of its own'}, read just now"
        )
        if role is not None and role.value in (_old(job), job.data["text"]):
            return (Guard("unchanged_since", PASS, "the role is as this plan left it", says),)
        return (Guard("unchanged_since", FAIL, "somebody has changed it since", says),)


def _wanted(name: str, text: str) -> str:
    if name not in TIMEOUTS and name != CONNECTION_LIMIT:
        raise PlanError(f"name is {', '.join(TIMEOUTS)} or {CONNECTION_LIMIT}, not {show(name, 80)!r}")
    try:
        return plain(number(text, "integer", None if name == CONNECTION_LIMIT else "ms"))
    except ValueFormatError as error:
        raise PlanError(f"{name}: {error}, not {show(text, 60)!r}") from None


def _within_bounds(name: str, wanted: str, role: Role) -> Guard:
    value, guard = int(Decimal(wanted)), "within_bounds"
    if name == CONNECTION_LIMIT:
        says = f"{role.sessions} sessions now, read just now"
        if value == -1 or max(1, role.sessions) <= value <= 10_000:
            return Guard(guard, PASS, "new sessions still get in", says)
        return Guard(guard, FAIL, "the role has as many sessions or more: no new one would get in", says)
    low, high, why = TIMEOUTS[name]
    if value == 0 or low <= value <= high:
        return Guard(guard, PASS, f"it is 0 or within {low} ms and {high} ms", why)
    return Guard(guard, FAIL, f"it has to be 0, or within {low} ms and {high} ms: {why}", f"asked for: {value} ms")


def _not_ours(eyes: Eyes, database: str, role: Role) -> Guard:
    configured = eyes.database(database).repair_dsn
    ours = {role.ourselves, *([parse_dsn(configured).user] if configured else [])}
    name, who = "not_our_role", show(role.name, 80)
    if role.name in ours:
        return Guard(name, FAIL, f"{who} is the role of DebugTUI itself: it could no longer look or repair", "read just now")
    if role.super:
        return Guard(name, FAIL, f"{who} is a superuser: administrators are not bound", "rolsuper is true, read just now")
    return Guard(name, PASS, f"{who} is neither ours nor a superuser", "pg_roles, read just now")


def _no_database(name: str, role: Role) -> Guard:
    guard = "no_database_override"
    if role.databases:
        why = f"the role has a {name} of its own in {show(role.databases, 100)}, which would hide this one there"
        return Guard(guard, FAIL, why, "pg_db_role_setting, read just now")
    return Guard(guard, PASS, "no database has a value of its own for the role", "pg_db_role_setting, read just now")


async def _may_alter(ask: Ask, eyes: Eyes, database: str, name: str, role: Role) -> Guard:
    guard = "may_alter_role"
    user, repair = await repair_role(ask, eyes, database)
    if repair is None:
        return no_role(guard, user)
    who, whom = show(user, 80), show(role.quoted, 80)
    admin = (await ask(_ADMIN, repair["oid"], role.oid))[0]["admin"]
    if repair["super"] or (repair["createrole"] and not role.super and (repair["version"] < 160_000 or admin)):
        return Guard(guard, PASS, f"the repair role {who} may change {whom}", "pg_roles, read just now")
    why = f"the repair role {who} may not change {whom}: it needs CREATEROLE"
    if repair["version"] >= 160_000:
        why += f", and GRANT {whom} TO {who} WITH ADMIN OPTION"
    return Guard(guard, FAIL, why, "pg_roles, read just now")


def _factors(name: str, wanted: str, role: Role) -> Factors:
    now = None if role.value is None else int(Decimal(_wanted(name, role.value)))
    new = int(Decimal(wanted))
    off = -1 if name == CONNECTION_LIMIT else 0
    looser = new == off or (now is not None and now != off and new >= now)
    what = "new sessions beyond the limit are refused" if name == CONNECTION_LIMIT else TIMEOUTS[name][2]
    return Factors(
        interruption=Factor(0, "it only loosens a bound") if looser else Factor(2, what),
        reversibility=Factor(1, "the old value is written back; sessions that began meanwhile keep the new one"),
        durable_data=Factor(1, "a setting of the role, whose old value is kept"),
        blast_radius=Factor(2, "every new session of the role"),
        blocking=Factor(0, "it takes no lock that anybody waits for"),
        verifiability=Factor(1, "the catalog shows what new sessions get; nobody logs in as the role to see it"),
    )


def _as_sql(quoted: str, name: str, value: str | None) -> str:
    if name == CONNECTION_LIMIT:
        return f"ALTER ROLE {quoted} CONNECTION LIMIT {int(value or -1)}"
    return f"ALTER ROLE {quoted} RESET {name}" if value is None else f"ALTER ROLE {quoted} SET {name} = {literal(value)}"


def _sessions(role: Role) -> str:
    if not role.sessions:
        return "none"
    return f"{role.sessions}: {role.pids}{' ...' if role.sessions > 10 else ''}"


def _old(job: Job) -> str | None:
    return None if job.data["old"] is None else str(job.data["old"])


async def _look(eyes: Eyes, job: Job) -> Role | None:
    role = await find_role(asker(eyes, str(job.data["database"])), str(job.data["role"]), str(job.data["name"]))
    return role if role is not None and role.oid == job.data["oid"] else None


def _alter(job: Job, title: str, value: str | None, *, expect: str | None = None, undo: bool = False) -> LiveStep:
    data: Mapping[str, Any] = job.data
    statement = _as_sql(data["quoted"], data["name"], value)
    before = limits(STATEMENT_S)

    async def run(hands: Hands) -> Done:
        role = await _look(hands, job)
        if role is None or (not undo and role.value != expect):
            raise StaleError(f"the role {show(data['role'], 80)} is not as it was approved any more")
        async with repairing(hands, data["database"], before) as connection:
            await send(connection, statement, STATEMENT_S + 2)
        return Done(f"new sessions of {show(data['role'], 80)} have it; those that are there keep what they have")

    async def settle(eyes: Eyes) -> Settled:
        role = await _look(eyes, job)
        if role is None:
            return Settled.UNKNOWN
        if role.value == value:
            return Settled.DONE
        return Settled.NOT_DONE if role.value in (data["old"], data["text"]) else Settled.UNKNOWN

    back = None if undo else _as_sql(data["quoted"], data["name"], _old(job))
    return LiveStep(title, shown(*before, statement), True, STEP_S, back, run, settle)


def _shown_check(job: Job, value: str | None) -> LiveCheck:
    async def sample(eyes: Eyes) -> Sample:
        role = await _look(eyes, job)
        if role is None:
            return Sample(False, "the role is gone")
        return Sample(role.value == value, f"{job.data['name']} = {show(role.value, 60) or 'none of its own'}")

    said = "none of its own" if value is None else show(value, 60)
    why = "pg_db_role_setting and pg_roles say what new sessions get; sessions that are there keep theirs"
    return LiveCheck(f"new sessions have {job.data['name']}: {said}", DWELL_S, why, sample)
