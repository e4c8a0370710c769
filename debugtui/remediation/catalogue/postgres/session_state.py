"""What is known of one session, and who waits for whom: for those who end sessions and queries."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from debugtui.model.amounts import span
from debugtui.model.postgres import LockNode, PreparedTransaction, Session
from debugtui.model.text import decode
from debugtui.remediation.base import PlanError, Sample
from debugtui.remediation.catalogue.postgres.common import asker, masked, show, stamp
from debugtui.remediation.catalogue.postgres.index_state import Ask
from debugtui.remediation.eyes import Eyes
from debugtui.sources.postgres import queries
from debugtui.sources.postgres.activity import QueryTexts, apply_waits, to_prepared, to_session
from debugtui.sources.postgres.locks import Holding, build_lock_tree

#: Rows of a lock tree in a diff.
MOST_ROWS = 40
#: Seconds that a wait has to last before it counts as blocked again: short waits are everyday life.
GRACE_S = 2.0
#: How many sessions more than before, at least and as a share of them, are a surge of new connections.
SURGE_LEAST, SURGE_SHARE = 5, 0.5

#: Applications that write in bulk, by words in their names.
_BATCH = re.compile(r"batch|bulk|etl|import|ingest|loader|backfill|cron|nightly", re.IGNORECASE)
#: A transaction that writes and works for so long is a batch, whatever it is called; in seconds.
_BATCH_S = 600.0

_SESSION = """
SELECT a.pid, a.backend_start, a.xact_start, a.query_start, a.state, a.backend_type::text AS backend_type,
       a.application_name::text AS application, coalesce(a.usename, '')::text AS username,
       coalesce(a.datname, '')::text AS database, a.backend_xid IS NOT NULL AS has_written,
       substring(textsend(a.query), 1, 4096) AS query, coalesce(r.rolsuper, false) AS super,
       clock_timestamp() AS now, current_setting('server_version_num')::int AS version,
       a.pid = pg_backend_pid() AS ourselves,
       EXISTS (SELECT FROM pg_stat_progress_create_index AS p WHERE p.pid = a.pid) AS builds,
       EXISTS (SELECT FROM pg_stat_progress_basebackup AS p WHERE p.pid = a.pid) AS backs_up,
       EXISTS (SELECT FROM pg_stat_progress_copy AS p WHERE p.pid = a.pid) AS copies
FROM pg_stat_activity AS a LEFT JOIN pg_roles AS r ON r.oid = a.usesysid
WHERE a.pid = $1
"""

_BLOCKED = """
SELECT w.pid, b.pid AS blocker, b.state::text AS state,
       extract(epoch FROM clock_timestamp() - coalesce(l.since, w.query_start))::float8 AS waits
FROM pg_stat_activity AS w
CROSS JOIN LATERAL unnest(pg_blocking_pids(w.pid)) AS u (pid)
JOIN pg_stat_activity AS b ON b.pid = u.pid
LEFT JOIN LATERAL (
    SELECT min((to_jsonb(k) ->> 'waitstart')::timestamptz) AS since FROM pg_locks AS k WHERE k.pid = w.pid AND NOT k.granted
) AS l ON true
WHERE w.wait_event_type = 'Lock' AND b.application_name = $1 AND b.usename = $2
ORDER BY 4 DESC NULLS FIRST, 1, 2
"""

_CONNECTIONS = """
SELECT count(*) FILTER (WHERE application_name = $1 AND usename = $2)::int AS mine,
       count(*) FILTER (WHERE backend_type = 'client backend')::int AS used, current_setting('max_connections')::int AS most,
       current_setting('server_version_num')::int AS version
