"""Which session a row of the screen means: its own, or the one at the root of whom it waits for."""

from __future__ import annotations

from dataclasses import dataclass

from debugtui.model.postgres import LockNode, PostgresReading, Session
from debugtui.model.source import FleetView
from debugtui.model.target import Target
from debugtui.remediation.catalogue.postgres.common import show
from debugtui.remediation.catalogue.postgres.readings import reading_of
from debugtui.sources.postgres.session import APPLICATION_NAME


@dataclass(frozen=True, slots=True)
class Row:
    """A session to plan for; `why` in one sentence, `waiters` counts everyone below it."""

    target: Target
    session: Session
    waiters: int
    why: str


def row_of(view: FleetView, target: Target) -> Row | str | None:
    """Return the session that a target means; a sentence where it means none, None where it is no session at all."""
    found = reading_of(view, target)
    if found is None:
        return None
    database, reading, rest = found
    if rest and not rest.isdigit():
        return None
    roots = [node for node in reading.locks if node.depth == 0]
    if not rest:
        if not roots:
            return "no session blocks another"
        root: LockNode | None = roots[0]
    else:
        root = _root(reading.locks, int(rest))
    if root is not None and not root.pid:
        return f"a prepared transaction blocks ({show(root.gid, 60) or 'not named'}): only its coordinator may end it"
    pid = root.pid if root is not None else int(rest)
    session = _session(reading, pid)
    if session is None:
        return f"session {pid} is not there any more"
    waiters = root.waiters if root is not None else 0
    return Row(Target(database.host, "postgres", f"{database.name}/{pid}"), session, waiters, _why(session, waiters, rest))


def _root(locks: tuple[LockNode, ...], pid: int) -> LockNode | None:
    """The root above a node: the last row of depth 0 before it."""
    root: LockNode | None = None
    for node in locks:
        if node.depth == 0:
            root = node
        if node.pid == pid:
            return root
    return None


def _session(reading: PostgresReading, pid: int) -> Session | None:
    return next((session for session in reading.sessions if session.pid == pid), None)


def _why(session: Session, waiters: int, asked: str) -> str:
    who = f"session {session.pid} of {show(session.application, 60) or show(session.user, 60) or 'nobody named'}"
    if not waiters:
        return f"{who} is {session.state or 'there'}"
    cause = f", {asked} among them" if asked and asked != str(session.pid) else ""
    return f"{who} is {session.state or 'there'} and {waiters} wait for it{cause}"


def unfit(session: Session) -> str:
    """Return why a session is never ended here; empty where it may be."""
    if session.application.startswith(APPLICATION_NAME):
        return "it is a session of DebugTUI itself"
    if session.backend_type and session.backend_type != "client backend":
        return f"it is a {show(session.backend_type, 60)}, not a client's session"
    return ""