FROM pg_stat_activity
"""


@dataclass(frozen=True, slots=True)
class Found:
    """One session as the server has it now; texts as they came."""

    pid: int
    backend_start: datetime
    xact_start: datetime | None
    query_start: datetime | None
    state: str
    backend_type: str
    application: str
    username: str
    database: str
    has_written: bool
    query: bytes | None
    super: bool
    now: datetime
    version: int
    ourselves: bool
    builds: bool
    backs_up: bool
    copies: bool

    @property
    def who(self) -> str:
        """`session 4711 of coach-web`, safe to show."""
        return f"session {self.pid} of {show(self.application, 60) or show(self.username, 60) or 'nobody named'}"

    @property
    def statement(self) -> str:
        """Its last statement with the literals masked."""
        return masked(decode(self.query or b"")) or "(none)"

    @property
    def in_transaction(self) -> bool:
        """Whether it idles in a transaction."""
        return self.state.startswith("idle in transaction")

    @property
    def xact_age(self) -> float | None:
        """Seconds since its transaction began."""
        return None if self.xact_start is None else max(0.0, (self.now - self.xact_start).total_seconds())

    @property
    def query_age(self) -> float | None:
        """Seconds since its statement began."""
        return None if self.query_start is None else max(0.0, (self.now - self.query_start).total_seconds())

    @property
    def batch(self) -> str:
        """Why it counts as one that writes in bulk; empty: it does not."""
        if not self.has_written and not self.copies:
            return ""
        if self.copies:
            return "it copies rows in bulk"
        if _BATCH.search(self.application):
            return f"{show(self.application, 60)} writes in bulk, by its name"
        if self.state == "active" and (self.xact_age or 0.0) >= _BATCH_S:
            return f"it has worked in one writing transaction for {span(self.xact_age or 0.0)}"
        return ""


async def find_session(ask: Ask, pid: int) -> Found:
    """Return one session.

    Raises:
        PlanError: there is none, or the monitoring role may not see it.
    """
    rows = await ask(_SESSION, pid)
    if not rows:
        raise PlanError(f"there is no session {pid}")
    row = dict(rows[0])
    if row["backend_start"] is None:
        raise PlanError(f"the monitoring role does not see session {pid}: GRANT pg_monitor to it")
    return Found(**{**row, "state": row["state"] or "", "application": row["application"] or ""})


@dataclass(frozen=True, slots=True)
class Waits:
    """Who waits for whom, everywhere in the server."""

    sessions: tuple[Session, ...]
    prepared: tuple[PreparedTransaction, ...]
    holdings: tuple[Holding, ...]
    now: datetime

    def tree(self) -> tuple[LockNode, ...]:
        """The lock tree as it is."""
        return build_lock_tree(self.sessions, self.prepared, self.holdings, self.now)

    def without(self, pid: int) -> Waits:
        """What is foretold once that session holds nothing and waits for nothing any more."""
        left = [
            replace(each, blocked_by=tuple(blocker for blocker in each.blocked_by if blocker != pid))
            for each in self.sessions
            if each.pid != pid
        ]
        held = tuple(each for each in self.holdings if pid not in (each.pid, each.waiter))
        return replace(self, sessions=tuple(left), holdings=held)

    def below(self, pid: int) -> tuple[Session, ...]:
        """Everyone who waits for a session, directly or not, by pid."""
        reached, found = {pid}, True
        while found:
            more = {each.pid for each in self.sessions if each.pid not in reached and reached.intersection(each.blocked_by)}
            found = bool(more)
            reached |= more
        return tuple(sorted((each for each in self.sessions if each.pid in reached - {pid}), key=lambda each: each.pid))

    def root(self, pid: int) -> int | None:
        """Who stands at the root of whom a session waits for: itself where it does not wait; None: a prepared transaction."""
        by_pid = {each.pid: each for each in self.sessions}
        seen: set[int] = set()
        while pid not in seen:
            seen.add(pid)
            here = by_pid.get(pid)
            blockers = [] if here is None else [each for each in here.blocked_by if each not in seen]
            if not blockers:
                return pid
            # Who waits for nobody holds the lock; the others only stand in the queue before it.
            free = [each for each in blockers if each and not (by_pid[each].blocked_by if each in by_pid else ())]
            pid = sorted(free or blockers)[0]
            if pid == 0:
                return None
        return pid


async def read_waits(ask: Ask, version: int) -> Waits:
    """Read the sessions and their locks."""
    rows = await ask(queries.sessions(version))
    leaders = {row["pid"]: row["leader"] for row in rows if row["leader"] is not None}
    texts = QueryTexts(decode)
    sessions, holdings = apply_waits([to_session(row, texts) for row in rows], await ask(queries.waits(version)), leaders)
    prepared = tuple(to_prepared(row) for row in await ask(queries.prepared()))
    now = (await ask("SELECT clock_timestamp() AS now"))[0]["now"]
    return Waits(sessions, prepared, holdings, now)


def drawn(nodes: Sequence[LockNode], waits: Waits) -> str:
    """Return a lock tree as text, one line for each node; `nobody waits` where it is empty."""
    lines = []
    state = {each.pid: each.state for each in waits.sessions}
    for node in nodes[:MOST_ROWS]:
        who = f"{node.pid} {show(node.application, 40)}".strip() if not node.gid else f"prepared {show(node.gid, 40)}"
        doing = (
            f"waits for {show(node.lock_mode, 40)} on {show(node.lock_on, 80)}" if node.blockers else state.get(node.pid, "")
        )
        since = node.waits_s if node.blockers else node.age_s
        lines.append(f"{'  ' * node.depth}{who}: {doing}{'' if since is None else f', {span(since)}'}")
    if len(nodes) > MOST_ROWS:
        lines.append(f"... and {len(nodes) - MOST_ROWS} more")
    return "\n".join(lines) or "nobody waits"


def named(sessions: Sequence[Session]) -> str:
    """Return sessions by number and application, ten at most."""
    first = ", ".join(f"{each.pid} {show(each.application, 40)}".strip() for each in sessions[:10])
    return first + (f" and {len(sessions) - 10} more" if len(sessions) > 10 else "")


async def before_facts(ask: Ask, data: Mapping[str, object]) -> dict[str, object]:
    """Return what the checks compare with: who waits for the session, and how many connections its application has."""
    row = (await ask(_CONNECTIONS, data["application"], data["username"]))[0]
    below = (await read_waits(ask, row["version"])).below(int(str(data["pid"])))
    waiters = [[each.pid, stamp(each.backend_start)] for each in below]
    return {"waiters": waiters, "connections": row["mine"]}


async def sample_free(eyes: Eyes, data: Mapping[str, object], results: Mapping[str, object]) -> Sample:
    """Nobody waits for a session of the application: neither who waited before nor anybody new."""
    grace = GRACE_S * eyes.around.dwell
    ask = asker(eyes, str(data["database"]))
    rows = await ask(_BLOCKED, data["application"], data["username"])
    held = [row for row in rows if row["blocker"] == data["pid"] or row["waits"] is None or row["waits"] >= grace]
    waited = results.get("waiters")
    before = f"{len(waited)} waited before" if isinstance(waited, list) else "who waited before is not known"
    if held:
        row = held[0]
        long = "" if row["waits"] is None else f" for {span(row['waits'])}"
        return Sample(False, f"{row['pid']} waits for {row['blocker']} ({row['state']}){long}; {before}")
    return Sample(True, f"nobody waits for {show(str(data['application']), 60) or 'that application'}; {before}")


async def sample_connections(eyes: Eyes, data: Mapping[str, object], results: Mapping[str, object]) -> Sample:
    """The application does not open many more connections than it had."""
    row = (await asker(eyes, str(data["database"]))(_CONNECTIONS, data["application"], data["username"]))[0]
    before = results.get("connections")
    says = f"{row['mine']} of the application, {row['used']} of {row['most']} in all"
    if not isinstance(before, int):
        return Sample(row["used"] < 0.9 * row["most"], f"{says}; how many it had is not known")
    allowed = before + max(SURGE_LEAST, int(before * SURGE_SHARE))
    return Sample(row["mine"] <= allowed, f"{says}; it had {before}")
